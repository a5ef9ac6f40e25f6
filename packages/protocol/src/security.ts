/** The security record of a session: `GET /cloister/v1/projects/{apiKey}/sessions/{sessionId}/security`. */
import { z } from 'zod';
import { suites } from './suites.ts';

const suite = z.enum([...suites, 'unknown']);

/** What a project demands of media: the strongest both ends can do, or AES-256 and nothing below. */
export const mediaPolicy = z.enum(['prefer-aes256', 'require-aes256']);
export type MediaPolicy = z.infer<typeof mediaPolicy>;

/** One leg: one stream on its way from a client to the server (`send`) or from the server to a client (`receive`). */
export const leg = z.object({
  connectionId: z.string(),
  streamId: z.string(),
  direction: z.enum(['send', 'receive']),
  /** What the server's DTLS saw negotiated: this counts. */
  suiteSeenByServer: suite,
  /** What the client's getStats said; null until it has said something. */
  suiteReportedByClient: suite.nullable(),
  /** Both ends named the same suite; null until the client has reported. */
  agree: z.boolean().nullable(),
  /** Such as `DTLS 1.2`; null when the client did not report it. */
  dtlsVersion: z.string().nullable(),
  zone: z.string(),
  /** Whether media was let through, and if not, the code of the refusal. */
  state: z.enum(['allowed', 'refused']),
  /** The layer of frame encryption inside SRTP; null where there is none. */
  frameLayer: z.null(),
  /** Milliseconds since 1970, UTC. */
  connectedAt: z.number().int(),
  closedAt: z.number().int().nullable(),
});
export type Leg = z.infer<typeof leg>;

export const securityRecord = z.object({ policy: mediaPolicy, legs: z.array(leg) });
export type SecurityRecord = z.infer<typeof securityRecord>;
