import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import { ManualClock } from '../lib/index.ts';
import { askEveryMs, cpuStanding, startWatchdog } from './watchdog.ts';

const patienceMs = limits.workerAnswerSeconds * 1000;
const starvedMs = limits.workerStarvedSeconds * 1000;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A watchdog over a worker whose answers the test gives by hand. */
function rig() {
  const clock = new ManualClock();
  const questions: { answer(): void; fail(): void }[] = [];
  const answers: number[] = [];
  const hung: number[] = [];
  const cpu = { ranMs: 0, waitedMs: 0, runnable: false };
  const stop = startWatchdog(clock, {
    standing: () => ({ ...cpu }),
    ask: () =>
      new Promise<string>((resolve, reject) => {
        questions.push({ answer: () => resolve('here'), fail: () => reject(new Error('gone')) });
      }),
    onAnswer: (_, tookMs) => answers.push(tookMs),
    onHung: (silentMs) => hung.push(silentMs),
  });
  return { clock, cpu, questions, answers, hung, stop };
}

test('a worker that answers is asked again, and how long it took is known', async () => {
  const { clock, questions, answers, hung } = rig();
  clock.advance(40);
  questions[0]?.answer();
  await turn();
  assert.deepEqual(answers, [40]);
  clock.advance(askEveryMs - 1);
  assert.equal(questions.length, 1);
  clock.advance(1);
  assert.equal(questions.length, 2);
  assert.deepEqual(hung, []);
});

test('a worker is hung at workerAnswerSeconds, not a millisecond before', async () => {
  const { clock, hung } = rig();
  clock.advance(patienceMs - 1);
  await turn();
  assert.deepEqual(hung, []);
  clock.advance(1);
  await turn();
  assert.deepEqual(hung, [patienceMs]);
  clock.advance(10 * patienceMs);
  await turn();
  assert.equal(hung.length, 1);
});

test('an answer that lies unread when the time is up is read first', async () => {
  const { clock, questions, hung, answers } = rig();
  clock.advance(patienceMs);
  questions[0]?.answer();
  await turn();
  assert.deepEqual(hung, []);
  assert.equal(answers.length, 1);
});

test('a worker that is gone, and a watchdog that was stopped, report nothing', async () => {
  const gone = rig();
  gone.questions[0]?.fail();
  await turn();
  const stopped = rig();
  stopped.stop();
  for (const { clock, hung, questions } of [gone, stopped]) {
    clock.advance(10 * patienceMs);
    await turn();
    assert.deepEqual(hung, []);
    assert.equal(questions.length, 1);
  }
});

test('the time that a worker waited for a CPU is not held against it', async () => {
  const { clock, cpu, hung } = rig();
  clock.advance(patienceMs / 2);
  cpu.waitedMs = 700;
  clock.advance(patienceMs / 2);
  clock.advance(699);
  await turn();
  assert.deepEqual(hung, []);
  clock.advance(1);
  await turn();
  assert.deepEqual(hung, [patienceMs + 700]);
});

test('a worker that gets no CPU at all is given up at workerStarvedSeconds, not before', async () => {
  const { clock, cpu, hung } = rig();
  for (let ms = 0; ms < starvedMs - 10; ms += 10) {
    cpu.waitedMs += 10;
    clock.advance(10);
    await turn();
  }
  assert.deepEqual(hung, []);
  for (let ms = 0; ms < 2 * patienceMs && hung.length === 0; ms += 10) {
    cpu.waitedMs += 10;
    clock.advance(10);
    await turn();
  }
  assert.ok((hung[0] ?? 0) >= starvedMs && (hung[0] ?? 0) <= starvedMs + 30, `${hung[0]}`);
});

test('a worker that waits for a CPU just now is not hung, and one that had a second of it without an answer is', async () => {
  const { clock, cpu, hung } = rig();
  cpu.runnable = true;
  clock.advance(patienceMs);
  await turn();
  assert.deepEqual(hung, []);
  cpu.ranMs = patienceMs - 1;
  clock.advance(patienceMs);
  await turn();
  assert.deepEqual(hung, []);
  cpu.ranMs = patienceMs;
  clock.advance(patienceMs);
  await turn();
  assert.equal(hung.length, 1);
});

test('the system says what a process had of the CPU', () => {
  const own = cpuStanding(process.pid);
  assert.ok(own.ranMs > 0 && own.waitedMs > 0 && own.runnable);
  assert.deepEqual(cpuStanding(2 ** 30), { ranMs: 0, waitedMs: 0, runnable: false });
});
