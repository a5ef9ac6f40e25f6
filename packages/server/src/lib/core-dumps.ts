/** Core dumps: a process that crashes leaves no copy of its memory on a disk. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * Switches core dumps off for a process and for all that it starts from then on. The limit is one byte: no file is that
 * small, and Linux does not start a program that takes dumps (`|` in `kernel.core_pattern`) for it, which it does for 0.
 * @param pid of this user
 * @returns whether they are off now, by whomever
 */
export async function switchOffCoreDumps(pid: number): Promise<boolean> {
  await new Promise<void>((resolve) => {
    execFile('prlimit', [`--pid=${pid}`, '--core=1:1'], () => resolve());
  });
  return coreDumpsAreOff(pid);
}

/** What the kernel says of a process, whoever set it. */
export function coreDumpsAreOff(pid: number): boolean {
  try {
    const limits = readFileSync(`/proc/${pid}/limits`, 'utf8');
    return /^Max core file size +[01] +[01] /m.test(limits);
  } catch {
    return false;
  }
}
