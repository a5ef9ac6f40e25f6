import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol/limits';
import { bestOf, PublisherQuality, type Step } from './quality.ts';

type Given = [estimate: number | null, loss: number, picture?: number];

/** Feeds one sample a second and notes the steps with the second they came in. */
function run(quality: PublisherQuality, from: number, samples: Given[]): [number, Step][] {
  return samples.flatMap(([estimateBps, audioLoss, pictureBps = null], index): [number, Step][] => {
    const step = quality.take({ now: (from + index) * 1000, estimateBps, pictureBps, audioLoss });
    return step ? [[from + index, step]] : [];
  });
}

const poor: [number, number] = [limits.publisherFallbackBps - 1, 0];
const fair: [number, number] = [limits.publisherFallbackBps, 0];
const good: [number, number] = [limits.publisherRecoverBps, 0];
const times = (count: number, sample: Given) => Array.from({ length: count }, () => sample);

test('poor for audioFallbackSeconds: a warning first, then the picture goes', () => {
  const quality = new PublisherQuality();
  const steps = run(quality, 0, times(limits.audioFallbackSeconds + 1, poor));
  assert.deepEqual(steps, [
    [0, 'warn'],
    [limits.audioFallbackSeconds, 'off'],
  ]);
  assert.equal(quality.off, true);
});

test('at the bound it is not poor', () => {
  assert.deepEqual(run(new PublisherQuality(), 0, times(10, fair)), []);
});

test('a picture that is starved is poor, also where the estimate stays above the bound', () => {
  const least = limits.publisherFallbackBps - limits.audioNeedBps;
  const floor = limits.publisherFallbackBps + 4400;
  const steps = run(new PublisherQuality(), 0, times(limits.audioFallbackSeconds + 1, [floor, 0, least - 1]));
  assert.deepEqual(
    steps.map(([, step]) => step),
    ['warn', 'off'],
  );
  assert.deepEqual(run(new PublisherQuality(), 0, times(10, [floor, 0, least])), []);
  // A picture that is small by the publisher's own wish, on a line that could carry more.
  assert.deepEqual(run(new PublisherQuality(), 0, times(10, [limits.publisherRecoverBps, 0, least - 1])), []);
});

test('of several ways the best counts, and where one says nothing, nothing is known', () => {
  const [starved, whole] = [
    { estimateBps: 70_000, pictureBps: 20_000, audioLoss: 0.2 },
    { estimateBps: 900_000, pictureBps: 400_000, audioLoss: 0 },
  ];
  assert.equal(bestOf([]), null);
  assert.deepEqual(bestOf([starved]), starved);
  assert.deepEqual(bestOf([starved, whole]), whole);
  const silent = { estimateBps: null, pictureBps: null, audioLoss: 0.1 };
  assert.deepEqual(bestOf([starved, silent]), silent);
});

test('a short dip lifts the warning', () => {
  const quality = new PublisherQuality();
  assert.deepEqual(run(quality, 0, [poor, good]), [
    [0, 'warn'],
    [1, 'lift'],
  ]);
  assert.equal(quality.off, false);
});

const { audioFallbackSeconds: falls, audioRecoverSeconds: rests } = limits;

test('the picture is tried again after audioRecoverSeconds and stays when the estimate rises', () => {
  const quality = new PublisherQuality();
  run(quality, 0, times(falls + 1, poor));
  const steps = run(quality, falls + 1, [...times(rests + 1, poor), ...times(2, good)]);
  assert.deepEqual(steps, [
    [falls + rests, 'probe'],
    [falls + rests + 3, 'on'],
  ]);
  assert.equal(quality.off, false);
});

test('a trial that fails is given up after four seconds, and the next waits longer', () => {
  const quality = new PublisherQuality();
  run(quality, 0, times(falls + 1, poor));
  const first = falls + rests;
  assert.deepEqual(run(quality, falls + 1, times(rests + 4 + 2 * rests, poor)), [
    [first, 'probe'],
    [first + 4, 'unprobe'],
    [first + 4 + Math.ceil(1.5 * rests), 'probe'],
  ]);
});

test('loss of the sound is poor whatever the estimate says, and no trial begins while there is some', () => {
  const quality = new PublisherQuality();
  assert.deepEqual(run(quality, 0, times(falls + 1, [null, 0.3])).at(-1), [falls, 'off']);
  assert.deepEqual(run(quality, 10, times(10, [null, 0.1])), []);
  assert.deepEqual(run(quality, 20, times(rests + 2, [null, 0])), [
    [19 + rests, 'probe'],
    [21 + rests, 'on'],
  ]);
});

test('a browser that names no estimate is judged by loss alone', () => {
  assert.deepEqual(run(new PublisherQuality(), 0, times(10, [null, 0])), []);
});
