/**
 * Asks a worker again and again and notices when it is hung: stopped, in a dead end, in an endless loop.
 *
 * A worker on a machine that is too busy also answers late, and to kill it would only make things worse. So the time that
 * it spent waiting for a CPU is not held against it: it is hung when it did not answer within `workerAnswerSeconds` in
 * which it could have run, and given up at `workerStarvedSeconds` whatever the reason.
 */
import { readFileSync } from 'node:fs';
import { limits } from '@cloister/protocol';
import type { Cancel, Clock } from '../lib/index.ts';

/** From the answer to the next question. With `workerAnswerSeconds` a hung worker is found within 1.3 s. */
export const askEveryMs = 300;
// A deadline that fires this late says that this process was held up, not that the worker was.
const ownDelayMs = 250;
const lookAgainMsMin = 20;

export interface Watched<Answer> {
  ask(): Promise<Answer>;
  onAnswer(answer: Answer, tookMs: number): void;
  /** Called once, after which nothing is asked any more. */
  onHung(silentMs: number): void;
  standing(): CpuStanding;
}

/** What a process has had of the CPU since it started, in milliseconds. */
export interface CpuStanding {
  readonly ranMs: number;
  /** Waits that are over; one that still lasts is not in it. */
  readonly waitedMs: number;
  /** Whether it runs or waits to run now, rather than being asleep or stopped. */
  readonly runnable: boolean;
}

/** Watches until the returned function is called. A question that fails outright ends it as well: the worker is gone. */
export function startWatchdog<Answer>(clock: Clock, { ask, onAnswer, onHung, standing }: Watched<Answer>): Cancel {
  const patienceMs = limits.workerAnswerSeconds * 1000;
  let stopped = false;
  let cancelTimer: Cancel = () => undefined;

  const question = (): void => {
    const askedAt = clock.now();
    const before = standing();
    let open = true;
    const lookAfter = (ms: number, readFirst: boolean): void => {
      const lookAt = clock.now() + ms;
      cancelTimer = clock.after(ms, () => {
        const silentMs = clock.now() - askedAt;
        const owedMs = patienceMs - heldMs(silentMs, before, standing());
        // The answer may lie unread in the socket, since this process did not come to read it: read first.
        if (readFirst && clock.now() - lookAt > ownDelayMs) return lookAfter(ownDelayMs, false);
        const leftMs = limits.workerStarvedSeconds * 1000 - silentMs;
        if (owedMs > 0 && leftMs > 0) return lookAfter(Math.max(lookAgainMsMin, Math.min(owedMs, leftMs)), true);
        setImmediate(() => {
          if (stopped || !open) return;
          stopped = true;
          onHung(silentMs);
        });
      });
    };
    lookAfter(patienceMs, true);
    ask().then(
      (answer) => {
        open = false;
        cancelTimer();
        if (stopped) return;
        onAnswer(answer, clock.now() - askedAt);
        cancelTimer = clock.after(askEveryMs, question);
      },
      () => {
        open = false;
        cancelTimer();
        stopped = true;
      },
    );
  };

  question();
  return () => {
    stopped = true;
    cancelTimer();
  };
}

/** How much of a silence a process could have used: the CPU that it had, while it wants more; else all but its waits. */
function heldMs(silentMs: number, before: CpuStanding, now: CpuStanding): number {
  return now.runnable ? now.ranMs - before.ranMs : silentMs - (now.waitedMs - before.waitedMs);
}

/** The standing of the main thread of a process by proc(5); all zero and asleep where the system does not say. */
export function cpuStanding(pid: number): CpuStanding {
  try {
    const [ranNs, waitedNs] = readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ');
    // The name of the program stands in brackets and may hold anything.
    const state = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.charAt(0);
    return { ranMs: Number(ranNs) / 1e6, waitedMs: Number(waitedNs) / 1e6, runnable: state === 'R' };
  } catch {
    return { ranMs: 0, waitedMs: 0, runnable: false };
  }
}
