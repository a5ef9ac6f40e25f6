import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FF_ENCODER_LIBVPX_VP8 } from 'node-av/constants';
import { giveBack } from '../../lib/index.ts';
import { Canvas } from './canvas.ts';
import { encodeNoise, frameOf } from './codec-fixtures.ts';
import { Picture } from './picture.ts';
import { letGo } from './planes.ts';

const box = { x: 0, y: 0, width: 64, height: 48 };

test('memory of their own is given back, and what others share it with stays', () => {
  const own = Buffer.allocUnsafeSlow(70_000);
  giveBack(own);
  assert.equal(own.length, 0);
  const whole = Buffer.alloc(70_000, 7);
  giveBack(whole.subarray(1));
  assert.equal(whole[69_999], 7);
  const pooled = Buffer.from('some text');
  giveBack(pooled);
  assert.equal(pooled.toString(), 'some text');
});

test('a frame that was let go is empty, and takes another picture', () => {
  const frame = frameOf(64, 48, [81, 90, 240]);
  const seen = frame.data as Buffer[];
  assert.equal(seen[0]?.[0], 81);
  letGo(frame);
  assert.deepEqual(
    seen.map(({ length }) => length),
    [0, 0, 0],
  );
  assert.equal(frame.data, null);
  const other = frameOf(64, 48, [145, 54, 34]);
  assert.ok(frame.ref(other) >= 0);
  assert.equal(frame.data?.[0]?.[0], 145);
  frame.free();
  other.free();
});

test('pictures that were drawn and are over leave nothing behind until the next garbage collection', () => {
  const [width, height, count] = [640, 480, 90];
  const options = { deadline: 'realtime', 'cpu-used': '8' };
  const pictures = encodeNoise({ encoder: FF_ENCODER_LIBVPX_VP8, width, height, options }, 30);
  const canvas = new Canvas(64, 48);
  const picture = new Picture();
  picture.useCodec('video/vp8');
  const before = process.memoryUsage().external;
  for (let index = 0; index < count; index += 1) {
    assert.equal(picture.decode(pictures[index % pictures.length] as Buffer), true);
    assert.equal(picture.draw(canvas, box, 'contain'), true);
    // Drawn over and over while it lasts: its planes are still there.
    assert.equal(picture.draw(canvas, box, 'cover'), true);
  }
  // All of them would be 40 MB, of which a collection in between may have taken some.
  const grown = process.memoryUsage().external - before;
  assert.ok(grown < 5 * width * height * 1.5, `${grown} bytes more`);
  picture.close();
  canvas.free();
});
