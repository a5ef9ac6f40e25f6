/** What the repositories share: the query builder on a `Database`, the writer, and what refusals become. */
import { PlatformError } from '@cloister/protocol/errors';
import { DrizzleQueryError } from 'drizzle-orm';
import { drizzle, type PgRemoteDatabase } from 'drizzle-orm/pg-proxy';
import type { Keys } from '../core/index.ts';
import type { Database, Outcome, Statement } from './database.ts';
import type { Change, Writer } from './writer.ts';

/** What the store needs of the keys. */
export type Seals = Pick<Keys, 'seal' | 'open' | 'reseal'>;

export type Tables = PgRemoteDatabase;

/** What every repository stands on. */
export interface Parts {
  readonly tables: Tables;
  readonly writer: Writer;
  /** The keys, which come after the store: see `useKeys`. */
  readonly seals: Seals;
}

export function openTables(database: Database): Tables {
  return drizzle(async (sql, params) => ({ rows: await database.read(sql, params) }));
}

/** Runs a reading query. Drizzle wraps errors in one that quotes the parameters; they must not get into a log. */
export async function read<Row>(query: PromiseLike<Row[]>): Promise<Row[]> {
  try {
    return await query;
  } catch (error) {
    throw error instanceof DrizzleQueryError ? error.cause : error;
  }
}

/** A query as a statement of a transaction; `expect` is the number of rows that it must change. */
export function statement(query: { toSQL(): { sql: string; params: unknown[] } }, expect?: number): Statement {
  const { sql, params } = query.toSQL();
  return expect === undefined ? { sql, params } : { sql, params, expect };
}

const foreignKeyViolation = '23503';

/**
 * Writes a change, or throws what its refusal means.
 * @param missing the error where the row that the change is about, or that it hangs on, is not there
 */
export async function commit(writer: Writer, change: Change, missing?: PlatformError): Promise<void> {
  accept(await writer.write(change), missing);
}

/** Throws what the refusal of a change means; `missing` as `commit` has it. */
export function accept(outcome: Outcome, missing?: PlatformError): void {
  if (outcome.kind === 'done') return;
  if (missing && (outcome.kind === 'unmet' || outcome.sqlState === foreignKeyViolation)) throw missing;
  const cause =
    outcome.kind === 'unmet' ? 'a row was not there' : `SQLSTATE ${outcome.sqlState} by ${outcome.constraint}`;
  throw new PlatformError('Internal', {}, { cause: new Error(`the database refused a change: ${cause}`) });
}
