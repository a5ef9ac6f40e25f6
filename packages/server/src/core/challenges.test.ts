import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits, type PlatformError } from '@cloister/protocol';
import { ManualClock, systemIds } from '../lib/index.ts';
import { Challenges } from './challenges.ts';

const gone = ({ code }: PlatformError) => code === 'LogInFailed';

test('a challenge is answered once, until its time is over', () => {
  const clock = new ManualClock();
  const challenges = new Challenges<string>({ clock, ids: systemIds });
  const [first, second, third] = [challenges.put('a'), challenges.put('b'), challenges.put('c')];
  assert.equal(challenges.take(first), 'a');
  assert.throws(() => challenges.take(first), gone);
  clock.advance(limits.logInChallengeSeconds * 1000);
  assert.equal(challenges.take(second), 'b');
  clock.advance(1);
  assert.throws(() => challenges.take(third), gone);
});

test('as many wait as the limit says, and the oldest goes for one more', () => {
  const challenges = new Challenges<number>({ clock: new ManualClock(), ids: systemIds });
  const ids = Array.from({ length: limits.logInChallenges }, (_, index) => challenges.put(index));
  assert.equal(challenges.take(ids[1] as string), 1);
  challenges.put(-1);
  assert.equal(challenges.take(ids[2] as string), 2);
  challenges.put(-2);
  challenges.put(-3);
  assert.throws(() => challenges.take(ids[0] as string), gone);
  assert.equal(challenges.take(ids[3] as string), 3);
});
