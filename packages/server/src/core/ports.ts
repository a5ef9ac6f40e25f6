/** The ports that `core` needs from outside. `main.ts` fills them; tests fill them with the same real parts, embedded. */
import type { ErrorCode, Leg } from '@cloister/protocol';
import type { AddressBook } from './address-book.ts';
import type { AuditStore } from './audit-log.ts';
import type {
  Account,
  Archive,
  ArchiveStatus,
  Callback,
  Delivery,
  Project,
  Sealed,
  Sealing,
  Session,
  Storage,
} from './entities.ts';
import type { Actor, Event, EventType } from './event.ts';
import type { Words } from './leg-word.ts';
import type { PeopleStore } from './people-store.ts';
import type { TermsChange } from './terms.ts';
import type { UsageStore } from './usage.ts';

/** An event with its place in the outbox. */
export interface Recorded {
  /** Strictly ascending; gaps are possible, reordering is not. */
  readonly position: number;
  /** Strictly ascending without a gap; null for an event of a version before there was one, or of a row beside the outbox. */
  readonly sequence: number | null;
  readonly event: Event;
}

/** An event that does not open any more: what can still be said of it. Its reader passes it, so that the others go on. */
export interface Unreadable {
  readonly position: number;
  readonly sequence: number | null;
  readonly event: null;
  readonly projectId: string | null;
  /** Why, in constant words or as the code of a refusal. */
  readonly why: string;
}

/** A leg as it is in the record, with what was said of it. */
export interface RecordedLeg {
  readonly leg: Leg;
  readonly words: Words;
}

/** What a project has set for its archives, as it was read; null: nothing. */
export interface ArchiveTerms {
  readonly storage: Storage | null;
  readonly sealing: Sealing | null;
}

/** Where an archive stands among others, by its last change. */
export type ArchivePlace = Pick<Archive, 'id' | 'updatedAt'>;

/**
 * What lasts. Every method that changes something takes the event of that change and writes both in one transaction
 * (invariant 9); it resolves when the transaction is durable. Personal fields of events are sealed by the store with the
 * `seal` it was given; a row that cannot be opened is a `SealBroken`, never an empty value. Only in the outbox, which is read
 * in order for everybody, it is an `Unreadable` instead.
 */
export interface Store {
  readonly accounts: {
    create(account: Account, event: Event): Promise<void>;
    get(id: string): Promise<Account | null>;
    list(): Promise<Account[]>;
    update(id: string, change: Partial<Pick<Account, 'secret'>>, event: Event): Promise<void>;
    /** Adds a change of terms. @throws PlatformError `TermsChanged` where another has its version */
    changeTerms(id: string, change: TermsChange, event: Event): Promise<void>;
  };
  readonly projects: {
    create(project: Project, event: Event): Promise<void>;
    get(id: string): Promise<Project | null>;
    /** In order of creation. */
    list(accountId: string): Promise<Project[]>;
    update(
      id: string,
      change: Partial<Pick<Project, 'name' | 'status' | 'secrets' | 'signatureSecret' | 'policy' | 'zone'>>,
      event: Event,
    ): Promise<void>;
    /** Removes the project with everything that belongs to it, its data keys too; its events stay without their personal fields. */
    remove(id: string, event: Event): Promise<void>;
  };
  readonly sessions: {
    /** Concurrent calls share one transaction: 1,500 a second and more. */
    create(session: Session, event: Event): Promise<void>;
    get(id: string): Promise<Session | null>;
  };
  readonly legs: {
    /** Of one session, in order of connection. */
    list(sessionId: string): Promise<RecordedLeg[]>;
  };
  /**
   * What has begun in the record and not ended in it. While no call runs, that is what a run left that was killed. Rows
   * do not say which process made them: one process at a time has a database.
   */
  readonly stillOpen: {
    sessions(): Promise<{ readonly projectId: string; readonly sessionId: string }[]>;
    of(sessionId: string): Promise<{
      readonly legs: readonly (RecordedLeg & { readonly id: string })[];
      /** The first events of connections and streams, oldest first. */
      readonly begun: readonly (Recorded | Unreadable)[];
    }>;
  };
  readonly callbacks: {
    create(callback: Callback, event: Event): Promise<void>;
    /** Of one project, in order of creation. */
    list(projectId: string): Promise<Callback[]>;
    remove(projectId: string, id: string, event: Event): Promise<boolean>;
  };
  readonly deliveries: {
    /** Puts deliveries in the queue and moves the reader on, in one transaction: nothing is queued twice. */
    enqueue(deliveries: readonly Delivery[], reader: string, position: number): Promise<void>;
    /** The oldest delivery of each order key, where it is due at `now`; at most `limit`, not those in `except`. */
    due(now: number, limit: number, except: readonly string[]): Promise<Delivery[]>;
    /** The time at which the next delivery falls due; with `after`, the first that is later than it. Null when there is none. */
    nextDueAt(after?: number): Promise<number | null>;
    done(id: string): Promise<void>;
    retry(id: string, attempts: number, dueAt: number): Promise<void>;
  };
  readonly archives: {
    /**
     * @param under what its project had set when the archive was planned: it is made only where that is set still
     * @returns whether it was made
     */
    create(archive: Archive, event: Event, under?: ArchiveTerms): Promise<boolean>;
    get(id: string): Promise<Archive | null>;
    /** Of one project, or of one of its sessions, newest first, without those that were deleted; `count` is of all of them. */
    list(
      projectId: string,
      wish: { readonly sessionId?: string; readonly offset: number; readonly count: number },
    ): Promise<{ readonly count: number; readonly items: Archive[] }>;
    /** Writes its next state, where its last one is still `from`; whether it was. */
    update(archive: Archive, from: ArchiveStatus, event: Event): Promise<boolean>;
    /** The ids of started, paused and stopped ones, oldest first: while none runs, those that a killed run left. */
    unfinished(): Promise<string[]>;
    /**
     * Those with a file that is not to be kept any longer: deleted, expired and uploaded ones, and those that ended at or
     * before `until`; oldest first.
     * @param after the last one of the batch before
     */
    outlived(until: number, limit: number, after?: ArchivePlace | null): Promise<ArchivePlace[]>;
    /** Of one project, the ids of those that may have a file with us, whether or not we know what is in it. */
    filed(projectId: string): Promise<string[]>;
    /** Which of these ids are of an archive, in no order. */
    known(ids: readonly string[]): Promise<string[]>;
    /** Its file is gone; with a deleted archive its row goes too. */
    released(id: string): Promise<void>;
  };
  readonly storages: {
    get(projectId: string): Promise<Storage | null>;
    put(storage: Storage, event: Event): Promise<void>;
    remove(projectId: string, event: Event): Promise<boolean>;
  };
  readonly sealings: {
    get(projectId: string): Promise<Sealing | null>;
    put(sealing: Sealing, event: Event): Promise<void>;
    remove(projectId: string, event: Event): Promise<boolean>;
  };
  readonly outbox: {
    /** Events of running calls, in order. `leg.*` events also write the row of their leg, those of archives theirs. */
    append(events: readonly Event[]): Promise<void>;
    /** Events after a reader's position, oldest first. */
    read(reader: string, limit: number): Promise<(Recorded | Unreadable)[]>;
    /** Moves a reader on; never back. */
    advance(reader: string, position: number): Promise<void>;
    /** Calls `wake` after each commit that added events; returns how to stop. */
    watch(wake: () => void): () => void;
  };
  readonly addresses: AddressBook;
  readonly audit: AuditStore;
  /** The settings of the last start, sealed by who asks. */
  readonly settings: {
    last(): Promise<Sealed | null>;
    put(settings: Sealed, event: Event): Promise<void>;
  };
  readonly people: PeopleStore;
  readonly usage: UsageStore;
  readonly keyring: {
    load(): Promise<KeyRow[]>;
    /** @param event of the change, written in its transaction */
    save(row: KeyRow, event?: Event): Promise<void>;
    remove(id: string): Promise<void>;
  };
  close(): Promise<void>;
}

/** One key as it is stored: wrapped by the root, or by nothing that is in the database. */
export interface KeyRow {
  readonly id: string;
  /** `project:<id>` or `platform:data` for a data key, otherwise the name of the purpose. */
  readonly purpose: string;
  readonly wrapped: string;
  readonly createdAt: number;
  /** From then on only opened or verified with, never sealed or signed with. */
  readonly retiredAt: number | null;
  readonly compromisedAt: number | null;
}

/** One purpose, one key (design: `keys/`). */
export type KeyPurpose =
  | 'admission'
  | 'webhook'
  | 'platform'
  | 'login'
  | 'download'
  | 'manifest'
  | 'audit'
  | 'address-list';

/** A public key and what becomes of it: `next` signs after the rotation that is to come. */
export interface KeyInLife {
  readonly key: PublicKey;
  readonly state: 'current' | 'next' | 'retired';
}

/** A public key for others to verify with: JWK (RFC 8037), named by its thumbprint (RFC 7638). */
export interface PublicKey {
  readonly kid: string;
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly x: string;
}

/** The key port. Data keys belong to projects; the rest have a purpose. */
export interface Keys {
  /** Seals text with the current data key of a project, or with the platform's (`null`); AES-256-GCM, bound to `context`. */
  seal(projectId: string | null, context: string, clear: string): Sealed;
  /** @throws PlatformError `SealBroken` when the value, its context or its key is not the one sealed with. */
  open(projectId: string | null, context: string, sealed: Sealed): string;
  /**
   * The same value under the current key; unchanged when it is under it already.
   * @throws PlatformError `SealBroken` as `open` does.
   */
  reseal(projectId: string | null, context: string, sealed: Sealed): Sealed;
  /** Makes the data key of a new project; must be awaited before the first `seal` for it. */
  createDataKey(projectId: string): Promise<void>;
  /** Forgets a project's data keys for good: nothing sealed with them opens again. */
  destroyDataKey(projectId: string): Promise<void>;
  /** Signs with the current Ed25519 key of the purpose: compact JWS (RFC 7515) with its `kid`. */
  sign(purpose: KeyPurpose, claims: Readonly<Record<string, unknown>>): string;
  /** Signs bytes as they are (RFC 8032) with the current Ed25519 key of the purpose: for formats that are no JWS. */
  signBytes(purpose: KeyPurpose, bytes: Uint8Array): { readonly key: PublicKey; readonly signature: Buffer };
  /** Claims of a JWS made by `sign` for this purpose, or null when the signature or key is not valid now. Expiry is the caller's. */
  verify(purpose: KeyPurpose, jws: string): Record<string, unknown> | null;
  /** Public keys that what was signed for a purpose may be checked with now. */
  publicKeys(purpose: KeyPurpose): PublicKey[];
  /** Those of a purpose that have leaked: what they signed is nobody's word, and may still be compared with what is known otherwise. */
  leakedKeys(purpose: KeyPurpose): PublicKey[];
  /** The same in the order current, next, retired (the last one first). */
  keysInLife(purpose: KeyPurpose): KeyInLife[];
}

/**
 * The names that a log line may carry. `log/fields.ts` gives each of them a class (public, pseudonym, personal); where
 * `main.ts` joins the two, a name that has no class does not compile. Add a field in both places.
 */
export interface JournalFields {
  readonly accountId?: string | null;
  readonly projectId?: string | null;
  readonly sessionId?: string | null;
  readonly connectionId?: string | null;
  readonly streamId?: string | null;
  readonly transportId?: string | null;
  readonly callbackId?: string | null;
  readonly archiveId?: string | null;
  /** How a recorder is shut in. */
  readonly sandbox?: string | null;
  readonly deliveryId?: string | null;
  readonly requestId?: string | null;
  readonly keyId?: string | null;
  readonly purpose?: string | null;
  /** Code of a refusal. */
  readonly code?: string | null;
  /** What an unexpected error or another program said. Addresses are stripped from it. */
  readonly error?: string | null;
  /** Where an unexpected error was thrown. */
  readonly stack?: string | null;
  /** A line of another program, such as the media worker. Addresses are stripped from it. */
  readonly line?: string | null;
  readonly event?: string | null;
  readonly reason?: string | null;
  /** A cause in constant words. */
  readonly why?: string | null;
  readonly state?: string | null;
  readonly scope?: string | null;
  readonly role?: string | null;
  /** The pattern of a route, never a path that a client sent. */
  readonly route?: string | null;
  readonly method?: string | null;
  readonly status?: number | null;
  readonly attempt?: number | null;
  readonly count?: number | null;
  readonly limit?: number | null;
  readonly waiting?: number | null;
  readonly bytes?: number | null;
  readonly durationMs?: number | null;
  readonly delayMs?: number | null;
  readonly position?: number | null;
  /** Process id of a media worker. */
  readonly worker?: number | null;
  readonly exitCode?: number | null;
  readonly signal?: string | null;
  readonly version?: string | null;
  readonly suite?: string | null;
  readonly direction?: string | null;
  readonly kind?: string | null;
  readonly zone?: string | null;
  readonly policy?: string | null;
  readonly mode?: string | null;
  readonly port?: number | null;
  /** Host of a customer's webhook receiver. */
  readonly destination?: string | null;
}

/** A string that stands in the source: one with something interpolated is `never`, so it does not compile. */
export type Constant<Message extends string> = Record<never, never> extends Record<Message, 1> ? never : Message;

/** The log port: constant messages and declared fields only. */
export interface Journal {
  record<Message extends string>(
    level: 'debug' | 'info' | 'warn' | 'error',
    message: Constant<Message>,
    fields?: JournalFields,
  ): void;
}

/** Something that matters to security was done, or was tried: who, what, to whom, when and how it ended. Nothing personal. */
export interface Act {
  /** Milliseconds since 1970, UTC. */
  readonly at: number;
  readonly actor: Actor;
  /** As its event is named. */
  readonly action: EventType;
  readonly subject: {
    readonly kind:
      | 'account'
      | 'project'
      | 'key'
      | 'callback'
      | 'session'
      | 'connection'
      | 'stream'
      | 'leg'
      | 'archive'
      | 'platform'
      | 'addressBlock'
      | 'person'
      | 'apiKey'
      | 'supportGrant';
    readonly id: string;
  };
  readonly projectId: string | null;
  /** `refused`: the platform refused a leg. `failed`: the change was not made; `code` says why. */
  readonly outcome: 'done' | 'refused' | 'failed';
  readonly code: ErrorCode | null;
}

/** Who wants to hear of acts as they happen. The audit log itself follows the outbox. */
export interface Audit {
  /** Takes one act. It neither throws nor makes its caller wait. */
  note(act: Act): void;
}

/** Rate limits (filled by `access/`): a bucket for each scope and subject, in memory only. */
export interface RateLimiter {
  /** Takes `cost` (1 unless given) out of the subject's bucket; a cost of 0 takes nothing and asks whether 1 is there. */
  take(
    scope: RateScope,
    subject: string,
    cost?: number,
  ): { readonly ok: true } | { readonly ok: false; readonly retryAfterSeconds: number };
}
export type RateScope = 'project' | 'token' | 'connection' | 'frame' | 'address' | 'join' | 'failure';

/** The one way out to other hosts (filled by `access/`, invariant 10). */
export interface Egress {
  /** @throws PlatformError `DestinationRefused` without connecting anywhere. */
  check(url: string): Promise<void>;
  /** One request: checked address, no redirect, bounded time and answer. @throws PlatformError `DestinationRefused`, `DestinationFailed` */
  request(call: {
    readonly url: string;
    readonly method: 'POST' | 'GET';
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
    readonly timeoutMs: number;
    readonly answerBytes: number;
  }): Promise<{ readonly status: number }>;
}
