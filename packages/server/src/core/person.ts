/** People: invited, given roles, removed, and let in again. What they log in with is in `enrolment.ts`. */
import { createHash, createHmac } from 'node:crypto';
import { limits, PlatformError } from '@cloister/protocol';
import type { Accounts } from './account.ts';
import type { Sealed } from './entities.ts';
import type { Actor } from './event.ts';
import type { Foundation } from './foundation.ts';
import { Turns } from './lock-out.ts';
import type { PeopleChange, Person, Secrets } from './people-store.ts';
import { isRoleOf, type PersonRole } from './person-role.ts';
import type { NewEvent } from './recorder.ts';
import { sealedContext } from './sealed-context.ts';

export interface PersonWish {
  /** Null: the operator's own staff. */
  readonly accountId: string | null;
  readonly name: string;
  readonly email: string;
  readonly role: PersonRole;
  readonly passwordAllowed: boolean;
}

/** The token of a link, which is shown this once. */
export interface Invitation {
  readonly person: Person;
  readonly token: string;
  readonly expiresAt: number;
}

/** What others see of somebody. */
export interface PersonView {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly role: PersonRole | null;
  readonly invited: boolean;
  readonly passwordAllowed: boolean;
  readonly by: 'log-in service' | 'invitation';
  readonly createdAt: number;
}

export const noSecrets: Secrets = { password: null, totp: null, confirmed: false, totpStep: 0, recovery: [] };

/** SHA-256 in base64url, of random values of 256 bits: they need no salt. */
export function digestOf(random: string): string {
  return createHash('sha256').update(random).digest('base64url');
}

const pepperBytes = 32;
const tokenBytes = 32;

export class People {
  readonly #deps: Foundation;
  readonly #accounts: Accounts;
  /** Changes of who there is in an account, one after the other: so the last owner stays one. */
  readonly #turns = new Turns();
  #pepper: Promise<string> | null = null;

  constructor(deps: Foundation, accounts: Accounts) {
    this.#deps = deps;
    this.#accounts = accounts;
  }

  /** @throws PlatformError `BadRequest`, `LimitReached`, `WrongState` for an address that somebody has already */
  invite(actor: Actor, wish: PersonWish): Promise<Invitation> {
    return this.#turns.take(wish.accountId ?? '', () => this.#invite(actor, wish));
  }

  async #invite(actor: Actor, wish: PersonWish): Promise<Invitation> {
    const { store, recorder, ids, clock } = this.#deps;
    const email = readEmail(wish.email);
    requireName(wish.name);
    if (wish.accountId !== null) await this.#accounts.get(wish.accountId);
    if (!isRoleOf(wish.role, wish.accountId)) {
      const side = wish.accountId === null ? 'the operator' : 'an account';
      throw new PlatformError('BadRequest', { why: `${wish.role} is no role of ${side}` });
    }
    const { length } = await store.people.list(wish.accountId);
    if (length >= limits.peoplePerAccount) {
      throw new PlatformError('LimitReached', { limit: 'peoplePerAccount', value: limits.peoplePerAccount });
    }
    const emailHash = await this.hashOf('email', email);
    if (await store.people.find('emailHash', emailHash)) {
      throw new PlatformError('WrongState', { why: 'this e-mail address is taken by somebody who was invited before' });
    }
    const id = ids.uuid();
    const { token, ...invitation } = this.#invitation();
    const person: Person = {
      id,
      accountId: wish.accountId,
      role: wish.role,
      personal: this.sealPersonal(id, { name: wish.name, email }),
      emailHash,
      identityHash: null,
      passwordAllowed: wish.passwordAllowed,
      secrets: this.sealSecrets(id, noSecrets),
      ...invitation,
      createdAt: clock.now(),
      version: 0,
    };
    const { accountId, role } = wish;
    await recorder.change(actor, { type: 'person.invited', projectId: null, accountId, personId: id, role }, (event) =>
      store.people.create(person, event),
    );
    return { person, token, expiresAt: invitation.invitedUntil };
  }

  /** @throws PlatformError `PersonNotFound`, also for somebody of another account */
  async get(accountId: string | null, id: string): Promise<Person> {
    const person = await this.#deps.store.people.get(id);
    if (!person || person.accountId !== accountId) throw new PlatformError('PersonNotFound');
    return person;
  }

  async list(accountId: string | null): Promise<PersonView[]> {
    return (await this.#deps.store.people.list(accountId)).map((person) => this.view(person));
  }

  view(person: Person): PersonView {
    const { id, role, passwordAllowed, createdAt, invitedUntil, identityHash } = person;
    const invited = invitedUntil !== null && invitedUntil > this.#deps.clock.now();
    const by = identityHash === null ? 'invitation' : 'log-in service';
    return { id, ...this.personalOf(person), role, invited, passwordAllowed, by, createdAt };
  }

  /** Gives another role; whoever is logged in has to log in again. @throws PlatformError `PersonNotFound`, `BadRequest`, `LastOwner` */
  setRole(actor: Actor, accountId: string | null, id: string, role: PersonRole): Promise<void> {
    return this.#turns.take(accountId ?? '', () => this.#setRole(actor, accountId, id, role));
  }

  async #setRole(actor: Actor, accountId: string | null, id: string, role: PersonRole): Promise<void> {
    const person = await this.get(accountId, id);
    if (!isRoleOf(role, accountId)) throw new PlatformError('BadRequest', { why: `${role} is no role here` });
    if (person.identityHash !== null) {
      throw new PlatformError('WrongState', { why: 'their role comes from their groups at the log-in service' });
    }
    if (role !== 'owner') await this.#requireOwnerBeside(person);
    const event = {
      type: 'person.roleChanged',
      projectId: null,
      accountId,
      personId: id,
      from: person.role,
      role,
    } as const;
    await this.change(actor, event, person, { role }, { endSessionsOf: id });
  }

  /** @throws PlatformError `PersonNotFound`, `LastOwner` */
  remove(actor: Actor, accountId: string | null, id: string): Promise<void> {
    return this.#turns.take(accountId ?? '', () => this.#remove(actor, accountId, id));
  }

  async #remove(actor: Actor, accountId: string | null, id: string): Promise<void> {
    const person = await this.get(accountId, id);
    // The operator may remove the last one too, and invites another.
    if (actor.kind !== 'operator') await this.#requireOwnerBeside(person);
    const event = { type: 'person.removed', projectId: null, accountId, personId: id } as const;
    const forget = person.emailHash === null ? {} : { forget: person.emailHash };
    await this.change(actor, event, person, {}, { removePerson: id, ...forget });
  }

  /** Lets somebody try again at once, whose log-ins failed too often. @throws PlatformError `PersonNotFound` */
  async unlock(actor: Actor, accountId: string | null, id: string): Promise<void> {
    const person = await this.get(accountId, id);
    const event = { type: 'person.unlocked', projectId: null, accountId, personId: id } as const;
    await this.change(actor, event, person, {}, { forget: person.emailHash ?? '' });
  }

  /** Takes every way in away and makes a new link, for who has lost theirs. @throws PlatformError `PersonNotFound`, `WrongState` */
  async recover(actor: Actor, accountId: string | null, id: string): Promise<Invitation> {
    const person = await this.get(accountId, id);
    if (person.emailHash === null) {
      throw new PlatformError('WrongState', { why: 'they log in by a log-in service, which lets them in again' });
    }
    const { token, ...invitation } = this.#invitation();
    const event = { type: 'person.recovered', projectId: null, accountId, personId: id } as const;
    const next = { ...invitation, secrets: this.sealSecrets(id, noSecrets) };
    const rows = { removePasskeysOf: id, endSessionsOf: id, forget: person.emailHash };
    const changed = await this.change(actor, event, person, next, rows);
    return { person: changed, token, expiresAt: invitation.invitedUntil };
  }

  /** Who a link is for. @throws PlatformError `InvitationInvalid` */
  async invited(token: string): Promise<Person> {
    const person = await this.#deps.store.people.find('invitationHash', digestOf(token));
    if (!person || (person.invitedUntil ?? 0) < this.#deps.clock.now()) throw new PlatformError('InvitationInvalid');
    return person;
  }

  /**
   * Writes somebody as they become, with its event and other rows.
   * @throws PlatformError `WrongState` where somebody else has changed them since they were read
   */
  async change(
    actor: Actor,
    event: NewEvent,
    person: Person,
    next: Partial<Person>,
    rows: Omit<PeopleChange, 'person'> = {},
  ): Promise<Person> {
    const changed = { ...person, ...next, version: person.version + 1 };
    const all = { ...rows, person: { next: changed, from: person.version } };
    await this.write(actor, event, all, 'somebody else has changed this person in this moment; look again');
    return changed;
  }

  /** @throws PlatformError `WrongState` with these words where the rows are not as they were read */
  async write(actor: Actor, event: NewEvent, change: PeopleChange, why: string): Promise<void> {
    const { recorder, store } = this.#deps;
    await recorder.change(actor, event, async (stamped) => {
      if (await store.people.change(change, stamped)) return;
      throw new PlatformError('WrongState', { why });
    });
  }

  /** What people are found by: an HMAC under a key that is kept sealed, so that a copied database names nobody. */
  async hashOf(what: 'email' | 'identity', text: string): Promise<string> {
    this.#pepper ??= this.#openPepper();
    return createHmac('sha256', Buffer.from(await this.#pepper, 'base64url'))
      .update(`${what}\0${text}`)
      .digest('base64url');
  }

  personalOf({ id, personal }: Person): { name: string; email: string } {
    return JSON.parse(this.#deps.keys.open(null, sealedContext.personal(id), personal));
  }

  secretsOf({ id, secrets }: Person): Secrets {
    return JSON.parse(this.#deps.keys.open(null, sealedContext.personSecrets(id), secrets));
  }

  sealPersonal(id: string, personal: { name: string; email: string }): Sealed {
    return this.#deps.keys.seal(null, sealedContext.personal(id), JSON.stringify(personal));
  }

  sealSecrets(id: string, secrets: Secrets): Sealed {
    return this.#deps.keys.seal(null, sealedContext.personSecrets(id), JSON.stringify(secrets));
  }

  #invitation() {
    const { ids, clock } = this.#deps;
    const token = ids.token(tokenBytes);
    const invitedUntil = clock.now() + limits.invitationSeconds * 1000;
    return { token, invitationHash: digestOf(token), invitedUntil };
  }

  async #openPepper(): Promise<string> {
    const { ids, keys, store } = this.#deps;
    const fresh = keys.seal(null, sealedContext.pepper(), ids.token(pepperBytes));
    return keys.open(null, sealedContext.pepper(), await store.people.pepper(fresh));
  }

  async #requireOwnerBeside({ id, accountId, role }: Person): Promise<void> {
    if (role !== 'owner') return;
    const all = await this.#deps.store.people.list(accountId);
    if (!all.some((each) => each.role === 'owner' && each.id !== id)) throw new PlatformError('LastOwner');
  }
}

/** As it is looked for: without spaces around it, in lower case. @throws PlatformError `BadRequest` */
export function readEmail(text: string): string {
  const email = text.trim().toLowerCase();
  if (email.length > limits.emailChars || !/^[^\s@]+@[^\s@]+$/.test(email)) {
    throw new PlatformError('BadRequest', {
      why: `email: expected an address of at most ${limits.emailChars} characters`,
    });
  }
  return email;
}

function requireName(name: string): void {
  if (name.length <= limits.nameChars) return;
  throw new PlatformError('BadRequest', { why: `name is longer than ${limits.nameChars} characters` });
}
