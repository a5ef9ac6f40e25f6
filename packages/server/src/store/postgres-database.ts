/** PostgreSQL (15 or newer) as a `Database`. */
import { randomUUID } from 'node:crypto';
import { limits } from '@cloister/protocol/limits';
import pg from 'pg';
import type { Journal } from '../core/index.ts';
import type { Clock } from '../lib/index.ts';
import {
  type Conversation,
  type Database,
  engineError,
  failure,
  isRefusal,
  type Outcome,
  type Statement,
} from './database.ts';
import { PostgresLease } from './postgres-lease.ts';

/**
 * Every transaction that may add events holds this lock until it has committed. Positions of the outbox come from a sequence, which
 * knows nothing of commits: without the lock a reader could see position 8 before position 7 is visible, move on, and
 * never read 7. PostgreSQL makes a commit visible before it lets go of its locks, so the order of positions is the order
 * in which they are seen. The price, one writer at a time, is paid back by changes sharing transactions.
 */
const writerLock = 7_306_584_102;
const channel = 'cloister_outbox';

export class PostgresDatabase implements Database {
  readonly #url: string;
  readonly #deps: { clock: Clock; journal: Journal };
  readonly #pool: pg.Pool;
  /** Tells our own notices from those of others. */
  readonly #self = randomUUID();
  #listener: pg.Client | null = null;
  readonly #leases: PostgresLease[] = [];
  #closed = false;

  constructor(url: string, deps: { clock: Clock; journal: Journal }) {
    this.#url = url;
    this.#deps = deps;
    this.#pool = new pg.Pool({
      ...this.#options(),
      max: limits.databaseConnections,
      statement_timeout: limits.databaseAnswerSeconds * 1000,
      query_timeout: limits.databaseAnswerSeconds * 1000,
    });
    // One that breaks in use tells the query that waits on it; the event alone would end the process.
    this.#pool.on('connect', (client) => client.on('error', () => {}));
    // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
    this.#pool.on('error', (error) => this.#warn('a connection to the database broke', error));
  }

  async read(sql: string, params: readonly unknown[]): Promise<unknown[][]> {
    try {
      return (await this.#pool.query<unknown[]>({ text: sql, values: [...params], rowMode: 'array' })).rows;
    } catch (thrown) {
      throw failure(engineError(thrown));
    }
  }

  write(statements: readonly Statement[]): Promise<Outcome> {
    const begin = `begin; select pg_advisory_xact_lock(${writerLock})`;
    return this.#transaction(begin, statements, `notify ${channel}, '${this.#self}'; commit`);
  }

  writeBeside(statements: readonly Statement[]): Promise<Outcome> {
    return this.#transaction('begin', statements, 'commit');
  }

  async #transaction(begin: string, statements: readonly Statement[], commit: string): Promise<Outcome> {
    const client = await this.#connect();
    let broken: Error | undefined;
    try {
      await client.query(begin);
      for (const { sql, params, expect } of statements) {
        const { rowCount } = await client.query({ text: sql, values: [...params] });
        if (expect === undefined || rowCount === expect) continue;
        await client.query('rollback');
        return { kind: 'unmet' };
      }
      await client.query(commit);
      return { kind: 'done' };
    } catch (thrown) {
      const error = engineError(thrown);
      const undone = await client.query('rollback').then(
        () => true,
        () => false,
      );
      if (!undone) broken = new Error(error.message);
      if (!undone || !isRefusal(error.sqlState)) throw failure(error);
      return { kind: 'refused', sqlState: error.sqlState, constraint: error.constraint };
    } finally {
      // A connection that may be in the middle of something is not used again.
      client.release(broken);
    }
  }

  onOthers(wake: () => void): void {
    void this.#listen(wake);
  }

  async lease(name: string): Promise<void> {
    const lease = new PostgresLease({ ...this.#deps, options: this.#options() }, name);
    await lease.take();
    this.#leases.push(lease);
  }

  /** A conversation on a connection of its own, for the migrations. */
  async converse<Result>(talk: (conversation: Conversation) => Promise<Result>): Promise<Result> {
    const client = await this.#connect();
    try {
      return await talk({
        run: async (sql) => void (await client.query(sql)),
        query: async (sql, params) =>
          (await client.query<unknown[]>({ text: sql, values: [...params], rowMode: 'array' })).rows,
      });
    } finally {
      client.release(true);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#listener?.end().catch(() => undefined);
    await this.#pool.end();
    // Last: whoever comes next finds everything written.
    for (const lease of this.#leases) await lease.close();
  }

  #options(): pg.ClientConfig {
    return {
      connectionString: this.#url,
      connectionTimeoutMillis: limits.databaseConnectSeconds * 1000,
      keepAlive: true,
      application_name: 'cloister',
    };
  }

  async #connect(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (thrown) {
      throw failure(engineError(thrown));
    }
  }

  async #listen(wake: () => void): Promise<void> {
    if (this.#closed) return;
    const client = new pg.Client(this.#options());
    let lost = false;
    const again = (thrown: unknown) => {
      if (lost || this.#closed) return;
      lost = true;
      this.#warn('changes of other processes are not heard until the database is back', thrown);
      client.end().catch(() => undefined);
      this.#deps.clock.after(limits.databaseReconnectSeconds * 1000, () => void this.#listen(wake));
    };
    client.on('error', again);
    client.on('end', () => again(new Error('the connection ended')));
    client.on('notification', ({ payload }) => {
      if (payload !== this.#self) wake();
    });
    try {
      await client.connect();
      await client.query(`listen ${channel}`);
      this.#listener = client;
      if (this.#closed) await client.end();
      // What happened while nobody listened.
      else wake();
    } catch (thrown) {
      again(thrown);
    }
  }

  #warn(
    message:
      | 'a connection to the database broke'
      | 'changes of other processes are not heard until the database is back',
    thrown: unknown,
  ): void {
    const { message: error, sqlState } = engineError(thrown);
    this.#deps.journal.record('warn', message, { error, code: sqlState });
  }
}
