/** What is metered, and where it is kept: per day what was used, and what has begun and not ended. */

/** Name under which usage reads the outbox. */
export const usageReader = 'usage';

/** A connection that is there, or an archive that has not ended. Its time is counted when it ends. */
export interface OpenUse {
  readonly kind: 'connection' | 'archive';
  readonly id: string;
  readonly projectId: string;
  readonly zone: string;
  /** Milliseconds since 1970; null while it pauses. */
  readonly since: number | null;
}

/** What of a project was used in a zone on one day. */
export interface UsageDay {
  readonly projectId: string;
  readonly zone: string;
  /** Such as 2027-01-31, of UTC. */
  readonly day: string;
  /** Of all participants together, in milliseconds. */
  readonly participantMs: number;
  /** Of all archives together, while they recorded, in milliseconds. */
  readonly archiveMs: number;
  /** Cipher text of archives that ended on this day. */
  readonly sealedBytes: number;
}

/** What events have come to, from one place in the outbox to another. */
export interface UsageStep {
  /** The reader's position that the events were read from. */
  readonly from: number;
  /** Of the last of them. */
  readonly position: number;
  /** Whose a project is. */
  readonly owners: readonly { readonly projectId: string; readonly accountId: string }[];
  /** New ones, and those that have changed. */
  readonly open: readonly OpenUse[];
  readonly ended: readonly Pick<OpenUse, 'kind' | 'id'>[];
  /** To be added to what was counted; one for each project, zone and day. */
  readonly days: readonly UsageDay[];
}

/** What is looked for; what is not given does not matter. */
export interface UsageSearch {
  readonly accountId?: string | undefined;
  readonly projectId?: string | undefined;
  /** First and last day, such as 2027-01-31. */
  readonly from?: string | undefined;
  readonly until?: string | undefined;
}

type Owned<Row> = Row & { readonly accountId: string | null };

export interface UsageStore {
  /** How far the outbox has been counted; 0 before the first step. */
  position(): Promise<number>;
  /** Those of these that are open, and all archives that are open in these projects. */
  open(ids: readonly string[], projectIds: readonly string[]): Promise<OpenUse[]>;
  /**
   * Adds a step and moves the reader, in one transaction.
   * @returns whether it was added: not where the reader stands elsewhere by now
   */
  count(step: UsageStep): Promise<boolean>;
  /** Days that were counted and what is open now, as of one moment; at most `limit` rows of both together. */
  search(search: UsageSearch, limit: number): Promise<{ days: Owned<UsageDay>[]; open: Owned<OpenUse>[] }>;
}
