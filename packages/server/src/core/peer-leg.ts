/**
 * Legs between two clients of a relayed session: one stream, from its publisher to one subscriber, whose `connectionId` it
 * bears. The server takes no part in their DTLS, so it records what each end says of it and whether the two agree.
 */
import {
  type FrameLayer,
  keyBits,
  type Leg,
  type MediaPolicy,
  type PeerReport,
  PlatformError,
} from '@cloister/protocol';
import type { Ids } from '../lib/index.ts';
import type { Connection } from './connection.ts';
import type { Actor } from './event.ts';
import { closeLegs, type LegEntry } from './leg.ts';
import type { Stream } from './stream.ts';

const name = (stream: Stream): string => `receive:${stream.id}`;

/**
 * Whether a policy lets two clients exchange media. No two browsers that are sold have a 256-bit suite between them
 * (docs/decisions/0016), so what counts is the layer of frame encryption inside.
 * @returns null when it does, otherwise the refusal.
 */
export function judgePair(policy: MediaPolicy, layer: FrameLayer | null): PlatformError | null {
  if (policy === 'prefer-aes256' || layer !== null) return null;
  return new PlatformError('SuiteRefused', { suite: 'at most AES-128 between two browsers' });
}

/** Judges a pair before anything is negotiated; what is refused is recorded. @returns the refusal, or null */
export function refusePeerLeg(subscriber: Connection, stream: Stream, ids: Ids): PlatformError | null {
  const { home } = subscriber;
  // What the two say of themselves is held against what they agree on, when they report it.
  const able = subscriber.frames && stream.connection.frames;
  const refusal = judgePair(home.session.policy, able ? 'AES_256_GCM_SHA512_128' : null);
  if (!refusal) return null;
  const leg: Leg = { ...newLeg(subscriber, stream), state: 'refused', closedAt: home.now };
  home.record(actorOf(subscriber), { type: 'leg.connected', legId: ids.uuid(), leg });
  return refusal;
}

/**
 * Notes one end's word on the leg of a stream. The first word of a connection opens the leg and lets `subscribe` resolve;
 * a word of an older connection than the leg's is not heard.
 */
export function notePeerReport(
  subscriber: Connection,
  stream: Stream,
  by: 'subscriber' | 'publisher',
  report: PeerReport,
  ids: Ids,
): void {
  const { home } = subscriber;
  const build = String(report.build);
  let entry = subscriber.legs.get(name(stream));
  if (entry && Number(entry.transportId) > report.build) return;
  if (entry && entry.transportId !== build) {
    closeLegs(subscriber, stream.id, 'receive');
    entry = undefined;
  }
  const before = entry?.leg ?? newLeg(subscriber, stream);
  const words = { ...entry?.words, [by]: report };
  const reported = asSaid(before, words);
  const refusal = judgePair(home.session.policy, reported.frameLayer);
  const leg: Leg = refusal ? { ...reported, state: 'refused', closedAt: home.now } : reported;
  if (entry && JSON.stringify(leg) === JSON.stringify(before)) return;
  const kept: LegEntry = { id: entry?.id ?? ids.uuid(), transportId: build, leg, words };
  subscriber.legs.set(name(stream), kept);
  const actor = actorOf(by === 'subscriber' ? subscriber : stream.connection);
  home.record(actor, { type: entry ? 'leg.reported' : 'leg.connected', legId: kept.id, leg });
  tellEnds(subscriber, stream, leg, refusal);
  if (!refusal) return;
  // What the two agreed on is weaker than what they said that they can, and than what the policy asks for.
  subscriber.legs.delete(name(stream));
  subscriber.subscriptions.delete(stream.id);
  stream.connection.link.send('peerUnsubscribed', { streamId: stream.id, connectionId: subscriber.id });
}

/** A leg by the words of its two ends. */
function asSaid(leg: Leg, { subscriber, publisher }: NonNullable<LegEntry['words']>): Leg {
  const [one, other] = [subscriber ?? null, publisher ?? null];
  return {
    ...leg,
    suiteReportedByClient: one?.suite ?? null,
    suiteReportedByPeer: other?.suite ?? null,
    // The first word holds until the second; a layer of which one end knows nothing is none.
    frameLayer: one && other && one.frameLayer !== other.frameLayer ? null : ((one ?? other)?.frameLayer ?? null),
    framesSaidByClient: one?.frames ?? null,
    framesSaidByPeer: other?.frames ?? null,
    agree: one && other ? agree(one, other) : null,
    dtlsVersion: one?.dtlsVersion ?? other?.dtlsVersion ?? null,
  };
}

/** Whether two ends negotiated the same, know the same of each other, and name a suite at all. */
function agree(one: PeerReport, other: PeerReport): boolean {
  return (
    keyBits(one.suite) > 0 &&
    one.suite === other.suite &&
    one.frameLayer === other.frameLayer &&
    one.frames.own === other.frames.other &&
    other.frames.own === one.frames.other
  );
}

function newLeg(subscriber: Connection, stream: Stream): Leg {
  const { home } = subscriber;
  return {
    connectionId: subscriber.id,
    streamId: stream.id,
    direction: 'receive',
    observedBy: 'clients',
    peerConnectionId: stream.connection.id,
    suiteSeenByServer: null,
    suiteReportedByClient: null,
    suiteReportedByPeer: null,
    framesSaidByClient: null,
    framesSaidByPeer: null,
    agree: null,
    dtlsVersion: null,
    zone: home.session.zone,
    state: 'allowed',
    frameLayer: null,
    connectedAt: home.now,
    closedAt: null,
  };
}

function tellEnds(subscriber: Connection, stream: Stream, leg: Leg, refusal: PlatformError | null): void {
  const told = {
    streamId: leg.streamId,
    direction: leg.direction,
    state: leg.state,
    suiteSeenByServer: null,
    frameLayer: leg.frameLayer,
    error: refusal ? refusal.toBody() : null,
    between: {
      subscriberId: subscriber.id,
      publisherId: stream.connection.id,
      suiteReportedBySubscriber: leg.suiteReportedByClient,
      suiteReportedByPublisher: leg.suiteReportedByPeer,
    },
  };
  subscriber.link.send('leg', told);
  stream.connection.link.send('leg', told);
}

function actorOf(connection: Connection): Actor {
  return { kind: 'connection', connectionId: connection.id };
}
