/**
 * Frames as a stranger may send them to who opens sealed ones: rubbish, headers with rubbish behind them, whole frames that were
 * changed, cut, doubled or put together of two, for each codec. Each is opened as it was sealed or dropped by name.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type FrameCodec, frameLayouts } from '../../packages/client/src/frames/layout.ts';
import { FrameDropped, FrameOpener, FrameSealer } from '../../packages/client/src/frames/seal-frames.ts';
import { type Bytes, encodeHeader, FrameKey, joined } from '../../packages/client/src/frames/sframe.ts';
import { Tally } from './opentok.ts';

export const name = 'sealed frames';

const codecs = Object.keys(frameLayouts) as FrameCodec[];
const bytes = fc.uint8Array({ maxLength: 120 });
const zeroes = fc
  .array(fc.constantFrom(0, 0, 1, 3, 0x65, 0x67, 0x88), { maxLength: 80 })
  .map((all) => Uint8Array.from(all));
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
/** A header that names the key that is there, or another, with anything behind it. */
const headed = fc
  .tuple(fc.record({ keyId: fc.oneof(fc.constant(1n), u64), counter: fc.oneof(fc.constant(3n), u64) }), bytes)
  .map(([header, behind]) => joined(encodeHeader(header), behind));

/** What the whole frames are made of, one of each codec. */
const clear: Readonly<Record<FrameCodec, Bytes>> = {
  opus: Uint8Array.of(0x78, 1, 2, 3),
  vp8: Uint8Array.of(0x10, 2, 0, 0x9d, 1, 0x2a, 0x80, 2, 0xe0, 1, 5, 6, 7, 8),
  vp9: Uint8Array.of(0x82, 0x49, 0x83, 0x42, 0, 9),
  h264: Uint8Array.of(
    0,
    0,
    0,
    1,
    0x67,
    0x42,
    0,
    0x1f,
    0,
    0,
    0,
    1,
    0x68,
    0xce,
    0,
    0,
    0,
    1,
    0x65,
    0x88,
    0x80,
    1,
    2,
    3,
    4,
  ),
};

/**
 * @param seed of the generator
 * @param cases how many
 * @returns how many frames were opened, and dropped for which reason
 * @throws when one ends in another way, or opens as something that was not sealed
 */
export async function run(seed: number, cases: number): Promise<Record<string, number>> {
  const key = await FrameKey.derive(new Uint8Array(32).fill(seed & 255), 1n);
  const sealer = new FrameSealer();
  sealer.use(key);
  const whole: Bytes[] = [];
  for (const codec of codecs)
    for (let many = 0; many < 4; many += 1) whole.push(await sealer.seal(codec, clear[codec]));
  const one = fc.constantFrom(...whole);
  const changed = fc
    .tuple(one, fc.nat(200), fc.nat(255))
    .map(([frame, at, to]) => frame.map((byte, index) => (index === at % frame.length ? to : byte)));
  const cut = fc.tuple(one, fc.nat(60), fc.nat(60)).map(([frame, from, length]) => frame.slice(from, from + length));
  const spliced = fc.tuple(one, one, fc.nat(60)).map(([a, b, at]) => joined(a.subarray(0, at), b.subarray(at)));
  const frame = fc.oneof(bytes, zeroes, headed, one, changed, cut, spliced);
  const tally = new Tally();
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...codecs), frame, async (codec, drawn) => {
      const opener = new FrameOpener();
      opener.add(key);
      try {
        const opened = await opener.open(codec, 1, new Uint8Array(drawn));
        const sealed = Object.values(clear).some((each) => Buffer.from(each).equals(opened));
        assert.ok(sealed, `opened as ${Buffer.from(opened).toString('hex')}, which nobody sealed`);
        tally.add('opened');
      } catch (error) {
        if (!(error instanceof FrameDropped) || error.message === '') throw error;
        tally.add(error.fault);
      }
    }),
    { seed, numRuns: cases },
  );
  return tally.counts;
}
