/**
 * Follows the outbox and counts. What was counted, what is open and the place in the outbox are one transaction, and nothing is remembered
 * beside them: whenever the process ends, the next one goes on from there, and no event counts twice or not at all.
 */
import { asPlatformError, limits } from '@cloister/protocol';
import { type Journal, type Store, usageReader } from '../core/index.ts';
import type { Cancel, Clock } from '../lib/index.ts';
import { concerned, count } from './count.ts';

export interface MeterDeps {
  readonly store: Pick<Store, 'usage' | 'outbox'>;
  readonly clock: Clock;
  readonly journal: Journal;
}

/** What comes within this is counted together. */
const gatherMs = 1000;
const retryMs = 1000;

export class Meter {
  readonly #deps: MeterDeps;
  #following: Promise<void> | null = null;
  #again = false;
  #stopped = true;
  #unwatch: () => void = () => {};
  #cancelTimer: Cancel = () => {};
  #timer = false;

  constructor(deps: MeterDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#stopped = false;
    this.#unwatch = this.#deps.store.outbox.watch(() => this.#later(gatherMs));
    this.#later(0);
  }

  /** Counts what has happened so far, and stops following. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#unwatch();
    await this.follow().catch(() => {});
    this.#stopped = true;
    this.#cancelTimer();
  }

  /** Resolves when all that was in the outbox before the call is counted. @throws PlatformError `StoreUnavailable` */
  async follow(): Promise<void> {
    this.#again = true;
    this.#following ??= this.#run().finally(() => {
      this.#following = null;
    });
    await this.#following;
    // A run that was at its end has not seen what came before this call.
    if (this.#again) await this.follow();
  }

  async #run(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      while ((await this.#step()) === limits.outboxReadRows);
    }
  }

  #later(ms: number): void {
    if (this.#timer || this.#stopped) return;
    this.#timer = true;
    this.#cancelTimer = this.#deps.clock.after(ms, () => {
      this.#timer = false;
      this.follow().catch((error: unknown) => {
        if (this.#stopped) return;
        this.#deps.journal.record('error', 'usage waits for the outbox', { code: asPlatformError(error).code });
        this.#later(retryMs);
      });
    });
  }

  /** @returns how many events were read */
  async #step(): Promise<number> {
    const { store, journal } = this.#deps;
    const from = await store.usage.position();
    const some = await store.outbox.read(usageReader, limits.outboxReadRows);
    const last = some.at(-1);
    if (!last) return 0;
    const events = some.flatMap(({ event }) => (event === null ? [] : [event]));
    for (const { event, position, projectId } of some.map((each) => ({ projectId: null, ...each }))) {
      if (event !== null) continue;
      journal.record('error', 'an event could not be opened: what it ends or begins is not counted', {
        position,
        projectId,
      });
    }
    const { ids, projectIds } = concerned(events);
    const counted = count(await store.usage.open(ids, projectIds), events);
    // Where another process was faster, what is left is looked for once more.
    if (!(await store.usage.count({ from, position: last.position, ...counted }))) this.#again = true;
    return some.length;
  }
}
