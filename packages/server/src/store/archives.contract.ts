/** What every store does with archives and with the storage of a project. Part of the contract in `store.contract.ts`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Archive, ArchiveTerms, Sealing } from '../core/index.ts';
import {
  event,
  type Given,
  makeArchive,
  makeStorage,
  newArchive,
  newProject,
  newSession,
  newStorage,
  readAll,
  readerAtEnd,
} from './store-fixture.ts';

const refused = (code: string) => ({ name: 'PlatformError', code });
const nowhere = { offset: 0, count: 10 };

function placeOf({ projectId, sessionId }: Archive) {
  return { projectId, sessionId };
}

export function archiveRules(given: () => Given): void {
  rowRules(given);
  termsRules(given);
  lifetimeRules(given);
  storageRules(given);
  sealingRules(given);
}

function rowRules(given: () => Given): void {
  test('an archive comes back as it was given, also by its project and its session, newest first', async () => {
    const { store, keys } = given();
    const project = await newProject(store, keys);
    const [session, other] = [await newSession(store, project.id), await newSession(store, project.id)];
    const sealed = {
      certificate: 'pem',
      recipients: ['pem', 'another pem'],
      manifest: 'a.b.c',
      sandbox: 'none',
    } as const;
    const whole = { ...sealed, maxBitrate: 200_000, name: 'Zürich 🩺', beganAt: 5, sizeBytes: 2 ** 40 };
    const first = await newArchive(store, session, whole);
    const second = await newArchive(store, other, { resolution: null, quantizationParameter: 20 });
    assert.deepEqual(await store.archives.get(first.id), first);
    assert.equal(await store.archives.get('unknown'), null);
    assert.deepEqual(await store.archives.list(project.id, nowhere), { count: 2, items: [second, first] });
    assert.deepEqual(await store.archives.list(project.id, { offset: 1, count: 1 }), { count: 2, items: [first] });
    const ofOther = await store.archives.list(project.id, { ...nowhere, sessionId: other.id });
    assert.deepEqual(ofOther, { count: 1, items: [second] });
    assert.deepEqual(await store.archives.list('0', nowhere), { count: 0, items: [] });
    const orphan = makeArchive({ ...session, projectId: project.id }, { projectId: project.id });
    await assert.rejects(
      store.archives.create(
        { ...orphan, id: first.id },
        event('archive.started', { ...placeOf(orphan), archive: orphan }),
      ),
      refused('Internal'),
    );
  });

  test('events of an archive keep its row, until it is deleted', async () => {
    const { store, keys } = given();
    const session = await newSession(store, (await newProject(store, keys)).id);
    const archive = await newArchive(store, session);
    const stopped: Archive = {
      ...archive,
      status: 'stopped',
      reason: 'user initiated',
      updatedAt: 2000,
      beganAt: 1500,
    };
    const kept = { sizeBytes: 7, sha256: 's', kept: true, manifest: 'm' };
    const available: Archive = { ...stopped, status: 'available', ...kept };
    const told = [
      event('archive.stopped', { ...placeOf(archive), archive: stopped }),
      event('archive.available', { ...placeOf(archive), archive: available }),
    ];
    const reader = await readerAtEnd(store);
    await store.outbox.append(told);
    assert.deepEqual(await store.archives.get(archive.id), available);
    assert.deepEqual(
      (await readAll(store, reader)).map((each) => each.event),
      told,
    );
    const deleted: Archive = { ...available, status: 'deleted' };
    const gone = () => event('archive.deleted', { ...placeOf(archive), archive: deleted });
    assert.equal(await store.archives.update(deleted, 'stopped', gone()), false);
    assert.equal(await store.archives.update(deleted, 'available', gone()), true);
    assert.equal(await store.archives.update(deleted, 'available', gone()), false);
    assert.deepEqual((await store.archives.list(session.projectId, nowhere)).items, []);
    await store.outbox.append([event('archive.stopped', { ...placeOf(archive), archive: stopped })]);
    assert.equal((await store.archives.get(archive.id))?.status, 'deleted');
    await store.archives.released(archive.id);
    assert.equal(await store.archives.get(archive.id), null);
  });
}

function termsRules(given: () => Given): void {
  test('an archive is made only under the storage and the sealing that it was planned under', async () => {
    const { store, keys } = given();
    const session = await newSession(store, (await newProject(store, keys)).id);
    const { projectId } = session;
    const make = async (under: ArchiveTerms) => {
      const archive = makeArchive(session);
      const made = await store.archives.create(
        archive,
        event('archive.started', { ...placeOf(archive), archive }),
        under,
      );
      assert.equal((await store.archives.get(archive.id)) !== null, made);
      return made;
    };
    const putSealing = async (facts: Partial<Sealing> = {}) => {
      const sealing: Sealing = {
        projectId,
        format: 'cloister',
        certificates: ['a "pem"\n'],
        updatedAt: 1000,
        ...facts,
      };
      const changed = { projectId, format: sealing.format, certificateSha256: ['f'] };
      await store.sealings.put(sealing, event('sealing.changed', changed));
      return sealing;
    };
    const reader = await readerAtEnd(store);
    const nothing: ArchiveTerms = { storage: null, sealing: null };
    assert.equal(await make(nothing), true);
    const storage = await newStorage(store, keys, projectId);
    assert.deepEqual([await make(nothing), await make({ storage, sealing: null })], [false, true]);
    // Set anew in the same millisecond.
    const again = await newStorage(store, keys, projectId, { certificate: 'pem' });
    assert.equal(again.updatedAt, storage.updatedAt);
    assert.equal(await make({ storage, sealing: null }), false);
    const sealing = await putSealing();
    const same = { storage: again, sealing };
    assert.deepEqual([await make({ storage: again, sealing: null }), await make(same)], [false, true]);
    for (const facts of [{ certificates: ['a "pem"\n', 'b'] }, { format: 'opentok' }, { updatedAt: 1001 }] as const) {
      const next = await putSealing(facts);
      assert.deepEqual([await make(same), await make({ ...same, sealing: next })], [false, true]);
    }
    await store.storages.remove(projectId, event('storage.removed', { projectId }));
    assert.equal(await make(same), false);
    // What was not made was not told either.
    const told = (await readAll(store, reader)).filter((each) => each.event.type === 'archive.started');
    assert.equal(told.length, 6);
    await keys.createDataKey('407');
    const orphan = makeArchive({ ...session, projectId: '407' });
    const create = store.archives.create(
      orphan,
      event('archive.started', { ...placeOf(orphan), archive: orphan }),
      nothing,
    );
    await assert.rejects(create, refused('ProjectNotFound'));
  });
}

function lifetimeRules(given: () => Given): void {
  test('what is unfinished, what is kept and what has outlived its time is found', async () => {
    const { store, keys } = given();
    const session = await newSession(store, (await newProject(store, keys)).id);
    const make = (facts: Partial<Archive>) => newArchive(store, session, facts);
    const open = [await make({}), await make({ status: 'paused' }), await make({ status: 'stopped' })];
    const kept = { kept: true, updatedAt: 5000 } as const;
    const [due, young, failed, empty] = [
      await make({ status: 'available', ...kept }),
      await make({ status: 'available', ...kept, updatedAt: 5001 }),
      await make({ status: 'failed', ...kept }),
      await make({ status: 'failed', updatedAt: 5000 }),
    ];
    const expired = await make({ status: 'expired', ...kept, updatedAt: 9000 });
    const uploaded = await make({ status: 'uploaded', updatedAt: 1 });
    // Its file was to go at once, and is still there.
    const late = await make({ status: 'uploaded', ...kept, updatedAt: 9001 });
    const ours = await store.archives.filed(session.projectId);
    const unfinished = (await store.archives.unfinished()).filter((id) => ours.includes(id));
    assert.deepEqual(
      unfinished,
      open.map(({ id }) => id),
    );
    // Oldest first, and those of one time by their ids.
    const [one, other] = [due, failed].sort((a, b) => (a.id < b.id ? -1 : 1)) as [Archive, Archive];
    const outlived = async (after?: Archive) => {
      const places = await store.archives.outlived(5000, 100, after ?? null);
      const known = new Map([due, failed, expired, late].map((each) => [each.id, each]));
      return places.flatMap(({ id, updatedAt }) => (known.get(id)?.updatedAt === updatedAt ? [known.get(id)] : []));
    };
    assert.deepEqual(await outlived(), [one, other, expired, late]);
    assert.deepEqual(
      [await outlived(one), await outlived(other)],
      [
        [other, expired, late],
        [expired, late],
      ],
    );
    assert.deepEqual((await store.archives.outlived(5000, 1)).length, 1);
    const idsOf = (all: readonly Archive[]) => all.map(({ id }) => id);
    // What was uploaded has no file any more; of what failed nobody knows.
    const filed = idsOf([...open, due, young, failed, empty, expired, late]);
    assert.deepEqual(await store.archives.filed(session.projectId), filed);
    const ids = [uploaded.id, 'unknown', due.id];
    assert.deepEqual((await store.archives.known(ids)).sort(), [uploaded.id, due.id].sort());
    assert.deepEqual(await store.archives.known([]), []);
    for (const each of [expired, late]) await store.archives.released(each.id);
    assert.deepEqual(await store.archives.get(expired.id), { ...expired, kept: false });
    assert.deepEqual(await outlived(), [one, other]);
    for (const each of [due, failed]) await store.archives.released(each.id);
  });
}

function sealingRules(given: () => Given): void {
  test('what archives are sealed to is set, set anew and removed once, and goes with its project', async () => {
    const { store, keys } = given();
    const { id: projectId } = await newProject(store, keys);
    const changed = (of = projectId) =>
      event('sealing.changed', { projectId: of, format: 'cloister', certificateSha256: ['f'] });
    assert.equal(await store.sealings.get(projectId), null);
    const first: Sealing = { projectId, format: 'cloister', certificates: ['pem', 'another pem'], updatedAt: 1000 };
    await store.sealings.put(first, changed());
    assert.deepEqual(await store.sealings.get(projectId), first);
    const next: Sealing = { projectId, format: 'opentok', certificates: ['pem'], updatedAt: 2000 };
    await store.sealings.put(next, changed());
    assert.deepEqual(await store.sealings.get(projectId), next);
    const remove = () => store.sealings.remove(projectId, event('sealing.removed', { projectId }));
    const reader = await readerAtEnd(store);
    assert.deepEqual([await remove(), await remove()], [true, false]);
    assert.equal((await readAll(store, reader)).length, 1);
    await store.sealings.put(first, changed());
    await store.projects.remove(projectId, event('project.deleted', { projectId }));
    assert.equal(await store.sealings.get(projectId), null);
    await assert.rejects(
      store.sealings.put({ ...first, projectId: '406' }, changed('406')),
      refused('ProjectNotFound'),
    );
  });
}

function storageRules(given: () => Given): void {
  test('the storage of a project is set, set anew and removed once', async () => {
    const { store, keys } = given();
    const { id: projectId } = await newProject(store, keys);
    const changed = () =>
      event('storage.changed', { projectId, storage: 's3', fallback: 'none', certificateSha256: null });
    assert.equal(await store.storages.get(projectId), null);
    await store.storages.put(makeStorage(keys, projectId), changed());
    const next = makeStorage(keys, projectId, { fallback: 'opentok', certificate: 'pem', updatedAt: 2000 });
    await store.storages.put(next, changed());
    assert.deepEqual(await store.storages.get(projectId), next);
    const remove = () => store.storages.remove(projectId, event('storage.removed', { projectId }));
    const reader = await readerAtEnd(store);
    assert.deepEqual([await remove(), await remove()], [true, false]);
    assert.equal(await store.storages.get(projectId), null);
    assert.equal((await readAll(store, reader)).length, 1);
    await keys.createDataKey('405');
    const orphan = store.storages.put(
      makeStorage(keys, '405'),
      event('storage.changed', { projectId: '405', storage: 's3', fallback: 'none', certificateSha256: null }),
    );
    await assert.rejects(orphan, refused('ProjectNotFound'));
  });

  test('archives and storage go with their project', async () => {
    const { store, keys } = given();
    const project = await newProject(store, keys);
    const archive = await newArchive(store, await newSession(store, project.id));
    const { id: projectId } = project;
    await store.storages.put(
      makeStorage(keys, projectId),
      event('storage.changed', { projectId, storage: 's3', fallback: 'none', certificateSha256: null }),
    );
    const reader = await readerAtEnd(store);
    await store.projects.remove(projectId, event('project.deleted', { projectId }));
    await keys.destroyDataKey(projectId);
    assert.equal(await store.archives.get(archive.id), null);
    assert.equal(await store.storages.get(projectId), null);
    // It was still being recorded when its project was removed.
    await store.outbox.append([
      event('archive.failed', { ...placeOf(archive), archive: { ...archive, status: 'failed' } }),
    ]);
    assert.equal(await store.archives.get(archive.id), null);
    const last = (await readAll(store, reader)).at(-1)?.event;
    assert.equal(last?.type === 'archive.failed' && last.archive.name, '');
  });
}
