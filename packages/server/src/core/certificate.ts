/**
 * Certificates of customers that archives are sealed to, from the text that came in a request (OpenTok; compat 3). One is a
 * place to carry a public key: nobody vouches for it, so its issuer and its uses are not looked at, but its times are kept.
 */
import { constants, createHash, type KeyObject, publicEncrypt, X509Certificate } from 'node:crypto';
import { limits, PlatformError } from '@cloister/protocol';

/** The format that a certificate is meant for: OpenTok takes RSA keys of 2048 bits only, our own longer ones too. */
export type SealFormat = 'opentok' | 'cloister';

/** A certificate that was checked. */
export interface Certificate {
  /** RSA. */
  readonly publicKey: KeyObject;
  /** Bits of the modulus. */
  readonly bits: number;
  /** SHA-256 of the certificate (DER), 64 hexadecimal digits in lower case: what `openssl x509 -fingerprint -sha256` shows. */
  readonly fingerprint: string;
  /** Milliseconds since 1970, both included. */
  readonly validFrom: number;
  readonly validTo: number;
  /** The certificate alone, as PEM in its usual form. */
  readonly pem: string;
}

const begin = '-----BEGIN CERTIFICATE-----';
const end = '-----END CERTIFICATE-----';

function refuse(why: string, cause?: unknown): never {
  throw new PlatformError('CertificateRefused', { why }, { cause });
}

/** PEM as it stands, with its line ends written as `\n`, or in base64 as a whole. */
function pemOf(text: string): string {
  const clean = text.trim();
  if (clean.includes('-----BEGIN ')) return clean.replaceAll('\\r', '').replaceAll('\\n', '\n');
  const base64 = clean.replace(/\s+/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) refuse('it is neither PEM nor base64 of a PEM file');
  const decoded = Buffer.from(base64, 'base64').toString('latin1').trim();
  return decoded.includes('-----BEGIN ') ? decoded : refuse('its base64 does not hold a PEM file');
}

function parse(pem: string): X509Certificate {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) {
    refuse('it holds a private key, which nobody but you should have; make a new pair and send its certificate alone');
  }
  const count = pem.split(begin).length - 1;
  if (count === 0) refuse('it is PEM of something else than a certificate');
  if (count > 1) refuse(`it holds ${count} certificates; send the one whose key is to be used`);
  const from = pem.indexOf(begin);
  const to = pem.indexOf(end, from);
  if (to < 0) refuse('it ends in the middle');
  try {
    return new X509Certificate(pem.slice(from, to + end.length));
  } catch (cause) {
    return refuse('it is not a certificate', cause);
  }
}

/** The key, where it is one that can be encrypted to. */
function keyOf(certificate: X509Certificate): { publicKey: KeyObject; bits: number } {
  let publicKey: KeyObject;
  try {
    publicKey = certificate.publicKey;
  } catch (cause) {
    return refuse('its key is of an unknown kind, not RSA', cause);
  }
  const kind = publicKey.asymmetricKeyType;
  if (kind !== 'rsa') refuse(`its key is ${kind ?? 'of an unknown kind'}, not RSA`);
  const { modulusLength: bits = 0, publicExponent = 0n } = publicKey.asymmetricKeyDetails ?? {};
  // With the exponent 1 encryption changes nothing.
  if (publicExponent < 3n || publicExponent % 2n === 0n) refuse(`its RSA exponent ${publicExponent} hides nothing`);
  return { publicKey, bits };
}

function checkBits(bits: number, format: SealFormat): void {
  const { certificateRsaBitsMin: least, certificateRsaBitsMax: most } = limits;
  if (format === 'opentok' && bits !== least) {
    refuse(`its RSA key has ${bits} bits; the format of OpenTok takes exactly ${least}`);
  }
  if (bits < least) refuse(`its RSA key has ${bits} bits; at least ${least} are needed`);
  if (bits > most) refuse(`its RSA key has ${bits} bits; at most ${most} are taken`);
}

/** A key may say what it is, and still not work: an even modulus, for one. */
function checkUse(publicKey: KeyObject): void {
  try {
    publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, Buffer.alloc(32));
  } catch (cause) {
    refuse('nothing can be encrypted with its key', cause);
  }
}

function checkTimes(from: number, to: number, now: number): void {
  if (now < from) refuse(`it is not valid before ${new Date(from).toISOString()}`);
  if (now > to) refuse(`it expired at ${new Date(to).toISOString()}`);
}

/**
 * Reads a certificate: PEM, PEM with its line ends as `\n`, or base64 of a PEM file (OpenTok's `certificate`).
 * @param text at most `certificateBytes`
 * @param now milliseconds since 1970
 * @throws PlatformError `CertificateRefused`; its `why` says what was wrong
 */
export function readCertificate(text: string, format: SealFormat, now: number): Certificate {
  const size = Buffer.byteLength(text);
  if (size > limits.certificateBytes) {
    refuse(`it has ${size} bytes; at most certificateBytes, ${limits.certificateBytes}, are taken`);
  }
  const certificate = parse(pemOf(text));
  const { publicKey, bits } = keyOf(certificate);
  checkBits(bits, format);
  const [validFrom, validTo] = [certificate.validFromDate.getTime(), certificate.validToDate.getTime()];
  if (Number.isNaN(validFrom) || Number.isNaN(validTo)) refuse('its times cannot be read');
  checkTimes(validFrom, validTo, now);
  checkUse(publicKey);
  return {
    publicKey,
    bits,
    fingerprint: digestOf(certificate),
    validFrom,
    validTo,
    pem: `${certificate.toString().trim()}\n`,
  };
}

/**
 * Reads the certificates of one archive: one for OpenTok's format, up to `archiveRecipients` for our own.
 * @throws PlatformError `CertificateRefused`; its `why` says which of several was wrong, counted from 1, and what with it
 */
export function readCertificates(texts: readonly string[], format: SealFormat, now: number): Certificate[] {
  const most = format === 'opentok' ? 1 : limits.archiveRecipients;
  if (texts.length === 0) refuse('there is none');
  if (texts.length > most) {
    refuse(
      format === 'opentok'
        ? `there are ${texts.length}; the format of OpenTok takes one`
        : `there are ${texts.length}; at most archiveRecipients, ${most}, are taken`,
    );
  }
  const read: Certificate[] = [];
  for (const [index, text] of texts.entries()) {
    const certificate =
      texts.length === 1 ? readCertificate(text, format, now) : readNumbered(texts, index, format, now);
    const same = read.findIndex(({ fingerprint }) => fingerprint === certificate.fingerprint);
    if (same >= 0) refuse(`number ${index + 1} of ${texts.length}: it is the same as number ${same + 1}`);
    read.push(certificate);
  }
  return read;
}

function readNumbered(texts: readonly string[], index: number, format: SealFormat, now: number): Certificate {
  try {
    return readCertificate(texts[index] as string, format, now);
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    return refuse(`number ${index + 1} of ${texts.length}: ${error.details.why}`, error);
  }
}

/** SHA-256 of a certificate that was read, as `Certificate` has it. @param pem its `pem` */
export function fingerprintOf(pem: string): string {
  return digestOf(new X509Certificate(pem));
}

function digestOf({ raw }: X509Certificate): string {
  return createHash('sha256').update(raw).digest('hex');
}
