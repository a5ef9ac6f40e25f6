/** Recordings as the rules use them: real recorders and real files, streams from the fixtures instead of a room. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync, truncateSync } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { systemClock } from '../lib/index.ts';
import { decodeRecording } from './compose/codec-fixtures.ts';
import { LiveRecording } from './live-recording.ts';
import { openArchive } from './open.ts';
import { type SandboxPolicy, SandboxTrial } from './record/sandbox.ts';
import { openRecordings } from './recordings.ts';
import { FixtureTap, keys, order, readFrom, recordingsIn, sealed, stream, watch } from './recordings-fixtures.ts';
import { drain, makeOwner } from './seal/archive-fixtures.ts';
import { ArchiveFile } from './store/archive-file.ts';
import { keepComposed } from './store/keeping.ts';

let dataDir: string;
before(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'cloister-recordings-'));
});
after(() => rm(dataDir, { recursive: true, force: true }));

const now = () => performance.now();
const recordings = () => recordingsIn(dataDir);

const read = (archiveId: string, range?: { start: number; end: number }) => readFrom(recordings(), archiveId, range);

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('base64');
const stored = (archiveId: string) => path.join(dataDir, 'archives', archiveId);

test('sealed with the project: a download is the clear file, in parts as well; on the disk there is none of it', async () => {
  const id = '00000000-0000-4000-8000-000000000001';
  const watched = watch();
  const recording = await recordings().start(order(id), watched);
  const tap = new FixtureTap();
  recording.add(stream, tap);
  await watched.begun;
  await tap.played.promise;
  recording.stop();
  const { result, why } = await watched.over;
  assert.equal(why, null);
  assert.ok(result && result.durationMs > 1000 && tap.closed);
  assert.ok(Number.isInteger(result.durationMs), `${result.durationMs}: a fraction cannot be stored`);
  const { bytes, size } = await read(id);
  assert.equal(bytes.toString('latin1', 4, 8), 'ftyp');
  assert.deepEqual([bytes.length, size, sha256(bytes)], [result.sizeBytes, result.sizeBytes, result.sha256]);
  const part = await read(id, { start: 100, end: 1099 });
  assert.deepEqual(part.bytes, bytes.subarray(100, 1100));
  for (const name of readdirSync(stored(id))) {
    assert.equal(readFileSync(path.join(stored(id), name)).includes('moof'), false, name);
  }
  await recordings().remove(id);
  assert.equal(existsSync(stored(id)), false);
  await assert.rejects(recordings().open(id), { code: 'ArchiveNotFound' });
});

test('sealed to a certificate: a download is what is stored, and only the private key opens it', async () => {
  const id = '00000000-0000-4000-8000-000000000002';
  const owner = makeOwner();
  const watched = watch();
  const recording = await recordings().start(order(id, { certificate: owner.pem }), watched);
  const tap = new FixtureTap();
  recording.add(stream, tap);
  await tap.played.promise;
  recording.stop();
  const { result } = await watched.over;
  assert.ok(result);
  const { bytes } = await read(id);
  assert.deepEqual([bytes.length, sha256(bytes)], [result.sizeBytes, result.sha256]);
  const { clear } = await openArchive(recordingBytes(bytes), {
    privateKey: owner.privateKey,
    password: result.password,
  });
  const first = await clear.next();
  assert.equal((first.value as Uint8Array)[0], 0x47);
});

test('sealed in our own format: each private key opens it, and nobody else has what it is sealed with', async () => {
  const id = '00000000-0000-4000-8000-000000000007';
  const owners = [makeOwner(), makeOwner(3072)];
  const watched = watch();
  const recipients = owners.map(({ pem }) => pem);
  const recording = await recordings().start(order(id, { recipients }), watched);
  const tap = new FixtureTap();
  recording.add(stream, tap);
  await tap.played.promise;
  recording.stop();
  const { result } = await watched.over;
  assert.ok(result);
  const { bytes, size } = await read(id);
  assert.deepEqual([size, sha256(bytes), ''], [result.sizeBytes, result.sha256, result.password]);
  assert.deepEqual((await read(id, { start: 0, end: 7 })).bytes.toString(), 'CLOISEAL');
  const clear: Buffer[] = [];
  for (const { privateKey } of owners) {
    const opened = await openArchive(recordingBytes(bytes), { privateKey });
    assert.equal(opened.format, 'cloister');
    const { bytes: whole, error } = await drain(opened.clear);
    assert.equal(error, null);
    clear.push(whole);
  }
  assert.deepEqual(clear[0], clear[1]);
  assert.ok(clear[0]!.length > 0 && clear[0]!.length % 188 === 0 && clear[0]![0] === 0x47);
  assert.deepEqual(
    [...sealed.keys()].filter((context) => context.includes(id)),
    [],
  );
});

async function* recordingBytes(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

test('what is settled while it is recorded is there in the end as it was, in either format', async () => {
  const [one, two] = ['00000000-0000-4000-8000-000000000009', '00000000-0000-4000-8000-000000000010'];
  for (const [id, certificate] of [
    [one, null],
    [two, makeOwner().pem],
  ] as const) {
    const watched = watch();
    const running = recordings();
    const recording = await running.start(order(id, { certificate }), watched);
    const tap = new FixtureTap();
    recording.add(stream, tap);
    await tap.played.promise;
    const seen = await running.settled(id);
    const early = seen > 0 ? (await read(id, { start: 0, end: seen - 1 })).bytes : Buffer.alloc(0);
    recording.stop();
    const { result } = await watched.over;
    const { bytes } = await read(id);
    assert.deepEqual(early, bytes.subarray(0, seen));
    assert.ok(seen <= bytes.length, `${seen} of ${bytes.length}`);
    assert.equal(await running.settled(id), result?.sizeBytes);
  }
});

test('what had come to its own end is found whole by the next run, in each format, and what was shortened since is not', async () => {
  const owner = makeOwner();
  for (const [id, sealing] of [
    ['00000000-0000-4000-8000-000000000011', {}],
    ['00000000-0000-4000-8000-000000000012', { certificate: owner.pem }],
    ['00000000-0000-4000-8000-000000000013', { recipients: [owner.pem] }],
    ['00000000-0000-4000-8000-000000000014', { outputMode: 'individual' }],
  ] as const) {
    const watched = watch();
    const recording = await recordings().start(order(id, sealing), watched);
    const tap = new FixtureTap();
    recording.add(stream, tap);
    await tap.played.promise;
    recording.stop();
    const { result } = await watched.over;
    assert.ok(result && result.durationMs > 1000);
    assert.deepEqual(await recordings().recover(id), { ...result, whole: true });
    const file = path.join(stored(id), 'outputMode' in sealing ? 'stream-0' : 'archive');
    truncateSync(file, statSync(file).size - 1);
    assert.notEqual((await recordings().recover(id))?.whole, true, id);
  }
});

test('a stream that is chosen without its sound is recorded without it', async () => {
  const loudest = async (id: string, hasAudio: boolean) => {
    const watched = watch();
    const recording = await recordings().start(order(id), watched);
    const tap = new FixtureTap();
    recording.add({ ...stream, hasAudio }, tap);
    await tap.played.promise;
    recording.stop();
    assert.equal((await watched.over).why, null);
    const { sound, soundEndMs } = await decodeRecording((await read(id)).bytes);
    return sound(0, soundEndMs).reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  };
  assert.ok((await loudest('00000000-0000-4000-8000-000000000005', true)) > 0.1);
  assert.ok((await loudest('00000000-0000-4000-8000-000000000006', false)) < 0.001);
});

test('nobody came: what is stored ends and opens', async () => {
  const id = '00000000-0000-4000-8000-000000000003';
  const watched = watch();
  const recording = await recordings().start(order(id), watched);
  recording.stop();
  const { why, result } = await watched.over;
  assert.equal(why, null);
  assert.equal(result?.durationMs, 0);
});

test('where a sandbox is required and there is none, nothing is begun and nothing is left', async () => {
  const id = '00000000-0000-4000-8000-000000000021';
  const bare = (policy: SandboxPolicy) => new SandboxTrial(policy, { record() {} }, async () => 'no namespaces');
  const refused = recordingsIn(dataDir, bare('require')).start(order(id), watch());
  await assert.rejects(refused, { code: 'SandboxMissing' });
  assert.equal(existsSync(stored(id)), false);
  const watched = watch();
  const recording = await recordingsIn(dataDir, bare('prefer')).start(order(id), watched);
  assert.equal(recording.sandbox, 'none');
  recording.stop();
  assert.equal((await watched.over).why, null);
});

test('where the disk is full at the very end, what was recorded is kept, and opens', async () => {
  const id = '00000000-0000-4000-8000-000000000022';
  const owner = makeOwner();
  let full = false;
  const file = await ArchiveFile.create(stored(id), { projectId: '1', format: 'opentok' }, now, async (name) => {
    const handle = await open(name, 'wx');
    const { datasync } = handle;
    handle.datasync = async () => {
      if (full) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
      await datasync.call(handle);
    };
    return handle;
  });
  const lines: string[] = [];
  const watched = watch();
  const kept = keepComposed(file, null, async () => null);
  const recording = new LiveRecording({
    order: order(id, { certificate: owner.pem }),
    seal: { format: 'opentok', certificate: owner.pem },
    keeping: {
      ...kept,
      finish: (clear) => {
        full = true;
        return kept.finish(clear);
      },
    },
    sandbox: 'bubblewrap',
    observer: watched,
    noteEnd: async () => {},
    clock: systemClock,
    monotonic: now,
    journal: { record: (_level, _message, fields = {}) => void lines.push(fields.error ?? '') },
  });
  const tap = new FixtureTap();
  recording.add(stream, tap);
  await tap.played.promise;
  recording.stop();
  const { why, result } = await watched.over;
  assert.equal(why, 'the disk of the server is full');
  assert.ok(lines.includes('ENOSPC'), 'the log has the cause');
  const { bytes } = await read(id);
  assert.deepEqual([bytes.length, sha256(bytes)], [result?.sizeBytes, result?.sha256]);
  const { privateKey } = owner;
  const { clear } = await openArchive(recordingBytes(bytes), { privateKey, password: result?.password });
  const { bytes: opened, error } = await drain(clear);
  assert.equal(error, null);
  assert.ok(opened.length > 10_000 && opened[0] === 0x47);
});

test('a start that fails on its way leaves no folder, and never touches one that is there', async () => {
  const id = '00000000-0000-4000-8000-000000000023';
  const seal: typeof keys.seal = (project, context, clear) => {
    if (context.endsWith('index')) throw new Error('the key is gone');
    return keys.seal(project, context, clear);
  };
  const failing = openRecordings({
    dataDir,
    clock: systemClock,
    monotonic: now,
    keys: { ...keys, seal },
    journal: { record() {} },
    sandbox: new SandboxTrial('require', { record() {} }),
  });
  const individual = order(id, { outputMode: 'individual' });
  await assert.rejects(failing.start(individual, watch()), /the key is gone/);
  assert.equal(existsSync(stored(id)), false);
  const watched = watch();
  const recording = await recordings().start(individual, watched);
  await assert.rejects(recordings().start(individual, watch()), { code: 'EEXIST' });
  assert.ok(existsSync(path.join(stored(id), 'index.json')));
  recording.stop();
  await watched.over;
});

test('a download that ends before its first byte, or after it, leaves no file open and no key in use', async () => {
  const own = '00000000-0000-4000-8000-000000000024';
  const toCertificate = '00000000-0000-4000-8000-000000000025';
  const openFiles = () =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).startsWith(path.join(dataDir, 'archives'));
      } catch {
        return false;
      }
    });
  for (const [id, certificate] of [
    [own, null],
    [toCertificate, makeOwner().pem],
  ] as const) {
    const watched = watch();
    const recording = await recordings().start(order(id, { certificate }), watched);
    const tap = new FixtureTap();
    recording.add(stream, tap);
    await tap.played.promise;
    recording.stop();
    await watched.over;
    assert.deepEqual(openFiles(), []);
    // Nobody reads, somebody gives up at once, somebody after the first bytes.
    await recordings().open(id);
    assert.deepEqual(openFiles(), []);
    const given = (await recordings().open(id)).stream[Symbol.asyncIterator]();
    await given.return?.();
    assert.deepEqual(openFiles(), []);
    const broken = (await recordings().open(id)).stream[Symbol.asyncIterator]();
    assert.ok((await broken.next()).value.length > 0);
    assert.equal(openFiles().length, 1);
    await broken.return?.();
    assert.deepEqual(openFiles(), []);
  }
});

test('an id that is none leads nowhere, a stylesheet is checked', async () => {
  for (const wrong of ['../database', randomBytes(16).toString('hex'), '']) {
    await assert.rejects(recordings().open(wrong), { code: 'ArchiveNotFound' });
  }
  assert.throws(() => recordings().checkStylesheet('stream { colour: red'), { code: /^Stylesheet/ });
});
