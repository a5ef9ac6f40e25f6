/**
 * The one event union. Every change of the platform emits exactly one of these in the transaction that makes the change
 * (or, for running calls, right after it); webhooks, audit, metrics and the console read nothing else.
 *
 * Personal fields (connection data, names) appear here in the clear, in memory only: the store seals them with the
 * project's data key before they touch a disk.
 */
import type { DisconnectReason, ErrorCode, Leg, MediaPolicy, StreamEndReason, VideoType } from '@cloister/protocol';
import type { AddressLine, Emergency } from './address-block.ts';
import type { Archive } from './entities.ts';
import type { NetworkClass, PeopleFacts } from './event-people.ts';
import type { Words } from './leg-word.ts';
import type { Act } from './ports.ts';

/** What more is known of who did it. */
interface ActorFacts {
  readonly network?: NetworkClass;
  /** For whom, where that is somebody else: support for an account, a person for the account of their team. */
  readonly onBehalfOf?: { readonly kind: 'account' | 'project'; readonly id: string };
}

/** Who did it. */
export type Actor = ActorFacts & ActorName;
type ActorName =
  | { readonly kind: 'account'; readonly accountId: string }
  | { readonly kind: 'project'; readonly projectId: string }
  | { readonly kind: 'connection'; readonly connectionId: string }
  | { readonly kind: 'operator'; readonly via: 'cli' | 'console' | 'start' }
  /** Somebody who has not shown who they are. */
  | { readonly kind: 'stranger' }
  | { readonly kind: 'person'; readonly personId: string; readonly accountId: string | null }
  | { readonly kind: 'apiKey'; readonly apiKeyId: string; readonly accountId: string }
  | { readonly kind: 'system' };

interface ConnectionFacts {
  readonly id: string;
  readonly createdAt: number;
  readonly data: string;
}

interface LegFacts {
  readonly legId: string;
  readonly leg: Leg;
  /** All that was said of it so far. */
  readonly words: Words;
}

interface StreamFacts {
  readonly id: string;
  readonly connection: ConnectionFacts;
  readonly createdAt: number;
  readonly name: string;
  readonly videoType: VideoType | null;
}

interface Base {
  /** Unique: a consumer that sees it twice knows. */
  readonly id: string;
  /** Milliseconds since 1970, UTC. */
  readonly at: number;
  readonly actor: Actor;
}

/** Events of accounts: no project is concerned. */
type AccountEvent = Base & { readonly projectId: null } & (
    | {
        readonly type: 'account.created';
        readonly accountId: string;
        readonly plan?: string;
        readonly addOns?: readonly string[];
        readonly shown?: readonly ['account'];
      }
    | {
        readonly type: 'account.planChanged';
        readonly accountId: string;
        /** From `effectiveAt` on, as all that follows; an event of an earlier version has no more than these two. */
        readonly plan: string;
        readonly addOns: readonly string[];
        /** Of the account's terms with this change. */
        readonly version?: number;
        readonly effectiveAt?: number;
        readonly lost?: readonly string[];
        /** Projects used what is lost. */
        readonly forced?: boolean;
      }
    | { readonly type: 'key.rotated'; readonly purpose: string; readonly keyId: string }
    | { readonly type: 'key.compromised'; readonly purpose: string; readonly keyId: string }
    /** At a start: the root has opened so many keys. */
    | { readonly type: 'keys.unwrapped'; readonly keys: number }
    /** What is not as it was at the last start; values that are secret are not told. */
    | { readonly type: 'settings.changed'; readonly changed: readonly SettingChange[] }
    | { readonly type: 'page.loggedIn'; readonly way: 'account' | 'code'; readonly accountId: string | null }
  );

interface SettingChange {
  readonly setting: string;
  /** Null where no start had it. */
  readonly from: string | null;
  readonly to: string;
}

/** Secrets of a project: the one that signs tokens, and the one that signs webhooks. */
type ProjectSecretKind = 'api' | 'signature';
/** Events of people, of API keys and of grants. */
type PeopleEvent = Base & { readonly projectId: null } & PeopleFacts;

interface StorageFacts {
  readonly storage: 's3' | 'azure';
  readonly fallback: 'none' | 'opentok';
  /** SHA-256 of the certificate in DER, in lower-case hexadecimal; null without one. */
  readonly certificateSha256: string | null;
}

/** Events of a project. */
type ProjectEvent = Base & { readonly projectId: string } & (
    | {
        readonly type: 'project.created';
        readonly accountId?: string;
        readonly shown?: readonly ProjectSecretKind[];
      }
    | { readonly type: 'project.statusChanged'; readonly status: 'ACTIVE' | 'SUSPENDED' }
    | {
        readonly type: 'project.secretRotated';
        readonly secretId: string;
        readonly how: 'at once' | 'grace' | 'compromised';
        readonly shown?: readonly ProjectSecretKind[];
      }
    | { readonly type: 'project.signatureSecretRotated'; readonly shown?: readonly ProjectSecretKind[] }
    /** One that is there already was shown to who may see it. */
    | { readonly type: 'secret.shown'; readonly secret: ProjectSecretKind }
    | { readonly type: 'project.policyChanged'; readonly policy: MediaPolicy }
    | { readonly type: 'project.deleted' }
    | { readonly type: 'callback.registered'; readonly callbackId: string }
    | { readonly type: 'callback.removed'; readonly callbackId: string }
    | ({ readonly type: 'storage.changed' } & StorageFacts)
    // Instead of it, so that it has a name of its own in the audit.
    | ({
        readonly type: 'storage.encryptionSwitchedOff';
        /** What encrypted archives until then, and does not any more. */
        readonly off: readonly ('certificate' | 'sse')[];
      } & StorageFacts)
    | { readonly type: 'storage.removed' }
    | {
        readonly type: 'sealing.changed';
        readonly format: 'opentok' | 'cloister';
        /** As `StorageFacts` has it, of each. */
        readonly certificateSha256: readonly string[];
      }
    | { readonly type: 'sealing.removed' }
  );

/** Events of the address list. */
type AddressListEvent =
  | (Base & { readonly projectId: null } & (
        | {
            readonly type: 'addressList.changed';
            /** Token of the new version. */
            readonly version: string;
            readonly change: 'announced' | 'withdrawn';
            readonly blockId: string;
            readonly prefix: string;
            readonly line: AddressLine;
            /** null: with its notice. */
            readonly emergency: Emergency | null;
          }
        | {
            readonly type: 'addressList.proposed';
            readonly proposalId: string;
            readonly reason: string;
            readonly proposedBy: string;
          }
      ))
  | (Base & { readonly projectId: string } & (
        | { readonly type: 'addressList.fetched'; readonly version: string }
        | { readonly type: 'addressList.acknowledged'; readonly version: string }
        | {
            readonly type: 'addressList.reminded';
            /** The last one, which the project has not acknowledged. */
            readonly version: string;
            readonly takesEffectAt: number;
            readonly days: number;
          }
        /** A connection was given an address that was announced without notice. */
        | {
            readonly type: 'addressList.emergencyUsed';
            readonly connectionId: string;
            readonly blockId: string;
            readonly prefix: string;
            readonly reason: string;
          }
      ));

/** A change that was tried and not made. */
type FailedEvent = Base & { readonly projectId: string | null } & {
  readonly type: 'act.failed';
  /** As the event of the change would be named. */
  readonly action: Act['action'];
  readonly subject: Act['subject'];
  readonly code: ErrorCode;
};

/** Events of a session and of what runs in it. */
type SessionEvent = Base & { readonly projectId: string; readonly sessionId: string } & (
    | { readonly type: 'session.created' }
    | { readonly type: 'session.started' }
    | { readonly type: 'session.ended' }
    | { readonly type: 'connection.created'; readonly connection: ConnectionFacts; readonly zone?: string }
    | { readonly type: 'connection.destroyed'; readonly connection: ConnectionFacts; readonly reason: DisconnectReason }
    | { readonly type: 'stream.created'; readonly stream: StreamFacts }
    | { readonly type: 'stream.updated'; readonly streamId: string; readonly changed: string }
    | { readonly type: 'stream.destroyed'; readonly stream: StreamFacts; readonly reason: StreamEndReason }
    | { readonly type: 'stream.layoutChanged'; readonly streamId: string; readonly classes: readonly string[] }
    | { readonly type: 'stream.muted'; readonly streamId: string }
    | { readonly type: 'session.muted'; readonly active: boolean; readonly excludedStreamIds: readonly string[] }
    | { readonly type: 'signal.sent'; readonly toConnectionId: string | null }
    | ({ readonly type: 'leg.connected' } & LegFacts)
    | ({ readonly type: 'leg.reported' } & LegFacts)
    | ({ readonly type: 'leg.closed' } & LegFacts)
    | { readonly type: 'media.lost'; readonly connectionId: string; readonly why: string }
  );

/** A change of state of an archive, with all that is known of it then. `archive.started` comes again after a pause. */
type ArchiveStateEvent = {
  readonly type:
    | 'archive.started'
    | 'archive.paused'
    | 'archive.stopped'
    | 'archive.available'
    | 'archive.uploaded'
    | 'archive.failed'
    | 'archive.expired'
    | 'archive.deleted';
  readonly archive: Archive;
  /** Of its session, where it begins. */
  readonly zone?: string;
};

/** Events of an archive. */
type ArchiveEvent = Base & { readonly projectId: string; readonly sessionId: string } & (
    | Named<ArchiveStateEvent>
    | { readonly type: 'archive.layoutChanged'; readonly archiveId: string; readonly layout: string }
    | { readonly type: 'archive.streamAdded'; readonly archiveId: string; readonly streamId: string }
    | { readonly type: 'archive.streamRemoved'; readonly archiveId: string; readonly streamId: string }
    /** Its media could not be had, such as on a node that is full: it is tried again until it is recorded. */
    | {
        readonly type: 'archive.streamLost';
        readonly archiveId: string;
        readonly streamId: string;
        readonly code: ErrorCode;
      }
    /** One that was lost is recorded from now on. */
    | { readonly type: 'archive.streamRecovered'; readonly archiveId: string; readonly streamId: string }
    /** The recorder did not keep up: told with the first packet, and at the end with how many it were. */
    | { readonly type: 'archive.packetsDropped'; readonly archiveId: string; readonly packets: number }
    | { readonly type: 'archive.downloaded'; readonly archiveId: string }
    /** It is opened with the project's data key by us, in memory, to go up into a bucket whose owner set no certificate. */
    | { readonly type: 'archive.opened'; readonly archiveId: string; readonly why: 'upload' }
  );

/** One member for each name, so that `EventOf` finds it. */
type Named<E extends { readonly type: string }> = {
  [Type in E['type']]: Omit<E, 'type'> & { readonly type: Type };
}[E['type']];

export type Event =
  | AccountEvent
  | AddressListEvent
  | PeopleEvent
  | FailedEvent
  | ProjectEvent
  | SessionEvent
  | ArchiveEvent;
export type EventType = Event['type'];
/** One member of the union by its type. */
export type EventOf<Type extends EventType> = Extract<Event, { type: Type }>;
