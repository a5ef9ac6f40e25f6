/** Individual recordings that are sealed to certificates: real recorders and files, which only the owners' keys open. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, type KeyObject } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { limits } from '@cloister/protocol';
import { decodeRecording } from './compose/codec-fixtures.ts';
import { openAnyArchive } from './open.ts';
import { order, watch, sealed as withProjectKey } from './recordings-fixtures.ts';
import { drain, inParts, isRefusal, makeOwner } from './seal/archive-fixtures.ts';
import { restoreHead } from './separate/matroska-head.ts';
import {
  assertPublished,
  blue,
  children,
  clearWords,
  IndividualRig,
  type OpenTokManifest,
  red,
} from './store/individual-fixtures.ts';

let rig: IndividualRig;
before(async () => {
  rig = new IndividualRig(await mkdtemp(path.join(tmpdir(), 'cloister-individual-sealed-')));
});
after(() => rm(rig.dataDir, { recursive: true, force: true }));

const owners = [makeOwner(), makeOwner(3072)] as const;
const more = { recipients: owners.map(({ pem }) => pem) };
const streams = { 'camera-1': red, 'camera-2': blue };
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('base64');

interface Opened {
  readonly files: ReadonlyMap<string, Buffer>;
  /** Of the files that are cut. */
  readonly cut: readonly string[];
  readonly manifest: OpenTokManifest;
}

/** Everything in a ZIP, as a private key opens it. */
async function opened(zip: Buffer, privateKey: KeyObject): Promise<Opened> {
  const archive = await openAnyArchive(inParts(zip, 5000), { privateKey });
  assert.ok('entries' in archive);
  const files = new Map<string, Buffer>();
  const cut: string[] = [];
  for await (const { name, clear } of archive.entries) {
    const { bytes, error } = await drain(clear);
    if (error) {
      isRefusal(error, 'ArchiveCut');
      cut.push(name);
    }
    files.set(name, bytes);
  }
  const [manifest] = [...files].filter(([name]) => name.endsWith('.json')).map(([, bytes]) => bytes.toString());
  return { files, cut, manifest: JSON.parse(manifest ?? 'null') };
}

/** A file as the command leaves it. */
async function restored(clear: Buffer): Promise<{ file: string; bytes: Buffer }> {
  const file = path.join(rig.dataDir, 'restored.webm');
  writeFileSync(file, clear);
  const handle = await open(file, 'r+');
  await restoreHead(handle);
  await handle.close();
  return { file, bytes: readFileSync(file) };
}

const id = '00000000-0000-4000-8000-000000000001';

test('a ZIP of sealed files and a sealed manifest, which each of the keys opens; no key of it is with the server', async () => {
  const { recording, watched, played } = await rig.recorded(id, streams, { more });
  await played();
  recording.stop();
  const { result, why } = await watched.over;
  assert.equal(why, null);
  rig.assertSealed(id);
  const { zip, names, member } = await rig.takenApart(id);
  assert.deepEqual([result?.sizeBytes, result?.sha256, result?.password], [zip.length, sha256(zip), '']);
  for (const word of clearWords.filter((each) => each !== 'webm' && each !== 'camera-'))
    assert.equal(zip.includes(word), false, word);
  const sealedNames = ['camera-1.webm.cloister', 'camera-2.webm.cloister'];
  assert.deepEqual([names[0], ...names.slice(1).sort()], [`${id}.json.cloister`, ...sealedNames]);
  for (const name of names) assert.equal(member(name).toString('latin1', 0, 8), 'CLOISEAL', name);
  const found = await Promise.all(owners.map(({ privateKey }) => opened(zip, privateKey)));
  assert.deepEqual(found[0], found[1]);
  const { files, cut, manifest } = found[0] as Opened;
  assert.deepEqual(cut, []);
  assert.deepEqual([manifest.id, manifest.name, manifest.partnerId], [id, 'the name of a visit', 1]);
  for (const { filename, size, sealedSize, sealedSha256, streamId, connectionData } of manifest.files) {
    assert.deepEqual([filename, connectionData], [`${streamId}.webm`, `name=${streamId}`]);
    const entry = member(`${filename}.cloister`);
    assert.deepEqual([sealedSize, sealedSha256], [entry.length, createHash('sha256').update(entry).digest('hex')]);
    const clear = files.get(filename) as Buffer;
    const { bytes } = await restored(clear);
    assert.equal(bytes.length, size);
    for (const file of [clear, bytes])
      assertPublished(await decodeRecording(file), streams[streamId as keyof typeof streams]);
  }
  // What the project's key sealed of it is the index alone.
  assert.deepEqual(
    [
      ...new Set(
        [...withProjectKey.keys()].filter((context) => context.includes(id)).map((each) => each.split(' ')[2]),
      ),
    ],
    ['index'],
  );
});

test('a player is told how long a file is, once its last head is in front', async () => {
  const { zip } = await rig.takenApart(id);
  const { files } = await opened(zip, owners[0].privateKey);
  const { file } = await restored(files.get('camera-1.webm') as Buffer);
  const { stdout } = spawnSync('ffprobe', ['-v', 'error', '-show_format', '-of', 'json', file]);
  const { format } = JSON.parse(stdout.toString());
  assert.ok(Math.abs(Number(format.duration) - 1.5) < 0.2, format.duration);
});

test('any range of it, as it is stored', async () => {
  const { bytes: zip } = await rig.read(id);
  const second = zip.indexOf('camera-2.webm.cloister');
  for (const [start, end] of [
    [0, 0],
    [zip.length - 1, zip.length - 1],
    [10, 2900],
    [second - 300, second + 5000],
    [zip.length - 3000, zip.length + 500],
  ] as const) {
    const part = await rig.read(id, { start, end });
    assert.deepEqual(part.bytes, zip.subarray(start, end + 1), `${start} to ${end}`);
  }
});

test('another key opens nothing of it', async () => {
  const { bytes: zip } = await rig.read(id);
  const { entries } = (await openAnyArchive(inParts(zip, 5000), { privateKey: makeOwner().privateKey })) as {
    entries: AsyncIterable<unknown>;
  };
  await assert.rejects(
    async () => {
      for await (const _ of entries) assert.fail('a file was opened');
    },
    (error) => isRefusal(error, 'ArchiveKeyWrong'),
  );
});

test('what has its end is not sealed anew: its digest stays', async () => {
  const before = sha256((await rig.read(id)).bytes);
  assert.equal((await rig.recordings().recover(id))?.sha256, before);
});

test('every file and every archive has cipher text of its own, under a key and a salt of its own', async () => {
  const other = '00000000-0000-4000-8000-000000000002';
  const { recording, watched, played } = await rig.recorded(other, streams, { more });
  await played();
  recording.stop();
  await watched.over;
  const wrapped = new Set<string>();
  const salts = new Set<string>();
  let files = 0;
  for (const archive of [id, other]) {
    const { names, member } = await rig.takenApart(archive);
    for (const bytes of names.map(member)) {
      const header = JSON.parse(bytes.toString('utf8', 14, 14 + bytes.readUInt32BE(10)));
      assert.equal(header.recipients.length, 2);
      wrapped.add(header.ciphertext);
      const stream = 14 + bytes.readUInt32BE(10);
      salts.add(bytes.toString('hex', stream, stream + 40));
      files += 1;
    }
  }
  // The content key of its files and that of its manifest, for each archive.
  assert.deepEqual([files, salts.size, wrapped.size], [6, 6, 4]);
});

test('nobody came: the ZIP has a sealed manifest without files', async () => {
  const nobody = '00000000-0000-4000-8000-000000000003';
  const watched = watch();
  (await rig.recordings().start(order(nobody, { outputMode: 'individual', ...more }), watched)).stop();
  assert.equal((await watched.over).why, null);
  const { zip, names } = await rig.takenApart(nobody);
  assert.deepEqual(names, [`${nobody}.json.cloister`]);
  assert.deepEqual((await opened(zip, owners[1].privateKey)).manifest.files, []);
});

/** Four seconds of sound and more: the first chunk, behind a header for two certificates. */
const someBytes = limits.archiveFileChunkBytes + 4096;

async function assertOpensUpToThere(zip: Buffer, durationMs: number | undefined): Promise<void> {
  for (const { privateKey } of owners) {
    const { files, cut, manifest } = await opened(zip, privateKey);
    assert.deepEqual([...cut].sort(), ['camera-1.webm', 'camera-2.webm']);
    for (const { filename, size, stopTimeOffset } of manifest.files) {
      const bytes = files.get(filename) as Buffer;
      assert.deepEqual([bytes.length, stopTimeOffset], [size, durationMs]);
      const { pictures } = await decodeRecording(bytes);
      assert.ok(pictures.length > 15, `${pictures.length} pictures of ${filename}`);
    }
  }
}

test('a recorder that is killed leaves a failed archive whose files open up to there, and whose manifest is whole', async () => {
  const killed = '00000000-0000-4000-8000-000000000004';
  const { watched } = await rig.recorded(killed, streams, { ms: 12_000, more });
  const [recorder, ...others] = children();
  assert.ok(recorder && others.length === 0);
  await rig.untilSealed(killed, 2, someBytes);
  process.kill(recorder, 'SIGKILL');
  const { why, result } = await watched.over;
  assert.equal(why, 'the recorder failed');
  rig.assertSealed(killed);
  const { zip } = await rig.takenApart(killed);
  assert.deepEqual([result?.sizeBytes, result?.sha256], [zip.length, sha256(zip)]);
  await assertOpensUpToThere(zip, result?.durationMs);
});

test('what a server that died left behind is brought to an end, once', async () => {
  const died = '00000000-0000-4000-8000-000000000005';
  const { recording, watched } = await rig.recorded(died, streams, { ms: 12_000, more });
  await rig.untilSealed(died, 2, someBytes);
  // As the next server finds it: what was on the disk at that moment.
  const next = new IndividualRig(path.join(rig.dataDir, 'next'));
  mkdirSync(next.dataDir);
  cpSync(rig.stored(died), next.stored(died), { recursive: true });
  recording.stop();
  await watched.over;
  const found = await next.recordings().recover(died);
  next.assertSealed(died);
  const { zip } = await next.takenApart(died);
  assert.deepEqual([found?.sizeBytes, found?.sha256, found?.password], [zip.length, sha256(zip), '']);
  await assertOpensUpToThere(zip, found?.durationMs);
  assert.deepEqual((await next.recordings().recover(died))?.sha256, found?.sha256);
});

test('a spool that was cut before its first chunk is whole is left out', async () => {
  const early = '00000000-0000-4000-8000-000000000006';
  const { recording, watched } = await rig.recorded(early, streams, { ms: 12_000, more });
  await rig.untilSealed(early, 2, someBytes);
  const next = new IndividualRig(path.join(rig.dataDir, 'early'));
  mkdirSync(next.dataDir);
  cpSync(rig.stored(early), next.stored(early), { recursive: true });
  recording.stop();
  await watched.over;
  truncateSync(path.join(next.stored(early), 'stream-0'), 4000);
  truncateSync(path.join(next.stored(early), 'stream-1'), 3);
  assert.equal(await next.recordings().recover(early), null);
  assert.deepEqual((await next.takenApart(early)).names, [`${early}.json.cloister`]);
});

test('a spool that was shortened later does not open; without a manifest each file speaks for itself', async () => {
  const spool = path.join(rig.stored(id), 'stream-0');
  const bytes = readFileSync(spool);
  truncateSync(spool, bytes.length - 100);
  await assert.rejects(rig.read(id), { code: 'ArchiveCut' });
  writeFileSync(spool, bytes);
  assert.ok(readdirSync(rig.stored(id)).includes('manifest'));
  rmSync(path.join(rig.stored(id), 'manifest'));
  const { bytes: zip } = await rig.read(id);
  const { files, manifest } = await opened(zip, owners[0].privateKey);
  assert.equal(manifest, null);
  assert.deepEqual([...files.keys()].sort(), ['camera-1.webm', 'camera-2.webm']);
});
