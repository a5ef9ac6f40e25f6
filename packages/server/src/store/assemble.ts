/** The store on any engine. */
import { PlatformError } from '@cloister/protocol/errors';
import { limits } from '@cloister/protocol/limits';
import { auditReader, type Journal, type Sealed, type Store, usageReader } from '../core/index.ts';
import { openAccounts } from './accounts.ts';
import { openAddresses } from './addresses.ts';
import { openArchives } from './archives.ts';
import { openAudit } from './audit.ts';
import { openCallbacks } from './callbacks.ts';
import type { Database } from './database.ts';
import { openDeliveries } from './deliveries.ts';
import { openKeyring } from './keyring.ts';
import { openOutbox, Watchers } from './outbox.ts';
import { openPeople } from './people.ts';
import { openProjects } from './projects.ts';
import { openReseal } from './reseal.ts';
import { openSealings } from './sealings.ts';
import { openLegs, openSessions } from './sessions.ts';
import { openSettings } from './settings.ts';
import { openStillOpen } from './still-open.ts';
import { openStorages } from './storages.ts';
import { openTables, type Parts, type Seals } from './tables.ts';
import { openUsage } from './usage.ts';
import { Writer } from './writer.ts';

/**
 * A store whose keys come later: its keyring is what they are opened from. Until `useKeys`, whatever has something to
 * seal or to open is refused with `KeyUnavailable`.
 */
export interface OpenedStore extends Store {
  useKeys(keys: Seals): void;
  /**
   * Holds a name for this process as long as the store is open: of two servers on one database the second is refused.
   * @throws PlatformError `DatabaseInUse`
   */
  lease(name: string): Promise<void>;
  /**
   * Seals every value of a project, or of no project (`null`), anew that is under an older data key. Calls go on
   * meanwhile; a value that changes under its hands stays as it was changed.
   * @returns how many values it sealed anew
   * @throws PlatformError `SealBroken` for the first value that does not open; those before it stay sealed anew
   */
  reseal(projectId: string | null): Promise<number>;
}

class LateKeys implements Seals {
  #keys: Seals | null = null;

  use(keys: Seals): void {
    this.#keys = keys;
  }

  seal(projectId: string | null, context: string, clear: string): Sealed {
    return this.#ready().seal(projectId, context, clear);
  }

  open(projectId: string | null, context: string, sealed: Sealed): string {
    return this.#ready().open(projectId, context, sealed);
  }

  reseal(projectId: string | null, context: string, sealed: Sealed): Sealed {
    return this.#ready().reseal(projectId, context, sealed);
  }

  #ready(): Seals {
    if (this.#keys) return this.#keys;
    throw new PlatformError('KeyUnavailable', { key: 'of the store', why: 'the keys have not been opened yet' });
  }
}

/** @param release what to let go of when the database is closed */
export function assembleStore(database: Database, journal: Journal, release: () => void = () => {}): OpenedStore {
  const keys = new LateKeys();
  const watchers = new Watchers();
  const writer = new Writer(database, () => watchers.wake());
  const parts: Parts = { tables: openTables(database), writer, seals: keys };
  const outbox = openOutbox(parts, watchers);
  const trimming = new Trimming(outbox.trim, journal);
  const deliveries = openDeliveries(parts);
  const audit = openAudit(parts);
  const usage = openUsage(parts);
  database.onOthers(() => watchers.wake());
  return {
    accounts: openAccounts(parts),
    projects: openProjects(parts),
    sessions: openSessions(parts),
    legs: openLegs(parts),
    stillOpen: openStillOpen(parts),
    callbacks: openCallbacks(parts),
    addresses: openAddresses(parts),
    archives: openArchives(parts),
    storages: openStorages(parts),
    sealings: openSealings(parts),
    deliveries: {
      ...deliveries,
      async enqueue(rows, reader, position) {
        await deliveries.enqueue(rows, reader, position);
        trimming.passed(reader, position);
      },
    },
    outbox: {
      append: outbox.append,
      read: outbox.read,
      watch: outbox.watch,
      async advance(reader, position) {
        await outbox.advance(reader, position);
        trimming.passed(reader, position);
      },
    },
    audit: {
      ...audit,
      async append(step) {
        await audit.append(step);
        if (step.position !== null) trimming.passed(auditReader, step.position);
      },
    },
    settings: openSettings(parts),
    people: openPeople(parts),
    usage: {
      ...usage,
      async count(step) {
        const counted = await usage.count(step);
        if (counted) trimming.passed(usageReader, step.position);
        return counted;
      },
    },
    keyring: openKeyring(parts),
    useKeys: (given) => keys.use(given),
    lease: (name) => database.lease(name),
    reseal: openReseal(database, parts),
    async close() {
      await trimming.settled();
      await writer.close();
      await database.close();
      release();
    },
  };
}

/** Trims the outbox now and then while readers move on, behind their backs. */
class Trimming {
  readonly #trim: () => Promise<void>;
  readonly #journal: Journal;
  readonly #positions = new Map<string, number>();
  /** Events that readers have passed since the last trim. */
  #progress = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(trim: () => Promise<void>, journal: Journal) {
    this.#trim = trim;
    this.#journal = journal;
  }

  /** A reader has passed a position. */
  passed(reader: string, position: number): void {
    const before = this.#positions.get(reader) ?? 0;
    if (position <= before) return;
    this.#positions.set(reader, position);
    this.#progress += position - before;
    // Half of what one trim may remove, so that trimming keeps up.
    if (this.#progress < limits.outboxTrimRows / 2) return;
    this.#progress = 0;
    this.#running = this.#trim().catch((error: unknown) => {
      this.#journal.record('warn', 'old events could not be removed from the outbox', {
        code: error instanceof PlatformError ? error.code : null,
      });
    });
  }

  settled(): Promise<void> {
    return this.#running;
  }
}
