import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import fc from 'fast-check';
import {
  audioPayloadType,
  captureTime,
  type Publishing,
  publish,
  reports,
  type Sent,
  videoPayloadType,
  withExtension,
} from '../record/recorder-fixtures.ts';
import { seed } from '../seal/archive-fixtures.ts';
import { black, type Colour, tile } from './canvas.ts';
import { type DecodedRecording, decodeRecording, hertzOf, isColour, loudness } from './codec-fixtures.ts';
import { type ComposedStream, Composition, type Placed } from './composition.ts';
import { Output } from './output.ts';

const red: Colour = [81, 90, 240];
const green: Colour = [145, 54, 34];
const [width, height, frameRate] = [192, 96, 25];
const everywhere = { x: 0, y: 0, width, height };
const [left, right] = [
  { x: 0, y: 0, width: 96, height },
  { x: 96, y: 0, width: 96, height },
];
const delayMs = limits.archiveDelayMs;

/** Of a 4:3 picture. */
function streamOf(colour: Publishing['colour'], tone: Publishing['tone'], ms: number): Sent[] {
  return publish({ width: 64, height: 48, frameRate: 30, colour, tone }, ms);
}

const redTone = streamOf(
  () => red,
  () => 500,
  3000,
);
const greenTone = streamOf(
  () => green,
  () => 1500,
  3000,
);

/** A composition whose packets and orders come at the times that a test gives them; it begins at 0. */
class Session {
  readonly asked: { streamId: string; at: number }[] = [];
  readonly refused: string[] = [];
  placed: Placed[] = [];
  composition!: Composition<ComposedStream>;
  #output!: Output;
  readonly #parts: Buffer[] = [];
  readonly #events: { at: number; happen: () => void }[] = [];
  #now = 0;

  static async open({ rate = frameRate, hasAudio = true, hasVideo = true } = {}): Promise<Session> {
    const session = new Session();
    session.#output = await Output.open({
      container: 'mpegts',
      video: hasVideo ? { width, height, frameRate: rate } : null,
      audio: hasAudio,
      maxBitrateBps: null,
      quantizationParameter: 18,
      write: (bytes) => void session.#parts.push(bytes),
    });
    session.composition = new Composition<ComposedStream>({
      width,
      height,
      frameRate: rate,
      hasAudio,
      hasVideo,
      output: session.#output,
      arrange: (streams) => session.placed.filter(({ streamId }) => streams.some((each) => each.streamId === streamId)),
      askKeyFrame: (streamId) => void session.asked.push({ streamId, at: session.#now }),
      tooLarge: (streamId) => void session.refused.push(streamId),
    });
    return session;
  }

  at(ms: number, happen: () => void): void {
    this.#events.push({ at: ms, happen });
  }

  add(streamId: string, name = ''): void {
    this.composition.add({ streamId, name, hasVideo: true });
    const [video, audio] = [
      { mimeType: 'video/VP8', clockRate: 90_000, payloadType: videoPayloadType },
      { mimeType: 'audio/opus', clockRate: 48_000, payloadType: audioPayloadType },
    ];
    this.composition.track(streamId, 'video', video);
    this.composition.track(streamId, 'audio', audio);
  }

  /** Packets of a stream from then on, each delayed. */
  send(
    streamId: string,
    from: number,
    sent: readonly Sent[],
    delay: (sent: Sent, index: number) => number = () => 0,
  ): void {
    for (const [index, each] of sent.entries()) {
      const at = from + each.at + delay(each, index);
      this.at(at, () => this.composition.packet(streamId, each.kind, each.packet, at));
    }
  }

  place(...placed: [streamId: string, box: typeof everywhere, fit?: 'contain' | 'cover'][]): void {
    this.placed = placed.map(([streamId, box, fit = 'cover']) => ({ streamId, ...box, fit }));
    this.composition.rearrange();
  }

  /** Composes what was captured until then, and ends. */
  async run(ms: number): Promise<DecodedRecording & { durationMs: number }> {
    const events = this.#events.sort((a, b) => a.at - b.at);
    for (this.#now = 0; this.#now <= ms + delayMs; this.#now += 10) {
      while ((events[0]?.at ?? Number.POSITIVE_INFINITY) <= this.#now) events.shift()?.happen();
      this.composition.advance(this.#now);
    }
    const { durationMs } = this.composition;
    this.composition.close();
    await this.#output.close();
    return { ...(await decodeRecording(Buffer.concat(this.#parts))), durationMs };
  }
}

/** What is composed at 0 was captured this long before. */
const recordedAt = (ms: number) => ms + delayMs;

function seen(recording: DecodedRecording, ms: number, x: number, y: number, expected: Colour): void {
  const found = recording.picture(recordedAt(ms)).at(x, y);
  assert.ok(isColour(found, expected), `at ${ms} ms ${x},${y} is ${found} and not ${expected}`);
}

/** Whether a tone is in the sound, by its share at that frequency. */
function tones(recording: DecodedRecording, fromMs: number, toMs: number): number[] {
  const samples = recording.sound(recordedAt(fromMs), recordedAt(toMs));
  return [500, 1500].filter((hertz) => {
    let [sine, cosine] = [0, 0];
    for (const [index, sample] of samples.entries()) {
      sine += sample * Math.sin((2 * Math.PI * hertz * index) / 48_000);
      cosine += sample * Math.cos((2 * Math.PI * hertz * index) / 48_000);
    }
    return Math.hypot(sine, cosine) / samples.length > 0.04;
  });
}

test('every stream is where the layout has it, with its colour and its tone', async () => {
  const session = await Session.open();
  session.add('a');
  session.add('b');
  session.place(['a', left, 'contain'], ['b', right, 'cover']);
  session.send('a', 0, redTone);
  session.send(
    'b',
    500,
    greenTone.filter(({ at }) => at < 1000),
  );
  const recording = await session.run(2000);
  assert.ok(Math.abs(recording.durationMs - 2500) <= 40, `${recording.durationMs}`);
  seen(recording, 400, 144, 48, tile);
  for (const ms of [200, 700, 1300, 1900]) {
    seen(recording, ms, 48, 48, red);
    // Letterboxed: 96x72 in 96x96.
    for (const y of [4, 92]) seen(recording, ms, 48, y, black);
    if (ms > 500)
      for (const [x, y] of [
        [100, 4],
        [144, 48],
        [188, 92],
      ] as const)
        seen(recording, ms, x, y, green);
  }
  assert.deepEqual(tones(recording, 100, 450), [500]);
  assert.deepEqual(tones(recording, 600, 1400), [500, 1500]);
  assert.deepEqual(tones(recording, 1600, 1950), [500]);
  assert.equal(loudness(recording.sound(0, recordedAt(-100))), 0);
});

/** Becomes red and loud after a second. */
const changing = streamOf(
  (at) => (at < 1000 ? green : red),
  (at) => (at < 1000 ? 0 : 1000),
  2000,
);

/** When the picture became red and the sound loud, in milliseconds of the recording. */
async function changedAt(session: Session): Promise<{ sound: number; apart: number }> {
  const recording = await session.run(1800);
  const shown = recording.pictures.find(({ ms, at }) => ms > recordedAt(500) && isColour(at(96, 48), red));
  const samples = recording.sound(0, recordedAt(1800));
  const loud = samples.findIndex(
    (_, index) => index % 48 === 0 && loudness(samples.subarray(index, index + 96)) > 0.08,
  );
  assert.ok(shown && loud > 0);
  assert.equal(recording.durationMs, Math.round((recording.pictures.length * 1000) / 30));
  return { sound: loud / 48, apart: shown.ms - loud / 48 };
}

test('sound and picture that change at once do so in the recording within 40 ms, however late their packets are', async () => {
  const session = await Session.open({ rate: 30 });
  session.add('a');
  session.place(['a', everywhere]);
  for (const ms of [0, 500, 1000]) {
    const at = ms + 5;
    const { ntpMs } = reports;
    session.at(at, () => session.composition.senderReport('a', 'audio', ntpMs + ms, reports.audio + ms * 48));
    session.at(at, () =>
      session.composition.senderReport('a', 'video', ntpMs + ms, (reports.video + ms * 90) % 2 ** 32),
    );
  }
  session.send('a', 0, changing, ({ kind }, index) =>
    kind === 'video' ? 90 + (index % 4) * 20 : 10 + (index % 3) * 30,
  );
  const { apart, sound } = await changedAt(session);
  assert.ok(Math.abs(apart) <= 40, `the picture comes ${apart} ms after the sound`);
  // Ten milliseconds on the way at least.
  assert.ok(Math.abs(sound - recordedAt(1010)) <= 40, `${sound}`);
});

test('capture times put sound and picture on one line, whatever reports say', async () => {
  const session = await Session.open({ rate: 30 });
  session.add('a');
  session.place(['a', everywhere]);
  const extensions = { captureTime: 10, orientation: null };
  for (const [kind, track] of [
    ['video', { mimeType: 'video/VP8', clockRate: 90_000, payloadType: videoPayloadType, extensions }],
    ['audio', { mimeType: 'audio/opus', clockRate: 48_000, payloadType: audioPayloadType, extensions }],
  ] as const) {
    session.composition.track('a', kind, track);
  }
  const { ntpMs } = reports;
  for (const ms of [5, 505, 1005]) {
    session.at(ms, () => session.composition.senderReport('a', 'audio', ntpMs + ms - 300, reports.audio + ms * 48));
    session.at(ms, () =>
      session.composition.senderReport('a', 'video', ntpMs + ms, (reports.video + ms * 90) % 2 ** 32),
    );
  }
  const stamped = changing.map((each, index) =>
    index % 10 === 0 ? { ...each, packet: withExtension(each.packet, 10, captureTime(ntpMs + each.at)) } : each,
  );
  session.send('a', 0, stamped, ({ kind }, index) =>
    kind === 'video' ? 90 + (index % 4) * 20 : 10 + (index % 3) * 30,
  );
  const { apart, sound } = await changedAt(session);
  assert.ok(Math.abs(apart) <= 40, `the picture comes ${apart} ms after the sound`);
  assert.ok(Math.abs(sound - recordedAt(1010)) <= 40, `${sound}`);
});

test('a phone that is held upright is upright, until it is turned', async () => {
  const session = await Session.open();
  session.add('a');
  session.place(['a', everywhere, 'contain']);
  session.composition.track('a', 'video', {
    mimeType: 'video/VP8',
    clockRate: 90_000,
    payloadType: videoPayloadType,
    extensions: { captureTime: null, orientation: 8 },
  });
  // As browsers do it: in the last packet of each picture that is to be turned.
  const held = redTone.map((each) =>
    each.kind === 'video' && each.at < 1000 ? { ...each, packet: withExtension(each.packet, 8, Buffer.of(1)) } : each,
  );
  session.send('a', 0, held);
  const recording = await session.run(2000);
  // 4:3 in 192x96: lying it is 128 pixels wide, upright 72.
  for (const [ms, x, colour] of [
    [500, 96, red],
    [500, 64, red],
    [500, 48, black],
    [1500, 48, red],
    [1500, 144, red],
    [1500, 20, black],
  ] as const) {
    seen(recording, ms, x, 48, colour);
  }
});

test('a stream that leaves and comes again; a layout that changes', async () => {
  const session = await Session.open();
  session.add('a');
  session.place(['a', everywhere]);
  session.send('a', 0, redTone);
  session.at(800, () => {
    session.add('b');
    session.place(['a', left], ['b', right]);
  });
  session.send(
    'b',
    800,
    greenTone.filter(({ at }) => at < 700),
  );
  session.at(1500, () => session.place(['a', right], ['b', left]));
  session.at(2000, () => {
    session.composition.remove('b');
    session.place(['a', everywhere]);
  });
  session.at(2300, () => {
    session.add('b');
    session.place(['b', everywhere]);
  });
  session.send(
    'b',
    2300,
    greenTone.filter(({ at }) => at < 500),
  );
  const recording = await session.run(2800);
  // Orders hold from when they come, for pictures that are older by the delay.
  const places: [ms: number, onLeft: Colour, onRight: Colour][] = [
    [200, red, red],
    [900, red, green],
    [1300, green, red],
    [1450, green, red],
    [1600, red, red],
    [2500, green, green],
  ];
  for (const [ms, onLeft, onRight] of places) {
    seen(recording, ms, 48, 48, onLeft);
    seen(recording, ms, 144, 48, onRight);
  }
});

test('a picture that is muted becomes a tile at once, and a picture again when it goes on', async () => {
  const session = await Session.open();
  session.add('a');
  session.place(['a', everywhere]);
  // Until 1000, and from 2000 on; what was under way when it was muted is not shown later either.
  session.send(
    'a',
    0,
    redTone.filter(({ kind, at }) => kind === 'audio' || at < 1000),
  );
  session.at(1000, () => session.composition.change({ streamId: 'a', name: '', hasVideo: false }));
  session.at(2000, () => session.composition.change({ streamId: 'a', name: '', hasVideo: true }));
  session.send(
    'a',
    0,
    redTone.filter(({ kind, at }) => kind === 'video' && at >= 2000),
  );
  const recording = await session.run(2700);
  seen(recording, 400, 96, 48, red);
  for (const ms of [520, 900, 1400, 1600, 1900]) seen(recording, ms, 96, 48, tile);
  seen(recording, 2500, 96, 48, red);
  assert.deepEqual(tones(recording, 1000, 2000), [500]);
});

/** How many pixels of a box are brighter than a tile. */
function written(recording: DecodedRecording, ms: number, { x, y, width, height }: typeof everywhere): number {
  const { at } = recording.picture(recordedAt(ms));
  let bright = 0;
  for (let row = y; row < y + height; row += 1) {
    for (let column = x; column < x + width; column += 1) if (at(column, row)[0] > tile[0] + 60) bright += 1;
  }
  return bright;
}

test('where a stream has no picture its name is to be read, and only then', async () => {
  const session = await Session.open();
  session.add('a', 'Ada L.');
  session.add('b');
  session.place(['a', left], ['b', right]);
  session.send(
    'a',
    500,
    redTone.filter(({ at }) => at < 600),
  );
  session.at(1000, () => session.composition.change({ streamId: 'a', name: 'Ada L.', hasVideo: false }));
  session.at(1500, () => session.composition.change({ streamId: 'a', name: 'iii', hasVideo: false }));
  session.at(1800, () => session.place(['b', left], ['a', right]));
  const recording = await session.run(2000);
  // A change holds from when it comes, for pictures that are older by the delay; those of the camera are there from 500 on.
  const [ada, iii] = [400, 1100].map((ms) => written(recording, ms, left)) as [number, number];
  assert.ok(ada > 60 && iii > 10 && iii < ada / 2, `${ada} and ${iii} pixels of ink`);
  seen(recording, 480, 4, 4, tile);
  assert.equal(written(recording, 480, right), 0);
  seen(recording, 550, 4, 4, tile);
  assert.ok(Math.abs(written(recording, 900, left) - ada) < ada / 4);
  assert.equal(written(recording, 1400, left), 0);
  assert.ok(Math.abs(written(recording, 1400, right) - iii) < iii / 2);
});

test('time that is skipped is not in the recording', async () => {
  const session = await Session.open();
  session.add('a');
  session.place(['a', everywhere], ['b', everywhere]);
  session.send(
    'a',
    0,
    redTone.filter(({ at }) => at < 500),
  );
  session.at(1100, () => session.composition.remove('a'));
  session.at(1200, () => session.composition.skip(1300));
  session.at(2500, () => session.add('b'));
  session.send(
    'b',
    2500,
    greenTone.filter(({ at }) => at < 500),
  );
  const recording = await session.run(3000);
  assert.ok(Math.abs(recording.durationMs - (3500 - 1300)) <= 40, `${recording.durationMs}`);
  seen(recording, 400, 96, 48, red);
  assert.ok(loudness(recording.sound(recordedAt(600), recordedAt(1150))) < 0.001);
  // What came at 2500 is at 1200.
  seen(recording, 1300, 96, 48, green);
  assert.deepEqual(tones(recording, 1250, 1650), [1500]);
});

test('a picture above another one has its letterbox black whichever of both is new', async () => {
  const session = await Session.open({ hasAudio: false });
  session.add('below');
  session.add('above');
  session.place(['below', everywhere], ['above', { x: 128, y: 32, width: 32, height: 64 }, 'contain']);
  session.send('below', 0, greenTone);
  session.send('above', 0, redTone);
  const recording = await session.run(800);
  for (const ms of [100, 300, 500, 700]) {
    seen(recording, ms, 144, 64, red);
    for (const y of [36, 92]) seen(recording, ms, 144, y, black);
    seen(recording, ms, 40, 64, green);
  }
});

test('after a loss the picture stands still until the key frame, which is asked for every archiveKeyFrameMs', async () => {
  const session = await Session.open({ rate: 10, hasAudio: false });
  session.add('a');
  session.place(['a', everywhere]);
  const turning = streamOf(
    (at) => (at < 600 ? red : green),
    () => 0,
    3000,
  ).filter(({ kind }) => kind === 'video');
  // Of a key frame each second the one at 1000 is lost, with another picture before it.
  const lost = (at: number) => (at > 450 && at < 500) || (at >= 1000 && at < 1030);
  session.send(
    'a',
    0,
    turning.filter(({ at }) => !lost(at)),
  );
  const recording = await session.run(2500);
  for (const ms of [300, 500, 900, 1500, 1900]) seen(recording, ms, 96, 48, red);
  seen(recording, 2200, 96, 48, green);
  // In the time of what is composed; pictures are 100 ms apart.
  const times = session.asked.filter(({ at }) => at > delayMs + 100).map(({ at }) => at);
  assert.ok(times.length >= 3, `${times}`);
  for (const [index, at] of times.slice(1).entries())
    assert.equal(at - (times[index] as number), limits.archiveKeyFrameMs);
});

test('a packet that is late by archiveDelayMs is in the recording; one millisecond later it is not', async () => {
  for (const [more, colour] of [
    [0, green],
    [1, red],
  ] as const) {
    const session = await Session.open({ rate: 10, hasAudio: false });
    session.add('a');
    session.place(['a', everywhere]);
    const turning = streamOf(
      (at) => (at < 1000 ? red : green),
      () => 0,
      1010,
    ).filter(({ kind }) => kind === 'video');
    session.send('a', 0, turning, ({ at }) => (at >= 1000 ? delayMs + more : 0));
    const recording = await session.run(1200);
    seen(recording, 1000, 96, 48, colour);
    seen(recording, 1100, 96, 48, green);
  }
});

test('many loud voices are bent, not cut', async () => {
  const session = await Session.open({ hasVideo: false });
  for (let index = 0; index < 8; index += 1) {
    session.add(`${index}`);
    session.send(
      `${index}`,
      0,
      redTone.filter(({ kind, at }) => kind === 'audio' && at < 1000),
    );
  }
  const recording = await session.run(900);
  const samples = recording.sound(recordedAt(200), recordedAt(800));
  assert.ok(loudness(samples) > 0.6, `${loudness(samples)}`);
  assert.ok(Math.max(...samples) < 1.1);
  assert.equal(Math.round(hertzOf(samples, 48_000)), 500);
});

test('of codecs that are not known, other payload types and ended tracks nothing comes', async () => {
  const session = await Session.open();
  session.add('a');
  session.place(['a', everywhere]);
  session.send('a', 0, redTone);
  session.send('nobody', 0, greenTone.slice(0, 10));
  session.at(0, () =>
    session.composition.track('a', 'video', { mimeType: 'video/AV1', clockRate: 90_000, payloadType: 96 }),
  );
  session.at(0, () =>
    session.composition.track('a', 'audio', { mimeType: 'audio/opus', clockRate: 48_000, payloadType: 9 }),
  );
  session.at(990, () => session.add('a'));
  session.at(1800, () => session.composition.trackEnded('a', 'audio'));
  const recording = await session.run(2200);
  seen(recording, 400, 96, 48, tile);
  assert.deepEqual(tones(recording, 100, 900), []);
  // Its tracks are known since 1000: a key frame is there at once.
  seen(recording, 1600, 96, 48, red);
  assert.deepEqual(tones(recording, 1100, 1250), [500]);
  assert.deepEqual(tones(recording, 1900, 2150), []);
});

test('property: whatever packets hold and whenever they come, the recording goes on', async () => {
  const session = await Session.open({ rate: 10 });
  session.add('a');
  session.add('h264');
  session.composition.track('h264', 'video', { mimeType: 'video/H264', clockRate: 90_000, payloadType: 96 });
  session.add('vp9');
  session.composition.track('vp9', 'video', { mimeType: 'video/VP9', clockRate: 90_000, payloadType: 96 });
  session.place(['a', left], ['h264', right], ['vp9', everywhere, 'contain']);
  const payload = fc.uint8Array({ minLength: 0, maxLength: 60 });
  const sent = fc.record({
    streamId: fc.constantFrom('a', 'h264', 'vp9'),
    kind: fc.constantFrom('audio' as const, 'video' as const),
    at: fc.nat(2000),
    sequence: fc.nat(300),
    timestamp: fc.oneof(fc.nat(100_000), fc.nat(0xffffffff)),
    marker: fc.boolean(),
    start: fc.constantFrom(0x10, 0x08, 0x65, 0x78, 0xfc),
    payload,
  });
  const [packets] = fc.sample(fc.array(sent, { minLength: 600, maxLength: 600, size: 'max' }), { seed, numRuns: 1 });
  for (const { streamId, kind, at, sequence, timestamp, marker, start, payload } of packets ?? []) {
    const type = kind === 'audio' ? audioPayloadType : videoPayloadType;
    const head = Buffer.alloc(12);
    head.writeUInt8(0x80, 0);
    head.writeUInt8((marker ? 0x80 : 0) | type, 1);
    head.writeUInt16BE(sequence, 2);
    head.writeUInt32BE(timestamp, 4);
    const bytes = Buffer.concat([head, Buffer.from([start]), payload]);
    session.at(at, () => session.composition.packet(streamId, kind, bytes, at));
  }
  const recording = await session.run(2500);
  assert.equal(recording.pictures.length, 31);
  assert.ok(Math.abs(recording.soundEndMs - 3000) < 60);
});

/** The same pictures of VP8, of which every key frame says that it has the largest size there is (RFC 6386, 9.1). */
function enlarged(sent: readonly Sent[]): Sent[] {
  const [head, descriptor, tag] = [12, 1, 6];
  return sent.map((each) => {
    const begins = each.kind === 'video' && each.packet[head] === 0x10;
    if (!begins || ((each.packet[head + descriptor] as number) & 1) === 1) return each;
    const packet = Buffer.from(each.packet);
    packet.writeUInt16LE(16_383, head + descriptor + tag);
    packet.writeUInt16LE(16_383, head + descriptor + tag + 2);
    return { ...each, packet };
  });
}

test('a picture past archivePicturePixels is a plain tile, told once; its sound and the others are recorded', async () => {
  const session = await Session.open();
  session.add('small');
  session.add('huge');
  session.place(['small', left], ['huge', right]);
  session.send('small', 0, redTone);
  session.send('huge', 0, enlarged(greenTone));
  const recording = await session.run(2500);
  assert.deepEqual(session.refused, ['huge']);
  // Another key frame would be as large.
  assert.equal(session.asked.filter(({ streamId }) => streamId === 'huge').length, 0);
  for (const ms of [300, 1300, 2300]) {
    seen(recording, ms, 48, 48, red);
    seen(recording, ms, 144, 48, tile);
    assert.deepEqual(tones(recording, ms, ms + 150), [500, 1500]);
  }
});

test('a picture that becomes too large makes room for the tile, and is back once it is smaller', async () => {
  const session = await Session.open();
  session.add('a');
  session.place(['a', everywhere]);
  const second = (sent: readonly Sent[], from: number) => sent.filter(({ at }) => at >= from && at < from + 1000);
  const sent = [...second(greenTone, 0), ...enlarged(second(greenTone, 1000)), ...second(greenTone, 2000)];
  session.send('a', 0, sent);
  const recording = await session.run(2900);
  assert.deepEqual(session.refused, ['a']);
  for (const [ms, colour] of [
    [500, green],
    [1500, tile],
    [2500, green],
  ] as const)
    seen(recording, ms, 96, 48, colour);
});
