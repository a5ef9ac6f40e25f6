/**
 * One process for one data folder: the embedded database would be destroyed by two. The lock is a file that names its
 * holder; a holder that died (kill -9, power cut) is noticed and its lock taken over.
 *
 * The file is made in full under another name and linked, so that nobody ever reads half of it. Process ids are used
 * again, so the holder is known by its start time and the machine's boot as well, where the system tells them.
 */
import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { PlatformError } from '@cloister/protocol/errors';

const fileName = 'lock';

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

/** What Linux says of a process in `/proc/<pid>/stat`, from the third field on; empty on other systems. */
function statOf(pid: number): string[] {
  const stat = readText(`/proc/${pid}/stat`) ?? '';
  // The name of the program before it, in parentheses, may hold spaces.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** Start time and boot of a process, as far as the system tells. */
function birthOf(pid: number): string {
  return `${statOf(pid)[19] ?? ''} ${readText('/proc/sys/kernel/random/boot_id')?.trim() ?? ''}`;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie is dead, whether or not its parent has asked for it; in a container nobody may ever ask.
    return statOf(pid)[0] !== 'Z';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function describe(pid: number): string {
  return `${pid}\n${birthOf(pid)}\n`;
}

/** The id of the process that holds a lock of this content, or null when it is gone. */
function holderOf(content: string): number | null {
  const [pidText = '', birth = ''] = content.split('\n');
  const pid = Number(pidText);
  if (!Number.isInteger(pid) || pid <= 0 || !isRunning(pid)) return null;
  return birth.trim() === '' || birth === birthOf(pid) ? pid : null;
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Puts a dead holder's lock aside; puts it back when another process took the lock over in between. */
function putAside(lock: string, aside: string, expected: string): void {
  try {
    renameSync(lock, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (readText(aside) !== expected) tryLink(aside, lock);
  rmSync(aside, { force: true });
}

/**
 * Locks a data folder, making it (mode 0700) where there is none, and returns how to release it.
 * @throws PlatformError `DataFolderLocked` with the id of the process that holds it
 */
export function lockFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const lock = path.join(folder, fileName);
  const own = `${lock}.${process.pid}.${randomBytes(6).toString('hex')}`;
  const content = describe(process.pid);
  writeFileSync(own, content, { mode: 0o600, flag: 'wx' });
  try {
    while (!tryLink(own, lock)) {
      const found = readText(lock);
      if (found === null) continue;
      const pid = holderOf(found);
      if (pid !== null) throw new PlatformError('DataFolderLocked', { folder, pid });
      putAside(lock, `${own}.old`, found);
    }
  } finally {
    rmSync(own, { force: true });
  }
  return () => {
    if (readText(lock) === content) rmSync(lock, { force: true });
  };
}
