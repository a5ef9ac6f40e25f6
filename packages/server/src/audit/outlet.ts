/**
 * Sends entries of the log to a receiver outside, in order and at least once: what has arrived is a number in the database, the
 * next entry, which moves only when the receiver has taken what was sent. A receiver that is away makes nobody wait but itself.
 */
import { asPlatformError, limits, PlatformError } from '@cloister/protocol';
import type { AuditStore, Journal } from '../core/index.ts';
import type { Cancel, Clock } from '../lib/index.ts';
import type { AuditContent } from './entry.ts';
import type { AuditLog } from './log.ts';
import type { Found } from './query.ts';

/** What goes out. */
export interface Sent {
  /** The name of the log. */
  readonly log: string;
  /** Place in it; null for the word that it is broken, which cannot be in it. */
  readonly index: number | null;
  /** Null where what it says was destroyed, or does not open. */
  readonly content: AuditContent | null;
  /** Why the log is broken. */
  readonly broken?: string;
}

/** One way out. Resolves when the receiver has it all. @throws PlatformError */
export type Send = (some: readonly Sent[]) => Promise<void>;

interface OutletDeps {
  /** Under which the place is kept; it stays when the receiver moves. */
  readonly name: string;
  readonly send: Send;
  readonly log: Pick<AuditLog, 'origin' | 'size' | 'why' | 'watch'>;
  readonly query: { search(search: { first: number; end: number }, limit: number): Promise<Found[]> };
  readonly store: Pick<AuditStore, 'outlet' | 'putOutlet'>;
  readonly clock: Clock;
  readonly journal: Journal;
}

const firstWaitMs = 1000;

export class Outlet {
  readonly #deps: OutletDeps;
  #next: number | null = null;
  /** For which reason the receiver was told that the log is broken. */
  #toldWhy: string | null = null;
  #failures = 0;
  #running: Promise<void> | null = null;
  #again = false;
  #stopped = true;
  #unwatch: () => void = () => {};
  #cancel: Cancel = () => {};
  #waits = false;

  constructor(deps: OutletDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#stopped = false;
    this.#unwatch = this.#deps.log.watch(() => this.#wake());
    this.#wake();
  }

  /** Starts nothing more; what is under way may end, and is sent again after a restart if it does not. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unwatch();
    this.#cancel();
    await this.#running;
  }

  #wake(): void {
    this.#again = true;
    if (this.#stopped || this.#waits) return;
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
      if (this.#again) this.#wake();
    });
  }

  async #run(): Promise<void> {
    const { name, clock, journal } = this.#deps;
    try {
      while (this.#again && !this.#stopped) {
        this.#again = false;
        while (!this.#stopped && (await this.#sendSome()));
      }
    } catch (error) {
      this.#failures += 1;
      const most = limits.auditOutletWaitSeconds * 1000;
      const delayMs = Math.min(most, firstWaitMs * 2 ** Math.min(this.#failures - 1, 30));
      const { code, details } = asPlatformError(error);
      const facts = { kind: name, code, why: String(details.why ?? ''), attempt: this.#failures, delayMs };
      journal.record('warn', 'entries of the audit log wait for a receiver', facts);
      this.#waits = true;
      this.#cancel = clock.after(delayMs, () => {
        this.#waits = false;
        this.#wake();
      });
    }
  }

  /** @returns whether there was anything */
  async #sendSome(): Promise<boolean> {
    const { name, log, query, store, send } = this.#deps;
    this.#next ??= await store.outlet(name);
    // A log that was taken from a backup is shorter: what comes into it now was never sent.
    const first = Math.min(this.#next, log.size);
    const end = Math.min(log.size, first + limits.auditOutletEntries);
    const broken = log.why !== null && log.why !== this.#toldWhy ? log.why : null;
    if (first === end && broken === null) return false;
    const found = await query.search({ first, end }, limits.auditOutletEntries);
    if (found.length < end - first) throw new PlatformError('AuditLogBroken', { why: 'entries are missing' });
    const some = found.map((each): Sent => ({ log: log.origin, ...each }));
    const alarm: Sent[] = broken === null ? [] : [{ log: log.origin, index: null, content: null, broken }];
    await send([...alarm, ...some]);
    this.#failures = 0;
    this.#toldWhy = log.why === null ? null : (broken ?? this.#toldWhy);
    if (end !== this.#next) await store.putOutlet(name, end);
    this.#next = end;
    return true;
  }
}
