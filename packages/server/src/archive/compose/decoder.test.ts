import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import { Codec, CodecContext, Frame, Packet, Rational } from 'node-av';
import {
  AV_PIX_FMT_YUV420P,
  FF_ENCODER_LIBVPX_VP8,
  FF_ENCODER_LIBVPX_VP9,
  FF_ENCODER_LIBX264,
  type FFVideoEncoder,
} from 'node-av/constants';
import { readKeyFrame } from '../separate/key-frame.ts';
import { Picture } from './picture.ts';

const vpx = { deadline: 'realtime', 'cpu-used': '8', 'lag-in-frames': '0' };
const codecs: readonly [string, FFVideoEncoder, Readonly<Record<string, string>>][] = [
  ['video/vp8', FF_ENCODER_LIBVPX_VP8, vpx],
  ['video/vp9', FF_ENCODER_LIBVPX_VP9, vpx],
  ['video/h264', FF_ENCODER_LIBX264, { preset: 'ultrafast', tune: 'zerolatency' }],
];

/** A picture of this size that needs no other. */
function keyFrame(
  [, encoder, options]: (typeof codecs)[number],
  { width, height }: { readonly width: number; readonly height: number },
): Buffer {
  const codec = Codec.findEncoderByName(encoder) as Codec;
  const context = new CodecContext();
  context.allocContext3(codec);
  Object.assign(context, { width, height, pixelFormat: AV_PIX_FMT_YUV420P, gopSize: 1 });
  context.timeBase = new Rational(1, 30);
  for (const [name, value] of Object.entries(options)) context.setOption(name, value);
  context.open2Sync(codec);
  const [frame, packet] = [new Frame(), new Packet()];
  frame.alloc();
  packet.alloc();
  Object.assign(frame, { width, height, format: AV_PIX_FMT_YUV420P });
  frame.getBuffer(32);
  for (const plane of frame.data ?? []) plane.fill(100);
  frame.pts = 0n;
  context.sendFrameSync(frame);
  assert.ok(context.receivePacketSync(packet) >= 0);
  const data = Buffer.from(packet.data as Buffer);
  packet.free();
  frame.free();
  context.freeContext();
  return data;
}

const most = { width: 4096, height: limits.archivePicturePixels / 4096 };
const larger = { width: most.width, height: most.height + 2 };
const small = { width: 320, height: 240 };

for (const codec of codecs) {
  const [mimeType] = codec;
  test(`a picture of archivePicturePixels is decoded, and one past it is left out (${mimeType})`, () => {
    const picture = new Picture();
    picture.useCodec(mimeType);
    assert.deepEqual([picture.decode(keyFrame(codec, most)), picture.tooLarge, picture.shown], [true, false, true]);
    assert.equal(picture.decode(keyFrame(codec, larger)), null);
    assert.deepEqual([picture.tooLarge, picture.shown], [true, false], 'the one before is not shown in its place');
    assert.deepEqual([picture.decode(keyFrame(codec, small)), picture.tooLarge, picture.shown], [true, false, true]);
    picture.close();
  });

  test(`its size is read up to there for a file of its own (${mimeType})`, () => {
    const track = readKeyFrame(mimeType, keyFrame(codec, most));
    assert.ok(track && track !== 'too large');
    assert.deepEqual([track.width, track.height], [most.width, most.height]);
    assert.equal(readKeyFrame(mimeType, keyFrame(codec, larger)), 'too large');
  });
}

test('what is broken is not too large', () => {
  const picture = new Picture();
  picture.useCodec('video/vp8');
  const broken = keyFrame(codecs[0]!, small);
  broken.fill(0xff, 12);
  assert.equal(picture.decode(broken), null);
  assert.equal(picture.tooLarge, false);
  picture.close();
});
