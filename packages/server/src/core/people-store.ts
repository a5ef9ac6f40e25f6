/** What is kept of people: who they are, how they log in, who is logged in, keys for programs, and grants to support staff. */
import type { Sealed } from './entities.ts';
import type { Event } from './event.ts';
import type { LogInMethod, NetworkClass } from './event-people.ts';
import type { GrantScope, PersonRole, Scope } from './person-role.ts';

export interface Person {
  readonly id: string;
  /** Null: the operator's own staff. */
  readonly accountId: string | null;
  /** Null: a log-in service gives them none any more. */
  readonly role: PersonRole | null;
  /** JSON of `{name, email}`. */
  readonly personal: Sealed;
  /** HMAC-SHA-256 of the e-mail address under the pepper; null for who comes from a log-in service. */
  readonly emailHash: string | null;
  /** The same of issuer and subject of a log-in service. */
  readonly identityHash: string | null;
  /** Whether they may have a password, which is for emergencies. */
  readonly passwordAllowed: boolean;
  /** JSON of `Secrets`. */
  readonly secrets: Sealed;
  /** SHA-256 of the token of an open invitation. */
  readonly invitationHash: string | null;
  /** Milliseconds since 1970. */
  readonly invitedUntil: number | null;
  readonly createdAt: number;
  /** Counts changes: whoever changes a person says which state they saw. */
  readonly version: number;
}

/** How somebody logs in by password. */
export interface Secrets {
  /** As `Credentials.hash` made it. */
  readonly password: string | null;
  /** Secret of the authenticator in base32 (RFC 6238). */
  readonly totp: string | null;
  /** It counts from when its first code was shown. */
  readonly confirmed: boolean;
  /** The last time step of which a code was used: none is used twice. */
  readonly totpStep: number;
  /** SHA-256 of those that are left. */
  readonly recovery: readonly string[];
}

/** A credential of WebAuthn. */
export interface Passkey {
  /** In base64url, as the public key (COSE). */
  readonly id: string;
  readonly personId: string;
  readonly publicKey: string;
  readonly counter: number;
  readonly createdAt: number;
  readonly lastUsedAt: number | null;
}

/** Somebody is logged in at one browser. */
export interface PersonSession {
  /** SHA-256 of the value of its cookie. */
  readonly hash: string;
  readonly personId: string;
  readonly method: LogInMethod;
  readonly createdAt: number;
  readonly lastUsedAt: number;
  /** Of the log-in key when it began; it ends when that is replaced. */
  readonly keyId: string;
}

/** One log-in, with the address that it came from. */
export interface LogInRecord {
  readonly id: string;
  readonly accountId: string | null;
  readonly personId: string;
  readonly at: number;
  readonly method: LogInMethod;
  readonly outcome: 'done' | 'failed';
  readonly network: NetworkClass;
  readonly address: Sealed;
}

/** How often log-ins failed for one subject. */
export interface Failures {
  /** HMAC of what was typed as the name: there need not be such a person. */
  readonly subject: string;
  readonly count: number;
  readonly lastAt: number;
}

export interface ApiKey {
  readonly id: string;
  readonly accountId: string;
  /** Whose it is: it does no more than they may. Null: the account's. */
  readonly personId: string | null;
  readonly label: Sealed;
  readonly scopes: readonly Scope[];
  /** SHA-256 of its secret half. */
  readonly hash: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly lastUsedAt: number | null;
}

/** An account lets support staff of the operator see some of what it has, for some time. */
export interface SupportGrant {
  readonly id: string;
  readonly accountId: string;
  readonly scopes: readonly GrantScope[];
  readonly givenBy: string;
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** Rows of one change, in one transaction with its event. */
export interface PeopleChange {
  /** A person as they become; refused where their version is not `from` any more. */
  readonly person?: { readonly next: Person; readonly from: number };
  readonly removePerson?: string;
  readonly addPasskey?: Passkey;
  readonly usePasskey?: Pick<Passkey, 'id' | 'counter' | 'lastUsedAt'>;
  readonly removePasskey?: { readonly id: string; readonly personId: string };
  readonly removePasskeysOf?: string;
  readonly openSession?: PersonSession;
  readonly endSession?: string;
  readonly endSessionsOf?: string;
  readonly failures?: Failures;
  readonly forget?: string;
  readonly logIn?: LogInRecord | undefined;
  readonly addApiKey?: ApiKey;
  readonly useApiKey?: Pick<ApiKey, 'id' | 'lastUsedAt'>;
  readonly removeApiKey?: string;
  readonly addGrant?: SupportGrant;
  readonly removeGrant?: string;
}

export interface PeopleStore {
  /** The key of hashes by which people are found: the one that is kept, or this one from now on. */
  pepper(fresh: Sealed): Promise<Sealed>;
  create(person: Person, event: Event): Promise<void>;
  get(id: string): Promise<Person | null>;
  /** By a hash that is theirs alone. */
  find(by: 'emailHash' | 'identityHash' | 'invitationHash', hash: string): Promise<Person | null>;
  /** Of one account, or with null the operator's, in order of creation. */
  list(accountId: string | null): Promise<Person[]>;
  /** @returns whether it was made; where not, somebody was faster */
  change(change: PeopleChange, event: Event): Promise<boolean>;
  passkey(id: string): Promise<Passkey | null>;
  passkeysOf(personId: string): Promise<Passkey[]>;
  session(hash: string): Promise<PersonSession | null>;
  /** Oldest first. */
  sessionsOf(personId: string): Promise<PersonSession[]>;
  /** A use of a session: no change, so no event. */
  touch(hash: string, at: number): Promise<void>;
  failures(subject: string): Promise<Failures | null>;
  /** Newest first. */
  logIns(accountId: string | null, limit: number): Promise<LogInRecord[]>;
  apiKey(id: string): Promise<ApiKey | null>;
  apiKeys(accountId: string): Promise<ApiKey[]>;
  /** The last use of a key after its first, as `touch`. */
  touchApiKey(id: string, at: number): Promise<void>;
  grants(accountId: string): Promise<SupportGrant[]>;
  /** What has ended by itself: sessions that rest since `idle`, began at or before `begun` or under another key; grants at `now`. */
  ended(at: { readonly idle: number; readonly begun: number; readonly keyId: string; readonly now: number }): Promise<{
    readonly sessions: readonly PersonSession[];
    readonly grants: readonly SupportGrant[];
  }>;
  /** Removes records of log-ins up to one time, and failures up to another. */
  trim(before: { readonly logIns: number; readonly failures: number }): Promise<void>;
}
