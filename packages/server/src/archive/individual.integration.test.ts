/** Individual recordings: real recorders and real files, taken apart by `unzip` and decoded. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { limits } from '@cloister/protocol';
import { decodeRecording } from './compose/codec-fixtures.ts';
import { FixtureTap, order, stream, watch } from './recordings-fixtures.ts';
import { makeOwner } from './seal/archive-fixtures.ts';
import {
  assertPublished,
  blue,
  children,
  IndividualRig,
  type OpenTokManifest,
  red,
  type TakenApart,
} from './store/individual-fixtures.ts';

let rig: IndividualRig;
before(async () => {
  rig = new IndividualRig(await mkdtemp(path.join(tmpdir(), 'cloister-individual-')));
});
after(() => rm(rig.dataDir, { recursive: true, force: true }));

const individual = (archiveId: string) => order(archiveId, { outputMode: 'individual' });

/** The same, with the manifest read. */
async function unzipped(archiveId: string): Promise<TakenApart & { manifest: OpenTokManifest }> {
  const apart = await rig.takenApart(archiveId);
  return { ...apart, manifest: JSON.parse(apart.member(`${archiveId}.json`).toString()) };
}

test('a ZIP with a file for each stream and its manifest; any range of it; on the disk cipher text alone', async () => {
  const id = '00000000-0000-4000-8000-000000000001';
  const streams = { 'camera-1': red, 'camera-2': blue };
  const { recording, watched, played } = await rig.recorded(id, streams);
  await played();
  recording.stop();
  const { result, why } = await watched.over;
  assert.equal(why, null);
  rig.assertSealed(id);
  const { zip, names, manifest, member } = await unzipped(id);
  assert.ok(result && Number.isInteger(result.durationMs) && result.durationMs > 1000);
  const digest = createHash('sha256').update(zip).digest('base64');
  assert.deepEqual([result.sizeBytes, result.sha256, result.password], [zip.length, digest, '']);
  assert.deepEqual([...names].sort(), [`${id}.json`, 'camera-1.webm', 'camera-2.webm'].sort());
  assert.deepEqual(
    [manifest.id, manifest.name, manifest.partnerId, manifest.sessionId],
    [id, 'the name of a visit', 1, 'session'],
  );
  assert.ok(Math.abs(manifest.createdAt - Date.now()) < 60_000);
  for (const { filename, size, startTimeOffset, stopTimeOffset, ...file } of manifest.files) {
    const bytes = member(filename);
    assert.equal(bytes.length, size);
    const { streamId } = file;
    assert.deepEqual(file, { streamId, videoType: 'camera', connectionData: `name=${streamId}` });
    assert.equal(filename, `${streamId}.webm`);
    assert.ok(startTimeOffset >= 0 && (stopTimeOffset as number) - startTimeOffset > 1000);
    assert.ok((stopTimeOffset as number) <= result.durationMs + 50);
    assertPublished(await decodeRecording(bytes), streams[streamId as keyof typeof streams]);
  }
  // Across heads, members and the directory: the last head of a file stands at its end on the disk, and here in front.
  const ranges = [
    [0, 0],
    [zip.length - 1, zip.length - 1],
    [0, zip.length - 1],
    [10, 900],
    [zip.indexOf('camera-2.webm') - 300, zip.indexOf('camera-2.webm') + 5000],
    [zip.length - 3000, zip.length + 500],
  ] as const;
  for (const [start, end] of ranges) {
    const part = await rig.read(id, { start, end });
    assert.deepEqual(part.bytes, zip.subarray(start, end + 1), `${start} to ${end}`);
    assert.equal(part.size, zip.length);
  }
});

test('a player is told how long a file is, and where it may begin', async () => {
  const { member } = await unzipped('00000000-0000-4000-8000-000000000001');
  const file = path.join(rig.dataDir, 'one.webm');
  writeFileSync(file, member('camera-1.webm'));
  const { stdout } = spawnSync('ffprobe', ['-v', 'error', '-show_format', '-of', 'json', file]);
  const { format } = JSON.parse(stdout.toString());
  assert.ok(Math.abs(Number(format.duration) - 1.5) < 0.2, format.duration);
  // Cues: Matroska's index.
  assert.ok(readFileSync(file).includes(Buffer.from([0x1c, 0x53, 0xbb, 0x6b])));
});

test('a stream that comes back has a second file', async () => {
  const id = '00000000-0000-4000-8000-000000000002';
  const { recording, watched, played } = await rig.recorded(id, { camera: red }, { ms: 500 });
  await played();
  recording.remove('camera');
  const again = new FixtureTap('camera', blue, 500);
  recording.add(stream, again);
  await again.played.promise;
  recording.stop();
  assert.equal((await watched.over).why, null);
  const { manifest } = await unzipped(id);
  assert.deepEqual(
    manifest.files.map(({ filename, streamId }) => [filename, streamId]),
    [
      ['camera.webm', 'camera'],
      ['camera-1.webm', 'camera'],
    ],
  );
  const [first, second] = manifest.files;
  assert.ok((first?.stopTimeOffset as number) <= (second?.startTimeOffset as number) + 100);
});

test('nobody came: the ZIP has a manifest without files', async () => {
  const id = '00000000-0000-4000-8000-000000000003';
  const watched = watch();
  (await rig.recordings().start(individual(id), watched)).stop();
  const { why, result } = await watched.over;
  assert.deepEqual([why, result?.durationMs], [null, 0]);
  const { names, manifest } = await unzipped(id);
  assert.deepEqual([names, manifest.files], [[`${id}.json`], []]);
  assert.deepEqual(await rig.recordings().recover(id), { ...result, whole: true });
  // As one that was cut before anything of it was sealed.
  writeFileSync(path.join(rig.stored(id), 'about.json'), JSON.stringify({ projectId: '1', format: 'individual' }));
  assert.equal(await rig.recordings().recover(id), null);
});

test('sound alone: no picture is handed over, and none is in the files', async () => {
  const id = '00000000-0000-4000-8000-000000000007';
  const watched = watch();
  const recording = await rig.recordings().start({ ...individual(id), hasVideo: false }, watched);
  const tap = new FixtureTap('camera', red, 500);
  recording.add({ ...stream, hasVideo: false }, tap);
  assert.equal(tap.shown, null);
  await tap.played.promise;
  recording.stop();
  assert.equal((await watched.over).why, null);
  assert.deepEqual((await decodeRecording((await unzipped(id)).member('camera.webm'))).tracks, ['opus 48000']);
});

/** Four seconds of sound and more: the first chunk. */
const someBytes = limits.archiveFileChunkBytes;

test('a recorder that is killed leaves a failed archive whose files open up to there', async () => {
  const id = '00000000-0000-4000-8000-000000000004';
  const { watched } = await rig.recorded(id, { 'camera-1': red, 'camera-2': blue }, { ms: 12_000 });
  const [recorder, ...others] = children();
  assert.ok(recorder && others.length === 0);
  await rig.untilSealed(id, 2, someBytes);
  process.kill(recorder, 'SIGKILL');
  const { why, result } = await watched.over;
  assert.equal(why, 'the recorder failed');
  rig.assertSealed(id);
  const { zip, manifest, member } = await unzipped(id);
  assert.deepEqual(
    [result?.sizeBytes, result?.sha256],
    [zip.length, createHash('sha256').update(zip).digest('base64')],
  );
  assert.equal(manifest.files.length, 2);
  for (const { filename, size, stopTimeOffset } of manifest.files) {
    assert.equal(stopTimeOffset, result?.durationMs, 'as much as is known of a file that has no end');
    const bytes = member(filename);
    assert.equal(bytes.length, size);
    const { pictures } = await decodeRecording(bytes);
    assert.ok(pictures.length > 15, `${pictures.length} pictures of ${filename}`);
  }
});

/** While `look` looks, a file is as a power cut may leave it: as long as it was, with nothing in it from a place on. */
async function withoutItsEnd<Result>(file: string, from: number, look: () => Promise<Result>): Promise<Result> {
  const bytes = readFileSync(file).subarray(from);
  const write = (content: Buffer) => {
    const descriptor = openSync(file, 'r+');
    writeSync(descriptor, content, 0, content.length, from);
    closeSync(descriptor);
  };
  write(Buffer.alloc(bytes.length));
  try {
    return await look();
  } finally {
    write(bytes);
  }
}

test('what is there opens while it is recorded: a server that dies leaves nothing behind that needs it', async () => {
  const id = '00000000-0000-4000-8000-000000000005';
  const { recording, watched } = await rig.recorded(id, { camera: blue }, { ms: 12_000 });
  await rig.untilSealed(id, 1, someBytes);
  // As another server finds it: this one is still writing.
  const { manifest, member } = await unzipped(id);
  assert.equal(manifest.files.length, 1);
  const { pictures } = await decodeRecording(member('camera.webm'));
  assert.ok(pictures.length > 15, `${pictures.length} pictures`);
  await rig.untilSealed(id, 1, 3 * someBytes);
  const cut = await withoutItsEnd(path.join(rig.stored(id), 'stream-0'), 2 * someBytes, async () => {
    const { member } = await unzipped(id);
    return (await decodeRecording(member('camera.webm'))).pictures;
  });
  assert.ok(cut.length > 15, `${cut.length} pictures are left after a power cut`);
  recording.stop();
  const { result } = await watched.over;
  const found = await rig.recordings().recover(id);
  assert.deepEqual(
    [found?.sizeBytes, found?.sha256],
    [result?.sizeBytes, result?.sha256],
    'what has its end is not touched',
  );
});

test('a spool that was shortened, or lies in the place of another, does not open', async () => {
  const id = '00000000-0000-4000-8000-000000000001';
  const [first, second] = ['stream-0', 'stream-1'].map((name) => path.join(rig.stored(id), name)) as [string, string];
  const whole = readFileSync(first);
  truncateSync(first, whole.length - 100);
  await assert.rejects(rig.read(id), { code: 'ArchiveCut' });
  writeFileSync(first, whole);
  renameSync(first, `${first}.kept`);
  renameSync(second, first);
  renameSync(`${first}.kept`, second);
  await assert.rejects(rig.read(id), { code: 'ArchiveChanged' });
  renameSync(first, `${first}.kept`);
  renameSync(second, first);
  renameSync(`${first}.kept`, second);
  assert.equal((await rig.read(id)).bytes.length, (await rig.read(id)).size);
});

test('with a certificate it is refused, and nothing is written', async () => {
  const id = '00000000-0000-4000-8000-000000000006';
  const wish = { ...individual(id), certificate: makeOwner().pem };
  await assert.rejects(rig.recordings().start(wish, watch()), { code: 'CertificateNeedsComposed' });
  assert.throws(() => readdirSync(rig.stored(id)));
});
