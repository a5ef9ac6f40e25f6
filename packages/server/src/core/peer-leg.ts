/**
 * Legs between two clients of a relayed session: one stream, from its publisher to one subscriber, whose `connectionId` it
 * bears. The server takes no part in their DTLS, so it records what each end says of it and whether the two agree.
 */
import {
  type FrameLayer,
  keyBits,
  type Leg,
  type LegWord,
  limits,
  type MediaPolicy,
  type PeerReport,
  PlatformError,
} from '@cloister/protocol';
import type { Ids } from '../lib/index.ts';
import type { Connection } from './connection.ts';
import { closeLeg, closeLegs, type LegEntry, recordLeg } from './leg.ts';
import { lastWord, type Words, withWord } from './leg-word.ts';
import type { Stream } from './stream.ts';

type End = 'client' | 'peer';

const name = (stream: Stream, build: number): string => `receive:${stream.id}:${build}`;

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
  recordLeg(subscriber, 'leg.connected', { id: ids.uuid(), leg, words: [] });
  return refusal;
}

/**
 * Notes one end's word on the leg of a stream. There is a leg for each connection that an end speaks of: the first word
 * opens it and lets `subscribe` resolve. The two are on one connection when both have spoken of it; that closes the legs
 * of the older ones, and no word of those is heard any more. Until then an end closes only what it alone spoke of: whatever
 * number one of them names, the other's words are recorded.
 * @param end of the subscriber, whose leg it is (`client`), or of the publisher (`peer`)
 */
export function notePeerReport(subscriber: Connection, stream: Stream, end: End, report: PeerReport, ids: Ids): void {
  const { home } = subscriber;
  const open = legsOf(subscriber, stream);
  if (open.some(([, entry]) => shared(entry) && buildOf(entry) > report.build)) return;
  const own = name(stream, report.build);
  const known = subscriber.legs.get(own);
  if (!known && !takeLeg(subscriber, stream)) return;
  const speaker = end === 'client' ? subscriber : stream.connection;
  const words = withWord(known?.words ?? [], { at: home.now, end, connectionId: speaker.id, ...report });
  if (known && words === known.words) return;
  const reported = asSaid(known?.leg ?? newLeg(subscriber, stream), words);
  const refusal = judgePair(home.session.policy, reported.frameLayer);
  const leg: Leg = refusal ? { ...reported, state: 'refused', closedAt: home.now } : reported;
  const entry: LegEntry = { id: known?.id ?? ids.uuid(), transportId: String(report.build), leg, words };
  for (const [each, other] of open) {
    if (each === own) continue;
    const older = shared(entry) && buildOf(other) < report.build;
    if (older || other.words.every((word) => word.end === end)) closeLeg(subscriber, each, other);
  }
  subscriber.legs.set(own, entry);
  recordLeg(subscriber, known ? 'leg.reported' : 'leg.connected', entry, speaker);
  tellEnds(subscriber, stream, leg, refusal);
  if (!refusal) return;
  // What the two agreed on is weaker than what they said that they can, and than what the policy asks for.
  subscriber.legs.delete(own);
  endSubscription(subscriber, stream);
}

/** Counts another leg of a subscription, or ends it past `legsPerSubscription`. @returns whether there may be one more */
function takeLeg(subscriber: Connection, stream: Stream): boolean {
  const subscription = subscriber.subscriptions.get(stream.id);
  const { legs = 0 } = subscription ?? {};
  if (legs < limits.legsPerSubscription) {
    if (subscription) subscriber.subscriptions.set(stream.id, { ...subscription, legs: legs + 1 });
    return true;
  }
  const limit = { limit: 'legsPerSubscription', value: limits.legsPerSubscription };
  const leg: Leg = { ...newLeg(subscriber, stream), state: 'refused', closedAt: subscriber.home.now };
  tellEnds(subscriber, stream, leg, new PlatformError('LimitReached', limit));
  endSubscription(subscriber, stream);
  return false;
}

function endSubscription(subscriber: Connection, stream: Stream): void {
  closeLegs(subscriber, stream.id, 'receive');
  subscriber.subscriptions.delete(stream.id);
  stream.connection.link.send('peerUnsubscribed', { streamId: stream.id, connectionId: subscriber.id });
}

/** The open legs of a stream at a subscriber, by their names. */
function legsOf(subscriber: Connection, stream: Stream): [string, LegEntry][] {
  return [...subscriber.legs].filter(([, { leg }]) => leg.streamId === stream.id && leg.direction === 'receive');
}

/** Whether both ends have spoken of it. */
function shared({ words }: LegEntry): boolean {
  return lastWord(words, 'client') !== undefined && lastWord(words, 'peer') !== undefined;
}

function buildOf({ transportId }: LegEntry): number {
  return Number(transportId);
}

/** A leg by what its two ends said last. */
function asSaid(leg: Leg, words: Words): Leg {
  const [one, other] = [lastWord(words, 'client') ?? null, lastWord(words, 'peer') ?? null];
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
function agree(one: LegWord, other: LegWord): boolean {
  return (
    keyBits(one.suite) > 0 &&
    one.suite === other.suite &&
    one.frameLayer === other.frameLayer &&
    one.frames?.own === other.frames?.other &&
    other.frames?.own === one.frames?.other
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
