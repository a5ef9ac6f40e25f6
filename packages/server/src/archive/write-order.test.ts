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
