/**
 * Logging in: by a log-in service, by a passkey, or in an emergency by password and authenticator. What is refused is
 * refused with one answer, in one time, whatever was wrong and whether or not there is such a person: failures are counted
 * by what was typed, not by whose it is.
 */
import { limits, PlatformError } from '@cloister/protocol';
import { Challenges } from './challenges.ts';
import type { Credentials, Identity, PageOrigin, ProviderJourney } from './credentials.ts';
import type { AskedPasskey } from './enrolment.ts';
import type { Actor } from './event.ts';
import type { LogInMethod, NetworkClass } from './event-people.ts';
import type { Foundation } from './foundation.ts';
import { AddressLocks, countAt, lockedUntil, requireUnlocked, Turns } from './lock-out.ts';
import type { LogInRecord, PeopleChange, Person, Secrets } from './people-store.ts';
import { digestOf, noSecrets, type People } from './person.ts';
import type { PersonSessions } from './person-session.ts';
import { sealedContext } from './sealed-context.ts';

/** From where somebody logs in. The address is kept sealed for a while, and is in no event. */
export interface Whence {
  readonly address: string;
  readonly network: NetworkClass;
}

/** One log-in as whoever looks into an incident sees it. */
export type LogInView = Omit<LogInRecord, 'address' | 'accountId'> & { readonly address: string };

interface Parts {
  readonly people: People;
  readonly sessions: PersonSessions;
  readonly credentials: Credentials;
}

interface Success {
  readonly person: Person;
  readonly method: LogInMethod;
  readonly recoveryCode?: boolean;
  /** Whether the address was counted for it before it was checked. */
  readonly counted?: boolean;
  /** The person as they become by it. */
  readonly next?: Partial<Person>;
  readonly rows?: PeopleChange;
}

export class LogIns {
  readonly #deps: Foundation;
  readonly #parts: Parts;
  readonly #addresses = new AddressLocks();
  readonly #turns = new Turns();
  readonly #asked: Challenges<string>;
  readonly #journeys: Challenges<ProviderJourney>;

  constructor(deps: Foundation, parts: Parts) {
    this.#deps = deps;
    this.#parts = parts;
    this.#asked = new Challenges(deps);
    this.#journeys = new Challenges(deps);
  }

  /** The log-in services there are. */
  get providers(): Credentials['providers'] {
    return this.#parts.credentials.providers;
  }

  /**
   * By password, and the code of an authenticator or one of recovery. → the value of the cookie
   * @throws PlatformError `LogInFailed`, `LogInLocked`
   */
  async byPassword(given: { email: string; password: string; code: string }, from: Whence): Promise<string> {
    const now = this.#deps.clock.now();
    this.#addresses.begin(from.address, now);
    const subject = await this.#parts.people.hashOf('email', given.email.trim().toLowerCase());
    return this.#turns.take(subject, () => this.#byPassword(subject, given, from));
  }

  /** What a browser has to sign with a passkey; it knows by itself whose it has. */
  async askPasskey(site: PageOrigin): Promise<AskedPasskey> {
    const { options, challenge } = await this.#parts.credentials.passkeys.request(site);
    return { challengeId: this.#asked.put(challenge), options };
  }

  /** By a passkey. Failures lock the address alone: nobody is shut out by another who has no key. @throws as `byPassword` */
  async byPasskey(site: PageOrigin, challengeId: string, answer: unknown, from: Whence): Promise<string> {
    const { store, clock } = this.#deps;
    this.#addresses.begin(from.address, clock.now());
    const challenge = attempt(() => this.#asked.take(challengeId));
    const passkey = await store.people.passkey(idOf(answer));
    const person = passkey && (await store.people.get(passkey.personId));
    const counter =
      challenge !== null &&
      passkey &&
      (await this.#parts.credentials.passkeys.answered(site, challenge, answer, passkey));
    if (!passkey || !person || person.role === null || counter === null || counter === false) {
      return this.#refuse(person, 'passkey', from, {}, false);
    }
    const usePasskey = { id: passkey.id, counter, lastUsedAt: clock.now() };
    return this.#succeed({ person, method: 'passkey', rows: { usePasskey } }, from);
  }

  /** Where the browser has to go, and the name of what is remembered of it. @throws PlatformError `ProviderFailed` */
  async depart(provider: string, redirectUri: string): Promise<{ url: string; journeyId: string }> {
    const { url, journey } = await this.#parts.credentials.depart(provider, redirectUri);
    return { url, journeyId: this.#journeys.put(journey) };
  }

  /**
   * Somebody comes back from a log-in service. Their groups decide what they are, at each log-in: who has none of them any
   * more loses the role and every session.
   * @throws PlatformError `LogInFailed`, `ProviderFailed`
   */
  async arrive(journeyId: string, url: (redirectUri: string) => string, from: Whence): Promise<string> {
    const { people } = this.#parts;
    this.#addresses.begin(from.address, this.#deps.clock.now());
    const identity = await this.#identify(journeyId, url).catch(async (error: unknown) => {
      await this.#recordRefusal(null, 'oidc', from, {}, false);
      throw error;
    });
    const identityHash = await people.hashOf('identity', `${identity.issuer}\0${identity.subject}`);
    return this.#turns.take(identityHash, () => this.#byIdentity(identityHash, identity, from));
  }

  /** The first, of who has just taken up their invitation with this way in. → the value of the cookie */
  async first(personId: string, method: LogInMethod, from: Whence): Promise<string> {
    const person = await this.#deps.store.people.get(personId);
    if (!person || person.role === null) throw new PlatformError('LogInFailed');
    return this.#succeed({ person, method, counted: false }, from);
  }

  async #identify(journeyId: string, url: (redirectUri: string) => string): Promise<Identity> {
    const journey = this.#journeys.take(journeyId);
    return this.#parts.credentials.arrive(journey, url(journey.redirectUri));
  }

  /** The last log-ins of an account, or with null of the operator's staff. That somebody saw the addresses is recorded. */
  async list(actor: Actor, accountId: string | null): Promise<LogInView[]> {
    const { store, keys } = this.#deps;
    const found = await store.people.logIns(accountId, limits.logInsListed);
    const event = { type: 'login.addressesShown', projectId: null, accountId, count: found.length } as const;
    await this.#parts.people.write(actor, event, {}, '');
    return found.map(({ accountId: _, address, ...rest }) => ({
      ...rest,
      address: keys.open(null, sealedContext.logInAddress(rest.id), address),
    }));
  }

  async #byPassword(
    subject: string,
    { password, code }: { password: string; code: string },
    from: Whence,
  ): Promise<string> {
    const { store, clock } = this.#deps;
    const { people, credentials } = this.#parts;
    const now = clock.now();
    const known = countAt(await store.people.failures(subject), now);
    requireUnlocked('name', lockedUntil(known), now);
    const person = await store.people.find('emailHash', subject);
    const secrets = person === null ? noSecrets : people.secretsOf(person);
    const usable = secrets.confirmed && person?.role !== null;
    const matches = await credentials.matches(password, usable ? secrets.password : null);
    const used = matches && secrets.totp !== null ? this.#useCode(secrets, code, now) : null;
    if (person === null || used === null) {
      const failures = { subject, count: known.count + 1, lastAt: now };
      return this.#refuse(person, 'password', from, { failures }, lockedUntil(failures) > now);
    }
    const next = { secrets: people.sealSecrets(person.id, used.secrets) };
    const rows = { forget: subject };
    return this.#succeed({ person, method: 'password', next, rows, recoveryCode: used.recovery }, from);
  }

  /** What a code changes, each works once; null for a wrong one. */
  #useCode(secrets: Secrets, code: string, now: number): { secrets: Secrets; recovery: boolean } | null {
    const hash = digestOf(code.trim().toLowerCase());
    if (secrets.recovery.includes(hash)) {
      return { secrets: { ...secrets, recovery: secrets.recovery.filter((each) => each !== hash) }, recovery: true };
    }
    const step = secrets.totp === null ? null : this.#parts.credentials.totpStep(secrets.totp, code, now);
    return step === null || step <= secrets.totpStep
      ? null
      : { secrets: { ...secrets, totpStep: step }, recovery: false };
  }

  async #byIdentity(identityHash: string, identity: Identity, from: Whence): Promise<string> {
    const { store } = this.#deps;
    const { assigned } = identity;
    const found = await store.people.find('identityHash', identityHash);
    if (assigned === null) {
      if (found && found.role !== null) await this.#reassign(found, null);
      return this.#refuse(found, 'oidc', from, {}, false);
    }
    if (found && found.accountId !== assigned.accountId) {
      // In another account they are somebody else: who they were there ends.
      await this.#reassign(found, null, { removePerson: found.id });
      return this.#succeed({ person: await this.#provision(identityHash, identity, assigned), method: 'oidc' }, from);
    }
    if (!found) {
      return this.#succeed({ person: await this.#provision(identityHash, identity, assigned), method: 'oidc' }, from);
    }
    const person = found.role === assigned.role ? found : await this.#reassign(found, assigned.role);
    return this.#succeed({ person, method: 'oidc' }, from);
  }

  #reassign(person: Person, role: Person['role'], rows: PeopleChange = {}): Promise<Person> {
    const { id, accountId, role: before } = person;
    const event = { type: 'person.roleChanged', projectId: null, accountId, personId: id, from: before, role } as const;
    return this.#parts.people.change({ kind: 'system' }, event, person, { role }, { ...rows, endSessionsOf: id });
  }

  async #provision(
    identityHash: string,
    { name, email }: Identity,
    assigned: NonNullable<Identity['assigned']>,
  ): Promise<Person> {
    const { ids, clock, recorder, store } = this.#deps;
    const { people } = this.#parts;
    const id = ids.uuid();
    const { accountId, role } = assigned;
    const person: Person = {
      id,
      accountId,
      role,
      personal: people.sealPersonal(id, {
        name: name.slice(0, limits.nameChars),
        email: email.slice(0, limits.emailChars),
      }),
      emailHash: null,
      identityHash,
      passwordAllowed: false,
      secrets: people.sealSecrets(id, noSecrets),
      invitationHash: null,
      invitedUntil: null,
      createdAt: clock.now(),
      version: 0,
    };
    const event = { type: 'person.provisioned', projectId: null, accountId, personId: id, role } as const;
    await recorder.change({ kind: 'system' }, event, (stamped) => store.people.create(person, stamped));
    return person;
  }

  async #succeed(
    { person, method, recoveryCode = false, counted = true, next = {}, rows = {} }: Success,
    from: Whence,
  ): Promise<string> {
    const { people, sessions } = this.#parts;
    const { id, accountId } = person;
    const { value, rows: session } = await sessions.begin(id, method);
    const logIn = this.#record(person, method, 'done', from);
    const { network } = from;
    const event = {
      type: 'login.done',
      projectId: null,
      accountId,
      personId: id,
      method,
      network,
      recoveryCode,
    } as const;
    const actor: Actor = { kind: 'person', personId: id, accountId };
    await people.change(actor, event, person, next, { ...rows, ...session, logIn });
    if (counted) this.#addresses.succeeded(from.address);
    if (method === 'password') {
      this.#deps.journal.record('warn', 'somebody logged in by a password, which is for emergencies', { accountId });
    }
    return value;
  }

  async #refuse(
    person: Person | null,
    method: LogInMethod,
    from: Whence,
    rows: PeopleChange,
    locked: boolean,
  ): Promise<never> {
    await this.#recordRefusal(person, method, from, rows, locked);
    throw new PlatformError('LogInFailed');
  }

  async #recordRefusal(
    person: Person | null,
    method: LogInMethod,
    { address, network }: Whence,
    rows: PeopleChange,
    locked: boolean,
  ): Promise<void> {
    const who = { accountId: person?.accountId ?? null, personId: person?.id ?? null };
    const event = { type: 'login.failed', projectId: null, ...who, method, network, locked } as const;
    const logIn = person ? this.#record(person, method, 'failed', { address, network }) : undefined;
    await this.#parts.people.write({ kind: 'system' }, event, { ...rows, logIn }, '');
  }

  #record(
    { id: personId, accountId }: Person,
    method: LogInMethod,
    outcome: 'done' | 'failed',
    from: Whence,
  ): LogInRecord {
    const { ids, clock, keys } = this.#deps;
    const id = ids.uuid();
    const address = keys.seal(null, sealedContext.logInAddress(id), from.address);
    return { id, accountId, personId, at: clock.now(), method, outcome, network: from.network, address };
  }
}

/** What a task gives; null where it is refused. */
function attempt<Result>(task: () => Result): Result | null {
  try {
    return task();
  } catch (error) {
    if (error instanceof PlatformError) return null;
    throw error;
  }
}

/** The id of the passkey that an answer says it is by. */
function idOf(answer: unknown): string {
  const id = (answer as { id?: unknown } | null)?.id;
  return typeof id === 'string' ? id.slice(0, 1024) : '';
}
