/**
 * The right to be the one server on a PostgreSQL database: an advisory lock that a connection of its own holds as long as
 * the process lives. PostgreSQL gives it back when that connection ends, be it by kill -9 or, after the keepalives, when
 * the machine is gone.
 */
import { PlatformError } from '@cloister/protocol/errors';
import { limits } from '@cloister/protocol/limits';
import pg from 'pg';
import type { Journal } from '../core/index.ts';
import type { Clock } from '../lib/index.ts';
import { engineError, failure } from './database.ts';

interface LeaseDeps {
  readonly options: pg.ClientConfig;
  readonly clock: Clock;
  readonly journal: Journal;
}

/** PostgreSQL, appendix A: lock_not_available. */
const lockNotAvailable = '55P03';
/** A machine that is gone without a word is found out within 15 s (idle + interval * count), instead of two hours. */
const keepalives = 'set tcp_keepalives_idle = 5; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 2';

export class PostgresLease {
  readonly #deps: LeaseDeps;
  readonly #name: string;
  #client: pg.Client | null = null;
  #closed = false;

  constructor(deps: LeaseDeps, name: string) {
    this.#deps = deps;
    this.#name = name;
  }

  /**
   * Takes it, and takes it again whenever the connection is lost. A server that is just stopping is waited for.
   * @throws PlatformError `DatabaseInUse` where another process keeps it, `StoreUnavailable`
   */
  async take(): Promise<void> {
    const client = new pg.Client(this.#deps.options);
    // Without a listener, an error of the connection would end the process.
    client.on('error', () => {});
    try {
      await client.connect();
      await client.query(`${keepalives}; set lock_timeout = '${limits.databaseLeaseSeconds}s'`);
      await client.query('select pg_advisory_lock(hashtextextended($1, 0))', [`cloister/${this.#name}`]);
    } catch (thrown) {
      await client.end().catch(() => undefined);
      const error = engineError(thrown);
      throw error.sqlState === lockNotAvailable ? new PlatformError('DatabaseInUse') : failure(error);
    }
    this.#client = client;
    if (this.#closed) await client.end().catch(() => undefined);
    else client.on('end', () => this.#lost());
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#client?.end().catch(() => undefined);
  }

  /** Nothing is stopped for it: what two servers would write over is compared by each of them when it writes. */
  #lost(): void {
    if (this.#closed) return;
    const { clock, journal } = this.#deps;
    journal.record('warn', 'the lease of the database was lost with its connection, and is taken again');
    const again = () => {
      if (this.#closed) return;
      this.take().catch((error: unknown) => {
        const code = error instanceof PlatformError ? error.code : null;
        journal.record('error', 'the lease of the database could not be taken again', { code });
        clock.after(limits.databaseReconnectSeconds * 1000, again);
      });
    };
    clock.after(limits.databaseReconnectSeconds * 1000, again);
  }
}
