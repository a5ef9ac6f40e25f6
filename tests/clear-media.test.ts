/** The scanner for clear media: it finds each form of it within noise, and nothing in noise alone. */
import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { test } from 'node:test';
import { forms, KnownBytes, MARKER } from './rig/clear-media.ts';

/** As good as cipher text, and the same every time. */
function noise(bytes: number): Buffer {
  return createCipheriv('aes-256-ctr', Buffer.alloc(32, 7), Buffer.alloc(16)).update(Buffer.alloc(bytes));
}

const samples = (count: number, channels: number) =>
  Array.from(
    { length: count * channels },
    (_, index) => 0.2 * Math.sin((2 * Math.PI * MARKER.hertz * Math.floor(index / channels)) / 48_000),
  );

function wide(
  values: readonly number[],
  write: (bytes: Buffer, value: number, at: number) => void,
  width: number,
): Buffer {
  const bytes = Buffer.alloc(values.length * width);
  for (const [index, value] of values.entries()) write(bytes, value, index * width);
  return bytes;
}

const le16 = (bytes: Buffer, value: number, at: number) => void bytes.writeInt16LE(Math.round(value * 32_767), at);
const be16 = (bytes: Buffer, value: number, at: number) => void bytes.writeInt16BE(Math.round(value * 32_767), at);
const floats = (bytes: Buffer, value: number, at: number) => void bytes.writeFloatLE(value, at);

function transport(): Buffer {
  const packets = noise(188 * 5);
  for (let at = 0; at < packets.length; at += 188) Buffer.from([0x47, 0x41, 0x00, 0x30]).copy(packets, at);
  return packets;
}

const examples: readonly (readonly [string, Buffer])[] = [
  ['packets of MPEG-TS', transport()],
  ['a NAL unit', Buffer.from('0000000167640020', 'hex')],
  ['a NAL unit', Buffer.from('00000165888400', 'hex')],
  ['a box of MP4', Buffer.from('\0\0\x01\x20moof\0\0\0\x10mfhd', 'latin1')],
  ['a head of WebM or Matroska', Buffer.from('1a45dfa39f4286810142f78101', 'hex')],
  ['a head of Ogg', Buffer.from('OggS\0\x02', 'latin1')],
  ['samples of the tone', wide(samples(960, 1), le16, 2)],
  ['samples of the tone', wide(samples(960, 2), be16, 2)],
  ['samples of the tone', wide(samples(960, 2), floats, 4)],
  [
    'samples of the picture',
    Buffer.from(Array.from({ length: 640 }, (_, x) => (Math.floor(x / MARKER.stripe) & 1 ? 175 : 63))),
  ],
];

test('each form of clear media is found within noise, wherever it begins', () => {
  for (const [what, example] of examples) {
    for (const before of [0, 1, 1001]) {
      const bytes = Buffer.concat([noise(before), example, noise(777)]);
      assert.ok((forms[what] as (bytes: Buffer) => number)(bytes) >= 0, `${what} after ${before} bytes`);
    }
  }
});

test('noise has none of it', () => {
  const bytes = noise(4_000_000);
  for (const [what, find] of Object.entries(forms)) assert.equal(find(bytes), -1, what);
  for (const length of [0, 1, 3])
    for (const find of Object.values(forms)) assert.equal(find(bytes.subarray(0, length)), -1);
});

test('known bytes are found wherever they begin, and only where there are enough of them', () => {
  const known = new KnownBytes();
  const clear = noise(10_000).subarray(3000, 3400);
  known.add(clear);
  assert.equal(known.size, 25);
  const other = noise(100_000).subarray(50_000);
  assert.equal(known.findIn(other), -1);
  for (const from of [0, 1, 15, 100]) {
    const bytes = Buffer.concat([other.subarray(0, 77), clear.subarray(from, from + 31), other]);
    const at = known.findIn(bytes);
    assert.ok(at >= 77 && at < 77 + 16, `${at} for ${from}`);
  }
  assert.equal(known.findIn(Buffer.concat([other, clear.subarray(1, 16), other])), -1);
});

test('filling is nothing that is known', () => {
  const known = new KnownBytes();
  known.add(Buffer.alloc(1000, 0xff));
  known.add(Buffer.from('abababababababababababababababab'));
  assert.equal(known.size, 0);
});
