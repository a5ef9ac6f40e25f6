/** What every store does with address lists. */
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { newDataFolder } from '../../../../tests/rig/embedded.ts';
import { startPostgres } from '../../../../tests/rig/postgres.ts';
import type { AddressBlock, AddressVersion, Keys } from '../core/index.ts';
import { type OpenedStore, openPgliteStore, openPostgresStore } from './index.ts';
import { clock, event, newProject, readAll, readerAtEnd, silent, withKeys } from './store-fixture.ts';

const block: AddressBlock = {
  ...{ id: 'b', prefix: '185.1.2.0/24', component: 'media', zone: 'eu', line: 'enterprise' },
  ...{ ports: [{ first: 443, last: 500 }], protocols: ['udp'], announcedAt: 1, announcedIn: 1, effectiveAt: 2 },
  ...{ emergency: { reason: 'Zürich', proposedBy: 'Ada', approvedBy: 'Grace' }, withdrawalAnnouncedAt: null },
  ...{ withdrawalIn: null, withdrawnAt: null, withdrawalEmergency: null },
};
const version = (number: number): AddressVersion => ({
  ...{ number, token: `${number}-t`, createdAt: number * 1000, change: 'announced', blockId: 'b', blocks: [block] },
});
const changed = (token: string) => {
  const facts = { version: token, change: 'announced', blockId: 'b', prefix: block.prefix, line: block.line } as const;
  return event('addressList.changed', { projectId: null, ...facts, emergency: null });
};

const engines = {
  async PGlite() {
    const dataDir = await newDataFolder();
    const open = () => openPgliteStore({ dataDir, clock, journal: silent });
    return { open, stop: () => rm(dataDir, { recursive: true }) };
  },
  async PostgreSQL() {
    const server = await startPostgres();
    return { open: () => openPostgresStore({ url: server.url, clock, journal: silent }), stop: () => server.stop() };
  },
};

for (const [name, start] of Object.entries(engines)) {
  describe(`address lists on ${name}`, { concurrency: false }, () => {
    let engine: Awaited<ReturnType<typeof start>>;
    let store: OpenedStore;
    let keys: Keys;
    before(async () => {
      engine = await start();
      store = await engine.open();
      keys = await withKeys(store);
    });
    after(async () => {
      await store.close();
      await engine.stop();
    });

    test('versions come back whole, the last and by their name, and each number is given once', async () => {
      const { addresses } = store;
      assert.equal(await addresses.last(), null);
      assert.ok(await addresses.add(version(1), changed('1-t'), null));
      assert.ok(await addresses.add(version(2), changed('2-t'), null));
      const reader = await readerAtEnd(store);
      assert.equal(await addresses.add({ ...version(2), token: 'other' }, changed('other'), null), false);
      assert.equal(await addresses.add({ ...version(3), token: '1-t' }, changed('1-t'), null), false);
      assert.deepEqual(await readAll(store, reader), [], 'what is not written has no event');
      assert.deepEqual(await addresses.last(), version(2));
      assert.deepEqual(await addresses.version('1-t'), version(1));
      assert.equal(await addresses.version('9-t'), null);
      const { blocks: _, ...line } = version(2);
      assert.deepEqual(await addresses.history(1), [line]);
    });

    test('a proposal is settled with the version that carries it out, once', async () => {
      const { addresses } = store;
      const change = { kind: 'withdraw', blockId: 'b', at: null } as const;
      const proposal = { id: 'p', at: 5, reason: 'why', proposedBy: 'Ada', change };
      const proposed = { projectId: null, proposalId: 'p', reason: 'why', proposedBy: 'Ada' };
      await addresses.propose(proposal, event('addressList.proposed', proposed));
      assert.deepEqual(await addresses.proposals(), [proposal]);
      assert.ok(await addresses.add(version(3), changed('3-t'), 'p'));
      assert.deepEqual(await addresses.proposals(), []);
      assert.equal(await addresses.add(version(4), changed('4-t'), 'p'), false);
      assert.equal((await addresses.last())?.number, 3);
    });

    test('receipts and reminders are of a project, and go with it', async () => {
      const { addresses } = store;
      const { id: projectId } = await newProject(store, keys);
      const fetched = { projectId, fetched: 2, fetchedAt: 7, acknowledged: 0, acknowledgedAt: null };
      const of = event('addressList.fetched', { projectId, version: '2-t' });
      await addresses.receive(fetched, of);
      const both = { ...fetched, acknowledged: 2, acknowledgedAt: 8 };
      await addresses.receive(both, event('addressList.acknowledged', { projectId, version: '2-t' }));
      assert.deepEqual(await addresses.receipt(projectId), both);
      const reminder = { projectId, takesEffectAt: 2 ** 42, days: 7 };
      const reminded = () => event('addressList.reminded', { ...reminder, version: '2-t' });
      await addresses.remind(reminder, reminded());
      await assert.rejects(addresses.remind(reminder, reminded()), { code: 'Internal' });
      assert.deepEqual(await addresses.reminders(), [reminder]);
      await store.projects.remove(projectId, event('project.deleted', { projectId }));
      assert.equal(await addresses.receipt(projectId), null);
      assert.deepEqual([await addresses.receipts(), await addresses.reminders()], [[], []]);
      await assert.rejects(addresses.receive(fetched, event('addressList.fetched', { projectId, version: '2-t' })), {
        code: 'ProjectNotFound',
      });
    });
  });
}
