import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bitrateFor,
  chooseCodec,
  layerCount,
  noWishes,
  type PictureSource,
  planLayers,
  totalBitrate,
} from './encodings.ts';

function picture(width: number, height: number, more: Partial<PictureSource> = {}): PictureSource {
  return {
    dimensions: { width, height },
    frameRate: 30,
    videoType: 'camera',
    codec: 'vp8',
    scalable: true,
    svc: true,
    ...more,
  };
}

function sizes(source: PictureSource, wishes = noWishes): string[] {
  const { width, height } = source.dimensions;
  return planLayers(source, wishes).map(({ scaleResolutionDownBy: by }) => `${width / by}x${height / by}`);
}

test('a camera has as many layers as its picture is worth', () => {
  assert.deepEqual(sizes(picture(1280, 720)), ['320x180', '640x360', '1280x720']);
  assert.deepEqual(sizes(picture(640, 480)), ['320x240', '640x480']);
  assert.deepEqual(sizes(picture(320, 240)), ['320x240']);
  assert.equal(layerCount(picture(720, 1280)), 3);
  assert.equal(layerCount(picture(960, 540)), 3);
  assert.equal(layerCount(picture(959, 540)), 2);
  assert.equal(layerCount(picture(480, 360)), 2);
  assert.equal(layerCount(picture(479, 360)), 1);
});

test('scalableVideo false means one layer', () => {
  assert.equal(layerCount(picture(1280, 720, { scalable: false })), 1);
});

test('a screen has one layer, or two when it is scalable', () => {
  const screen = picture(1920, 1080, { videoType: 'screen', frameRate: 5 });
  assert.equal(layerCount({ ...screen, scalable: false }), 1);
  assert.deepEqual(sizes(screen), ['960x540', '1920x1080']);
});

test('a shared screen at five frames a second fits into one megabit', () => {
  assert.ok(bitrateFor({ width: 1920, height: 1080 }, 5) <= 1_050_000);
});

test('larger pictures take more bits, but less than in proportion', () => {
  const small = bitrateFor({ width: 320, height: 180 }, 30);
  const large = bitrateFor({ width: 1280, height: 720 }, 30);
  assert.equal(small, 170_000);
  assert.equal(large, 1_360_000);
});

test('VP8 layers have three temporal ones, H.264 none, VP9 puts its spatial ones into one stream', () => {
  const modes = (source: PictureSource) => planLayers(source, noWishes).map(({ scalabilityMode }) => scalabilityMode);
  assert.deepEqual(modes(picture(1280, 720)), ['L1T3', 'L1T3', 'L1T3']);
  assert.deepEqual(modes(picture(640, 480, { codec: 'h264' })), ['L1T1', 'L1T1']);
  assert.deepEqual(modes(picture(1280, 720, { codec: 'vp9' })), ['L3T3_KEY']);
  assert.deepEqual(modes(picture(1280, 720, { codec: 'vp9', svc: false })), ['L1T3']);
});

test('layers above the highest wanted one rest; none is sent when nothing is wanted', () => {
  const active = (change: Partial<typeof noWishes>) =>
    planLayers(picture(1280, 720), { ...noWishes, ...change }).map((plan) => plan.active);
  assert.deepEqual(active({ spatialMax: 0 }), [true, false, false]);
  assert.deepEqual(active({ spatialMax: 2 }), [true, true, true]);
  assert.deepEqual(active({ spatialMax: -1 }), [false, false, false]);
  assert.deepEqual(active({ sending: false }), [false, false, false]);
});

test('a preferred resolution shrinks every layer and never enlarges', () => {
  const wish = (width: number, height: number) => ({ ...noWishes, preferredResolution: { width, height } });
  assert.deepEqual(sizes(picture(1280, 720), wish(640, 360)), ['160x90', '320x180', '640x360']);
  assert.deepEqual(sizes(picture(640, 480), wish(1920, 1080)), ['320x240', '640x480']);
});

test('a preferred frame rate counts when it is lower', () => {
  const rate = (preferredFrameRate: number) =>
    planLayers(picture(640, 480), { ...noWishes, preferredFrameRate })[0]?.maxFramerate;
  assert.equal(rate(7), 7);
  assert.equal(rate(60), 30);
});

test('a limit is shared by the layers, a preset lowers each', () => {
  const limited = planLayers(picture(1280, 720), { ...noWishes, maxBitrate: 500_000 });
  assert.ok(Math.abs(totalBitrate(limited) - 500_000) <= 3);
  const normal = planLayers(picture(1280, 720), noWishes);
  const saver = planLayers(picture(1280, 720), { ...noWishes, preset: 'bw_saver' });
  const extra = planLayers(picture(1280, 720), { ...noWishes, preset: 'extra_bw_saver' });
  assert.ok(totalBitrate(extra) < totalBitrate(saver) && totalBitrate(saver) < totalBitrate(normal));
});

test('the codec is the first preferred one that is offered, else VP8', () => {
  const offered = new Set(['audio/opus', 'video/vp8', 'video/h264']);
  assert.equal(chooseCodec(undefined, offered), 'vp8');
  assert.equal(chooseCodec('automatic', offered), 'vp8');
  assert.equal(chooseCodec(['vp9', 'h264', 'vp8'], offered), 'h264');
  assert.equal(chooseCodec(['vp9'], offered), 'vp8');
});
