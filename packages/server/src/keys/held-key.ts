/** One key in memory: what its row says, and the objects that `node:crypto` works with. */
import { createPublicKey, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import type { KeyRow } from '../core/index.ts';
import { SealBudget } from './seal-budget.ts';
import { newSeed, privateKeyOf, publicBytes, publicKeyOf, thumbprintOf } from './signature.ts';
import { type KeyFacts, keyBytes, type Material, unwrapKey, wrapKey } from './wrap.ts';

interface Base {
  readonly id: string;
  readonly facts: KeyFacts;
}
export interface DataKey extends Base {
  readonly kind: 'data';
  readonly secret: KeyObject;
  readonly budget: SealBudget;
}
export interface SigningKey extends Base {
  readonly kind: 'signing';
  /** Null when the key has retired: only its public half was kept. */
  readonly secret: KeyObject | null;
  readonly seed: Buffer | null;
  readonly public: KeyObject;
}
export type HeldKey = DataKey | SigningKey;

function hold(facts: KeyFacts, material: Material): HeldKey {
  const { id } = facts;
  if (material.kind === 'data') {
    return { kind: 'data', id, facts, secret: createSecretKey(material.key), budget: new SealBudget(material.seals) };
  }
  if (material.kind === 'verifying') {
    return { kind: 'signing', id, facts, secret: null, seed: null, public: publicKeyOf(material.publicKey) };
  }
  const secret = privateKeyOf(material.seed);
  return { kind: 'signing', id, facts, secret, seed: material.seed, public: createPublicKey(secret) };
}

/** Makes a data key. Its bytes come from the system's generator, never through an injected one. */
export function makeDataKey(facts: KeyFacts): DataKey {
  return hold(facts, { kind: 'data', key: randomBytes(keyBytes), seals: 0 }) as DataKey;
}

/** Makes a signing key, named by its thumbprint; its bytes come from the system's generator too. */
export function makeSigningKey(facts: Omit<KeyFacts, 'id'>): SigningKey {
  const seed = newSeed();
  const id = thumbprintOf(createPublicKey(privateKeyOf(seed)));
  return hold({ ...facts, id }, { kind: 'signing', seed }) as SigningKey;
}

/** @throws PlatformError `KeyUnavailable` when the root does not open the row. */
export function keyOfRow(root: Buffer, row: KeyRow): HeldKey {
  const { id, purpose, createdAt, retiredAt, compromisedAt } = row;
  return hold({ id, purpose, createdAt, retiredAt, compromisedAt }, unwrapKey(root, row));
}

/** @param seals for a data key: the count to write, ahead of the truth */
export function rowOfKey(root: Buffer, key: HeldKey, seals?: number): KeyRow {
  if (key.kind === 'data') {
    return wrapKey(root, key.facts, { kind: 'data', key: key.secret.export(), seals: seals ?? key.budget.stored });
  }
  if (key.seed) return wrapKey(root, key.facts, { kind: 'signing', seed: key.seed });
  return wrapKey(root, key.facts, { kind: 'verifying', publicKey: publicBytes(key.public) });
}

/** The same key, retired: a signing key loses its private half. */
export function retired(key: HeldKey, at: number, compromised: boolean): HeldKey {
  const facts = {
    ...key.facts,
    retiredAt: key.facts.retiredAt ?? at,
    compromisedAt: key.facts.compromisedAt ?? (compromised ? at : null),
  };
  return key.kind === 'data' ? { ...key, facts } : { ...key, facts, secret: null, seed: null };
}
