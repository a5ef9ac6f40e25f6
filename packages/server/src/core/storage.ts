/** Where a project wants its archives stored, and what they are sealed to (OpenTok; compat 2.5). */
import { limits, PlatformError } from '@cloister/protocol';
import { isLoopback } from '../lib/index.ts';
import type { Accounts } from './account.ts';
import { fingerprintOf, readCertificate } from './certificate.ts';
import type { Storage, StorageTarget } from './entities.ts';
import type { Actor } from './event.ts';
import type { Foundation } from './foundation.ts';
import { requireEntitled } from './plan.ts';
import type { Egress } from './ports.ts';
import type { Projects } from './project.ts';
import { sealedContext } from './sealed-context.ts';

/** As it came. */
export interface StorageWish {
  readonly type: string;
  readonly config: Readonly<Record<string, string | undefined>>;
  /** As it came out of JSON. */
  readonly kmsEncryptionContext?: unknown;
  readonly fallback?: string;
  /** PEM, or base64 of it. Null switches it off: the project's data key seals. Where it is left out the one that is set stays. */
  readonly certificate?: string | null;
}

/** What is set, with its target in the clear. */
export interface OpenStorage {
  readonly storage: Storage;
  readonly target: StorageTarget;
}

/** What of a storage encrypts, beside TLS. */
type Encryption = 'certificate' | 'sse';

const emptyCertificate = 'it is empty; leave it out to keep the one that is set, or send null to have none';
const sealedElsewhere =
  'the archives of this project are sealed by its archive-sealing, so this certificate would not be used; set it there, or remove that first';

export class Storages {
  readonly #deps: Foundation;
  readonly #parts: { accounts: Accounts; projects: Projects; egress: Egress };
  /** The last change of each project that is under way. */
  readonly #turns = new Map<string, Promise<void>>();

  constructor(deps: Foundation, parts: { accounts: Accounts; projects: Projects; egress: Egress }) {
    this.#deps = deps;
    this.#parts = parts;
  }

  /** Null where none is set. @throws PlatformError `SealBroken` */
  async get(projectId: string): Promise<OpenStorage | null> {
    const storage = await this.#deps.store.storages.get(projectId);
    return storage && { storage, target: this.targetOf(storage) };
  }

  /**
   * Sets the storage of a project; archives that are started from now on go there. What encrypts stays where the wish says
   * nothing of it, so that who renews a key does not lose the encryption with it: the certificate, and `sse` in S3.
   * @throws PlatformError `BadRequest`, `DestinationRefused`, `CertificateRefused`, `NotEntitled`; `WrongState` for a certificate
   *   that would not be used, since the project has a `Sealing`; `SealBroken`
   */
  put(actor: Actor, projectId: string, wish: StorageWish): Promise<OpenStorage> {
    return this.#inTurn(projectId, () => this.#put(actor, projectId, wish));
  }

  /** @throws PlatformError `StorageNotFound` */
  remove(actor: Actor, projectId: string): Promise<void> {
    const { recorder, store } = this.#deps;
    return this.#inTurn(projectId, () =>
      recorder.change(actor, { type: 'storage.removed', projectId }, async (event) => {
        if (!(await store.storages.remove(projectId, event))) throw new PlatformError('StorageNotFound');
      }),
    );
  }

  /** The target of a storage in the clear. @throws PlatformError `SealBroken` */
  targetOf({ projectId, target }: Storage): StorageTarget {
    return JSON.parse(this.#deps.keys.open(projectId, sealedContext.storageTarget(projectId), target)) as StorageTarget;
  }

  async #put(actor: Actor, projectId: string, wish: StorageWish): Promise<OpenStorage> {
    const { clock, keys, recorder, store } = this.#deps;
    const before = await this.get(projectId);
    const target = storageTargetOf(wish, before?.target);
    const fallback = wish.fallback === 'vonage' ? 'opentok' : (wish.fallback ?? 'opentok');
    if (fallback !== 'none' && fallback !== 'opentok') throw bad('fallback must be none or opentok');
    const certificate = await this.#certificateFor(projectId, wish, before?.storage.certificate ?? null);
    const address = addressOf(target);
    if (address !== null) await this.#parts.egress.check(address);
    const storage: Storage = {
      projectId,
      target: keys.seal(projectId, sealedContext.storageTarget(projectId), JSON.stringify(target)),
      fallback,
      certificate,
      updatedAt: clock.now(),
    };
    const certificateSha256 = certificate === null ? null : fingerprintOf(certificate);
    const facts = { projectId, storage: target.type, fallback, certificateSha256 } as const;
    const off: Encryption[] = [];
    if (before?.storage.certificate && certificate === null) off.push('certificate');
    if (before && hasSse(before.target) && target.type === 's3' && !hasSse(target)) off.push('sse');
    const changed =
      off.length > 0
        ? ({ type: 'storage.encryptionSwitchedOff', ...facts, off } as const)
        : ({ type: 'storage.changed', ...facts } as const);
    const { accountId } = await this.#parts.projects.get(projectId);
    // One that stays is kept even where the account has lost what it needs: then archives are refused, and clear ones are not made.
    const needed = certificate === null || wish.certificate === undefined ? null : 'archive.encryption';
    await this.#parts.accounts.whileEntitled(accountId, needed, () =>
      recorder.change(actor, changed, (event) => store.storages.put(storage, event)),
    );
    return { storage, target };
  }

  /** One that stays was checked when it was set, and is again at each start. */
  async #certificateFor(projectId: string, wish: StorageWish, kept: string | null): Promise<string | null> {
    const { clock, store } = this.#deps;
    if (wish.certificate === undefined) return kept;
    if (wish.certificate === null) return null;
    if (wish.certificate.trim() === '') throw new PlatformError('CertificateRefused', { why: emptyCertificate });
    const { pem } = readCertificate(wish.certificate, 'opentok', clock.now());
    const project = await this.#parts.projects.get(projectId);
    requireEntitled(await this.#parts.accounts.get(project.accountId), 'archive.encryption');
    if (await store.sealings.get(projectId)) throw new PlatformError('WrongState', { why: sealedElsewhere });
    return pem;
  }

  /** A change that keeps what is set must not undo one that was answered meanwhile. */
  async #inTurn<Result>(projectId: string, change: () => Promise<Result>): Promise<Result> {
    const turn = (this.#turns.get(projectId) ?? Promise.resolve()).then(change);
    const over = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#turns.set(projectId, over);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(projectId) === over) this.#turns.delete(projectId);
    }
  }
}

type Word = (name: string, form: RegExp) => string;
type Sse = Pick<Extract<StorageTarget, { type: 's3' }>, 'sse' | 'kmsKeyId' | 'kmsEncryptionContext'>;

/**
 * @param before what is set; its `sse` stays where the wish names none
 * @throws PlatformError `BadRequest` that names the field
 */
export function storageTargetOf(
  { type, config, kmsEncryptionContext }: StorageWish,
  before: StorageTarget | null = null,
): StorageTarget {
  const word: Word = (name, form) => {
    const value = config[name];
    if (value === undefined || value === '') throw bad(`config.${name} is missing`);
    if (value.length > limits.storageWordChars || !form.test(value)) throw bad(`config.${name} is not a ${name}`);
    return value;
  };
  if (type === 's3') {
    return {
      type,
      accessKey: word('accessKey', /^[\x21-\x7e]+$/),
      secretKey: word('secretKey', /^[\x21-\x7e]+$/),
      bucket: word('bucket', /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/),
      endpoint: config.endpoint ? endpointOf(config.endpoint) : null,
      region: config.region ? word('region', /^[a-z0-9-]{1,64}$/) : null,
      ...encryptionOf(config, word, kmsEncryptionContext, before?.type === 's3' ? before : null),
    };
  }
  if (type === 'azure') {
    return {
      type,
      accountName: word('accountName', /^[a-z0-9]{3,24}$/),
      accountKey: word('accountKey', /^[A-Za-z0-9+/]+={0,2}$/),
      container: word('container', /^[a-z0-9](-?[a-z0-9]){2,62}$/),
      domain: config.domain ? word('domain', /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?$/) : null,
    };
  }
  throw bad('type must be s3 or azure');
}

function encryptionOf(config: StorageWish['config'], word: Word, context: unknown, before: Sse | null): Sse {
  if (config.sse === undefined && before !== null && !config.kmsKeyId && !context) {
    const { sse, kmsKeyId, kmsEncryptionContext } = before;
    return { sse, kmsKeyId, kmsEncryptionContext };
  }
  const sse = config.sse ?? 'none';
  if (sse !== 's3' && sse !== 'kms' && sse !== 'none') throw bad('config.sse must be s3, kms or none');
  if (sse !== 'kms') {
    if (config.kmsKeyId || context) throw bad('config.kmsKeyId and config.kmsEncryptionContext need config.sse kms');
    return { sse, kmsKeyId: null, kmsEncryptionContext: null };
  }
  const kmsKeyId = word('kmsKeyId', /^[A-Za-z0-9:/_-]+$/);
  // What an answer confirms is the key; an alias may lead to another one by then.
  if (/(^|:)alias\//.test(kmsKeyId)) throw bad('config.kmsKeyId must be the id or the ARN of a key, not an alias');
  return { sse, kmsKeyId, kmsEncryptionContext: contextOf(context) };
}

function contextOf(value: unknown): Readonly<Record<string, string>> | null {
  if (value === undefined || value === null) return null;
  const isText = (each: unknown) => typeof each === 'string' && /^[\x20-\x7e]*$/.test(each);
  if (typeof value !== 'object' || Array.isArray(value) || !Object.entries(value).flat().every(isText)) {
    throw bad('config.kmsEncryptionContext must be an object of strings in ASCII');
  }
  if (JSON.stringify(value).length > limits.storageWordChars) {
    throw bad(`config.kmsEncryptionContext is longer than ${limits.storageWordChars} characters`);
  }
  return value as Readonly<Record<string, string>>;
}

function endpointOf(text: string): string {
  const url = text.length <= limits.storageWordChars ? URL.parse(text) : null;
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:') throw bad('config.endpoint is not a URL');
  if (url.username || url.password) throw bad('config.endpoint holds a user or a password');
  if (url.search || url.hash) throw bad('config.endpoint holds a query');
  // An archive that has no certificate is clear on its way.
  if (url.protocol === 'http:' && !isLoopback(url.hostname.replace(/^\[|\]$/g, ''))) {
    throw bad('config.endpoint must be https, unless it is on this machine');
  }
  return url.href.replace(/\/$/, '');
}

function hasSse(target: StorageTarget): boolean {
  return target.type === 's3' && target.sse !== 'none';
}

/** Where it will be reached, if the project named that itself. */
function addressOf(target: StorageTarget): string | null {
  if (target.type === 's3') return target.endpoint;
  return target.domain === null ? null : `https://${target.accountName}.${target.domain}`;
}

function bad(why: string): PlatformError {
  return new PlatformError('BadRequest', { why });
}
