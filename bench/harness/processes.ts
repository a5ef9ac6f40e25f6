/** What processes used, by the kernel's own books. */
import { readdirSync, readFileSync } from 'node:fs';

/** CPU time of a process since it started, all threads that are alive, user and system, in microseconds. */
export function cpuMicroseconds(pid: number): number {
  let nanoseconds = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    try {
      // The first number is the time on a core in nanoseconds; utime and stime of `stat` are the same in hundredths.
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      // The thread has ended since the folder was read.
    }
  }
  return nanoseconds / 1000;
}

/** CPU time of each thread of a process that is alive, in microseconds, by its name, which the kernel cuts to 15 letters. */
export function threadMicroseconds(pid: number): [name: string, microseconds: number][] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task): [string, number][] => {
    try {
      const of = (file: string) => readFileSync(`/proc/${pid}/task/${task}/${file}`, 'utf8');
      return [[of('comm').trim(), Number(of('schedstat').split(' ')[0]) / 1000]];
    } catch {
      // The thread has ended since the folder was read.
      return [];
    }
  });
}

/** Resident memory of a process in kilobytes. */
export function residentKb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

/** A process and all that it started, from whichever of its threads, by their ids. */
export function processTree(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) => {
    try {
      return readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
    } catch {
      // The thread has ended since the folder was read.
      return [];
    }
  });
  return [pid, ...children.flatMap(processTree)];
}
