/** Time as a dependency: code with rules in it never asks the machine itself. */

/** Cancels what was scheduled; harmless when it has happened already. */
export type Cancel = () => void;

export interface Clock {
  /** Milliseconds since 1970, UTC. */
  now(): number;
  /** Calls `task` once after `ms` milliseconds; does not keep the process alive. */
  after(ms: number, task: () => void): Cancel;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, task) {
    const timer = setTimeout(task, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Waits for `work`, but no longer than `ms`; what becomes of it then is its own. */
export async function atMost(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  let cancel: Cancel = () => {};
  const late = new Promise<void>((resolve) => {
    cancel = clock.after(ms, resolve);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    cancel();
  }
}

/** A clock that a test moves by hand: `advance` runs what falls due, in order. */
export class ManualClock implements Clock {
  #now: number;
  #due: { at: number; task: () => void }[] = [];
  #scheduled = () => {};

  constructor(startMs = 1_800_000_000_000) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, task: () => void): Cancel {
    const entry = { at: this.#now + ms, task };
    this.#due.push(entry);
    this.#scheduled();
    return () => {
      this.#due = this.#due.filter((other) => other !== entry);
    };
  }

  /** Moves time on by `ms` and runs every task that falls due, in the order of their times. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const next = this.#due.filter((entry) => entry.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#due = this.#due.filter((entry) => entry !== next);
      this.#now = next.at;
      next.task();
    }
    this.#now = end;
  }

  /** Waits for `work`, moving time on by `ms` whenever something is scheduled: for work that may pause and try again. */
  async passing<Result>(ms: number, work: () => Promise<Result>): Promise<Result> {
    let ended = false;
    let scheduled = new Promise<void>((resolve) => (this.#scheduled = resolve));
    const done = work().finally(() => (ended = true));
    for (;;) {
      await Promise.race([done, scheduled]);
      if (ended) break;
      scheduled = new Promise<void>((resolve) => (this.#scheduled = resolve));
      this.advance(ms);
    }
    this.#scheduled = () => {};
    return done;
  }
}
