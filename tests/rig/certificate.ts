/** A certificate for loopback, as an operator or the owner of a bucket would have one. */
import path from 'node:path';
import { command, tempFolder } from './cleanup.ts';

/** Files in PEM. Whoever is to trust the certificate trusts it by itself: nobody signed it. */
export interface LoopbackCertificate {
  readonly key: string;
  readonly certificate: string;
}

export function loopbackCertificate(): LoopbackCertificate {
  const folder = tempFolder('certificate');
  const [key, certificate] = [path.join(folder, 'tls.key'), path.join(folder, 'tls.pem')];
  const subject = ['-subj', '/CN=Cloister test', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', certificate];
  command('openssl', 'req', '-x509', '-days', '2', ...subject, ...made);
  return { key, certificate };
}
