/**
 * What the platform signs for others to keep, and how anybody checks it without the platform: manifests of archives
 * (`core/manifest.ts`) and security records of sessions (`core/security-record.ts`). Each is a compact JWS (RFC 7515) with
 * EdDSA; the keys of a platform are a JWK set (RFC 7517). One key signs both, and `type` says which it is.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { type ErrorCode, PlatformError, type SignedSecurityRecord, signedSecurityRecord } from '@cloister/protocol';
import { z } from 'zod';
import type { Manifest } from '../core/index.ts';
import { verifyClaims } from './signature.ts';

/** A manifest whose signature was checked. */
export interface VerifiedManifest {
  readonly manifest: Manifest;
  /** Of the key that signed it. */
  readonly keyId: string;
}

/** A security record whose signature was checked. */
export interface VerifiedSecurityRecord {
  readonly record: SignedSecurityRecord;
  /** Of the key that signed it. */
  readonly keyId: string;
}

/** One kind of statement. */
interface Kind<Claims> {
  /** For messages. */
  readonly name: string;
  readonly type: string;
  /** What a later version of the platform adds is no reason to refuse it. */
  readonly claims: z.ZodType<Claims>;
  readonly refused: ErrorCode;
  readonly keyUnknown: ErrorCode;
}

const hex = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.number().int().nonnegative();
const manifest: Kind<Manifest> = {
  name: 'manifest',
  type: 'cloister-archive-manifest',
  claims: z.object({
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
  }),
  refused: 'ManifestRefused',
  keyUnknown: 'ManifestKeyUnknown',
};
const securityRecord: Kind<SignedSecurityRecord> = {
  name: 'security record',
  type: 'cloister-security-record',
  claims: signedSecurityRecord,
  refused: 'SecurityRecordRefused',
  keyUnknown: 'SecurityRecordKeyUnknown',
};

/**
 * Checks the signature of a manifest.
 * @param text as the API gives it
 * @param platformKeys a JWK set
 * @throws PlatformError `ManifestRefused`, `ManifestKeyUnknown`; `BadRequest` where the keys are none
 */
export function verifyManifest(text: string, platformKeys: string): VerifiedManifest {
  const { claims, keyId } = verify(manifest, text, platformKeys);
  return { manifest: claims, keyId };
}

/**
 * Checks the signature of a security record.
 * @param text as the API gives it
 * @param platformKeys a JWK set
 * @throws PlatformError `SecurityRecordRefused`, `SecurityRecordKeyUnknown`; `BadRequest` where the keys are none
 */
export function verifySecurityRecord(text: string, platformKeys: string): VerifiedSecurityRecord {
  const { claims, keyId } = verify(securityRecord, text, platformKeys);
  return { record: claims, keyId };
}

/** 64 bytes of Ed25519 in base64url. A text that was cut has fewer at its end. */
const signatureChars = 86;

function verify<Claims>(kind: Kind<Claims>, text: string, platformKeys: string): { claims: Claims; keyId: string } {
  const refuse = (why: string, cause?: unknown): never => {
    throw new PlatformError(kind.refused, { why }, { cause });
  };
  const keyOf = readKeySet(platformKeys);
  const jws = text.trim();
  // No pattern over the whole: of a text of many megabytes it would take more stack than there is.
  const parts = jws.split('.');
  if (parts.length !== 3 || parts[2]?.length !== signatureChars) refuse('it is no JWS in its compact form, or is cut');
  let keyId: string | null = null;
  const signed = verifyClaims(jws, (named) => {
    keyId = named;
    const key = keyOf(named);
    if (!key) throw new PlatformError(kind.keyUnknown, { keyId: named });
    return key;
  });
  if (keyId === null) return refuse('it does not name an Ed25519 key');
  if (!signed) return refuse('it was changed after it was signed, or signed by somebody else');
  if (signed.type !== kind.type && typeof signed.type === 'string') {
    return refuse(`what was signed is a ${signed.type}, and no ${kind.name}`);
  }
  const parsed = kind.claims.safeParse(signed);
  if (!parsed.success) return refuse(`what was signed is no ${kind.name} that this version knows`, parsed.error);
  return { claims: parsed.data, keyId };
}

const keySet = z.object({ keys: z.array(z.record(z.string(), z.unknown())) });

/** Finds a key by its name. @throws PlatformError `BadRequest` where the text is no JWK set, or the key that is wanted is none */
function readKeySet(text: string): (keyId: string) => KeyObject | null {
  const noKeys = (cause: unknown): never => {
    throw new PlatformError('BadRequest', { why: 'the keys of the platform are no JWK set (RFC 7517)' }, { cause });
  };
  let keys: Record<string, unknown>[];
  try {
    ({ keys } = keySet.parse(JSON.parse(text)));
  } catch (cause) {
    return noKeys(cause);
  }
  return (keyId) => {
    const key = keys.find(({ kid, kty, crv }) => kid === keyId && kty === 'OKP' && crv === 'Ed25519');
    if (!key) return null;
    try {
      return createPublicKey({ key, format: 'jwk' });
    } catch (cause) {
      return noKeys(cause);
    }
  };
}
