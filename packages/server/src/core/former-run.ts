/**
 * What a former run left open because it was killed: closed in the record before the first call, so that no leg stays open
 * for ever and applications learn that their clients are gone. Times are those of this start; when the clients really
 * lost the server, nobody saw.
 *
 * One process at a time has a database, so whatever is open at its start is of a run that has ended.
 */
import { asPlatformError, limits } from '@cloister/protocol';
import { become } from './archive.ts';
import type { Event } from './event.ts';
import type { Foundation } from './foundation.ts';
import type { NewEvent } from './recorder.ts';

const reason = 'networkDisconnected';

/** Closes all of it. @throws PlatformError `StoreUnavailable` */
export async function closeFormerRun(deps: Foundation): Promise<void> {
  await closeArchives(deps);
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

/** Archives fail: what was sealed of them may still be there, and is kept as long as that of any other. */
async function closeArchives({ store, recorder, clock, journal }: Foundation): Promise<void> {
  const left = await store.archives.unfinished();
  const events = left.map((before): Event => {
    const change = { reason: 'the server ended before the recording did', kept: true };
    const archive = become(before, 'failed', clock.now(), change);
    const { projectId, sessionId } = archive;
    return recorder.stamp({ kind: 'system' }, { type: 'archive.failed', projectId, sessionId, archive });
  });
  for (let from = 0; from < events.length; from += limits.recordsPerWrite) {
    await store.outbox.append(events.slice(from, from + limits.recordsPerWrite));
  }
  if (left.length === 0) return;
  journal.record('warn', 'a former run ended while archives were recorded; they have failed', { count: left.length });
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
