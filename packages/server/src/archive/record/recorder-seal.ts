/** The sealers of a recorder, for what the server ordered. */
import { randomBytes, X509Certificate } from 'node:crypto';
import { limits, PlatformError } from '@cloister/protocol';
import { createOpenTokSealer } from '../seal/opentok-seal.ts';
import { type SealedTo, toCertificates } from '../seal/recipients.ts';
import { createArchiveSealer, createArchiveSealerWith } from '../seal/sealed-archive.ts';
import { contentKeyBytes } from '../seal/sealed-chunks.ts';
import type { Sealer } from '../seal/sealer.ts';
import type { Seal, SeparateSeal } from './messages.ts';

export interface RecorderSealer {
  readonly sealer: Sealer;
  /** Of OpenTok's format; empty otherwise. */
  readonly password: string;
  /** The block that would end the file after what was given out so far; null where the format needs none. */
  closing(): Buffer | null;
}

/** The server has checked it; nothing is recorded where it is something else after all. */
export function sealedTo(pem: string): SealedTo {
  try {
    const { publicKey, fingerprint256 } = new X509Certificate(pem);
    return { publicKey, fingerprint: fingerprint256.replaceAll(':', '').toLowerCase() };
  } catch (cause) {
    throw new PlatformError('CertificateRefused', { why: 'it is not a certificate' }, { cause });
  }
}

/** A key that is for certificates is made here, and nobody else ever has it. @throws PlatformError `CertificateRefused` */
export async function createSealer(seal: Seal): Promise<RecorderSealer> {
  if (seal.format === 'opentok') {
    const sealer = createOpenTokSealer(sealedTo(seal.certificate));
    return { sealer, password: sealer.password, closing: () => sealer.closing() };
  }
  const sealer =
    seal.format === 'recipients'
      ? await createArchiveSealer(toCertificates(seal.certificates.map(sealedTo)))
      : createArchiveSealerWith(Buffer.from(seal.contentKey, 'base64'), seal.header);
  return { sealer, password: '', closing: () => null };
}

/** Sealers for the separate files of one archive. */
export interface FileSealers {
  /** For the file of this number; each is asked for once. @throws PlatformError `WrongState` after `wipe` */
  of(file: number): Sealer;
  /** Wipes the key of the archive: no other file of it follows. */
  wipe(): void;
}

/**
 * All files of an archive are sealed under its one content key. Each has a salt of its own, and so a key of its own; its
 * number stands in its header, which is part of that key, so that no file opens in another's place. A content key that is for
 * certificates is made here, and nobody else ever has it.
 * @throws PlatformError `CertificateRefused`
 */
export async function fileSealers(seal: SeparateSeal): Promise<FileSealers> {
  const made = seal.format === 'recipients';
  const contentKey = made ? randomBytes(contentKeyBytes) : Buffer.from(seal.contentKey, 'base64');
  const header = made ? await toCertificates(seal.certificates.map(sealedTo))(contentKey) : seal.header;
  let wiped = false;
  return {
    of(file) {
      if (wiped) throw new PlatformError('WrongState', { why: 'the key of this archive is wiped' });
      const key = Buffer.from(contentKey);
      return createArchiveSealerWith(key, { ...header, file }, randomBytes, limits.archiveFileChunkBytes);
    },
    wipe() {
      wiped = true;
      contentKey.fill(0);
    },
  };
}
