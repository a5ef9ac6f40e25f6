/** How long the next log-in has to wait after failures: for one name, whether or not there is such a person, and for one address. */
import { limits, PlatformError } from '@cloister/protocol';

interface Count {
  readonly count: number;
  readonly lastAt: number;
}

/** Until when nothing is checked any more, in milliseconds since 1970; 0 where it is not locked. */
export function lockedUntil({ count, lastAt }: Count, allowed: number = limits.logInFailures): number {
  if (count < allowed) return 0;
  const doubled = limits.logInLockSeconds * 2 ** Math.min(count - allowed, 30);
  return lastAt + Math.min(doubled, limits.logInLockSecondsMost) * 1000;
}

/** Failures count for a day after the last. */
export function countAt(count: Count | null | undefined, now: number): Count {
  const kept = count && now - count.lastAt <= limits.logInFailuresKeptSeconds * 1000;
  return kept ? count : { count: 0, lastAt: 0 };
}

/** @throws PlatformError `LogInLocked` */
export function requireUnlocked(subject: 'name' | 'address', until: number, now: number): void {
  if (until <= now) return;
  throw new PlatformError('LogInLocked', { subject, retryAfterSeconds: Math.ceil((until - now) / 1000) });
}

/** Failures of addresses, in memory only: no address of anybody is stored to count them. */
export class AddressLocks {
  readonly #counts = new Map<string, Count>();

  /** Counts a try before it is checked, so that many at once are not all free. @throws PlatformError `LogInLocked` */
  begin(address: string, now: number): void {
    const known = countAt(this.#counts.get(address), now);
    requireUnlocked('address', lockedUntil(known, limits.logInAddressFailures), now);
    this.#counts.delete(address);
    this.#counts.set(address, { count: known.count + 1, lastAt: now });
    if (this.#counts.size > limits.logInAddressesKept) this.#counts.delete(this.#counts.keys().next().value as string);
  }

  /** The try was right: it does not count. */
  succeeded(address: string): void {
    const known = this.#counts.get(address);
    if (known) this.#counts.set(address, { ...known, count: known.count - 1 });
  }
}

/** One at a time for each name: so that guesses that come together are counted one after the other. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  async take<Result>(name: string, task: () => Promise<Result>): Promise<Result> {
    const run = (this.#last.get(name) ?? Promise.resolve()).then(task);
    const settled = run.catch(() => undefined);
    this.#last.set(name, settled);
    try {
      return await run;
    } finally {
      if (this.#last.get(name) === settled) this.#last.delete(name);
    }
  }
}
