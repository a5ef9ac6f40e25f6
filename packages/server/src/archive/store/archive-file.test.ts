import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  appendFile,
  cp,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { limits } from '@cloister/protocol';
import { ArchiveFile, openStored, readAbout, recover, removeStored, storedIn, writeEnd } from './archive-file.ts';

let root: string;
before(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'cloister-archive-file-'));
});
after(() => rm(root, { recursive: true, force: true }));

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('base64');
const opentok = { projectId: '1', format: 'opentok' } as const;
const block = (fill: number) => Buffer.alloc(16, fill);

/** What the clock of the files says; a test moves it. */
let time = 0;
const now = () => time;

test('what is appended is in the file in order, the digest is its own, and only its owner can read it', async () => {
  const folder = path.join(root, 'whole');
  const file = await ArchiveFile.create(folder, opentok, now);
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
  const file = await ArchiveFile.create(folder, opentok, now);
  file.append(Buffer.alloc(752, 7));
  file.keyWrapped('wrapped');
  file.mark(2500, block(2));
  // Given out, but the block for it did not come any more.
  file.append(Buffer.alloc(752, 8));
  const recovered = await file.abandon();
  const whole = Buffer.concat([Buffer.alloc(752, 7), block(2)]);
  assert.deepEqual(await readFile(path.join(folder, 'archive')), whole);
  const facts = {
    sizeBytes: whole.length,
    sha256: sha256(whole),
    durationMs: 2500,
    password: 'wrapped',
    closed: true,
  };
  assert.deepEqual(recovered, facts);
  assert.deepEqual(await recover(folder), recovered);
});

test('what has its own end is not cut, though a mark is left beside it', async () => {
  const folder = path.join(root, 'ended');
  const file = await ArchiveFile.create(folder, opentok, now);
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
  const file = await ArchiveFile.create(folder, opentok, now);
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
  const file = await ArchiveFile.create(path.join(root, 'nothing'), opentok, now);
  assert.equal(await file.abandon(), null);
  assert.equal(await recover(path.join(root, 'not there')), null);
});

test('our own format needs no closing block: what is there stays', async () => {
  const folder = path.join(root, 'own');
  const file = await ArchiveFile.create(folder, { projectId: '1', format: 'cloister' }, now);
  file.append(Buffer.from('sealed'));
  file.mark(40, null);
  const facts = { sizeBytes: 6, sha256: sha256(Buffer.from('sealed')), durationMs: 40, password: '', closed: true };
  assert.deepEqual(await file.abandon(), facts);
});

test('an archive is never written over', async () => {
  const folder = path.join(root, 'twice');
  await (await ArchiveFile.create(folder, opentok, now)).finish();
  await assert.rejects(ArchiveFile.create(folder, opentok, now), { code: 'EEXIST' });
});

test('a write that fails is told at the end', async () => {
  const folder = path.join(root, 'full');
  const file = await ArchiveFile.create(folder, opentok, now, async () => open('/dev/full', 'a'));
  file.append(Buffer.alloc(10, 1));
  await assert.rejects(file.finish(), { code: 'ENOSPC' });
  assert.ok(file.writes.failure);
  assert.equal(await file.abandon(), null);
});

test('where the last sync fails, what there is ends with its block all the same', async () => {
  const folder = path.join(root, 'full at the end');
  let full = false;
  const file = await ArchiveFile.create(folder, opentok, now, async (name) => {
    const handle = await open(name, 'wx');
    const { datasync } = handle;
    handle.datasync = async () => {
      if (full) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
      await datasync.call(handle);
    };
    return handle;
  });
  file.keyWrapped('wrapped');
  file.append(Buffer.alloc(752, 7));
  file.mark(2500, block(2));
  file.append(Buffer.alloc(16, 9));
  await file.writes.settled();
  full = true;
  await assert.rejects(file.finish(), { code: 'ENOSPC' });
  const whole = Buffer.concat([Buffer.alloc(752, 7), block(2)]);
  const recovered = await file.abandon();
  assert.deepEqual([recovered?.closed, recovered?.durationMs, recovered?.password], [true, 2500, 'wrapped']);
  assert.deepEqual(await readFile(path.join(folder, 'archive')), whole);
});

describe('after a power cut', () => {
  /** A file that grew by a part every 400 ms; its server is gone. @returns what is on the disk as the kernel had it */
  async function grown(name: string, parts: number, format: 'opentok' | 'cloister' = 'opentok') {
    const folder = path.join(root, name);
    const synced: number[] = [];
    let given = 0;
    const file = await ArchiveFile.create(folder, { projectId: '1', format }, now, async (name) => {
      const handle = await open(name, 'wx');
      const { datasync } = handle;
      handle.datasync = async () => {
        synced.push((await handle.stat()).size);
        await datasync.call(handle);
      };
      return handle;
    });
    if (format === 'opentok') file.keyWrapped('wrapped');
    const settled: number[] = [];
    for (let part = 0; part < parts; part += 1) {
      file.append(Buffer.alloc(752, part + 1));
      given += 752;
      file.mark((part + 1) * 400, format === 'opentok' ? block(100 + part) : null);
      time += 400;
      await file.writes.settled();
      settled.push(file.settled);
    }
    assert.equal(file.size, given);
    // As it is at this moment.
    const found = `${folder} found`;
    await cp(folder, found, { recursive: true });
    const made = { folder: found, synced: [...synced], settled, bytes: await readFile(path.join(found, 'archive')) };
    await file.abandon();
    return made;
  }
  const archiveIn = (folder: string) => path.join(folder, 'archive');

  test('all but the last archiveSyncMs has been synced, before its mark was made', async () => {
    const { synced, settled } = await grown('synced', 7);
    // One past the bound, and the next at once: parts 0, 3 and 6 come 1200 ms apart.
    assert.deepEqual(synced, [752, 4 * 752, 7 * 752]);
    assert.deepEqual(settled, [752, 752, 752, 4 * 752, 4 * 752, 4 * 752, 7 * 752]);
  });

  test('at archiveSyncMs it is synced, a millisecond before it is not', async () => {
    const file = await ArchiveFile.create(path.join(root, 'bound'), opentok, now);
    const after = async (ms: number) => {
      time += ms;
      file.append(Buffer.alloc(752));
      file.mark(0, block(1));
      await file.writes.settled();
      return file.settled / 752;
    };
    assert.deepEqual([await after(0), await after(limits.archiveSyncMs - 1), await after(1)], [1, 1, 3]);
    await file.abandon();
  });

  test('bytes that never reached the disk are not made up: the file ends at the last mark that it reaches', async () => {
    const { folder, bytes } = await grown('shortened', 3);
    await truncate(archiveIn(folder), 2 * 752 + 100);
    const recovered = await recover(folder);
    assert.deepEqual(await readFile(archiveIn(folder)), Buffer.concat([bytes.subarray(0, 752), block(100)]));
    assert.deepEqual([recovered?.closed, recovered?.durationMs, recovered?.sizeBytes], [true, 400, 752 + 16]);
    assert.deepEqual(await recover(folder), recovered);
  });

  for (const format of ['opentok', 'cloister'] as const) {
    test(`zeros in the place of the last bytes are no part of it (${format})`, async () => {
      const { folder, bytes } = await grown(`zeros ${format}`, 3, format);
      await writeFile(archiveIn(folder), Buffer.concat([bytes.subarray(0, 2 * 752), Buffer.alloc(752)]));
      const recovered = await recover(folder);
      const end = format === 'opentok' ? block(100) : Buffer.alloc(0);
      assert.deepEqual(await readFile(archiveIn(folder)), Buffer.concat([bytes.subarray(0, 752), end]));
      assert.equal(recovered?.durationMs, 400);
    });

    test(`what the kernel still wrote is there to the last mark (${format})`, async () => {
      const { folder, bytes } = await grown(`written ${format}`, 3, format);
      const recovered = await recover(folder);
      const end = format === 'opentok' ? block(102) : Buffer.alloc(0);
      assert.deepEqual(await readFile(archiveIn(folder)), Buffer.concat([bytes, end]));
      assert.equal(recovered?.durationMs, 1200);
    });
  }

  test('a mark that was written in part is none, whichever of the two it is', async () => {
    for (const broken of [0, 4096]) {
      const { folder, bytes } = await grown(`torn ${broken}`, 3);
      const marks = await readFile(path.join(folder, 'mark'));
      marks[broken] = 0xff;
      await writeFile(path.join(folder, 'mark'), marks);
      await recover(folder);
      const there = broken === 0 ? [bytes, block(102)] : [bytes.subarray(0, 752), block(100)];
      assert.deepEqual(await readFile(archiveIn(folder)), Buffer.concat(there));
    }
  });

  test('where no mark fits the file stays as it was cut, and the result says that its end is missing', async () => {
    const { folder, bytes } = await grown('too short', 3);
    await truncate(archiveIn(folder), 700);
    const recovered = await recover(folder);
    assert.deepEqual(await readFile(archiveIn(folder)), bytes.subarray(0, 700));
    assert.deepEqual([recovered?.closed, recovered?.durationMs, recovered?.sizeBytes], [false, 0, 700]);
  });

  test('without its key there is nothing to open', async () => {
    const { folder } = await grown('no key', 3);
    await rm(path.join(folder, 'password'));
    assert.equal(await recover(folder), null);
  });
});

test('what is removed is gone, also what a crash left half removed', async () => {
  const folder = path.join(root, 'removed');
  await (await ArchiveFile.create(folder, opentok, now)).finish();
  await removeStored(folder);
  assert.equal(existsSync(folder), false);
  assert.equal(existsSync(`${folder}.removed`), false);
  await removeStored(folder);
  assert.equal(await readAbout(folder), null);
});

test('a folder whose about is no about is none of ours', async () => {
  const folder = path.join(root, 'odd');
  await (await ArchiveFile.create(folder, opentok, now)).finish();
  await appendFile(path.join(folder, 'about.json'), 'x');
  assert.equal(await readAbout(folder), null);
});

test('cipher text counts as waiting until it is on the disk', async () => {
  const file = await ArchiveFile.create(path.join(root, 'waiting'), opentok, now);
  file.append(Buffer.alloc(1_000_000));
  assert.ok(file.writes.waiting > 1_000_000);
  await file.writes.settled();
  assert.equal(file.writes.waiting, 0);
  await file.finish();
});

test('all that is there is found, also what a crash kept from being removed to its end', async () => {
  const archives = path.join(root, 'archives');
  assert.deepEqual(await storedIn(archives), []);
  for (const name of ['first', 'second', 'third']) {
    const file = await ArchiveFile.create(path.join(archives, name), opentok, now);
    await file.finish();
  }
  // The crash came after the folder had its other name; a second one of that name was begun since.
  for (const name of ['second', 'third']) {
    await rename(path.join(archives, name), path.join(archives, `${name}.removed`));
  }
  await (await ArchiveFile.create(path.join(archives, 'third'), opentok, now)).finish();
  assert.deepEqual((await storedIn(archives)).sort(), ['first', 'second', 'third']);
  await removeStored(path.join(archives, 'second'));
  assert.deepEqual((await storedIn(archives)).sort(), ['first', 'third']);
});
