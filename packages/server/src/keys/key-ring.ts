/**
 * The keys of the platform, in memory. Everything that callers do with a key is synchronous; what makes, retires or
 * removes one is written to the keyring first and counts when it is durable, one change after the other.
 *
 * - Every purpose has one current key. Data keys: `project:<id>` and `platform:data`. Signing keys: one for each `KeyPurpose`.
 * - A retired data key opens for ever (until its project is removed), and seals nothing.
 * - A retired signing key has lost its private half; what it signed is accepted for `signingKeyOverlapSeconds`,
 *   manifests, security records and checkpoints of the audit log for ever.
 * - Purposes in `foretold` have a next key beside the current one, published long before it signs.
 * - A compromised key signs, verifies and seals nothing; a data key still opens, so that its values can be sealed again.
 */

import { sign } from 'node:crypto';
import { PlatformError } from '@cloister/protocol/errors';
import { limits } from '@cloister/protocol/limits';
import type { Event, Journal, KeyInLife, KeyPurpose, Keys, PublicKey, Sealed, Store } from '../core/index.ts';
import type { Clock, Ids } from '../lib/index.ts';
import { type DataKey, type HeldKey, keyOfRow, makeDataKey, makeSigningKey, retired, rowOfKey } from './held-key.ts';
import { keyIdOf, openValue, sealValue } from './sealed-value.ts';
import { jwkOf, signClaims, verifyClaims } from './signature.ts';
import type { KeyFacts } from './wrap.ts';

export const signingPurposes = [
  'admission',
  'webhook',
  'platform',
  'login',
  'download',
  'manifest',
  'audit',
  'address-list',
] as const satisfies readonly KeyPurpose[];
/** What was signed for these is looked at for years: their retired keys go on verifying. */
const lasting: readonly string[] = ['manifest', 'audit', 'address-list'] satisfies KeyPurpose[];
/** What is signed for these is checked by programs of others, which are given each key before it signs. */
const foretold: readonly string[] = ['address-list'] satisfies KeyPurpose[];
/** Purpose of the data key for what belongs to no project. */
export const platformData = 'platform:data';
/** A failed write of the keyring is tried again after this long, not at each seal. */
const retryMs = 1000;

/** What was done to a key: `key.rotated` or `key.compromised` is made from it. */
export interface KeyChange {
  readonly what: 'rotated' | 'compromised';
  readonly purpose: string;
  /** The new key of a rotation; the key that is refused from now on. */
  readonly keyId: string;
  /** The key it replaced; the key that replaced it, or null when it had been replaced before. */
  readonly other: string | null;
}

export interface KeyRingDeps {
  readonly root: Buffer;
  readonly keyring: Store['keyring'];
  readonly clock: Clock;
  readonly ids: Ids;
  readonly journal?: Journal;
}

export function dataPurpose(projectId: string | null): string {
  return projectId === null ? platformData : `project:${projectId}`;
}

/** Whose data a purpose is for: a project's id, `null` for the platform's own; `undefined` for a signing key. */
export function ownerOf(purpose: string): string | null | undefined {
  if (purpose === platformData) return null;
  return purpose.startsWith('project:') ? purpose.slice('project:'.length) : undefined;
}

export class KeyRing implements Keys {
  readonly #deps: KeyRingDeps;
  #keys = new Map<string, HeldKey>();
  #current = new Map<string, HeldKey>();
  /** The last change; the next one waits for it. */
  #changing: Promise<unknown> = Promise.resolve();
  /** Data keys whose count or successor is being written, with the time before which it is not tried again. */
  readonly #tending = new Map<string, number>();

  constructor(deps: KeyRingDeps) {
    this.#deps = deps;
  }

  /** Reads the keyring anew: at the start, and after another process has changed it. */
  async refresh(): Promise<void> {
    await this.#exclusive(async () => {
      const rows = await this.#deps.keyring.load();
      const keys = new Map<string, HeldKey>();
      for (const row of rows) {
        const fresh = keyOfRow(this.#deps.root, row);
        const known = this.#keys.get(row.id);
        // The count of this process goes on; the row's may be behind it.
        keys.set(row.id, known?.kind === 'data' ? { ...known, facts: fresh.facts } : fresh);
      }
      this.#keys = keys;
      await this.#settleCurrent();
      for (const purpose of [platformData, ...signingPurposes]) {
        if (!this.#current.has(purpose)) await this.#make(purpose);
        if (foretold.includes(purpose) && !this.#next(purpose)) await this.#make(purpose);
      }
    });
  }

  seal(projectId: string | null, context: string, clear: string): Sealed {
    const key = this.#current.get(dataPurpose(projectId));
    if (key?.kind !== 'data') throw missing(dataPurpose(projectId), 'it was never made, or was destroyed');
    const counted = key.budget.take();
    this.#tend(key);
    if (!counted) throw missing(key.facts.purpose, 'the count of its seals could not be written');
    return sealValue(key, projectId, context, clear);
  }

  open(projectId: string | null, context: string, sealed: Sealed): string {
    const key = this.#keys.get(keyIdOf(sealed) ?? '');
    if (key?.kind !== 'data' || key.facts.purpose !== dataPurpose(projectId)) {
      throw new PlatformError('SealBroken', { why: `the key of this ${context.split(':')[0]} is not here` });
    }
    const clear = openValue(key.secret, projectId, context, sealed);
    if (clear === null) {
      throw new PlatformError('SealBroken', { why: `this ${context.split(':')[0]} was changed, or belongs elsewhere` });
    }
    return clear;
  }

  reseal(projectId: string | null, context: string, sealed: Sealed): Sealed {
    if (keyIdOf(sealed) === this.#current.get(dataPurpose(projectId))?.id) return sealed;
    return this.seal(projectId, context, this.open(projectId, context, sealed));
  }

  sign(purpose: KeyPurpose, claims: Readonly<Record<string, unknown>>): string {
    const key = this.#current.get(purpose);
    if (key?.kind !== 'signing' || !key.secret) throw missing(purpose, 'it was never made');
    return signClaims({ id: key.id, secret: key.secret }, claims);
  }

  signBytes(purpose: KeyPurpose, bytes: Uint8Array): { key: PublicKey; signature: Buffer } {
    const key = this.#current.get(purpose);
    if (key?.kind !== 'signing' || !key.secret) throw missing(purpose, 'it was never made');
    return { key: { kid: key.id, ...jwkOf(key.public) }, signature: sign(null, bytes, key.secret) };
  }

  verify(purpose: KeyPurpose, jws: string): Record<string, unknown> | null {
    return verifyClaims(jws, (kid) => {
      const key = this.#keys.get(kid);
      return key?.kind === 'signing' && key.facts.purpose === purpose && this.#verifies(key.facts) ? key.public : null;
    });
  }

  publicKeys(purpose: KeyPurpose): PublicKey[] {
    return [...this.#keys.values()].flatMap((key) => {
      if (key.kind !== 'signing' || key.facts.purpose !== purpose || !this.#verifies(key.facts)) return [];
      return [{ kid: key.id, ...jwkOf(key.public) }];
    });
  }

  leakedKeys(purpose: KeyPurpose): PublicKey[] {
    return [...this.#keys.values()].flatMap((key) => {
      const leaked = key.facts.purpose === purpose && key.facts.compromisedAt !== null;
      return key.kind === 'signing' && leaked ? [{ kid: key.id, ...jwkOf(key.public) }] : [];
    });
  }

  keysInLife(purpose: KeyPurpose): KeyInLife[] {
    const current = this.#current.get(purpose);
    const held = [...this.#keys.values()].filter((key) => key.facts.purpose === purpose && this.#verifies(key.facts));
    const states = held.flatMap((key) => {
      if (key.kind !== 'signing') return [];
      const state = key.id === current?.id ? 'current' : key.facts.retiredAt === null ? 'next' : 'retired';
      return [{ key: { kid: key.id, ...jwkOf(key.public) }, state, retiredAt: key.facts.retiredAt ?? 0 } as const];
    });
    const order = ['current', 'next', 'retired'];
    states.sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state) || b.retiredAt - a.retiredAt);
    return states.map(({ key, state }) => ({ key, state }));
  }

  async createDataKey(projectId: string): Promise<void> {
    const purpose = dataPurpose(projectId);
    await this.#exclusive(async () => {
      if (!this.#current.has(purpose)) await this.#make(purpose);
    });
  }

  async destroyDataKey(projectId: string): Promise<void> {
    const purpose = dataPurpose(projectId);
    await this.#exclusive(async () => {
      this.#current.delete(purpose);
      for (const key of [...this.#keys.values()].filter(({ facts }) => facts.purpose === purpose)) {
        await this.#deps.keyring.remove(key.id);
        this.#keys.delete(key.id);
      }
    });
  }

  /** Every key without its bytes, by purpose and age. */
  list(): KeyFacts[] {
    return [...this.#keys.values()]
      .map(({ facts }) => facts)
      .sort((a, b) => a.purpose.localeCompare(b.purpose) || a.createdAt - b.createdAt || a.id.localeCompare(b.id));
  }

  /**
   * Replaces the current key of a purpose: by its next one, where there is one that was published for long enough.
   * @param eventOf the event of the change; the old key does not retire without it
   * @throws PlatformError `KeyNotFound`, `AddressKeyTooNew`
   */
  async rotate(purpose: string, eventOf?: (change: KeyChange) => Event): Promise<KeyChange> {
    return this.#exclusive(async () => {
      const old = this.#current.get(purpose);
      if (!old) throw new PlatformError('KeyNotFound', { key: purpose });
      const next = this.#next(purpose);
      if (next && this.#deps.clock.now() < next.facts.createdAt + limits.addressKeyLeadDays * 86_400_000) {
        throw new PlatformError('AddressKeyTooNew', { keyId: next.id, days: limits.addressKeyLeadDays });
      }
      return this.#replace(old, eventOf);
    });
  }

  /** Retires a key at once and refuses what it signed. @param eventOf as `rotate` has it @throws PlatformError `KeyNotFound` */
  async compromise(keyId: string, eventOf?: (change: KeyChange) => Event): Promise<KeyChange> {
    return this.#exclusive(async () => {
      const key = this.#keys.get(keyId);
      if (!key) throw new PlatformError('KeyNotFound', { key: keyId });
      const { purpose } = key.facts;
      const successor = this.#current.get(purpose)?.id === keyId ? await this.#succeed(purpose) : null;
      const change = { what: 'compromised', purpose, keyId, other: successor?.id ?? null } as const;
      await this.#retire(key, true, eventOf?.(change));
      if (foretold.includes(purpose) && !this.#next(purpose)) await this.#make(purpose);
      return change;
    });
  }

  #verifies(facts: KeyFacts): boolean {
    if (facts.compromisedAt !== null) return false;
    if (facts.retiredAt === null || lasting.includes(facts.purpose)) return true;
    return this.#deps.clock.now() <= facts.retiredAt + limits.signingKeyOverlapSeconds * 1000;
  }

  async #replace(old: HeldKey, eventOf?: (change: KeyChange) => Event): Promise<KeyChange> {
    const { purpose } = old.facts;
    const key = await this.#succeed(purpose);
    const change = { what: 'rotated', purpose: old.facts.purpose, keyId: key.id, other: old.id } as const;
    await this.#retire(old, false, eventOf?.(change));
    if (foretold.includes(purpose)) await this.#make(purpose);
    return change;
  }

  /** The event of a rotation that nobody asked for. */
  #unasked({ purpose, keyId }: Pick<KeyChange, 'purpose' | 'keyId'>): Event {
    const { ids, clock } = this.#deps;
    const stamp = { id: ids.uuid(), at: clock.now(), actor: { kind: 'system' } as const };
    return { ...stamp, type: 'key.rotated', projectId: null, purpose, keyId };
  }

  /** The key that is published and does not sign yet. */
  #next(purpose: string): HeldKey | undefined {
    if (!foretold.includes(purpose)) return undefined;
    const current = this.#current.get(purpose);
    return this.#active().find((key) => key.facts.purpose === purpose && key !== current);
  }

  /** Makes the successor of the current key current: the next one, or a new one. */
  async #succeed(purpose: string): Promise<HeldKey> {
    const next = this.#next(purpose);
    if (!next) return this.#make(purpose);
    this.#current.set(purpose, next);
    return next;
  }

  /** Those that have not retired, the newest first. */
  #active(): HeldKey[] {
    const active = [...this.#keys.values()].filter(({ facts }) => facts.retiredAt === null);
    return active.sort((a, b) => b.facts.createdAt - a.facts.createdAt || b.id.localeCompare(a.id));
  }

  async #make(purpose: string): Promise<HeldKey> {
    const { ids, clock, keyring, root } = this.#deps;
    const before = foretold.includes(purpose) ? this.#current.get(purpose) : undefined;
    // Of a current and a next key made in the same moment it is known which is which.
    const createdAt = Math.max(clock.now(), (before?.facts.createdAt ?? 0) + 1);
    const facts = { purpose, createdAt, retiredAt: null, compromisedAt: null };
    const signs = signingPurposes.some((each) => each === purpose);
    const key = signs ? makeSigningKey(facts) : makeDataKey({ ...facts, id: ids.token(12) });
    // The first block of seals comes with the key.
    await keyring.save(rowOfKey(root, key, limits.sealsReserved));
    if (key.kind === 'data') key.budget.reserved(limits.sealsReserved);
    this.#keys.set(key.id, key);
    if (!before) this.#current.set(purpose, key);
    return key;
  }

  async #retire(key: HeldKey, compromised: boolean, event?: Event): Promise<void> {
    const old = retired(key, this.#deps.clock.now(), compromised);
    await this.#deps.keyring.save(rowOfKey(this.#deps.root, old), event);
    this.#keys.set(old.id, old);
  }

  /**
   * One current key for each purpose: the newest, or of those that are foretold the second newest. A crash in the middle of a
   * rotation leaves one more; the oldest retires here.
   */
  async #settleCurrent(): Promise<void> {
    this.#current = new Map();
    const newest = new Set<string>();
    for (const key of this.#active()) {
      const { purpose } = key.facts;
      const current = this.#current.get(purpose);
      if (current && (!foretold.includes(purpose) || newest.has(purpose)))
        await this.#retire(key, false, this.#unasked({ purpose, keyId: current.id }));
      else {
        if (current) newest.add(purpose);
        this.#current.set(purpose, key);
      }
    }
  }

  /** Keeps a data key's count ahead on the disk, and replaces a worn key. Behind the caller's back; a failure is tried again. */
  #tend(key: DataKey): void {
    if (!key.budget.low && !key.budget.worn) return;
    const { clock, journal, keyring, root } = this.#deps;
    if (clock.now() < (this.#tending.get(key.id) ?? 0)) return;
    this.#tending.set(key.id, Number.POSITIVE_INFINITY);
    const work = this.#exclusive(async () => {
      const now = this.#keys.get(key.id);
      if (now?.kind !== 'data' || this.#current.get(now.facts.purpose) !== now) return;
      if (now.budget.worn) {
        await this.#replace(now, (change) => this.#unasked(change));
        return;
      }
      const count = now.budget.next();
      await keyring.save(rowOfKey(root, now, count));
      now.budget.reserved(count);
    });
    work.then(
      () => this.#tending.delete(key.id),
      (error: unknown) => {
        this.#tending.set(key.id, clock.now() + retryMs);
        journal?.record('error', 'the count of seals of a data key could not be written', {
          keyId: key.id,
          purpose: key.facts.purpose,
          code: error instanceof PlatformError ? error.code : null,
        });
      },
    );
  }

  /** Resolves when what was begun so far (counts, rotations) is durable or has failed. */
  async settled(): Promise<void> {
    await this.#changing;
  }

  async #exclusive<Result>(task: () => Promise<Result>): Promise<Result> {
    const run = this.#changing.then(task);
    this.#changing = run.catch(() => undefined);
    return run;
  }
}

function missing(purpose: string, why: string): PlatformError {
  return new PlatformError('KeyUnavailable', { key: purpose, why });
}
