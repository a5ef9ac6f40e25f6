/** Moderation: by a client whose role allows it, or by the application's server. */
import { PlatformError } from '@cloister/protocol';
import type { Actor } from './event.ts';
import type { Home } from './home.ts';
import { tellChange } from './publishing.ts';
import type { Stream } from './stream.ts';

/** @throws PlatformError `ConnectionNotFound` */
export function forceDisconnect(home: Home, connectionId: string, actor: Actor): void {
  const connection = home.connections.get(connectionId);
  if (!connection) throw new PlatformError('ConnectionNotFound', { connectionId });
  home.expel(connection, 'forceDisconnected', actor);
}

/** @throws PlatformError `StreamNotFound` */
export function forceUnpublish(home: Home, streamId: string, actor: Actor): void {
  home.endStream(announced(home, streamId), 'forceUnpublished', actor);
}

/**
 * Mutes one stream: at the server at once, so that no packet of its sound is forwarded, then at its client.
 * @throws PlatformError `StreamNotFound`; `SessionRelayed`, where no sound comes here
 */
export async function forceMuteStream(home: Home, streamId: string, actor: Actor): Promise<void> {
  const stream = announced(home, streamId);
  requireMutable(home);
  await silence(stream);
  stream.connection.link.send('muteForced', { active: home.mute.active, streamIds: [streamId] });
  home.record(actor, { type: 'stream.muted', streamId });
}

/**
 * Mutes all streams but the excluded, and those that are published while it lasts; `active: false` ends that state.
 * @throws PlatformError `SessionRelayed`
 */
export async function forceMuteAll(
  home: Home,
  active: boolean,
  excludedStreamIds: readonly string[],
  actor: Actor,
): Promise<void> {
  requireMutable(home);
  home.mute.active = active;
  const muted = active ? [...home.streams.values()].filter((stream) => !excludedStreamIds.includes(stream.id)) : [];
  await Promise.all(muted.map(silence));
  for (const connection of home.connections.values()) {
    const streamIds = muted.filter((stream) => stream.connection === connection).map((stream) => stream.id);
    connection.link.send('muteForced', { active, streamIds });
  }
  home.record(actor, { type: 'session.muted', active, excludedStreamIds });
}

function requireMutable(home: Home): void {
  if (!home.room) throw new PlatformError('SessionRelayed', { what: 'mute by the server' });
}

async function silence(stream: Stream): Promise<void> {
  if (!stream.hasAudio) return;
  stream.hasAudio = false;
  await stream.connection.peer?.pauseTrack(stream.id, 'audio', true);
  tellChange(stream, 'hasAudio', true, false);
}

function announced(home: Home, streamId: string): Stream {
  const stream = home.streams.get(streamId);
  if (!stream?.announced) throw new PlatformError('StreamNotFound', { streamId });
  return stream;
}
