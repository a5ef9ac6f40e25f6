import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { limits } from '@cloister/protocol/limits';
import fc from 'fast-check';
import { times } from '../../../../tests/sample.ts';
import { FrameBroken, type FrameCodec, frameLayouts } from './layout.ts';
import { ReplayWindow } from './replay.ts';
import { FrameDropped, FrameOpener, FrameSealer } from './seal-frames.ts';
import { type Bytes, FrameKey, joined } from './sframe.ts';

const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));
const bytes = (...all: number[]): Bytes => Uint8Array.from(all);
const codecs = Object.keys(frameLayouts) as FrameCodec[];
const droppedAs = (fault: string) => (error: unknown) =>
  error instanceof FrameDropped && error.fault === fault && error.message.length > 0;

/** Bytes as an encoder writes them: escaped, and with zeros often enough that it matters. */
const nalPayload = (maxLength: number) =>
  fc.array(fc.oneof(fc.constantFrom(0, 0, 0, 1, 2, 3), fc.nat(255)), { minLength: 24, maxLength }).map((drawn) => {
    const out: number[] = [];
    for (const byte of drawn) {
      if (byte <= 3 && out.at(-1) === 0 && out.at(-2) === 0) out.push(3);
      out.push(byte);
    }
    // rbsp_trailing_bits: no NAL unit ends in a zero.
    return [...out, 0x80];
  });
const nal = (type: number) => nalPayload(60).map((payload) => [0, 0, 0, 1, 0x60 | type, ...payload]);
/** A slice whose header begins with three short numbers, as each does that an encoder writes. */
const slice = fc
  .tuple(fc.constantFrom(1, 5), fc.constantFrom(0x88, 0xb8, 0xe0, 0x9a), nalPayload(400))
  .map(([type, head, payload]) => [0, 0, 0, 1, 0x60 | type, head, 0xff, ...payload]);
const h264 = fc
  .tuple(
    fc.array(fc.constantFrom(7, 8, 9, 6).chain(nal), { maxLength: 4 }),
    fc.array(slice, { minLength: 1, maxLength: 3 }),
  )
  .map(([before, slices]) => Uint8Array.from([...before, ...slices].flat()));
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

let key: FrameKey;
before(async () => {
  key = await FrameKey.derive(random(32), 1n);
});

function pair(used = key): { sealer: FrameSealer; opener: FrameOpener } {
  const [sealer, opener] = [new FrameSealer(), new FrameOpener()];
  sealer.use(used);
  opener.add(used);
  return { sealer, opener };
}

test('what is sealed is opened again, of every codec', async () => {
  const { sealer, opener } = pair();
  await fc.assert(
    fc.asyncProperty(drawn, async ({ codec, frame }) => {
      const opened = await opener.open(codec, 1, await sealer.seal(codec, frame));
      if (codec !== 'h264') assert.deepEqual(opened, frame);
      // A unit that was hidden comes back between the parameter sets and the slice.
      else assert.deepEqual(nals(opened).sort(), nals(frame).sort());
    }),
    { numRuns: times(400, 10_000) },
  );
});

test('readable are ten bytes of a key frame of VP8, three of others, none of VP9 and Opus', async () => {
  const { sealer } = pair();
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
  const { sealer, opener } = pair();
  await fc.assert(
    fc.asyncProperty(h264, async (frame) => {
      const sealed = await sealer.seal('h264', new Uint8Array(frame));
      const [was, is] = [nals(frame), nals(sealed)];
      const type = (unit: string) => unit.charCodeAt(0) & 31;
      const first = was.findIndex((unit) => type(unit) === 1 || type(unit) === 5);
      const sets = was.slice(0, first).filter((unit) => type(unit) !== 6);
      assert.deepEqual(is.slice(0, -1), sets);
      const [before, after] = [was[first] as string, is.at(-1) as string];
      assert.equal(after.slice(0, 2), before.slice(0, 2));
      for (let at = 4; at + 8 < before.length; at += 1) {
        const run = before.slice(at, at + 8);
        assert.ok(!after.includes(run), `a run of the slice is in clear at ${at}`);
      }
      // Others write three bytes of start code instead of four, and zeros behind a unit.
      const rewritten = joined(
        ...is.flatMap((unit) => [bytes(0, 0, 1), new Uint8Array(Buffer.from(unit, 'latin1'))]),
        bytes(0, 0),
      );
      assert.deepEqual(nals(await opener.open('h264', 2, rewritten)).sort(), was.sort());
    }),
    { numRuns: times(300, 10_000) },
  );
});

test('what is no frame of its codec is not sealed, and no counter is spent', async () => {
  const { sealer } = pair();
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
  const { sealer, opener } = pair();
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
  another.add(await FrameKey.derive(random(32), 1n));
  await assert.rejects(none.open('vp8', 1, sealed), droppedAs('no key'));
  await assert.rejects(another.open('vp8', 1, sealed), droppedAs('changed'));
  await assert.rejects(new FrameSealer().seal('vp8', frame), droppedAs('no key'));
  assert.deepEqual(await opener.open('vp8', 1, sealed), frame);
});

test('bytes of anybody are dropped by name, whatever they are', async () => {
  const { opener, sealer } = pair();
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
  const { sealer, opener } = pair();
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
  const sealer = new FrameSealer();
  sealer.use(key);
  const sealed = await Promise.all(
    Array.from({ length: 500 }, (_, at) => sealer.seal(at % 2 ? 'opus' : 'vp9', bytes(at & 255))),
  );
  assert.equal(
    new Set(
      sealed.map((frame) =>
        Buffer.from(frame.subarray(0, 4))
          .toString('hex')
          .slice(0, frame[0]! & 8 ? 8 : 2),
      ),
    ).size,
    500,
  );
  assert.equal(sealer.left, limits.framesPerKey - 500);
  assert.throws(() => sealer.use(key), RangeError);
});

test('past framesPerKey a key neither seals nor opens, and another goes on', async () => {
  const { sealer, opener } = pair();
  assert.equal(sealer.left, limits.framesPerKey);
  const few = await FrameKey.derive(random(32), 2n);
  assert.throws(() => sealer.use(few, limits.framesPerKey + 1), RangeError);
  sealer.use(few, 1);
  opener.add(few);
  assert.deepEqual(await opener.open('opus', 1, await sealer.seal('opus', bytes(1))), bytes(1));
  await assert.rejects(sealer.seal('opus', bytes(2)), droppedAs('exhausted'));
  sealer.use(await FrameKey.derive(random(32), 3n));
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
    const each = await FrameKey.derive(random(32), BigInt(id));
    opener.add(each);
    sealed.push(await each.seal(0n, bytes(id), opus));
  }
  await assert.rejects(opener.open('opus', 1, sealed[0] as Bytes), droppedAs('no key'));
  for (const [id, frame] of sealed.entries())
    if (id > 0) assert.deepEqual(await opener.open('opus', 1, frame), bytes(id));
});

test('under one key frameReplaySsrcs are opened, and one more is not', async () => {
  const { sealer, opener } = pair();
  for (let ssrc = 0; ssrc <= limits.frameReplaySsrcs; ssrc += 1) {
    const sealed = await sealer.seal('opus', bytes(7));
    if (ssrc < limits.frameReplaySsrcs) await opener.open('opus', ssrc, sealed);
    else await assert.rejects(opener.open('opus', ssrc, sealed), droppedAs('replayed'));
  }
});

test('metadata that lost its slice is refused where a frame is put together', () => {
  assert.throws(() => frameLayouts.h264.restore(bytes(1, 2), bytes(0, 0, 0, 0)), FrameBroken);
  assert.throws(() => frameLayouts.h264.restore(bytes(0, 0, 0, 1, 0x65), bytes(0, 0, 0, 9)), FrameBroken);
});
