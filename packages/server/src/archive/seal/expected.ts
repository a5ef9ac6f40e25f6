/** Whether a file is the one that was recorded: by a manifest (`core/manifest.ts`), or by a digest that somebody kept. */
import { PlatformError } from '@cloister/protocol';
import type { Manifest } from '../../core/index.ts';
import { sameDigest } from './digest.ts';

/** What a file has to be, as it was stored. */
export interface Expected {
  /** 32 bytes. */
  readonly sha256: Buffer;
  /** Null where nobody said. */
  readonly sizeBytes: number | null;
  /** Who says so, for messages: `… is not the one ${source}`. */
  readonly source: string;
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
