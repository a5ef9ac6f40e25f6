/** What is kept: the rows that `core` asks its store for. Secrets are sealed before they get here. */
import type { MediaPolicy } from '@cloister/protocol';
import type { SealFormat } from './certificate.ts';
import type { TermsChange } from './terms.ts';

/** A value that only the key port can open: key id, nonce and cipher text in one string. */
export type Sealed = string & { readonly sealed: unique symbol };

export interface Account {
  /** The account key: numeric, as OpenTok's are. */
  readonly id: string;
  readonly name: string;
  readonly secret: Sealed;
  /** Of its terms, in the order of their versions; at least one. */
  readonly changes: readonly TermsChange[];
  readonly createdAt: number;
}

/** One secret of a project. At most two are valid at a time, during a rotation with grace. */
export interface ProjectSecret {
  readonly id: string;
  readonly sealed: Sealed;
  /** Milliseconds since 1970 after which it is refused; null: until it is rotated. */
  readonly expiresAt: number | null;
}

export interface Project {
  /** The API key: a decimal number below 2^31, since the PHP and Java SDKs hold it as an int. */
  readonly id: string;
  readonly accountId: string;
  readonly name: string;
  readonly status: 'ACTIVE' | 'SUSPENDED';
  /** Newest first. */
  readonly secrets: readonly ProjectSecret[];
  /** Signs this project's webhooks; never the project's own secret. */
  readonly signatureSecret: Sealed;
  readonly policy: MediaPolicy;
  readonly zone: string;
  readonly createdAt: number;
}

export interface Session {
  readonly id: string;
  readonly projectId: string;
  readonly mediaMode: 'routed' | 'relayed';
  readonly archiveMode: 'manual' | 'always';
  readonly archiveName: Sealed | null;
  readonly archiveResolution: string | null;
  readonly e2ee: boolean;
  /** Copied from the project when the session is created; never changes. `location` became it and was dropped. */
  readonly zone: string;
  readonly policy: MediaPolicy;
  readonly createdAt: number;
}

/** A webhook address of a project, for one event of one group. */
export interface Callback {
  readonly id: string;
  readonly projectId: string;
  readonly group: 'archive' | 'connection' | 'stream' | 'ipRanges';
  readonly event: 'status' | 'created' | 'destroyed' | 'changed' | 'reminder';
  readonly url: Sealed;
  readonly createdAt: number;
}

export type ArchiveStatus =
  | 'started'
  | 'paused'
  | 'stopped'
  | 'available'
  | 'uploaded'
  | 'expired'
  | 'failed'
  | 'deleted';

/** A recording of a session, from its start on. */
export interface Archive {
  /** A UUID in lower case. */
  readonly id: string;
  readonly projectId: string;
  readonly sessionId: string;
  readonly status: ArchiveStatus;
  /** Personal: the store seals it, here and in events. */
  readonly name: string;
  /** Why it ended; constant words. */
  readonly reason: string;
  readonly outputMode: 'composed' | 'individual';
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  /** Such as `640x480`; null where the tracks stay apart. */
  readonly resolution: string | null;
  readonly streamMode: 'auto' | 'manual';
  /** Begun by the session itself (`archiveMode: always`): it is not stopped by REST. */
  readonly automatic: boolean;
  /** Bits a second. */
  readonly maxBitrate: number | null;
  readonly quantizationParameter: number | null;
  /** PEM of what it is sealed to in OpenTok's format. Null and no `recipients`: to the project's data key. */
  readonly certificate: string | null;
  /** PEM of what it is sealed to in our own format. */
  readonly recipients: readonly string[];
  /** The call that started it, in whole seconds; milliseconds since 1970. */
  readonly createdAt: number;
  /** When its first byte was sealed. */
  readonly beganAt: number | null;
  readonly updatedAt: number;
  readonly sizeBytes: number;
  readonly durationMs: number;
  /** base64; '' until it has ended. */
  readonly sha256: string;
  readonly password: string;
  /** Whether there may be a file of it with us. */
  readonly kept: boolean;
  /** What the platform signed of it (compact JWS); '' until it has ended with something to vouch for. */
  readonly manifest: string;
  /** What its recorder was shut in with; null for one of a version that did not store it. */
  readonly sandbox: RecorderSandbox | null;
}

/** What shuts a recorder in: no network, no file but the program. `none`: its environment alone was empty. */
export type RecorderSandbox = 'bubblewrap' | 'none';

/** Where a project wants its archives, in the clear; in memory only. */
export type StorageTarget =
  | {
      readonly type: 's3';
      readonly accessKey: string;
      readonly secretKey: string;
      readonly bucket: string;
      /** null: Amazon's. */
      readonly endpoint: string | null;
      /** null: found out. */
      readonly region: string | null;
      /** What the bucket is to encrypt with, and has to confirm: keys of its own, or one of a key service. */
      readonly sse: 's3' | 'kms' | 'none';
      /** Of `kms`: its id or ARN. */
      readonly kmsKeyId: string | null;
      readonly kmsEncryptionContext: Readonly<Record<string, string>> | null;
    }
  | {
      readonly type: 'azure';
      readonly accountName: string;
      readonly accountKey: string;
      readonly container: string;
      /** With a port where it is not 443; null: the public cloud's. */
      readonly domain: string | null;
    };

/** How a project wants its archives stored. */
export interface Storage {
  readonly projectId: string;
  /** JSON of a `StorageTarget`. */
  readonly target: Sealed;
  /** Whether what cannot be stored there is kept with us. */
  readonly fallback: 'none' | 'opentok';
  /** PEM that composed archives are sealed to. */
  readonly certificate: string | null;
  readonly updatedAt: number;
}

/** What a project wants its archives sealed to, beside what its storage says. */
export interface Sealing {
  readonly projectId: string;
  readonly format: SealFormat;
  /** PEM; one for OpenTok's format. */
  readonly certificates: readonly string[];
  readonly updatedAt: number;
}

/** One HTTP call that is owed to a receiver. */
export interface Delivery {
  readonly id: string;
  readonly projectId: string;
  /** Deliveries with the same order key go out one after the other. */
  readonly orderKey: string;
  readonly url: Sealed;
  readonly body: Sealed;
  readonly attempts: number;
  /** Milliseconds since 1970. */
  readonly dueAt: number;
  readonly createdAt: number;
}
