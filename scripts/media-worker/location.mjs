// Where the media worker is. One rule, used by the preparation that puts it there and by the server that runs it.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '../..');

/** Whatever of these files changes, the worker is built anew beside the old one. */
const RECIPE = ['build.mjs', 'compat.hpp'];

/**
 * The folder for things that are expensive to make and belong to no clone.
 * @param {NodeJS.ProcessEnv} env
 */
export function cacheFolder(env) {
  return path.join(env.XDG_CACHE_HOME || path.join(env.HOME || homedir(), '.cache'), 'cloister');
}

/** The folder of mediasoup's package, which holds the worker's sources. */
export function mediasoupFolder() {
  return path.join(root, 'node_modules', 'mediasoup');
}

/**
 * Where the media worker is expected.
 *
 * `MEDIASOUP_WORKER_BIN` wins, since the operator then brings a worker. Otherwise it is a file in the cache whose
 * folder names mediasoup's version and a hash of our recipe, the system and the processor.
 * @param {NodeJS.ProcessEnv} env
 * @returns {{ path: string, supplied: boolean }}
 */
export function workerLocation(env) {
  if (env.MEDIASOUP_WORKER_BIN) return { path: path.resolve(env.MEDIASOUP_WORKER_BIN), supplied: true };
  const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8'));
  const version = lock.packages['node_modules/mediasoup'].version;
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`);
  for (const file of RECIPE) hash.update(readFileSync(path.join(here, file)));
  const folder = `${version}-${hash.digest('hex').slice(0, 12)}`;
  return { path: path.join(cacheFolder(env), 'mediasoup-worker', folder, 'mediasoup-worker'), supplied: false };
}
