/**
 * How a key lies in the database: wrapped by the root, never in the clear.
 *
 * The wrapping key of a purpose is HKDF-SHA256 (RFC 5869) of the root with the purpose as `info`, so that no wrapping key
 * serves two purposes. Everything that decides what a key may do (id, purpose, times) is additional data of AES-256-GCM:
 * a row whose `compromised_at` was taken away by hand does not open.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { PlatformError } from '@cloister/protocol/errors';
import type { KeyRow } from '../core/index.ts';

/** Bytes of the root, of a data key, and of an Ed25519 seed or public key. */
export const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
const version = 'w1.';

/** What is inside a wrapped row. */
export type Material =
  /** A key for AES-256-GCM, and how many seals it may have made: the count is kept ahead of the truth (see `seal-budget.ts`). */
  | { readonly kind: 'data'; readonly key: Buffer; readonly seals: number }
  /** An Ed25519 seed (RFC 8032 section 5.1.5). */
  | { readonly kind: 'signing'; readonly seed: Buffer }
  /** What remains of a signing key when it has retired: it verifies and can never sign again. */
  | { readonly kind: 'verifying'; readonly publicKey: Buffer };

const kinds = ['data', 'signing', 'verifying'] as const;

/** A row without its wrapping. */
export type KeyFacts = Omit<KeyRow, 'wrapped'>;

/** @throws PlatformError `KeyUnavailable` when the root has not 32 bytes. */
export function assertRoot(root: Buffer): void {
  if (root.length === keyBytes) return;
  throw new PlatformError('KeyUnavailable', { key: 'root', why: `it has ${root.length} bytes, not ${keyBytes}` });
}

function wrappingKey(root: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', root, Buffer.alloc(0), `cloister key wrapping v1|${purpose}`, keyBytes));
}

function boundTo(facts: KeyFacts): Buffer {
  const { id, purpose, createdAt, retiredAt, compromisedAt } = facts;
  return Buffer.from([id, purpose, createdAt, retiredAt ?? '', compromisedAt ?? ''].join('|'));
}

function encode(material: Material): Buffer {
  const head = Buffer.alloc(9);
  head[0] = kinds.indexOf(material.kind);
  if (material.kind === 'data') head.writeBigUInt64BE(BigInt(material.seals), 1);
  const bytes =
    material.kind === 'data' ? material.key : material.kind === 'signing' ? material.seed : material.publicKey;
  return Buffer.concat([head, bytes]);
}

function decode(clear: Buffer): Material | null {
  const kind = kinds[clear[0] ?? -1];
  const bytes = clear.subarray(9);
  if (bytes.length !== keyBytes) return null;
  if (kind === 'data') return { kind, key: bytes, seals: Number(clear.readBigUInt64BE(1)) };
  if (kind === 'signing') return { kind, seed: bytes };
  return kind === 'verifying' ? { kind, publicKey: bytes } : null;
}

/** The row as it is stored. */
export function wrapKey(root: Buffer, facts: KeyFacts, material: Material): KeyRow {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', wrappingKey(root, facts.purpose), nonce);
  cipher.setAAD(boundTo(facts));
  const sealed = Buffer.concat([nonce, cipher.update(encode(material)), cipher.final(), cipher.getAuthTag()]);
  const { id, purpose, createdAt, retiredAt, compromisedAt } = facts;
  return { id, purpose, wrapped: version + sealed.toString('base64url'), createdAt, retiredAt, compromisedAt };
}

/** @throws PlatformError `KeyUnavailable` when the root is another one, or the row was changed. */
export function unwrapKey(root: Buffer, row: KeyRow): Material {
  const bytes = Buffer.from(row.wrapped.slice(version.length), 'base64url');
  try {
    if (!row.wrapped.startsWith(version) || bytes.length < nonceBytes + tagBytes) throw new Error('unknown form');
    const decipher = createDecipheriv('aes-256-gcm', wrappingKey(root, row.purpose), bytes.subarray(0, nonceBytes));
    decipher.setAAD(boundTo(row));
    decipher.setAuthTag(bytes.subarray(-tagBytes));
    const clear = Buffer.concat([decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()]);
    const material = decode(clear);
    if (!material) throw new Error('unknown kind');
    return material;
  } catch (cause) {
    const why = 'the root key is not the one it was wrapped with, or its row was changed';
    throw new PlatformError('KeyUnavailable', { key: `${row.purpose} ${row.id}`, why }, { cause });
  }
}
