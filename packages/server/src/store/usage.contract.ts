/** What every store does with usage. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type OpenUse, type UsageStep, usageReader } from '../core/index.ts';
import { event, type Given, newKey, newProject, readAll } from './store-fixture.ts';

const nothing: Omit<UsageStep, 'from' | 'position'> = { owners: [], open: [], ended: [], days: [] };
const counts = { participantMs: 1, archiveMs: 2, sealedBytes: 3 };

export function usageRules(given: () => Given): void {
  /** A place in the outbox after all that is there now. */
  async function step(parts: Partial<UsageStep>): Promise<UsageStep> {
    const { store, keys } = given();
    await readAll(store, usageReader);
    await newProject(store, keys);
    const from = await store.usage.position();
    const position = (await store.outbox.read(usageReader, 1000)).at(-1)!.position;
    return { ...nothing, from, position, ...parts };
  }

  test('a step of usage is whole, once, and moves its reader', async () => {
    const { store } = given();
    const [projectId, accountId] = [newKey(), newKey()];
    const place = { projectId, zone: 'eu', day: '2027-01-31' };
    const open: OpenUse = { kind: 'connection', id: newKey(), projectId, zone: 'eu', since: 5 };
    const first = await step({ owners: [{ projectId, accountId }], open: [open], days: [{ ...place, ...counts }] });
    assert.equal(await store.usage.count(first), true);
    assert.equal(await store.usage.position(), first.position);
    assert.equal(await store.usage.count(first), false, 'the same step again');
    assert.deepEqual(await store.outbox.read(usageReader, 1000), []);
    assert.deepEqual(await store.usage.open([open.id], []), [open]);
    const found = await store.usage.search({ projectId }, 10);
    assert.deepEqual(found, { days: [{ ...place, accountId, ...counts }], open: [{ ...open, accountId }] });
    const more = { participantMs: 2 ** 40, archiveMs: 0, sealedBytes: 2 ** 50 };
    await store.usage.count(await step({ ended: [open], days: [{ ...place, ...more }] }));
    const { days, open: left } = await store.usage.search({ accountId }, 10);
    assert.deepEqual(left, []);
    assert.deepEqual(
      days.map((day) => [day.participantMs, day.archiveMs, day.sealedBytes]),
      [[1 + 2 ** 40, 2, 3 + 2 ** 50]],
    );
  });

  test('what is open changes in its place, and archives are found by their project', async () => {
    const { store } = given();
    const projectId = newKey();
    const archive: OpenUse = { kind: 'archive', id: newKey(), projectId, zone: 'any', since: 7 };
    const connection: OpenUse = { kind: 'connection', id: newKey(), projectId, zone: 'any', since: 7 };
    await store.usage.count(await step({ open: [archive, connection] }));
    await store.usage.count(await step({ open: [{ ...archive, since: null }] }));
    assert.deepEqual(await store.usage.open([], [projectId]), [{ ...archive, since: null }]);
    assert.deepEqual(await store.usage.open([], []), []);
  });

  test('usage is found by days, by project and by account, and in bounded number', async () => {
    const { store } = given();
    const [one, other] = [newKey(), newKey()];
    const day = (projectId: string, on: string) => ({ projectId, zone: 'any', day: on, ...counts });
    const all = [day(one, '2026-12-31'), day(one, '2027-01-01'), day(one, '2027-01-02'), day(other, '2027-01-01')];
    await store.usage.count(await step({ owners: [{ projectId: one, accountId: 'owner' }], days: all }));
    const found = async (search: object, limit = 10) =>
      (await store.usage.search(search, limit)).days
        .map((each) => `${each.projectId === one ? 1 : 2} ${each.day}`)
        .sort();
    assert.deepEqual(await found({ projectId: one, from: '2027-01-01' }), ['1 2027-01-01', '1 2027-01-02']);
    assert.deepEqual(await found({ accountId: 'owner', until: '2026-12-31' }), ['1 2026-12-31']);
    assert.deepEqual(await found({ projectId: other }), ['2 2027-01-01']);
    assert.equal((await found({ projectId: one }, 2)).length, 2);
  });

  test('usage stays when its project is removed', async () => {
    const { store, keys } = given();
    const { id: projectId } = await newProject(store, keys);
    const day = { projectId, zone: 'any', day: '2027-01-31', ...counts };
    await store.usage.count(await step({ owners: [{ projectId, accountId: 'gone' }], days: [day] }));
    await store.projects.remove(projectId, event('project.deleted', { projectId }));
    assert.deepEqual((await store.usage.search({ projectId }, 10)).days, [{ ...day, accountId: 'gone' }]);
  });
}
