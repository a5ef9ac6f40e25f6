/**
 * How somebody gets their ways in: by the link of an invitation a passkey, or, where they may, a password with an
 * authenticator beside it; and later, logged in, more passkeys, new recovery codes, another password.
 */
import { limits, PlatformError } from '@cloister/protocol';
import { Challenges } from './challenges.ts';
import type { Credentials, PageOrigin, PasskeyQuestion } from './credentials.ts';
import type { Actor } from './event.ts';
import type { Credential } from './event-people.ts';
import type { Foundation } from './foundation.ts';
import type { LogIns, Whence } from './log-in.ts';
import type { PeopleChange, Person, Secrets } from './people-store.ts';
import { digestOf, type People } from './person.ts';
import type { LoggedInPerson } from './person-session.ts';

/** A question to a browser, and the name to answer it under. */
export interface AskedPasskey {
  readonly challengeId: string;
  readonly options: PasskeyQuestion['options'];
}

/** What an authenticator is set up with. */
export interface ShownTotp {
  readonly secret: string;
  readonly uri: string;
  readonly picture: string;
}

interface Parts {
  readonly people: People;
  readonly logIns: LogIns;
  readonly credentials: Credentials;
}

const closed = { invitationHash: null, invitedUntil: null } as const;
const changedMeanwhile = 'somebody else has changed this person in this moment; look again';
const codeBytes = 5;

export class Enrolments {
  readonly #deps: Foundation;
  readonly #parts: Parts;
  readonly #asked: Challenges<{ readonly personId: string; readonly challenge: string }>;

  constructor(deps: Foundation, parts: Parts) {
    this.#deps = deps;
    this.#parts = parts;
    this.#asked = new Challenges(deps);
  }

  /** First half of a password: its hash and the secret of an authenticator. Neither opens anything until `confirm`. */
  async setPassword(token: string, password: string): Promise<ShownTotp> {
    const { people, credentials } = this.#parts;
    const person = await people.invited(token);
    if (!person.passwordAllowed) {
      throw new PlatformError('PasswordRefused', {
        why: 'this invitation is for a passkey; passwords are for emergencies',
      });
    }
    requirePassword(password);
    const secret = credentials.totpSecret();
    const secrets: Secrets = {
      password: await credentials.hash(password),
      totp: secret,
      confirmed: false,
      totpStep: 0,
      recovery: [],
    };
    const { id, accountId } = person;
    const event = {
      type: 'person.credentialAdded',
      projectId: null,
      accountId,
      personId: id,
      credential: 'password',
    } as const;
    await people.change(actorOf(person), event, person, { secrets: people.sealSecrets(id, secrets) });
    return { secret, ...(await credentials.totpShown(secret, people.personalOf(person).email)) };
  }

  /** Second half: a first code shows that the authenticator works. The link is used up, and they are logged in. */
  async confirm(token: string, code: string, from: Whence): Promise<{ cookie: string; recoveryCodes: string[] }> {
    const { people, credentials } = this.#parts;
    const person = await people.invited(token);
    const secrets = people.secretsOf(person);
    const step = secrets.totp === null ? null : credentials.totpStep(secrets.totp, code, this.#deps.clock.now());
    if (step === null) throw new PlatformError('LogInFailed');
    const { codes, hashes } = this.#recoveryCodes();
    const next = { ...secrets, confirmed: true, totpStep: step, recovery: hashes };
    const sealed = people.sealSecrets(person.id, next);
    await this.#write(person, 'person.credentialAdded', 'recoveryCodes', { ...closed, secrets: sealed }, {});
    const cookie = await this.#parts.logIns.first(person.id, 'password', from);
    return { cookie, recoveryCodes: codes };
  }

  /** What a browser has to make a passkey of. @param who by their link, or logged in */
  async askPasskey(site: PageOrigin, who: Person): Promise<AskedPasskey> {
    const { people, credentials } = this.#parts;
    const known = await this.#deps.store.people.passkeysOf(who.id);
    if (known.length >= limits.passkeysPerPerson) {
      throw new PlatformError('LimitReached', { limit: 'passkeysPerPerson', value: limits.passkeysPerPerson });
    }
    const { challenge, options } = await credentials.passkeys.creation(site, {
      id: who.id,
      ...people.personalOf(who),
      known,
    });
    return { challengeId: this.#asked.put({ personId: who.id, challenge }), options };
  }

  /** The passkey that a browser made for a link; the link is used up, and they are logged in. → the value of the cookie */
  async takePasskey(
    site: PageOrigin,
    token: string,
    { challengeId, answer }: { challengeId: string; answer: unknown },
    from: Whence,
  ): Promise<string> {
    const person = await this.#parts.people.invited(token);
    const addPasskey = await this.#created(site, person, challengeId, answer);
    await this.#write(person, 'person.credentialAdded', 'passkey', closed, { addPasskey });
    return this.#parts.logIns.first(person.id, 'passkey', from);
  }

  /** One more passkey of somebody who is logged in. */
  async addPasskey(site: PageOrigin, { person }: LoggedInPerson, challengeId: string, answer: unknown): Promise<void> {
    const addPasskey = await this.#created(site, person, challengeId, answer);
    await this.#write(person, 'person.credentialAdded', 'passkey', {}, { addPasskey });
  }

  /** Ends their other log-ins too, since one of them may be of who has the key. @throws PlatformError `WrongState` for the last way in */
  async removePasskey({ person, session }: LoggedInPerson, id: string): Promise<void> {
    const { store } = this.#deps;
    const own = await store.people.passkeysOf(person.id);
    if (!own.some((each) => each.id === id)) throw new PlatformError('BadRequest', { why: 'there is no such passkey' });
    if (own.length === 1 && !this.#parts.people.secretsOf(person).confirmed) {
      throw new PlatformError('WrongState', { why: 'this passkey is the only way in; add another first' });
    }
    const rows = { removePasskey: { id, personId: person.id }, endSessionsOf: person.id, openSession: session };
    await this.#write(person, 'person.credentialRemoved', 'passkey', {}, rows);
  }

  /** Another password for who knows the one of now. All their other log-ins end. @throws PlatformError `LogInFailed` */
  async changePassword({ person, session }: LoggedInPerson, old: string, password: string): Promise<void> {
    const { people, credentials } = this.#parts;
    const secrets = people.secretsOf(person);
    if (!(await credentials.matches(old, secrets.password))) throw new PlatformError('LogInFailed');
    requirePassword(password);
    const next = people.sealSecrets(person.id, { ...secrets, password: await credentials.hash(password) });
    const rows = { endSessionsOf: person.id, openSession: session };
    await this.#write(person, 'person.credentialAdded', 'password', { secrets: next }, rows);
  }

  /** New recovery codes; those before are good for nothing any more. @throws PlatformError `WrongState` without a password */
  async renewRecoveryCodes({ person }: LoggedInPerson): Promise<string[]> {
    const { people } = this.#parts;
    const secrets = people.secretsOf(person);
    if (!secrets.confirmed)
      throw new PlatformError('WrongState', { why: 'recovery codes stand in for an authenticator, and there is none' });
    const { codes, hashes } = this.#recoveryCodes();
    const next = people.sealSecrets(person.id, { ...secrets, recovery: hashes });
    await this.#write(person, 'person.credentialAdded', 'recoveryCodes', { secrets: next }, {});
    return codes;
  }

  async #created(site: PageOrigin, person: Person, challengeId: string, answer: unknown) {
    const asked = this.#asked.take(challengeId);
    if (asked.personId !== person.id) throw new PlatformError('LogInFailed');
    const made = await this.#parts.credentials.passkeys.created(site, asked.challenge, answer);
    if (!made) throw new PlatformError('LogInFailed');
    return { ...made, personId: person.id, createdAt: this.#deps.clock.now(), lastUsedAt: null };
  }

  async #write(
    person: Person,
    type: 'person.credentialAdded' | 'person.credentialRemoved',
    credential: Credential,
    next: Partial<Person>,
    rows: PeopleChange,
  ): Promise<void> {
    const { id, accountId } = person;
    const event = { type, projectId: null, accountId, personId: id, credential } as const;
    const changed = { ...person, ...next, version: person.version + 1 };
    const all = { ...rows, person: { next: changed, from: person.version } };
    await this.#parts.people.write(actorOf(person), event, all, changedMeanwhile);
  }

  /** Ten groups that are easy to copy from paper, and what is kept of them. */
  #recoveryCodes(): { codes: string[]; hashes: string[] } {
    const group = () => this.#deps.ids.hex(codeBytes);
    const codes = Array.from({ length: limits.recoveryCodes }, () => `${group()}-${group()}`);
    return { codes, hashes: codes.map(digestOf) };
  }
}

function actorOf({ id, accountId }: Person): Actor {
  return { kind: 'person', personId: id, accountId };
}

function requirePassword(password: string): void {
  const { length } = password;
  if (length < limits.passwordCharsLeast) {
    throw new PlatformError('PasswordRefused', { why: `it has fewer than ${limits.passwordCharsLeast} characters` });
  }
  if (length > limits.passwordChars) {
    throw new PlatformError('PasswordRefused', { why: `it has more than ${limits.passwordChars} characters` });
  }
}
