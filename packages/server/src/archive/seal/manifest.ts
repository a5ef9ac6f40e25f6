/**
 * Checks manifests (`core/manifest.ts` makes them), and files against them. A manifest is a compact JWS (RFC 7515) with
 * EdDSA; the keys of a platform are a JWK set (RFC 7517).
 */
import { PlatformError } from '@cloister/protocol';
import { compactVerify, createLocalJWKSet, decodeProtectedHeader, errors, type JSONWebKeySet } from 'jose';
import { z } from 'zod';
import type { Manifest } from '../../core/index.ts';
import { sameDigest } from './digest.ts';

/** A manifest whose signature was checked. */
export interface VerifiedManifest {
  readonly manifest: Manifest;
  /** Of the key that signed it. */
  readonly keyId: string;
}

/** What a file has to be, as it was stored. */
export interface Expected {
  /** 32 bytes. */
  readonly sha256: Buffer;
  /** Null where nobody said. */
  readonly sizeBytes: number | null;
  /** Who says so, for messages: `… is not the one ${source}`. */
  readonly source: string;
}

const hex = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.number().int().nonnegative();
/** What a later version of the platform adds is no reason to refuse a manifest. */
const claims: z.ZodType<Manifest> = z.object({
  type: z.literal('cloister-archive-manifest'),
  version: z.literal(1),
  archiveId: z.string(),
  projectId: z.string(),
  sessionId: z.string(),
  status: z.enum(['available', 'uploaded', 'failed']),
  reason: z.string(),
  outputMode: z.enum(['composed', 'individual']),
  format: z.enum(['opentok', 'cloister', 'clear']),
  fileName: z.string(),
  sizeBytes: count,
  sha256: hex,
  certificateSha256: z.array(hex),
  startedAt: count,
  stoppedAt: count.nullable(),
  durationMs: z.number().nonnegative(),
  signedAt: count,
});

function refuse(why: string, cause?: unknown): never {
  throw new PlatformError('ManifestRefused', { why }, { cause });
}

function keySetOf(text: string): JSONWebKeySet {
  try {
    const set = JSON.parse(text) as JSONWebKeySet;
    createLocalJWKSet(set);
    return set;
  } catch (cause) {
    throw new PlatformError('BadRequest', { why: 'the keys of the platform are no JWK set (RFC 7517)' }, { cause });
  }
}

function keyIdOf(jws: string): string {
  try {
    const { alg, kid } = decodeProtectedHeader(jws);
    if (alg === 'EdDSA' && typeof kid === 'string') return kid;
  } catch (cause) {
    refuse('it is no JWS in its compact form', cause);
  }
  return refuse('it does not name an Ed25519 key');
}

/**
 * Checks the signature of a manifest.
 * @param text as the API gives it
 * @param platformKeys a JWK set
 * @throws PlatformError `ManifestRefused`, `ManifestKeyUnknown`; `BadRequest` where the keys are none
 */
export async function verifyManifest(text: string, platformKeys: string): Promise<VerifiedManifest> {
  const keySet = keySetOf(platformKeys);
  const jws = text.trim();
  const keyId = keyIdOf(jws);
  let payload: Uint8Array;
  try {
    ({ payload } = await compactVerify(jws, createLocalJWKSet(keySet), { algorithms: ['EdDSA'] }));
  } catch (cause) {
    if (cause instanceof errors.JWKSNoMatchingKey) throw new PlatformError('ManifestKeyUnknown', { keyId }, { cause });
    return refuse('it was changed after it was signed, or signed by somebody else', cause);
  }
  const parsed = claims.safeParse(jsonOf(payload));
  if (!parsed.success) refuse('what was signed is no manifest that this version knows', parsed.error);
  return { manifest: parsed.data, keyId };
}

function jsonOf(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(payload));
  } catch {
    return null;
  }
}

/** What a manifest says of the file. */
export function expectedBy({ sha256, sizeBytes }: Manifest): Expected {
  return { sha256: Buffer.from(sha256, 'hex'), sizeBytes, source: 'of the manifest' };
}

/** @throws PlatformError `ArchiveCut` where bytes are missing, `ArchiveChanged` where it is another file */
export function requireExpected(
  found: { readonly sizeBytes: number; readonly sha256: Buffer },
  { sizeBytes, sha256, source }: Expected,
): void {
  requireSize(found.sizeBytes, sizeBytes);
  if (sameDigest(found.sha256, sha256)) return;
  throw new PlatformError('ArchiveChanged', { why: `its SHA-256 is not the one ${source}` });
}

/** The same, of the size alone. */
export function requireSize(found: number, wanted: number | null): void {
  if (wanted === null || found === wanted) return;
  if (found < wanted) throw new PlatformError('ArchiveCut', { why: `it has ${found} of ${wanted} bytes` });
  throw new PlatformError('ArchiveChanged', { why: `it has ${found} bytes, and ${wanted} were recorded` });
}
