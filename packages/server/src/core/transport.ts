/** A client's transports: opened, connected, judged by the suite they negotiated, and opened again after a loss. */
import { type Answer, type Direction, type ParsedRequest, PlatformError, type Suite } from '@cloister/protocol';
import type { Connection, TransportState } from './connection.ts';
import { closeLegs, noteReport, openLeg } from './leg.ts';
import { type NewWord, withWord } from './leg-word.ts';
import type { MediaPeer, PeerObserver } from './media-plane.ts';

/** The peer of a connection. @throws PlatformError `SessionRelayed`, where media does not come here. */
export function peerOf(connection: Connection): MediaPeer {
  if (!connection.peer) throw new PlatformError('SessionRelayed', { what: 'transport to the server' });
  return connection.peer;
}

/** @throws PlatformError `AddressNotListed`; `SessionRelayed`; `PermissionDenied` for a direction that the role may not use. */
export async function openTransport(
  connection: Connection,
  { direction }: { direction: Direction },
): Promise<Answer<'openTransport'>> {
  const peer = peerOf(connection);
  closeLegs(connection, undefined, direction);
  // From here on nothing may be judged by what the older transport negotiated.
  connection.transports.delete(direction);
  if (direction === 'send') forgetTracks(connection);
  // What the older transport carried goes with it: the client subscribes again over the new one.
  if (direction === 'receive') {
    for (const streamId of connection.subscriptions.keys()) peer.closeSubscription(streamId);
    connection.subscriptions.clear();
  }
  const offer = await peer.openTransport(direction);
  if (connection.hold) await connection.hold.requireOffer(offer);
  connection.transports.set(direction, {
    id: offer.transportId,
    direction,
    suite: null,
    reported: null,
    dtlsVersion: null,
    connectedAt: 0,
    words: [],
    legs: 0,
    refused: [],
  });
  return offer;
}

export async function connectTransport(
  connection: Connection,
  data: ParsedRequest<'connectTransport'>,
): Promise<Answer<'connectTransport'>> {
  transportById(connection, data.transportId);
  if (data.dtlsParameters.role !== 'client') {
    throw new PlatformError('DtlsRoleRefused', { role: data.dtlsParameters.role ?? 'auto' });
  }
  await peerOf(connection).connectTransport(data.transportId, data.dtlsParameters);
  return {};
}

export async function restartIce(
  connection: Connection,
  { transportId }: { transportId: string },
): Promise<Answer<'restartIce'>> {
  transportById(connection, transportId);
  return { iceParameters: await peerOf(connection).restartIce(transportId) };
}

/** Notes what the browser says of a transport. A disagreement under `require-aes256` ends its legs. */
export async function reportSuite(
  connection: Connection,
  data: ParsedRequest<'reportSuite'>,
): Promise<Answer<'reportSuite'>> {
  const transport = transportById(connection, data.transportId);
  transport.reported = data.suite;
  transport.dtlsVersion = data.dtlsVersion;
  const said = wordOf(connection, data.suite);
  const words = withWord(transport.words, {
    ...said,
    end: 'client',
    connectionId: connection.id,
    dtlsVersion: data.dtlsVersion,
  });
  // The same again is no news for any of its legs.
  if (words === transport.words) return {};
  transport.words = words;
  for (const streamId of noteReport(connection, transport)) refuseStream(connection, transport.direction, streamId);
  return {};
}

/**
 * Opens the leg of a stream if its transport is connected already, and lets its media run if the policy allows. Called
 * again for each track that is added.
 */
export async function settleLeg(connection: Connection, direction: Direction, streamId: string): Promise<void> {
  const transport = connection.transports.get(direction);
  if (!transport || transport.suite === null || connection.closed) return;
  // A word of the media plane may come late, for a stream that is not sent or received any more.
  if (!(direction === 'send' ? connection.streams : connection.subscriptions).has(streamId)) return;
  if (!openLeg(connection, transport, streamId)) return refuseStream(connection, direction, streamId);
  if (direction === 'receive') return connection.peer?.allowSubscription(streamId);
  await connection.peer?.allowStream(streamId);
  const stream = connection.streams.get(streamId);
  if (stream?.begun && stream.awaited.size === 0) connection.home.announce(stream);
}

/** The tracks that it sent are gone with their transport. A stream that nobody knows of yet waits for them again. */
function forgetTracks(connection: Connection): void {
  for (const stream of connection.streams.values()) stream.begun = stream.announced;
}

/** What the media plane tells of a client. `connection` is filled as soon as the peer exists. */
export function observePeer(connection: () => Connection): PeerObserver {
  return {
    transportConnected(transportId, direction, suite) {
      onConnected(connection(), transportId, direction, suite);
    },
    transportLost(_transportId, direction) {
      closeLegs(connection(), undefined, direction);
    },
    mediaLost(why) {
      const self = connection();
      closeLegs(self);
      self.transports.clear();
      forgetTracks(self);
      self.subscriptions.clear();
      self.home.record({ kind: 'system' }, { type: 'media.lost', connectionId: self.id, why });
      self.link.send('mediaReset', { rtpCapabilities: self.home.room!.rtpCapabilities, why });
    },
    consumersAdded(streamId, consumers) {
      const self = connection();
      self.link.send('consumersAdded', { streamId, consumers });
      void settleLeg(self, 'receive', streamId);
    },
    codecNotSupported(streamId, mimeType) {
      connection().link.send('codecNotSupported', { streamId, mimeType });
    },
    codecWanted(streamId, mimeTypes) {
      connection().link.send('codecWanted', { streamId, mimeTypes });
    },
    subscriptionQuality(streamId, video) {
      connection().link.send('subscriptionQuality', { streamId, video });
    },
    layersChanged(streamId, spatial, temporal) {
      connection().link.send('layersChanged', { streamId, spatial, temporal });
    },
    streamWanted(streamId, wanted) {
      connection().link.send('streamWanted', { streamId, ...wanted });
    },
    speakers(levels) {
      connection().link.send('speakers', { levels });
    },
  };
}

function onConnected(connection: Connection, transportId: string, direction: Direction, suite: Suite): void {
  const transport = connection.transports.get(direction);
  if (transport?.id !== transportId) return;
  transport.suite = suite;
  transport.connectedAt = connection.home.now;
  transport.words = withWord(transport.words, wordOf(connection, suite));
  const carried = direction === 'send' ? connection.streams.keys() : connection.subscriptions.keys();
  for (const streamId of [...carried]) void settleLeg(connection, direction, streamId);
}

/** The server's word on a handshake, at this moment. */
function wordOf(connection: Connection, suite: Suite): NewWord {
  const silent = { build: null, dtlsVersion: null, frameLayer: null, frames: null };
  return { at: connection.home.now, end: 'server', connectionId: null, suite, ...silent };
}

function refuseStream(connection: Connection, direction: Direction, streamId: string): void {
  closeLegs(connection, streamId, direction);
  if (direction === 'receive') {
    connection.subscriptions.delete(streamId);
    connection.peer?.closeSubscription(streamId);
    return;
  }
  const stream = connection.streams.get(streamId);
  if (stream) connection.home.endStream(stream, 'mediaStopped', { kind: 'system' });
}

function transportById(connection: Connection, transportId: string): TransportState {
  for (const transport of connection.transports.values()) if (transport.id === transportId) return transport;
  throw new PlatformError('WrongState', { why: `transport ${transportId} is not open` });
}
