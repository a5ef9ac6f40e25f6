/** Publishing: a stream is announced to the others once its first leg is recorded and allowed; a relayed one at once. */
import { type Answer, limits, type ParsedRequest, PlatformError } from '@cloister/protocol';
import type { Ids } from '../lib/index.ts';
import type { Connection } from './connection.ts';
import { requireFrameKey } from './frame-key.ts';
import { judge } from './leg.ts';
import { requireCapability } from './role.ts';
import { type Stream, streamShape } from './stream.ts';
import { peerOf, settleLeg } from './transport.ts';

/** Begins a stream, or takes up one of this connection's again after its media was lost. */
export async function publish(
  connection: Connection,
  wish: ParsedRequest<'publish'>,
  ids: Ids,
): Promise<Answer<'publish'>> {
  requireCapability(connection.role, 'publish', 'publish');
  requireFrameKey(connection);
  const muted = connection.home.mute.active;
  if (wish.streamId !== undefined) return { stream: streamShape(ownStream(connection, wish.streamId)), muted: false };
  const { home } = connection;
  if (connection.streams.size >= limits.streamsPerConnection) {
    throw new PlatformError('LimitReached', { limit: 'streamsPerConnection', value: limits.streamsPerConnection });
  }
  if (home.streams.size >= limits.streamsPerSession) {
    throw new PlatformError('LimitReached', { limit: 'streamsPerSession', value: limits.streamsPerSession });
  }
  const stream: Stream = {
    id: ids.uuid(),
    connection,
    createdAt: home.now,
    name: wish.name,
    initials: wish.initials,
    videoType: wish.videoType,
    audioFallback: wish.audioFallback,
    hasAudio: wish.hasAudio && !muted,
    hasVideo: wish.hasVideo,
    dimensions: wish.videoDimensions,
    frameRate: wish.frameRate,
    layoutClasses: connection.layoutClasses,
    awaited: new Set(wish.tracks ?? []),
    begun: false,
    announced: false,
  };
  home.streams.set(stream.id, stream);
  connection.streams.set(stream.id, stream);
  // No leg of it comes here: each begins with a subscriber.
  if (!connection.peer) home.announce(stream);
  return { stream: streamShape(stream), muted };
}

/** Adds a track to an own stream. @throws PlatformError `SuiteRefused` also when the leg was refused under way. */
export async function produce(connection: Connection, track: ParsedRequest<'produce'>): Promise<Answer<'produce'>> {
  try {
    return await addTrack(connection, track);
  } catch (error) {
    // A refused leg takes the stream away under the request; the refusal says why, what it ran into does not.
    throw sendRefusal(connection) ?? error;
  }
}

function sendRefusal({ transports, home }: Connection): PlatformError | null {
  const transport = transports.get('send');
  if (!transport || transport.suite === null) return null;
  return judge(home.session.policy, transport.suite, transport.reported);
}

async function addTrack(connection: Connection, track: ParsedRequest<'produce'>): Promise<Answer<'produce'>> {
  const stream = ownStream(connection, track.streamId);
  const muted = track.kind === 'audio' ? !stream.hasAudio : !stream.hasVideo;
  const made = await peerOf(connection).produce({
    streamId: stream.id,
    kind: track.kind,
    rtpParameters: track.rtpParameters,
    paused: track.paused || muted,
    audioFallback: stream.audioFallback,
    dimensions: stream.dimensions,
    frameRate: stream.frameRate,
  });
  stream.awaited.delete(track.kind);
  stream.begun = true;
  await settleLeg(connection, 'send', stream.id);
  return made;
}

/** What the publisher changes of its stream; the others learn of each change. */
export async function updateStream(
  connection: Connection,
  change: ParsedRequest<'updateStream'>,
): Promise<Answer<'updateStream'>> {
  const stream = ownStream(connection, change.streamId);
  for (const property of ['hasAudio', 'hasVideo'] as const) {
    const wanted = change[property];
    if (wanted === undefined || wanted === stream[property]) continue;
    await connection.peer?.pauseTrack(stream.id, property === 'hasAudio' ? 'audio' : 'video', !wanted);
    stream[property] = wanted;
    tellChange(stream, property, !wanted, wanted, change.reason);
  }
  if (change.videoDimensions) {
    const old = stream.dimensions;
    const { width, height } = change.videoDimensions;
    if (old.width !== width || old.height !== height) {
      stream.dimensions = { width, height };
      tellChange(stream, 'videoDimensions', old, stream.dimensions);
    }
  }
  return {};
}

export async function unpublish(
  connection: Connection,
  { streamId, reason }: ParsedRequest<'unpublish'>,
): Promise<Answer<'unpublish'>> {
  const stream = ownStream(connection, streamId);
  connection.home.endStream(stream, reason ?? 'clientDisconnected', {
    kind: 'connection',
    connectionId: connection.id,
  });
  return {};
}

/** Tells everybody of a changed property of a stream, and records that it changed. */
export function tellChange<Value extends boolean | { width: number; height: number }>(
  stream: Stream,
  changed: 'hasAudio' | 'hasVideo' | 'videoDimensions',
  oldValue: Value,
  newValue: Value,
  reason?: 'publishVideo' | 'quality',
): void {
  if (!stream.announced) return;
  const { home, id } = stream.connection;
  home.record({ kind: 'connection', connectionId: id }, { type: 'stream.updated', streamId: stream.id, changed });
  home.broadcast('streamUpdated', { streamId: stream.id, changed, oldValue, newValue, reason });
  home.watcher?.streamChanged(stream);
}

function ownStream(connection: Connection, streamId: string): Stream {
  const stream = connection.streams.get(streamId);
  if (!stream) throw new PlatformError('StreamNotFound', { streamId });
  return stream;
}
