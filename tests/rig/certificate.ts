/** A certificate for an address, as an operator or the owner of a bucket would have one. */
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { command, tempFolder } from './cleanup.ts';

/** Files in PEM. Whoever is to trust the certificate trusts it by itself: nobody signed it. */
export interface AddressCertificate {
  readonly key: string;
  readonly certificate: string;
}

/** @param addresses literal ones, all of which it is good for */
export function certificateFor(...addresses: string[]): AddressCertificate {
  const folder = tempFolder('certificate');
  const [key, certificate] = [path.join(folder, 'tls.key'), path.join(folder, 'tls.pem')];
  const names = addresses.map((address) => `IP:${address}`).join();
  const subject = ['-subj', '/CN=Cloister test', '-addext', `subjectAltName=${names}`];
  const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', certificate];
  command('openssl', 'req', '-x509', '-days', '2', ...subject, ...made);
  return { key, certificate };
}

/** Has Chromium trust it, also where it is no page that is loaded. → an argument of the program */
export function chromiumTrusting({ certificate }: AddressCertificate): string {
  const { publicKey } = new X509Certificate(readFileSync(certificate));
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  return `--ignore-certificate-errors-spki-list=${createHash('sha256').update(spki).digest('base64')}`;
}
