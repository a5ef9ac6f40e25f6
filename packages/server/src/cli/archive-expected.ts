/** What an archive is held against: the digest that was given, or a manifest that the platform signed. */
import { createHash } from 'node:crypto';
import { type Expected, expectedBy, requireExpected, requireSize } from '../archive/index.ts';
import { type VerifiedManifest, verifyManifest } from '../keys/index.ts';
import type { ArchiveSource, SourceDeps } from './archive-source.ts';
import { badRequest } from './bad-request.ts';
import { readPlatformKeys, readSmall } from './small-text.ts';

/** The options that say it; at most one of the two ways. */
export interface ExpectedWords {
  readonly sha256: string | undefined;
  readonly manifest: string | undefined;
  readonly platformKeys: string | undefined;
}

/** What is expected, and who says so. */
export type Expectation = Expected & ({ readonly by: 'sha256' } | ({ readonly by: 'manifest' } & VerifiedManifest));

/** Base64, as the API gives it, or hexadecimal, as `sha256sum` writes it. */
function readDigest(text: string): Buffer {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex');
  if (/^[A-Za-z0-9+/]{43}=?$/.test(text)) return Buffer.from(text, 'base64');
  return badRequest('--sha256 is a SHA-256 in base64 or hexadecimal');
}

/**
 * What the words say, checked; null where they say nothing.
 * @throws PlatformError `BadRequest`; `ManifestRefused`, `ManifestKeyUnknown`
 */
export async function readExpectation(words: ExpectedWords, deps: SourceDeps): Promise<Expectation | null> {
  const { sha256, manifest: file, platformKeys } = words;
  if (file === undefined && platformKeys !== undefined) badRequest('--platform-keys goes with --manifest FILE');
  if (sha256 !== undefined) {
    if (file !== undefined) badRequest('give --sha256 or --manifest: the manifest has the SHA-256 in it');
    return { sha256: readDigest(sha256), sizeBytes: null, source: 'that was given', by: 'sha256' };
  }
  if (file === undefined) return null;
  if (platformKeys === undefined) {
    badRequest('--manifest needs --platform-keys FILE or URL: /cloister/v1/manifest-keys of the platform');
  }
  const text = await readSmall(file, 'manifest');
  const verified = verifyManifest(text, await readPlatformKeys(platformKeys, deps));
  return { ...expectedBy(verified.manifest), by: 'manifest', ...verified };
}

/** Reads a whole file and holds it against what is expected. @throws PlatformError `ArchiveCut`, `ArchiveChanged` */
export async function requireFile(source: ArchiveSource, expected: Expected): Promise<void> {
  if (source.size !== null) requireSize(source.size, expected.sizeBytes);
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const part of source.bytes()) {
    hash.update(part);
    sizeBytes += part.length;
  }
  requireExpected({ sizeBytes, sha256: hash.digest() }, expected);
}
