// mediasoup's own prebuilt worker, when its release page can be reached and sends what we have pinned.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { PINNED_ARCHIVES } from './pinned.mjs';

/** A page that cannot be reached must not hold up the build for longer than this. */
export const DOWNLOAD_SECONDS_MAX = 5;

/** Several times what a release has; a page that sends more is not mediasoup's. */
export const ARCHIVE_BYTES_MAX = 64 * 1024 * 1024;

/** mediasoup's worker leaves with this code when it runs at all but was not started by mediasoup. */
const STARTED_BY_HAND = 41;

/** Whether this file is a worker that runs on this machine (right processor, all libraries there). */
export function workerRuns(file) {
  return spawnSync(file, [], { env: {}, stdio: 'ignore', timeout: 5000 }).status === STARTED_BY_HAND;
}

/** The address of the prebuilt worker for this machine, as mediasoup names it. */
export function prebuiltAddress(mediasoupFolder, base) {
  const { version, repository } = JSON.parse(readFileSync(path.join(mediasoupFolder, 'package.json'), 'utf8'));
  const releases = base ?? `${repository.url.replace(/^git\+/, '').replace(/\.git$/, '')}/releases/download`;
  const kernel = os.platform() === 'linux' ? `-kernel${Number.parseInt(os.release(), 10)}` : '';
  return `${releases}/${version}/mediasoup-worker-${version}-${os.platform()}-${os.arch()}${kernel}.tgz`;
}

/** The whole body, or nothing once it is longer than `bytesMax`. */
async function bytesOf(body, bytesMax) {
  const chunks = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > bytesMax) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Unpacks and tries an archive whose hash is known. */
function unpack(archive, outFolder) {
  const { status } = spawnSync('tar', ['-xzf', '-', '-C', outFolder, 'mediasoup-worker'], {
    input: archive,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  if (status !== 0) return { reason: 'the archive could not be unpacked' };
  const file = path.join(outFolder, 'mediasoup-worker');
  chmodSync(file, 0o755);
  return workerRuns(file) ? { file } : { reason: 'the prebuilt worker does not run on this machine' };
}

/** The hash that the operator takes for right, for archives that are not pinned: nobody's word is taken silently. */
const TAKEN_BY_OPERATOR = 'CLOISTER_WORKER_SHA256';

/**
 * Downloads the prebuilt worker. Nothing of it is unpacked, let alone run, unless its hash is pinned or the operator has
 * named it.
 * @param {{ address: string, outFolder: string, secondsMax?: number, bytesMax?: number, pinned?: Readonly<Record<string, string>>, taken?: string }} options
 * @returns {Promise<{ file: string } | { reason: string }>} the file, or why there is none
 */
export async function downloadWorker({
  address,
  outFolder,
  secondsMax = DOWNLOAD_SECONDS_MAX,
  bytesMax = ARCHIVE_BYTES_MAX,
  pinned = PINNED_ARCHIVES,
  taken = process.env[TAKEN_BY_OPERATOR],
}) {
  try {
    const response = await fetch(address, { signal: AbortSignal.timeout(secondsMax * 1000) });
    if (!response.ok || !response.body) return { reason: `the release page answered ${response.status}` };
    const archive = await bytesOf(response.body, bytesMax);
    if (!archive) return { reason: `the archive has more than ${bytesMax} bytes` };
    const hash = createHash('sha256').update(archive).digest('hex');
    const name = path.posix.basename(new URL(address).pathname);
    if (Object.hasOwn(pinned, name)) {
      if (pinned[name] !== hash) return { reason: `its SHA-256 ${hash} is not the one that is pinned` };
    } else if (taken !== hash) {
      return { reason: `it is not pinned; ${TAKEN_BY_OPERATOR}=${hash} would take what the release page sends` };
    }
    return unpack(archive, outFolder);
  } catch (error) {
    if (error.name === 'TimeoutError') return { reason: `no answer within ${secondsMax} s` };
    return { reason: error.cause?.code ?? error.code ?? error.message };
  }
}
