// A lock between processes: one prepares, the others wait for it.
import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

const BEAT_MS = 2000;
const STALE_MS = 20_000;

function taken(folder) {
  try {
    mkdirSync(folder);
    return false;
  } catch (error) {
    if (error.code === 'EEXIST') return true;
    throw error;
  }
}

/** The holder writes its time again and again; a holder that was killed stops doing so. */
function abandoned(folder) {
  try {
    return Date.now() - statSync(folder).mtimeMs > STALE_MS;
  } catch {
    return false;
  }
}

function holder(folder) {
  try {
    return readFileSync(path.join(folder, 'pid'), 'utf8');
  } catch {
    return 'unknown';
  }
}

/**
 * Runs `work` while no other process on this machine holds the lock of that name.
 * @template T
 * @param {string} folder the lock: a folder that exists while it is held
 * @param {(line: string) => void} say
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(folder, say, work) {
  mkdirSync(path.dirname(folder), { recursive: true });
  let told = false;
  while (taken(folder)) {
    if (abandoned(folder)) {
      rmSync(folder, { recursive: true, force: true });
      continue;
    }
    if (!told) say(`waiting for process ${holder(folder)}, which is doing this already (${folder})`);
    told = true;
    await wait(250);
  }
  writeFileSync(path.join(folder, 'pid'), String(process.pid));
  const beat = setInterval(() => utimesSync(folder, new Date(), new Date()), BEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(beat);
    rmSync(folder, { recursive: true, force: true });
  }
}
