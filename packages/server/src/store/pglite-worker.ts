/**
 * The thread that PGlite runs in, so that no query blocks the event loop of calls. It does what it is told, one request
 * after the other: the protocol is `Request` and `Response`.
 *
 * PGlite as it comes never syncs: it survives a killed process, not a power cut. Here PostgreSQL's own `fsync` is on and
 * reaches the disk through the file system below, so a commit is durable when it is answered. One sync for each
 * transaction, which is why the writer lets changes share one.
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { limits } from '@cloister/protocol/limits';
import { PGlite } from '@electric-sql/pglite';
import { NodeFS } from '@electric-sql/pglite/nodefs';
import { type EngineError, engineError, isRefusal, type Outcome, type Statement } from './database.ts';

export interface WorkerOptions {
  /** Where the database lies; made where there is none. */
  readonly folder: string;
  readonly logBytes: number;
}

export type Request = { readonly id: number } & (
  | { readonly kind: 'read'; readonly sql: string; readonly params: readonly unknown[] }
  | { readonly kind: 'run'; readonly sql: string }
  | { readonly kind: 'write'; readonly statements: readonly Statement[] }
  | { readonly kind: 'close' }
);
/** The first response, with id 0, says that the database is open; an error with id -1 concerns no request. */
export type Response = { readonly id: number } & (
  | { readonly kind: 'rows'; readonly rows: unknown[][] }
  | { readonly kind: 'outcome'; readonly outcome: Outcome }
  | { readonly kind: 'error'; readonly error: EngineError }
);

type Hook = (module: { NODEFS: unknown }) => void;
type Stream = { readonly nfd: number };

/** PGlite's own file system with the one operation that it leaves out. */
class SyncingFolder extends NodeFS {
  override async init(...args: Parameters<NodeFS['init']>): ReturnType<NodeFS['init']> {
    const made = await super.init(...args);
    const hooks = made.emscriptenOpts.preRun as Hook[];
    hooks.push(({ NODEFS }) => {
      const { stream_ops: operations } = NODEFS as { stream_ops: { fsync?: (stream: Stream) => number } };
      operations.fsync = ({ nfd }) => {
        fsyncSync(nfd);
        return 0;
      };
    });
    return made;
  }
}

/** Syncs every file of a new database: those that its making wrote were not. */
function syncTree(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const name = path.join(folder, entry.name);
    if (entry.isDirectory()) syncTree(name);
    else if (entry.isFile()) syncOne(name);
  }
  syncOne(folder);
}

function syncOne(name: string): void {
  const handle = openSync(name, 'r');
  fsyncSync(handle);
  closeSync(handle);
}

const durable = ['-c', 'fsync=on', '-c', 'synchronous_commit=on', '-c', 'wal_sync_method=fsync'];

/** Pages that PostgreSQL keeps itself: they are this process's memory, and the system keeps the same pages once more. */
const small = ['-c', 'shared_buffers=16MB'];

async function openFolder(folder: string): Promise<PGlite> {
  return PGlite.create({
    fs: new SyncingFolder(folder),
    // `-F` turns syncing off.
    startParams: [...PGlite.defaultStartParams.filter((option) => option !== '-F'), ...durable, ...small],
  });
}

/** Makes a database beside its place and moves it there when it is whole: no crash leaves half of one. */
async function make(folder: string): Promise<void> {
  const draft = `${folder}.new`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { recursive: true, mode: 0o700 });
  const database = await openFolder(draft);
  await database.close();
  syncTree(draft);
  renameSync(draft, folder);
  syncOne(path.dirname(folder));
}

async function open(folder: string): Promise<PGlite> {
  if (!existsSync(folder)) await make(folder);
  return openFolder(folder);
}

/** Undoes the transaction: thrown inside it. */
const unmet = Symbol('unmet');

async function write(database: PGlite, statements: readonly Statement[]): Promise<Outcome> {
  try {
    await database.transaction(async (transaction) => {
      for (const { sql, params, expect } of statements) {
        const { affectedRows } = await transaction.query(sql, [...params], { rowMode: 'array' });
        if (expect !== undefined && affectedRows !== expect) throw unmet;
      }
    });
    return { kind: 'done' };
  } catch (thrown) {
    if (thrown === unmet) return { kind: 'unmet' };
    const error = engineError(thrown);
    if (!isRefusal(error.sqlState)) throw thrown;
    return { kind: 'refused', sqlState: error.sqlState, constraint: error.constraint };
  }
}

async function answer(database: PGlite, request: Request): Promise<Response> {
  const { id } = request;
  switch (request.kind) {
    case 'read': {
      const { rows } = await database.query<unknown[]>(request.sql, [...request.params], { rowMode: 'array' });
      return { id, kind: 'rows', rows };
    }
    case 'run':
      await database.exec(request.sql);
      return { id, kind: 'rows', rows: [] };
    case 'write':
      return { id, kind: 'outcome', outcome: await write(database, request.statements) };
    case 'close':
      await database.close();
      return { id, kind: 'rows', rows: [] };
  }
}

/** Housekeeping is considered after this many transactions. */
const lookAfter = 100;

const howMuch = `
select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), redo_lsn)::float8,
  (select age(datfrozenxid) from pg_database where datname = current_database())
from pg_control_checkpoint()`;

/**
 * What a server's background processes do, and PGlite has none of them: without checkpoints the write-ahead log grows
 * until the disk is full and a restart replays all of it; without vacuum the rows removed from queues stay for ever.
 */
async function keepHouse(database: PGlite, logBytes: number): Promise<void> {
  const { rows } = await database.query<[number, number]>(howMuch, [], { rowMode: 'array' });
  const [written, age] = rows[0] ?? [0, 0];
  if (age >= limits.embeddedTransactionAge) await database.exec('vacuum');
  if (written < logBytes) return;
  await database.exec('vacuum outbox, deliveries, readers, legs, sessions');
  await database.exec('checkpoint');
}

const port = parentPort;
if (port) {
  const { folder, logBytes } = workerData as WorkerOptions;
  const database = await open(folder);
  let last: Promise<void> = Promise.resolve();
  let transactions = 0;
  const serve = async (request: Request): Promise<void> => {
    const response = await answer(database, request).catch(
      (thrown: unknown): Response => ({ id: request.id, kind: 'error', error: engineError(thrown) }),
    );
    port.postMessage(response);
    // What PostgreSQL did not say itself is a fault of the machine that it runs in, which cannot go on.
    if (response.kind === 'error' && !/^[0-9A-Z]{5}$/.test(response.error.sqlState)) process.exit(1);
    if (request.kind !== 'write') return;
    transactions += 1;
    if (transactions % lookAfter !== 0) return;
    await keepHouse(database, logBytes).catch((thrown: unknown) => {
      port.postMessage({ id: -1, kind: 'error', error: engineError(thrown) } satisfies Response);
    });
  };
  port.on('message', (request: Request) => {
    last = last.then(() => serve(request));
  });
  port.postMessage({ id: 0, kind: 'rows', rows: [] } satisfies Response);
}
