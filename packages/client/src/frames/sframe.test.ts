import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { times } from '../../../../tests/sample.ts';
import { type Bytes, decodeHeader, encodeHeader, FrameChanged, FrameKey, frameSuite, HeaderInvalid } from './sframe.ts';

const vectors = JSON.parse(
  readFileSync(path.resolve(import.meta.dirname, '../../../../tests/vectors/sframe.json'), 'utf8'),
) as {
  header: { keyId: string; counters: Record<string, string> }[];
  frame: Record<'keyId' | 'counter' | 'baseKey' | 'metadata' | 'plaintext' | 'sealed', string> & { suite: number };
};
const hex = (text: string): Bytes => new Uint8Array(Buffer.from(text, 'hex'));
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const header = fc.record({ keyId: u64, counter: u64 });

test('every published header is written and read as RFC 9605 has it', () => {
  let read = 0;
  for (const { keyId, counters } of vectors.header) {
    for (const [counter, encoded] of Object.entries(counters)) {
      const numbers = { keyId: BigInt(keyId), counter: BigInt(counter) };
      assert.equal(hexOf(encodeHeader(numbers)), encoded);
      assert.deepEqual(decodeHeader(hex(`${encoded}00`)), { ...numbers, length: encoded.length / 2 });
      read += 1;
    }
  }
  assert.equal(read, 289);
});

test('the published frame of AES_256_GCM_SHA512_128 is sealed and opened as RFC 9605 has it', async () => {
  const { suite, keyId, counter, baseKey, metadata, plaintext, sealed } = vectors.frame;
  assert.equal(frameSuite.id, suite);
  const key = await FrameKey.derive(hex(baseKey), BigInt(keyId));
  assert.equal(hexOf(await key.seal(BigInt(counter), hex(plaintext), hex(metadata))), sealed);
  const opened = await key.open(decodeHeader(hex(sealed)), hex(sealed), hex(metadata));
  assert.equal(hexOf(opened), plaintext);
});

test('a header that was written is read as it was, and of whatever is read there is one spelling', () => {
  fc.assert(
    fc.property(header, fc.uint8Array({ maxLength: 4 }), (numbers, behind) => {
      const written = encodeHeader(numbers);
      assert.deepEqual(decodeHeader(Uint8Array.of(...written, ...behind)), { ...numbers, length: written.length });
    }),
    { numRuns: times(500, 20_000) },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
      let read: ReturnType<typeof decodeHeader>;
      try {
        read = decodeHeader(bytes);
      } catch (error) {
        assert.ok(error instanceof HeaderInvalid && error.message.length > 0);
        return;
      }
      assert.deepEqual([...encodeHeader(read)], [...bytes.subarray(0, read.length)]);
    }),
    { numRuns: times(2000, 100_000) },
  );
});

test('a header that is cut or spelled longer than needed is refused', () => {
  const whole = encodeHeader({ keyId: 300n, counter: 70_000n });
  for (let length = 0; length < whole.length; length += 1)
    assert.throws(() => decodeHeader(whole.subarray(0, length)), HeaderInvalid);
  for (const longer of ['0807', '090001', '8007', '90000f'])
    assert.throws(() => decodeHeader(hex(longer)), HeaderInvalid);
  assert.throws(() => encodeHeader({ keyId: 0n, counter: 2n ** 64n }), RangeError);
  assert.throws(() => encodeHeader({ keyId: -1n, counter: 0n }), RangeError);
});

test('a frame opens with its key alone, and not when a bit of it or of its metadata is another', async () => {
  const baseKey = random(32);
  const [key, sameBase, other] = await Promise.all([
    FrameKey.derive(baseKey, 7n),
    FrameKey.derive(baseKey, 8n),
    FrameKey.derive(random(32), 7n),
  ]);
  const [plain, metadata] = [random(40), random(10)];
  const sealed = await key.seal(9n, plain, metadata);
  const read = decodeHeader(sealed);
  assert.deepEqual(await key.open(read, sealed, metadata), plain);
  assert.equal(sealed.length, read.length + plain.length + 16);
  for (const wrong of [sameBase, other]) await assert.rejects(wrong.open(read, sealed, metadata), FrameChanged);
  for (let bit = 0; bit < sealed.length * 8; bit += 1) {
    const changed = sealed.slice();
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
    await assert.rejects(async () => key.open(decodeHeader(changed), changed, metadata), Error, `bit ${bit}`);
  }
  const otherMetadata = metadata.slice();
  otherMetadata[0] = (otherMetadata[0] as number) ^ 1;
  await assert.rejects(key.open(read, sealed, otherMetadata), FrameChanged);
  for (let length = read.length; length < sealed.length; length += 1)
    await assert.rejects(key.open(read, sealed.subarray(0, length), metadata), FrameChanged);
});
