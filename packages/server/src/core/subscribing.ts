/** Subscribing: consumers are made paused, and run once the client is ready and the leg is recorded and allowed. */
import { type Answer, limits, type ParsedRequest, PlatformError } from '@cloister/protocol';
import type { Ids } from '../lib/index.ts';
import type { Connection } from './connection.ts';
import { requireFrameKey } from './frame-key.ts';
import { closeLegs } from './leg.ts';
import { changeWanted, subscribeToPeer, unsubscribeFromPeer } from './relayed.ts';
import { requireCapability } from './role.ts';
import { peerOf, settleLeg } from './transport.ts';

/** Consumers of a stream; those of tracks that are not there yet follow in the event `consumersAdded`. */
export async function subscribe(
  connection: Connection,
  wish: ParsedRequest<'subscribe'>,
  ids: Ids,
): Promise<Answer<'subscribe'>> {
  requireCapability(connection.role, 'subscribe', 'subscribe');
  requireFrameKey(connection);
  const stream = connection.home.streams.get(wish.streamId);
  if (!stream?.announced) throw new PlatformError('StreamNotFound', { streamId: wish.streamId });
  if (connection.subscriptions.has(wish.streamId))
    throw new PlatformError('WrongState', { why: 'this client subscribes to the stream already' });
  if (connection.subscriptions.size >= limits.subscriptionsPerConnection) {
    throw new PlatformError('LimitReached', {
      limit: 'subscriptionsPerConnection',
      value: limits.subscriptionsPerConnection,
    });
  }
  const { peer } = connection;
  if (!peer) {
    const { audio, video, preferred = null } = wish;
    subscribeToPeer(connection, stream, { audio, video, preferred }, ids);
    return { consumers: [] };
  }
  const own = { rtpCapabilities: wish.rtpCapabilities };
  connection.subscriptions.set(wish.streamId, own);
  try {
    const consumers = await peer.subscribe(wish);
    if (!connection.home.streams.has(wish.streamId))
      throw new PlatformError('StreamNotFound', { streamId: wish.streamId });
    if (consumers.length > 0) await settleLeg(connection, 'receive', wish.streamId);
    return { consumers };
  } catch (error) {
    // The transport may have been opened again meanwhile: a newer subscription is not this one's to end.
    if (connection.subscriptions.get(wish.streamId) !== own) throw error;
    connection.subscriptions.delete(wish.streamId);
    closeLegs(connection, wish.streamId, 'receive');
    peer.closeSubscription(wish.streamId);
    throw error;
  }
}

export async function resumeSubscription(
  connection: Connection,
  { streamId }: { streamId: string },
): Promise<Answer<'resumeSubscription'>> {
  requireSubscription(connection, streamId);
  await peerOf(connection).resumeSubscription(streamId);
  return {};
}

export async function updateSubscription(
  connection: Connection,
  { streamId, ...wish }: ParsedRequest<'updateSubscription'>,
): Promise<Answer<'updateSubscription'>> {
  requireSubscription(connection, streamId);
  if (connection.peer) await connection.peer.updateSubscription(streamId, wish);
  else changeWanted(connection, streamId, wish);
  return {};
}

/** Ends a subscription; one that ended with its stream already is no error. */
export async function unsubscribe(
  connection: Connection,
  { streamId }: { streamId: string },
): Promise<Answer<'unsubscribe'>> {
  if (!connection.peer) {
    unsubscribeFromPeer(connection, streamId);
    return {};
  }
  connection.subscriptions.delete(streamId);
  closeLegs(connection, streamId, 'receive');
  connection.peer.closeSubscription(streamId);
  return {};
}

function requireSubscription(connection: Connection, streamId: string): void {
  if (!connection.subscriptions.has(streamId)) throw new PlatformError('StreamNotFound', { streamId });
}
