/** What must be undone when the test process ends, however it ends: temp folders, child processes, databases. */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const pending = new Set<() => void>();

process.once('exit', () => {
  for (const undo of [...pending].reverse()) undo();
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

/**
 * Runs `undo` when the process ends, unless it was called before.
 * @returns the same, to be called as soon as it is no longer needed; it runs once
 */
export function atEnd(undo: () => void): () => void {
  const once = () => {
    if (pending.delete(once)) undo();
  };
  pending.add(once);
  return once;
}

/** A temp folder of this process; removed at the end. */
export function tempFolder(purpose: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), `cloister-test-${purpose}-`));
  atEnd(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

/** Ends a child process that this process started, when this process ends before it. */
export function ownChild(child: ChildProcess): void {
  const forget = atEnd(() => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  });
  child.once('exit', forget);
}

/** Runs a command to its end and gives what it wrote. @throws with what it wrote to stderr */
export function command(file: string, ...args: string[]): string {
  return execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
