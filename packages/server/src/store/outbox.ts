/**
 * The outbox: every event of the platform, in one order, until all its readers have passed it.
 *
 * Positions ascend in the order in which transactions become visible, since only one writes at a time (in this process
 * by the writer, against others by a lock: `postgres-database.ts`). So a reader that has seen a position has seen all
 * below it. A reader is known from its first read on; nothing is trimmed that it has not passed.
 */
import { PlatformError } from '@cloister/protocol/errors';
import { limits } from '@cloister/protocol/limits';
import { asc, eq, gt, sql } from 'drizzle-orm';
import type { Event, Recorded, Store, Unreadable } from '../core/index.ts';
import { archiveOf } from './archives.ts';
import { restoreEvent, type StoredEvent, storeErased, storeEvent } from './personal.ts';
import { outbox, projects, readers } from './schema.ts';
import { commit, type Parts, read, type Seals } from './tables.ts';
import type { Began, LegRow } from './writer.ts';

/** Moves a reader, `$1`, on to a position, `$2`; never back. */
export const advanceReader = `
insert into readers (name, position) values ($1, $2)
on conflict (name) do update set position = excluded.position where readers.position < excluded.position`;

const trim = `
delete from outbox where position in (
  select position from outbox
  where position <= (select min(position) from readers) - $1
  order by position limit $2
)`;

/** Wakes those who watch, and never lets one of them stop the others. */
export class Watchers {
  readonly #all = new Set<() => void>();

  add(wake: () => void): () => void {
    const own = () => wake();
    this.#all.add(own);
    return () => this.#all.delete(own);
  }

  wake(): void {
    for (const wake of this.#all) queueMicrotask(wake);
  }
}

function legOf(event: Event): LegRow[] {
  if (!event.type.startsWith('leg.') || !('leg' in event)) return [];
  const { legId, projectId, sessionId, leg, words } = event;
  return [{ id: legId, projectId, sessionId, leg, words }];
}

/** A row with a whole event. */
interface Row {
  readonly sequence?: number | null;
  readonly position: number;
  readonly projectId: string | null;
  readonly event: string;
  readonly personal: string | null;
}

/** One row that was changed, or whose key is gone, must not keep the readers of all others where they are. */
export function restore(seals: Pick<Seals, 'open'>, row: Row): Recorded | Unreadable {
  const { position, projectId, sequence = null } = row;
  try {
    return { position, sequence, event: restoreEvent(seals, row) };
  } catch (error) {
    if (!(error instanceof PlatformError))
      return { position, sequence, event: null, projectId, why: 'it is not as it was written' };
    // Keys that are not open yet are no fault of the row.
    if (error.code !== 'SealBroken') throw error;
    return { position, sequence, event: null, projectId, why: error.code };
  }
}

function begunBy(event: Event, stored: StoredEvent): Began[] {
  if (event.type === 'connection.created') return [{ id: event.connection.id, sessionId: event.sessionId, stored }];
  if (event.type === 'stream.created') return [{ id: event.stream.id, sessionId: event.sessionId, stored }];
  return [];
}

function endedBy(event: Event): string[] {
  if (event.type === 'connection.destroyed') return [event.connection.id];
  return event.type === 'stream.destroyed' ? [event.stream.id] : [];
}

export function openOutbox(parts: Parts, watchers: Watchers): Store['outbox'] & { trim(): Promise<void> } {
  const { tables, writer, seals } = parts;
  const known = new Set<string>();

  // A call may end after its project was removed: its last events are kept without what the lost key would open.
  const store = async (event: Event): Promise<StoredEvent> => {
    try {
      return storeEvent(seals, event);
    } catch (error) {
      if (!(error instanceof PlatformError) || error.code !== 'KeyUnavailable' || event.projectId === null) throw error;
      const [project] = await read(
        tables.select({ id: projects.id }).from(projects).where(eq(projects.id, event.projectId)),
      );
      if (project) throw error;
      return storeErased(event);
    }
  };

  const register = async (reader: string): Promise<void> => {
    if (known.has(reader)) return;
    await commit(writer, { statements: [{ sql: advanceReader, params: [reader, 0] }] });
    known.add(reader);
  };

  return {
    async append(events) {
      if (events.length === 0) return;
      const appended = await Promise.all(events.map(store));
      const begun = events.flatMap((event, index) => begunBy(event, appended[index]!));
      await commit(writer, {
        statements: events.flatMap((event) => archiveOf(tables, event)),
        appended,
        legs: events.flatMap(legOf),
        begun,
        ended: events.flatMap(endedBy),
      });
    },

    async read(reader, limit) {
      await register(reader);
      const position = sql`(select ${readers.position} from ${readers} where ${readers.name} = ${reader})`;
      const rows = await read(
        tables
          .select({
            position: outbox.position,
            projectId: outbox.projectId,
            event: outbox.event,
            personal: outbox.personal,
            sequence: outbox.sequence,
          })
          .from(outbox)
          .where(gt(outbox.position, position))
          .orderBy(asc(outbox.position))
          .limit(Math.min(limit, limits.outboxReadRows)),
      );
      return rows.map((row) => restore(seals, row));
    },

    async advance(reader, position) {
      await commit(writer, { statements: [{ sql: advanceReader, params: [reader, position] }] });
    },

    watch: (wake) => watchers.add(wake),

    /** Removes events that every reader has passed by more than `outboxKeptRows`; at most `outboxTrimRows` of them. */
    async trim() {
      await commit(writer, { statements: [{ sql: trim, params: [limits.outboxKeptRows, limits.outboxTrimRows] }] });
    },
  };
}
