/** Archives. Their names are sealed with the data key of their project. */
import { PlatformError } from '@cloister/protocol/errors';
import { and, asc, count, desc, eq, gt, inArray, lte, ne, notInArray, or, sql } from 'drizzle-orm';
import { type Archive, type ArchiveTerms, type Event, type Store, sealedContext } from '../core/index.ts';
import type { Statement } from './database.ts';
import { storeEvent } from './personal.ts';
import { archives, sealings, storages } from './schema.ts';
import { accept, commit, type Parts, read, statement, type Tables } from './tables.ts';

/** What changes of an archive in its course. */
function courseOf(archive: Archive) {
  const { status, reason, beganAt, updatedAt, sizeBytes, durationMs, sha256, password, kept, manifest } = archive;
  return { status, reason, beganAt, updatedAt, sizeBytes, durationMs, sha256, password, kept, manifest };
}

/** The row of an archive, by an event of a running call; nothing where it is gone or deleted meanwhile. */
export function archiveOf(tables: Tables, event: Event): Statement[] {
  if (!('archive' in event)) return [];
  const { archive } = event;
  const one = and(eq(archives.id, archive.id), ne(archives.status, 'deleted'));
  return [statement(tables.update(archives).set(courseOf(archive)).where(one))];
}

type Row = typeof archives.$inferSelect;

/** Which archives have a file that is not to be kept any longer. */
function outlivedBy(until: number) {
  const ended = and(inArray(archives.status, ['available', 'failed']), lte(archives.updatedAt, until));
  // What was uploaded is kept no longer than it takes to remove it.
  const over = or(inArray(archives.status, ['expired', 'uploaded']), ended);
  return or(eq(archives.status, 'deleted'), and(eq(archives.kept, true), over));
}

/** Changes nothing; undoes its transaction where a project has not set what it had when that was read. */
function stillSet(tables: Tables, projectId: string, { storage, sealing }: ArchiveTerms): Statement[] {
  // A target is sealed anew each time that it is set, so no two settings have the same.
  const sameStorage = storage && and(eq(storages.target, storage.target), eq(storages.updatedAt, storage.updatedAt));
  const sameSealing =
    sealing &&
    and(
      eq(sealings.format, sealing.format),
      eq(sealings.certificates, [...sealing.certificates]),
      eq(sealings.updatedAt, sealing.updatedAt),
    );
  const ofStorage = and(eq(storages.projectId, projectId), sameStorage ?? undefined);
  const ofSealing = and(eq(sealings.projectId, projectId), sameSealing ?? undefined);
  return [
    statement(
      tables
        .update(storages)
        .set({ updatedAt: sql`${storages.updatedAt}` })
        .where(ofStorage),
      storage ? 1 : 0,
    ),
    statement(
      tables
        .update(sealings)
        .set({ updatedAt: sql`${sealings.updatedAt}` })
        .where(ofSealing),
      sealing ? 1 : 0,
    ),
  ];
}

/** Which archives there are, by their ids: their names stay sealed, so none that does not open is in the way of others. */
function idsOf({ tables }: Parts): Pick<Store['archives'], 'outlived' | 'filed' | 'unfinished' | 'known'> {
  return {
    async outlived(until, limit, after) {
      const past =
        after &&
        or(
          gt(archives.updatedAt, after.updatedAt),
          and(eq(archives.updatedAt, after.updatedAt), gt(archives.id, after.id)),
        );
      const rows = tables
        .select({ id: archives.id, updatedAt: archives.updatedAt })
        .from(archives)
        .where(and(outlivedBy(until), past ?? undefined))
        .orderBy(asc(archives.updatedAt), asc(archives.id))
        .limit(limit);
      return read(rows);
    },

    async filed(projectId) {
      // Those of the others are known to be gone.
      const may = or(eq(archives.kept, true), notInArray(archives.status, ['uploaded', 'expired']));
      const ours = and(eq(archives.projectId, projectId), may);
      const rows = tables.select({ id: archives.id }).from(archives).where(ours).orderBy(asc(archives.seq));
      return (await read(rows)).map(({ id }) => id);
    },

    async unfinished() {
      const open = inArray(archives.status, ['started', 'paused', 'stopped']);
      const rows = tables.select({ id: archives.id }).from(archives).where(open).orderBy(asc(archives.seq));
      return (await read(rows)).map(({ id }) => id);
    },

    async known(ids) {
      if (ids.length === 0) return [];
      const rows = tables
        .select({ id: archives.id })
        .from(archives)
        .where(inArray(archives.id, [...ids]));
      return (await read(rows)).map(({ id }) => id);
    },
  };
}

export function openArchives(parts: Parts): Store['archives'] {
  const { tables, writer, seals } = parts;
  const toArchive = ({ seq: _, name, ...rest }: Row): Archive => ({
    ...rest,
    name: seals.open(rest.projectId, sealedContext.archive(rest.id), name),
  });
  return {
    ...idsOf(parts),

    async create(archive, event, under) {
      const { id, projectId } = archive;
      const name = seals.seal(projectId, sealedContext.archive(id), archive.name);
      const row = { ...archive, name, recipients: [...archive.recipients] };
      const insert = statement(tables.insert(archives).values(row));
      const statements = under ? [...stillSet(tables, projectId, under), insert] : [insert];
      const outcome = await writer.write({ statements, events: [storeEvent(seals, event)] });
      if (under && outcome.kind === 'unmet') return false;
      accept(outcome, new PlatformError('ProjectNotFound', { projectId }));
      return true;
    },

    async get(id) {
      const [row] = await read(tables.select().from(archives).where(eq(archives.id, id)));
      return row ? toArchive(row) : null;
    },

    async list(projectId, wish) {
      const ofSession = wish.sessionId === undefined ? undefined : eq(archives.sessionId, wish.sessionId);
      const all = and(eq(archives.projectId, projectId), ne(archives.status, 'deleted'), ofSession);
      const rows = tables
        .select()
        .from(archives)
        .where(all)
        .orderBy(desc(archives.seq))
        .limit(wish.count)
        .offset(wish.offset);
      const [total] = await read(tables.select({ count: count() }).from(archives).where(all));
      return { count: total?.count ?? 0, items: (await read(rows)).map(toArchive) };
    },

    async update(archive, from, event) {
      const one = and(eq(archives.id, archive.id), eq(archives.status, from));
      const update = statement(tables.update(archives).set(courseOf(archive)).where(one), 1);
      const outcome = await writer.write({ statements: [update], events: [storeEvent(seals, event)] });
      return outcome.kind === 'done';
    },

    async released(id) {
      const gone = tables.delete(archives).where(and(eq(archives.id, id), eq(archives.status, 'deleted')));
      const empty = tables.update(archives).set({ kept: false }).where(eq(archives.id, id));
      await commit(writer, { statements: [statement(gone), statement(empty)] });
    },
  };
}
