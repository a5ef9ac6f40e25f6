/**
 * The port through which `core` moves media. The folder `media/` fills it with mediasoup; nothing here knows that.
 * Shapes that pass through untouched (ICE, DTLS, RTP parameters) are the protocol's.
 */
import type {
  ConsumerOffer,
  Direction,
  DtlsParameters,
  IceParameters,
  MediaKind,
  RtpCapabilities,
  RtpParameters,
  Suite,
  TransportOffer,
} from '@cloister/protocol';

export interface MediaPlane {
  /**
   * Whether the workers were seen to report the suite of a transport when this plane started. Where it is false,
   * `require-aes256` is refused.
   */
  readonly reportsSuites: boolean;
  /** Versions for the start-up lines: the worker, and the OpenSSL inside it. */
  readonly versions: { readonly worker: string; readonly openssl: string };
  /** Opens a room; a room of that id must not be open. */
  openRoom(roomId: string): Promise<MediaRoom>;
  /** How much of the measured capacity is taken, in streams forwarded. */
  capacity(): { readonly used: number; readonly limit: number };
  close(): Promise<void>;
}

/** The media of one session. */
export interface MediaRoom {
  /** What the room's routers can carry; a client loads its device with it. */
  readonly rtpCapabilities: RtpCapabilities;
  /**
   * Makes room for one client.
   * @throws PlatformError `CapacityReached` past the node's measured capacity.
   */
  join(connectionId: string, observer: PeerObserver): Promise<MediaPeer>;
  /**
   * Taps a stream of the room, for a recorder in this process.
   * @throws PlatformError `StreamNotFound`; `LimitReached` past `tapsPerRoom`.
   */
  tap(streamId: string): Promise<StreamTap>;
  close(): void;
}

/** A track as a tap hands it over. */
export interface TapTrack {
  /** Such as `video/VP8`. */
  readonly mimeType: string;
  readonly payloadType: number;
  readonly clockRate: number;
  /** Null for pictures. */
  readonly channels: number | null;
  readonly ssrc: number;
  /** Parameters of the codec. */
  readonly fmtp: Readonly<Record<string, unknown>>;
  /** Those that say something of the media: when it was captured, how loud it is, how it is turned. */
  readonly headerExtensions: readonly { readonly uri: string; readonly id: number }[];
}

/** Where a tap hands over to. Called synchronously, never after `tap.close()`. */
export interface TapSink {
  /**
   * A track begins, or another takes its place (codec or device changed, worker lost and back): packets of this kind that
   * follow are of it. It counts as not muted until `trackPaused`.
   */
  track(kind: MediaKind, track: TapTrack): void;
  /** No packets of this kind come until `track` is told again. */
  trackEnded(kind: MediaKind): void;
  /** The publisher muted it (nothing comes) or unmuted it. */
  trackPaused(kind: MediaKind, paused: boolean): void;
  /**
   * One whole RTP packet with media in it. Packets come as they reached the worker, so those that were lost on the way from
   * the publisher come late. The memory is the sink's to keep; `packet.buffer` may hold more than the packet.
   */
  packet(kind: MediaKind, packet: Uint8Array): void;
  /**
   * The publisher's own sender report for the timestamps of `packet`: `ntpMs` milliseconds of the publisher's clock, which
   * counts from 1900 (RFC 3550, 4), at `rtpTimestamp`. Told at once when timestamps begin anew.
   */
  senderReport(kind: MediaKind, report: { readonly ntpMs: number; readonly rtpTimestamp: number }): void;
  /** The stream is over; nothing else is told. */
  ended(): void;
}

/**
 * A stream's media, handed over in memory. It lasts as long as its stream, through losses of the worker, and is no client:
 * nobody sees it but by the load of the node. Nothing comes before the leg of the publisher is allowed.
 */
export interface StreamTap {
  readonly streamId: string;
  /**
   * Begins to hand over. Once.
   * @throws PlatformError `WrongState` the second time and after `close`; `StreamNotFound` when the stream is over;
   *   `CapacityReached` past the node's capacity; `MediaLost` when the worker is gone. The tap is closed then.
   */
  start(sink: TapSink): Promise<void>;
  /**
   * The size at which the picture is shown, or null when it is not shown: chooses the simulcast layer, and stops video.
   * Until it is told the picture counts as shown as large as it is published.
   */
  show(size: { readonly width: number; readonly height: number } | null): void;
  requestKeyFrame(): void;
  close(): void;
}

/** What the plane tells of one client, as it happens. Called synchronously, never after `peer.close()`. */
export interface PeerObserver {
  /**
   * The DTLS of a transport is up, and this is the suite that the server saw; `unknown` when the worker did not say
   * within `suiteReportSeconds`. Called exactly once for each transport that connects, before any packet is forwarded.
   */
  transportConnected(transportId: string, direction: Direction, suite: Suite): void;
  /** The transport's ICE or DTLS failed or was closed by the other end. */
  transportLost(transportId: string, direction: Direction): void;
  /** Every router, transport, producer and consumer of this client is gone (worker died or hung); the room is usable again. */
  mediaLost(why: string): void;
  /** New consumers for a subscription, since the publisher added a track or put another in the place of one. */
  consumersAdded(streamId: string, consumers: ConsumerOffer[]): void;
  /** This client cannot decode the picture of a stream that it subscribes to: it gets none until `consumersAdded`. */
  codecNotSupported(streamId: string, mimeType: string): void;
  /** A subscriber cannot decode the picture of this client's stream; it could one of these, most wanted first. */
  codecWanted(streamId: string, mimeTypes: string[]): void;
  /** The subscriber's picture by the server's bandwidth estimate, with the hysteresis of the limits. */
  subscriptionQuality(streamId: string, video: 'on' | 'warning' | 'off'): void;
  layersChanged(streamId: string, spatial: number | null, temporal: number | null): void;
  /** Whether somebody wants this client's stream; told when it changes. */
  streamWanted(streamId: string, wanted: { audio: boolean; video: boolean; spatialMax: number }): void;
  /** Levels of the loudest streams of the room in dBov, 0 loudest, -127 silence. */
  speakers(levels: { streamId: string; level: number }[]): void;
}

export interface Preferred {
  readonly width?: number;
  readonly height?: number;
  readonly frameRate?: number;
}

/** One client's media in a room. Ids of streams and connections are `core`'s; a peer closes with its client. */
export interface MediaPeer {
  /** Opens the one transport in this direction; an older one is closed with all that it carries. */
  openTransport(direction: Direction): Promise<TransportOffer>;
  /**
   * Starts DTLS. The server is always the DTLS server, since the server picks the suite (RFC 5764, 4.1.2).
   * @throws PlatformError `DtlsRoleRefused` for any role but `client`.
   */
  connectTransport(transportId: string, dtls: DtlsParameters): Promise<void>;
  restartIce(transportId: string): Promise<IceParameters>;
  /**
   * Starts receiving one track of a stream over the send transport. The producer is made paused in the worker and stays
   * so until `allowStream(streamId)`; `paused` is the publisher's own wish (mute). A track of a kind that is there
   * already takes the place of the older one when its codec is another.
   * @throws PlatformError `MediaParametersInvalid`
   */
  produce(track: {
    streamId: string;
    kind: MediaKind;
    rtpParameters: RtpParameters;
    paused: boolean;
    /** Whether subscribers on a poor link get audio alone. */
    audioFallback: boolean;
    /** Size and rate of the picture as published, for choosing layers. */
    dimensions: { width: number; height: number };
    frameRate: number;
  }): Promise<{ producerId: string }>;
  /** Mutes or unmutes a track of an own stream at the server, so that no packet is forwarded. */
  pauseTrack(streamId: string, kind: MediaKind, paused: boolean): Promise<void>;
  /** The leg over which this stream comes in is recorded and allowed: its producers may run. */
  allowStream(streamId: string): Promise<void>;
  closeStream(streamId: string): void;
  /**
   * Makes consumers of another client's stream over the receive transport, paused. A picture that the client cannot
   * decode is left out, and told by `codecNotSupported`. They run once both
   * `resumeSubscription` (the client is ready) and `allowSubscription` (the leg is allowed) have been called.
   */
  subscribe(subscription: {
    streamId: string;
    rtpCapabilities: RtpCapabilities;
    audio: boolean;
    video: boolean;
    preferred?: Preferred;
  }): Promise<ConsumerOffer[]>;
  resumeSubscription(streamId: string): Promise<void>;
  allowSubscription(streamId: string): Promise<void>;
  updateSubscription(
    streamId: string,
    wish: { audio?: boolean; video?: boolean; preferred?: Preferred | null },
  ): Promise<void>;
  closeSubscription(streamId: string): void;
  /** RTP packets forwarded to and from this client so far, as the worker counts them; for tests and the inspector. */
  packets(): Promise<{ received: number; sent: number }>;
  close(): void;
}
