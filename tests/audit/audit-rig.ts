/** An audit log over a real PostgreSQL whose rows a test may change behind its back. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import {
  AuditLog,
  AuditQuery,
  type ExportEntry,
  type ExportHead,
  type NoteKey,
  verifyExport,
} from '../../packages/server/src/audit/index.ts';
import type { AuditSearch, Event } from '../../packages/server/src/core/index.ts';
import { type KeyRing, openKeys } from '../../packages/server/src/keys/index.ts';
import { ManualClock, systemIds } from '../../packages/server/src/lib/index.ts';
import { type OpenedStore, openPostgresStore } from '../../packages/server/src/store/index.ts';
import { startPostgres } from '../rig/postgres.ts';

export interface AuditRig {
  readonly store: OpenedStore;
  readonly keys: KeyRing;
  readonly clock: ManualClock;
  readonly log: AuditLog;
  readonly query: AuditQuery;
  /** Messages of the journal at level error. */
  readonly alarms: string[];
  /** The checkpoint outside the database. */
  outside: string | null;
  /** Changes rows as somebody would who has the database. */
  sql(text: string, params?: readonly unknown[]): Promise<Record<string, unknown>[]>;
  /** So many acts of projects of an account, through the outbox into the log. */
  acts(count: number, accountId?: string): Promise<Event[]>;
  /** The log opened anew, as after a restart of the server. */
  reopen(): Promise<AuditLog>;
  /** The lines of an export. */
  lines(search?: AuditSearch, since?: string): Promise<(ExportHead | ExportEntry)[]>;
  /** Checks lines as `cloister audit verify` does. */
  verify(lines: readonly (ExportHead | ExportEntry)[]): ReturnType<typeof verifyExport>;
  close(): Promise<void>;
}

export async function auditRig(witnesses: readonly NoteKey[] = []): Promise<AuditRig> {
  const server = await startPostgres();
  const clock = new ManualClock();
  const alarms: string[] = [];
  const journal = { record: (level: string, message: string) => void (level === 'error' && alarms.push(message)) };
  const store = await openPostgresStore({ url: server.url, clock, journal });
  const keys = await openKeys({ root: randomBytes(32), keyring: store.keyring, clock, ids: systemIds });
  store.useKeys(keys);
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  let kept: string | null = null;
  const outside = {
    read: async () => kept,
    write: async (note: string) => {
      kept = note;
    },
  };
  const open = () => AuditLog.open({ store, keys, outside, clock, ids: systemIds, journal });
  let log = await open();
  const queryOf = () => new AuditQuery({ log, store: store.audit, keys, witnesses, now: () => clock.now() });
  let query = queryOf();
  return {
    store,
    keys,
    clock,
    alarms,
    get log() {
      return log;
    },
    get query() {
      return query;
    },
    get outside() {
      return kept;
    },
    set outside(note) {
      kept = note;
    },
    async sql(text, params = []) {
      return (await client.query(text, [...params])).rows as Record<string, unknown>[];
    },
    async acts(count, accountId = 'account-1') {
      const events = Array.from({ length: count }, (_, at): Event => {
        const stamp = { id: systemIds.uuid(), at: clock.now() + at, actor: { kind: 'account', accountId } as const };
        return { ...stamp, projectId: null, type: 'account.planChanged', accountId, plan: `plan ${at}`, addOns: [] };
      });
      for (let first = 0; first < count; first += 500) await store.outbox.append(events.slice(first, first + 500));
      await log.follow();
      return events;
    },
    async reopen() {
      log = await open();
      query = queryOf();
      return log;
    },
    async lines(search = {}, since = undefined) {
      const lines = [];
      for await (const line of query.export(search, since)) lines.push(line);
      return lines;
    },
    verify: (lines) => verifyExport(each(lines), [...log.keys, ...witnesses]),
    async close() {
      await client.end();
      await store.close();
      await server.stop();
    },
  };
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}
