// Puts the media worker into its place in the cache: mediasoup's prebuilt one where it can be had, else our build.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { BUILD_PACKAGES, buildWorker } from '../media-worker/build.mjs';
import { mediasoupFolder, workerLocation } from '../media-worker/location.mjs';
import { downloadWorker, prebuiltAddress, workerRuns } from '../media-worker/prebuilt.mjs';
import { ensurePackages } from './apt.mjs';
import { withLock } from './lock.mjs';

const REPORT_EVERY_MS = 10_000;

async function make(outFolder, say) {
  say('media worker: asking for the prebuilt one');
  const prebuilt = await downloadWorker({ address: prebuiltAddress(mediasoupFolder()), outFolder });
  if ('file' in prebuilt) return { file: prebuilt.file, origin: 'prebuilt by mediasoup' };
  say(`media worker: no prebuilt one (${prebuilt.reason}); building it, which takes some minutes, once`);
  await ensurePackages(BUILD_PACKAGES, 'build the media worker', say);
  let reported = Date.now();
  const file = await buildWorker({
    workerFolder: path.join(mediasoupFolder(), 'worker'),
    outFolder,
    progress(done, all) {
      if (Date.now() - reported < REPORT_EVERY_MS && done < all) return;
      reported = Date.now();
      say(`media worker: ${done} of ${all} files compiled`);
    },
  });
  if (!workerRuns(file)) throw new Error('The media worker was built but does not run on this machine.');
  return { file, origin: 'built here' };
}

/** Folders of builds that were interrupted. Nobody uses one: whoever does holds the lock. */
function removeLeftovers(folder) {
  const prefix = `${path.basename(folder)}.making-`;
  for (const name of readdirSync(path.dirname(folder)).filter((each) => each.startsWith(prefix))) {
    rmSync(path.join(path.dirname(folder), name), { recursive: true, force: true });
  }
}

/**
 * Makes the media worker if it is not there.
 * @param {(line: string) => void} say
 */
export async function ensureMediaWorker(say) {
  const { path: target, supplied } = workerLocation(process.env);
  if (existsSync(target) && workerRuns(target)) return;
  if (supplied) {
    throw new Error(
      `MEDIASOUP_WORKER_BIN names ${target}, which is not a media worker that runs here. Correct or unset it.`,
    );
  }
  const folder = path.dirname(target);
  await withLock(`${folder}.lock`, say, async () => {
    if (existsSync(target) && workerRuns(target)) return;
    mkdirSync(folder, { recursive: true });
    removeLeftovers(folder);
    const temporary = mkdtempSync(`${folder}.making-`);
    try {
      const started = Date.now();
      const { file, origin } = await make(temporary, say);
      writeFileSync(path.join(folder, 'origin'), `${origin}\n`);
      renameSync(file, target);
      say(`media worker: ${origin} in ${Math.round((Date.now() - started) / 1000)} s, kept in ${folder}`);
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
  });
}
