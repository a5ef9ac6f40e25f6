import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { loadRoot } from './index.ts';

const folder = await mkdtemp(path.join(tmpdir(), 'root-test-'));
after(() => rm(folder, { recursive: true }));
const refused = (why: RegExp) => ({ code: 'KeyUnavailable', message: why });

test('a missing root is made once, for its owner only, and read afterwards', async () => {
  const file = path.join(folder, 'new', 'root.key');
  const made = await Promise.all([1, 2, 3].map(() => loadRoot(file, { create: true })));
  assert.equal(made[0]?.length, 32);
  assert.ok(made.every((root) => root.equals(made[0] as Buffer)));
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.deepEqual(await readdir(path.dirname(file)), ['root.key']);
  assert.deepEqual(await loadRoot(file, { create: false }), made[0]);
});

test('a missing root is refused where it may not be made', async () => {
  const file = path.join(folder, 'missing.key');
  await assert.rejects(loadRoot(file, { create: false }), refused(/does not exist/));
});

test('a root that others may read is refused', async () => {
  const file = path.join(folder, 'loose.key');
  await writeFile(file, 'a'.repeat(64));
  for (const mode of [0o640, 0o604, 0o660]) {
    await chmod(file, mode);
    await assert.rejects(loadRoot(file, { create: true }), refused(/chmod 600/));
  }
  await chmod(file, 0o400);
  assert.equal((await loadRoot(file, { create: false })).length, 32);
});

test('the group bits of a systemd credential are its access list', async () => {
  const file = path.join(folder, 'cloister-root-key');
  await writeFile(file, 'a'.repeat(64), { mode: 0o440 });
  assert.equal((await loadRoot(file, { create: false })).length, 32);
});

test('bytes, base64 and hexadecimal are understood, anything else is refused', async () => {
  const file = path.join(folder, 'forms.key');
  const bytes = Buffer.alloc(32, 0xab);
  for (const content of [bytes, `${bytes.toString('base64')}\n`, bytes.toString('base64url'), bytes.toString('hex')]) {
    await writeFile(file, content, { mode: 0o600 });
    assert.deepEqual(await loadRoot(file, { create: false }), bytes);
  }
  for (const content of ['', 'short', bytes.toString('hex').slice(2), Buffer.alloc(33), 'x'.repeat(10_000)]) {
    await writeFile(file, content);
    await assert.rejects(loadRoot(file, { create: true }), refused(/does not hold 32 bytes/));
  }
});

test('a root inside the data folder is refused, behind a link too', async () => {
  const data = path.join(folder, 'data');
  await mkdir(data);
  await symlink(data, path.join(folder, 'link'));
  for (const file of [path.join(data, 'root.key'), path.join(folder, 'link', 'root.key')]) {
    await assert.rejects(loadRoot(file, { create: true, outside: data }), refused(/lies in the data folder/));
  }
  await loadRoot(path.join(folder, 'data.key'), { create: true, outside: data });
});
