/**
 * What a former run left open because it was killed: closed in the record before the first call, so that no leg stays open
 * for ever and applications learn that their clients are gone. Times are those of this start; when the clients really
 * lost the server, nobody saw.
 *
 * One process at a time has a database, so whatever is open at its start is of a run that has ended.
 */
import { asPlatformError, limits } from '@cloister/protocol';
import { become } from './archive.ts';
import type { Archives } from './archives.ts';
import type { Archive } from './entities.ts';
import type { Event } from './event.ts';
import type { Foundation } from './foundation.ts';
import { withManifest } from './manifest.ts';
import type { NewEvent } from './recorder.ts';
import type { RecordingResult, Recordings } from './recordings.ts';

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
 * Closes its archives. Those that were whole go on to their storage. The others fail, and what was sealed of them is brought to
 * an end, measured and kept as long as that of any other. That takes as long as reading them does, so no start waits for it;
 * until then they are as they were left. One that cannot be closed now is closed at the next start.
 * @param left those that were unfinished at the start
 */
export async function closeFormerArchives(
  deps: Foundation & { readonly archives: Archives },
  recordings: Pick<Recordings, 'recover'> | null,
  left: readonly Archive[],
): Promise<void> {
  const { store, journal } = deps;
  const cut: Archive[] = [];
  for (const before of left) {
    if (!(await deps.archives.resume(before).catch(() => false))) cut.push(before);
  }
  if (cut.length < left.length) {
    journal.record('info', 'uploads of a former run go on', { count: left.length - cut.length });
  }
  for (const before of cut) {
    try {
      await store.outbox.append([failed(deps, before, (await recordings?.recover(before.id)) ?? null)]);
    } catch (error) {
      const { code } = asPlatformError(error);
      journal.record('error', 'an archive of a former run could not be closed', { archiveId: before.id, code });
    }
  }
  if (cut.length === 0) return;
  journal.record('warn', 'a former run ended while archives were recorded; they have failed', { count: cut.length });
}

function failed({ recorder, clock, keys }: Foundation, before: Archive, kept: RecordingResult | null): Event {
  const { closed = true, ...facts } = kept ?? {};
  const lost = closed ? '' : ', and its file has lost its end';
  const reason = `the server ended before the recording did${lost}`;
  const after = become(before, 'failed', clock.now(), { ...facts, kept: kept !== null, reason });
  const archive = withManifest(keys, after, before.status === 'stopped' ? before.updatedAt : null);
  const { projectId, sessionId } = archive;
  return recorder.stamp({ kind: 'system' }, { type: 'archive.failed', projectId, sessionId, archive });
}

/** In the order of every end: legs, then streams, then connections, then the session. */
async function closeSession({ store, recorder, clock, journal }: Foundation, projectId: string, sessionId: string) {
  const { legs, begun } = await store.stillOpen.of(sessionId);
  const place = { projectId, sessionId };
  const closed = legs.map(({ id, leg }): NewEvent => {
    return { type: 'leg.closed', ...place, legId: id, leg: { ...leg, closedAt: clock.now() } };
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
