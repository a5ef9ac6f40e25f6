import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { lockFolder } from './folder-lock.ts';

const base = mkdtempSync(path.join(tmpdir(), 'lock-test-'));
after(() => rmSync(base, { recursive: true }));
const lockOf = (folder: string) => path.join(folder, 'lock');

test('a folder is locked once, and free again after its release', () => {
  const folder = path.join(base, 'once', 'deep');
  const release = lockFolder(folder);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  assert.throws(() => lockFolder(folder), {
    code: 'DataFolderLocked',
    message: `The data folder ${folder} is in use by process ${process.pid}`,
  });
  release();
  assert.deepEqual(readdirSync(folder), []);
  lockFolder(folder)();
});

test('the lock of a process that was killed is taken over', async () => {
  const folder = path.join(base, 'killed');
  const program = `import('${new URL('./folder-lock.ts', import.meta.url)}').then((m) => {
    m.lockFolder(${JSON.stringify(folder)}); console.log('locked'); setInterval(() => {}, 1000); })`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  assert.throws(() => lockFolder(folder), { code: 'DataFolderLocked', details: { folder, pid: child.pid } });
  child.kill('SIGKILL');
  await once(child, 'exit');
  lockFolder(folder)();
});

test('a process that got the id of a dead holder does not hold its lock', () => {
  const folder = path.join(base, 'reused');
  const release = lockFolder(folder);
  const own = readFileSync(lockOf(folder), 'utf8');
  release();
  // The same id, born at another time: a container's first process has the id 1 every time.
  writeFileSync(lockOf(folder), own.replace(/\n\d+/, '\n12345'));
  lockFolder(folder)();
  // The same id and time after the machine was started anew.
  writeFileSync(lockOf(folder), own.replace(/[0-9a-f-]{36}/, '00000000-0000-0000-0000-000000000000'));
  lockFolder(folder)();
});

test('a lock file with rubbish in it holds nothing', () => {
  const folder = path.join(base, 'rubbish');
  lockFolder(folder)();
  for (const content of ['', 'x', '-1\n', '0\n', '99999999\n\n']) {
    writeFileSync(lockOf(folder), content);
    lockFolder(folder)();
  }
});

test('of two that find a dead lock at once exactly one gets it', async () => {
  const folder = path.join(base, 'race');
  lockFolder(folder)();
  for (let round = 0; round < 2; round += 1) {
    writeFileSync(lockOf(folder), '99999999\n\n');
    const program = `import('${new URL('./folder-lock.ts', import.meta.url)}').then((m) => {
      let held = true;
      try { m.lockFolder(${JSON.stringify(folder)}); } catch { held = false; }
      console.log(held); process.stdin.resume(); })`;
    const children = Array.from({ length: 2 }, () =>
      spawn(process.execPath, ['-e', program], { stdio: ['pipe', 'pipe', 'inherit'] }),
    );
    const said = await Promise.all(children.map(async ({ stdout }) => String((await once(stdout, 'data'))[0]).trim()));
    assert.deepEqual(
      said.filter((word) => word === 'true'),
      ['true'],
    );
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(children.map((child) => once(child, 'exit')));
  }
});

test('releasing leaves the lock of a successor alone', () => {
  const folder = path.join(base, 'successor');
  const release = lockFolder(folder);
  chmodSync(lockOf(folder), 0o600);
  writeFileSync(lockOf(folder), '1\n\n');
  release();
  assert.deepEqual(readdirSync(folder), ['lock']);
});
