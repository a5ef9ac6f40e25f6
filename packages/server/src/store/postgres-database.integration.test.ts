import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { limits } from '@cloister/protocol/limits';
import { type Postgres, startPostgres } from '../../../../tests/rig/postgres.ts';
import { eventually } from '../../../../tests/rig/wait.ts';
import type { Keys } from '../core/index.ts';
import { systemClock } from '../lib/index.ts';
import { type OpenedStore, openPostgresStore } from './index.ts';
import { PostgresDatabase } from './postgres-database.ts';
import { clock, connected, newProject, newSession, silent, withKeys } from './store-fixture.ts';

let server: Postgres;
before(async () => {
  server = await startPostgres();
});
after(() => server.stop());

async function open(url: string): Promise<{ store: OpenedStore; keys: Keys }> {
  const store = await openPostgresStore({ url, clock: systemClock, journal: silent });
  return { store, keys: await withKeys(store) };
}

test('a reader misses nothing while several processes write', async () => {
  const url = await server.create('order');
  const first = await open(url);
  const session = await newSession(first.store, (await newProject(first.store, first.keys)).id);
  const writers = [first, await open(url), await open(url)];
  const total = 3 * 4 * 40;
  const writing = writers.flatMap(({ store }) =>
    Array.from({ length: 4 }, async () => {
      for (let i = 0; i < 40; i += 1) await store.outbox.append([connected(session, '')]);
    }),
  );
  const seen: number[] = [];
  const ids = new Set<string>();
  while (ids.size < total + 3) {
    const some = await first.store.outbox.read('reader', 7);
    for (const { position, event } of some) {
      seen.push(position);
      if (event) ids.add(event.id);
    }
    if (some.length > 0) await first.store.outbox.advance('reader', some.at(-1)?.position ?? 0);
  }
  await Promise.all(writing);
  assert.deepEqual(await first.store.outbox.read('reader', 7), []);
  assert.equal(seen.length, ids.size);
  assert.deepEqual(
    seen,
    seen.toSorted((a, b) => a - b),
  );
  for (const { store } of writers) await store.close();
});

test('those who watch hear of the changes of other processes', async () => {
  const url = await server.create('watch');
  const [here, there] = [await open(url), await open(url)];
  const project = await newProject(there.store, there.keys);
  const woken = Promise.withResolvers<void>();
  here.store.outbox.watch(async () => {
    const [last] = (await here.store.outbox.read('watcher', 100)).slice(-1);
    if (last?.event?.type === 'session.created') woken.resolve();
  });
  await here.store.outbox.read('watcher', 0);
  await newSession(there.store, project.id);
  await woken.promise;
  for (const { store } of [here, there]) await store.close();
});

test('a database that crashes is a typed error, keeps what was acknowledged, and is found again', async () => {
  const { store, keys } = await open(await server.create('crash'));
  const project = await newProject(store, keys);
  const acknowledged: string[] = [];
  const errors: string[] = [];
  const writing = Promise.all(
    Array.from({ length: 10 }, async () => {
      for (;;) {
        const result = await newSession(store, project.id).catch((error: { code: string }) => error.code);
        if (typeof result === 'string') return void errors.push(result);
        acknowledged.push(result.id);
      }
    }),
  );
  while (acknowledged.length < 200) await new Promise((resolve) => setImmediate(resolve));
  await server.crash();
  await writing;
  assert.deepEqual(new Set(errors), new Set(['StoreUnavailable']));
  const after = await newSession(store, project.id);
  for (const id of [...acknowledged, after.id]) assert.equal((await store.sessions.get(id))?.id, id);
  await store.close();
});

test('of two servers on one database the second is refused after databaseLeaseSeconds, and waits for one that stops', async () => {
  const url = await server.create('lease');
  const bound = limits.databaseLeaseSeconds * 1000;
  const [first, second, third] = [await open(url), await open(url), await open(url)];
  await first.store.lease('server');
  await second.store.lease('another name');
  const waits = second.store.lease('server');
  const early = await Promise.race([waits.then(() => 'held'), new Promise((resolve) => setTimeout(resolve, 500))]);
  assert.equal(early, undefined, 'both have it');
  await first.store.close();
  await waits;
  const began = performance.now();
  await assert.rejects(third.store.lease('server'), { code: 'DatabaseInUse' });
  const took = performance.now() - began;
  assert.ok(took >= bound && took < bound * 2, `${took} ms`);
  // A database that was away gives it to nobody else: whoever had it takes it again.
  await server.crash();
  const database = new PostgresDatabase(url, { clock, journal: silent });
  const held = () => database.read(`select count(*) from pg_locks where locktype = 'advisory'`, []);
  await eventually('both leases', held, ([row]) => Number(row?.[0]) === 2);
  await database.close();
  for (const { store } of [second, third]) await store.close();
});

test('the address of a database that cannot be reached is in no error', async () => {
  const wrong = server.url.replace(/:[0-9a-f]{24}@/, ':secretpassword@');
  for (const url of [wrong, 'postgres://user:secretpassword@127.0.0.1:1/x']) {
    const error = await openPostgresStore({ url, clock, journal: silent }).then(
      () => assert.fail('it was opened'),
      (thrown: Error & { code: string }) => thrown,
    );
    assert.equal(error.code, 'StoreUnavailable');
    assert.doesNotMatch(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`, /secretpassword/);
  }
});

test('old events go when every reader has passed them by outboxKeptRows, at most outboxTrimRows at once', async () => {
  const url = await server.create('trim');
  const { store, keys } = await open(url);
  const database = new PostgresDatabase(url, { clock, journal: silent });
  const oldest = async () => Number((await database.read('select min(position) from outbox', []))[0]?.[0]);
  const session = await newSession(store, (await newProject(store, keys)).id);
  const end = limits.outboxKeptRows + limits.outboxTrimRows + 1;
  // Three events are there already.
  for (let left = end - 3; left > 0; left -= 1000) {
    await store.outbox.append(Array.from({ length: Math.min(left, 1000) }, () => connected(session, '')));
  }
  /** Moves a reader; one more write later the trim that this began is done as well. */
  const advance = async (reader: string, position: number) => {
    await store.outbox.advance(reader, position);
    await store.outbox.advance(reader, 0);
    return oldest();
  };
  await store.outbox.read('slow', 1);
  assert.equal(await advance('fast', end), 1, 'the slow one has passed nothing');
  assert.equal(await advance('slow', limits.outboxKeptRows), 1, 'at the bound nothing goes');
  assert.equal(await advance('slow', limits.outboxKeptRows + 1), 1, 'too little to begin a trim');
  assert.equal(await advance('fast', end + limits.outboxTrimRows), 2, 'one past it one goes');
  assert.equal(await advance('slow', end + limits.outboxTrimRows), 2 + limits.outboxTrimRows);
  await database.close();
  await store.close();
});
