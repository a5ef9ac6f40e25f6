import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { coreDumpsAreOff, switchOffCoreDumps } from './core-dumps.ts';

/** A shell that does what it is told, in a folder of its own, with core dumps allowed as far as this machine allows them. */
async function shell(folder: string) {
  const child = spawn('sh', ['-c', 'ulimit -S -c $(ulimit -H -c); echo; exec sh -s'], {
    cwd: folder,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return { child, pid: child.pid as number, say: (line: string) => void child.stdin.write(`${line}\n`) };
}

test('a process whose core dumps are switched off leaves none, nor does what it starts', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'cloister-core-'));
  const { child, pid, say } = await shell(folder);
  assert.equal(await switchOffCoreDumps(pid), true);
  say('sh -c "kill -SEGV \\$\\$"; cat /proc/self/limits; kill -SEGV $$');
  const [out, [, signal]] = await Promise.all([child.stdout.toArray(), once(child, 'exit')]);
  assert.equal(signal, 'SIGSEGV');
  assert.match(out.join(''), /^Max core file size +1 +1 /m);
  assert.deepEqual(await readdir(folder), []);
  await rm(folder, { recursive: true });
});

test('a process that is not there, or may not be changed, counts as one that leaves dumps', async () => {
  assert.equal(await switchOffCoreDumps(2 ** 22 + 1), false);
  assert.equal(coreDumpsAreOff(2 ** 22 + 1), false);
});

test('dumps that are off already count as off', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'cloister-core-'));
  const { child, pid, say } = await shell(folder);
  say('ulimit -c 0; echo done');
  await once(child.stdout, 'data');
  assert.equal(coreDumpsAreOff(pid), true);
  say('exit');
  await once(child, 'exit');
  await rm(folder, { recursive: true });
});
