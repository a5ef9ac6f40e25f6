/**
 * Relayed sessions: media goes from client to client, and the server passes on what the two ends of a pair say to each
 * other. A pair is two connections of which one subscribes to a stream of the other; between others nothing is passed on.
 */
import { type Answer, limits, type ParsedRequest, type PeerWanted, PlatformError } from '@cloister/protocol';
import type { Ids } from '../lib/index.ts';
import type { Connection } from './connection.ts';
import { closeLegs } from './leg.ts';
import { notePeerReport, refusePeerLeg } from './peer-leg.ts';
import type { Stream } from './stream.ts';

/**
 * Takes a subscription in and tells the publisher, who begins the negotiation.
 * @throws PlatformError `SuiteRefused` before anything is negotiated; `LimitReached` past `peersPerConnection` of either
 *   end; `SessionRelayed` for an own stream, to which no way leads.
 */
export function subscribeToPeer(connection: Connection, stream: Stream, wanted: PeerWanted, ids: Ids): void {
  const publisher = stream.connection;
  if (publisher === connection) throw new PlatformError('SessionRelayed', { what: 'way from a client to itself' });
  const refusal = refusePeerLeg(connection, stream, ids);
  if (refusal) throw refusal;
  if (!paired(connection, publisher)) for (const end of [connection, publisher]) requireFewPeers(end);
  connection.subscriptions.set(stream.id, { rtpCapabilities: {}, wanted });
  publisher.link.send('peerSubscribed', { streamId: stream.id, connectionId: connection.id, wanted });
}

/** Other wishes of a subscriber: its publisher sends nothing else. */
export function changeWanted(connection: Connection, streamId: string, change: Partial<PeerWanted>): void {
  const subscription = connection.subscriptions.get(streamId);
  const stream = connection.home.streams.get(streamId);
  if (!subscription?.wanted || !stream) throw new PlatformError('StreamNotFound', { streamId });
  const wanted: PeerWanted = {
    audio: change.audio ?? subscription.wanted.audio,
    video: change.video ?? subscription.wanted.video,
    preferred: change.preferred === undefined ? subscription.wanted.preferred : change.preferred,
  };
  connection.subscriptions.set(streamId, { ...subscription, wanted });
  stream.connection.link.send('peerSubscribed', { streamId, connectionId: connection.id, wanted });
}

/** Ends a subscription and tells the publisher; one that ended already is no error. */
export function unsubscribeFromPeer(connection: Connection, streamId: string): void {
  if (!connection.subscriptions.delete(streamId)) return;
  closeLegs(connection, streamId, 'receive');
  const publisher = connection.home.streams.get(streamId)?.connection;
  publisher?.link.send('peerUnsubscribed', { streamId, connectionId: connection.id });
}

/** Passes a message on to the other end. @throws PlatformError `SessionRouted`, `ConnectionNotFound`, `PeerUnpaired` */
export async function tellPeer(
  connection: Connection,
  { connectionId, message }: ParsedRequest<'peerMessage'>,
): Promise<Answer<'peerMessage'>> {
  otherEnd(connection, connectionId).link.send('peerMessage', { connectionId: connection.id, message });
  return {};
}

/** Notes what one end says of a pair, on every leg between the two. @throws PlatformError as `tellPeer` */
export async function reportPeerSuite(
  connection: Connection,
  { connectionId, ...report }: ParsedRequest<'reportPeerSuite'>,
  ids: Ids,
): Promise<Answer<'reportPeerSuite'>> {
  const other = otherEnd(connection, connectionId);
  for (const stream of subscribed(connection, other)) notePeerReport(connection, stream, 'client', report, ids);
  for (const stream of subscribed(other, connection)) notePeerReport(other, stream, 'peer', report, ids);
  return {};
}

function otherEnd(connection: Connection, connectionId: string): Connection {
  const { home } = connection;
  if (home.session.mediaMode !== 'relayed') throw new PlatformError('SessionRouted');
  const other = home.connections.get(connectionId);
  if (!other) throw new PlatformError('ConnectionNotFound', { connectionId });
  if (!paired(connection, other)) throw new PlatformError('PeerUnpaired', { connectionId });
  return other;
}

function requireFewPeers(connection: Connection): void {
  const others = [...connection.home.connections.values()].filter((other) => paired(connection, other));
  if (others.length < limits.peersPerConnection) return;
  throw new PlatformError('LimitReached', { limit: 'peersPerConnection', value: limits.peersPerConnection });
}

const paired = (one: Connection, other: Connection): boolean =>
  subscribed(one, other).length > 0 || subscribed(other, one).length > 0;

/** The streams of a publisher to which a subscriber subscribes. */
function subscribed(subscriber: Connection, publisher: Connection): Stream[] {
  return [...publisher.streams.values()].filter((stream) => subscriber.subscriptions.has(stream.id));
}
