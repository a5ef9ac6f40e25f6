/**
 * Who may open a sealed archive: its content key, wrapped into the JSON header of the file. For customers that is a JWE
 * (RFC 7516, general JSON serialization) to the keys of their certificates; for the platform's own storage, text that
 * the project's data key sealed. Another way is another pair of these functions.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { limits, PlatformError } from '@cloister/protocol';
import { flattenedDecrypt, GeneralEncrypt } from 'jose';
import { z } from 'zod';
import type { Certificate } from '../../core/index.ts';
import { sha256 } from './digest.ts';
import { contentKeyBytes } from './sealed-chunks.ts';

/** Wraps a content key of 32 bytes. What it gives becomes the header of the file, as JSON. */
export type WrapKey = (contentKey: Buffer) => Promise<object>;

/**
 * Gets the content key out of a header. The header was read as JSON, and nothing else is known of it.
 * @throws PlatformError `ArchiveKeyWrong`, `ArchiveChanged`, `ArchiveUnreadable`
 */
export type UnwrapKey = (header: unknown) => Promise<Buffer>;

/** Whom an archive is sealed to: what of a certificate is needed for it. */
export type SealedTo = Pick<Certificate, 'publicKey' | 'fingerprint'>;

const alg = 'RSA-OAEP-256';
const enc = 'A256GCM';
const typ = 'cloister-archive';

const text = z.string().max(limits.sealedHeaderBytes);
const jweHeader = z.object({
  protected: text,
  recipients: z
    .array(z.object({ header: z.object({ alg: text, kid: text.optional() }).loose(), encrypted_key: text }))
    .min(1)
    .max(limits.archiveRecipients),
  iv: text,
  ciphertext: text,
  tag: text,
});
type JweHeader = z.infer<typeof jweHeader>;
type Recipient = JweHeader['recipients'][number];

function unreadable(why: string): never {
  throw new PlatformError('ArchiveUnreadable', { why });
}

/** SHA-256 of a public RSA key (DER, SubjectPublicKeyInfo), base64url: who has the private key can work it out too. */
function keyIdOf(publicKey: KeyObject): string {
  return sha256(publicKey.export({ type: 'spki', format: 'der' })).toString('base64url');
}

/**
 * Wraps to one or several certificates; the holder of any of their keys opens the archive.
 * @param certificates from 1 to `archiveRecipients`
 * @throws PlatformError `LimitReached` for more, `CertificateRefused` for none
 */
export function toCertificates(certificates: readonly SealedTo[]): WrapKey {
  if (certificates.length === 0) throw new PlatformError('CertificateRefused', { why: 'there is none' });
  if (certificates.length > limits.archiveRecipients) {
    throw new PlatformError('LimitReached', { limit: 'archiveRecipients', value: limits.archiveRecipients });
  }
  return (contentKey) => {
    const jwe = new GeneralEncrypt(contentKey).setProtectedHeader({ enc, typ });
    for (const { publicKey, fingerprint } of certificates) {
      const x5t = Buffer.from(fingerprint, 'hex').toString('base64url');
      jwe.addRecipient(publicKey).setUnprotectedHeader({ alg, kid: keyIdOf(publicKey), 'x5t#S256': x5t });
    }
    return jwe.encrypt();
  };
}

/** The content key by way of one recipient, or null when the key is not theirs or the header was changed. */
async function unwrapAs(recipient: Recipient, header: JweHeader, privateKey: KeyObject): Promise<Buffer | null> {
  const { protected: head, iv, ciphertext, tag } = header;
  const flat = {
    protected: head,
    iv,
    ciphertext,
    tag,
    header: recipient.header,
    encrypted_key: recipient.encrypted_key,
  };
  try {
    const options = { keyManagementAlgorithms: [alg], contentEncryptionAlgorithms: [enc] };
    const { plaintext } = await flattenedDecrypt(flat as Parameters<typeof flattenedDecrypt>[0], privateKey, options);
    return plaintext.length === contentKeyBytes ? Buffer.from(plaintext) : null;
  } catch {
    return null;
  }
}

/** The base64url SHA-256 fingerprints of the certificates that a header names, for a message. */
function named(recipients: readonly Recipient[]): string {
  const prints = recipients.map(({ header }) => header['x5t#S256']).filter((each) => typeof each === 'string');
  const hex = prints.map((print) => Buffer.from(print, 'base64url').toString('hex').slice(0, 64));
  return hex.length === 0 ? 'another key' : `the certificate with the SHA-256 fingerprint ${hex.join(' or ')}`;
}

/**
 * Opens what `toCertificates` wrapped, with the private key of one of them.
 * @throws PlatformError `ArchiveKeyWrong` when it is an RSA key of too few bits or none
 */
export function byPrivateKey(privateKey: KeyObject): UnwrapKey {
  const bits = privateKey.asymmetricKeyDetails?.modulusLength ?? 0;
  if (privateKey.type !== 'private' || privateKey.asymmetricKeyType !== 'rsa' || bits < limits.certificateRsaBitsMin) {
    throw new PlatformError('ArchiveKeyWrong', {
      why: `it is not a private RSA key of ${limits.certificateRsaBitsMin} bits or more`,
    });
  }
  const own = keyIdOf(createPublicKey(privateKey));
  return async (json) => {
    const parsed = jweHeader.safeParse(json);
    if (!parsed.success) unreadable('its header is not one for certificates');
    const header = parsed.data;
    // Theirs first; then the others, since the name of a recipient is the one thing here that anybody may change.
    const mine = header.recipients.filter(({ header: { kid } }) => kid === own);
    const others = header.recipients.filter((each) => !mine.includes(each));
    for (const recipient of [...mine, ...others]) {
      const contentKey = await unwrapAs(recipient, header, privateKey);
      if (contentKey) return contentKey;
    }
    if (mine.length > 0) throw new PlatformError('ArchiveChanged', { why: 'the wrapped key in its header' });
    throw new PlatformError('ArchiveKeyWrong', { why: `it is sealed to ${named(header.recipients)}` });
  };
}

const sealedHeader = z.strictObject({ sealed: text });

/**
 * Wraps with a function of the platform, such as the one that seals values with the project's data key.
 * @param seal takes the content key in base64url and gives text that says nothing about it
 */
export function toPlatform(seal: (clear: string) => string | Promise<string>): WrapKey {
  return async (contentKey) => ({ sealed: await seal(contentKey.toString('base64url')) });
}

/**
 * Opens what `toPlatform` wrapped.
 * @param open the counterpart of its `seal`; what it throws, this throws
 */
export function byPlatform(open: (sealed: string) => string | Promise<string>): UnwrapKey {
  return async (json) => {
    const parsed = sealedHeader.safeParse(json);
    if (!parsed.success) unreadable("its header is not one of the platform's own storage");
    const contentKey = Buffer.from(await open(parsed.data.sealed), 'base64url');
    return contentKey.length === contentKeyBytes ? contentKey : unreadable('its header holds no content key');
  };
}
