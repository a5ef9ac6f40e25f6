/** Keys for programs: with scopes, an end, and the time of their last use. Shown once, kept as a hash. */
import { timingSafeEqual } from 'node:crypto';
import { limits, PlatformError } from '@cloister/protocol';
import type { Actor } from './event.ts';
import type { NetworkClass } from './event-people.ts';
import type { Foundation } from './foundation.ts';
import { Turns } from './lock-out.ts';
import type { ApiKey } from './people-store.ts';
import { digestOf, type People } from './person.ts';
import { machineScopes, type Scope, scopesOfRole } from './person-role.ts';
import { sealedContext } from './sealed-context.ts';

export interface ApiKeyWish {
  readonly accountId: string;
  /** Whose it is to be; null: the account's. */
  readonly personId: string | null;
  readonly label: string;
  readonly scopes: readonly Scope[];
  readonly seconds: number;
}

export type ApiKeyView = Omit<ApiKey, 'hash' | 'label'> & { readonly label: string };

const prefix = 'cloister';
const idBytes = 9;
const secretBytes = 32;
/** A use is written down when the last one is so old. */
const touchMs = 60_000;

export class ApiKeys {
  readonly #deps: Foundation;
  readonly #people: People;
  readonly #turns = new Turns();

  constructor(deps: Foundation, people: People) {
    this.#deps = deps;
    this.#people = people;
  }

  /** → what a program sends as `Authorization: Bearer …`, this once. @throws PlatformError `BadRequest`, `NotAllowed`, `LimitReached` */
  async create(actor: Actor, wish: ApiKeyWish): Promise<{ key: ApiKeyView; token: string }> {
    const { ids, clock, keys, store } = this.#deps;
    const { accountId, personId, label, seconds } = wish;
    const scopes = [...new Set(wish.scopes)];
    await this.#require(wish);
    await this.#requireOwner(actor, accountId, personId);
    if ((await store.people.apiKeys(accountId)).length >= limits.apiKeysPerAccount) {
      throw new PlatformError('LimitReached', { limit: 'apiKeysPerAccount', value: limits.apiKeysPerAccount });
    }
    const id = ids.hex(idBytes);
    const secret = ids.token(secretBytes);
    const now = clock.now();
    const expiresAt = now + seconds * 1000;
    const sealed = keys.seal(null, sealedContext.apiKeyLabel(id), label);
    const times = { createdAt: now, expiresAt, lastUsedAt: null };
    const addApiKey: ApiKey = { id, accountId, personId, label: sealed, scopes, hash: digestOf(secret), ...times };
    const event = { type: 'apiKey.created', projectId: null, accountId, apiKeyId: id, scopes, expiresAt } as const;
    await this.#people.write(actor, event, { addApiKey }, '');
    return { key: this.#view(addApiKey), token: `${prefix}_${id}_${secret}` };
  }

  async list(accountId: string): Promise<ApiKeyView[]> {
    return (await this.#deps.store.people.apiKeys(accountId)).map((key) => this.#view(key));
  }

  /** @throws PlatformError `ApiKeyNotFound` */
  async revoke(actor: Actor, accountId: string, id: string): Promise<void> {
    const key = await this.#deps.store.people.apiKey(id);
    if (key?.accountId !== accountId) throw new PlatformError('ApiKeyNotFound');
    await this.#requireOwner(actor, accountId, key.personId);
    const event = { type: 'apiKey.revoked', projectId: null, accountId, apiKeyId: id } as const;
    await this.#people.write(actor, event, { removeApiKey: id }, 'the key is gone already');
  }

  /** The key that a program shows. Its first use is an event. @throws PlatformError `ApiKeyRefused` */
  async use(token: string, network: NetworkClass): Promise<ApiKey & { readonly rights: readonly Scope[] }> {
    const { store, clock } = this.#deps;
    const [, id = '', secret = ''] = new RegExp(`^${prefix}_([0-9a-f]{1,32})_([\\w-]{1,64})$`).exec(token) ?? [];
    const key = id === '' ? null : await store.people.apiKey(id);
    const now = clock.now();
    if (!key || !same(digestOf(secret), key.hash) || key.expiresAt <= now) throw new PlatformError('ApiKeyRefused');
    const rights = await this.#rights(key);
    if (key.lastUsedAt === null) {
      await this.#turns.take(id, () => this.#firstUse(id, network));
    } else if (now - key.lastUsedAt >= touchMs) await store.people.touchApiKey(id, now);
    return { ...key, rights };
  }

  /** Of programs that begin with several requests at once the first one is the first use. */
  async #firstUse(id: string, network: NetworkClass): Promise<void> {
    const { store, clock } = this.#deps;
    const key = await store.people.apiKey(id);
    if (!key) throw new PlatformError('ApiKeyRefused');
    if (key.lastUsedAt !== null) return;
    const { accountId } = key;
    const event = { type: 'apiKey.firstUsed', projectId: null, accountId, apiKeyId: id, network } as const;
    const actor: Actor = { kind: 'apiKey', apiKeyId: id, accountId };
    await this.#people.write(actor, event, { useApiKey: { id, lastUsedAt: clock.now() } }, 'the key was revoked');
  }

  /** A key does no more than whose it is, as they are now. */
  async #rights({ accountId, personId, scopes }: ApiKey): Promise<readonly Scope[]> {
    if (personId === null) return scopes;
    const person = await this.#deps.store.people.get(personId);
    if (person?.accountId !== accountId || person.role === null) throw new PlatformError('ApiKeyRefused');
    const own = scopesOfRole[person.role];
    return scopes.filter((scope) => own.includes(scope));
  }

  async #require({ accountId, personId, label, scopes, seconds }: ApiKeyWish): Promise<void> {
    if (label.length > limits.nameChars) {
      throw new PlatformError('BadRequest', { why: `label is longer than ${limits.nameChars} characters` });
    }
    if (scopes.length === 0) throw new PlatformError('BadRequest', { why: 'scopes: name one at least' });
    if (seconds < 1 || seconds > limits.apiKeySeconds) {
      throw new PlatformError('BadRequest', { why: `seconds: expected from 1 to ${limits.apiKeySeconds}` });
    }
    const machine: readonly Scope[] = machineScopes;
    const wrong = scopes.find((scope) => !machine.includes(scope));
    if (wrong) throw new PlatformError('NotAllowed', { scope: wrong, who: 'a machine' });
    const person = personId === null ? null : await this.#people.get(accountId, personId);
    const beyond = person && scopes.find((scope) => !person.role || !scopesOfRole[person.role].includes(scope));
    if (beyond) throw new PlatformError('NotAllowed', { scope: beyond, who: `the role ${person.role}` });
  }

  /** What is another's, or the account's, is for who may write people. @throws PlatformError `NotAllowed` */
  async #requireOwner(actor: Actor, accountId: string, personId: string | null): Promise<void> {
    if (actor.kind === 'person' && actor.personId === personId) return;
    const maker = actor.kind === 'person' ? await this.#people.get(accountId, actor.personId) : null;
    if (maker?.role && scopesOfRole[maker.role].includes('people.write')) return;
    throw new PlatformError('NotAllowed', {
      scope: 'people.write',
      who: maker ? `the role ${maker.role}` : 'a machine',
    });
  }

  #view({ hash: _, label, ...rest }: ApiKey): ApiKeyView {
    return { ...rest, label: this.#deps.keys.open(null, sealedContext.apiKeyLabel(rest.id), label) };
  }
}

function same(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
