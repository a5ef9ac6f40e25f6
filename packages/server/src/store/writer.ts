/**
 * The one way into the database. Changes that come while a transaction is under way wait, and share the next one:
 * rows of the same kind go in as one statement, all events in the order in which the changes came. So the rate of changes
 * does not hang on the time that a disk takes to sync.
 *
 * A change resolves when the transaction with its rows and its event is durable. When the database refuses a shared
 * transaction, each change is tried in one of its own, so that nobody is refused for what another sent.
 */
import { PlatformError } from '@cloister/protocol/errors';
import { limits } from '@cloister/protocol/limits';
import type { RecordedLeg, Session } from '../core/index.ts';
import { bulkBegun, bulkEnded, bulkEvents, bulkLegs, bulkSessions } from './bulk.ts';
import type { Database, Outcome, Statement } from './database.ts';
import type { StoredEvent } from './personal.ts';

/** The row of a leg. */
export interface LegRow extends RecordedLeg {
  readonly id: string;
  readonly projectId: string;
  readonly sessionId: string;
}

/** A connection or a stream that has begun, with its first event. */
export interface Began {
  readonly id: string;
  readonly sessionId: string;
  readonly stored: StoredEvent;
}

/** What one change writes, in this order. */
export interface Change {
  readonly statements?: readonly Statement[];
  readonly sessions?: readonly Session[];
  /** Written once; a second event of the same id is refused, and the change with it. */
  readonly events?: readonly StoredEvent[];
  /** Written once; a second event of the same id is passed over: whoever appends may try again. */
  readonly appended?: readonly StoredEvent[];
  readonly legs?: readonly LegRow[];
  readonly begun?: readonly Began[];
  /** Connections and streams that have ended, by id. No id comes again. */
  readonly ended?: readonly string[];
}

interface Waiting {
  readonly change: Change;
  resolve(outcome: Outcome): void;
  reject(error: unknown): void;
}

export class Writer {
  readonly #database: Database;
  readonly #onEvents: () => void;
  #waiting: Waiting[] = [];
  #draining: Promise<void> | null = null;
  #closed = false;
  readonly #beside = new Set<Promise<void>>();

  /** @param onEvents called after each commit that added events */
  constructor(database: Database, onEvents: () => void) {
    this.#database = database;
    this.#onEvents = onEvents;
  }

  /**
   * Resolves with how the change ended; `done` means durable.
   * @throws PlatformError `Overloaded` when too many wait, `StoreUnavailable`, `Stopping`
   */
  async write(change: Change): Promise<Outcome> {
    if (this.#closed) throw new PlatformError('Stopping');
    if (this.#waiting.length >= limits.writesWaiting) {
      throw new PlatformError('Overloaded', { why: `${limits.writesWaiting} changes wait for the database` });
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ change, resolve, reject });
      this.#draining ??= this.#drain();
    });
  }

  /**
   * Writes what adds no event, in a transaction of its own that no change waits for. It is over before `close` resolves.
   * @throws PlatformError `StoreUnavailable`, `Stopping`
   */
  async writeBeside(statements: readonly Statement[]): Promise<Outcome> {
    if (this.#closed) throw new PlatformError('Stopping');
    const writing = this.#database.writeBeside(statements);
    const settled = writing.then(
      () => {},
      () => {},
    );
    this.#beside.add(settled);
    void settled.then(() => this.#beside.delete(settled));
    return writing;
  }

  /** Refuses new changes and resolves when those that wait are written. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#draining, ...this.#beside]);
  }

  async #drain(): Promise<void> {
    // One turn later: what comes together is written together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, limits.writesPerTransaction);
      await this.#commit(group);
    }
    this.#draining = null;
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    try {
      const outcome = await this.#database.write(statementsOf(group.map(({ change }) => change)));
      if (outcome.kind !== 'done' && group.length > 1) {
        for (const each of group) await this.#commit([each]);
        return;
      }
      if (outcome.kind === 'done' && group.some(({ change }) => change.events ?? change.appended)) this.#onEvents();
      for (const { resolve } of group) resolve(outcome);
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }
}

/** The statements of one transaction for several changes. */
export function statementsOf(changes: readonly Change[]): Statement[] {
  return [
    ...changes.flatMap(({ statements = [] }) => statements),
    ...bulkSessions(changes.flatMap(({ sessions = [] }) => sessions)),
    ...bulkEvents(
      changes.flatMap(({ events = [] }) => events),
      'refuse repeated',
    ),
    ...bulkEvents(
      changes.flatMap(({ appended = [] }) => appended),
      'pass over repeated',
    ),
    ...bulkLegs(changes.flatMap(({ legs = [] }) => legs)),
    ...bulkBegun(changes.flatMap(({ begun = [] }) => begun)),
    ...bulkEnded(changes.flatMap(({ ended = [] }) => ended)),
  ];
}
