/** Certificates that archives are sealed to (OpenTok; compat 3): X.509 with an RSA key, in PEM. */
import { createHash, X509Certificate } from 'node:crypto';
import { limits, PlatformError } from '@cloister/protocol';

const block = /^-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n?$/;

/**
 * Reads a certificate as it came: in PEM, with line breaks of either kind, or as base64 of a whole PEM file.
 * @param now milliseconds since 1970
 * @returns it in PEM
 * @throws PlatformError `CertificateInvalid`
 */
export function readCertificate(text: string, now: number): string {
  if (text.length > limits.certificateChars) throw invalid(`it is longer than ${limits.certificateChars} characters`);
  const clear = text.trimStart().startsWith('-----') ? text : Buffer.from(text, 'base64').toString('latin1');
  if (/PRIVATE KEY/.test(clear)) throw invalid('it holds a private key, which must stay with you');
  // Text before the block is what `openssl x509 -text` writes.
  const from = clear.indexOf('-----BEGIN CERTIFICATE-----');
  if (from === -1) throw invalid('it is neither PEM nor base64 of PEM');
  const pem = `${clear
    .slice(from)
    .replace(/\r\n?|\\n/g, '\n')
    .trim()}\n`;
  if (!block.test(pem)) throw invalid('it is not one certificate in PEM');
  requireUsable(pem, now);
  return pem;
}

/** @throws PlatformError `CertificateInvalid` for one that is not valid now, or whose key archives cannot be sealed to */
export function requireUsable(pem: string, now: number): void {
  const certificate = parsed(pem);
  const key = publicKeyOf(certificate);
  if (key.asymmetricKeyType !== 'rsa') throw invalid('its key is not RSA');
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (bits !== limits.certificateKeyBits) throw invalid(`its key has ${bits} bits, not ${limits.certificateKeyBits}`);
  if (certificate.validFromDate.getTime() > now) throw invalid(`it is valid from ${certificate.validFrom} on`);
  if (certificate.validToDate.getTime() <= now) throw invalid(`it expired on ${certificate.validTo}`);
}

/** SHA-256 of its DER, in lower-case hexadecimal. */
export function fingerprintOf(pem: string): string {
  return createHash('sha256').update(parsed(pem).raw).digest('hex');
}

function parsed(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw invalid('it is not an X.509 certificate');
  }
}

function publicKeyOf(certificate: X509Certificate) {
  try {
    return certificate.publicKey;
  } catch {
    throw invalid('its key cannot be read');
  }
}

function invalid(why: string): PlatformError {
  return new PlatformError('CertificateInvalid', { why });
}
