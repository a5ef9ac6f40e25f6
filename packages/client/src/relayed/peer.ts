/**
 * One connection between this client and another: perfect negotiation (W3C WebRTC 1.0, section 10.7), so that both ends may
 * add and remove tracks when they like, and ICE restarts when the way between them changes.
 *
 * Of two offers that meet, the impolite end's counts: the polite end takes its own back (RFC 8829, 4.1.10.2) and offers
 * again afterwards. What cannot be repaired is reported, and whoever holds the pair builds another connection.
 */
import type { MediaKind, PeerMessage, PeerReport, PeerTrack } from '@cloister/protocol';
import { limits } from '@cloister/protocol/limits';
import type { Clock } from '../clock.ts';
import { asOtError, OtError } from '../errors.ts';
import { Flow, receivedBytes } from '../flow.ts';
import { log } from '../log.ts';
import { transportSecurity } from '../media.ts';
import { fingerprintOf, type OpusWish, withOneIdEach, withOpusWishes, withoutStrayCodecs } from './description.ts';
import type { PairFrames } from './pair-frames.ts';

/** One track on its way to the other end. */
export class PeerSender {
  readonly kind: MediaKind;
  readonly streamId: string;
  readonly opus: OpusWish | null;
  readonly transceiver: RTCRtpTransceiver;
  readonly #stop: () => void;
  #closed = false;

  /** @param stop takes it out of its connection, if that is still there */
  constructor(transceiver: RTCRtpTransceiver, kind: MediaKind, options: SendOptions, stop: () => void) {
    this.transceiver = transceiver;
    this.kind = kind;
    this.streamId = options.streamId;
    this.opus = options.opus ?? null;
    this.#stop = stop;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get rtpSender(): RTCRtpSender {
    return this.transceiver.sender;
  }

  async replaceTrack({ track }: { track: MediaStreamTrack }): Promise<void> {
    if (!this.#closed) await this.rtpSender.replaceTrack(track);
  }

  getStats(): Promise<RTCStatsReport> {
    return this.rtpSender.getStats();
  }

  /** Stops sending; the other end learns of it by the next description. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stop();
  }
}

/** One track that comes from the other end. */
export class PeerReceiver {
  readonly rtpReceiver: RTCRtpReceiver;

  constructor(rtpReceiver: RTCRtpReceiver) {
    this.rtpReceiver = rtpReceiver;
  }

  get track(): MediaStreamTrack {
    return this.rtpReceiver.track;
  }

  getStats(): Promise<RTCStatsReport> {
    return this.rtpReceiver.getStats();
  }
}

/** What to send, beside the track. */
export interface SendOptions {
  readonly streamId: string;
  readonly encoding: RTCRtpEncodingParameters;
  /** Names of codecs such as `video/VP8`, most wanted first; no other is offered. */
  readonly mimeTypes: readonly string[];
  readonly opus?: OpusWish;
}

/** Called in order, never after `close`. */
export interface PeerObserver {
  /** To the other end of the pair. */
  say(message: PeerMessage): void;
  received(streamId: string, kind: MediaKind, receiver: PeerReceiver): void;
  /** It is up, or has negotiated something else while it was: what the browser says of its DTLS-SRTP. */
  secured(report: Pick<PeerReport, 'suite' | 'dtlsVersion'>): void;
  /** What came steadily has stopped: the other end sends nothing, or there is no way to it any more. */
  stalled(): void;
  /**
   * The first offers of both ends met, and this end gives way: a fresh connection takes the other's offer. To take an own
   * offer back is not enough then, since Chromium keeps what it has handed out in it (the ids of header extensions) and
   * refuses its next offer where the other end, a Firefox, chose others.
   */
  gaveWay(offer: PeerMessage): void;
  /** It could not be repaired: another must be built. */
  lost(): void;
  /** The other end said something that this browser does not understand: there is nothing to be repaired. */
  broken(error: OtError): void;
}

export interface PeerOptions {
  /** Whether this end gives way when two offers meet. */
  readonly polite: boolean;
  /** Which connection of the pair this is, from 1. */
  readonly build: number;
  readonly configuration: RTCConfiguration;
  /** Encrypts frames; null where the session does not ask for it. */
  readonly frames?: PairFrames | null;
  /** How long the connection may take to come up, in milliseconds. */
  readonly patienceMs: number;
  readonly clock: Clock;
  readonly observer: PeerObserver;
  /** Tests put a connection of their own here. */
  readonly connect?: (configuration: RTCConfiguration) => RTCPeerConnection;
}

/** Fingerprints of certificates, as descriptions have them; null until they are known. */
export interface Fingerprints {
  readonly own: string | null;
  readonly theirs: string | null;
}

const lookMs = 300;
const disconnectedMs = 1000;
const restartMs = 5000;
const statsTryMs = 50;
const statsTries = 20;

export class Peer {
  readonly build: number;
  readonly #options: PeerOptions;
  readonly #connection: RTCPeerConnection;
  readonly #senders = new Set<PeerSender>();
  /** By `mid`. */
  readonly #received = new Map<string, PeerReceiver>();
  /** Of tracks that come in two channels, by `mid`. */
  #stereo: ReadonlySet<string> = new Set();
  /** Messages are read one after the other. */
  #reading: Promise<void> = Promise.resolve();
  #makingOffer = false;
  #ignoresOffer = false;
  /** Whether the two ends have agreed on anything yet. */
  #agreed = false;
  #restarting = false;
  readonly #flow = new Flow();
  #cancelTimer: () => void;
  #cancelLook: (() => void) | null = null;
  #closed = false;

  constructor(options: PeerOptions) {
    this.#options = options;
    this.build = options.build;
    const connect = options.connect ?? ((configuration) => new RTCPeerConnection(configuration));
    const connection = connect({ ...options.configuration, bundlePolicy: 'max-bundle' });
    this.#connection = connection;
    connection.onnegotiationneeded = () => void this.#offer();
    connection.onicecandidate = ({ candidate }) => {
      if (!candidate || this.#closed) return;
      const { sdpMid, sdpMLineIndex, usernameFragment } = candidate;
      const { build } = this;
      const line = candidate.candidate;
      options.observer.say({ kind: 'candidate', build, candidate: line, sdpMid, sdpMLineIndex, usernameFragment });
    };
    connection.onconnectionstatechange = () => this.#changed();
    this.#cancelTimer = options.clock.after(options.patienceMs, () => this.#lost());
  }

  get connected(): boolean {
    return this.#connection.connectionState === 'connected';
  }

  /** Whether what came steadily has stopped, and nothing has come since. */
  get quiet(): boolean {
    return this.#flow.quiet;
  }

  /** Certificates of both ends, by their descriptions: what DTLS (RFC 5763) is held against. */
  get fingerprints(): Fingerprints {
    const { localDescription, remoteDescription } = this.#connection;
    return { own: fingerprintOf(localDescription?.sdp ?? ''), theirs: fingerprintOf(remoteDescription?.sdp ?? '') };
  }

  /** Starts sending a track. This is the one place where a sender is made, before its first description. */
  send(track: MediaStreamTrack, options: SendOptions): PeerSender {
    const kind = track.kind as MediaKind;
    const sendEncodings = [options.encoding];
    const transceiver = this.#connection.addTransceiver(track, { direction: 'sendonly', sendEncodings });
    transceiver.setCodecPreferences?.(codecsOf(kind, options.mimeTypes));
    this.#options.frames?.seal(transceiver.sender);
    const sender = new PeerSender(transceiver, kind, options, () => {
      this.#senders.delete(sender);
      if (!this.#closed) transceiver.stop();
    });
    this.#senders.add(sender);
    return sender;
  }

  /** Reads a message of the other end, of this connection. */
  take(message: PeerMessage): void {
    this.#reading = this.#reading.then(async () => {
      if (this.#closed) return;
      if (message.kind === 'description') await this.#describe(message);
      else if (message.kind === 'candidate') await this.#candidate(message);
    });
  }

  /** Resolves when all messages that were taken so far have been read. */
  read(): Promise<void> {
    return this.#reading;
  }

  /** Looks for another way between the two. */
  restart(): void {
    if (this.#closed || this.#restarting || this.#connection.connectionState === 'new') return;
    this.#restarting = true;
    // Servers and their credentials may have changed since. It would be refused if it were not as before in all else.
    this.#connection.setConfiguration({ ...this.#connection.getConfiguration(), ...this.#options.configuration });
    this.#connection.restartIce();
    this.#await(restartMs, () => {
      this.#restarting = false;
      this.#lost();
    });
  }

  stats(): Promise<RTCStatsReport> {
    return this.#connection.getStats();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelTimer();
    this.#options.frames?.close();
    this.#cancelLook?.();
    this.#connection.close();
  }

  // ------------------------------------------------------------------------------------------------------ negotiation

  async #offer(): Promise<void> {
    if (this.#closed) return;
    this.#makingOffer = true;
    try {
      await this.#setLocal(() => this.#connection.createOffer());
      this.#sayDescription();
    } catch (error) {
      // An offer of the other end came first; what this end has to say follows when that is settled.
      if (this.#connection.signalingState === 'have-remote-offer') return;
      this.#fail('This browser could not describe what it sends', error);
    } finally {
      this.#makingOffer = false;
    }
  }

  async #describe(message: Extract<PeerMessage, { kind: 'description' }>): Promise<void> {
    const { type, sdp, tracks } = message;
    const connection = this.#connection;
    const meets = this.#makingOffer || connection.signalingState !== 'stable';
    this.#ignoresOffer = type === 'offer' && meets && !this.#options.polite;
    if (this.#ignoresOffer) return;
    if (type === 'offer' && meets && !this.#agreed) {
      this.close();
      return this.#options.observer.gaveWay(message);
    }
    if (type === 'answer' && connection.signalingState !== 'have-local-offer') {
      log.warn('An answer to no offer of this client is left out');
      return;
    }
    try {
      this.#stereo = new Set(tracks.flatMap(({ mid, stereo }) => (stereo ? [mid] : [])));
      await connection.setRemoteDescription({ type, sdp: withOpusWishes(sdp, this.#opusWishes()) });
      this.#takeTracks(tracks);
      this.#options.frames?.described(this.fingerprints);
      if (type === 'offer') {
        await this.#setLocal(() => connection.createAnswer());
        this.#sayDescription();
      }
      this.#agreed = true;
    } catch (error) {
      this.#fail('The other client described what it sends in a way that this browser does not understand', error);
      return;
    }
    if (this.connected) void this.#report().catch((error: unknown) => log.warn('No suite is known', error));
  }

  /** As the browser has it; only that two channels are decoded must be written into it, and what the browser itself refuses. */
  async #setLocal(create: () => Promise<RTCSessionDescriptionInit>): Promise<void> {
    const connection = this.#connection;
    if (this.#stereo.size === 0) {
      try {
        return await connection.setLocalDescription();
      } catch (error) {
        if (this.#closed) throw error;
        log.debug('The browser refuses what it wrote itself', error);
      }
    }
    const { type, sdp = '' } = await create();
    const wishes = new Map([...this.#stereo].map((mid) => [mid, { stereo: true }]));
    const written = withOneIdEach(withOpusWishes(sdp, wishes), connection.currentRemoteDescription?.sdp ?? '');
    await connection.setLocalDescription({ type, sdp: written } as RTCLocalSessionDescriptionInit);
  }

  /** Of own senders, for what the other end says of them. */
  #opusWishes(): Map<string, OpusWish> {
    return new Map(
      [...this.#senders].flatMap(({ opus, transceiver: { mid } }): [string, OpusWish][] =>
        opus && mid !== null ? [[mid, opus]] : [],
      ),
    );
  }

  #sayDescription(): void {
    const { localDescription } = this.#connection;
    if (!localDescription || this.#closed) return;
    const type = localDescription.type === 'offer' ? 'offer' : 'answer';
    const tracks = [...this.#senders].flatMap(({ streamId, kind, opus, transceiver: { mid } }): PeerTrack[] =>
      mid === null ? [] : [{ mid, streamId, kind, ...(opus?.stereo ? { stereo: true } : {}) }],
    );
    const sdp = withoutStrayCodecs(localDescription.sdp);
    const message = { kind: 'description', build: this.build, type, sdp, tracks } as const;
    if (message.sdp.length > limits.peerDescriptionChars || tracks.length > limits.peerTracks) {
      this.#fail(
        `What two clients send each other is described in ${limits.peerDescriptionChars} characters and ${limits.peerTracks} tracks at most; publish fewer streams`,
        null,
      );
    } else this.#options.observer.say(message);
    this.#options.frames?.described(this.fingerprints);
  }

  /** This is the one place where receivers are first seen, before this end has answered. */
  #takeTracks(tracks: readonly PeerTrack[]): void {
    for (const { mid, streamId, kind } of tracks) {
      const transceiver = this.#connection.getTransceivers().find((each) => each.mid === mid);
      if (!transceiver || this.#received.get(mid)?.rtpReceiver === transceiver.receiver) continue;
      if (transceiver.receiver.track.kind !== kind) continue;
      this.#options.frames?.open(transceiver.receiver);
      const receiver = new PeerReceiver(transceiver.receiver);
      this.#received.set(mid, receiver);
      this.#options.observer.received(streamId, kind, receiver);
    }
  }

  async #candidate(message: Extract<PeerMessage, { kind: 'candidate' }>): Promise<void> {
    const { candidate, sdpMid, sdpMLineIndex, usernameFragment } = message;
    try {
      await this.#connection.addIceCandidate({ candidate, sdpMid, sdpMLineIndex, usernameFragment });
    } catch (error) {
      // Those of an offer that was ignored belong to nothing here.
      if (!this.#ignoresOffer) log.warn('A candidate of the other client is left out', error);
    }
  }

  // -------------------------------------------------------------------------------------------------------------- state

  #await(ms: number, task: () => void): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#options.clock.after(ms, task);
  }

  #changed(): void {
    if (this.#closed) return;
    const { connectionState } = this.#connection;
    if (connectionState === 'connected') {
      this.#cancelTimer();
      this.#restarting = false;
      if (!this.#cancelLook) this.#lookAgain();
      void this.#report().catch((error: unknown) => log.warn('No suite is known', error));
    } else if (this.#restarting) {
      if (connectionState === 'failed') this.#lost();
    } else if (this.#handshakeFailed) {
      const why =
        'one of the two has another certificate than the other was told, as when somebody between them swaps it';
      this.#fail(`The handshake with the other client failed: ${why}`, null);
    } else if (connectionState === 'disconnected') {
      this.#await(disconnectedMs, () => this.restart());
    } else if (connectionState === 'failed') {
      this.restart();
    }
  }

  /** There is a way, and DTLS over it has failed: no other way mends that. */
  get #handshakeFailed(): boolean {
    const { connectionState, iceConnectionState } = this.#connection;
    const found = iceConnectionState === 'connected' || iceConnectionState === 'completed';
    if (connectionState !== 'failed' || !found) return false;
    return this.#connection.getTransceivers().some(({ sender }) => sender.transport?.state === 'failed');
  }

  #lookAgain(): void {
    this.#cancelLook = this.#options.clock.after(lookMs, () => {
      this.#look().catch((error: unknown) => log.debug('No statistics', error));
    });
  }

  /** Watches whether packets still come: the browser takes seconds to say that they do not. */
  async #look(): Promise<void> {
    const received = receivedBytes(await this.stats());
    if (this.#closed) return;
    const { clock, observer } = this.#options;
    if (this.#flow.look(received, clock.now()) && this.connected) observer.stalled();
    this.#lookAgain();
  }

  #lost(): void {
    if (this.#closed || this.connected) return;
    this.close();
    this.#options.observer.lost();
  }

  #fail(what: string, cause: unknown): void {
    if (this.#closed) return;
    this.close();
    const name = 'OT_CREATE_PEER_CONNECTION_FAILED';
    const why = cause === null ? '' : ` (${asOtError(cause, name).message})`;
    this.#options.observer.broken(new OtError(name, `${what}${why}`, { cause }));
  }

  /** Reads the suite from getStats('transport'); the browser may take a moment to write it there. */
  async #report(): Promise<void> {
    for (let tried = 1; !this.#closed; tried++) {
      const found = transportSecurity(await this.stats());
      if (this.#closed) return;
      if (found || tried === statsTries) {
        this.#options.observer.secured(found ?? { suite: 'unknown', dtlsVersion: null });
        return;
      }
      await new Promise<void>((resolve) => void this.#options.clock.after(statsTryMs, resolve));
    }
  }
}

/** Codecs of these names as this browser has them, in this order, then what repairs their losses. */
function codecsOf(kind: MediaKind, mimeTypes: readonly string[]): RTCRtpCodec[] {
  const all = RTCRtpReceiver.getCapabilities(kind)?.codecs ?? [];
  const named = (name: string) => all.filter(({ mimeType }) => mimeType.toLowerCase() === name.toLowerCase());
  return [...mimeTypes, `${kind}/rtx`].flatMap(named);
}
