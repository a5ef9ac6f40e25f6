import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits, PlatformError } from '@cloister/protocol';
import { ManualClock, systemIds } from '../lib/index.ts';
import { createRateLimiter, type RateLimiter, type RateScope, rates } from './rate-limit.ts';

function setUp(): { clock: ManualClock; limiter: RateLimiter } {
  const clock = new ManualClock();
  return { clock, limiter: createRateLimiter({ clock, ids: systemIds }) };
}

const scopes = Object.keys(rates) as RateScope[];

test('each scope has the two limits of its name', () => {
  const pairs = Object.fromEntries(scopes.map((scope) => [scope, [rates[scope].perSecond, rates[scope].burst]]));
  assert.deepEqual(pairs, {
    project: [limits.restPerProjectPerSecond, limits.restPerProjectBurst],
    address: [limits.restPerAddressPerSecond, limits.restPerAddressBurst],
    token: [limits.joinsPerTokenPerSecond, limits.joinsPerTokenBurst],
    join: [limits.joinsPerAddressPerSecond, limits.joinsPerAddressBurst],
    connection: [limits.requestsPerConnectionPerSecond, limits.requestsPerConnectionBurst],
    frame: [limits.framesPerConnectionPerSecond, limits.framesPerConnectionBurst],
    failure: [limits.failuresPerAddressPerSecond, limits.failuresPerAddressBurst],
  });
});

test('each scope refills by its rate a second, and by no more', () => {
  const { clock, limiter } = setUp();
  for (const scope of scopes) limiter.take(scope, 'a', rates[scope].burst);
  clock.advance(1000);
  for (const scope of scopes) {
    assert.equal(limiter.take(scope, 'a', rates[scope].perSecond).ok, true, scope);
    assert.equal(limiter.take(scope, 'a').ok, false, scope);
  }
});

test('each scope grants its burst and refuses one past it', () => {
  const { limiter } = setUp();
  for (const scope of scopes) {
    for (let i = 0; i < rates[scope].burst; i += 1) {
      assert.equal(limiter.take(scope, '192.0.2.1').ok, true, `${scope} ${i}`);
    }
    assert.deepEqual(limiter.take(scope, '192.0.2.1'), { ok: false, retryAfterSeconds: 1 }, scope);
  }
});

test('a bucket refills by its rate, and never above its burst', () => {
  const { clock, limiter } = setUp();
  const { burst, perSecond } = rates.failure;
  assert.equal(limiter.take('failure', 'a', burst).ok, true);
  clock.advance(1000);
  assert.equal(limiter.take('failure', 'a', perSecond).ok, true);
  assert.equal(limiter.take('failure', 'a').ok, false);
  clock.advance(3600_000);
  assert.equal(limiter.take('failure', 'a', burst).ok, true);
  assert.equal(limiter.take('failure', 'a').ok, false);
});

test('the seconds to wait are enough, and one fewer is not', () => {
  const { clock, limiter } = setUp();
  limiter.take('failure', 'a', rates.failure.burst);
  const verdict = limiter.take('failure', 'a', 20);
  assert.deepEqual(verdict, { ok: false, retryAfterSeconds: 10 });
  clock.advance(9_000);
  assert.equal(limiter.take('failure', 'a', 20).ok, false);
  clock.advance(1_000);
  assert.equal(limiter.take('failure', 'a', 20).ok, true);
});

test('a cost of 0 asks without taking', () => {
  const { limiter } = setUp();
  for (let i = 0; i < 1000; i += 1) assert.equal(limiter.take('failure', 'a', 0).ok, true);
  limiter.take('failure', 'a', rates.failure.burst);
  assert.deepEqual(limiter.take('failure', 'a', 0), { ok: false, retryAfterSeconds: 1 });
});

test('a flood by one subject leaves every other subject and scope alone', () => {
  const { limiter } = setUp();
  for (let i = 0; i < rates.token.burst * 10; i += 1) limiter.take('token', 'mallory');
  assert.equal(limiter.take('token', 'mallory').ok, false);
  assert.equal(limiter.take('token', 'alice').ok, true);
  assert.equal(limiter.take('connection', 'mallory').ok, true);
});

test('addresses count in one bucket whatever their spelling, IPv6 by its /64', () => {
  const { limiter } = setUp();
  limiter.take('failure', '192.0.2.1', rates.failure.burst);
  assert.equal(limiter.take('failure', '::ffff:192.0.2.1').ok, false);
  assert.equal(limiter.take('failure', '192.0.2.2').ok, true);
  limiter.take('failure', '2001:db8:1:2:3:4:5:6', rates.failure.burst);
  assert.equal(limiter.take('failure', '2001:DB8:1:2::1').ok, false);
  assert.equal(limiter.take('failure', '2001:db8:1:3::1').ok, true);
  limiter.take('failure', '::1', rates.failure.burst);
  assert.equal(limiter.take('failure', '::2').ok, false);
  assert.equal(limiter.take('failure', '2001:db8::').ok, true);
});

test('a new daily key gives nobody a fresh burst, and old buckets are forgotten once full', () => {
  const { clock, limiter } = setUp();
  clock.advance(limits.rateKeySeconds * 1000 - 1);
  limiter.take('failure', 'a', rates.failure.burst);
  limiter.take('failure', 'b');
  assert.equal(limiter.size(), 2);
  clock.advance(1);
  assert.equal(limiter.take('failure', 'a').ok, false);
  assert.equal(limiter.size(), 1, 'b was not carried over, since nobody asked');
});

test('the key changes each day and is random', () => {
  const keys: string[] = [];
  const clock = new ManualClock();
  const ids = {
    ...systemIds,
    token(bytes: number) {
      keys.push(systemIds.token(bytes));
      return keys.at(-1) as string;
    },
  };
  const limiter = createRateLimiter({ clock, ids });
  limiter.take('project', '1');
  clock.advance(limits.rateKeySeconds * 1000);
  limiter.take('project', '1');
  assert.equal(keys.length, 2);
  assert.equal(new Set(keys).size, 2);
  assert.ok(Buffer.from(keys[0] as string, 'base64url').length === 32);
});

test('a scope keeps rateBuckets buckets and not one more; those that have refilled go first', () => {
  const { clock, limiter } = setUp();
  limiter.take('token', 'drained', rates.token.burst);
  limiter.take('token', 'touched', 1);
  clock.advance(1000); // `touched` is full again, `drained` is not, and is the older of the two
  for (let i = 0; i < limits.rateBuckets - 2; i += 1) limiter.take('token', `t${i}`, 0);
  assert.equal(limiter.size(), limits.rateBuckets);
  limiter.take('token', 'one past it');
  assert.equal(limiter.size(), limits.rateBuckets);
  assert.equal(limiter.take('token', 'drained', rates.token.burst).ok, false, 'the drained one is still known');
});

test('refusals by throwing name the scope in words and the wait, never the subject', () => {
  const { limiter } = setUp();
  limiter.take('join', '192.0.2.77', rates.join.burst);
  assert.throws(
    () => limiter.require('join', '192.0.2.77'),
    (error: unknown) => {
      assert.ok(error instanceof PlatformError);
      assert.equal(error.code, 'RateLimited');
      assert.deepEqual(error.details, { scope: 'address', retryAfterSeconds: 1 });
      assert.ok(!JSON.stringify(error.toBody()).includes('192.0.2.77'));
      return true;
    },
  );
  limiter.require('join', '192.0.2.78');
});

test('a clock that is set back refills nothing and breaks nothing', () => {
  const clock = new ManualClock();
  let now = clock.now();
  const limiter = createRateLimiter({ clock: { now: () => now, after: clock.after.bind(clock) }, ids: systemIds });
  limiter.take('failure', 'a', rates.failure.burst);
  now -= 3600_000;
  assert.equal(limiter.take('failure', 'a').ok, false);
  now += 1000;
  assert.equal(limiter.take('failure', 'a').ok, true);
});
