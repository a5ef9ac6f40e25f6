/**
 * All pairs of one client in a relayed session. A pair has a connection as long as one of the two subscribes to a stream of
 * the other; it carries the tracks of both directions, and is built anew when it stays broken.
 */
import type {
  EventData,
  EventName,
  FrameLayer,
  MediaKind,
  PeerMessage,
  PeerReport,
  PeerWanted,
} from '@cloister/protocol';
import type { Suite } from '@cloister/protocol/suites';
import type { Clock } from '../clock.ts';
import type { OtError } from '../errors.ts';
import { log } from '../log.ts';
import type { Wire } from '../wire.ts';
import { type FramesDecided, PairFrames, type SessionFrames } from './pair-frames.ts';
import { Peer, type PeerOptions, type PeerReceiver } from './peer.ts';

/** An own stream. */
export interface Source {
  readonly streamId: string | null;
  /** Sends it to a subscriber, or otherwise than before. */
  sendTo(connectionId: string, peer: Peer, wanted: PeerWanted): void;
  /** Nothing of it is sent there any more: the subscriber has left, or its connection is gone. */
  dropped(connectionId: string): void;
  /** Nothing of it can be sent there: the two cannot use their connection. */
  failed(connectionId: string, error: OtError): void;
}

/** A stream that is subscribed to. */
export interface Sink {
  readonly streamId: string;
  /** Of its publisher. */
  readonly connectionId: string;
  received(kind: MediaKind, receiver: PeerReceiver): void;
  /** The connection over which it came is gone; another is being built. */
  lost(): void;
  failed(error: OtError): void;
  /** Its frames can be understood, or cannot, since its publisher has another secret. */
  understood(understood: boolean): void;
}

interface Pair {
  readonly connectionId: string;
  peer: Peer;
  suite: Suite | null;
  /** What is reported of its connection once all of it is known. */
  secured: Pick<PeerReport, 'suite' | 'dtlsVersion'> | null;
  decided: FramesDecided | null;
  frames: PairFrames | null;
  /** The other end has another secret. */
  differs: boolean;
  /** The latest key that the other end told of. */
  frameKey: Extract<PeerMessage, { kind: 'frameKey' }> | null;
  /** Connections in a row that did not come up. */
  failures: number;
}

/** Of a pair whose connection is new. */
const fresh = { suite: null, secured: null, decided: null, frames: null, differs: false, frameKey: null };
/** Where a session asks for no encryption of frames, nobody was asked whether it can. */
const unasked: FramesDecided = { frameLayer: null, frames: { own: false, other: false } };
/** Of a connection that ended before the browser said anything of it. */
const unseen = { suite: 'unknown', dtlsVersion: null } as const;

const patienceMs = 10_000;
const longestPatienceMs = 60_000;

export class Mesh {
  readonly #wire: Pick<Wire, 'request'>;
  readonly #clock: Clock;
  readonly #ownId: string;
  readonly #configuration: { iceServers: RTCIceServer[]; iceTransportPolicy: RTCIceTransportPolicy };
  readonly #stalled: () => void;
  readonly #connect: PeerOptions['connect'];
  readonly #frames: SessionFrames | null;
  /** By the connection at the other end. */
  readonly #pairs = new Map<string, Pair>();
  /** How many connections a pair had that is not there now. */
  readonly #builds = new Map<string, number>();
  /** Those with whom there are no keys: none of their connections is taken until one of the two subscribes anew. */
  readonly #refused = new Set<string>();
  readonly #sources = new Map<string, Source>();
  readonly #sinks = new Map<string, Sink>();
  /** By own stream, then by subscriber. */
  readonly #subscribers = new Map<string, Map<string, PeerWanted>>();

  constructor(deps: {
    wire: Pick<Wire, 'request'>;
    clock: Clock;
    ownId: string;
    iceServers: RTCIceServer[];
    transportPolicy: RTCIceTransportPolicy;
    /** null where the session asks for no encryption of frames. */
    frames?: SessionFrames | null;
    /** What came from another client has stopped. */
    stalled: () => void;
    connect?: PeerOptions['connect'];
  }) {
    this.#wire = deps.wire;
    this.#clock = deps.clock;
    this.#ownId = deps.ownId;
    this.#configuration = { iceServers: deps.iceServers, iceTransportPolicy: deps.transportPolicy };
    this.#stalled = deps.stalled;
    this.#connect = deps.connect;
    this.#frames = deps.frames ?? null;
  }

  /** What this browser says of the connection with another client; null while there is none. */
  suiteWith(connectionId: string): Suite | null {
    return this.#pairs.get(connectionId)?.suite ?? null;
  }

  /** The frame encryption that was agreed on with another client; null where there is none, or not yet. */
  frameLayerWith(connectionId: string): FrameLayer | null {
    return this.#pairs.get(connectionId)?.decided?.frameLayer ?? null;
  }

  /** The security code of the connection with another client; null where there is none. */
  securityCodeWith(connectionId: string): string | null {
    return this.#pairs.get(connectionId)?.frames?.securityCode ?? null;
  }

  /** Another secret: every pair agrees again, over another connection. */
  agreeAgain(): void {
    for (const pair of [...this.#pairs.values()]) this.#anew(pair);
  }

  /** The connection with another client; null while there is none. */
  peer(connectionId: string): Peer | null {
    return this.#pairs.get(connectionId)?.peer ?? null;
  }

  /** Takes an own stream in, whose id is known: it is sent to all who subscribe to it. */
  publish(source: Source): void {
    const streamId = source.streamId as string;
    this.#sources.set(streamId, source);
    for (const [connectionId, wanted] of this.#subscribers.get(streamId) ?? [])
      this.#send(source, connectionId, wanted);
  }

  /** Ends an own stream. */
  withdraw(streamId: string): void {
    this.#sources.delete(streamId);
    const subscribers = [...(this.#subscribers.get(streamId)?.keys() ?? [])];
    this.#subscribers.delete(streamId);
    for (const connectionId of subscribers) this.#closeUnused(connectionId);
  }

  /** Awaits the tracks of a stream. Of two that ask for the same, the first has it: the server refuses the second. */
  expect(sink: Sink): void {
    if (this.#sinks.has(sink.streamId)) return;
    this.#refused.delete(sink.connectionId);
    this.#sinks.set(sink.streamId, sink);
    if (this.#pairs.get(sink.connectionId)?.differs) sink.understood(false);
  }

  /** Ends it. */
  forget(sink: Sink): void {
    if (this.#sinks.get(sink.streamId) !== sink) return;
    this.#sinks.delete(sink.streamId);
    this.#closeUnused(sink.connectionId);
  }

  event<Name extends EventName>(name: Name, data: EventData<Name>): void {
    const told = { name, data } as { [Each in EventName]: { name: Each; data: EventData<Each> } }[EventName];
    if (told.name === 'peerSubscribed') this.#subscribed(told.data);
    else if (told.name === 'peerUnsubscribed') this.#unsubscribed(told.data.streamId, told.data.connectionId);
    else if (told.name === 'peerMessage') this.#read(told.data.connectionId, told.data.message);
    else if (told.name === 'connectionDestroyed') this.#left(told.data.connectionId);
  }

  /** New network: every pair looks for a way again. */
  restartIce(): void {
    for (const { peer } of this.#pairs.values()) peer.restart();
  }

  /**
   * After the wire came back: those that are not connected look for a way. Those that are so in name only are built anew,
   * since a browser keeps to a way that has died for seconds, though a restart has found another (see `Media`).
   */
  repair(): void {
    for (const pair of this.#pairs.values()) {
      if (pair.peer.quiet) this.#anew(pair);
      else if (!pair.peer.connected) pair.peer.restart();
    }
  }

  /** For connections to come, and for those that run when they look for another way. */
  setIceServers(iceServers: RTCIceServer[]): void {
    this.#configuration.iceServers = iceServers;
  }

  /** The same, and every pair looks for another way at once. */
  setIceConfig(iceServers: RTCIceServer[], transportPolicy: RTCIceTransportPolicy): void {
    this.#configuration.iceServers = iceServers;
    this.#configuration.iceTransportPolicy = transportPolicy;
    this.restartIce();
  }

  close(): void {
    for (const { peer } of this.#pairs.values()) peer.close();
    this.#pairs.clear();
    this.#sinks.clear();
    this.#sources.clear();
    this.#subscribers.clear();
  }

  // -------------------------------------------------------------------------------------------------------------- events

  #subscribed({ streamId, connectionId, wanted }: EventData<'peerSubscribed'>): void {
    const subscribers = this.#subscribers.get(streamId) ?? new Map<string, PeerWanted>();
    this.#subscribers.set(streamId, subscribers.set(connectionId, wanted));
    this.#refused.delete(connectionId);
    const source = this.#sources.get(streamId);
    if (source) this.#send(source, connectionId, wanted);
  }

  #unsubscribed(streamId: string, connectionId: string): void {
    if (!this.#subscribers.get(streamId)?.delete(connectionId)) return;
    this.#closeUnused(connectionId);
    this.#sources.get(streamId)?.dropped(connectionId);
  }

  #left(connectionId: string): void {
    for (const [streamId, subscribers] of this.#subscribers) {
      if (subscribers.delete(connectionId)) this.#sources.get(streamId)?.dropped(connectionId);
    }
    this.#drop(connectionId);
    this.#builds.delete(connectionId);
    this.#refused.delete(connectionId);
    this.#frames?.layer?.forget(connectionId);
  }

  #read(connectionId: string, message: PeerMessage): void {
    if (!this.#used(connectionId) || this.#refused.has(connectionId)) {
      log.debug(
        `A message of ${connectionId} is left out: neither subscribes to the other any more, or they have no keys`,
      );
      return;
    }
    const { build } = message;
    const pair = this.#pairs.get(connectionId);
    if (pair ? build < pair.peer.build : build <= (this.#builds.get(connectionId) ?? 0)) return;
    if (!pair) this.#make(connectionId, build);
    else if (build > pair.peer.build) this.#renew(pair, build);
    const now = this.#pairs.get(connectionId);
    // The connection that a key is for may be given up for a fresh one before its offer has been read.
    if (now && message.kind === 'frameKey') now.frameKey = message;
    if (message.kind === 'frameKey' || message.kind === 'frameProof' || message.kind === 'frameRefused')
      now?.frames?.take(message);
    else now?.peer.take(message);
  }

  // --------------------------------------------------------------------------------------------------------------- pairs

  #send(source: Source, connectionId: string, wanted: PeerWanted): void {
    const pair = this.#pairs.get(connectionId);
    if (pair) source.sendTo(connectionId, pair.peer, wanted);
    else this.#make(connectionId, (this.#builds.get(connectionId) ?? 0) + 1);
  }

  #make(connectionId: string, build: number): void {
    const pair = { connectionId, ...fresh, failures: 0 } as unknown as Pair;
    pair.peer = this.#connectPeer(pair, build);
    this.#pairs.set(connectionId, pair);
    this.#sendAll(pair);
  }

  #connectPeer(pair: Pair, build: number): Peer {
    const { connectionId } = pair;
    pair.frames = this.#framesOf(pair, build);
    return new Peer({
      // Both ends compare the same two ids, so they agree on who gives way without a word.
      polite: this.#ownId < connectionId,
      build,
      frames: pair.frames,
      configuration: this.#configuration,
      patienceMs: Math.min(longestPatienceMs, patienceMs * 2 ** pair.failures),
      clock: this.#clock,
      ...(this.#connect ? { connect: this.#connect } : {}),
      observer: {
        say: (message) => this.#say(connectionId, message),
        received: (streamId, kind, receiver) => {
          const sink = this.#sinks.get(streamId);
          if (sink?.connectionId === connectionId) sink.received(kind, receiver);
        },
        secured: (secured) => {
          pair.suite = secured.suite;
          pair.failures = 0;
          pair.secured = secured;
          this.#report(pair, build);
        },
        lost: () => {
          pair.failures += 1;
          this.#anew(pair);
        },
        stalled: this.#stalled,
        gaveWay: (offer) => this.#takeFirst(pair, offer),
        broken: (error) => this.#broken(connectionId, error),
      },
    });
  }

  /** The frame layer of a pair's next connection. */
  #framesOf(pair: Pair, build: number): PairFrames | null {
    if (!this.#frames) return null;
    const { connectionId } = pair;
    const current = () => pair.peer?.build === build;
    const frames = new PairFrames(
      this.#frames,
      { otherId: connectionId, build },
      {
        say: (message) => this.#say(connectionId, message),
        decided: (decided) => {
          if (!current()) return;
          pair.decided = decided;
          // Of two with different secrets it is said for the record, when their pair ends.
          if (!pair.differs) for (const sink of this.#sinksOf(connectionId)) sink.understood(true);
          this.#report(pair, build);
        },
        differs: () => void (current() && this.#differs(pair)),
        failed: (error) => void (current() && this.#refuse(pair, error)),
        connected: () => current() && pair.secured !== null,
      },
    );
    if (pair.frameKey?.build === build) frames.take(pair.frameKey);
    return frames;
  }

  /** With a secret the two may have different ones, and may change them; without one somebody swapped a key. */
  async #differs(pair: Pair): Promise<void> {
    const { frames } = pair;
    if (await this.#frames?.secret()) this.#notUnderstood(pair);
    else frames?.refuse();
  }

  #notUnderstood(pair: Pair): void {
    pair.differs = true;
    for (const sink of this.#sinksOf(pair.connectionId)) sink.understood(false);
  }

  /** No keys, so no pair: what this end was told of the other is in the record first. */
  async #refuse(pair: Pair, error: OtError): Promise<void> {
    const { connectionId, peer } = pair;
    if (!pair.secured) {
      pair.secured = unseen;
      this.#report(pair, peer.build);
    }
    this.#refused.add(connectionId);
    // Who is told by the other end before it has compared keys itself learns the same as one who has.
    if (error.detail === 'keysDiffer' && !pair.differs && (await this.#frames?.secret())) this.#notUnderstood(pair);
    if (this.#pairs.get(connectionId)?.peer === peer) this.#broken(connectionId, error);
  }

  /** Once both are known: what the browser says of DTLS-SRTP, and what was agreed on inside. */
  #report({ connectionId, secured, decided }: Pair, build: number): void {
    const inside = this.#frames ? decided : unasked;
    if (!secured || !inside) return;
    this.#request(this.#wire.request('reportPeerSuite', { connectionId, build, ...secured, ...inside }));
  }

  /** Both ends begin again. */
  #anew(pair: Pair): void {
    const build = pair.peer.build + 1;
    this.#renew(pair, build);
    this.#say(pair.connectionId, { kind: 'anew', build });
  }

  /** A fresh connection takes the other end's offer, and then carries what this end sends. */
  #takeFirst(pair: Pair, offer: PeerMessage): void {
    const peer = this.#connectPeer(pair, offer.build);
    pair.peer = peer;
    peer.take(offer);
    void peer.read().then(() => {
      if (this.#pairs.get(pair.connectionId)?.peer === peer) this.#sendAll(pair);
    });
  }

  /** Puts another connection in the place of the one that a pair has. */
  #renew(pair: Pair, build: number): void {
    const { connectionId } = pair;
    pair.peer.close();
    Object.assign(pair, fresh);
    for (const sink of this.#sinksOf(connectionId)) sink.lost();
    pair.peer = this.#connectPeer(pair, build);
    this.#sendAll(pair);
  }

  /** Sends over a new connection what the other end subscribes to. */
  #sendAll({ connectionId, peer }: Pair): void {
    for (const [streamId, subscribers] of this.#subscribers) {
      const wanted = subscribers.get(connectionId);
      const source = this.#sources.get(streamId);
      if (!wanted || !source) continue;
      source.dropped(connectionId);
      source.sendTo(connectionId, peer, wanted);
    }
  }

  /** One pair ends; the others do not notice. */
  #broken(connectionId: string, error: OtError): void {
    log.error(`The connection with ${connectionId} cannot be used`, error);
    this.#drop(connectionId);
    for (const sink of this.#sinksOf(connectionId)) sink.failed(error);
    for (const [streamId, subscribers] of this.#subscribers) {
      if (subscribers.has(connectionId)) this.#sources.get(streamId)?.failed(connectionId, error);
    }
  }

  #drop(connectionId: string): void {
    const pair = this.#pairs.get(connectionId);
    if (!pair) return;
    this.#pairs.delete(connectionId);
    this.#builds.set(connectionId, pair.peer.build);
    pair.peer.close();
  }

  #sinksOf(connectionId: string): Sink[] {
    return [...this.#sinks.values()].filter((sink) => sink.connectionId === connectionId);
  }

  /** Whether one of the two subscribes to a stream of the other. */
  #used(connectionId: string): boolean {
    if (this.#sinksOf(connectionId).length > 0) return true;
    return [...this.#subscribers.values()].some((subscribers) => subscribers.has(connectionId));
  }

  #closeUnused(connectionId: string): void {
    if (!this.#used(connectionId)) this.#drop(connectionId);
  }

  #say(connectionId: string, message: PeerMessage): void {
    this.#request(this.#wire.request('peerMessage', { connectionId, message }));
  }

  /** What is refused is refused since the other end has left meanwhile, which its events tell. */
  #request(asked: Promise<unknown>): void {
    asked.catch((error: unknown) => log.debug('The other client is not there any more', error));
  }
}
