/** Grants: an account lets support staff of the operator see some of what it has. Each ends by itself. */
import { limits, PlatformError } from '@cloister/protocol';
import type { Actor } from './event.ts';
import type { Foundation } from './foundation.ts';
import type { SupportGrant } from './people-store.ts';
import type { People } from './person.ts';
import { type GrantScope, isGrantable, type Scope } from './person-role.ts';

export class SupportGrants {
  readonly #deps: Foundation;
  readonly #people: People;

  constructor(deps: Foundation, people: People) {
    this.#deps = deps;
    this.#people = people;
  }

  /** @throws PlatformError `BadRequest`, `LimitReached`, `NotAllowed` for who is no person */
  async give(
    actor: Actor,
    accountId: string,
    wish: { scopes: readonly GrantScope[]; seconds: number },
  ): Promise<SupportGrant> {
    const { ids, clock } = this.#deps;
    if (actor.kind !== 'person') throw new PlatformError('NotAllowed', { scope: 'approve', who: 'a machine' });
    const { scopes, seconds } = wish;
    if (scopes.length === 0) throw new PlatformError('BadRequest', { why: 'scopes: name one at least' });
    if (seconds < 1 || seconds > limits.supportGrantSeconds) {
      throw new PlatformError('BadRequest', { why: `seconds: expected from 1 to ${limits.supportGrantSeconds}` });
    }
    if ((await this.list(accountId)).length >= limits.supportGrantsPerAccount) {
      throw new PlatformError('LimitReached', {
        limit: 'supportGrantsPerAccount',
        value: limits.supportGrantsPerAccount,
      });
    }
    const now = clock.now();
    const expiresAt = now + seconds * 1000;
    const id = ids.uuid();
    const addGrant = {
      id,
      accountId,
      scopes: [...new Set(scopes)],
      givenBy: actor.personId,
      createdAt: now,
      expiresAt,
    };
    const event = {
      type: 'supportGrant.given',
      projectId: null,
      accountId,
      grantId: id,
      scopes: addGrant.scopes,
      expiresAt,
    } as const;
    await this.#people.write(actor, event, { addGrant }, '');
    return addGrant;
  }

  /** Those that have not ended. */
  async list(accountId: string): Promise<SupportGrant[]> {
    const now = this.#deps.clock.now();
    return (await this.#deps.store.people.grants(accountId)).filter(({ expiresAt }) => expiresAt > now);
  }

  /** @throws PlatformError `GrantNotFound` */
  async withdraw(actor: Actor, accountId: string, id: string): Promise<void> {
    if (!(await this.list(accountId)).some((grant) => grant.id === id)) throw new PlatformError('GrantNotFound');
    const event = { type: 'supportGrant.ended', projectId: null, accountId, grantId: id, why: 'withdrawn' } as const;
    await this.#people.write(actor, event, { removeGrant: id }, 'the grant has ended already');
  }

  /** Asked for each look of the operator's staff into an account. @throws PlatformError `GrantNeeded`, `NotAllowed` */
  async require(accountId: string, scope: Scope): Promise<void> {
    if (!isGrantable(scope)) throw new PlatformError('NotAllowed', { scope, who: 'the staff of the operator' });
    const grants = await this.list(accountId);
    if (!grants.some(({ scopes }) => scopes.includes(scope))) throw new PlatformError('GrantNeeded', { scope });
  }
}
