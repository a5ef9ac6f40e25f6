/** A nameless network namespace beside that of the test, which vanishes with the last process in it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { command, ownChild, tempFolder } from './cleanup.ts';

export interface Namespace {
  /** Of a process in it. */
  readonly pid: number;
  /** Runs a command over there. @throws when it fails */
  run(program: string, ...words: string[]): void;
  /** A program that starts `executable` over there, with the arguments and file descriptors that it is given. */
  launcher(executable: string): string;
  close(): void;
}

/** Opens one with nothing but loopback. */
export async function openNamespace(): Promise<Namespace> {
  // It ends with its standard input, so with this process.
  const keeper = spawn('unshare', ['--net', 'sh', '-c', 'echo; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  ownChild(keeper);
  await once(keeper.stdout, 'data');
  const enter = ['nsenter', `--net=/proc/${keeper.pid}/ns/net`] as const;
  const run = (...words: string[]): void => void command(...enter, ...words);
  run('ip', 'link', 'set', 'lo', 'up');
  return {
    pid: keeper.pid as number,
    run,
    launcher(executable) {
      const file = path.join(tempFolder('far'), path.basename(executable));
      writeFileSync(file, `#!/bin/sh\nexec ${enter.join(' ')} ${executable} "$@"\n`);
      chmodSync(file, 0o755);
      return file;
    },
    close: () => void keeper.stdin.end(),
  };
}
