/**
 * Signalling: JSON over one WebSocket, between a client and the media node that is the home of its session.
 *
 * A client first shows its token to the API (`joinRequest` → `joinAnswer`), which alone verifies it, then opens the
 * WebSocket and says `hello` with the admission ticket. After that both ends send frames: the client requests, numbered
 * from 1, and the server answers and events. Events are numbered without a gap and kept until the client acknowledges
 * them; answers are kept as well. After a cut of the network `resume` brings back what was not acknowledged, and a
 * request that is repeated under its number is answered again, not done again.
 */
import { z } from 'zod';
import { limits } from './limits.ts';
import { peerMessage, peerReport, peerWanted } from './peers.ts';
import { frameLayer, mediaPolicy } from './security.ts';
import { suites } from './suites.ts';

/** Raised when a frame changes in a way that an older client cannot read. */
export const signallingVersion = 1;

const id = z.string().min(1).max(128);
const name = z.string().max(limits.nameChars);
const milliseconds = z.number().int().nonnegative();
const dimensions = z.object({ width: z.number().int().min(0).max(16384), height: z.number().int().min(0).max(16384) });
const suite = z.enum([...suites, 'unknown']);
export const mediaKind = z.enum(['audio', 'video']);
export const direction = z.enum(['send', 'receive']);
export type MediaKind = z.infer<typeof mediaKind>;
export type Direction = z.infer<typeof direction>;

// ---------------------------------------------------------------------------------------------- shapes of the domain

/** OpenTok's capabilities of a connection, numbers 0 and 1 as its client SDK has them. */
export const capabilities = z.object({
  publish: z.literal([0, 1]),
  subscribe: z.literal([0, 1]),
  signal: z.literal([0, 1]),
  forceDisconnect: z.literal([0, 1]),
  forceUnpublish: z.literal([0, 1]),
  forceMute: z.literal([0, 1]),
});
export type Capabilities = z.infer<typeof capabilities>;

export const connectionShape = z.object({ connectionId: id, creationTime: milliseconds, data: z.string() });
export type ConnectionShape = z.infer<typeof connectionShape>;

export const videoType = z.enum(['camera', 'screen', 'custom']);
export type VideoType = z.infer<typeof videoType>;

export const streamShape = z.object({
  streamId: id,
  connectionId: id,
  creationTime: milliseconds,
  name,
  initials: z.string().max(8),
  videoType: videoType.nullable(),
  hasAudio: z.boolean(),
  hasVideo: z.boolean(),
  hasCaptions: z.boolean(),
  videoDimensions: dimensions,
  frameRate: z.number().min(0).max(240),
});
export type StreamShape = z.infer<typeof streamShape>;

/** A recording of the session. */
export const archiveShape = z.object({ archiveId: id, name: z.string().max(limits.archiveTextChars) });
export type ArchiveShape = z.infer<typeof archiveShape>;

/**
 * What a client tells of the key of its frames in an end-to-end encrypted session: enough for those who have the secret,
 * nothing for anybody else.
 */
export const frameKeyShape = z.object({
  /** Its id in the frames (RFC 9605, section 4.3); each of a connection's is above the one before. */
  keyId: z.number().int().nonnegative(),
  /** 128 random bits, new for each key, in base64url. */
  nonce: z.string().regex(/^[\w-]{22}$/),
  /** 256 bits that only who has the secret can make, in base64url. */
  proof: z.string().regex(/^[\w-]{43}$/),
});
export type FrameKeyShape = z.infer<typeof frameKeyShape>;

export const iceServer = z.object({
  urls: z.array(z.string()).min(1),
  username: z.string().optional(),
  credential: z.string().optional(),
});
export type IceServer = z.infer<typeof iceServer>;

// ------------------------------------------------------------------ shapes of media: mediasoup's, checked for size here
// and in full by mediasoup's own negotiation code, which is the only reader.

const codec = z.looseObject({
  mimeType: z.string().max(64),
  clockRate: z.number().int().positive(),
  parameters: z.record(z.string().max(64), z.unknown()).optional(),
});

export const rtpCapabilities = z.looseObject({
  codecs: z
    .array(codec.extend({ kind: mediaKind }))
    .max(64)
    .optional(),
  headerExtensions: z
    .array(z.looseObject({ uri: z.string().max(256) }))
    .max(64)
    .optional(),
});
export type RtpCapabilities = z.infer<typeof rtpCapabilities>;

export const rtpParameters = z.looseObject({
  mid: z.string().max(32).optional(),
  codecs: z
    .array(codec.extend({ payloadType: z.number().int().min(0).max(127) }))
    .min(1)
    .max(32),
  headerExtensions: z
    .array(z.looseObject({ uri: z.string().max(256), id: z.number().int() }))
    .max(32)
    .optional(),
  encodings: z
    .array(z.looseObject({ ssrc: z.number().int().nonnegative().optional() }))
    .min(1)
    .max(8)
    .optional(),
  rtcp: z.looseObject({ cname: z.string().max(256).optional() }).optional(),
});
export type RtpParameters = z.infer<typeof rtpParameters>;

export const dtlsParameters = z.object({
  role: z.enum(['auto', 'client', 'server']).optional(),
  fingerprints: z
    .array(z.object({ algorithm: z.string().max(16), value: z.string().max(256) }))
    .min(1)
    .max(8),
});
export type DtlsParameters = z.infer<typeof dtlsParameters>;

export const iceParameters = z.looseObject({ usernameFragment: z.string(), password: z.string() });
export type IceParameters = z.infer<typeof iceParameters>;

/** What a client needs to build its end of a transport. */
export const transportOffer = z.object({
  transportId: id,
  direction,
  iceParameters,
  iceCandidates: z.array(z.looseObject({})),
  dtlsParameters: z.looseObject({}),
});
export type TransportOffer = z.infer<typeof transportOffer>;

/** One consumer of a subscription: paused in the server until the leg is allowed and the client is ready. */
export const consumerOffer = z.object({
  consumerId: id,
  producerId: id,
  kind: mediaKind,
  rtpParameters,
  /** `simple`, `simulcast` or `svc`. */
  type: z.string(),
});
export type ConsumerOffer = z.infer<typeof consumerOffer>;

// ------------------------------------------------------------------------------------------------- joining, over HTTP

/** The address list as a client holds to it: what is in effect for its project. */
export const clientAddressList = z.object({
  /** Token of the version. */
  version: z.string(),
  blocks: z.array(
    z.object({
      prefix: z.string(),
      component: z.enum(['media', 'api', 'turn', 'log']),
      ports: z.array(z.object({ first: z.number().int(), last: z.number().int() })),
      protocols: z.array(z.enum(['udp', 'tcp'])),
    }),
  ),
  /** Names in the answer's addresses, each with the addresses that it has. */
  names: z.record(z.string(), z.array(z.string())),
});
export type ClientAddressList = z.infer<typeof clientAddressList>;

/** `POST /cloister/v1/join`: the client shows its token. */
export const joinRequest = z.object({
  apiKey: z.string().max(16),
  sessionId: z.string().max(512),
  token: z.string().max(limits.tokenBytes),
  /** Whether the client wants the address list, to hold to it: OpenTok's `ipWhitelist`. */
  ipWhitelist: z.boolean().optional(),
});
export type JoinRequest = z.infer<typeof joinRequest>;

export const joinAnswer = z.object({
  connectionId: id,
  /** Absolute WebSocket address of the media node. */
  signallingUrl: z.string(),
  /** Admission ticket: Ed25519, used once, at most 60 s. */
  ticket: z.string(),
  iceServers: z.array(iceServer),
  mediaPolicy,
  mediaMode: z.enum(['routed', 'relayed']),
  /** End-to-end encrypted: nobody publishes or subscribes before it has told of its frame key. */
  e2ee: z.boolean(),
  /** A relayed session whose clients encrypt frames, where both ends of a pair can. */
  frames: z.boolean(),
  /** Where it was asked for. */
  addressList: clientAddressList.optional(),
  /** Epoch of the session's home; every later frame of the server carries the current one. */
  epoch: z.number().int().positive(),
});
export type JoinAnswer = z.infer<typeof joinAnswer>;

// --------------------------------------------------------------------------------------- requests: client → server

const signalTarget = id.optional();

/** Every request: its data, then its answer's data. */
export const requests = {
  /** The client's one transport in a direction; asked for again, the first is closed. */
  openTransport: { data: z.object({ direction }), answer: transportOffer },
  connectTransport: { data: z.object({ transportId: id, dtlsParameters }), answer: z.object({}) },
  restartIce: { data: z.object({ transportId: id }), answer: z.object({ iceParameters }) },
  /** What the browser's getStats says of a transport; recorded beside what the server saw. */
  reportSuite: {
    data: z.object({ transportId: id, suite, dtlsVersion: z.string().max(32).nullable() }),
    answer: z.object({}),
  },
  /** The key of this client's frames, and each later one before it seals with it. In end-to-end encrypted sessions only. */
  announceFrameKey: { data: frameKeyShape, answer: z.object({}) },
  /**
   * Announces a stream; others learn of it when its first leg is allowed. With `streamId`, publishes a stream of this
   * connection again after `mediaReset`.
   */
  publish: {
    data: z.object({
      streamId: id.optional(),
      name: name.default(''),
      initials: z.string().max(8).default(''),
      videoType: videoType.nullable(),
      hasAudio: z.boolean(),
      hasVideo: z.boolean(),
      /** The tracks that will come; the stream is announced once all are there. Left out: with the first. */
      tracks: z.array(mediaKind).max(2).optional(),
      videoDimensions: dimensions.default({ width: 0, height: 0 }),
      frameRate: z.number().min(0).max(240).default(30),
      /** OpenTok's `audioFallback.subscriber`: subscribers on a poor link get audio alone. */
      audioFallback: z.boolean().default(true),
    }),
    /** `muted`: the session is under force-mute, so the client starts with its microphone off. */
    answer: z.object({ stream: streamShape, muted: z.boolean() }),
  },
  produce: {
    data: z.object({ streamId: id, kind: mediaKind, rtpParameters, paused: z.boolean().default(false) }),
    answer: z.object({ producerId: id }),
  },
  updateStream: {
    data: z.object({
      streamId: id,
      hasAudio: z.boolean().optional(),
      hasVideo: z.boolean().optional(),
      videoDimensions: dimensions.optional(),
      /** Why the picture goes or comes back: by the application, or by the publisher's audio fall-back. */
      reason: z.enum(['publishVideo', 'quality']).optional(),
    }),
    answer: z.object({}),
  },
  unpublish: {
    data: z.object({
      streamId: id,
      /** The source ended by itself (a shared window closed, a device unplugged). */
      reason: z.literal('mediaStopped').optional(),
    }),
    answer: z.object({}),
  },
  subscribe: {
    data: z.object({
      streamId: id,
      rtpCapabilities,
      audio: z.boolean().default(true),
      video: z.boolean().default(true),
      preferred: z
        .object({
          width: z.number().int().positive().optional(),
          height: z.number().int().positive().optional(),
          frameRate: z.number().positive().optional(),
        })
        .optional(),
    }),
    answer: z.object({ consumers: z.array(consumerOffer) }),
  },
  /** The client's receivers exist: media may flow as soon as the leg is allowed. */
  resumeSubscription: { data: z.object({ streamId: id }), answer: z.object({}) },
  updateSubscription: {
    data: z.object({
      streamId: id,
      audio: z.boolean().optional(),
      video: z.boolean().optional(),
      /** null: no preference any more, the top layer. */
      preferred: z
        .object({
          width: z.number().int().positive().optional(),
          height: z.number().int().positive().optional(),
          frameRate: z.number().positive().optional(),
        })
        .nullable()
        .optional(),
    }),
    answer: z.object({}),
  },
  unsubscribe: { data: z.object({ streamId: id }), answer: z.object({}) },
  /** In a relayed session, to the client at the other end of a pair: passed on as the event of the same name. */
  peerMessage: { data: z.object({ connectionId: id, message: peerMessage }), answer: z.object({}) },
  /** What the browser's getStats says of the connection with that client; recorded beside what the other end says. */
  reportPeerSuite: { data: z.object({ connectionId: id, ...peerReport.shape }), answer: z.object({}) },
  signal: {
    data: z.object({ type: z.string().optional(), data: z.string().optional(), to: signalTarget }),
    answer: z.object({}),
  },
  forceDisconnect: { data: z.object({ connectionId: id }), answer: z.object({}) },
  forceUnpublish: { data: z.object({ streamId: id }), answer: z.object({}) },
  forceMuteStream: { data: z.object({ streamId: id }), answer: z.object({}) },
  /** `active: true` mutes all but the excluded and those who come later; `false` ends that state. */
  forceMuteAll: {
    data: z.object({ active: z.boolean(), excludedStreamIds: z.array(id).max(limits.streamsPerSession).default([]) }),
    answer: z.object({}),
  },
  disconnect: { data: z.object({}), answer: z.object({}) },
} as const;
export type RequestName = keyof typeof requests;
/** What a caller hands in: defaults may be left out. */
export type RequestData<Name extends RequestName> = z.input<(typeof requests)[Name]['data']>;
/** What the server reads: defaults filled in. */
export type ParsedRequest<Name extends RequestName> = z.output<(typeof requests)[Name]['data']>;
export type Answer<Name extends RequestName> = z.output<(typeof requests)[Name]['answer']>;

// ------------------------------------------------------------------------------------------ events: server → client

export const disconnectReason = z.enum(['clientDisconnected', 'forceDisconnected', 'networkDisconnected']);
export type DisconnectReason = z.infer<typeof disconnectReason>;
export const streamEndReason = z.enum([
  'clientDisconnected',
  'forceDisconnected',
  'networkDisconnected',
  'forceUnpublished',
  'mediaStopped',
]);
export type StreamEndReason = z.infer<typeof streamEndReason>;

const errorBody = z.object({
  code: z.string(),
  message: z.string(),
  help: z.string(),
  details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
});

/** Every event by its name. */
export const events = {
  connectionCreated: z.object({ connection: connectionShape }),
  connectionDestroyed: z.object({ connectionId: id, reason: disconnectReason }),
  /** The key of the frames that a connection sends, told before its first stream and before each change. */
  frameKeyAnnounced: z.object({ connectionId: id, key: frameKeyShape }),
  streamCreated: z.object({ stream: streamShape }),
  streamDestroyed: z.object({ streamId: id, reason: streamEndReason }),
  streamUpdated: z.object({
    streamId: id,
    changed: z.enum(['hasAudio', 'hasVideo', 'hasCaptions', 'videoDimensions']),
    oldValue: z.union([z.boolean(), dimensions]),
    newValue: z.union([z.boolean(), dimensions]),
    reason: z.enum(['publishVideo', 'quality']).optional(),
  }),
  /** `from` is null for a signal that an application server sent by REST. */
  signal: z.object({ type: z.string(), data: z.string(), from: connectionShape.nullable() }),
  /** `streamIds`: this client's own streams that must be muted now; `active`: the session's state. */
  muteForced: z.object({ active: z.boolean(), streamIds: z.array(id) }),
  archiveStarted: z.object({ archive: archiveShape }),
  archiveStopped: z.object({ archive: archiveShape }),
  /**
   * What became of a leg of this client: publish and subscribe resolve or fail on it. A leg between two clients is told to
   * both, and again when the second of them has reported its suite.
   */
  leg: z.object({
    streamId: id,
    direction,
    state: z.enum(['allowed', 'refused']),
    /** null in a leg between clients. */
    suiteSeenByServer: suite.nullable(),
    /** Frame encryption inside SRTP. */
    frameLayer: frameLayer.nullable(),
    error: errorBody.nullable(),
    /** Of a leg between clients: who they are and what each said. */
    between: z
      .object({
        subscriberId: id,
        publisherId: id,
        suiteReportedBySubscriber: suite.nullable(),
        suiteReportedByPublisher: suite.nullable(),
      })
      .optional(),
  }),
  /** In a relayed session: another client subscribes to a stream of this one, or wants it otherwise than before. */
  peerSubscribed: z.object({ streamId: id, connectionId: id, wanted: peerWanted }),
  /** That client does not subscribe to it any more. Not told where its connection or the stream ends. */
  peerUnsubscribed: z.object({ streamId: id, connectionId: id }),
  /** From the client at the other end of a pair. */
  peerMessage: z.object({ connectionId: id, message: peerMessage }),
  /** A publisher added a track to a stream that this client subscribes to. */
  consumersAdded: z.object({ streamId: id, consumers: z.array(consumerOffer) }),
  /** The subscriber's picture goes or comes back by the server's bandwidth estimate; `warning` comes before. */
  subscriptionQuality: z.object({ streamId: id, video: z.enum(['on', 'warning', 'off']) }),
  /** Layers that now reach this subscriber; null: none. */
  layersChanged: z.object({
    streamId: id,
    spatial: z.number().int().nullable(),
    temporal: z.number().int().nullable(),
  }),
  /** Whether anybody wants a stream's packets; a publisher pauses its encoder when nobody does. */
  streamWanted: z.object({ streamId: id, audio: z.boolean(), video: z.boolean(), spatialMax: z.number().int() }),
  /**
   * A subscriber cannot decode the picture of this client's stream as it is. The publisher produces it again in one of
   * these (such as `video/VP8`), most wanted first; the new producer takes the place of the old, and subscribers get it
   * by `consumersAdded`. See docs/decisions/0004.
   */
  codecWanted: z.object({ streamId: id, mimeTypes: z.array(z.string().max(64)).min(1).max(8) }),
  /**
   * This client cannot decode the picture of a stream that it subscribes to, and gets the sound alone until
   * `consumersAdded` brings a picture that it can.
   */
  codecNotSupported: z.object({ streamId: id, mimeType: z.string().max(64) }),
  /** Connection ids, loudest first, and the levels in dBov (RFC 6464: 0 loudest, -127 silence). */
  speakers: z.object({ levels: z.array(z.object({ streamId: id, level: z.number() })) }),
  /** The platform's ICE servers with new credentials; those of the join, or of the event before, end soon. */
  iceServers: z.object({ iceServers: z.array(iceServer) }),
  /** The media of this client was lost: build transports, producers and consumers again. The session goes on. */
  mediaReset: z.object({ rtpCapabilities, why: z.string() }),
} as const;
export type EventName = keyof typeof events;
export type EventData<Name extends EventName> = z.output<(typeof events)[Name]>;

// ------------------------------------------------------------------------------------------------------------ frames

/** Frames that a client sends. */
export const clientFrame = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('hello'),
    version: z.number().int(),
    ticket: z.string().max(limits.ticketBytes),
    /** Whether it can encrypt frames towards other clients. */
    frames: z.boolean().default(false),
  }),
  z.object({
    type: z.literal('resume'),
    version: z.number().int(),
    connectionId: id,
    resumeKey: z.string().max(128),
    /** Number of the last event that the client has handled. */
    lastSeq: z.number().int().nonnegative(),
  }),
  z.object({
    type: z.literal('request'),
    id: z.number().int().positive(),
    method: z.string().max(64),
    data: z.unknown(),
  }),
  /** Events up to `seq`, and answers up to `answered`, have arrived. */
  z.object({
    type: z.literal('ack'),
    seq: z.number().int().nonnegative(),
    answered: z.number().int().nonnegative().optional(),
  }),
  z.object({ type: z.literal('ping') }),
]);
export type ClientFrame = z.infer<typeof clientFrame>;

const epoch = z.number().int().positive();

/** Frames that a server sends; each carries the epoch of the session's home. */
export const serverFrame = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('welcome'),
    epoch,
    connection: connectionShape,
    capabilities,
    resumeKey: z.string(),
    rtpCapabilities,
    mediaPolicy,
    /** Everybody and everything that is in the session already. */
    connections: z.array(connectionShape),
    streams: z.array(streamShape),
    /** Keys of those who may publish, in an end-to-end encrypted session. */
    frameKeys: z.array(events.frameKeyAnnounced),
    forceMuted: z.boolean(),
    /** Recordings that are under way. */
    archives: z.array(archiveShape),
    heartbeatSeconds: z.number(),
    resumeSeconds: z.number(),
  }),
  z.object({ type: z.literal('resumed'), epoch }),
  z.object({
    type: z.literal('answer'),
    epoch,
    id: z.number().int().positive(),
    data: z.unknown().optional(),
    error: errorBody.optional(),
  }),
  z.object({ type: z.literal('event'), epoch, seq: z.number().int().positive(), event: z.string(), data: z.unknown() }),
  z.object({ type: z.literal('pong'), epoch }),
  /** The last frame before the socket closes for good. */
  z.object({
    type: z.literal('close'),
    epoch,
    reason: z.enum(['clientDisconnected', 'forceDisconnected', 'networkDisconnected', 'stopping', 'refused']),
    error: errorBody.nullable(),
  }),
]);
export type ServerFrame = z.infer<typeof serverFrame>;
