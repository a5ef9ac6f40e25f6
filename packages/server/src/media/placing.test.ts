import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import { choosePlace } from './placing.ts';

const worker = (weight: number, full = false) => ({ load: { weight, full } });
const router = (on: ReturnType<typeof worker>, peers: number, consumers = 0) => ({ worker: on, peers, consumers });
const limit = limits.subscribersPerRouter;

test('a room begins on the least loaded worker', () => {
  const [busy, idle] = [worker(10), worker(3)];
  assert.deepEqual(choosePlace([], [busy, idle]), { worker: idle });
});

test('a room stays on its router up to subscribersPerRouter, and takes another worker one past it', () => {
  const [one, other] = [worker(400), worker(0)];
  const last = router(one, limit - 1);
  assert.deepEqual(choosePlace([last], [one, other]), { router: last });
  assert.deepEqual(choosePlace([router(one, limit)], [one, other]), { worker: other });
  assert.deepEqual(choosePlace([router(one, 2, limit - 1)], [one, other]), { router: router(one, 2, limit - 1) });
  assert.deepEqual(choosePlace([router(one, 2, limit)], [one, other]), { worker: other });
});

test('a room leaves a worker that is full, if there is another one', () => {
  const [full, calm] = [worker(5, true), worker(50)];
  assert.deepEqual(choosePlace([router(full, 2)], [full, calm]), { worker: calm });
  assert.deepEqual(choosePlace([router(full, 2)], [full]), { router: router(full, 2) });
  assert.deepEqual(choosePlace([], [full, calm]), { worker: calm });
});

test('a room that is on every worker takes its least loaded router', () => {
  const workers = [worker(9), worker(5)] as const;
  const routers = [router(workers[0], limit), router(workers[1], limit + 1)];
  assert.deepEqual(choosePlace(routers, workers), { router: routers[0] });
});

test('a room takes a full worker when there is no other, and nothing when there is none at all', () => {
  const full = worker(5, true);
  assert.deepEqual(choosePlace([], [full]), { worker: full });
  assert.equal(choosePlace([], []), null);
});
