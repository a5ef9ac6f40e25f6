/**
 * Legs: one stream between one client and the server, in one direction. Each is recorded with the suite that the server
 * saw and what the client says of it, and media runs over it only when the session's policy allows that suite. What the
 * server saw counts; a client's word can only make a leg weaker, never stronger.
 */
import { type Direction, keyBits, type Leg, type MediaPolicy, PlatformError, type Suite } from '@cloister/protocol';
import type { Connection, TransportState } from './connection.ts';
import type { Actor } from './event.ts';
import { frameLayerOf } from './frame-key.ts';
import type { Words } from './leg-word.ts';

export interface LegEntry {
  readonly id: string;
  /** Between clients: the number of the pair's connection. */
  readonly transportId: string;
  leg: Leg;
  /** What each end said of it. */
  words: Words;
}

/**
 * Whether a policy lets a leg carry media.
 * @returns null when it does, otherwise the refusal.
 */
export function judge(policy: MediaPolicy, seen: Suite, reported: Suite | null): PlatformError | null {
  if (policy === 'prefer-aes256') return null;
  if (keyBits(seen) < 256) return new PlatformError('SuiteRefused', { suite: seen });
  if (reported !== null && reported !== seen)
    return new PlatformError('SuiteRefused', { suite: `${seen} by the server and ${reported} by the client` });
  return null;
}

const key = (direction: Direction, streamId: string): string => `${direction}:${streamId}`;

/** Whether this leg is open and carries media. */
export function legAllowed(connection: Connection, direction: Direction, streamId: string): boolean {
  return connection.legs.get(key(direction, streamId))?.leg.state === 'allowed';
}

/**
 * Opens the leg of a stream on a transport that is connected, records it and tells the client. Idempotent while the leg
 * is open on that transport; what was judged on another says nothing here.
 * @returns whether media may run over it.
 */
export function openLeg(connection: Connection, transport: TransportState, streamId: string): boolean {
  const { direction } = transport;
  const open = connection.legs.get(key(direction, streamId));
  if (open?.transportId === transport.id) return open.leg.state === 'allowed';
  if (open) closeLegs(connection, streamId, direction);
  transport.legs += 1;
  const seen = transport.suite ?? 'unknown';
  const refusal = judge(connection.home.session.policy, seen, transport.reported);
  const entry: LegEntry = {
    // Of its own each time: a stream that is subscribed to again over the same transport is another leg in the record.
    id: `${transport.id}:${streamId}:${transport.legs}`,
    transportId: transport.id,
    leg: {
      connectionId: connection.id,
      streamId,
      direction,
      observedBy: 'server',
      peerConnectionId: null,
      suiteSeenByServer: seen,
      suiteReportedByClient: transport.reported,
      suiteReportedByPeer: null,
      agree: transport.reported === null ? null : transport.reported === seen,
      dtlsVersion: transport.dtlsVersion,
      zone: connection.home.session.zone,
      state: refusal ? 'refused' : 'allowed',
      frameLayer: frameLayerOf(connection),
      framesSaidByClient: null,
      framesSaidByPeer: null,
      connectedAt: connection.home.now,
      closedAt: refusal ? connection.home.now : null,
    },
    words: transport.words,
  };
  recordLeg(connection, 'leg.connected', entry);
  if (refusal) transport.refused.push(entry);
  else connection.legs.set(key(direction, streamId), entry);
  tell(connection, entry.leg, refusal);
  return refusal === null;
}

/**
 * Notes what the client's getStats says of a transport on all its legs that are open or were refused.
 * @returns the streams whose leg the policy refuses now, because the two ends disagree.
 */
export function noteReport(connection: Connection, transport: TransportState): string[] {
  const refused: string[] = [];
  const open = [...connection.legs.values()].filter(({ leg }) => leg.direction === transport.direction);
  // What is refused is noted once more, and left.
  for (const entry of [...open, ...transport.refused.splice(0)]) {
    const seen = transport.suite ?? 'unknown';
    const refusal = judge(connection.home.session.policy, seen, transport.reported);
    entry.leg = {
      ...entry.leg,
      suiteReportedByClient: transport.reported,
      dtlsVersion: transport.dtlsVersion,
      agree: transport.reported === null ? null : transport.reported === seen,
      state: refusal ? 'refused' : entry.leg.state,
    };
    // All legs of a transport have one handshake, and so the same words.
    entry.words = transport.words;
    recordLeg(connection, 'leg.reported', entry);
    if (!refusal || !open.includes(entry)) continue;
    tell(connection, entry.leg, refusal);
    refused.push(entry.leg.streamId);
  }
  return refused;
}

/** Closes legs: all of a connection, those of one stream, or those in one direction. */
export function closeLegs(connection: Connection, streamId?: string, direction?: Direction): void {
  for (const [name, entry] of connection.legs) {
    if (streamId !== undefined && entry.leg.streamId !== streamId) continue;
    if (direction !== undefined && entry.leg.direction !== direction) continue;
    closeLeg(connection, name, entry);
  }
}

/** Closes one leg, by its name among the open ones. */
export function closeLeg(connection: Connection, name: string, entry: LegEntry): void {
  connection.legs.delete(name);
  entry.leg = { ...entry.leg, closedAt: connection.home.now };
  recordLeg(connection, 'leg.closed', entry);
}

/** Records a leg as it is now. @param by whose word or act it was, where that is not the connection of the leg */
export function recordLeg(
  connection: Connection,
  type: 'leg.connected' | 'leg.reported' | 'leg.closed',
  { id, leg, words }: Pick<LegEntry, 'id' | 'leg' | 'words'>,
  by: Connection = connection,
): void {
  const actor: Actor = { kind: 'connection', connectionId: by.id };
  connection.home.record(actor, { type, legId: id, leg, words });
}

function tell(connection: Connection, leg: Leg, refusal: PlatformError | null): void {
  connection.link.send('leg', {
    streamId: leg.streamId,
    direction: leg.direction,
    state: refusal ? 'refused' : 'allowed',
    suiteSeenByServer: leg.suiteSeenByServer ?? 'unknown',
    frameLayer: leg.frameLayer,
    error: refusal ? refusal.toBody() : null,
  });
}
