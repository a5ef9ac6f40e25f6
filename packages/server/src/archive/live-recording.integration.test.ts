/** One recording between its streams, its recorder and its disk: what each of them does wrong, and what becomes of it. */
import assert from 'node:assert/strict';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as passed } from 'node:timers/promises';
import { limits, PlatformError } from '@cloister/protocol';
import type { RecordedStream, RecordingOrder, TapSink } from '../core/index.ts';
import { type Clock, systemClock } from '../lib/index.ts';
import { LiveRecording } from './live-recording.ts';
import { listening, Programs } from './record/lying-fixtures.ts';
import type { Seal } from './record/messages.ts';
import { FixtureTap, order, stream, watch } from './recordings-fixtures.ts';
import { ArchiveFile } from './store/archive-file.ts';
import { type Keeping, keepComposed } from './store/keeping.ts';
import { OpenedDigest } from './store/opened-digest.ts';

const programs = new Programs();
let folder: string;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'cloister-live-'));
});
after(async () => {
  programs.remove();
  await rm(folder, { recursive: true });
});

const contentKey = Buffer.alloc(32, 7);
const seal: Seal = { format: 'cloister', contentKey: contentKey.toString('base64'), header: { test: true } };
const unwrap = async () => Buffer.from(contentKey);

/** What takes all, and writes nothing. */
function nowhere(): Keeping & { readonly given: { bytes: number } } {
  const given = { bytes: 0 };
  const cipherText = (bytes: Buffer) => {
    given.bytes += bytes.length;
  };
  return {
    given,
    told: { cipherText, sealed: () => {} },
    writes: { failure: null, waiting: 0, settled: async () => {}, giveUp: () => {} },
    settled: 0,
    describe: () => {},
    keyWrapped: () => {},
    began: () => {},
    finish: async () => ({ sizeBytes: 1, sha256: '' }),
    abandon: async () => null,
  };
}

const now = () => performance.now();

interface Line {
  readonly message: string;
  readonly [field: string]: unknown;
}

function live(parts: { program?: string; keeping?: Keeping; clock?: Clock; wish?: Partial<RecordingOrder> }) {
  const lines: Line[] = [];
  const watched = watch();
  const dropped: number[] = [];
  const recording = new LiveRecording({
    order: order('00000000-0000-4000-8000-000000000001', parts.wish),
    seal,
    keeping: parts.keeping ?? nowhere(),
    sandbox: 'none',
    observer: { ...watched, dropped: (packets) => void dropped.push(packets) },
    noteEnd: async () => {},
    clock: parts.clock ?? systemClock,
    monotonic: now,
    journal: { record: (_level, message, fields) => void lines.push({ message, ...fields }) },
    ...(parts.program && { program: parts.program }),
  });
  return { recording, watched, lines, dropped };
}

/** A tap that a test plays itself. */
class HeldTap {
  readonly streamId: string;
  shown: unknown;
  closed = false;
  keyFrames = 0;
  sink: TapSink | null = null;
  refuse: Error | null = null;

  constructor(streamId = 'camera') {
    this.streamId = streamId;
  }
  async start(sink: TapSink): Promise<void> {
    if (this.refuse) throw this.refuse;
    this.sink = sink;
    const track = { ssrc: 1, fmtp: {}, headerExtensions: [], channels: null };
    sink.track('video', { ...track, mimeType: 'video/VP8', payloadType: 96, clockRate: 90_000 });
    sink.track('audio', { ...track, mimeType: 'audio/opus', payloadType: 111, clockRate: 48_000 });
  }
  show(size: unknown): void {
    this.shown = size;
  }
  requestKeyFrame(): void {
    this.keyFrames += 1;
  }
  close(): void {
    this.closed = true;
  }
}

const packet = (timestamp = 0, bytes = 1200): Buffer => {
  const made = Buffer.alloc(bytes, 0x80);
  made.writeUInt32BE(timestamp, 4);
  return made;
};

/** A clock that holds one kind of wait back until the test lets it pass. */
function holding(ms: number) {
  const held: (() => void)[] = [];
  const clock: Clock = {
    now: () => systemClock.now(),
    after(wait, task) {
      if (wait !== ms) return systemClock.after(wait, task);
      held.push(task);
      return () => void held.splice(held.indexOf(task), 1);
    },
  };
  return { clock, held };
}

/** How much is given at a time by a program that gives without an end. */
const flood = `{
  open: () => say({ type: 'opened', password: '' }),
  advance() {
    if (told.filter(({ type }) => type === 'advance').length > 1) return;
    give(Buffer.alloc(10_000_000));
    say({ type: 'keyFrame', streamId: 'camera' });
    say({ type: 'advanced' });
  },
}`;

test('past archiveWriteBytes nothing is taken from a recorder until the disk has written', async () => {
  const keeping = nowhere();
  const { promise: written, resolve } = Promise.withResolvers<void>();
  let [waiting, isWritten] = [limits.archiveWriteBytes, false];
  const writes = {
    failure: null,
    get waiting() {
      return waiting;
    },
    settled: () => written,
    giveUp: () => {},
  };
  const { recording, watched } = live({ keeping: { ...keeping, writes }, program: programs.write(flood) });
  const tap = new HeldTap();
  const { promise: asked, resolve: ask } = Promise.withResolvers<boolean>();
  tap.requestKeyFrame = () => ask(isWritten);
  keeping.told.cipherText = (bytes) => {
    keeping.given.bytes += bytes.length;
    // At the bound it is taken, past it no more.
    if (keeping.given.bytes > 5_000_000) waiting = limits.archiveWriteBytes + 1;
  };
  await recording.add(stream, tap);
  while (waiting === limits.archiveWriteBytes) await passed(5);
  await passed(200);
  assert.ok(keeping.given.bytes < 7_000_000, `${keeping.given.bytes} bytes were taken`);
  [waiting, isWritten] = [0, true];
  resolve();
  assert.equal(await asked, true);
  assert.equal(keeping.given.bytes, 10_000_000);
  recording.stop();
  void watched;
});

test('a disk that has not written it within archiveWriteSeconds is too slow: that recording fails, and says so', async () => {
  const { clock, held } = holding(limits.archiveWriteSeconds * 1000);
  let gaveUp: unknown = null;
  const writes = {
    failure: null,
    waiting: limits.archiveWriteBytes + 1,
    settled: () => new Promise<void>(() => {}),
    giveUp(why: unknown) {
      gaveUp = why;
    },
  };
  const { recording, watched, lines } = live({
    keeping: { ...nowhere(), writes },
    clock,
    program: programs.write(flood),
  });
  const tap = new HeldTap();
  await recording.add(stream, tap);
  // Of the two waits that are as long, the recorder has none before it is stopped.
  while (held.length === 0) await passed(5);
  held[0]?.();
  const { why } = await watched.over;
  assert.equal(why, 'the disk of the server is too slow');
  assert.ok(gaveUp instanceof Error && tap.closed);
  assert.ok(
    lines.some(({ message, error }) => message === 'a recording failed' && /archiveWriteBytes/.test(`${error}`)),
  );
});

test('a disk that is full is named in the reason and the log, and what was sealed before is kept', async () => {
  const about = { projectId: '1', format: 'cloister' } as const;
  const file = await ArchiveFile.create(path.join(folder, 'full'), about, now, async () => open('/dev/full', 'a'));
  const keeping = keepComposed(file, new OpenedDigest(unwrap), async () => null);
  const { recording, watched, lines } = live({ keeping });
  await recording.add(stream, new FixtureTap());
  const { why, result } = await watched.over;
  assert.deepEqual([why, result], ['the disk of the server is full', null]);
  const line = lines.find(({ message }) => message === 'a recording failed');
  assert.deepEqual([line?.reason, line?.error], ['the disk of the server is full', 'ENOSPC']);
});

/** Seals a megabyte, and says of it at its end what the test wants. */
const lying = (said: string) => `{
  open({ options: { seal } }) {
    say({ type: 'opened', password: '' });
    globalThis.sealer = createArchiveSealerWith(Buffer.from(seal.contentKey, 'base64'), seal.header);
  },
  advance: () => say({ type: 'advanced' }),
  async stop() {
    const { createHash } = await import('node:crypto');
    const clear = Buffer.alloc(1_000_000, 1);
    const stored = Buffer.concat([sealer.write(clear), sealer.end()]);
    const facts = (bytes) => digest(bytes.length, createHash('sha256').update(bytes).digest('base64'));
    give(stored);
    say({ type: 'ended', durationMs: 1000, ${said} });
  },
}`;

test('size and digest are our own: a recorder that says others has failed, and what is there is kept', async () => {
  const told: Record<string, boolean> = {
    'clear: facts(clear), stored: facts(stored)': true,
    'clear: facts(clear.subarray(1)), stored: facts(stored)': false,
    'clear: { ...facts(clear), sha256: facts(stored).sha256 }, stored: facts(stored)': false,
    'clear: facts(clear), stored: facts(stored.subarray(1))': false,
    'clear: facts(clear), stored: { ...facts(stored), sha256: "" }': false,
  };
  for (const [index, [said, isRight]] of Object.entries(told).entries()) {
    const at = path.join(folder, `lie-${index}`);
    const file = await ArchiveFile.create(at, { projectId: '1', format: 'cloister' }, now);
    const there = { sizeBytes: 5, sha256: 'what there is' };
    const keeping = keepComposed(file, new OpenedDigest(unwrap), async () => there);
    const { recording, watched, lines } = live({ keeping, program: programs.write(lying(said)) });
    await recording.add(stream, new HeldTap());
    recording.stop();
    const { why, result } = await watched.over;
    assert.equal(why, isRight ? null : 'what was stored is not what the recorder sealed', said);
    assert.equal(result?.sizeBytes, isRight ? 1_000_000 : there.sizeBytes, `${said} ${JSON.stringify(lines)}`);
  }
});

test('what a recorder complained of is in the log, bounded and without what a terminal obeys', async () => {
  const { watched, lines, dropped } = live({
    program: programs.write(`{ open: () => {
      console.error('x'.repeat(5000) + '\\u001b[31m the decoder fell over');
      say({ type: 'failed', cause: 'media', why: 'no\\nencoder' });
    } }`),
  });
  assert.equal((await watched.over).why, 'the recording could not be encoded');
  const failed = lines.find(({ message }) => message === 'a recording failed');
  assert.equal(failed?.error, 'no encoder');
  assert.match(String(failed?.line), /^[\x20-\x7e]{1,1000}$/);
  assert.match(String(failed?.line), /the decoder fell over$/);
  assert.deepEqual(dropped, []);
});

test('packets that a recorder does not take are told with the first, and with their sum at the end', async () => {
  const program = programs.write(
    `{ open: () => { say({ type: 'opened', password: '' }); return new Promise(() => {}); } }`,
  );
  const { clock, held } = holding(1000);
  const { recording, watched, lines, dropped } = live({ program, clock });
  const tap = new HeldTap();
  await recording.add(stream, tap);
  for (let count = 0; dropped.length === 0; count += 1) tap.sink?.packet('video', packet(count * 3000));
  assert.deepEqual(dropped, [1]);
  for (let count = 0; count < 49; count += 1) tap.sink?.packet('video', packet(2 ** 31 + count * 3000));
  // Second after second without an answer.
  for (let second = 0; second < limits.archiveSilentSeconds; second += 1) held.shift()?.();
  assert.equal((await watched.over).why, 'the recorder did not answer');
  assert.deepEqual(dropped, [1, 50]);
  const messages = lines.map(({ message, count }) => [message, count]);
  assert.ok(messages.some(([message]) => message === 'a recorder does not keep up: packets are dropped'));
  assert.ok(messages.some(([message, count]) => message === 'packets of a recording were dropped' && count === 50));
});

test('a stream whose tap is refused is out again, and its refusal is handed on; one that was removed meanwhile is not', async () => {
  const program = programs.write(listening('told.map(({ type }) => type)'));
  const { recording, watched, lines } = live({ program });
  const tap = new HeldTap();
  tap.refuse = new PlatformError('CapacityReached');
  await assert.rejects(recording.add(stream, tap), { code: 'CapacityReached' });
  assert.equal(tap.closed, true);
  const other = new HeldTap('other');
  other.refuse = new PlatformError('MediaLost');
  const adding = recording.add({ ...stream, streamId: 'other' }, other);
  recording.remove('other');
  await adding;
  // It may be added once more.
  const again = new HeldTap();
  await recording.add(stream, again);
  assert.ok(again.sink && !again.closed);
  recording.stop();
  await watched.over;
  const { error } = lines.find(({ message }) => message === 'a recording failed') as Line;
  const types = JSON.parse(String(error)).filter((type: string) => /^stream/.test(type));
  assert.deepEqual(types, ['stream', 'streamRemoved', 'stream', 'streamRemoved', 'stream']);
});

/** What a recorder is told of these streams, each of which sends a packet of sound and one of a picture. */
async function heard(streams: readonly RecordedStream[], wish: Partial<RecordingOrder> = {}) {
  const placed = `told.findLast(({ type }) => type === 'placed')?.placed.map(({ streamId }) => streamId)`;
  const lanes = `told.filter(({ type }) => type === 'track').map(({ streamId, kind, lane }) => streamId + ' ' + kind + ' ' + (packets[lane] ?? 0))`;
  const long = wish.outputMode === 'individual' || streams.length < 10 ? lanes : `${lanes}.slice(-4)`;
  const { recording, watched, lines } = live({
    wish,
    program: programs.write(listening(`{ placed: (${placed} ?? []).slice(0, 3), lanes: ${long} }`)),
  });
  const taps = streams.map(({ streamId }) => new HeldTap(streamId));
  for (const [index, each] of streams.entries()) await recording.add(each, taps[index] as HeldTap);
  for (const { sink } of taps) for (const kind of ['audio', 'video'] as const) sink?.packet(kind, packet());
  recording.stop();
  await watched.over;
  const { error } = lines.find(({ message }) => message === 'a recording failed') as Line;
  return {
    ...(JSON.parse(String(error)) as { placed: string[]; lanes: string[] }),
    shown: taps.map(({ shown }) => shown),
  };
}

const camera = (streamId: string, more: Partial<RecordedStream> = {}) => ({ ...stream, streamId, ...more });

test('a stream that was chosen without its picture has no place, and none of it reaches the recorder; one that is off keeps its place', async () => {
  const { placed, lanes, shown } = await heard([
    camera('on'),
    camera('off', { hasVideo: false, addedAt: 2 }),
    camera('voice', { hasVideo: false, takesVideo: false, addedAt: 3 }),
    camera('mute', { hasAudio: false, takesAudio: false, addedAt: 4 }),
  ]);
  assert.deepEqual(placed, ['on', 'off', 'mute']);
  assert.deepEqual(
    lanes.filter((lane) => lane.endsWith('0')),
    ['voice video 3 0', 'mute audio 8 0'].map((lane) => lane.replace(/ \d+ 0/, ' 0')),
  );
  assert.equal(shown[2], null);
  assert.ok(shown[0] && shown[1] && shown[3]);
});

test('in an individual archive too a picture that was not chosen is not handed over', async () => {
  const streams = [camera('on'), camera('voice', { hasVideo: false, takesVideo: false })];
  const { lanes, shown } = await heard(streams, { outputMode: 'individual' });
  assert.deepEqual(lanes, ['on video 1', 'on audio 1', 'voice video 0', 'voice audio 1']);
  assert.ok(shown[0]);
  assert.equal(shown[1], null);
});

test('archiveVoices are mixed, those that came first: of one more no sound reaches the recorder', async () => {
  const streams = Array.from({ length: limits.archiveVoices + 1 }, (_, index) =>
    camera(`s${index}`, { addedAt: index }),
  );
  const { lanes } = await heard(streams, { hasVideo: false });
  const [last, one] = [`s${limits.archiveVoices}`, `s${limits.archiveVoices - 1}`];
  assert.deepEqual(lanes, [`${one} video 1`, `${one} audio 1`, `${last} video 1`, `${last} audio 0`]);
});
