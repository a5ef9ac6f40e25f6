/** SHA-256 (FIPS 180-4), and how digests are compared. */
import { createHash, timingSafeEqual } from 'node:crypto';

/** SHA-256 of all parts, 32 bytes. */
export function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** Whether two digests are the same, in a time that does not say where they differ. */
export function sameDigest(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
