/**
 * Data folders for tests, with an empty embedded database in them already. Making one takes seconds, copying it does
 * not, so the first test makes one and keeps it for the others (in the temporary folder, by version).
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemClock } from '../../packages/server/src/lib/index.ts';
import { openPgliteStore } from '../../packages/server/src/store/index.ts';

const migrations = new URL('../../packages/server/src/store/migrations/', import.meta.url);

/** What the kept database depends on: the engine and every migration. */
function version(): string {
  const library = createRequire(import.meta.url).resolve('@electric-sql/pglite');
  const engine = path.join(path.dirname(library), 'pglite.wasm');
  const hash = createHash('sha256').update(readFileSync(engine));
  for (const name of readdirSync(migrations).sort()) hash.update(readFileSync(new URL(name, migrations)));
  return hash.digest('hex').slice(0, 16);
}

async function template(): Promise<string> {
  const kept = path.join(tmpdir(), `cloister-empty-database-${version()}`);
  if (existsSync(kept)) return kept;
  const draft = await mkdtemp(`${kept}.`);
  const store = await openPgliteStore({ dataDir: draft, clock: systemClock, journal: { record() {} } });
  await store.close();
  // Another test process may have been quicker; both made the same.
  await rename(draft, kept).catch(() => rm(draft, { recursive: true, force: true }));
  return kept;
}

/** A new folder for `CLOISTER_DATA_DIR`; the caller removes it. */
export async function newDataFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'cloister-data-'));
  await mkdir(folder, { recursive: true });
  await cp(path.join(await template(), 'database'), path.join(folder, 'database'), { recursive: true });
  return folder;
}
