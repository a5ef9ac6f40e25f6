import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol/limits';
import fc from 'fast-check';
import { times } from '../../../../tests/sample.ts';
import { FrameBroken, type FrameCodec, frameLayouts } from './layout.ts';
import { ReplayWindow } from './replay.ts';
import { FrameDropped, FrameOpener, FrameSealer } from './seal-frames.ts';
import { type Bytes, decodeHeader, FrameKey, joined } from './sframe.ts';

const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));
const bytes = (...all: number[]): Bytes => Uint8Array.from(all);
const codecs = Object.keys(frameLayouts) as FrameCodec[];
const droppedAs = (fault: string) => (error: unknown) =>
  error instanceof FrameDropped && error.fault === fault && error.message.length > 0;

/** Bytes of which zeros are many enough that escapes matter. */
const zeroed = (maxLength: number) =>
  fc.array(fc.oneof(fc.constantFrom(0, 0, 0, 1, 2, 3), fc.nat(255)), { minLength: 24, maxLength });

/** H.264, section 7.4.1.1, as an encoder writes it. */
function escapedByEncoder(payload: readonly number[]): number[] {
  const out: number[] = [];
  for (const byte of payload) {
    if (byte <= 3 && out.at(-1) === 0 && out.at(-2) === 0) out.push(3);
    out.push(byte);
  }
  return out;
}

const code = fc.constantFrom([0, 0, 1], [0, 0, 0, 1]);
/** No unit ends in a zero (rbsp_trailing_bits); zeros may follow it. */
const nal = (type: number) =>
  fc.tuple(code, zeroed(60)).map(([start, payload]) => [...start, 0x60 | type, ...escapedByEncoder(payload), 0x80]);

/** Numbers as the header of a slice has them, ue(v), filled up to whole bytes. */
function headOf(numbers: readonly number[]): number[] {
  const bits = numbers.map((number) => (number + 1).toString(2)).map((one) => '0'.repeat(one.length - 1) + one);
  const all = bits.join('');
  return (all.match(/.{1,8}/g) ?? []).map((byte) => Number.parseInt(byte.padEnd(8, '0'), 2));
}

interface Slice {
  readonly bytes: readonly number[];
  /** How many bytes behind its start code are readable: its type, and its header up to the parameter set that it names. */
  readonly head: number;
}
const macroblock = fc.oneof(fc.constantFrom(0, 2 ** 16 - 1, 2 ** 24 - 1, 2 ** 25), fc.nat(8159));
const slice: fc.Arbitrary<Slice> = fc
  .tuple(code, fc.constantFrom(1, 5), fc.tuple(macroblock, fc.nat(9), fc.nat(255)), zeroed(400), fc.nat(2))
  .map(([start, type, numbers, payload, zeros]) => {
    const head = headOf(numbers);
    const behind = Array<number>(zeros).fill(0);
    const written = escapedByEncoder([...head, ...payload]);
    return { bytes: [...start, 0x60 | type, ...written, 0x80, ...behind], head: 1 + escapedByEncoder(head).length };
  });
const h264Of = fc
  .tuple(
    fc.array(fc.constantFrom(7, 8, 9, 6).chain(nal), { maxLength: 4 }),
    fc.array(slice, { minLength: 1, maxLength: 3 }),
  )
  .map(([before, slices]) => ({
    frame: Uint8Array.from([...before, ...slices.map((each) => each.bytes)].flat()),
    head: (slices[0] as Slice).head,
  }));
const h264 = h264Of.map(({ frame }) => frame);
const ofAnyCodec: Record<FrameCodec, fc.Arbitrary<Uint8Array>> = {
  opus: fc.uint8Array({ minLength: 1, maxLength: 200 }),
  vp8: fc.uint8Array({ minLength: 10, maxLength: 400 }),
  vp9: fc.uint8Array({ minLength: 1, maxLength: 400 }),
  h264,
};
const drawn = fc
  .constantFrom(...codecs)
  .chain((codec) => ofAnyCodec[codec].map((frame) => ({ codec, frame: new Uint8Array(frame) })));

/** NAL units of some bytes, as a program that makes packets of them finds them. */
function nals(frame: Uint8Array): string[] {
  const units = Buffer.from(frame).toString('latin1').split('\0\0\u0001').slice(1);
  return units.map((unit) => unit.replace(/\0+$/, ''));
}

/** What is authenticated of a frame of Opus: its codec alone. */
const opus = new TextEncoder().encode('opus');

const typeOf = (unit: string) => unit.charCodeAt(0) & 31;
const isSlice = (unit: string) => [1, 5].includes(typeOf(unit));

/** The units of a frame as they come back: parameter sets and delimiters, what else stood before the first slice, and the rest. */
function inOrder(frame: Uint8Array): string[] {
  const units = nals(frame);
  const first = units.findIndex(isSlice);
  const before = units.slice(0, first);
  const readable = (unit: string) => [7, 8, 9].includes(typeOf(unit));
  return [...before.filter(readable), ...before.filter((unit) => !readable(unit)), ...units.slice(first)];
}

const freshKey = (id = 1n) => FrameKey.derive(random(32), id);

async function pair(): Promise<{ key: FrameKey; sealer: FrameSealer; opener: FrameOpener }> {
  const [key, sealer, opener] = [await freshKey(), new FrameSealer(), new FrameOpener()];
  sealer.use(key);
  opener.add(key);
  return { key, sealer, opener };
}

test('what is sealed is opened again, of every codec', async () => {
  const { sealer, opener } = await pair();
  await fc.assert(
    fc.asyncProperty(drawn, async ({ codec, frame }) => {
      const opened = await opener.open(codec, 1, await sealer.seal(codec, frame));
      if (codec !== 'h264') assert.deepEqual(opened, frame);
      // What was hidden comes back between the parameter sets and the first slice.
      else assert.deepEqual(nals(opened), inOrder(frame));
    }),
    { numRuns: times(400, 10_000) },
  );
});

test('readable are ten bytes of a key frame of VP8, three of others, none of VP9 and Opus', async () => {
  const { sealer } = await pair();
  for (const [codec, first, readable] of [
    ['vp8', 0x10, 10],
    ['vp8', 0x11, 3],
    ['vp9', 0x10, 0],
    ['opus', 0x78, 0],
  ] as const) {
    const frame = bytes(first, ...random(300));
    const sealed = await sealer.seal(codec, frame);
    assert.deepEqual(sealed.subarray(0, readable), frame.subarray(0, readable));
    const inClear = Buffer.from(sealed.subarray(readable));
    for (let at = readable; at + 6 < frame.length; at += 1)
      assert.equal(inClear.indexOf(frame.subarray(at, at + 6)), -1);
  }
});

test('of H.264 parameter sets and the head of the first slice are readable, and packets can be made of it', async () => {
  const { sealer, opener } = await pair();
  await fc.assert(
    fc.asyncProperty(h264Of, async ({ frame, head }) => {
      const sealed = await sealer.seal('h264', frame);
      const [was, is] = [inOrder(frame), nals(sealed)];
      const sets = was.filter((unit) => [7, 8, 9].includes(typeOf(unit)));
      assert.deepEqual(is.slice(0, -1), sets);
      const cipher = (is.at(-1) as string).slice(head);
      const first = was.findIndex(isSlice);
      assert.equal((is.at(-1) as string).slice(0, head), (was[first] as string).slice(0, head));
      for (const [index, unit] of was.entries()) {
        if (index < sets.length) continue;
        for (let at = index === first ? head : 0; at + 8 <= unit.length; at += 1)
          assert.ok(!cipher.includes(unit.slice(at, at + 8)), `unit ${index} is in clear at ${at}`);
      }
      // Others write three bytes of start code instead of four, and zeros behind a unit.
      const rewritten = joined(
        ...is.flatMap((unit) => [bytes(0, 0, 1), new Uint8Array(Buffer.from(unit, 'latin1'))]),
        bytes(0, 0),
      );
      assert.deepEqual(nals(await opener.open('h264', 2, rewritten)), was);
    }),
    { numRuns: times(300, 10_000) },
  );
});

test('cipher text behind a head that ends in zeros makes no start code with it, and is taken apart as it was put together', () => {
  // Ends in two zeros: the parameter set's number is 2^15 - 1.
  const metadata = bytes(0, 0, 0, 1, 0x65, ...headOf([0, 0, 2 ** 15 - 1]));
  assert.deepEqual([...metadata.subarray(-2)], [0, 0]);
  fc.assert(
    fc.property(fc.array(fc.constantFrom(0, 0, 0, 1, 2, 3, 4, 0x80), { maxLength: 60 }), (drawnBytes) => {
      const sealed = Uint8Array.from(drawnBytes);
      const frame = frameLayouts.h264.assemble(metadata, sealed);
      const behind = Buffer.from(frame.subarray(metadata.length - 2));
      for (const three of [0, 1, 2]) assert.equal(behind.indexOf(bytes(0, 0, three)), -1);
      assert.deepEqual(frameLayouts.h264.take(frame), { metadata, rest: sealed });
    }),
    { numRuns: times(500, 20_000) },
  );
});

test('a frame of a hundred thousand units, before a slice or of slices alone, is refused or sealed in no time', async () => {
  const { sealer, opener } = await pair();
  const many = (type: number) => new Uint8Array(100_000 * 5).map((_, at) => [0, 0, 1, type, 0x88][at % 5] as number);
  for (const type of [0x67, 0x66]) {
    const frame = joined(many(type), bytes(0, 0, 1, 0x65, 0x88, 0x80));
    await assert.rejects(sealer.seal('h264', frame), droppedAs('broken'));
    await assert.rejects(opener.open('h264', 1, frame), droppedAs('broken'));
  }
  const slices = joined(bytes(0, 0, 1, 0x65, 0x88, 0x80), many(0x61));
  assert.deepEqual(nals(await opener.open('h264', 1, await sealer.seal('h264', slices))), nals(slices));
});

test('what is no frame of its codec is not sealed, and no counter is spent', async () => {
  const { sealer } = await pair();
  const { left } = sealer;
  for (const [codec, frame] of [
    ['vp8', bytes()],
    ['vp8', bytes(0x10, 1, 2)],
    ['vp8', bytes(0x11, 1)],
    ['h264', bytes(1, 2, 3, 4, 5)],
    ['h264', bytes(0, 0, 0, 1, 0x67, 1, 2, 3)],
    ['h264', bytes(0, 0, 0, 1, 0x65)],
    ['h264', bytes(0, 0, 0, 1, 0x65, 0, 0, 0)],
    ['h264', bytes(9, 9, 0, 0, 0, 1, 0x65, 0x88, 0x80, 1, 2)],
  ] as const)
    await assert.rejects(sealer.seal(codec, frame), droppedAs('broken'), `${codec} ${frame}`);
  assert.equal(sealer.left, left);
});

test('a frame that was changed, cut, or is of another codec is dropped; so is one without its key', async () => {
  const { sealer, opener } = await pair();
  const frame = bytes(0x10, ...random(60));
  const sealed = await sealer.seal('vp8', frame);
  for (let at = 0; at < sealed.length; at += 1) {
    const changed = sealed.slice();
    changed[at] = (changed[at] as number) ^ 0x41;
    await assert.rejects(opener.open('vp8', 1, changed), FrameDropped);
    await assert.rejects(opener.open('vp8', 1, sealed.slice(0, at)), FrameDropped);
  }
  await assert.rejects(opener.open('vp9', 1, sealed), FrameDropped);
  await assert.rejects(opener.open('vp9', 1, await sealer.seal('opus', frame)), droppedAs('changed'));
  const [none, another] = [new FrameOpener(), new FrameOpener()];
  another.add(await freshKey());
  await assert.rejects(none.open('vp8', 1, sealed), droppedAs('no key'));
  await assert.rejects(another.open('vp8', 1, sealed), droppedAs('changed'));
  await assert.rejects(new FrameSealer().seal('vp8', frame), droppedAs('no key'));
  assert.deepEqual(await opener.open('vp8', 1, sealed), frame);
});

test('bytes of anybody are dropped by name, whatever they are', async () => {
  const { opener, sealer } = await pair();
  const whole = await sealer.seal('h264', bytes(0, 0, 0, 1, 0x67, 9, 9, 0, 0, 0, 1, 0x65, 0x88, 0x80, 1, 2, 3, 4));
  const damaged = fc.tuple(fc.nat(whole.length - 1), fc.nat(254)).map(([at, by]) => {
    const changed = whole.slice();
    changed[at] = ((changed[at] as number) + by + 1) & 255;
    return changed;
  });
  const odd = fc.oneof(fc.uint8Array({ maxLength: 80 }), damaged, h264);
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...codecs), odd, async (codec, drawnBytes) => {
      await assert.rejects(opener.open(codec, 1, new Uint8Array(drawnBytes)), FrameDropped);
    }),
    { numRuns: times(2000, 100_000) },
  );
});

test('a frame is opened once for each SSRC, in any order within frameReplayWindow, and not behind it', async () => {
  const { sealer, opener } = await pair();
  const sealed: Bytes[] = [];
  for (let frame = 0; frame < 6; frame += 1) sealed.push(await sealer.seal('opus', bytes(frame)));
  for (const at of [0, 4, 2, 5]) assert.deepEqual(await opener.open('opus', 1, sealed[at] as Bytes), bytes(at));
  for (const at of [0, 2, 4, 5])
    await assert.rejects(opener.open('opus', 1, sealed[at] as Bytes), droppedAs('replayed'));
  assert.deepEqual(await opener.open('opus', 1, sealed[3] as Bytes), bytes(3));
  assert.deepEqual(await opener.open('opus', 2, sealed[3] as Bytes), bytes(3));
  // Twice at the same moment: one of them.
  const both = await Promise.allSettled([1, 2].map(() => opener.open('opus', 3, sealed[1] as Bytes)));
  assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);

  const window = new ReplayWindow();
  window.opened(limits.frameReplayWindow);
  assert.ok(window.allows(1));
  assert.ok(!window.allows(0));
  assert.ok(!window.allows(limits.frameReplayWindow));
});

test('a replay window says of every counter whether it was there, as a set would', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.nat(200), fc.nat(20_000)), { maxLength: 200 }), (counters) => {
      const window = new ReplayWindow();
      const seen = new Set<number>();
      for (const counter of counters) {
        const old = Math.max(...seen, -1) - counter >= limits.frameReplayWindow;
        assert.equal(window.allows(counter), !old && !seen.has(counter));
        if (!window.allows(counter)) continue;
        window.opened(counter);
        seen.add(counter);
      }
    }),
    { numRuns: times(200, 5000) },
  );
});

test('no key seals two frames with one counter, over tracks, layers and many at once', async () => {
  const { sealer, key } = await pair();
  const sealed = await Promise.all(
    Array.from({ length: 500 }, (_, at) => sealer.seal(at % 2 ? 'opus' : 'vp9', bytes(at & 255))),
  );
  const counters = sealed.map((frame) => Number(decodeHeader(frame).counter));
  assert.deepEqual(
    counters.toSorted((a, b) => a - b),
    Array.from({ length: 500 }, (_, at) => at),
  );
  assert.equal(sealer.left, limits.framesPerKey - 500);
  // Not after another key either, nor by another sealer, nor under an id that was there.
  const [another, sameId, older] = [await freshKey(2n), await freshKey(2n), await freshKey(1n)];
  sealer.use(another);
  for (const wrong of [key, another, sameId, older]) assert.throws(() => sealer.use(wrong), RangeError);
  assert.throws(() => new FrameSealer().use(key), RangeError);
});

test('past framesPerKey a key neither seals nor opens, and another goes on', async () => {
  const { key, sealer, opener } = await pair();
  assert.equal(sealer.left, limits.framesPerKey);
  const few = await freshKey(2n);
  for (const none of [limits.framesPerKey + 1, 0, -1, 1.5, Number.NaN])
    assert.throws(() => sealer.use(few, none), RangeError);
  sealer.use(few, 1);
  opener.add(few);
  assert.deepEqual(await opener.open('opus', 1, await sealer.seal('opus', bytes(1))), bytes(1));
  await assert.rejects(sealer.seal('opus', bytes(2)), droppedAs('exhausted'));
  sealer.use(await freshKey(3n));
  await sealer.seal('opus', bytes(3));
  const [last, beyond] = [limits.framesPerKey - 1, limits.framesPerKey];
  assert.deepEqual(await opener.open('opus', 1, await key.seal(BigInt(last), bytes(4), opus)), bytes(4));
  const past = await key.seal(BigInt(beyond), bytes(5), opus);
  await assert.rejects(opener.open('opus', 1, past), droppedAs('broken'));
});

test('frames of the latest frameKeysKept keys are opened, of older ones no more', async () => {
  const opener = new FrameOpener();
  const sealed: Bytes[] = [];
  for (let id = 0; id <= limits.frameKeysKept; id += 1) {
    const each = await freshKey(BigInt(id));
    opener.add(each);
    sealed.push(await each.seal(0n, bytes(id), opus));
  }
  await assert.rejects(opener.open('opus', 1, sealed[0] as Bytes), droppedAs('no key'));
  for (const [id, frame] of sealed.entries())
    if (id > 0) assert.deepEqual(await opener.open('opus', 1, frame), bytes(id));
});

test('frameReplaySsrcs are opened under one key, and not one more, until others were silent for a window', async () => {
  const { key, sealer, opener } = await pair();
  for (let ssrc = 0; ssrc <= limits.frameReplaySsrcs; ssrc += 1) {
    const sealed = await sealer.seal('opus', bytes(7));
    if (ssrc < limits.frameReplaySsrcs) await opener.open('opus', ssrc, sealed);
    else await assert.rejects(opener.open('opus', ssrc, sealed), droppedAs('replayed'));
  }
  const later = BigInt(limits.frameReplaySsrcs + limits.frameReplayWindow);
  assert.deepEqual(await opener.open('opus', 1000, await key.seal(later, bytes(8), opus)), bytes(8));
});

test('what is a window behind the newest of its key is old under every SSRC, a new one too', async () => {
  const { key, sealer, opener } = await pair();
  const [first, second] = [await sealer.seal('opus', bytes(1)), await sealer.seal('opus', bytes(2))];
  await opener.open('opus', 1, await key.seal(BigInt(limits.frameReplayWindow), bytes(3), opus));
  await assert.rejects(opener.open('opus', 2, first), droppedAs('replayed'));
  assert.deepEqual(await opener.open('opus', 2, second), bytes(2));
  // Given again, a key would forget what was opened with it.
  assert.throws(() => opener.add(key), RangeError);
});

test('metadata that lost its slice is refused where a frame is put together', () => {
  assert.throws(() => frameLayouts.h264.restore(bytes(1, 2), bytes(0, 0, 0, 0)), FrameBroken);
  assert.throws(() => frameLayouts.h264.restore(bytes(0, 0, 0, 1, 0x65), bytes(0, 0, 0, 9)), FrameBroken);
});
