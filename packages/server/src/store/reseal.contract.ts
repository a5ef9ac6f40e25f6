/** What every store does after a data key has leaked. Part of the contract in `store.contract.ts`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Account,
  type Delivery,
  type EventOf,
  type Project,
  type Recorded,
  type Sealed,
  type Session,
  sealedContext,
} from '../core/index.ts';
import type { KeyRing } from '../keys/index.ts';
import {
  connected,
  event,
  type Given,
  makeCallback,
  makeDelivery,
  makeProject,
  makeSession,
  newAccount,
  newArchive,
  newStorage,
  readAll,
  readerAtEnd,
} from './store-fixture.ts';

export function resealingRules(given: () => Given): void {
  test('once sealed anew, everything opens without the key that leaked, and what changed meanwhile stays', async () => {
    const { store, keys } = given();
    const account = await newAccount(store, keys, 'Clinic');
    const project = await makeProject(keys, account.id, 'Ward');
    await store.projects.create(project, event('project.created', { projectId: project.id }));
    const archiveName = keys.seal(project.id, sealedContext.archiveName(), 'Visit');
    const session = { ...makeSession(project.id), archiveName };
    await store.sessions.create(session, event('session.created', { projectId: project.id, sessionId: session.id }));
    const callback = makeCallback(keys, project.id, 'https://example.org/events');
    await store.callbacks.create(callback, event('callback.registered', { projectId: project.id, callbackId: '1' }));
    const archive = await newArchive(store, session, { name: 'Ward round' });
    await newStorage(store, keys, project.id);
    const reader = await readerAtEnd(store);
    const ada = connected(session, 'Ada');
    await store.outbox.append([ada]);
    const delivery = makeDelivery(keys, project.id, { orderKey: project.id, dueAt: 0 });
    await store.deliveries.enqueue([delivery], `resealing-${project.id}`, 1);

    const ring = keys as KeyRing;
    const purposes = ['platform:data', `project:${project.id}`];
    const leaked = purposes.map((purpose) => ring.list().find((key) => key.purpose === purpose && !key.retiredAt)?.id);
    for (const keyId of leaked) await ring.compromise(keyId as string);
    const renamed = store.projects.update(
      project.id,
      { name: 'Ward 2' },
      event('project.created', { projectId: project.id }),
    );
    const [own, platform] = [await store.reseal(project.id), await store.reseal(null)];
    await renamed;
    assert.ok(own >= 10, `ten values of the project at least: ${own}`);
    assert.ok(platform >= 2, `two of the account at least: ${platform}`);
    assert.deepEqual([await store.reseal(project.id), await store.reseal(null)], [0, 0]);

    for (const keyId of leaked) await store.keyring.remove(keyId as string);
    await ring.refresh();
    assert.equal(ring.list().filter(({ id }) => leaked.includes(id)).length, 0);
    const now = (await store.projects.get(project.id)) as Project;
    assert.equal(now.name, 'Ward 2');
    assert.equal(ring.open(project.id, sealedContext.signatureSecret(), now.signatureSecret), 'secret');
    for (const { id, sealed } of now.secrets) {
      assert.equal(ring.open(project.id, sealedContext.projectSecret(id), sealed), 'secret');
    }
    const owner = (await store.accounts.get(account.id)) as Account;
    assert.equal(owner.name, 'Clinic');
    assert.equal(ring.open(null, sealedContext.accountSecret(account.id), owner.secret), 'secret');
    const kept = (await store.sessions.get(session.id)) as Session;
    assert.equal(ring.open(project.id, sealedContext.archiveName(), kept.archiveName as Sealed), 'Visit');
    assert.equal((await store.archives.get(archive.id))?.name, 'Ward round');
    const target = (await store.storages.get(project.id))?.target as Sealed;
    assert.equal(ring.open(project.id, sealedContext.storageTarget(project.id), target), '{"type":"s3"}');
    const [hook] = await store.callbacks.list(project.id);
    assert.equal(
      ring.open(project.id, sealedContext.callbackUrl(callback.id), hook?.url as Sealed),
      'https://example.org/events',
    );
    const queued = (await store.deliveries.due(Date.now(), 100, [])).find(({ id }) => id === delivery.id) as Delivery;
    assert.equal(ring.open(project.id, sealedContext.deliveryBody(delivery.id), queued.body), '{}');
    assert.match(ring.open(project.id, sealedContext.deliveryUrl(delivery.id), queued.url), /^https:/);
    const told = (await readAll(store, reader)).find(({ event: each }) => each.type === 'connection.created');
    assert.equal((told as Recorded & { event: EventOf<'connection.created'> }).event.connection.data, 'Ada');
    const [present] = (await store.stillOpen.of(session.id)).begun;
    assert.deepEqual(present?.event, ada);
    await store.deliveries.done(delivery.id);
  });
}
