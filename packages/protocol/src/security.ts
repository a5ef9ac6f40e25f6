/**
 * The security record of a session: `GET /cloister/v1/projects/{apiKey}/sessions/{sessionId}/security`, and with the words
 * that it was made of, signed, under `…/security/signed`.
 */
import { z } from 'zod';
import { suites } from './suites.ts';

const suite = z.enum([...suites, 'unknown']);

/** What a project demands of media: the strongest both ends can do, or AES-256 and nothing below. */
export const mediaPolicy = z.enum(['prefer-aes256', 'require-aes256']);
export type MediaPolicy = z.infer<typeof mediaPolicy>;

/** Frame encryption inside SRTP, by the name of its suite in RFC 9605, section 8.1. */
export const frameLayer = z.enum(['AES_256_GCM_SHA512_128']);
export type FrameLayer = z.infer<typeof frameLayer>;

/** Whether one end of a pair can encrypt frames, and whether it was told that the other can. */
export const framesSaid = z.object({ own: z.boolean(), other: z.boolean() });
export type FramesSaid = z.infer<typeof framesSaid>;

/**
 * One leg: one stream on its way from a client to the server (`send`), from the server to a client (`receive`), or, where
 * `observedBy` is `clients`, from its publisher to one subscriber, whose `connectionId` it bears (`receive`).
 */
export const leg = z.object({
  connectionId: z.string(),
  streamId: z.string(),
  direction: z.enum(['send', 'receive']),
  /** Whose word the leg is: the server's, whose DTLS took part, or that of the two clients between whom it runs. */
  observedBy: z.enum(['server', 'clients']),
  /** The client at the other end of a leg between clients; null where that is the server. */
  peerConnectionId: z.string().nullable(),
  /** What the server's DTLS saw negotiated: this counts. null in legs between clients, where it sees nothing. */
  suiteSeenByServer: suite.nullable(),
  /** What the client's getStats said; null until it has said something. */
  suiteReportedByClient: suite.nullable(),
  /** What the client at the other end said; null until it has, and where the other end is the server. */
  suiteReportedByPeer: suite.nullable(),
  /** Both ends named the same suite; null until the client has reported. */
  agree: z.boolean().nullable(),
  /** Such as `DTLS 1.2`; null when the client did not report it. */
  dtlsVersion: z.string().nullable(),
  zone: z.string(),
  /** Whether media was let through, and if not, the code of the refusal. */
  state: z.enum(['allowed', 'refused']),
  /** The layer of frame encryption inside SRTP, as the clients announced it; null where there is none. */
  frameLayer: frameLayer.nullable(),
  /** In legs between clients: what each end says of frame encryption. Where one can and the other was told that it cannot, somebody lied. */
  framesSaidByClient: framesSaid.nullable(),
  framesSaidByPeer: framesSaid.nullable(),
  /** Milliseconds since 1970, UTC. */
  connectedAt: z.number().int(),
  closedAt: z.number().int().nullable(),
});
export type Leg = z.infer<typeof leg>;

/** One word on a leg, as it came. The same word again is none. */
export const legWord = z.object({
  /** When it came. Milliseconds since 1970, UTC. */
  at: z.number().int(),
  /** The server, of what its DTLS saw; the client that the leg bears; or, between clients, the one at the other end. */
  end: z.enum(['server', 'client', 'peer']),
  /** Of that client; null for the server. */
  connectionId: z.string().nullable(),
  /** Between clients: of which connection of the pair, counted from 1; null on legs to the server. */
  build: z.number().int().positive().nullable(),
  suite,
  dtlsVersion: z.string().nullable(),
  /** What it says of frame encryption; null where it says that there is none, and on legs to the server. */
  frameLayer: frameLayer.nullable(),
  frames: framesSaid.nullable(),
  /** Words of the same end that came before this one and are not kept: see `wordsPerLeg`. */
  leftOut: z.number().int().nonnegative(),
});
export type LegWord = z.infer<typeof legWord>;

export const securityRecord = z.object({ policy: mediaPolicy, legs: z.array(leg) });
export type SecurityRecord = z.infer<typeof securityRecord>;

/** What the platform signs of a session. */
export const signedSecurityRecord = z
  .object({
    type: z.literal('cloister-security-record'),
    version: z.literal(1),
    projectId: z.string(),
    sessionId: z.string(),
    mediaMode: z.enum(['routed', 'relayed']),
    policy: mediaPolicy,
    zone: z.string(),
    legs: z.array(leg),
    /** The words on each leg, in the order of `legs` and, for each, in the order in which they came. */
    transcript: z.array(z.array(legWord)),
    /** Milliseconds since 1970, UTC. */
    signedAt: z.number().int(),
  })
  .refine(({ legs, transcript }) => legs.length === transcript.length, 'the transcript is of other legs');
export type SignedSecurityRecord = z.infer<typeof signedSecurityRecord>;
