/** What tests of archives need: certificates of any kind, owners, sources in parts. Certificates are made by openssl. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  createCipheriv,
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type ErrorCode, PlatformError } from '@cloister/protocol';
import { type Certificate, readCertificate, type SealFormat } from '../../core/index.ts';
import type { Random } from './sealer.ts';

/** What fast-check draws its samples by: the seed of the test run. */
export const seed = Number(process.env.CLOISTER_SEED ?? 1) | 0;

/** Runs openssl. @throws with what it wrote to stderr, when it ends with anything but 0 */
export function openssl(args: readonly string[], input?: Uint8Array): Buffer {
  const { status, stdout, stderr } = spawnSync('openssl', args, { input, maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(`openssl ${args[0]}: ${stderr}`);
  return stdout;
}

const issuer = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** A certificate for this public key, as PEM, valid for a day from now. */
export function certificateFor(publicKey: KeyObject): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'cloister-certificate-'));
  const [keyFile, publicFile] = [path.join(folder, 'issuer.pem'), path.join(folder, 'public.pem')];
  try {
    writeFileSync(keyFile, issuer.privateKey.export({ type: 'pkcs8', format: 'pem' }));
    writeFileSync(publicFile, publicKey.export({ type: 'spki', format: 'pem' }));
    const words = ['-new', '-key', keyFile, '-force_pubkey', publicFile, '-subj', '/CN=archive', '-days', '1'];
    return openssl(['x509', ...words]).toString();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** An RSA public key of so many bits that nobody has the private key of: its modulus is a random odd number. */
export function orphanKey(bits: number, exponent = 'AQAB'): KeyObject {
  const modulus = randomBytes(Math.ceil(bits / 8));
  const top = (bits - 1) % 8;
  modulus[0] = ((modulus[0] as number) & (2 ** top - 1)) | (1 << top);
  modulus[modulus.length - 1] = (modulus[modulus.length - 1] as number) | 1;
  return createPublicKey({ key: { kty: 'RSA', n: modulus.toString('base64url'), e: exponent }, format: 'jwk' });
}

/** Who may open an archive: a certificate and its private key. */
export interface Owner {
  readonly privateKey: KeyObject;
  readonly pem: string;
  readonly certificate: Certificate;
}

/** A new key and its certificate. */
export function makeOwner(bits = 2048, format: SealFormat = 'cloister'): Owner {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: bits });
  const pem = certificateFor(publicKey);
  return { privateKey, pem, certificate: readCertificate(pem, format, Date.now()) };
}

/** Bytes as they come from a disk: in parts of these sizes, over and over, each good only until the next is asked for. */
export async function* inParts(bytes: Uint8Array, ...sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let [at, turn] = [0, 0]; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? bytes.length;
    const part = Buffer.from(bytes.subarray(at, at + size));
    yield part;
    part.fill(0xee);
    at += size;
  }
}

/** Everything that a source gives, each part good only until the next is asked for, and the error with which it ended. */
export async function drain(source: AsyncIterable<Uint8Array>): Promise<{ bytes: Buffer; error: unknown }> {
  const parts: Uint8Array[] = [];
  try {
    for await (const part of source) parts.push(Buffer.from(part));
  } catch (error) {
    return { bytes: Buffer.concat(parts), error };
  }
  return { bytes: Buffer.concat(parts), error: null };
}

/** Random bytes that are the same in every run: AES-256-CTR over zeros, under a key made from the name. */
export function randomFrom(name: string): Random {
  const stream = createCipheriv('aes-256-ctr', createHash('sha256').update(name).digest(), Buffer.alloc(16));
  return (bytes) => stream.update(Buffer.alloc(bytes));
}

/** So many packets of MPEG-TS, as far as a sealer sees them: 188 bytes, the first 0x47. */
export function packets(count: number, name = 'packets'): Buffer {
  const bytes = randomFrom(name)(count * 188);
  for (let at = 0; at < bytes.length; at += 188) bytes[at] = 0x47;
  return bytes;
}

/** Expects a refusal with this code and message. */
export function isRefusal(error: unknown, code: ErrorCode, message = /./): true {
  assert.ok(error instanceof PlatformError, String((error as Error | null)?.stack ?? error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
  return true;
}
