/** Statements that write many rows at once, with the same text for any number of them: one array for each column. */
import type { Session } from '../core/index.ts';
import type { Statement } from './database.ts';
import { erased, type StoredEvent } from './personal.ts';
import type { Began, LegRow } from './writer.ts';

/** One statement for all rows, none where there are no rows. */
function bulk<Row>(rows: readonly Row[], sql: string, columns: readonly ((row: Row) => unknown)[], all = true) {
  if (rows.length === 0) return [];
  const statement = { sql, params: columns.map((column) => rows.map(column)) };
  return [all ? { ...statement, expect: rows.length } : statement];
}

const insertSessions = `
insert into sessions (id, project_id, media_mode, archive_mode, archive_name, archive_resolution, e2ee, zone, policy, created_at)
select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bool[], $8::text[], $9::text[], $10::int8[])`;

export function bulkSessions(sessions: readonly Session[]): Statement[] {
  return bulk(sessions, insertSessions, [
    (row) => row.id,
    (row) => row.projectId,
    (row) => row.mediaMode,
    (row) => row.archiveMode,
    (row) => row.archiveName,
    (row) => row.archiveResolution,
    (row) => row.e2ee,
    (row) => row.zone,
    (row) => row.policy,
    (row) => row.createdAt,
  ]);
}

// "order by" decides the order in which positions are given (PostgreSQL: INSERT, notes on generated columns). Personal
// fields of a project that was removed while the event was on its way are not written: nothing could open them.
const insertEvents = `
with fresh as (
  select row.* from unnest($1::text[], $2::text[], $3::text[], $4::text[]) with ordinality
    as row (id, project_id, event, personal, place)
  where $5 or not exists (select from outbox where outbox.id = row.id)
), counted as (
  update outbox_sequence set last = last + (select count(*) from fresh) returning last
)
insert into outbox (id, project_id, event, personal, sequence)
select fresh.id, fresh.project_id, fresh.event,
  case when fresh.personal is not null and not exists (select from projects where projects.id = fresh.project_id)
    then '${erased}' else fresh.personal end,
  counted.last - (select count(*) from fresh) + row_number() over (order by fresh.place)
from fresh, counted
order by fresh.place`;

export function bulkEvents(
  events: readonly StoredEvent[],
  repeated: 'refuse repeated' | 'pass over repeated',
): Statement[] {
  const refuse = repeated === 'refuse repeated';
  // An event counts once, or its sequence would have a gap.
  const each = refuse ? events : [...new Map(events.map((event) => [event.id, event])).values()];
  const columns = [
    (row: StoredEvent) => row.id,
    (row: StoredEvent) => row.projectId,
    (row: StoredEvent) => row.event,
    (row: StoredEvent) => row.personal,
  ];
  return bulk(each, insertEvents, columns, refuse).map(({ params, ...rest }) => ({
    ...rest,
    params: [...params, refuse],
  }));
}

const upsertLegs = `
insert into legs (id, project_id, session_id, connected_at, leg, closed_at, words)
select row.id, row.project_id, row.session_id, row.connected_at, row.leg, row.closed_at, row.words
from unnest($1::text[], $2::text[], $3::text[], $4::int8[], $5::text[], $6::int8[], $7::text[]) with ordinality
  as row (id, project_id, session_id, connected_at, leg, closed_at, words, place)
where exists (select from sessions where sessions.id = row.session_id and sessions.project_id = row.project_id)
order by row.place
on conflict (id) do update set leg = excluded.leg, closed_at = excluded.closed_at, words = excluded.words`;

/** The last state of each leg; none for a session that is gone. */
export function bulkLegs(legs: readonly LegRow[]): Statement[] {
  const last = [...new Map(legs.map((row) => [row.id, row])).values()];
  const columns = [
    (row: LegRow) => row.id,
    (row: LegRow) => row.projectId,
    (row: LegRow) => row.sessionId,
    (row: LegRow) => row.leg.connectedAt,
    (row: LegRow) => JSON.stringify(row.leg),
    (row: LegRow) => row.leg.closedAt,
    (row: LegRow) => JSON.stringify(row.words),
  ];
  return bulk(last, upsertLegs, columns, false);
}

const insertPresent = `
insert into present (id, project_id, session_id, event_id, event, personal)
select row.id, row.project_id, row.session_id, row.event_id, row.event, row.personal
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) with ordinality
  as row (id, project_id, session_id, event_id, event, personal, place)
where exists (select from projects where projects.id = row.project_id)
order by row.place
on conflict (id) do nothing`;

/** What has begun; nothing for a project that is gone. */
export function bulkBegun(begun: readonly Began[]): Statement[] {
  const columns = [
    (row: Began) => row.id,
    (row: Began) => row.stored.projectId,
    (row: Began) => row.sessionId,
    (row: Began) => row.stored.id,
    (row: Began) => row.stored.event,
    (row: Began) => row.stored.personal,
  ];
  return bulk(begun, insertPresent, columns, false);
}

/** What has ended, by its ids. */
export function bulkEnded(ended: readonly string[]): Statement[] {
  return bulk(ended, 'delete from present where id = any($1::text[])', [(id) => id], false);
}
