import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits, PlatformError } from '@cloister/protocol';
import fc from 'fast-check';
import { isRefusal, seed } from '../seal/archive-fixtures.ts';
import {
  bytesFrames,
  checkedReport,
  type Frame,
  FrameReader,
  jsonFrame,
  type Order,
  packetFrame,
  partFrames,
  type Report,
} from './messages.ts';

const read = (...chunks: Buffer[]): Frame[] => {
  const reader = new FrameReader();
  return chunks.flatMap((chunk) => [...reader.read(chunk)]);
};

/** A frame with this length and kind in its head. */
function raw(length: number, kind: number, body: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(length, 0);
  head.writeUInt8(kind, 4);
  return Buffer.concat([head, body]);
}

test('orders, packets and cipher text are read as they were written', () => {
  const order: Order = { type: 'senderReport', lane: 3, ntpMs: 1_700_000_000_000.5, rtpTimestamp: 4_294_967_295 };
  const report: Report = { type: 'failed', cause: 'media', why: 'the encoder: “ü”' };
  const cipher = Buffer.from('cipher text');
  const stream = Buffer.concat([
    jsonFrame(order),
    packetFrame(65_535, 1234.567, Buffer.from('packet')),
    ...bytesFrames(cipher),
    jsonFrame(report),
    ...partFrames(999, cipher),
    packetFrame(0, 0, Buffer.alloc(0)),
  ]);
  assert.deepEqual(read(stream), [
    { kind: 'json', value: order },
    { kind: 'packet', lane: 65_535, at: 1234.567, packet: Buffer.from('packet') },
    { kind: 'bytes', bytes: cipher },
    { kind: 'json', value: report },
    { kind: 'part', file: 999, bytes: cipher },
    { kind: 'packet', lane: 0, at: 0, packet: Buffer.alloc(0) },
  ]);
  assert.deepEqual(bytesFrames(Buffer.alloc(0)), []);
});

const message = fc.oneof(
  fc
    .integer()
    .map((ms) => ({ frame: jsonFrame({ type: 'skip', ms }), read: { kind: 'json', value: { type: 'skip', ms } } })),
  fc.tuple(fc.nat(0xffff), fc.double({ noNaN: true }), fc.uint8Array({ maxLength: 40 })).map(([lane, at, packet]) => ({
    frame: packetFrame(lane, at, packet),
    read: { kind: 'packet', lane, at, packet: Buffer.from(packet) },
  })),
  fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => ({
    frame: Buffer.concat(bytesFrames(Buffer.from(bytes))),
    read: { kind: 'bytes', bytes: Buffer.from(bytes) },
  })),
  fc.tuple(fc.nat(0xffff), fc.uint8Array({ minLength: 1, maxLength: 40 })).map(([file, bytes]) => ({
    frame: Buffer.concat(partFrames(file, Buffer.from(bytes))),
    read: { kind: 'part', file, bytes: Buffer.from(bytes) },
  })),
);

/** Parts of these bytes, of the sizes in turn. */
function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const parts: Buffer[] = [];
  for (let [at, index] = [0, 0]; at < bytes.length; index += 1) {
    const size = sizes[index % sizes.length] as number;
    parts.push(bytes.subarray(at, at + size));
    at += size;
  }
  return parts;
}

test('property: wherever a pipe cuts the bytes, the same messages come', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 8 }), sizes, (messages, sizes) => {
      const stream = Buffer.concat(messages.map(({ frame }) => frame));
      assert.deepEqual(
        read(...cut(stream, sizes)),
        messages.map(({ read }) => read),
      );
    }),
    { seed },
  );
});

test('a message has archiveMessageBytes; with one more it is none, before its bytes are there', () => {
  const most = limits.archiveMessageBytes;
  const bytes = Buffer.alloc(most, 7);
  assert.deepEqual(read(raw(most, 2, bytes)), [{ kind: 'bytes', bytes }]);
  assert.throws(
    () => read(raw(most + 1, 2, Buffer.alloc(0))),
    (error) => isRefusal(error, 'FrameInvalid', new RegExp(`${most + 1} bytes`)),
  );
  // Cipher text that is longer is cut.
  const long = Buffer.concat([bytes, Buffer.from([8])]);
  const frames = read(...bytesFrames(long)) as { bytes: Buffer }[];
  assert.deepEqual(
    frames.map((frame) => frame.bytes.length),
    [most, 1],
  );
  assert.deepEqual(Buffer.concat(frames.map((frame) => frame.bytes)), long);
  const parts = read(...partFrames(7, long)) as { file: number; bytes: Buffer }[];
  assert.deepEqual(
    parts.map(({ file, bytes: { length } }) => [file, length]),
    [
      [7, most - 2],
      [7, 3],
    ],
  );
  assert.deepEqual(Buffer.concat(parts.map((part) => part.bytes)), long);
});

test('a kind that is not known, a packet or a part without its head and what is no JSON are FrameInvalid', () => {
  const wrong: [Buffer, RegExp][] = [
    [raw(0, 4, Buffer.alloc(0)), /unknown kind/],
    [raw(1, 3, Buffer.alloc(1)), /unknown kind/],
    [raw(9, 1, Buffer.alloc(9)), /unknown kind/],
    [raw(0, 0, Buffer.alloc(0)), /no JSON/],
    [raw(3, 0, Buffer.from('{a}')), /no JSON/],
  ];
  for (const [bytes, why] of wrong) {
    assert.throws(
      () => read(bytes),
      (error) => isRefusal(error, 'FrameInvalid', why),
    );
  }
});

test('what came before a message that is none is read', () => {
  const reader = new FrameReader();
  const seen: Frame[] = [];
  assert.throws(() => {
    for (const frame of reader.read(Buffer.concat([jsonFrame({ type: 'stop' }), raw(0, 9, Buffer.alloc(0))]))) {
      seen.push(frame);
    }
  }, PlatformError);
  assert.deepEqual(seen, [{ kind: 'json', value: { type: 'stop' } }]);
});

test('property: of any bytes come messages or FrameInvalid, and nothing else', () => {
  const likely = fc
    .tuple(fc.nat(30), fc.nat(4), fc.uint8Array({ maxLength: 40 }))
    .map(([length, kind, body]) => new Uint8Array(raw(length, kind, body)));
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.uint8Array({ maxLength: 20 }), likely), { maxLength: 6 }), (chunks) => {
      const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
      try {
        assert.ok(read(...chunks.map((chunk) => Buffer.from(chunk))).length * 5 <= bytes);
      } catch (error) {
        assert.ok(error instanceof PlatformError && error.code === 'FrameInvalid', String(error));
      }
    }),
    { seed, numRuns: 1000 },
  );
});

const reports: Record<string, Report> = {
  opened: { type: 'opened', password: Buffer.from('wrapped').toString('base64') },
  keyFrame: { type: 'keyFrame', streamId: 'camera' },
  advanced: { type: 'advanced' },
  sealed: { type: 'sealed', durationMs: 33.4, closing: Buffer.alloc(16).toString('base64') },
  ended: {
    type: 'ended',
    durationMs: 1000,
    clear: { bytes: 10, sha256: Buffer.alloc(32).toString('base64') },
    stored: { bytes: 20, sha256: '' },
  },
  fileBegan: { type: 'fileBegan', file: 0, streamId: 'camera', container: 'webm', startMs: 0 },
  fileEnded: { type: 'fileEnded', file: 999, bytes: 10, headBytes: 5, crc32: 2 ** 32 - 1, stopMs: 40 },
  failed: { type: 'failed', cause: 'memory', why: 'x'.repeat(limits.archiveReportChars) },
};

test('what a recorder says is taken as it is; a text in it has archiveReportChars', () => {
  for (const report of Object.values(reports)) assert.deepEqual(checkedReport(report), report);
});

const numbers = [Number.NaN, null, '12', -1, Number.POSITIVE_INFINITY, 1e300, undefined, {}];
const wrongReports: [string, object][] = [
  ...numbers.map((durationMs): [string, object] => ['sealed', { durationMs }]),
  ...numbers.map((durationMs): [string, object] => ['ended', { durationMs }]),
  ...numbers.map((bytes): [string, object] => ['ended', { clear: { bytes, sha256: '' } }]),
  ...numbers.map((startMs): [string, object] => ['fileBegan', { startMs }]),
  ...numbers.map((crc32): [string, object] => ['fileEnded', { crc32 }]),
  ['ended', { stored: undefined }],
  ['ended', { clear: { bytes: 1, sha256: 'A'.repeat(48) } }],
  ['opened', { password: 'no base64!' }],
  ['opened', { password: 'A'.repeat(limits.archivePasswordChars + 4) }],
  ['sealed', { closing: 'AAAA' }],
  ['keyFrame', { streamId: 'x'.repeat(limits.archiveReportChars + 1) }],
  ['failed', { why: 'x'.repeat(limits.archiveReportChars + 1) }],
  ['failed', { cause: 'diskFull' }],
  ['fileBegan', { container: 'exe' }],
  ['fileBegan', { file: limits.archiveFiles + 1 }],
  ['advanced', { more: 1 }],
  ['advanced', { type: 'other' }],
];

test('what no recorder says is FrameInvalid', () => {
  for (const [type, change] of wrongReports) {
    assert.throws(
      () => checkedReport({ ...reports[type], ...change }),
      (error) => isRefusal(error, 'FrameInvalid', /no recorder makes/),
      `${type} ${JSON.stringify(change)}`,
    );
  }
  for (const nothing of [null, 1, 'sealed', [], {}]) assert.throws(() => checkedReport(nothing), PlatformError);
});
