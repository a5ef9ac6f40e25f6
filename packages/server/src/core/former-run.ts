/**
 * What a former run left open because it was killed: closed in the record before the first call, so that no leg stays open
 * for ever and applications learn that their clients are gone. Times are those of this start; when the clients really
 * lost the server, nobody saw.
 *
 * One process at a time has a database, so whatever is open at its start is of a run that has ended.
 */
import { asPlatformError, limits } from '@cloister/protocol';
import type { Archives } from './archives.ts';
import type { Archive } from './entities.ts';
import type { Event } from './event.ts';
import type { Foundation } from './foundation.ts';
import type { NewEvent } from './recorder.ts';
import type { Recordings, Uploads } from './recordings.ts';

const reason = 'networkDisconnected';

/** Closes all of its calls. @throws PlatformError `StoreUnavailable` */
export async function closeFormerRun(deps: Foundation): Promise<void> {
  const sessions = await deps.store.stillOpen.sessions();
  for (const { projectId, sessionId } of sessions) {
    try {
      await closeSession(deps, projectId, sessionId);
    } catch (error) {
      const { code } = asPlatformError(error);
      if (code === 'StoreUnavailable') throw error;
      deps.journal.record('error', 'what a former run left open in a session could not be closed', {
        projectId,
        sessionId,
        code,
      });
    }
  }
  if (sessions.length === 0) return;
  deps.journal.record('warn', 'a former run ended without closing its sessions; they are closed now', {
    count: sessions.length,
  });
}

/**
 * Its archives that have not ended, oldest first; read before any of this run can begin. One that does not open keeps no
 * other from its end, and stays as it is.
 * @throws PlatformError `StoreUnavailable`
 */
export async function unfinishedArchives({
  store,
  journal,
}: Pick<Foundation, 'store' | 'journal'>): Promise<Archive[]> {
  const left: Archive[] = [];
  for (const archiveId of await store.archives.unfinished()) {
    try {
      const archive = await store.archives.get(archiveId);
      if (archive) left.push(archive);
    } catch (error) {
      const { code } = asPlatformError(error);
      if (code === 'StoreUnavailable') throw error;
      journal.record('error', 'an archive of a former run could not be opened, and stays as it was', {
        archiveId,
        code,
      });
    }
  }
  return left;
}

/**
 * Closes its archives. Those that were whole go on to where they are kept. The others fail, and what was sealed of them is
 * brought to an end, measured and kept as long as that of any other. That takes as long as reading them does, so no start
 * waits for it; until then they are as they were left. One that cannot be closed now is closed at the next start.
 * @param left those that were unfinished at the start
 */
export async function closeFormerArchives(
  { journal, archives }: Foundation & { readonly archives: Archives },
  recordings: Pick<Recordings, 'recover'> | null,
  left: readonly Archive[],
): Promise<void> {
  const ends = { resumed: 0, available: 0, failed: 0, gone: 0 };
  // Uploads that know what they have to send do not wait until the files of others are read.
  const rest: Archive[] = [];
  for (const before of left) {
    if (await archives.resume(before).catch(() => false)) ends.resumed += 1;
    else rest.push(before);
  }
  for (const before of rest) {
    try {
      ends[await archives.closeFormer(before, (await recordings?.recover(before.id)) ?? null)] += 1;
    } catch (error) {
      const { code } = asPlatformError(error);
      journal.record('error', 'an archive of a former run could not be closed', { archiveId: before.id, code });
    }
  }
  if (ends.resumed > 0) journal.record('info', 'uploads of a former run go on', { count: ends.resumed });
  if (ends.available > 0) {
    journal.record('info', 'archives that a former run had recorded whole are available', { count: ends.available });
  }
  if (ends.failed === 0) return;
  journal.record('warn', 'a former run ended while archives were recorded; they have failed', { count: ends.failed });
}

/**
 * Removes what lies on the disk of archives that no row knows: a crash came between a project and its files, or before the
 * row of an archive that had begun. What was sent of it is taken away too, as far as its credentials still open.
 * @param stored what was there before anything of this run could begin
 */
export async function removeUnknownRecordings(
  { store, journal }: Pick<Foundation, 'store' | 'journal'>,
  { recordings, uploads }: { readonly recordings: Pick<Recordings, 'remove'>; readonly uploads: Uploads | null },
  stored: readonly string[],
): Promise<void> {
  if (stored.length === 0) return;
  // A database in which nobody is knows nothing of any archive: it may well be another one, named by mistake.
  if ((await store.accounts.list()).length === 0) {
    journal.record('warn', 'archives on the disk stay as they are: the database knows no account', {
      count: stored.length,
    });
    return;
  }
  let count = 0;
  for (let from = 0; from < stored.length; from += limits.archiveSweepRows) {
    const some = stored.slice(from, from + limits.archiveSweepRows);
    const known = new Set(await store.archives.known(some));
    for (const archiveId of some.filter((id) => !known.has(id))) {
      try {
        await uploads?.abandon(archiveId);
        await recordings.remove(archiveId);
        count += 1;
      } catch (error) {
        const { code } = asPlatformError(error);
        journal.record('error', 'what is left of an archive that no row knows could not be removed', {
          archiveId,
          code,
        });
      }
    }
  }
  if (count > 0) journal.record('warn', 'what was left of archives that no row knows is removed', { count });
}

/** In the order of every end: legs, then streams, then connections, then the session. */
async function closeSession({ store, recorder, clock, journal }: Foundation, projectId: string, sessionId: string) {
  const { legs, begun } = await store.stillOpen.of(sessionId);
  const place = { projectId, sessionId };
  const closed = legs.map(({ id, leg, words }): NewEvent => {
    return { type: 'leg.closed', ...place, legId: id, leg: { ...leg, closedAt: clock.now() }, words };
  });
  const streams: NewEvent[] = [];
  const connections: NewEvent[] = [];
  for (const each of begun) {
    if (each.event === null) {
      journal.record('error', 'a connection or stream of a former run could not be opened, and stays open', {
        ...place,
        why: each.why,
      });
    } else if (each.event.type === 'stream.created') {
      streams.push({ type: 'stream.destroyed', ...place, stream: each.event.stream, reason });
    } else if (each.event.type === 'connection.created') {
      connections.push({ type: 'connection.destroyed', ...place, connection: each.event.connection, reason });
    }
  }
  const ended: NewEvent[] = connections.length > 0 ? [{ type: 'session.ended', ...place }] : [];
  const events = [...closed, ...streams, ...connections, ...ended].map(
    (event): Event => recorder.stamp({ kind: 'system' }, event),
  );
  for (let from = 0; from < events.length; from += limits.recordsPerWrite) {
    await store.outbox.append(events.slice(from, from + limits.recordsPerWrite));
  }
}
