import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { appendFile, mkdtemp, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { ArchiveFile, openStored, readAbout, recover, removeStored, storedIn, writeEnd } from './archive-file.ts';

let root: string;
before(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'cloister-archive-file-'));
});
after(() => rm(root, { recursive: true, force: true }));

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('base64');
const opentok = { projectId: '1', format: 'opentok' } as const;
const block = (fill: number) => Buffer.alloc(16, fill);

test('what is appended is in the file in order, the digest is its own, and only its owner can read it', async () => {
  const folder = path.join(root, 'whole');
  const file = await ArchiveFile.create(folder, opentok);
  const parts = Array.from({ length: 50 }, (_, index) => Buffer.alloc(752, index));
  for (const part of parts) {
    file.append(part);
    file.mark(1000, block(1));
  }
  const whole = Buffer.concat(parts);
  assert.equal(file.size, whole.length);
  assert.equal(await file.finish(), sha256(whole));
  assert.deepEqual(await readAbout(folder), opentok);
  const ended = { sizeBytes: whole.length, durationMs: 1000, sha256: sha256(whole), password: 'wrapped' };
  await writeEnd(folder, opentok, ended);
  assert.deepEqual(await readFile(path.join(folder, 'archive')), whole);
  assert.deepEqual((await readdir(folder)).sort(), ['about.json', 'archive']);
  assert.equal((await stat(path.join(folder, 'about.json'))).mode & 0o777, 0o600);
  assert.equal((await stat(path.join(folder, 'archive'))).mode & 0o777, 0o600);
  assert.equal((await stat(folder)).mode & 0o777, 0o700);
  assert.deepEqual(await readAbout(folder), { ...opentok, ended });
  const { handle, sizeBytes } = await openStored(folder);
  assert.equal(sizeBytes, whole.length);
  await handle.close();
});

test('a file that was cut ends with the block of the last length that has one', async () => {
  const folder = path.join(root, 'cut');
  const file = await ArchiveFile.create(folder, opentok);
  file.append(Buffer.alloc(752, 7));
  file.keyWrapped('wrapped');
  file.mark(2500, block(2));
  // Given out, but the block for it did not come any more.
  file.append(Buffer.alloc(752, 8));
  const recovered = await file.abandon();
  const whole = Buffer.concat([Buffer.alloc(752, 7), block(2)]);
  assert.deepEqual(await readFile(path.join(folder, 'archive')), whole);
  const facts = { sizeBytes: whole.length, sha256: sha256(whole), durationMs: 2500, password: 'wrapped' };
  assert.deepEqual(recovered, facts);
  assert.deepEqual(await recover(folder), recovered);
});

test('what has its own end is not cut, though a mark is left beside it', async () => {
  const folder = path.join(root, 'ended');
  const file = await ArchiveFile.create(folder, opentok);
  file.append(Buffer.alloc(752, 7));
  file.mark(2500, block(2));
  file.append(Buffer.alloc(752, 8));
  const digest = await file.finish();
  const mark = await readFile(path.join(folder, 'mark'));
  await writeEnd(folder, opentok, { sizeBytes: 1504, durationMs: 2540, sha256: digest, password: '' });
  await writeFile(path.join(folder, 'mark'), mark);
  const found = await recover(folder);
  assert.deepEqual([found?.sizeBytes, found?.sha256], [1504, digest]);
});

test('settled is what a crash leaves as it is: what has its mark on the disk, and not one byte more', async () => {
  const folder = path.join(root, 'settled');
  const file = await ArchiveFile.create(folder, opentok);
  file.append(Buffer.alloc(752, 7));
  file.mark(0, block(2));
  assert.equal(file.settled, 0);
  file.append(Buffer.alloc(752, 8));
  // All that was given is written, and the second part has no mark.
  await file.abandon();
  assert.equal(file.settled, 752);
  const stored = await readFile(path.join(folder, 'archive'));
  assert.deepEqual(stored.subarray(0, file.settled), Buffer.alloc(752, 7));
});

test('a file of which nothing was closed gives nothing to open', async () => {
  const file = await ArchiveFile.create(path.join(root, 'nothing'), opentok);
  assert.equal(await file.abandon(), null);
  assert.equal(await recover(path.join(root, 'not there')), null);
});

test('our own format needs no closing block: what is there stays', async () => {
  const folder = path.join(root, 'own');
  const file = await ArchiveFile.create(folder, { projectId: '1', format: 'cloister' });
  file.append(Buffer.from('sealed'));
  file.mark(40, null);
  const facts = { sizeBytes: 6, sha256: sha256(Buffer.from('sealed')), durationMs: 40, password: '' };
  assert.deepEqual(await file.abandon(), facts);
});

test('an archive is never written over', async () => {
  const folder = path.join(root, 'twice');
  await (await ArchiveFile.create(folder, opentok)).finish();
  await assert.rejects(ArchiveFile.create(folder, opentok), { code: 'EEXIST' });
});

test('a write that fails is told at the end', async () => {
  const folder = path.join(root, 'full');
  const file = await ArchiveFile.create(folder, opentok, async () => open('/dev/full', 'a'));
  file.append(Buffer.alloc(10, 1));
  await assert.rejects(file.finish(), { code: 'ENOSPC' });
  assert.ok(file.failure);
});

test('what is removed is gone, also what a crash left half removed', async () => {
  const folder = path.join(root, 'removed');
  await (await ArchiveFile.create(folder, opentok)).finish();
  await removeStored(folder);
  assert.equal(existsSync(folder), false);
  assert.equal(existsSync(`${folder}.removed`), false);
  await removeStored(folder);
  assert.equal(await readAbout(folder), null);
});

test('a folder whose about is no about is none of ours', async () => {
  const folder = path.join(root, 'odd');
  await (await ArchiveFile.create(folder, opentok)).finish();
  await appendFile(path.join(folder, 'about.json'), 'x');
  assert.equal(await readAbout(folder), null);
});

test('all that is there is found, also what a crash kept from being removed to its end', async () => {
  const archives = path.join(root, 'archives');
  assert.deepEqual(await storedIn(archives), []);
  for (const name of ['first', 'second', 'third']) {
    const file = await ArchiveFile.create(path.join(archives, name), opentok);
    await file.finish();
  }
  // The crash came after the folder had its other name; a second one of that name was begun since.
  for (const name of ['second', 'third']) {
    await rename(path.join(archives, name), path.join(archives, `${name}.removed`));
  }
  await (await ArchiveFile.create(path.join(archives, 'third'), opentok)).finish();
  assert.deepEqual((await storedIn(archives)).sort(), ['first', 'second', 'third']);
  await removeStored(path.join(archives, 'second'));
  assert.deepEqual((await storedIn(archives)).sort(), ['first', 'third']);
});
