/** The rows of usage. */
import { and, eq, gte, inArray, lte, or, type SQL, sql } from 'drizzle-orm';
import { unionAll } from 'drizzle-orm/pg-core';
import {
  type OpenUse,
  type UsageDay,
  type UsageSearch,
  type UsageStep,
  type UsageStore,
  usageReader,
} from '../core/index.ts';
import type { Statement } from './database.ts';
import { readers, usageDays, usageOpen, usageProjects } from './schema.ts';
import { accept, type Parts, read } from './tables.ts';

/** Whoever has read from another place has other events: then nothing of the step is written. */
const moveReader = 'update readers set position = $3 where name = $1 and position = $2';

const insertOwners = `
insert into usage_projects (project_id, account_id) select * from unnest($1::text[], $2::text[])
on conflict (project_id) do nothing`;

const upsertOpen = `
insert into usage_open (kind, id, project_id, zone, since)
select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int8[])
on conflict (kind, id) do update set since = excluded.since`;

const deleteEnded = `
delete from usage_open where (kind, id) in (select * from unnest($1::text[], $2::text[]))`;

const addDays = `
insert into usage_days (project_id, zone, day, participant_ms, archive_ms, sealed_bytes)
select * from unnest($1::text[], $2::text[], $3::date[], $4::int8[], $5::int8[], $6::int8[])
on conflict (project_id, day, zone) do update set
  participant_ms = usage_days.participant_ms + excluded.participant_ms,
  archive_ms = usage_days.archive_ms + excluded.archive_ms,
  sealed_bytes = usage_days.sealed_bytes + excluded.sealed_bytes`;

function many<Row>(text: string, rows: readonly Row[], ...of: readonly ((row: Row) => unknown)[]): Statement[] {
  return rows.length === 0 ? [] : [{ sql: text, params: of.map((column) => rows.map(column)) }];
}

function statementsOf({ from, position, owners, open, ended, days }: UsageStep): Statement[] {
  return [
    { sql: moveReader, params: [usageReader, from, position], expect: 1 },
    ...many(
      insertOwners,
      owners,
      ({ projectId }) => projectId,
      ({ accountId }) => accountId,
    ),
    ...many(
      upsertOpen,
      open,
      ({ kind }) => kind,
      ({ id }) => id,
      ({ projectId }) => projectId,
      ({ zone }) => zone,
      ({ since }) => since,
    ),
    ...many(
      deleteEnded,
      ended,
      ({ kind }) => kind,
      ({ id }) => id,
    ),
    ...many(
      addDays,
      days,
      ({ projectId }) => projectId,
      ({ zone }) => zone,
      ({ day }) => day,
      ({ participantMs }) => participantMs,
      ({ archiveMs }) => archiveMs,
      ({ sealedBytes }) => sealedBytes,
    ),
  ];
}

export function openUsage({ tables, writer }: Parts): UsageStore {
  return {
    async position() {
      const [row] = await read(tables.select().from(readers).where(eq(readers.name, usageReader)));
      return row?.position ?? 0;
    },

    async open(ids, projectIds) {
      const archivesOf = and(eq(usageOpen.kind, 'archive'), inArray(usageOpen.projectId, [...projectIds]));
      const wanted = [
        ...(ids.length > 0 ? [inArray(usageOpen.id, [...ids])] : []),
        ...(projectIds.length > 0 ? [archivesOf] : []),
      ];
      if (wanted.length === 0) return [];
      return read(
        tables
          .select()
          .from(usageOpen)
          .where(or(...wanted)),
      );
    },

    async count(step) {
      const outcome = await writer.write({ statements: statementsOf(step) });
      if (outcome.kind === 'unmet') return false;
      accept(outcome);
      return true;
    },

    async search(search, limit) {
      // One statement, so that nothing ends between looking for what is open and looking for what was counted.
      const rows = await read(unionAll(countedOf(tables, search), openOf(tables, search)).limit(limit));
      const days: (UsageDay & { accountId: string | null })[] = [];
      const open: (OpenUse & { accountId: string | null })[] = [];
      for (const row of rows) {
        const { kind, id, day, since, participantMs, archiveMs, sealedBytes, ...place } = row;
        if (day !== null) days.push({ ...place, day, participantMs, archiveMs, sealedBytes });
        else open.push({ ...place, kind: kind as OpenUse['kind'], id, since });
      }
      return { days, open };
    },
  };
}

type Tables = Parts['tables'];

const big = (of: SQL | typeof usageDays.participantMs) => sql<number>`${of}`.mapWith(Number);
const maybeBig = (of: SQL | typeof usageOpen.since) =>
  sql<number | null>`${of}`.mapWith((value) => (value === null ? null : Number(value)));

function countedOf(tables: Tables, { accountId, projectId, from, until }: UsageSearch) {
  const rows = tables.select({
    kind: sql<string>`''`,
    id: sql<string>`''`,
    projectId: usageDays.projectId,
    accountId: usageProjects.accountId,
    zone: usageDays.zone,
    day: sql<string | null>`${usageDays.day}::text`,
    since: maybeBig(sql`null::int8`),
    participantMs: big(usageDays.participantMs),
    archiveMs: big(usageDays.archiveMs),
    sealedBytes: big(usageDays.sealedBytes),
  });
  return rows
    .from(usageDays)
    .leftJoin(usageProjects, eq(usageProjects.projectId, usageDays.projectId))
    .where(
      and(
        accountId === undefined ? undefined : eq(usageProjects.accountId, accountId),
        projectId === undefined ? undefined : eq(usageDays.projectId, projectId),
        from === undefined ? undefined : gte(usageDays.day, from),
        until === undefined ? undefined : lte(usageDays.day, until),
      ),
    );
}

function openOf(tables: Tables, { accountId, projectId }: UsageSearch) {
  const nothing = () => big(sql`0::int8`);
  const rows = tables.select({
    kind: sql<string>`${usageOpen.kind}`,
    id: sql<string>`${usageOpen.id}`,
    projectId: usageOpen.projectId,
    accountId: usageProjects.accountId,
    zone: usageOpen.zone,
    day: sql<string | null>`null::text`,
    since: maybeBig(usageOpen.since),
    participantMs: nothing(),
    archiveMs: nothing(),
    sealedBytes: nothing(),
  });
  return rows
    .from(usageOpen)
    .leftJoin(usageProjects, eq(usageProjects.projectId, usageOpen.projectId))
    .where(
      and(
        accountId === undefined ? undefined : eq(usageProjects.accountId, accountId),
        projectId === undefined ? undefined : eq(usageOpen.projectId, projectId),
      ),
    );
}
