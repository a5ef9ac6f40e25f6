/** The sealers of a recorder, for what the server ordered. */
import { randomBytes } from 'node:crypto';
import { limits } from '@cloister/protocol';
import { type Certificate, readCertificate } from './certificate.ts';
import type { Seal } from './messages.ts';
import { createOpenTokSealer } from './opentok-seal.ts';
import { createArchiveSealerWith } from './sealed-archive.ts';
import type { Sealer } from './sealer.ts';

export interface RecorderSealer {
  readonly sealer: Sealer;
  /** Of OpenTok's format; empty otherwise. */
  readonly password: string;
  /** The block that would end the file after what was given out so far; null where the format needs none. */
  closing(): Buffer | null;
}

/** @param now in milliseconds since 1970, for the certificate's validity. @throws PlatformError `CertificateRefused` */
export function createSealer(seal: Seal, now: number): RecorderSealer {
  if (seal.format === 'cloister') {
    const sealer = createArchiveSealerWith(Buffer.from(seal.contentKey, 'base64'), seal.header);
    return { sealer, password: '', closing: () => null };
  }
  const certificate: Certificate = readCertificate(seal.certificate, 'opentok', now);
  const sealer = createOpenTokSealer(certificate);
  return { sealer, password: sealer.password, closing: () => sealer.closing() };
}

/**
 * Sealers for the separate files of one archive, under its one content key. Each file has a salt of its own, and so a key of
 * its own; its number stands in its header, which is part of that key, so that no file opens in another's place.
 */
export function fileSealers({ contentKey, header }: Extract<Seal, { format: 'cloister' }>): (file: number) => Sealer {
  return (file) => {
    const key = Buffer.from(contentKey, 'base64');
    return createArchiveSealerWith(key, { ...header, file }, randomBytes, limits.archiveFileChunkBytes);
  };
}
