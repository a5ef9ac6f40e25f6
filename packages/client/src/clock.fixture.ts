import type { Clock } from './clock.ts';

/** Time that the test moves. `chance` is what `random` answers. */
export class TestClock implements Clock {
  chance = 0;
  #now = 1_000_000;
  #due: { at: number; task: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  random(): number {
    return this.chance;
  }

  after(ms: number, task: () => void): () => void {
    const entry = { at: this.#now + ms, task };
    this.#due.push(entry);
    return () => {
      this.#due = this.#due.filter((other) => other !== entry);
    };
  }

  /** Time passes in which no timer runs, as in a page that sleeps; then all that are due do, late. */
  oversleep(ms: number): void {
    this.#now += ms;
    this.advance(0);
  }

  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const next = this.#due.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#due = this.#due.filter((entry) => entry !== next);
      this.#now = Math.max(this.#now, next.at);
      next.task();
    }
    this.#now = end;
  }
}
