import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seed, times } from '../../../../tests/sample.ts';
import { readRtp } from './rtp-packet.ts';

interface Parts {
  readonly marker?: boolean;
  readonly payloadType?: number;
  readonly sequence?: number;
  readonly timestamp?: number;
  readonly ssrc?: number;
  readonly sources?: number;
  readonly extensionWords?: number;
  readonly payload?: Uint8Array;
  readonly padding?: number;
}

/** Writes a packet by the layout of RFC 3550. */
function rtp(parts: Parts): Uint8Array {
  const { sources = 0, extensionWords, payload = new Uint8Array(0), padding = 0 } = parts;
  const head = Buffer.alloc(12 + 4 * sources);
  head[0] = 0x80 | (padding > 0 ? 0x20 : 0) | (extensionWords === undefined ? 0 : 0x10) | sources;
  head[1] = (parts.marker ? 0x80 : 0) | (parts.payloadType ?? 96);
  head.writeUInt16BE(parts.sequence ?? 1, 2);
  head.writeUInt32BE(parts.timestamp ?? 2, 4);
  head.writeUInt32BE(parts.ssrc ?? 3, 8);
  const extension = Buffer.alloc(extensionWords === undefined ? 0 : 4 + 4 * extensionWords, 7);
  if (extensionWords !== undefined) extension.writeUInt16BE(extensionWords, 2);
  const end = Buffer.alloc(padding);
  if (padding > 0) end[padding - 1] = padding;
  return Buffer.concat([head, extension, payload, end]);
}

test('sources, extension and padding are told from the payload', () => {
  const packet = rtp({ marker: true, sources: 2, extensionWords: 3, payload: Buffer.from('media'), padding: 6 });
  const header = readRtp(packet);
  assert.ok(header);
  assert.equal(Buffer.from(packet.subarray(header.payloadStart, header.payloadEnd)).toString(), 'media');
  assert.deepEqual(
    [header.marker, header.payloadType, header.sequence, header.timestamp, header.ssrc],
    [true, 96, 1, 2, 3],
  );
});

test('a packet of padding alone has no payload', () => {
  const header = readRtp(rtp({ padding: 255 }));
  assert.ok(header);
  assert.equal(header.payloadStart, header.payloadEnd);
});

test('what is cut off, of another version or padded past its start is no packet', () => {
  assert.equal(readRtp(new Uint8Array(11)), null);
  assert.equal(readRtp(Buffer.from(rtp({})).fill(0x40, 0, 1)), null);
  assert.equal(readRtp(rtp({ sources: 1 }).subarray(0, 15)), null);
  assert.equal(readRtp(rtp({ extensionWords: 0 }).subarray(0, 15)), null);
  assert.equal(readRtp(rtp({ extensionWords: 2 }).subarray(0, 20)), null);
  for (const [padding, readable] of [
    [0, false],
    [4, true],
    [5, false],
  ] as const) {
    const packet = rtp({ padding: 4 });
    packet[packet.length - 1] = padding;
    assert.equal(readRtp(packet) !== null, readable, `padding ${padding}`);
  }
});

test('property: what was written is read, wherever it lies in memory', () => {
  const written = fc.record({
    marker: fc.boolean(),
    payloadType: fc.integer({ min: 0, max: 127 }),
    sequence: fc.integer({ min: 0, max: 0xffff }),
    timestamp: fc.integer({ min: 0, max: 0xffff_ffff }),
    ssrc: fc.integer({ min: 0, max: 0xffff_ffff }),
    sources: fc.integer({ min: 0, max: 15 }),
    extensionWords: fc.option(fc.integer({ min: 0, max: 40 }), { nil: undefined }),
    payload: fc.uint8Array({ maxLength: 60 }),
    padding: fc.integer({ min: 0, max: 255 }),
  });
  fc.assert(
    fc.property(written, fc.integer({ min: 0, max: 5 }), (parts, shift) => {
      const packet = Buffer.concat([Buffer.alloc(shift, 0xff), rtp(parts)]).subarray(shift);
      const header = readRtp(packet);
      assert.ok(header);
      const { payloadStart, payloadEnd, ...rest } = header;
      const { marker, payloadType, sequence, timestamp, ssrc } = parts;
      assert.deepEqual(rest, { marker, payloadType, sequence, timestamp, ssrc });
      assert.deepEqual(packet.subarray(payloadStart, payloadEnd), Buffer.from(parts.payload));
    }),
    { seed, numRuns: times(300, 20_000) },
  );
});

test('property: any bytes are read or refused, never past their end', () => {
  const bytes = fc.tuple(fc.boolean(), fc.uint8Array({ maxLength: 80 })).map(([likely, packet]) => {
    if (likely && packet.length > 0) packet[0] = 0x80 | ((packet[0] ?? 0) & 0x3f);
    return packet;
  });
  fc.assert(
    fc.property(bytes, (packet) => {
      const header = readRtp(packet);
      if (!header) return;
      assert.ok(header.payloadStart >= 12 && header.payloadStart <= header.payloadEnd);
      assert.ok(header.payloadEnd <= packet.length);
    }),
    { seed, numRuns: times(500, 50_000) },
  );
});
