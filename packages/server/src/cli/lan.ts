/**
 * `npm start -- --lan`: lets phones and other machines of the local network in, over HTTPS.
 *
 * Browsers give camera and microphone to secure pages only, so a certificate is needed for addresses that no public
 * authority signs. A certificate authority of this data folder signs one; a phone that should trust it installs
 * `caCertPem` once. The authority's key stays in the data folder, readable by its owner only; the server's key is
 * made anew at each start and never stored.
 */
// @peculiar/x509 wires its parts through decorators' metadata, which this must provide before it loads.
import 'reflect-metadata';
import { randomInt } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import QRCode from 'qrcode';
import { localAddresses } from '../lib/index.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;
const AUTHORITY_DAYS = 365;
/** An authority that ends sooner than this is replaced, so that a day of work never ends with it. */
const AUTHORITY_LEFT_DAYS_MIN = 30;
/** Apple's systems refuse server certificates that live longer than 825 days; a start makes a new one anyway. */
const SERVER_DAYS = 30;
/** Clocks of phones drift. */
const BACKDATED_MS = 5 * 60_000;
const CODE_DIGITS = 8;

/** What the server needs to be reached from the local network. */
export interface Lan {
  /** The chain (PEM): the server's certificate, then the authority's. */
  readonly cert: string;
  /** The server's private key (PEM); in memory only. */
  readonly key: string;
  /** The authority's certificate, for devices that should trust it. */
  readonly caCertPem: string;
  /** The addresses of this machine in the local network that the certificate names. */
  readonly addresses: readonly string[];
  /** Eight digits that a visitor must type once; new at each start. */
  readonly code: string;
  /** A QR code of the address for a terminal. */
  qrText(url: string): Promise<string>;
}

interface Authority {
  readonly certificate: X509Certificate;
  readonly keys: CryptoKeyPair;
}

function pemOf(key: ArrayBuffer): string {
  return PemConverter.encode(key, 'PRIVATE KEY');
}

function serialNumber(): string {
  // Positive and 16 bytes long, as RFC 5280 (4.1.2.2) allows at most 20.
  return `4${Buffer.from(crypto.getRandomValues(new Uint8Array(16)))
    .toString('hex')
    .slice(1)}`;
}

async function makeAuthority(folder: string, now: number): Promise<Authority> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: 'CN=Cloister on this machine',
    notBefore: new Date(now - BACKDATED_MS),
    notAfter: new Date(now + AUTHORITY_DAYS * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  writeFileSync(path.join(folder, 'ca.key'), pemOf(await crypto.subtle.exportKey('pkcs8', keys.privateKey)), {
    mode: 0o600,
  });
  writeFileSync(path.join(folder, 'ca.pem'), certificate.toString('pem'));
  return { certificate, keys };
}

async function readAuthority(folder: string, now: number): Promise<Authority | undefined> {
  let certificate: X509Certificate;
  let pem: string;
  try {
    certificate = new X509Certificate(readFileSync(path.join(folder, 'ca.pem'), 'utf8'));
    pem = readFileSync(path.join(folder, 'ca.key'), 'utf8');
  } catch {
    // Missing or damaged: a new one is made, which devices must trust anew.
    return undefined;
  }
  if (certificate.notAfter.getTime() < now + AUTHORITY_LEFT_DAYS_MIN * DAY_MS) return undefined;
  const privateKey = await crypto.subtle.importKey('pkcs8', PemConverter.decodeFirst(pem), ALGORITHM, false, ['sign']);
  return { certificate, keys: { privateKey, publicKey: await certificate.publicKey.export() } };
}

async function makeServerCertificate(authority: Authority, addresses: readonly string[], now: number) {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const names = ['127.0.0.1', '::1', ...addresses].map((value) => ({ type: 'ip' as const, value }));
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: 'CN=Cloister',
    issuer: authority.certificate.subject,
    notBefore: new Date(now - BACKDATED_MS),
    notAfter: new Date(now + SERVER_DAYS * DAY_MS),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: authority.keys.privateKey,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }, ...names]),
      await AuthorityKeyIdentifierExtension.create(authority.certificate),
    ],
  });
  return { certificate, key: pemOf(await crypto.subtle.exportKey('pkcs8', keys.privateKey)) };
}

/**
 * Makes what a start with `--lan` needs; the authority is kept in `dataDir/lan` and used again.
 * @param options `addresses` and `now` are for tests
 */
export async function prepareLan(options: {
  dataDir: string;
  addresses?: readonly string[];
  now?: number;
}): Promise<Lan> {
  cryptoProvider.set(crypto);
  const now = options.now ?? Date.now();
  const addresses = options.addresses ?? localAddresses();
  const folder = path.join(options.dataDir, 'lan');
  const authority = (await readAuthority(folder, now)) ?? (await makeAuthority(folder, now));
  const server = await makeServerCertificate(authority, addresses, now);
  const caCertPem = authority.certificate.toString('pem');
  return {
    cert: `${server.certificate.toString('pem')}\n${caCertPem}\n`,
    key: server.key,
    caCertPem,
    addresses,
    code: String(randomInt(10 ** CODE_DIGITS)).padStart(CODE_DIGITS, '0'),
    qrText: (url) => QRCode.toString(url, { type: 'terminal', small: true, errorCorrectionLevel: 'L' }),
  };
}
