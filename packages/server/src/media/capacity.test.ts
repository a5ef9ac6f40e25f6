import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits, PlatformError } from '@cloister/protocol';
import { answerMsRefuse, busyMax, busyRefuse, Capacity, forwardedTrusted, WorkerLoad } from './capacity.ts';

const reached = (error: unknown): boolean => error instanceof PlatformError && error.code === 'CapacityReached';

/** Lets a worker be `busy` for `seconds`. */
function work(load: WorkerLoad, busy: number, seconds: number, answerMs = 1, fromMs = 0): void {
  for (let second = 0; second <= seconds; second += 1) {
    load.sample({ atMs: fromMs + second * 1000, cpuMs: second * 1000 * busy, answerMs });
  }
}

test('streams are taken up to the limit, and not one past it', () => {
  const load = new WorkerLoad();
  const capacity = new Capacity(() => [load], 10);
  load.add(9);
  capacity.require(1);
  const release = load.add(1);
  assert.deepEqual([capacity.used, capacity.limit], [10, 10]);
  assert.throws(() => capacity.require(1), reached);
  capacity.require(0);
  release();
  release();
  assert.equal(capacity.used, 9);
  capacity.require(1);
  assert.throws(() => capacity.require(2), reached);
});

test('a worker that was not measured is taken to carry streamsPerWorker', () => {
  const loads = [new WorkerLoad(), new WorkerLoad()];
  const capacity = new Capacity(() => loads);
  assert.equal(capacity.limit, 2 * limits.streamsPerWorker);
  loads[0]?.add(2 * limits.streamsPerWorker - 1);
  capacity.require(1);
  assert.throws(() => capacity.require(2), reached);
});

test('the limit follows what a stream is measured to need', () => {
  const load = new WorkerLoad();
  load.add(100);
  work(load, 0.35, 120);
  assert.ok(Math.abs(load.busy - 0.35) < 0.01);
  // 100 streams take 35 % of a core, so 70 % carry 200.
  assert.ok(Math.abs(load.limit - (100 * busyMax) / 0.35) <= 2, `${load.limit}`);
});

test('a worker with few streams or little to do says nothing about its limit', () => {
  const few = new WorkerLoad();
  few.add(forwardedTrusted - 1);
  work(few, 0.6, 60);
  assert.equal(few.limit, limits.streamsPerWorker);
  const idle = new WorkerLoad();
  idle.add(500);
  work(idle, 0.1, 60);
  assert.equal(idle.limit, limits.streamsPerWorker);
});

test('a busy worker takes nothing new, and the node nothing when all of them are busy', () => {
  const [busy, calm] = [new WorkerLoad(), new WorkerLoad()];
  work(busy, busyRefuse + 0.1, 30);
  assert.equal(busy.full, true);
  new Capacity(() => [busy, calm]).require(1);
  assert.throws(() => new Capacity(() => [busy]).require(1), reached);
  work(busy, 0.1, 30, 1, 100_000);
  assert.equal(busy.full, false);
});

test('a worker that answers slowly takes nothing new, when it has calls to lose', () => {
  const load = new WorkerLoad();
  load.add(forwardedTrusted);
  work(load, 0.2, 30, answerMsRefuse - 10);
  assert.equal(load.full, false);
  work(load, 0.2, 30, answerMsRefuse + 10, 100_000);
  assert.equal(load.full, true);
  const idle = new WorkerLoad();
  idle.add(forwardedTrusted - 1);
  work(idle, 0.2, 30, answerMsRefuse + 10);
  assert.equal(idle.full, false);
});

test('what the worker of a place was measured to carry is known to its successor', () => {
  assert.equal(new WorkerLoad(777).limit, 777);
});
