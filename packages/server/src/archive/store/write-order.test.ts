import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WriteOrder } from './write-order.ts';

test('writes go one after the other, and none after one that failed', async () => {
  const order = new WriteOrder();
  const done: string[] = [];
  const { promise: first, resolve } = Promise.withResolvers<void>();
  order.add(() => first.then(() => done.push('first')));
  order.add(async () => done.push('second'));
  assert.equal(done.length, 0);
  resolve();
  await order.settled();
  assert.deepEqual([done, order.failure], [['first', 'second'], null]);
  const full = new Error('the disk is full');
  order.add(() => Promise.reject(full));
  order.add(async () => done.push('third'));
  await order.settled();
  assert.deepEqual([done, order.failure], [['first', 'second'], full]);
});

test('what waits is counted until it is written, and is given up where somebody says so', async () => {
  const order = new WriteOrder();
  const { promise: first, resolve } = Promise.withResolvers<void>();
  const done: string[] = [];
  order.add(() => first, 1000);
  order.add(async () => done.push('second'), 500);
  assert.ok(order.waiting >= 1500);
  const before = order.waiting;
  // A write of no bytes takes memory all the same.
  order.add(async () => done.push('third'));
  assert.ok(order.waiting > before);
  const late = new Error('too late');
  order.giveUp(late);
  resolve();
  await order.settled();
  assert.deepEqual([done, order.failure, order.waiting], [[], late, 0]);
});
