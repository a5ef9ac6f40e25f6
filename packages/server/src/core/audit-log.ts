/** What the audit log keeps, and where: one row an entry, the tiles of the tree over them, and the last signed checkpoint. */
import type { Sealed } from './entities.ts';

/** Name under which the log reads the outbox. */
export const auditReader = 'audit';

/** How far the log is. */
export interface AuditHead {
  /** Its name, for ever. */
  readonly origin: string;
  readonly size: number;
  /** A signed note over origin, size and root. */
  readonly checkpoint: string;
  /** Of the last event of the outbox that the log has passed; 0 before the first. */
  readonly sequence: number;
}

/** One entry as it is stored. What it says is in `sealed` alone; the rest is there to find it by, and is checked against it. */
export interface AuditEntry {
  /** From 0, without a gap. */
  readonly index: number;
  readonly eventId: string;
  readonly at: number;
  readonly action: string;
  readonly accountId: string | null;
  readonly projectId: string | null;
  /** HMAC-SHA-256 of the content under the salt: what the tree is over. */
  readonly mac: Buffer;
  /** Salt and content, sealed with the platform's data key; null when both were destroyed. */
  readonly sealed: Sealed | null;
}

/** A tile with all the hashes that it has by now: 32 bytes each, at most 256. */
export interface AuditTile {
  readonly level: number;
  readonly index: number;
  readonly hashes: Buffer;
}

/** What is looked for; what is not given does not matter. */
export interface AuditSearch {
  /** Entries of this account, and those about the log itself. */
  readonly accountId?: string | undefined;
  readonly projectId?: string | undefined;
  readonly action?: string | undefined;
  /** Milliseconds since 1970: at or after, and before. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** Indexes from the first up to, not including, the end. */
  readonly first?: number | undefined;
  readonly end?: number | undefined;
}

/** The last checkpoint that a witness signed. */
export interface Witnessed {
  readonly name: string;
  readonly checkpoint: string;
  readonly at: number;
}

export interface AuditStore {
  head(): Promise<AuditHead | null>;
  /** How many entries there are: as many as the head says, unless somebody took some away. */
  count(): Promise<number>;
  /**
   * Writes entries, the tiles that they change and the new head, and moves the log's reader, all in one transaction.
   * @param from the head that the step was made from; null for a log that begins
   * @param position of the last event passed; null where none was
   * @throws PlatformError `WrongState` when the log has another head by now
   */
  append(step: {
    readonly from: AuditHead | null;
    readonly head: AuditHead;
    readonly entries: readonly AuditEntry[];
    readonly tiles: readonly AuditTile[];
    readonly position: number | null;
  }): Promise<void>;
  /** Those that there are, in no order. */
  tiles(ids: readonly { readonly level: number; readonly index: number }[]): Promise<AuditTile[]>;
  /** By index, at most `limit`. */
  entries(search: AuditSearch, limit: number): Promise<AuditEntry[]>;
  /** Indexes of all that is found, ascending. */
  indexes(search: AuditSearch): Promise<number[]>;
  /** The index of the first entry at or after a time, the size where there is none. */
  firstAfter(at: number): Promise<number>;
  /** Destroys salt and content of entries below an index, except those of some projects. Their hashes stay. */
  destroy(before: number, except: readonly string[]): Promise<void>;
  /** The account of a project that may be gone, by the last entry on it. */
  accountOf(projectId: string): Promise<string | null>;
  /** By name. */
  witnessed(): Promise<Witnessed[]>;
  /** Replaces what this witness signed before. */
  putWitnessed(witnessed: Witnessed): Promise<void>;
  /** Index of the first entry that a receiver outside does not have; 0 for one that was never sent anything. */
  outlet(name: string): Promise<number>;
  putOutlet(name: string, next: number): Promise<void>;
}
