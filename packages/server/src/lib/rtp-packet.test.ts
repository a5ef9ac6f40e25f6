import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seed, times } from '../../../../tests/sample.ts';
import { parseRtp } from './rtp-packet.ts';

interface Parts {
  readonly marker?: boolean;
  readonly payloadType?: number;
  readonly sequence?: number;
  readonly timestamp?: number;
  readonly ssrc?: number;
  readonly sources?: number;
  /** The profile and the bytes of its extensions, without filling. */
  readonly extension?: readonly [profile: number, bytes: Uint8Array];
  readonly payload?: Uint8Array;
  readonly padding?: number;
}

/** Writes a packet by the layout of RFC 3550, 5.1 and 5.3.1. */
function rtp(parts: Parts): Buffer {
  const { sources = 0, extension, payload = Buffer.alloc(0), padding = 0 } = parts;
  const head = Buffer.alloc(12 + 4 * sources, 9);
  head.writeUInt8(0x80 | (padding > 0 ? 0x20 : 0) | (extension ? 0x10 : 0) | sources, 0);
  head.writeUInt8((parts.marker ? 0x80 : 0) | (parts.payloadType ?? 96), 1);
  head.writeUInt16BE(parts.sequence ?? 1, 2);
  head.writeUInt32BE(parts.timestamp ?? 2, 4);
  head.writeUInt32BE(parts.ssrc ?? 3, 8);
  const words = extension ? Math.ceil(extension[1].length / 4) : 0;
  const extensions = Buffer.alloc(extension ? 4 + words * 4 : 0);
  if (extension) {
    extensions.writeUInt16BE(extension[0], 0);
    extensions.writeUInt16BE(words, 2);
    extensions.set(extension[1], 4);
  }
  const end = Buffer.alloc(padding, 7);
  if (padding > 0) end.writeUInt8(padding, padding - 1);
  return Buffer.concat([head, extensions, payload, end]);
}

/** One header extension in the form of RFC 8285, 4.2 (one byte) or 4.3 (two bytes). */
function element(oneByte: boolean, id: number, data: Uint8Array): Buffer {
  const head = oneByte ? [(id << 4) | (data.length - 1)] : [id, data.length];
  return Buffer.concat([Buffer.from(head), data]);
}

const extensionsOf = (profile: number, bytes: readonly number[]) => {
  const packet = parseRtp(rtp({ extension: [profile, Buffer.from(bytes)], payload: Buffer.from('media') }));
  assert.equal(packet?.payload.toString(), 'media');
  return Object.fromEntries([...packet.extensions].map(([id, data]) => [id, data.toString('hex')]));
};

test('sources, extensions and padding are told from the payload', () => {
  const payload = Buffer.from('media');
  const extension = [0xbede, element(true, 3, Buffer.from([0xab]))] as const;
  const packet = parseRtp(rtp({ marker: true, sources: 2, extension, payload, padding: 6 }));
  assert.ok(packet);
  assert.equal(packet.payload.toString(), 'media');
  assert.deepEqual([packet.marker, packet.payloadType, packet.sequence], [true, 96, 1]);
  assert.deepEqual([packet.timestamp, packet.ssrc, packet.extensions.get(3)], [2, 3, Buffer.from([0xab])]);
});

test('a packet of padding alone has an empty payload', () => {
  assert.equal(parseRtp(rtp({ padding: 255 }))?.payload.length, 0);
});

test('what is cut off, of another version or padded past its start is no packet', () => {
  const whole = rtp({ sources: 1, extension: [0xbede, element(true, 1, Buffer.alloc(3))] });
  for (let length = 0; length < whole.length; length += 1) assert.equal(parseRtp(whole.subarray(0, length)), null);
  assert.ok(parseRtp(whole));
  for (const version of [0, 1, 3]) {
    const other = rtp({});
    other.writeUInt8((version << 6) | 0x00, 0);
    assert.equal(parseRtp(other), null);
  }
  for (const [padding, readable] of [
    [0, false],
    [4, true],
    [5, false],
  ] as const) {
    const packet = rtp({ padding: 4 });
    packet.writeUInt8(padding, packet.length - 1);
    assert.equal(parseRtp(packet) !== null, readable, `${padding} bytes of padding in four`);
  }
});

test('padding between extensions is passed over, and the id 15 ends those with one byte', () => {
  assert.deepEqual(extensionsOf(0xbede, [0x10, 1, 0, 0, 0x21, 2, 2, 0]), { 1: '01', 2: '0202' });
  assert.deepEqual(extensionsOf(0xbede, [0x10, 1, 0xf0, 0, 0x20, 2, 0, 0]), { 1: '01' });
});

test('extensions with two bytes may be empty; their last four bits belong to the application', () => {
  assert.deepEqual(extensionsOf(0x1000, [1, 0, 200, 2, 5, 6, 0, 0]), { 1: '', 200: '0506' });
  assert.deepEqual(extensionsOf(0x100f, [7, 1, 5, 0]), { 7: '05' });
});

test('an extension that is longer than what is there ends the list; of other profiles nothing is known', () => {
  assert.deepEqual(extensionsOf(0xbede, [0x10, 1, 0x2f, 2]), { 1: '01' });
  assert.deepEqual(extensionsOf(0x1000, [1, 1, 9, 2, 5, 5, 5, 5]), { 1: '09' });
  assert.deepEqual(extensionsOf(0x1000, [1, 1, 9, 2]), { 1: '09' });
  assert.deepEqual(extensionsOf(0x1234, [0x10, 1, 0, 0]), {});
});

const arbitrary = fc.boolean().chain((oneByte) =>
  fc.record({
    oneByte: fc.constant(oneByte),
    marker: fc.boolean(),
    payloadType: fc.nat(127),
    sequence: fc.nat(0xffff),
    timestamp: fc.nat(0xffffffff),
    ssrc: fc.nat(0xffffffff),
    sources: fc.nat(15),
    payload: fc.uint8Array({ maxLength: 40 }),
    padding: fc.nat(255),
    elements: fc.uniqueArray(
      fc.tuple(
        fc.integer({ min: 1, max: oneByte ? 14 : 255 }),
        fc.uint8Array({ minLength: oneByte ? 1 : 0, maxLength: oneByte ? 16 : 40 }),
      ),
      { selector: ([id]) => id, maxLength: 5 },
    ),
  }),
);

test('property: what is built is read back, wherever it lies in memory', () => {
  fc.assert(
    fc.property(arbitrary, fc.nat(5), ({ oneByte, elements, ...parts }, shift) => {
      const bytes = Buffer.concat(elements.map(([id, data]) => element(oneByte, id, data)));
      const written = rtp({ ...parts, extension: [oneByte ? 0xbede : 0x1000, bytes] });
      const within = Buffer.concat([Buffer.alloc(shift, 0xff), written]);
      const packet = parseRtp(new Uint8Array(within.buffer, within.byteOffset + shift, written.length));
      assert.ok(packet);
      assert.deepEqual(Buffer.from(packet.payload), Buffer.from(parts.payload));
      const { marker, payloadType, sequence, timestamp, ssrc } = packet;
      const { sources, payload, padding, ...head } = parts;
      assert.deepEqual({ marker, payloadType, sequence, timestamp, ssrc }, { ...head });
      const read = [...packet.extensions].map(([id, data]) => [id, [...data]]);
      assert.deepEqual(
        read,
        elements.map(([id, data]) => [id, [...data]]),
      );
    }),
    { seed, numRuns: times(300, 20_000) },
  );
});

test('property: no bytes make it throw, and a payload is never more than there is', () => {
  const likely = fc
    .tuple(fc.nat(0x3f), fc.constantFrom(0xbede, 0x1000, 0x1001), fc.uint8Array({ maxLength: 80 }))
    .map(([flags, profile, bytes]) => {
      const packet = Buffer.concat([Buffer.alloc(12), Buffer.from(bytes)]);
      packet.writeUInt8(0x80 | flags, 0);
      const at = 12 + (flags & 0x0f) * 4;
      if (packet.length >= at + 4) {
        packet.writeUInt16BE(profile, at);
        packet.writeUInt8(0, at + 2);
        packet.writeUInt8(packet.readUInt8(at + 3) % 16, at + 3);
      }
      return packet;
    });
  const any = fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.oneof(any, likely), (bytes) => {
      const packet = parseRtp(bytes);
      if (!packet) return;
      assert.ok(packet.payload.length <= bytes.length - 12);
      for (const data of packet.extensions.values()) assert.ok(data.length <= bytes.length - 16);
    }),
    { seed, numRuns: times(1000, 50_000) },
  );
});
