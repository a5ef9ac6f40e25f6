/**
 * Ends a test file that goes on after its time: node's runner asks it to end (SIGTERM), and a file whose own end hangs
 * would hold up the whole run. Reads /proc, so it does nothing on other systems than Linux.
 */
import { readdir, readFile } from 'node:fs/promises';

/** How long a file may take to end by itself, in milliseconds. */
const GRACE_MS = 10_000;

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly args: readonly string[];
}

/** `/proc/PID/stat` has the name of the command in brackets, which may hold anything, before state and parent. */
async function processOf(pid: number): Promise<Process[]> {
  try {
    const [stat, args] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/cmdline`, 'utf8'),
    ]);
    const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return [{ pid, parent: Number(parent), args: args.split('\0') }];
  } catch {
    // It has ended meanwhile, or this is not Linux.
    return [];
  }
}

async function allProcesses(): Promise<Process[]> {
  const names = await readdir('/proc').catch(() => []);
  const pids = names.filter((name) => /^\d+$/.test(name)).map(Number);
  return (await Promise.all(pids.map(processOf))).flat();
}

function descendants(all: readonly Process[], pid: number): number[] {
  const children = all.filter(({ parent }) => parent === pid);
  return [pid, ...children.flatMap((child) => descendants(all, child.pid))];
}

/** Kills the process of `file`, started by this one, and all that it started, unless it ends within the grace. */
export async function killStuck(file: string, graceMs = GRACE_MS): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, graceMs));
  const all = await allProcesses();
  const stuck = all.find(({ parent, args }) => parent === process.pid && args.includes(file));
  if (!stuck) return;
  for (const pid of descendants(all, stuck.pid)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended with its parent.
    }
  }
}
