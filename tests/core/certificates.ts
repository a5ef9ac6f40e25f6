/** Certificates for tests of sealed archives. */
// @peculiar/x509 needs the metadata polyfill before it loads.
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

const day = 24 * 3600 * 1000;

/** A self-signed certificate in PEM. `kind` is the bits of an RSA key, or an elliptic curve. */
export async function makeCertificate(
  kind: number | 'P-256',
  { from = Date.now() - day, until = Date.now() + 3650 * day }: { from?: number; until?: number } = {},
): Promise<string> {
  const algorithm =
    kind === 'P-256'
      ? { name: 'ECDSA', namedCurve: kind, hash: 'SHA-256' }
      : {
          name: 'RSASSA-PKCS1-v1_5',
          modulusLength: kind,
          publicExponent: new Uint8Array([1, 0, 1]),
          hash: 'SHA-256',
        };
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: 'CN=archives',
    notBefore: new Date(from),
    notAfter: new Date(until),
    keys: (await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as CryptoKeyPair,
    signingAlgorithm: algorithm,
  });
  return `${certificate.toString('pem').trim()}\n`;
}
