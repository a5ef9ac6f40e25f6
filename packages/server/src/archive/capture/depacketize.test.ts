import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  AV_CODEC_ID_H264,
  AV_CODEC_ID_VP8,
  AV_CODEC_ID_VP9,
  FF_ENCODER_LIBVPX_VP8,
  FF_ENCODER_LIBVPX_VP9,
  FF_ENCODER_LIBX264,
} from 'node-av/constants';
import { decodePictures, encodeNoise } from '../compose/codec-fixtures.ts';
import { seed } from '../seal/archive-fixtures.ts';
import { type Depacketize, depacketizers } from './depacketize.ts';

const [vp8, vp9, h264] = ['video/vp8', 'video/vp9', 'video/h264'].map((name) => depacketizers[name] as Depacketize) as [
  Depacketize,
  Depacketize,
  Depacketize,
];
const bytes = (...values: number[]) => Buffer.from(values);

function cut(data: Buffer, size: number): Buffer[] {
  const parts: Buffer[] = [];
  for (let from = 0; from < data.length; from += size) parts.push(data.subarray(from, from + size));
  return parts;
}

/** RFC 7741, 4.2: a picture id of 15 bits, a layer and a key frame index, as browsers send them. */
function packVp8(picture: Buffer, size: number): Buffer[] {
  return cut(picture, size).map((part, index) =>
    Buffer.concat([bytes(index === 0 ? 0x90 : 0x80, 0xf0, 0x81, 0x02, 7, 0x21), part]),
  );
}

/** RFC 9628, 4.2: not flexible; a key frame tells its sizes and its group of pictures. */
function packVp9(picture: Buffer, size: number, key: boolean): Buffer[] {
  const parts = cut(picture, size);
  return parts.map((part, index) => {
    const [begins, ends] = [index === 0, index === parts.length - 1];
    const first = 0xa0 | (key ? 0 : 0x40) | (begins ? 0x08 : 0) | (ends ? 0x04 : 0) | (key && begins ? 0x02 : 0);
    const structure = key && begins ? [0x18, 0, 64, 0, 64, 1, 0x04, 1] : [];
    return Buffer.concat([bytes(first, 0x81, 0x02, 0, 5, ...structure), part]);
  });
}

/** The NAL units of a picture in ITU-T H.264's annex B. */
function unitsOf(picture: Buffer): Buffer[] {
  const starts: [number, number][] = [];
  for (let at = 0; at + 3 <= picture.length; at += 1) {
    if (picture.readUIntBE(at, 3) !== 1) continue;
    starts.push([at > 0 && picture[at - 1] === 0 ? at - 1 : at, at + 3]);
  }
  return starts.map(([, from], index) => picture.subarray(from, starts[index + 1]?.[0] ?? picture.length));
}

const stapA = (...units: Buffer[]) =>
  Buffer.concat([bytes(0x78), ...units.flatMap((unit) => [bytes(unit.length >> 8, unit.length & 0xff), unit])]);

function fuA(unit: Buffer, size: number): Buffer[] {
  const head = unit.readUInt8(0);
  const parts = cut(unit.subarray(1), size);
  return parts.map((part, index) => {
    const flags = (index === 0 ? 0x80 : 0) | (index === parts.length - 1 ? 0x40 : 0);
    return Buffer.concat([bytes((head & 0xe0) | 28, flags | (head & 0x1f)), part]);
  });
}

/** What is small together in a STAP-A, what is large in FU-As (RFC 6184, 5.7 and 5.8). */
function packH264(picture: Buffer, size: number): Buffer[] {
  const units = unitsOf(picture);
  const small = units.filter((unit) => unit.length < 100);
  const large = units.filter((unit) => unit.length >= 100);
  assert.ok(large.length > 0);
  return [...(small.length > 0 ? [stapA(...small)] : []), ...large.flatMap((unit) => fuA(unit, size))];
}

const pictures = { width: 64, height: 64 };

test('VP8 of a real encoder, cut into packets, is the same picture', () => {
  const options = { deadline: 'realtime', 'lag-in-frames': '0' };
  const made = encodeNoise({ encoder: FF_ENCODER_LIBVPX_VP8, ...pictures, options }, 4);
  const whole = made.map((picture) => vp8(packVp8(picture, 300)));
  assert.ok(packVp8(made[0] as Buffer, 300).length > 2);
  assert.deepEqual(
    whole.map((picture) => picture?.key),
    [true, false, false, false],
  );
  const decoded = decodePictures(
    AV_CODEC_ID_VP8,
    whole.map((picture) => picture?.data as Buffer),
  );
  assert.equal(decoded.length, 4);
  assert.deepEqual(decoded, decodePictures(AV_CODEC_ID_VP8, made));
});

test('VP9 of a real encoder, cut into packets, is the same picture', () => {
  const options = { deadline: 'realtime', 'lag-in-frames': '0', 'cpu-used': '8' };
  const made = encodeNoise({ encoder: FF_ENCODER_LIBVPX_VP9, ...pictures, options }, 4);
  const whole = made.map((picture, index) => vp9(packVp9(picture, 300, index === 0)));
  assert.deepEqual(
    whole.map((picture) => picture?.key),
    [true, false, false, false],
  );
  const decoded = decodePictures(
    AV_CODEC_ID_VP9,
    whole.map((picture) => picture?.data as Buffer),
  );
  assert.equal(decoded.length, 4);
  assert.deepEqual(decoded, decodePictures(AV_CODEC_ID_VP9, made));
});

/** RFC 9628, 4.2: each layer's frame begins and ends on its own; the layers above the lowest lean on the one below. */
function packLayers(frames: readonly Buffer[], size: number, key: boolean): Buffer[] {
  return frames.flatMap((frame, spatial) => {
    const parts = cut(frame, size);
    return parts.map((part, index) => {
      const ends = (index === 0 ? 0x08 : 0) | (index === parts.length - 1 ? 0x04 : 0);
      return Buffer.concat([bytes(0xa0 | (key ? 0 : 0x40) | ends, 5, (spatial << 1) | (spatial > 0 ? 1 : 0), 7), part]);
    });
  });
}

test('VP9 with three spatial layers: all frames of a picture are decoded, the top one last', () => {
  const options = { deadline: 'realtime', 'lag-in-frames': '0', 'cpu-used': '8' };
  const made = encodeNoise({ encoder: FF_ENCODER_LIBVPX_VP9, ...pictures, options }, 12);
  const layered = [0, 3, 6, 9].map((first) => made.slice(first, first + 3));
  const whole = layered.map((frames, index) => vp9(packLayers(frames, 300, index === 0)));
  assert.deepEqual(
    whole.map((picture) => picture?.key),
    [true, false, false, false],
  );
  const expected = decodePictures(AV_CODEC_ID_VP9, made);
  assert.equal(expected.length, 12);
  const data = whole.map((picture) => picture?.data as Buffer);
  assert.deepEqual(decodePictures(AV_CODEC_ID_VP9, data), expected);
  // Without their sizes behind them the decoder sees the first frame of each alone.
  const joined = layered.map((frames) => Buffer.concat(frames));
  assert.notDeepEqual(decodePictures(AV_CODEC_ID_VP9, joined), expected);
});

test('frames of a VP9 picture stand together with their sizes behind them, in as many bytes as the longest takes', () => {
  const frames = (...lengths: number[]) => lengths.map((length, index) => Buffer.alloc(length, index + 1));
  const picture = (...all: Buffer[]) => vp9(packLayers(all, 70_000, true))?.data ?? null;
  const [one] = frames(5) as [Buffer];
  assert.deepEqual(picture(one), one);
  for (const [lengths, index] of [
    [
      [3, 255],
      [0xc1, 3, 255, 0xc1],
    ],
    [
      [3, 256],
      [0xc9, 3, 0, 0, 1, 0xc9],
    ],
    [
      [65_535, 2, 1],
      [0xca, 0xff, 0xff, 2, 0, 1, 0, 0xca],
    ],
    [
      [65_536, 2],
      [0xd1, 0, 0, 1, 2, 0, 0, 0xd1],
    ],
  ] as const) {
    const all = frames(...lengths);
    assert.deepEqual(picture(...all), Buffer.concat([...all, bytes(...index)]), `${lengths}`);
  }
  assert.equal(picture(...frames(1, 1, 1, 1, 1, 1, 1, 1))?.length, 8 + 10);
  assert.equal(picture(...frames(1, 1, 1, 1, 1, 1, 1, 1, 1)), null, 'more than a superframe can have');
  assert.equal(vp9([bytes(0x00, 0xaa)]), null, 'no beginning');
  assert.equal(vp9([bytes(0x04, 0xaa), bytes(0x08, 0xbb)]), null, 'the beginning of the first is missing');
});

test('H.264 of a real encoder, in a STAP-A and FU-As, is the same picture', () => {
  const options = { preset: 'ultrafast', tune: 'zerolatency' };
  const made = encodeNoise({ encoder: FF_ENCODER_LIBX264, ...pictures, options }, 4);
  const whole = made.map((picture) => h264(packH264(picture, 300)));
  assert.deepEqual(
    whole.map((picture) => picture?.key),
    [true, false, false, false],
  );
  const decoded = decodePictures(
    AV_CODEC_ID_H264,
    whole.map((picture) => picture?.data as Buffer),
  );
  assert.equal(decoded.length, 4);
  assert.deepEqual(decoded, decodePictures(AV_CODEC_ID_H264, made));
});

test('a VP8 descriptor has from one to six bytes (RFC 7741, 4.2)', () => {
  const heads = [
    [0x10],
    [0x90, 0x00],
    [0x90, 0x80, 0x05],
    [0x90, 0x80, 0x85, 0x01],
    [0x90, 0x40, 7],
    [0x90, 0x20, 0x40],
    [0x90, 0x30, 0x41],
    [0x90, 0xf0, 0x85, 0x01, 7, 0x41],
  ];
  for (const head of heads) {
    assert.deepEqual(vp8([bytes(...head, 0xaa, 0xbb)])?.data, bytes(0xaa, 0xbb));
    assert.equal(vp8([bytes(...head)]), null, 'no picture behind it');
  }
});

test('a VP8 picture begins with its first partition; its first bit says whether it is a key frame', () => {
  assert.equal(vp8([bytes(0x00, 0xaa)]), null, 'no beginning');
  assert.equal(vp8([bytes(0x11, 0xaa)]), null, 'the beginning of another partition');
  assert.equal(vp8([bytes(0x10, 0xaa), bytes(0x10)]), null, 'an empty part');
  assert.deepEqual(vp8([bytes(0x10, 0xaa), bytes(0x11, 0xbb)]), { data: bytes(0xaa, 0xbb), key: true });
  assert.deepEqual(vp8([bytes(0x10, 0xab)]), { data: bytes(0xab), key: false });
  assert.equal(vp8([]), null);
});

test('a VP9 descriptor: picture id, layers, references, scalability (RFC 9628, 4.2)', () => {
  const heads: [number[], boolean][] = [
    [[0x08], true],
    [[0x88, 0x05], true],
    [[0x88, 0x85, 0x01], true],
    [[0xa8, 0x05, 0x00, 0x07], true],
    [[0xb8, 0x05, 0x00], true],
    [[0x98, 0x05], true],
    [[0xd8, 0x05, 0x02], false],
    [[0xd8, 0x05, 0x03, 0x05, 0x06], false],
    [[0xd8, 0x05, 0x03, 0x05, 0x07], false],
    [[0xa8, 0x05, 0x02, 0x07], false],
    [[0x48], false],
    [[0x0a, 0x00], true],
    [[0x0a, 0x30, 0, 1, 0, 1, 0, 2, 0, 2], true],
    [[0x0a, 0x08, 2, 0x00, 0x08, 1, 2], true],
  ];
  for (const [head, key] of heads) {
    assert.deepEqual(vp9([bytes(...head, 0xaa, 0xbb)]), { data: bytes(0xaa, 0xbb), key }, `${head}`);
    for (let length = 0; length <= head.length; length += 1) {
      const short = vp9([bytes(...head.slice(0, length))]);
      assert.equal(short, null, `${length} bytes of ${head}`);
    }
  }
});

test('H.264 units come alone, together in a STAP-A, or in parts; only an IDR picture is a key frame', () => {
  const [sps, pps, idr, slice] = [bytes(0x67, 1), bytes(0x68, 2), bytes(0x65, 3, 4, 5), bytes(0x41, 6, 7)];
  const start = bytes(0, 0, 0, 1);
  const joined = (...units: Buffer[]) => Buffer.concat(units.flatMap((unit) => [start, unit]));
  assert.deepEqual(h264([slice]), { data: joined(slice), key: false });
  assert.deepEqual(h264([idr]), { data: joined(idr), key: true });
  assert.deepEqual(h264([stapA(sps, pps, idr)]), { data: joined(sps, pps, idr), key: true });
  assert.deepEqual(h264([stapA(sps, pps), ...fuA(idr, 1)]), { data: joined(sps, pps, idr), key: true });
  assert.deepEqual(h264([...fuA(slice, 1), slice]), { data: joined(slice, slice), key: false });
});

test('H.264 parts in a wrong order, or none, are no picture', () => {
  const [first, middle, last] = fuA(bytes(0x65, 1, 2, 3), 1) as [Buffer, Buffer, Buffer];
  const slice = bytes(0x41, 6, 7);
  assert.ok(h264([first, middle, last]));
  const wrong: Buffer[][] = [
    [],
    [first],
    [first, middle],
    [middle, last],
    [last],
    [first, first, last],
    [first, last, last],
    [first, slice, last],
    [first, stapA(slice), last],
    [first.subarray(0, 2), last],
    [bytes()],
    [bytes(0x00, 1)],
    [bytes(0x7d, 1)],
    [stapA()],
    [stapA(slice, bytes())],
    [stapA(slice).subarray(0, 5)],
    [Buffer.concat([stapA(slice), bytes(0)])],
  ];
  for (const payloads of wrong) assert.equal(h264(payloads), null, payloads.map((each) => each.toString('hex')).join());
});

const data = fc.uint8Array({ minLength: 1, maxLength: 60 }).map((each) => Buffer.from(each));

test('property: a picture that is cut anywhere comes out whole', () => {
  fc.assert(
    fc.property(data, fc.integer({ min: 1, max: 20 }), fc.boolean(), (picture, size, key) => {
      const key8 = (picture.readUInt8(0) & 1) === 0;
      assert.deepEqual(vp8(packVp8(picture, size)), { data: picture, key: key8 });
      assert.deepEqual(vp9(packVp9(picture, size, key)), { data: picture, key });
      const unit = Buffer.concat([bytes(key ? 0x65 : 0x41), picture]);
      const inPackets = [...fuA(unit, size), unit, stapA(unit, unit)];
      const start = bytes(0, 0, 0, 1);
      const all = Buffer.concat([start, unit, start, unit, start, unit, start, unit]);
      const expected = picture.length > size ? { data: all, key } : null;
      // A unit in one part has its beginning and its end in it, which RFC 6184, 5.8 forbids to send.
      if (expected) assert.deepEqual(h264(inPackets), expected);
    }),
    { seed },
  );
});

test('property: no payloads make one throw, and nothing comes out that did not go in', () => {
  const start = fc.constantFrom(0x10, 0x90, 0x88, 0xaa, 0x78, 0x7c, 0x5c, 0x65, 0x1c, 0x18);
  const likely = fc.tuple(start, fc.uint8Array({ maxLength: 12 })).map(([first, rest]) => bytes(first, ...rest));
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 12 }).map((each) => Buffer.from(each)),
    likely,
  );
  fc.assert(
    fc.property(fc.array(payload, { maxLength: 5 }), (payloads) => {
      const most = payloads.reduce((sum, each) => sum + each.length, 0);
      for (const [picture, more] of [
        [vp8(payloads), 0],
        // Sizes of its frames.
        [vp9(payloads), payloads.length + 2],
        // Start codes take the place of lengths of two bytes, or are added.
        [h264(payloads), 4 * most],
      ] as const) {
        if (picture) assert.ok(picture.data.length > 0 && picture.data.length <= most + more);
      }
    }),
    { seed, numRuns: 2000 },
  );
});
