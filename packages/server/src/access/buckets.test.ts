import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Buckets } from './buckets.ts';

const rate = { perSecond: 1, burst: 10 };
const full = { level: 10, at: 0 };
const drained = { level: 0, at: 0 };

test('max buckets are kept; one more lets the oldest go', () => {
  const buckets = new Buckets(rate, 3);
  for (const name of ['a', 'b', 'c']) buckets.add(name, drained, 0);
  assert.equal(buckets.size, 3);
  buckets.add('d', drained, 0);
  assert.equal(buckets.size, 3);
  assert.equal(buckets.use('a'), undefined);
  assert.ok(buckets.use('b') && buckets.use('c') && buckets.use('d'));
});

test('a bucket that is used is no longer the oldest', () => {
  const buckets = new Buckets(rate, 2);
  buckets.add('a', drained, 0);
  buckets.add('b', drained, 0);
  buckets.use('a');
  buckets.add('c', drained, 0);
  assert.equal(buckets.use('b'), undefined);
  assert.ok(buckets.use('a'));
});

test('a full bucket goes before an older one that is not', () => {
  const buckets = new Buckets(rate, 3);
  buckets.add('drained', drained, 0);
  buckets.add('full', full, 0);
  buckets.add('last', drained, 0);
  buckets.add('new', drained, 0);
  assert.ok(buckets.use('drained'));
  assert.equal(buckets.use('full'), undefined);
});

test('a bucket that has refilled since is full', () => {
  const buckets = new Buckets(rate, 2);
  buckets.add('old', { level: 0, at: 5000 }, 5000);
  buckets.add('refilled', { level: 0, at: 0 }, 5000);
  buckets.add('new', drained, 10_000);
  assert.ok(buckets.use('old'));
  assert.equal(buckets.use('refilled'), undefined);
});

test('what is removed is given back, and is gone', () => {
  const buckets = new Buckets(rate, 2);
  buckets.add('a', { level: 4, at: 7 }, 0);
  assert.equal(buckets.remove('a')?.level, 4);
  assert.equal(buckets.remove('a'), undefined);
  assert.equal(buckets.size, 0);
  for (const name of ['b', 'c', 'd']) buckets.add(name, drained, 0);
  assert.equal(buckets.size, 2);
});

test('what has refilled goes as others come, so only what is in use is kept', () => {
  const buckets = new Buckets(rate, 1000);
  for (let second = 0; second < 500; second += 1)
    buckets.add(`${second}`, { level: 0, at: second * 1000 }, second * 1000);
  // Each is empty for ten seconds.
  assert.ok(buckets.size <= 11, `${buckets.size} are kept`);
  assert.ok(buckets.use('499') && buckets.use('490'));
  assert.equal(buckets.use('480'), undefined);
});
