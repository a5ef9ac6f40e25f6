/** Usage over a real PostgreSQL: whatever happens to the process that counts, the figures are those of a plain count. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import { limits } from '@cloister/protocol';
import fc from 'fast-check';
import pg from 'pg';
import type { UsageSearch } from '../../packages/server/src/core/index.ts';
import { openKeys } from '../../packages/server/src/keys/index.ts';
import { ManualClock, systemIds } from '../../packages/server/src/lib/index.ts';
import { type OpenedStore, openPostgresStore } from '../../packages/server/src/store/index.ts';
import { openUsage } from '../../packages/server/src/usage/index.ts';
import { type Postgres, startPostgres } from '../rig/postgres.ts';
import {
  chanceFrom,
  countMortally,
  evening,
  eventsOf,
  happening,
  linesOf,
  minute,
  plainly,
  projects,
} from './happenings.ts';

const journal = { record() {} };

let server: Postgres;
let store: OpenedStore;
let sql: pg.Client;
const clock = new ManualClock(evening);

before(async () => {
  server = await startPostgres();
  store = await openPostgresStore({ url: server.url, clock, journal });
  const keys = await openKeys({ root: randomBytes(32), keyring: store.keyring, clock, ids: systemIds });
  store.useKeys(keys);
  for (const project of projects) await keys.createDataKey(project);
  sql = new pg.Client({ connectionString: server.url });
  await sql.connect();
});
after(async () => {
  await sql?.end();
  await store?.close();
  await server?.stop();
});
beforeEach(() => sql.query('truncate usage_days, usage_open, usage_projects'));

const exported = async (search: UsageSearch = {}, form: 'json' | 'csv' = 'json') =>
  openUsage({ store, clock, journal }).export(search, form);
const lines = async (search: UsageSearch = {}) => linesOf(await exported(search));

/** One participant that comes or goes. */
function event(type: 'connection.created' | 'connection.destroyed', at: number) {
  const [made] = eventsOf([{ type, project: 1, thing: 0, after: 0, bytes: 0, kept: false, again: false }], 'one');
  return { ...made!, at };
}

describe('what was used', () => {
  it('is what a plain count says, with crashes between any two steps, repeated events, and counted once more', async () => {
    let deaths = 0;
    const sequences = fc.array(happening, { minLength: 20, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(sequences, fc.integer(), async (happenings, seed) => {
        await sql.query('truncate usage_days, usage_open');
        const events = eventsOf(happenings, systemIds.uuid());
        const begin = await store.usage.position();
        const again = events.filter((_, index) => happenings[index]!.again);
        await store.outbox.append([...events, ...again]);
        await store.outbox.append(again);
        deaths += await countMortally(store, clock, chanceFrom(seed));
        clock.advance(Math.max(clock.now(), ...events.map(({ at }) => at)) + 90 * minute - clock.now());
        const expected = plainly(events, clock.now());
        assert.deepEqual((await lines()).sort(), expected);
        await sql.query('truncate usage_days, usage_open');
        await sql.query("update readers set position = $1 where name = 'usage'", [begin]);
        assert.deepEqual((await lines()).sort(), expected, 'a second count of the same events');
      }),
      { numRuns: 5, endOnFailure: true },
    );
    assert.ok(deaths >= 5, `only ${deaths} deaths`);
  });

  it('has what still runs up to now, so that a day that is over keeps its figures', async () => {
    const at = Date.parse('2028-03-01T23:00:00Z');
    await store.outbox.append([event('connection.created', at)]);
    clock.advance(at + 150 * minute - clock.now());
    const running = ['2028-03-01 10000002 eu 60 0 0', '2028-03-02 10000002 eu 90 0 0'];
    assert.deepEqual(await lines(), running);
    assert.deepEqual(await lines({ until: '2028-03-01' }), running.slice(0, 1));
    assert.deepEqual(await lines({ from: '2028-03-02' }), running.slice(1));
    await store.outbox.append([event('connection.destroyed', clock.now() + 30 * minute)]);
    assert.deepEqual(await lines(), [running[0], '2028-03-02 10000002 eu 120 0 0']);
  });

  it('is exported as JSON and as CSV, with the account of a project', async () => {
    const created = { id: systemIds.uuid(), at: clock.now(), actor: { kind: 'system' } } as const;
    await store.outbox.append([{ ...created, type: 'project.created', projectId: '10000001', accountId: '4711' }]);
    await exported();
    const row = ['10000001', 'any', '2027-02-01', 90_500, 1, 2 ** 40];
    await sql.query('insert into usage_days values ($1, $2, $3, $4, $5, $6)', row);
    const csv = await exported({ accountId: '4711' }, 'csv');
    assert.deepEqual(csv.split('\r\n'), [
      'day,accountKey,apiKey,zone,participantMinutes,archiveMinutes,sealedBytes,participantMs,archiveMs',
      '2027-02-01,4711,10000001,any,1.508,0,1099511627776,90500,1',
      '',
    ]);
    assert.deepEqual(JSON.parse(await exported()), [
      {
        day: '2027-02-01',
        accountKey: '4711',
        apiKey: '10000001',
        zone: 'any',
        participantMinutes: 1.508,
        archiveMinutes: 0,
        sealedBytes: 2 ** 40,
        participantMs: 90_500,
        archiveMs: 1,
      },
    ]);
    assert.equal(await exported({ accountId: '4712' }), '[\n]\n');
  });

  it('is exported in at most usageExportRows', async () => {
    const fill = `insert into usage_days
      select 'p' || n / 3000, 'any', date '2027-01-01' + (n % 3000)::int, 1, 1, 1 from generate_series($1::int, $2::int) n`;
    await sql.query(fill, [1, limits.usageExportRows]);
    assert.equal((await lines()).length, limits.usageExportRows);
    await sql.query(fill, [limits.usageExportRows + 1, limits.usageExportRows + 1]);
    await assert.rejects(exported(), { code: 'BadRequest', message: /100000 days of projects/ });
    assert.equal((await lines({ projectId: 'p1' })).length, 3000);
  });
});
