import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import { AudioFallback, dealOut, goodFrom, type PictureState, poorBelow } from './audio-fallback.ts';

const fallbackMs = limits.audioFallbackSeconds * 1000;
const recoverMs = limits.audioRecoverSeconds * 1000;
const trialMs = limits.audioTrialSeconds * 1000;
/** Seconds, at samples of 100 ms, of which a wait is up to one longer. */
const WAITS = [1, 1.5, 2.3, 3.4, 5.1, 7.6, 11.4, 17.1, 25.7, 30, 30];
const small = 50_000;
const poor = limits.audioFallbackBps - 1;
const good = limits.audioRecoverBps;

function off(): AudioFallback {
  const fallback = new AudioFallback();
  fallback.sample(0, poor, small);
  fallback.sample(fallbackMs, poor, small);
  assert.equal(fallback.state, 'off');
  return fallback;
}

test('a picture is on while its share is at the bound, and goes one bit below it', () => {
  const fallback = new AudioFallback();
  for (let at = 0; at < 60_000; at += 500) assert.equal(fallback.sample(at, limits.audioFallbackBps, small), 'on');
  fallback.sample(60_000, poor, small);
  assert.equal(fallback.sample(60_000 + fallbackMs, poor, small), 'off');
});

test('the warning comes at half of audioFallbackSeconds, the end at all of it, not before', () => {
  const fallback = new AudioFallback();
  const seen: [number, PictureState][] = [0, fallbackMs / 2 - 1, fallbackMs / 2, fallbackMs - 1, fallbackMs].map(
    (at) => [at, fallback.sample(at, poor, small)],
  );
  assert.deepEqual(seen, [
    [0, 'on'],
    [fallbackMs / 2 - 1, 'on'],
    [fallbackMs / 2, 'warning'],
    [fallbackMs - 1, 'warning'],
    [fallbackMs, 'off'],
  ]);
});

test('a warning is lifted when the share is back before the end', () => {
  const fallback = new AudioFallback();
  fallback.sample(0, poor, small);
  assert.equal(fallback.sample(fallbackMs - 1, poor, small), 'warning');
  assert.equal(fallback.sample(fallbackMs, limits.audioFallbackBps, small), 'on');
  assert.equal(fallback.sample(fallbackMs + trialMs, limits.audioFallbackBps, small), 'on');
  assert.equal(fallback.sample(fallbackMs + trialMs + 1, poor, small), 'on');
});

test('a short good time between two poor ones counts as poor, since a probe may have been too lucky', () => {
  const fallback = new AudioFallback();
  fallback.sample(0, poor, small);
  assert.equal(fallback.sample(100, good, small), 'on');
  assert.equal(fallback.sample(fallbackMs - 1, poor, small), 'warning');
  assert.equal(fallback.sample(fallbackMs, poor, small), 'off');
  const other = new AudioFallback();
  other.sample(0, poor, small);
  other.sample(100, good, small);
  other.sample(100 + trialMs, good, small);
  other.sample(100 + trialMs + 1, poor, small);
  assert.equal(other.sample(100 + trialMs + fallbackMs, poor, small), 'warning');
  assert.equal(other.sample(101 + trialMs + fallbackMs, poor, small), 'off');
});

test('a picture that comes back and does not stay waits longer each time; one that stays begins anew', () => {
  const fallback = off();
  let at = fallbackMs;
  const waitFor = (state: PictureState, share: number): number => {
    const from = at;
    while (fallback.sample(at, share, small) !== state) at += 100;
    return at - from - trialMs;
  };
  const waits: number[] = [];
  for (let round = 0; round < WAITS.length; round += 1) {
    waits.push(waitFor('on', good) / 1000);
    waitFor('off', poor);
  }
  assert.deepEqual(waits, WAITS);
  waitFor('on', good);
  at += limits.audioRecoverSecondsMax * 1000;
  waitFor('off', poor);
  assert.equal(waitFor('on', good), recoverMs);
});

test('the picture comes back at the recovery bound after audioRecoverSeconds, and not one bit below it', () => {
  const fallback = off();
  const from = fallbackMs + 1;
  for (let at = from; at < from + 60_000; at += 500) assert.equal(fallback.sample(at, good - 1, small), 'off');
  const back = from + 60_000;
  const seen = [0, recoverMs - 1, recoverMs, recoverMs + trialMs - 1, recoverMs + trialMs].map((after) => {
    const state = fallback.sample(back + after, good, small);
    return [state, fallback.carries];
  });
  assert.deepEqual(seen, [
    ['off', false],
    ['off', false],
    ['off', true],
    ['off', true],
    ['on', true],
  ]);
});

test('one bad second on the way back begins the recovery anew', () => {
  const fallback = off();
  const from = fallbackMs + 1;
  fallback.sample(from, good, small);
  fallback.sample(from + recoverMs - 1, good - 1, small);
  fallback.sample(from + recoverMs, good, small);
  assert.equal(fallback.carries, false);
  fallback.sample(from + 2 * recoverMs, good, small);
  assert.equal(fallback.carries, true);
});

test('a trial that shows the way to be poor ends without a word, and the next one waits longer', () => {
  const fallback = off();
  let at = fallbackMs;
  const waits: number[] = [];
  for (let round = 0; round < WAITS.length; round += 1) {
    const from = at;
    while (!fallback.carries) {
      at += 100;
      assert.equal(fallback.sample(at, good, small), 'off');
    }
    waits.push((at - 100 - from) / 1000);
    at += trialMs - 1;
    assert.equal(fallback.sample(at, poor, small), 'off');
    assert.equal(fallback.carries, false);
  }
  assert.deepEqual(waits, WAITS);
});

test('between the two bounds nothing changes', () => {
  const fallback = new AudioFallback();
  const between = (limits.audioFallbackBps + limits.audioRecoverBps) / 2;
  assert.equal(fallback.sample(0, between, small), 'on');
  assert.equal(fallback.sample(100_000, between, small), 'on');
  const gone = off();
  assert.equal(gone.sample(100_000, between, small), 'off');
});

test('a stream that needs more than the bounds, such as one without layers, is judged by its need', () => {
  assert.equal(poorBelow(500_000), 500_000);
  assert.equal(goodFrom(500_000), 625_000);
  const fallback = new AudioFallback();
  fallback.sample(0, 300_000, 500_000);
  assert.equal(fallback.sample(fallbackMs, 300_000, 500_000), 'off');
  assert.equal(fallback.sample(fallbackMs + recoverMs, 500_000, 500_000), 'off');
});

test('sound is served first, then the pictures that are on in their order, then those that are off', () => {
  const need = 100_000;
  assert.deepEqual(dealOut(240_000, 40_000, [{ off: false, needBps: need }]), [200_000]);
  assert.deepEqual(
    dealOut(240_000, 40_000, [
      { off: true, needBps: 300_000 },
      { off: false, needBps: need },
      { off: false, needBps: need },
    ]),
    [0, 200_000, 100_000],
  );
  assert.deepEqual(dealOut(30_000, 40_000, [{ off: false, needBps: need }]), [0]);
  assert.deepEqual(dealOut(100, 0, []), []);
});

test('below half of its need a picture is held back at once, and not released by a sample that is only fair', () => {
  const fallback = new AudioFallback();
  fallback.sample(0, 250_000, 500_000);
  assert.equal(fallback.carries, true);
  fallback.sample(100, 249_999, 500_000);
  assert.deepEqual([fallback.carries, fallback.state], [false, 'on']);
  fallback.sample(200, 500_000, 500_000);
  assert.equal(fallback.carries, false);
  fallback.sample(300, goodFrom(500_000), 500_000);
  assert.equal(fallback.carries, true);
});
