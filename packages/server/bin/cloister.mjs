#!/usr/bin/env node
// The `cloister` command. The server is TypeScript that Node 24 runs as it is; an older Node hands over to the one
// that npm installed with the platform.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
const installed = fileURLToPath(new URL('../../../node_modules/.bin/node', import.meta.url));
const recent = Number.parseInt(process.versions.node, 10) >= 24;

if (!recent && !existsSync(installed)) {
  console.error(
    `This needs Node 24, or the packages installed (run npm start once in ${path.resolve(installed, '../../..')}).`,
  );
  process.exit(1);
}

// SIGUSR1 would open a debugger, to which keys and clear media are open.
const words = ['--disable-sigusr1', program, ...process.argv.slice(2)];
const child = spawn(recent ? process.execPath : installed, words, { stdio: 'inherit' });
// The terminal sends Ctrl-C to both; only the child decides what it means.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.once('error', (error) => {
  console.error(`The command could not be started: ${error.message}`);
  process.exitCode = 1;
});
child.once('exit', (code, signal) => {
  process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1);
});
