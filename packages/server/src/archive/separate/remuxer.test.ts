/** Files of single streams, read back by FFmpeg's own demuxers and decoders. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  FF_ENCODER_LIBVPX_VP8,
  FF_ENCODER_LIBVPX_VP9,
  FF_ENCODER_LIBX264,
  type FFEncoderCodec,
} from 'node-av/constants';
import { parseRtp } from '../../lib/index.ts';
import { decodeRecording, encodeNoise, hertzOf, loudness } from '../compose/codec-fixtures.ts';
import { publish } from '../record/recorder-fixtures.ts';
import { readKeyFrame } from './key-frame.ts';
import { type FileUnit, Remuxer } from './remuxer.ts';

const size = { width: 192, height: 112 };

interface Made {
  /** As it was given out, and with the last head in the place of the first. */
  readonly first: Buffer;
  readonly final: Buffer;
  readonly headBytes: number;
  readonly parts: readonly Buffer[];
}

async function remuxed(mimeType: string | null, sound: boolean, units: readonly FileUnit[]): Promise<Made> {
  const key = units.find(({ kind }) => kind === 'video');
  const picture = mimeType === null ? null : readKeyFrame(mimeType, key?.data as Buffer);
  assert.ok(picture !== 'too large');
  assert.deepEqual(picture && { width: picture.width, height: picture.height }, mimeType === null ? null : size);
  const container = mimeType === 'video/h264' ? 'matroska' : 'webm';
  const parts: Buffer[] = [];
  let headBytes = 0;
  const write = (bytes: Buffer, ofHead: boolean) => {
    parts.push(bytes);
    if (ofHead) headBytes += bytes.length;
  };
  const remuxer = new Remuxer({ container, picture, sound, write });
  for (const unit of units) remuxer.write(unit);
  await remuxer.drained();
  const head = await remuxer.close();
  assert.equal(head.length, headBytes);
  const first = Buffer.concat(parts);
  return { first, final: Buffer.concat([head, first.subarray(headBytes)]), headBytes, parts };
}

function pictures(encoder: FFEncoderCodec, count: number, ms: (index: number) => number): FileUnit[] {
  const options: Record<string, string> =
    encoder === FF_ENCODER_LIBX264
      ? { preset: 'ultrafast', tune: 'zerolatency' }
      : { 'lag-in-frames': '0', deadline: 'realtime', 'cpu-used': '8' };
  return encodeNoise({ encoder, ...size, options }, count).map((data, index) => ({
    kind: 'video',
    ms: ms(index),
    data,
    key: index === 0,
  }));
}

/** Packets of a tone, each of 20 ms. */
function tone(hertz: number, ms: number): FileUnit[] {
  const publishing = { ...size, frameRate: 10, colour: () => [81, 90, 240] as const, tone: () => hertz };
  return publish(publishing, ms)
    .filter(({ kind }) => kind === 'audio')
    .map(({ at, packet }) => ({ kind: 'audio', ms: at, data: parseRtp(packet)?.payload as Buffer, key: true }));
}

const inOrder = (units: readonly FileUnit[]) => [...units].sort((a, b) => a.ms - b.ms);

for (const [mimeType, encoder, name] of [
  ['video/vp8', FF_ENCODER_LIBVPX_VP8, 'vp8'],
  ['video/vp9', FF_ENCODER_LIBVPX_VP9, 'vp9'],
  ['video/h264', FF_ENCODER_LIBX264, 'h264'],
] as const) {
  test(`${name}: every picture and the tone come out as they went in, at their times`, async () => {
    const units = [...pictures(encoder, 60, (index) => Math.round((index * 1000) / 30)), ...tone(700, 2000)];
    const { first, final } = await remuxed(mimeType, true, inOrder(units));
    assert.notDeepEqual(first, final);
    for (const file of [first, final]) {
      const decoded = await decodeRecording(file);
      assert.deepEqual(decoded.tracks, [`${name} 192x112`, 'opus 48000']);
      assert.deepEqual(
        decoded.pictures.map(({ ms }) => Math.round(ms)),
        Array.from({ length: 60 }, (_, index) => Math.round((index * 1000) / 30)),
      );
      const heard = decoded.sound(200, 1900);
      assert.ok(Math.abs(hertzOf(heard, 48_000) - 700) < 2, `${hertzOf(heard, 48_000)}`);
    }
  });
}

test('a gap stays one, of pictures and of sound', async () => {
  const late = (ms: number) => (ms < 1000 ? ms : ms + 40_000);
  const shifted = [...pictures(FF_ENCODER_LIBVPX_VP8, 60, (index) => index * 33), ...tone(700, 2000)].map((unit) => ({
    ...unit,
    ms: late(unit.ms),
  }));
  const { final } = await remuxed('video/vp8', true, inOrder(shifted));
  const decoded = await decodeRecording(final);
  assert.deepEqual(
    decoded.pictures.map(({ ms }) => Math.round(ms)),
    Array.from({ length: 60 }, (_, index) => late(index * 33)),
  );
  assert.ok(loudness(decoded.sound(500, 900)) > 0.1);
  assert.ok(loudness(decoded.sound(1100, 40_900)) < 0.001);
  assert.ok(loudness(decoded.sound(41_100, 41_800)) > 0.1);
});

test('what was given out until then opens, cut anywhere behind the first second', async () => {
  const units = [...pictures(FF_ENCODER_LIBVPX_VP8, 150, (index) => index * 33), ...tone(700, 5000)];
  const { first, headBytes, parts } = await remuxed('video/vp8', true, inOrder(units));
  // It comes out as it goes in, not at its end.
  assert.ok(parts.length > 4);
  for (const share of [0.5, 0.7, 0.9]) {
    const cut = first.subarray(0, headBytes + Math.floor((first.length - headBytes) * share));
    const decoded = await decodeRecording(cut);
    const expected = (share - 0.25) * 150;
    assert.ok(decoded.pictures.length > expected, `${decoded.pictures.length} pictures at ${share}`);
  }
});

test('sound alone, pictures alone; a time that goes back is held', async () => {
  const sound = await decodeRecording((await remuxed(null, true, tone(700, 1000))).final);
  assert.deepEqual(sound.tracks, ['opus 48000']);
  const units = pictures(FF_ENCODER_LIBVPX_VP8, 10, (index) => (index === 5 ? 100 : index * 33));
  const picture = await decodeRecording((await remuxed('video/vp8', false, [...units, ...tone(700, 100)])).final);
  assert.deepEqual(picture.tracks, ['vp8 192x112']);
  assert.deepEqual(
    picture.pictures.map(({ ms }) => Math.round(ms)),
    [0, 33, 66, 99, 132, 132, 198, 231, 264, 297],
  );
});

test('what does not decode, and H.264 without its parameter sets, is no first picture', () => {
  assert.equal(readKeyFrame('video/vp8', Buffer.alloc(30, 1)), null);
  assert.equal(readKeyFrame('video/none', Buffer.alloc(30, 1)), null);
  const [key] = pictures(FF_ENCODER_LIBX264, 1, () => 0);
  const data = key?.data as Buffer;
  assert.ok(readKeyFrame('video/h264', data));
  const idr = data.lastIndexOf(Buffer.from([0, 0, 0, 1]));
  assert.equal(readKeyFrame('video/h264', data.subarray(idr)), null);
});
