/**
 * Compact JWS (RFC 7515) with Ed25519 (RFC 8037, `EdDSA`), made and checked without waiting: `jose` works in promises only.
 * The header is exactly `alg` and `kid`; anything else is refused, so no header can steer the check.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';

// RFC 8410 section 7: PKCS #8 and SubjectPublicKeyInfo around 32 bytes.
const privatePrefix = Buffer.from('302e020100300506032b657004220420', 'hex');
const publicPrefix = Buffer.from('302a300506032b6570032100', 'hex');

/** A new Ed25519 seed. */
export function newSeed(): Buffer {
  const der = generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' });
  return der.subarray(privatePrefix.length);
}

export function privateKeyOf(seed: Buffer): KeyObject {
  return createPrivateKey({ key: Buffer.concat([privatePrefix, seed]), format: 'der', type: 'pkcs8' });
}

export function publicKeyOf(bytes: Buffer): KeyObject {
  return createPublicKey({ key: Buffer.concat([publicPrefix, bytes]), format: 'der', type: 'spki' });
}

/** The 32 bytes of a public key. */
export function publicBytes(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' }).subarray(publicPrefix.length);
}

/** The public key's JWK (RFC 8037), without a name. */
export function jwkOf(key: KeyObject): { kty: 'OKP'; crv: 'Ed25519'; x: string } {
  return { kty: 'OKP', crv: 'Ed25519', x: publicBytes(key).toString('base64url') };
}

/** The JWK thumbprint of a public key (RFC 7638): who has the key can work out its name. */
export function thumbprintOf(key: KeyObject): string {
  const { crv, kty, x } = jwkOf(key);
  return createHash('sha256').update(JSON.stringify({ crv, kty, x })).digest('base64url');
}

const toPart = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function fromPart(part: string): Buffer | null {
  const bytes = Buffer.from(part, 'base64url');
  return bytes.toString('base64url') === part ? bytes : null;
}

function toObject(bytes: Buffer | null): Record<string, unknown> | null {
  if (!bytes) return null;
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

/** Signs claims: `header.payload.signature`. */
export function signClaims(key: { id: string; secret: KeyObject }, claims: Readonly<Record<string, unknown>>): string {
  const input = `${toPart({ alg: 'EdDSA', kid: key.id })}.${toPart(claims)}`;
  return `${input}.${sign(null, Buffer.from(input), key.secret).toString('base64url')}`;
}

/** Claims whose signature is that of the key which `keyOf` finds for the `kid`; null for everything else. */
export function verifyClaims(jws: string, keyOf: (kid: string) => KeyObject | null): Record<string, unknown> | null {
  const [head = '', payload = '', signature = '', ...rest] = jws.split('.');
  if (rest.length > 0) return null;
  const header = toObject(fromPart(head));
  if (header?.alg !== 'EdDSA' || typeof header.kid !== 'string' || Object.keys(header).length !== 2) return null;
  const key = keyOf(header.kid);
  const bytes = fromPart(signature);
  if (!key || !bytes || !verify(null, Buffer.from(`${head}.${payload}`), key, bytes)) return null;
  return toObject(fromPart(payload));
}
