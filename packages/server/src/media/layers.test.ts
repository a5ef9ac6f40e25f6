import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseLayers, ladderOf } from './layers.ts';

const hd = { width: 1280, height: 720 };
const simulcast = [1, 2, 3].map((ssrc) => ({ ssrc, scalabilityMode: 'L1T3' }));

test('three simulcast layers are halves of each other, and temporal layers halves of the rate', () => {
  assert.deepEqual(ladderOf(simulcast, hd, 30), {
    sizes: [
      { width: 320, height: 180 },
      { width: 640, height: 360 },
      { width: 1280, height: 720 },
    ],
    rates: [7.5, 15, 30],
  });
});

test('scales that the publisher names are used', () => {
  const encodings = [{ scaleResolutionDownBy: 3 }, { scaleResolutionDownBy: 1 }];
  assert.deepEqual(
    ladderOf(encodings, { width: 1920, height: 1080 }, 30).sizes.map(({ width }) => width),
    [640, 1920],
  );
});

test('SVC has its layers in one encoding; a plain stream has one', () => {
  assert.equal(ladderOf([{ scalabilityMode: 'L3T3_KEY' }], hd, 30).sizes.length, 3);
  assert.deepEqual(ladderOf([{}], hd, 30), { sizes: [hd], rates: [30] });
});

test('a subscriber gets the lowest layer that is as large as it asks for', () => {
  const ladder = ladderOf(simulcast, hd, 30);
  const spatial = (width?: number, height?: number) => chooseLayers(ladder, { width, height }).spatialLayer;
  assert.equal(spatial(320, 180), 0);
  assert.equal(spatial(321, 181), 0);
  assert.equal(spatial(400, 225), 1);
  assert.equal(spatial(640, 360), 1);
  assert.equal(spatial(1280, 720), 2);
  assert.equal(spatial(4000, 3000), 2);
  assert.equal(spatial(320), 0);
  assert.equal(spatial(undefined, 360), 1);
  assert.equal(spatial(), 2);
});

test('no preference is the top; a preferred rate lowers the temporal layer alone', () => {
  const ladder = ladderOf(simulcast, hd, 30);
  assert.deepEqual(chooseLayers(ladder, null), { spatialLayer: 2, temporalLayer: 2 });
  assert.deepEqual(chooseLayers(ladder, { frameRate: 15 }), { spatialLayer: 2, temporalLayer: 1 });
  assert.deepEqual(chooseLayers(ladder, { frameRate: 7 }), { spatialLayer: 2, temporalLayer: 0 });
  assert.deepEqual(chooseLayers(ladder, { frameRate: 60 }), { spatialLayer: 2, temporalLayer: 2 });
});

test('a stream whose size is not known gives the top layer', () => {
  const ladder = ladderOf(simulcast, { width: 0, height: 0 }, 30);
  assert.equal(chooseLayers(ladder, { width: 320, height: 180 }).spatialLayer, 2);
});
