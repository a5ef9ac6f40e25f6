/**
 * Destroys what entries say once they are as old as they are kept for: salt and content go, hashes stay, and the log says so.
 * Entries of projects that are held stay whole.
 */
import { asPlatformError } from '@cloister/protocol';
import type { AuditStore, Journal } from '../core/index.ts';
import type { Cancel, Clock } from '../lib/index.ts';
import type { AuditLog } from './log.ts';
import type { AuditQuery } from './query.ts';

interface RetentionDeps {
  readonly log: AuditLog;
  readonly query: AuditQuery;
  readonly store: Pick<AuditStore, 'firstAfter'>;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly keptMs: number;
  /** Projects under a legal hold. */
  readonly held: readonly string[];
}

const everyMs = 24 * 3600 * 1000;

export class Retention {
  readonly #deps: RetentionDeps;
  #cancel: Cancel = () => {};

  constructor(deps: RetentionDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { clock, journal } = this.#deps;
    this.run().catch((error: unknown) => {
      const { code } = asPlatformError(error);
      journal.record('error', 'old entries of the audit log could not be destroyed', { code });
    });
    this.#cancel = clock.after(everyMs, () => this.start());
  }

  stop(): void {
    this.#cancel();
  }

  /** @throws PlatformError `AuditLogBroken` */
  async run(): Promise<void> {
    const { log, query, store, clock, keptMs, held } = this.#deps;
    if (log.state === 'broken') return;
    const before = await store.firstAfter(clock.now() - keptMs);
    const last = await query.destroyed();
    const same = last !== null && last.before >= before && JSON.stringify(last.held) === JSON.stringify(held);
    if (before > 0 && !same) await log.destroy(Math.max(before, last?.before ?? 0), held);
  }
}
