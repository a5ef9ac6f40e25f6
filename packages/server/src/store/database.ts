/**
 * What the repositories need of an engine: reads, and transactions given as a whole. Transactions are not conversations,
 * so PGlite can run one in its thread, and PostgreSQL in few round trips, while the event loop does something else.
 */
import { PlatformError } from '@cloister/protocol/errors';

export interface Statement {
  readonly sql: string;
  readonly params: readonly unknown[];
  /** Rows that it must change; any other number undoes the whole transaction. */
  readonly expect?: number;
}

/** How a transaction ended: `done` means durable. Anything else left nothing behind. */
export type Outcome =
  | { readonly kind: 'done' }
  /** A statement changed another number of rows than it must. */
  | { readonly kind: 'unmet' }
  /** The database refused the data; `sqlState` as in PostgreSQL's appendix A. */
  | { readonly kind: 'refused'; readonly sqlState: string; readonly constraint: string };

export interface Database {
  /** Rows as arrays of columns, in the order selected. @throws PlatformError `StoreUnavailable` */
  read(sql: string, params: readonly unknown[]): Promise<unknown[][]>;
  /**
   * Runs the statements as one transaction, one transaction after the other: also against other processes.
   * @throws PlatformError `StoreUnavailable` when the database did not answer; whether the transaction happened is then unknown.
   */
  write(statements: readonly Statement[]): Promise<Outcome>;
  /** The same beside those: for what adds no event, so that its order is nobody's business and no change waits for it. */
  writeBeside(statements: readonly Statement[]): Promise<Outcome>;
  /** Calls `wake` when another process has committed; never for our own commits. */
  onOthers(wake: () => void): void;
  /** Holds a name as long as this process has the database open. @throws PlatformError `DatabaseInUse` where another holds it */
  lease(name: string): Promise<void>;
  close(): Promise<void>;
}

/** A plain conversation with the database, for the migrations alone. */
export interface Conversation {
  /** One or more statements without parameters. */
  run(sql: string): Promise<void>;
  query(sql: string, params: readonly unknown[]): Promise<unknown[][]>;
}

/** What is told of an error of an engine. Never its `detail`, which quotes the row. */
export interface EngineError {
  readonly message: string;
  readonly sqlState: string;
  readonly constraint: string;
}

/** The facts of a thrown error of `pg` or PGlite. */
export function engineError(thrown: unknown): EngineError {
  const { message = '', code = '', constraint = '' } = Object(thrown) as Partial<Record<string, unknown>>;
  return { message: String(message), sqlState: String(code), constraint: String(constraint ?? '') };
}

/**
 * Whether the database answered and refused what it was given, rather than failed: it may be given something else.
 * Data (22), constraints (23), an aborted transaction (25), lost races (40), syntax and access (42), checks (44).
 */
export function isRefusal(sqlState: string): boolean {
  return /^(22|23|25|40|42|44)[0-9A-Z]{3}$/.test(sqlState);
}

/**
 * The error for callers; the engine's own words stay in `cause`, for the log. A statement that was refused outside a
 * transaction of ours is a mistake of ours, and trying again would not help.
 */
export function failure(error: EngineError): PlatformError {
  const cause = new Error(`${error.message} (SQLSTATE ${error.sqlState})`);
  if (isRefusal(error.sqlState)) return new PlatformError('Internal', {}, { cause });
  const why = /^[0-9A-Z]{5}$/.test(error.sqlState) ? `SQLSTATE ${error.sqlState}` : error.sqlState || 'no connection';
  return new PlatformError('StoreUnavailable', { why }, { cause });
}
