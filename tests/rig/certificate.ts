/** A certificate for an address, as an operator or the owner of a bucket would have one. */
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
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

/** A certificate as an authority of one's own signs it. */
export interface SignedCertificate extends AddressCertificate {
  /** In PEM: who trusts this trusts the certificate. */
  readonly authority: string;
}

/** @param names literal addresses and host names, all of which it is good for */
export function signedCertificateFor(...names: string[]): SignedCertificate {
  const folder = tempFolder('authority');
  const [authorityKey, authority] = [path.join(folder, 'ca.key'), path.join(folder, 'ca.pem')];
  const [key, certificate] = [path.join(folder, 'tls.key'), path.join(folder, 'tls.pem')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const made = ['-keyout', authorityKey, '-out', authority];
  command('openssl', 'req', '-x509', ...curve, '-subj', '/CN=Cloister test authority', ...made);
  const alternatives = names.map((name) => `${isIP(name) === 0 ? 'DNS' : 'IP'}:${name}`).join();
  const leaf = [
    '-addext',
    `subjectAltName=${alternatives}`,
    '-addext',
    'basicConstraints=critical,CA:FALSE',
    '-CA',
    authority,
    '-CAkey',
    authorityKey,
  ];
  command(
    'openssl',
    'req',
    '-x509',
    ...curve,
    '-subj',
    '/CN=Cloister test',
    ...leaf,
    '-keyout',
    key,
    '-out',
    certificate,
  );
  return { key, certificate, authority };
}

/** Has Chromium trust it, also where it is no page that is loaded. → an argument of the program */
export function chromiumTrusting({ certificate }: AddressCertificate): string {
  const { publicKey } = new X509Certificate(readFileSync(certificate));
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  return `--ignore-certificate-errors-spki-list=${createHash('sha256').update(spki).digest('base64')}`;
}

/** Has a profile of Firefox trust what an authority signs, also where it is no page that is loaded. */
export function firefoxTrusting({ authority }: SignedCertificate, profile: string): void {
  const store = ['-d', `sql:${profile}`];
  command('certutil', '-N', ...store, '--empty-password');
  command('certutil', '-A', ...store, '-n', 'Cloister test authority', '-t', 'C,,', '-i', authority);
}
