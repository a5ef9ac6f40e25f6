import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { is, Table } from 'drizzle-orm';
import { getTableConfig, type PgTable } from 'drizzle-orm/pg-core';
import { type Postgres, startPostgres } from '../../../../tests/rig/postgres.ts';
import { type Migration, migrate, readMigrations } from './migrations.ts';
import { PostgresDatabase } from './postgres-database.ts';
import * as schema from './schema.ts';
import { clock, silent } from './store-fixture.ts';

let server: Postgres;
before(async () => {
  server = await startPostgres();
});
after(() => server.stop());

let count = 0;
async function withDatabase(task: (database: PostgresDatabase, url: string) => Promise<void>): Promise<void> {
  count += 1;
  const url = await server.create(`migrations${count}`);
  const database = new PostgresDatabase(url, { clock, journal: silent });
  await task(database, url).finally(() => database.close());
}
const run = (database: PostgresDatabase, migrations?: readonly Migration[]) =>
  database.converse((conversation) => migrate(conversation, 1, migrations));

test('every migration is applied once', async () => {
  await withDatabase(async (database) => {
    assert.deepEqual(
      await run(database),
      readMigrations().map(({ name }) => name),
    );
    assert.deepEqual(await run(database), []);
  });
});

test('processes that start together apply them once', async () => {
  await withDatabase(async (database) => {
    const results = await Promise.all([run(database), run(database), run(database)]);
    assert.equal(results.flat().length, readMigrations().length);
  });
});

test('a migration that fails leaves the database as it was', async () => {
  await withDatabase(async (database) => {
    const broken = { name: '9999-broken.sql', sql: 'create table half (v int); select nonsense' };
    await assert.rejects(run(database, [...readMigrations(), broken]));
    assert.deepEqual(await database.read("select 1 from pg_tables where schemaname = 'public'", []), []);
    await run(database);
  });
});

test('what an account had before its terms had a history is their first change', async () => {
  await withDatabase(async (database) => {
    const all = readMigrations();
    await run(
      database,
      all.filter(({ name }) => name < '0008'),
    );
    const sql = `insert into accounts (id, name, secret, plan, add_ons, created_at)
      values ('1', 'sealed', 'sealed', 'standard', '{zone.de}', 5)`;
    assert.equal((await database.write([{ sql, params: [] }])).kind, 'done');
    await run(database);
    const kept = await database.read('select * from account_terms', []);
    assert.deepEqual(
      kept.map((row) => JSON.stringify(row)),
      [JSON.stringify(['1', 1, '5', '5', 'operator', 'standard', ['zone.de'], [], [], false])],
    );
  });
});

test('a database of a newer or another version is left alone', async () => {
  await withDatabase(async (database) => {
    const later = { name: '9999-later.sql', sql: 'create table later (v int)' };
    await run(database, [...readMigrations(), later]);
    await assert.rejects(run(database), { code: 'SchemaUnknown', message: /9999-later\.sql/ });
    const edited = [...readMigrations(), { ...later, sql: 'create table later (v text)' }];
    await assert.rejects(run(database, edited), { code: 'SchemaUnknown', message: /was another file/ });
  });
});

test('the tables are those of the schema', async () => {
  await withDatabase(async (database) => {
    await run(database);
    const sql = `
      select table_name, column_name, case data_type when 'ARRAY' then 'text[]' else data_type end, is_nullable = 'YES'
      from information_schema.columns where table_schema = 'public' and table_name <> 'migrations'`;
    const found = (await database.read(sql, [])).map((row) => row.join(' '));
    const tables = Object.values(schema).filter((each) => is(each, Table)) as PgTable[];
    const declared = tables
      .map(getTableConfig)
      .flatMap(({ name, columns }) =>
        columns.map((column) => [name, column.name, column.getSQLType(), !column.notNull].join(' ')),
      );
    assert.deepEqual(found.sort(), declared.sort());
  });
});
