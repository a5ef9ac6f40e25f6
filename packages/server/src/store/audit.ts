/** The rows of the audit log. */
import { PlatformError } from '@cloister/protocol/errors';
import { and, asc, count, desc, eq, gte, isNotNull, isNull, like, lt, or, type SQL, sql } from 'drizzle-orm';
import {
  type AuditEntry,
  type AuditHead,
  type AuditSearch,
  type AuditStore,
  type AuditTile,
  auditReader,
} from '../core/index.ts';
import { advanceReader } from './outbox.ts';
import { auditEntries, auditLog, auditOutlets, auditTiles, auditWitnesses } from './schema.ts';
import { accept, commit, type Parts, read, statement } from './tables.ts';

const insertEntries = `
insert into audit_entries (index, event_id, at, action, account_id, project_id, mac, sealed)
select * from unnest($1::int8[], $2::text[], $3::int8[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])`;

const upsertTiles = `
insert into audit_tiles (level, index, hashes)
select * from unnest($1::int4[], $2::int8[], $3::text[])
on conflict (level, index) do update set hashes = excluded.hashes`;

const columns: readonly ((entry: AuditEntry) => unknown)[] = [
  ({ index }) => index,
  ({ eventId }) => eventId,
  ({ at }) => at,
  ({ action }) => action,
  ({ accountId }) => accountId,
  ({ projectId }) => projectId,
  ({ mac }) => mac.toString('base64'),
  ({ sealed }) => sealed,
];

const tileColumns: readonly ((tile: AuditTile) => unknown)[] = [
  ({ level }) => level,
  ({ index }) => index,
  ({ hashes }) => hashes.toString('base64'),
];

function many<Row>(text: string, rows: readonly Row[], of: readonly ((row: Row) => unknown)[]) {
  return rows.length === 0 ? [] : [{ sql: text, params: of.map((column) => rows.map(column)), expect: rows.length }];
}

function where({ accountId, projectId, action, since, until, first, end }: AuditSearch): SQL | undefined {
  const own = accountId === undefined ? undefined : eq(auditEntries.accountId, accountId);
  // What is about the log itself belongs to nobody and is shown to all.
  const ofLog = and(
    isNull(auditEntries.accountId),
    isNull(auditEntries.projectId),
    like(auditEntries.action, 'audit.%'),
  );
  return and(
    own && or(own, ofLog),
    projectId === undefined ? undefined : or(eq(auditEntries.projectId, projectId), ofLog),
    action === undefined ? undefined : eq(auditEntries.action, action),
    since === undefined ? undefined : gte(auditEntries.at, since),
    until === undefined ? undefined : lt(auditEntries.at, until),
    first === undefined ? undefined : gte(auditEntries.index, first),
    end === undefined ? undefined : lt(auditEntries.index, end),
  );
}

/** Whatever was written since by another process has another size, checkpoint or sequence. */
function isHead({ size, checkpoint, sequence }: AuditHead): SQL | undefined {
  return and(eq(auditLog.size, size), eq(auditLog.checkpoint, checkpoint), eq(auditLog.sequence, sequence));
}

type Changes = Pick<AuditStore, 'append' | 'destroy' | 'putWitnessed' | 'putOutlet'>;

function openReads({ tables }: Parts): Omit<AuditStore, keyof Changes> {
  return {
    async head() {
      const [row] = await read(tables.select().from(auditLog));
      return row ? { origin: row.origin, size: row.size, checkpoint: row.checkpoint, sequence: row.sequence } : null;
    },

    async count() {
      const [row] = await read(tables.select({ entries: count() }).from(auditEntries));
      return row?.entries ?? 0;
    },

    async tiles(ids) {
      if (ids.length === 0) return [];
      const wanted = or(
        ...ids.map(({ level, index }) => and(eq(auditTiles.level, level), eq(auditTiles.index, index))),
      );
      const rows = await read(tables.select().from(auditTiles).where(wanted));
      return rows.map((row) => ({ ...row, hashes: Buffer.from(row.hashes, 'base64') }));
    },

    async entries(search, limit) {
      const found = tables
        .select()
        .from(auditEntries)
        .where(where(search))
        .orderBy(asc(auditEntries.index))
        .limit(limit);
      return (await read(found)).map((row) => ({ ...row, mac: Buffer.from(row.mac, 'base64') }));
    },

    async indexes(search) {
      const found = tables.select({ index: auditEntries.index }).from(auditEntries).where(where(search));
      return (await read(found.orderBy(asc(auditEntries.index)))).map(({ index }) => index);
    },

    async firstAfter(at) {
      const found = tables.select({ index: auditEntries.index }).from(auditEntries).where(gte(auditEntries.at, at));
      const [first] = await read(found.orderBy(asc(auditEntries.index)).limit(1));
      return first?.index ?? (await this.count());
    },

    async accountOf(projectId) {
      const known = and(eq(auditEntries.projectId, projectId), isNotNull(auditEntries.accountId));
      const found = tables.select({ accountId: auditEntries.accountId }).from(auditEntries).where(known);
      const [row] = await read(found.orderBy(desc(auditEntries.index)).limit(1));
      return row?.accountId ?? null;
    },

    async outlet(name) {
      const [row] = await read(tables.select().from(auditOutlets).where(eq(auditOutlets.name, name)));
      return row?.next ?? 0;
    },

    witnessed: () => read(tables.select().from(auditWitnesses).orderBy(asc(auditWitnesses.name))),
  };
}

export function openAudit(parts: Parts): AuditStore {
  const { tables, writer } = parts;
  return {
    ...openReads(parts),

    async append({ from, head, entries, tiles, position }) {
      const outcome = await writer.writeBeside([
        from === null
          ? statement(tables.insert(auditLog).values(head))
          : statement(tables.update(auditLog).set(head).where(isHead(from)), 1),
        ...many(insertEntries, entries, columns),
        ...many(upsertTiles, tiles, tileColumns),
        ...(position === null ? [] : [{ sql: advanceReader, params: [auditReader, position] }]),
      ]);
      const why = 'the audit log has grown under another process';
      accept(outcome, new PlatformError('WrongState', { why }));
    },

    async destroy(before, except) {
      const spared =
        except.length === 0 ? undefined : sql`coalesce(${auditEntries.projectId}, '') <> all(${sql.param(except)})`;
      const old = and(lt(auditEntries.index, before), isNotNull(auditEntries.sealed), spared);
      await commit(writer, { statements: [statement(tables.update(auditEntries).set({ sealed: null }).where(old))] });
    },

    async putWitnessed({ name, checkpoint, at }) {
      const insert = tables.insert(auditWitnesses).values({ name, checkpoint, at });
      const upsert = insert.onConflictDoUpdate({ target: auditWitnesses.name, set: { checkpoint, at } });
      await commit(writer, { statements: [statement(upsert)] });
    },

    async putOutlet(name, next) {
      const insert = tables.insert(auditOutlets).values({ name, next });
      const upsert = insert.onConflictDoUpdate({ target: auditOutlets.name, set: { next } });
      await commit(writer, { statements: [statement(upsert)] });
    },
  };
}
