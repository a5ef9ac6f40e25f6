/**
 * Who is logged in. A session is a random value of 256 bits in a cookie and its hash in the database. It ends by itself
 * after some minutes without use and after a working day; with a change of role, password or passkeys; and when the key
 * of the purpose `login` is rotated, which so logs everybody off.
 */
import { limits, PlatformError } from '@cloister/protocol';
import type { Cancel } from '../lib/index.ts';
import type { Actor } from './event.ts';
import type { LogInMethod } from './event-people.ts';
import type { Foundation } from './foundation.ts';
import type { PeopleChange, Person, PersonSession } from './people-store.ts';
import { digestOf, type People } from './person.ts';

/** Somebody who is logged in. */
export interface LoggedInPerson {
  readonly person: Person;
  readonly session: PersonSession;
  /** What a page of this session sends along with each change: no other site can read it. */
  readonly csrf: string;
}

/** A session that begins: what the browser keeps, and the rows to be written with the log-in. */
export interface NewSession {
  readonly value: string;
  readonly rows: Pick<PeopleChange, 'openSession' | 'endSession'>;
}

const valueBytes = 32;
/** A use is written down when the last one is so old: not each request is a write. */
const touchMs = 30_000;
const sweepMs = 60_000;

export class PersonSessions {
  readonly #deps: Foundation;
  readonly #people: People;
  #cancel: Cancel = () => {};

  constructor(deps: Foundation, people: People) {
    this.#deps = deps;
    this.#people = people;
  }

  /** Makes one; it begins when its rows are written. The oldest ends where there are too many. */
  async begin(personId: string, method: LogInMethod): Promise<NewSession> {
    const { clock, ids, store } = this.#deps;
    const value = ids.token(valueBytes);
    const now = clock.now();
    const keyId = this.#keyId();
    const openSession = { hash: digestOf(value), personId, method, createdAt: now, lastUsedAt: now, keyId };
    const others = await store.people.sessionsOf(personId);
    const oldest = others.length >= limits.sessionsPerPerson ? others[0] : undefined;
    return { value, rows: { openSession, ...(oldest && { endSession: oldest.hash }) } };
  }

  /** Who has this cookie; null for nobody any more. Asking counts as use. */
  async find(value: string): Promise<LoggedInPerson | null> {
    const { store, clock } = this.#deps;
    const session = await store.people.session(digestOf(value));
    if (!session || this.#endOf(session) !== null) return null;
    const person = await store.people.get(session.personId);
    if (!person || person.role === null) return null;
    const now = clock.now();
    if (now - session.lastUsedAt >= touchMs) await store.people.touch(session.hash, now);
    return { person, session, csrf: digestOf(`csrf ${value}`) };
  }

  async logOut({ person, session }: LoggedInPerson): Promise<void> {
    const { id, accountId } = person;
    const event = { type: 'login.ended', projectId: null, accountId, personId: id, why: 'logged out' } as const;
    const actor: Actor = { kind: 'person', personId: id, accountId };
    await this.#people.write(actor, event, { endSession: session.hash }, 'it has ended already');
  }

  /** Ends by and by what has ended by itself, so that it is in the record too. Until `stop`. */
  start(): void {
    this.#cancel = this.#deps.clock.after(sweepMs, () => {
      this.sweep()
        .catch((error: unknown) => {
          const why = error instanceof PlatformError ? error.code : 'unknown';
          this.#deps.journal.record('warn', 'log-ins that have ended could not be tidied up', { why });
        })
        .finally(() => this.start());
    });
  }

  stop(): void {
    this.#cancel();
  }

  /** One round of it. */
  async sweep(): Promise<void> {
    const { store, clock } = this.#deps;
    const now = clock.now();
    const idle = now - limits.personIdleSeconds * 1000;
    const begun = now - limits.personSessionSeconds * 1000;
    const { sessions, grants } = await store.people.ended({ idle, begun, keyId: this.#keyId(), now });
    const actor: Actor = { kind: 'system' };
    for (const session of sessions) {
      const person = await store.people.get(session.personId);
      const why = this.#endOf(session);
      if (why === null) continue;
      const event = {
        type: 'login.ended',
        projectId: null,
        accountId: person?.accountId ?? null,
        personId: session.personId,
        why,
      } as const;
      await this.#people.write(actor, event, { endSession: session.hash }, 'it has ended already');
    }
    for (const { id, accountId } of grants) {
      const event = { type: 'supportGrant.ended', projectId: null, accountId, grantId: id, why: 'expired' } as const;
      await this.#people.write(actor, event, { removeGrant: id }, 'it has ended already');
    }
    const [logIns, failures] = [limits.logInAddressSeconds, limits.logInFailuresKeptSeconds];
    await store.people.trim({ logIns: now - logIns * 1000, failures: now - failures * 1000 });
  }

  #endOf({ createdAt, lastUsedAt, keyId }: PersonSession): 'idle' | 'too long' | 'key rotated' | null {
    const now = this.#deps.clock.now();
    if (keyId !== this.#keyId()) return 'key rotated';
    if (now - createdAt >= limits.personSessionSeconds * 1000) return 'too long';
    return now - lastUsedAt >= limits.personIdleSeconds * 1000 ? 'idle' : null;
  }

  /** The log-in key of now: the one that signs. */
  #keyId(): string {
    return this.#deps.keys.signBytes('login', new Uint8Array()).key.kid;
  }
}
