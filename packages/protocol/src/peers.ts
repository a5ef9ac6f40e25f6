/**
 * What two clients of a relayed session say to each other. The server passes it on between the two ends of a pair, which
 * are two connections of which one subscribes to a stream of the other; it checks sizes and nothing else.
 */
import { z } from 'zod';
import { limits } from './limits.ts';
import { frameLayer, framesSaid } from './security.ts';
import { suites } from './suites.ts';

const mid = z.string().max(32);

/** Which track of which stream an m-section of the sender's description carries. */
export const peerTrack = z.object({
  mid,
  streamId: z.string().min(1).max(128),
  kind: z.enum(['audio', 'video']),
  /** Of sound: its receiver decodes two channels, which it has to say itself (RFC 7587, section 6.1). */
  stereo: z.boolean().optional(),
});
export type PeerTrack = z.infer<typeof peerTrack>;

/**
 * `build` counts the connections of the pair. A message of a higher one makes its reader drop the connection that it has
 * and begin anew; one of a lower one is of a connection that is gone.
 */
const build = z.number().int().positive().max(Number.MAX_SAFE_INTEGER);

export const peerMessage = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('description'),
    build,
    type: z.enum(['offer', 'answer']),
    /** SDP (RFC 8866). */
    sdp: z.string().max(limits.peerDescriptionChars),
    /** What its sender sends. */
    tracks: z.array(peerTrack).max(limits.peerTracks),
  }),
  /** A candidate as RFC 8839, section 5.1 writes it; '' after the last. */
  z.object({
    kind: z.literal('candidate'),
    build,
    candidate: z.string().max(limits.peerCandidateChars),
    sdpMid: mid.nullable(),
    sdpMLineIndex: z.number().int().min(0).max(65_535).nullable(),
    usernameFragment: z.string().max(256).nullable(),
  }),
  z.object({
    kind: z.literal('frameKey'),
    build,
    /** Of the connection that it is for, as its sender describes it (RFC 8122); the latest counts. */
    fingerprint: z.string().max(limits.peerFingerprintChars),
    /** Of frame encryption: a fresh ECDH key, an uncompressed point of P-384 in base64url; null where its sender cannot encrypt frames. */
    publicKey: z
      .string()
      .regex(/^[\w-]{130}$/)
      .nullable(),
  }),
  /** That its sender has the keys that both must have, in base64url. */
  z.object({ kind: z.literal('frameProof'), build, proof: z.string().regex(/^[\w-]{43}$/) }),
  /** Its sender has ended the pair, since the two have no keys for frames in common: the other ends it too, and neither builds it anew. */
  z.object({ kind: z.literal('frameRefused'), build }),
  /** The connection stays broken: both build anew. */
  z.object({ kind: z.literal('anew'), build }),
]);
export type PeerMessage = z.infer<typeof peerMessage>;

/** What a subscriber wants of a stream: its publisher sends nothing else. */
export const peerWanted = z.object({
  audio: z.boolean(),
  video: z.boolean(),
  /** No larger and no faster than that; null: as it is. */
  preferred: z
    .object({
      width: z.number().int().positive().optional(),
      height: z.number().int().positive().optional(),
      frameRate: z.number().positive().optional(),
    })
    .nullable(),
});
export type PeerWanted = z.infer<typeof peerWanted>;

/** One end's word on the DTLS-SRTP of its pair. */
export const peerReport = z.object({
  build,
  suite: z.enum([...suites, 'unknown']),
  dtlsVersion: z.string().max(32).nullable(),
  /** Frame encryption inside, as this end agreed on it. */
  frameLayer: frameLayer.nullable(),
  frames: framesSaid,
});
export type PeerReport = z.infer<typeof peerReport>;
