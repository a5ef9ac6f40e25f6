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

/**
 * Opens one with nothing but loopback.
 * @param hosts names and the addresses that they have for what is launched in it
 */
export async function openNamespace(hosts: Readonly<Record<string, string>> = {}): Promise<Namespace> {
  // It ends with its standard input, so with this process.
  const keeper = spawn('unshare', ['--net', 'sh', '-c', 'echo; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  ownChild(keeper);
  await once(keeper.stdout, 'data');
  const enter = ['nsenter', `--net=/proc/${keeper.pid}/ns/net`] as const;
  const run = (...words: string[]): void => void command(...enter, ...words);
  run('ip', 'link', 'set', 'lo', 'up');
  const named = Object.keys(hosts).length > 0 ? knowing(hosts) : [];
  return {
    pid: keeper.pid as number,
    run,
    launcher(executable) {
      const file = path.join(tempFolder('far'), path.basename(executable));
      writeFileSync(file, `#!/bin/sh\nexec ${[...enter, ...named, executable].join(' ')} "$@"\n`);
      chmodSync(file, 0o755);
      return file;
    },
    close: () => void keeper.stdin.end(),
  };
}

/** Words before a program that is to know hosts by name: it has an `/etc/hosts` of its own. */
function knowing(hosts: Readonly<Record<string, string>>): string[] {
  const file = path.join(tempFolder('hosts'), 'hosts');
  const lines = Object.entries({ localhost: '127.0.0.1', ...hosts }).map(([name, address]) => `${address} ${name}\n`);
  writeFileSync(file, lines.join(''));
  return ['unshare', '--mount', 'sh', '-c', `'mount --bind ${file} /etc/hosts && exec "$@"'`, 'sh'];
}
