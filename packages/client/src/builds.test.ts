import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Builds } from './builds.ts';
import { TestClock } from './clock.fixture.ts';
import { OtError } from './errors.ts';

test('whoever waits for an attempt that was overtaken gets the outcome of the newest', async () => {
  const builds = new Builds();
  const first = Promise.withResolvers<void>();
  const second = Promise.withResolvers<void>();
  const signals: AbortSignal[] = [];
  const waiting = builds.begin((signal) => {
    signals.push(signal);
    return first.promise;
  });
  const newer = builds.begin((signal) => {
    signals.push(signal);
    return second.promise;
  });
  assert.deepEqual(
    signals.map((signal) => signal.aborted),
    [true, false],
  );
  first.reject(new Error('overtaken'));
  second.resolve();
  await Promise.all([waiting, newer, builds.settled()]);
});

test('the newest failure is the failure', async () => {
  const builds = new Builds();
  await assert.rejects(
    builds.begin(async () => Promise.reject(new Error('mine'))),
    /mine/,
  );
  await builds.begin(async () => undefined);
});

test('nothing begun is settled, and stop tells the attempt', async () => {
  const builds = new Builds();
  await builds.settled();
  let signal: AbortSignal | undefined;
  await builds.begin(async (given) => {
    signal = given;
  });
  builds.stop();
  assert.equal(signal?.aborted, true);
});

/** Moves the clock until the work settles; answers how often it was tried and how it ended. */
async function attempts(failures: Error[]): Promise<[tried: number, outcome: string]> {
  const clock = new TestClock();
  let tried = 0;
  let outcome = '';
  new Builds()
    .again(
      async () => {
        const failure = failures[tried++];
        if (failure) throw failure;
      },
      { clock, seconds: 30 },
    )
    .then(
      () => (outcome = 'stands'),
      (error: Error) => (outcome = error.name),
    );
  while (outcome === '') {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(250);
  }
  return [tried, outcome];
}

test('what was lost is tried again until it stands', async () => {
  const busy = new OtError('OT_CONNECTION_LIMIT_EXCEEDED', 'not yet');
  assert.deepEqual(await attempts([busy, busy]), [3, 'stands']);
});

test('a refusal that will not change is not tried again', async () => {
  assert.deepEqual(await attempts([new OtError('OT_MEDIA_SUITE_REFUSED', '')]), [1, 'OT_MEDIA_SUITE_REFUSED']);
});

test('after the time is over the last refusal counts', async () => {
  const busy = new OtError('OT_CONNECTION_LIMIT_EXCEEDED', '');
  const [tried, outcome] = await attempts(Array.from({ length: 50 }, () => busy));
  assert.equal(outcome, 'OT_CONNECTION_LIMIT_EXCEEDED');
  assert.equal(tried, 11);
});
