import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { limits } from '@cloister/protocol';
import { ManualClock } from '../lib/index.ts';
import { AudioFallback, goodFrom } from './audio-fallback.ts';
import { Bandwidth, type Picture } from './bandwidth.ts';

/** A way with pictures on it that need so many bits a second each. */
function rig(...needs: number[]) {
  const clock = new ManualClock();
  const bounds: number[] = [];
  const changes: string[] = [];
  const carried: boolean[] = [];
  const pictures: Picture[] = needs.map((bps, index) => ({
    track: { needBps: async () => bps },
    fallback: new AudioFallback(),
    changed: (state) => changes.push(`${index} ${state}`),
    carry: () => carried.push(pictures[index]?.fallback.carries ?? false),
  }));
  const transport = {
    closed: false,
    setMaxOutgoingBitrate: async (bps: number) => {
      bounds.push(bps);
    },
    enableTraceEvent: async () => undefined,
    on: () => transport,
  };
  const bandwidth = new Bandwidth({
    transport: transport as never,
    clock,
    pictures: () => pictures,
    sounds: () => pictures.length,
  });
  /** The worker's estimate, once a second. */
  const feel = async (bps: number, seconds: number): Promise<void> => {
    for (let quarter = 0; quarter < seconds * 4; quarter += 1) {
      if (quarter % 4 === 0) await bandwidth.sample(bps);
      clock.advance(250);
      await turn();
    }
  };
  return { bounds, changes, carried, feel };
}

test('a way that carries everything is left alone', async () => {
  const { bounds, changes, feel } = rig(100_000);
  await feel(1_000_000, 20);
  assert.deepEqual([changes, bounds], [[], []]);
});

test('on a poor way the picture is announced, goes, and comes back when the way is good', async () => {
  const { bounds, changes, feel } = rig(100_000);
  await feel(120_000, 4);
  assert.deepEqual(changes, ['0 warning', '0 off']);
  await feel(1_000_000, 5);
  assert.deepEqual(changes, ['0 warning', '0 off', '0 on']);
  assert.equal(bounds.at(-1), 0);
});

test('while a picture is off the way is probed each second, up to what the picture needs and a little more', async () => {
  const { bounds, feel } = rig(100_000);
  await feel(120_000, 4);
  bounds.length = 0;
  await feel(100_000, 3);
  assert.equal(bounds.length, 3);
  assert.equal(new Set(bounds).size, 2, 'the bound moves each time, which is what makes the worker probe');
  for (const bound of bounds) {
    assert.ok(bound >= limits.audioNeedBps + goodFrom(100_000), 'a probe that gets through is enough to come back');
    assert.ok(bound < 400_000, 'and no flood');
  }
});

test('between two estimates the last one counts on: the picture goes at its time', async () => {
  const { changes, feel } = rig(100_000);
  await feel(120_000, 1);
  assert.deepEqual(changes, ['0 warning']);
  await feel(120_000, 1);
  assert.deepEqual(changes, ['0 warning', '0 off']);
});

test('of several pictures the last ones go first', async () => {
  const { changes, feel } = rig(100_000, 100_000, 100_000);
  await feel(3 * limits.audioNeedBps + 210_000, 6);
  assert.deepEqual(changes, ['2 warning', '2 off']);
});

test('a stream without layers goes when it needs more than there is', async () => {
  const { changes, feel } = rig(800_000);
  await feel(500_000, 4);
  assert.deepEqual(changes, ['0 warning', '0 off']);
});

test('a picture that would drown the sound is held back with the first sample, and comes back with a good one', async () => {
  const { bounds, changes, carried, feel } = rig(800_000);
  await feel(100_000, 0.5);
  assert.deepEqual([changes, carried], [[], [false]]);
  assert.equal(bounds.length, 1, 'and the way is probed');
  await feel(2_000_000, 3);
  assert.deepEqual([changes, carried], [[], [false, true]]);
  await feel(100_000, 4);
  assert.deepEqual(
    [changes, carried],
    [
      ['0 warning', '0 off'],
      [false, true, false],
    ],
  );
});
