/** Events to the bodies that OpenTok's session monitoring sends (SPEC: HOOK1 and on). */
import type { Archive, Callback, Event } from '../core/index.ts';
import { archiveCallback } from './archive-shape.ts';

/** What a project is told that uses the address list; `null` as its project: every one of them. */
export interface ListNotice {
  readonly projectId: string | null;
  readonly event: Callback['event'];
  readonly body: Readonly<Record<string, unknown>>;
}

/** The notice of an event of the address list. Customers hear of the enterprise line alone. */
export function listNoticeOf(event: Event): ListNotice | null {
  if (event.type === 'addressList.changed' && event.line === 'enterprise') {
    const { version, change, blockId, prefix, emergency, at } = event;
    const reason = emergency?.reason ?? null;
    const facts = { version, change, blockId, prefix, emergency: reason };
    return { projectId: null, event: 'changed', body: { event: 'ipRangesChanged', timestamp: at, ...facts } };
  }
  if (event.type === 'addressList.reminded') {
    const { projectId, version, takesEffectAt, days, at } = event;
    const facts = { version, takesEffectAt, days };
    return { projectId, event: 'reminder', body: { event: 'ipRangesReminder', timestamp: at, ...facts } };
  }
  return null;
}

/** An event that somebody may have asked to hear of: which callbacks want it, and what they get. */
export interface Notice {
  readonly projectId: string;
  /** What has the same goes out in order: the session. */
  readonly orderKey: string;
  readonly group: Callback['group'];
  readonly event: Callback['event'];
  readonly body: Readonly<Record<string, unknown>>;
}

/**
 * The notice of an event, or null for one that no callback is told of.
 * @param linkOf makes a download link, where the archive is available
 */
export function noticeOf(event: Event, linkOf: (archive: Archive) => string | null): Notice | null {
  if ('archive' in event) {
    const { projectId, sessionId, archive } = event;
    const body = archiveCallback(archive, linkOf(archive));
    return { projectId, orderKey: sessionId, group: 'archive', event: 'status', body };
  }
  switch (event.type) {
    case 'connection.created':
      return notice(event, 'connection', 'created', { connection: event.connection });
    case 'connection.destroyed':
      return notice(event, 'connection', 'destroyed', { connection: event.connection, reason: event.reason });
    case 'stream.created':
      return notice(event, 'stream', 'created', { stream: streamOf(event.stream) });
    case 'stream.destroyed':
      return notice(event, 'stream', 'destroyed', { stream: streamOf(event.stream), reason: event.reason });
    default:
      return null;
  }
}

type StreamFacts = Extract<Event, { type: 'stream.created' }>['stream'];

/** `videoType` is left out where the stream has no picture. */
function streamOf({ id, connection, createdAt, name, videoType }: StreamFacts) {
  return { id, connection, createdAt, name, ...(videoType && { videoType }) };
}

function notice(
  { projectId, sessionId, at }: { projectId: string; sessionId: string; at: number },
  group: 'connection' | 'stream',
  event: 'created' | 'destroyed',
  facts: Readonly<Record<string, unknown>>,
): Notice {
  const name = `${group}${event === 'created' ? 'Created' : 'Destroyed'}`;
  const body = { sessionId, projectId, event: name, timestamp: at, ...facts };
  return { projectId, orderKey: sessionId, group, event, body };
}
