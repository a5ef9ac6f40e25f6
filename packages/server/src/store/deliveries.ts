/**
 * The queue of webhook calls. The oldest delivery of each order key is its head and alone may go out; `head` is kept in
 * the row, so that what is due is found without reading the queue of a receiver that has been down for hours.
 */
import { and, asc, eq, gt, lte, min, notInArray } from 'drizzle-orm';
import type { Delivery, Store } from '../core/index.ts';
import type { Statement } from './database.ts';
import { deliveries } from './schema.ts';
import { commit, type Parts, read, statement } from './tables.ts';

// One statement: the deliveries go in only where the reader moves on. A project that is gone gets no deliveries.
const enqueueAndAdvance = `
with moved as (
  insert into readers (name, position) values ($1, $2)
  on conflict (name) do update set position = excluded.position where readers.position < excluded.position
  returning name
)
insert into deliveries (id, project_id, order_key, url, body, attempts, due_at, created_at, head)
select row.id, row.project_id, row.order_key, row.url, row.body, row.attempts, row.due_at, row.created_at,
  row_number() over (partition by row.order_key order by row.place) = 1
    and not exists (select from deliveries older where older.order_key = row.order_key)
from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::int4[], $9::int8[], $10::int8[]) with ordinality
  as row (id, project_id, order_key, url, body, attempts, due_at, created_at, place)
join projects on projects.id = row.project_id
where exists (select from moved)
order by row.place`;

// The statement sees the queue as it was before, so the next one is the oldest behind the one removed.
const removeAndPromote = `
with gone as (delete from deliveries where id = $1 returning order_key, seq, head)
update deliveries set head = true
from gone
where gone.head and deliveries.seq = (
  select min(behind.seq) from deliveries behind where behind.order_key = gone.order_key and behind.seq > gone.seq
)`;

function enqueueStatement(rows: readonly Delivery[], reader: string, position: number): Statement {
  const column = (name: keyof Delivery) => rows.map((row) => row[name]);
  const names = ['id', 'projectId', 'orderKey', 'url', 'body', 'attempts', 'dueAt', 'createdAt'] as const;
  return { sql: enqueueAndAdvance, params: [reader, position, ...names.map(column)] };
}

export function openDeliveries({ tables, writer }: Parts): Store['deliveries'] {
  return {
    async enqueue(rows, reader, position) {
      await commit(writer, { statements: [enqueueStatement(rows, reader, position)] });
    },

    async due(now, limit, except) {
      const due = and(
        eq(deliveries.head, true),
        lte(deliveries.dueAt, now),
        except.length > 0 ? notInArray(deliveries.id, [...except]) : undefined,
      );
      const rows = tables
        .select()
        .from(deliveries)
        .where(due)
        .orderBy(asc(deliveries.dueAt), asc(deliveries.seq))
        .limit(limit);
      return (await read(rows)).map(({ seq: _seq, head: _head, ...delivery }) => delivery);
    },

    async nextDueAt(after) {
      const rows = tables
        .select({ at: min(deliveries.dueAt) })
        .from(deliveries)
        .where(and(eq(deliveries.head, true), after === undefined ? undefined : gt(deliveries.dueAt, after)));
      return (await read(rows))[0]?.at ?? null;
    },

    async done(id) {
      await commit(writer, { statements: [{ sql: removeAndPromote, params: [id] }] });
    },

    async retry(id, attempts, dueAt) {
      const update = tables.update(deliveries).set({ attempts, dueAt }).where(eq(deliveries.id, id));
      await commit(writer, { statements: [statement(update)] });
    },
  };
}
