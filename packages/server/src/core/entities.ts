/** What is kept: the rows that `core` asks its store for. Secrets are sealed before they get here. */
import type { MediaPolicy } from '@cloister/protocol';
import type { AddOns, PlanName } from './plan.ts';

/** A value that only the key port can open: key id, nonce and cipher text in one string. */
export type Sealed = string & { readonly sealed: unique symbol };

export interface Account {
  /** The account key: numeric, as OpenTok's are. */
  readonly id: string;
  readonly name: string;
  readonly secret: Sealed;
  readonly plan: PlanName;
  readonly addOns: AddOns;
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
  readonly group: 'archive' | 'connection' | 'stream';
  readonly event: 'status' | 'created' | 'destroyed';
  readonly url: Sealed;
  readonly createdAt: number;
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
