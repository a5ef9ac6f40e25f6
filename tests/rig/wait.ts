/** Waiting for something that will happen, with an end. */
import { setTimeout as delay } from 'node:timers/promises';

const ASK_AGAIN_MS = 100;

/** Rejects with a sentence that names `what` when the promise has not settled in time. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A list that somebody fills and others wait on. */
export class Feed<T> {
  readonly items: T[] = [];
  readonly #wake = new Set<() => void>();

  push(item: T): void {
    this.items.push(item);
    for (const wake of [...this.#wake]) wake();
  }

  /** The first item, from place `since` on, that `wanted` accepts; waits for it. */
  async next(what: string, wanted: (item: T) => boolean, { since = 0, ms = 30_000 } = {}): Promise<T> {
    let looked = since;
    let wake = () => {};
    const found = new Promise<T>((resolve) => {
      wake = () => {
        while (looked < this.items.length) {
          const item = this.items[looked++] as T;
          if (wanted(item)) return resolve(item);
        }
      };
      this.#wake.add(wake);
      wake();
    });
    try {
      return await within(ms, what, found);
    } finally {
      this.#wake.delete(wake);
    }
  }
}

/**
 * Asks again until the answer is as wanted: for what a server tells only when it is asked.
 * @returns the answer that `wanted` accepted
 */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T>,
  wanted: (answer: T) => boolean,
  ms = 30_000,
): Promise<T> {
  const until = performance.now() + ms;
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    if (performance.now() > until) throw new Error(`${what}: still ${JSON.stringify(answer)} after ${ms} ms`);
    await delay(ASK_AGAIN_MS);
  }
}
