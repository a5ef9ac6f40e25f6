/**
 * The door of the store: one schema and one set of migrations on PGlite (embedded) and PostgreSQL, behind the port `Store`.
 *
 * The keys need the keyring and the store needs the keys:
 *
 *     const store = await openPgliteStore({ … });
 *     const keys = await openKeys({ keyring: store.keyring, … });
 *     store.useKeys(keys);
 */
import path from 'node:path';
import type { Journal } from '../core/index.ts';
import type { Clock } from '../lib/index.ts';
import { assembleStore, type OpenedStore } from './assemble.ts';
import { lockFolder } from './folder-lock.ts';
import { migrate } from './migrations.ts';
import { PgliteDatabase } from './pglite-database.ts';
import { PostgresDatabase } from './postgres-database.ts';

export type { OpenedStore } from './assemble.ts';

interface Deps {
  readonly clock: Clock;
  readonly journal: Journal;
}

/**
 * Opens the embedded database in `dataDir/database`, making it where there is none, and locks the folder.
 * @throws PlatformError `DataFolderLocked`, `SchemaUnknown`, `StoreUnavailable`
 */
export async function openPgliteStore({ dataDir, clock, journal }: Deps & { dataDir: string }): Promise<OpenedStore> {
  const release = lockFolder(dataDir);
  const folder = path.join(dataDir, 'database');
  const database = new PgliteDatabase(folder, journal);
  try {
    await migrate(database, clock.now());
    return assembleStore(database, journal, release);
  } catch (error) {
    await database.close();
    release();
    throw error;
  }
}

/**
 * Opens a PostgreSQL database, 15 or newer.
 * @param deps `url`: such as `postgres://user:password@host/database`; it is never part of an error
 * @throws PlatformError `SchemaUnknown`, `StoreUnavailable`
 */
export async function openPostgresStore({ url, clock, journal }: Deps & { url: string }): Promise<OpenedStore> {
  const database = new PostgresDatabase(url, { clock, journal });
  try {
    await database.converse((conversation) => migrate(conversation, clock.now()));
    return assembleStore(database, journal);
  } catch (error) {
    await database.close();
    throw error;
  }
}
