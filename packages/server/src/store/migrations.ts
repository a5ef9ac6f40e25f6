/**
 * Brings the tables up to date: every file of `migrations/` in the order of its name, all in one transaction, under a lock
 * that two starting processes share. A file that was applied is never edited; its hash is kept and compared.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { PlatformError } from '@cloister/protocol/errors';
import type { Conversation } from './database.ts';

export interface Migration {
  readonly name: string;
  readonly sql: string;
}

/** Any number that nobody else locks. */
const lockId = 7_306_584_101;

/** The migrations of this version. */
export function readMigrations(folder: URL = new URL('./migrations/', import.meta.url)): Migration[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.sql'));
  return names.sort().map((name) => ({ name, sql: readFileSync(new URL(name, folder), 'utf8') }));
}

function hashOf(sql: string): string {
  return createHash('sha256').update(sql).digest('hex');
}

/** Which migrations have to be applied. @throws PlatformError `SchemaUnknown` */
function missing(migrations: readonly Migration[], applied: ReadonlyMap<string, string>): Migration[] {
  for (const [name, hash] of applied) {
    const own = migrations.find((each) => each.name === name);
    if (!own) throw new PlatformError('SchemaUnknown', { why: `it has the migration ${name}` });
    if (hashOf(own.sql) !== hash) throw new PlatformError('SchemaUnknown', { why: `${name} was another file there` });
  }
  return migrations.filter(({ name }) => !applied.has(name));
}

/**
 * Applies what is missing and returns its names.
 * @throws PlatformError `SchemaUnknown` when the database was made by another version, and is then left as it was.
 */
export async function migrate(
  database: Conversation,
  now: number,
  migrations: readonly Migration[] = readMigrations(),
): Promise<string[]> {
  await database.run('begin');
  try {
    await database.query('select pg_advisory_xact_lock($1)', [lockId]);
    await database.run(
      'create table if not exists migrations (name text primary key, sha256 text not null, applied_at bigint not null)',
    );
    const rows = await database.query('select name, sha256 from migrations', []);
    const wanted = missing(migrations, new Map(rows as [string, string][]));
    for (const { name, sql } of wanted) {
      await database.run(sql);
      await database.query('insert into migrations values ($1, $2, $3)', [name, hashOf(sql), now]);
    }
    await database.run('commit');
    return wanted.map(({ name }) => name);
  } catch (error) {
    await database.run('rollback').catch(() => undefined);
    throw error;
  }
}
