import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { newDataFolder } from '../../../../tests/rig/embedded.ts';
import type { Recorded, Unreadable } from '../core/index.ts';
import { openKeys } from '../keys/index.ts';
import { systemIds } from '../lib/index.ts';
import { openPgliteStore } from './index.ts';
import { PgliteDatabase } from './pglite-database.ts';
import { clock, connected, fixedRoot, newProject, newSession, silent, withKeys } from './store-fixture.ts';

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});
async function newFolder(): Promise<string> {
  const folder = await newDataFolder();
  folders.push(folder);
  return folder;
}
const open = (dataDir: string) => openPgliteStore({ dataDir, clock, journal: silent });

test('a second process is told who holds the folder', async () => {
  const folder = await newFolder();
  const store = await open(folder);
  await assert.rejects(open(folder), { code: 'DataFolderLocked', details: { folder, pid: process.pid } });
  await store.close();
  await (await open(folder)).close();
});

test('a copied database opens nothing without the root', async () => {
  const folder = await newFolder();
  const store = await open(folder);
  const keys = await withKeys(store);
  const project = await newProject(store, keys, 'Ward');
  await store.outbox.append([connected(await newSession(store, project.id), 'Dr. Adams')]);
  await store.close();

  const copy = mkdtempSync(path.join(tmpdir(), 'cloister-copy-'));
  folders.push(copy);
  cpSync(folder, copy, { recursive: true });
  const stolen = await open(copy);
  const opened = openKeys({ root: randomBytes(32), keyring: stolen.keyring, clock, ids: systemIds });
  await assert.rejects(opened, { code: 'KeyUnavailable' });
  await assert.rejects(stolen.accounts.list(), { code: 'KeyUnavailable' });
  await assert.rejects(stolen.projects.get(project.id), { code: 'KeyUnavailable' });
  await assert.rejects(stolen.outbox.read('thief', 100), { code: 'KeyUnavailable' });
  // A keyring of the thief's own opens nothing either.
  for (const { id } of await stolen.keyring.load()) await stolen.keyring.remove(id);
  const own = await openKeys({ root: randomBytes(32), keyring: stolen.keyring, clock, ids: systemIds });
  stolen.useKeys(own);
  await assert.rejects(stolen.accounts.list(), { code: 'SealBroken' });
  const read = await stolen.outbox.read('thief', 100);
  assert.deepEqual(
    read.filter((each) => each.event === null).map(({ projectId, why }) => [projectId, why]),
    [[project.id, 'SealBroken']],
  );
  assert.doesNotMatch(JSON.stringify(read), /Adams/);
  await stolen.close();
});

describe('the thread of the embedded database', { concurrency: false }, () => {
  const logBytes = 1024 * 1024;
  let database: PgliteDatabase;
  before(async () => {
    database = new PgliteDatabase(path.join(await newFolder(), 'database'), silent, logBytes);
  });

  test('commits reach the disk: syncing is on', async () => {
    const settings = ['fsync', 'synchronous_commit', 'wal_sync_method', 'full_page_writes'];
    const rows = await Promise.all(settings.map((name) => database.read(`show ${name}`, [])));
    assert.deepEqual(rows.flat(2), ['on', 'on', 'fsync', 'on']);
  });

  test('a long query does not block the event loop', async () => {
    await database.read('select 1', []);
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const began = performance.now();
    await database.read('select count(*) from generate_series(1, 5000000)', []);
    delay.disable();
    const took = performance.now() - began;
    assert.ok(delay.percentile(50) / 1e6 < took / 4, `median delay ${delay.percentile(50) / 1e6} ms of ${took} ms`);
  });

  test('the log is cut and dead rows are cleared away once logBytes have been written', async () => {
    const sinceCheckpoint = async () => {
      const sql = 'select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), redo_lsn)::float8 from pg_control_checkpoint()';
      return Number((await database.read(sql, []))[0]?.[0]);
    };
    const write = async (sql: string) =>
      assert.deepEqual(await database.write([{ sql, params: [] }]), { kind: 'done' });
    await database.run('checkpoint');
    const rows = `insert into outbox (id, event) select gen_random_uuid()::text, repeat('x', 400) from generate_series(1, 100)`;
    while ((await sinceCheckpoint()) < logBytes) await write(rows);
    assert.ok((await sinceCheckpoint()) >= logBytes, 'it is looked at now and then, not at each transaction');
    await write('delete from outbox');
    // By the hundredth transaction it has been looked at.
    for (let i = 0; i < 100; i += 1) await write('select 1');
    assert.ok((await sinceCheckpoint()) < logBytes);
    assert.deepEqual(await database.read("select pg_relation_size('outbox')::int4", []), [[0]]);
  });

  test('a thread that dies is replaced, and nothing that was acknowledged is lost', async () => {
    await database.run('create table t (v int)');
    await database.write([{ sql: 'insert into t values ($1)', params: [1] }]);
    const lost = database.read('select count(*) from generate_series(1, 100000000)', []);
    const refused = assert.rejects(lost, { code: 'StoreUnavailable' });
    await database.crash();
    await refused;
    assert.deepEqual(await database.read('select v from t', []), [[1]]);
    await database.close();
    await assert.rejects(database.read('select 1', []), { code: 'Stopping' });
  });
});

test('half a database, as a crash in the first start leaves it, is made anew', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'cloister-half-'));
  folders.push(folder);
  mkdirSync(path.join(folder, 'database.new'));
  writeFileSync(path.join(folder, 'database.new', 'PG_VERSION'), '18\n');
  const store = await open(folder);
  await newProject(store, await withKeys(store));
  await store.close();
  assert.equal(existsSync(path.join(folder, 'database.new')), false);
});

test('kill -9 in the middle of changes loses nothing that was acknowledged', async () => {
  const folder = await newFolder();
  const program = fileURLToPath(new URL('./create-sessions-fixture.ts', import.meta.url));
  for (const enough of [400, 50]) {
    const child = spawn(process.execPath, [program, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    const acknowledged: string[] = [];
    for await (const line of createInterface(child.stdout)) {
      acknowledged.push(line);
      if (acknowledged.length === enough) child.kill('SIGKILL');
    }
    await ended;
    assert.ok(acknowledged.length >= enough);
    const store = await open(folder);
    const keys = await openKeys({ root: fixedRoot, keyring: store.keyring, clock, ids: systemIds });
    store.useKeys(keys);
    const created = new Set<string>();
    for (;;) {
      const some: (Recorded | Unreadable)[] = await store.outbox.read(`reader-${enough}`, 1000);
      for (const { event } of some) if (event?.type === 'session.created') created.add(event.sessionId);
      if (some.length === 0) break;
      await store.outbox.advance(`reader-${enough}`, some.at(-1)?.position ?? 0);
    }
    const found = await Promise.all(acknowledged.map((id) => store.sessions.get(id)));
    assert.deepEqual(
      found.map((session) => session?.id),
      acknowledged,
    );
    for (const id of acknowledged) assert.ok(created.has(id), 'with its event');
    await store.close();
  }
});
