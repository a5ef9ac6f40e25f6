/**
 * The manifest of an archive: what was recorded and the digest of its file, signed by the platform when the archive has
 * ended. Whoever has it and the platform's public keys can tell whether a file is the one that was recorded, also where
 * its format does not say.
 */
import { fileNameOf } from './archive.ts';
import { fingerprintOf } from './certificate.ts';
import type { Archive } from './entities.ts';
import type { Keys } from './ports.ts';

/** What is signed. Times are milliseconds since 1970; `keys/statement.ts` reads it again. */
export interface Manifest {
  readonly type: 'cloister-archive-manifest';
  readonly version: 1;
  readonly archiveId: string;
  readonly projectId: string;
  readonly sessionId: string;
  readonly status: 'available' | 'uploaded' | 'failed';
  /** Why it ended; constant words. */
  readonly reason: string;
  readonly outputMode: Archive['outputMode'];
  /** `clear`: it is sealed with a key of the platform's, and a download gives it in clear. */
  readonly format: 'opentok' | 'cloister' | 'clear';
  readonly fileName: string;
  /** Of what is stored with a customer, or downloaded. */
  readonly sizeBytes: number;
  /** The same; lower-case hexadecimal. */
  readonly sha256: string;
  /** SHA-256 of each certificate (DER), lower-case hexadecimal. */
  readonly certificateSha256: readonly string[];
  readonly startedAt: number;
  /** Null where the server ended before the recording did: nobody saw when. */
  readonly stoppedAt: number | null;
  /** Of the recording, without its pauses. */
  readonly durationMs: number;
  readonly signedAt: number;
}

/**
 * The archive with its manifest, where it has ended and has a file to vouch for; otherwise as it is. It is signed once.
 * @param stoppedAt when recording stopped; null where nobody saw it
 */
export function withManifest(keys: Pick<Keys, 'sign'>, archive: Archive, stoppedAt: number | null): Archive {
  const { status, sha256, manifest } = archive;
  const ended = status === 'available' || status === 'uploaded' || status === 'failed';
  if (!ended || sha256 === '' || manifest !== '') return archive;
  return { ...archive, manifest: keys.sign('manifest', { ...manifestOf(archive, status, stoppedAt) }) };
}

function manifestOf(archive: Archive, status: Manifest['status'], stoppedAt: number | null): Manifest {
  const { certificate, recipients, createdAt } = archive;
  const certificates = certificate === null ? recipients : [certificate];
  return {
    type: 'cloister-archive-manifest',
    version: 1,
    archiveId: archive.id,
    projectId: archive.projectId,
    sessionId: archive.sessionId,
    status,
    reason: archive.reason,
    outputMode: archive.outputMode,
    format: certificate !== null ? 'opentok' : recipients.length > 0 ? 'cloister' : 'clear',
    fileName: fileNameOf(archive),
    sizeBytes: archive.sizeBytes,
    sha256: Buffer.from(archive.sha256, 'base64').toString('hex'),
    certificateSha256: certificates.map(fingerprintOf),
    startedAt: archive.beganAt ?? createdAt,
    stoppedAt,
    durationMs: archive.durationMs,
    signedAt: archive.updatedAt,
  };
}
