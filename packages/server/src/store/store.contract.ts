/** What every store does, whatever engine is under it. Each engine's test file runs this suite on the real one. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { limits } from '@cloister/protocol/limits';
import { type Event, type Keys, type Session, sealedContext } from '../core/index.ts';

import { systemIds } from '../lib/index.ts';
import { accountRules } from './accounts.contract.ts';
import { archiveRules } from './archives.contract.ts';
import { auditRules } from './audit.contract.ts';
import type { OpenedStore } from './index.ts';
import { resealingRules } from './reseal.contract.ts';
import {
  connected,
  type Engine,
  event,
  type Given,
  makeCallback,
  makeDelivery,
  makeLeg,
  makeProject,
  makeSession,
  makeWord,
  newAccount,
  newArchive,
  newKey,
  newProject,
  newSession,
  newStorage,
  readAll,
  readerAtEnd,
  withKeys,
} from './store-fixture.ts';
import { usageRules } from './usage.contract.ts';

const refused = (code: string) => ({ name: 'PlatformError', code });

export function storeContract(name: string, start: () => Promise<Engine>): void {
  describe(`store on ${name}`, { concurrency: false }, () => {
    let engine: Engine;
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
    const given = (): Given => ({ engine, store, keys });
    accountRules(given);
    ownerRules(given);
    sessionRules(given);
    atomicityRules(given);
    orderRules(given);
    readerRules(given);
    unreadableRules(given);
    watchRules(given);
    stillOpenRules(given);
    deliveryRules(given);
    removalRules(given);
    sealingRules(given);
    resealingRules(given);
    archiveRules(given);
    auditRules(given);
    usageRules(given);
    test('everything is there after a restart', async () => {
      const project = await newProject(store, keys, 'Kept');
      const session = await newSession(store, project.id);
      await store.close();
      store = await engine.open();
      await assert.rejects(store.projects.get(project.id), refused('KeyUnavailable'));
      keys = await withKeys(store);
      assert.deepEqual(await store.projects.get(project.id), project);
      assert.deepEqual(await store.sessions.get(session.id), session);
    });
    test('a store that was closed takes nothing more', async () => {
      await store.close();
      await assert.rejects(newSession(store, '1'), refused('Stopping'));
      store = await engine.open();
      keys = await withKeys(store);
    });
  });
}

function ownerRules(given: () => Given): void {
  test('projects come back in order of creation, and change', async () => {
    const { store, keys } = given();
    const account = await newAccount(store, keys);
    const projects = [];
    for (const name of ['b', 'a', 'c']) {
      const project = await makeProject(keys, account.id, name);
      await store.projects.create(project, event('project.created', { projectId: project.id }));
      projects.push(project);
    }
    assert.deepEqual(await store.projects.list(account.id), projects);
    const { id } = projects[0] as { id: string };
    const suspended = event('project.statusChanged', { projectId: id, status: 'SUSPENDED' });
    await store.projects.update(id, { status: 'SUSPENDED', name: 'new' }, suspended);
    assert.deepEqual(await store.projects.get(id), { ...projects[0], status: 'SUSPENDED', name: 'new' });
    assert.equal(await store.projects.get('0'), null);
    const orphan = await makeProject(keys, '0');
    const created = store.projects.create(orphan, event('project.created', { projectId: orphan.id }));
    await assert.rejects(created, refused('IssuerNotFound'));
    await keys.createDataKey('404');
    const unknown = store.projects.update('404', { name: 'x' }, event('project.deleted', { projectId: '404' }));
    await assert.rejects(unknown, refused('ProjectNotFound'));
  });
}

function sessionRules(given: () => Given): void {
  test('sessions come back as they were given, also many created at once', async () => {
    const { store, keys } = given();
    const project = await newProject(store, keys);
    const archived: Session = {
      ...makeSession(project.id),
      archiveMode: 'always',
      archiveName: keys.seal(project.id, 'session.archiveName', 'Visit'),
      archiveResolution: '1280x720',
      e2ee: true,
      policy: 'require-aes256',
    };
    const created = { projectId: project.id, sessionId: archived.id };
    const many = Array.from({ length: limits.writesPerTransaction + 1 }, () => newSession(store, project.id));
    await store.sessions.create(archived, event('session.created', created));
    assert.deepEqual(await store.sessions.get(archived.id), archived);
    for (const session of await Promise.all(many)) {
      assert.deepEqual(await store.sessions.get(session.id), session);
    }
    assert.equal(await store.sessions.get('unknown'), null);
  });

  test('a session of an unknown project is refused without harm to those created with it', async () => {
    const { store, keys } = given();
    const project = await newProject(store, keys);
    const results = await Promise.allSettled([project.id, '0', project.id].map((id) => newSession(store, id)));
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    assert.equal((results[1] as PromiseRejectedResult).reason.code, 'ProjectNotFound');
  });

  test('callbacks come back in order, and are removed once', async () => {
    const { store, keys } = given();
    const project = await newProject(store, keys);
    const callbacks = [1, 2, 3].map(() => makeCallback(keys, project.id));
    for (const callback of callbacks) {
      const registered = event('callback.registered', { projectId: project.id, callbackId: callback.id });
      await store.callbacks.create(callback, registered);
    }
    assert.deepEqual(await store.callbacks.list(project.id), callbacks);
    const id = callbacks[1]?.id ?? '';
    const remove = (projectId: string) =>
      store.callbacks.remove(projectId, id, event('callback.removed', { projectId, callbackId: id }));
    const reader = await readerAtEnd(store);
    assert.equal(await remove('0'), false);
    assert.deepEqual(await Promise.all([remove(project.id), remove(project.id)]), [true, false]);
    assert.deepEqual(await store.callbacks.list(project.id), [callbacks[0], callbacks[2]]);
    assert.deepEqual(
      (await readAll(store, reader)).map((each) => each.event.type),
      ['callback.removed'],
    );
  });
}

function atomicityRules(given: () => Given): void {
  test('a change whose event cannot be written leaves no row', async () => {
    const { store, keys } = given();
    const project = await newProject(store, keys);
    const [first, second] = [makeSession(project.id), makeSession(project.id)];
    const created = event('session.created', { projectId: project.id, sessionId: first.id });
    await store.sessions.create(first, created);
    // The outbox has an event of this id already.
    await assert.rejects(store.sessions.create(second, created), refused('Internal'));
    assert.equal(await store.sessions.get(second.id), null);
    const rename = store.projects.update(project.id, { name: 'changed' }, created);
    await assert.rejects(rename, refused('Internal'));
    assert.equal((await store.projects.get(project.id))?.name, project.name);
  });

  test('a row that cannot be written leaves no event', async () => {
    const { store, keys } = given();
    const project = await newProject(store, keys);
    const session = await newSession(store, project.id);
    const reader = await readerAtEnd(store);
    const again = event('session.created', { projectId: project.id, sessionId: session.id });
    await assert.rejects(store.sessions.create(session, again), refused('Internal'));
    assert.deepEqual(await readAll(store, reader), []);
  });
}

function orderRules(given: () => Given): void {
  test('every change is in the outbox once, in order, with its personal fields', async () => {
    const { store, keys } = given();
    const reader = await readerAtEnd(store);
    const project = await newProject(store, keys);
    const session = await newSession(store, project.id);
    const facts = { projectId: project.id, sessionId: session.id };
    const connection = { id: 'c', createdAt: 1, data: 'Dr. Adams \u0000 🩺' };
    const stream = { id: 's', connection, createdAt: 1, name: 'Camera of Dr. Adams', videoType: null };
    const events = [
      connected(session, ''),
      event('stream.created', { ...facts, stream }),
      event('stream.layoutChanged', { ...facts, streamId: 's', classes: ['adams'] }),
      event('stream.destroyed', { ...facts, stream, reason: 'clientDisconnected' }),
      event('connection.destroyed', { ...facts, connection, reason: 'clientDisconnected' }),
    ];
    await store.outbox.append(events);
    const all = await readAll(store, reader);
    assert.deepEqual(
      all.slice(0, 3).map((each) => each.event.type),
      ['account.created', 'project.created', 'session.created'],
    );
    assert.deepEqual(
      all.slice(3).map((each) => each.event),
      events,
    );
    const positions = all.map(({ position }) => position);
    assert.deepEqual(
      positions,
      [...new Set(positions)].sort((a, b) => a - b),
    );
  });

  test('events of concurrent changes are all there, and those of one caller in its order', async () => {
    const { store, keys } = given();
    const project = await newProject(store, keys);
    const session = await newSession(store, project.id);
    const reader = await readerAtEnd(store);
    const callers = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const sent: Event[] = [];
        for (let turn = 0; turn < 5; turn += 1) {
          const some = [connected(session, 'a'), connected(session, 'b')];
          await store.outbox.append(some);
          await newSession(store, project.id);
          sent.push(...some);
        }
        return sent;
      }),
    );
    const ids = (await readAll(store, reader)).map((each) => each.event.id);
    assert.equal(ids.length, 20 * 5 * 3);
    assert.equal(new Set(ids).size, ids.length);
    for (const sent of callers) {
      const own = new Set(sent.map(({ id }) => id));
      assert.deepEqual(
        ids.filter((id) => own.has(id)),
        [...own],
      );
    }
  });
}

function readerRules(given: () => Given): void {
  test('an event appended again, as after a lost answer, is there once', async () => {
    const { store, keys } = given();
    const session = await newSession(store, (await newProject(store, keys)).id);
    const reader = await readerAtEnd(store);
    const [first, second] = [connected(session, 'first'), connected(session, 'second')];
    await store.outbox.append([first]);
    await store.outbox.append([first, second, second]);
    assert.deepEqual(
      (await readAll(store, reader)).map((each) => each.event),
      [first, second],
    );
  });

  test('a reader gets what it has not passed, never goes back, and leaves others alone', async () => {
    const { store, keys } = given();
    const [one, two] = [await readerAtEnd(store), await readerAtEnd(store)];
    await newProject(store, keys);
    const [first, second] = await store.outbox.read(one, 10);
    assert.ok(first && second);
    await store.outbox.advance(one, second.position);
    await store.outbox.advance(one, first.position);
    assert.deepEqual(await store.outbox.read(one, 10), []);
    assert.deepEqual(await store.outbox.read(two, 1), [first]);
  });
}

function unreadableRules(given: () => Given): void {
  test('an event that does not open is reported in its place, and those after it are read', async () => {
    const { store, keys } = given();
    const [lost, other] = [await newProject(store, keys), await newProject(store, keys)];
    const sessions = [await newSession(store, lost.id), await newSession(store, other.id)] as const;
    const reader = await readerAtEnd(store);
    const [sealed, plain, after] = [
      connected(sessions[0], 'Dr. Adams'),
      event('signal.sent', { projectId: lost.id, sessionId: sessions[0].id, toConnectionId: null }),
      connected(sessions[1], 'Dr. Brown'),
    ];
    await store.outbox.append([sealed, plain, after]);
    await keys.destroyDataKey(lost.id);
    const [first, ...rest] = await store.outbox.read(reader, 10);
    const { position, sequence } = first!;
    assert.deepEqual(first, { position, sequence, event: null, projectId: lost.id, why: 'SealBroken' });
    assert.deepEqual(
      rest.map((each) => each.event),
      [plain, after],
    );
    assert.ok((first?.position ?? 0) < (rest[0]?.position ?? 0));
  });
}

function watchRules(given: () => Given): void {
  test('a read returns at most outboxReadRows events', async () => {
    const { store, keys } = given();
    const session = await newSession(store, (await newProject(store, keys)).id);
    const reader = await readerAtEnd(store);
    const events = Array.from({ length: limits.outboxReadRows + 1 }, () => connected(session, ''));
    await store.outbox.append(events);
    assert.equal((await store.outbox.read(reader, limits.outboxReadRows)).length, limits.outboxReadRows);
    assert.equal((await store.outbox.read(reader, limits.outboxReadRows + 1)).length, limits.outboxReadRows);
  });

  test('whoever watches is woken by each commit with events, until it stops', async () => {
    const { store, keys } = given();
    const project = await newProject(store, keys);
    const woken = Promise.withResolvers<void>();
    let count = 0;
    const stop = store.outbox.watch(() => {
      count += 1;
      woken.resolve();
    });
    await newSession(store, project.id);
    await woken.promise;
    stop();
    const before = count;
    await newSession(store, project.id);
    await newSession(store, project.id);
    assert.equal(count, before);
  });

  test('events of a leg keep its row: the last state with all words, in order of connection', async () => {
    const { store, keys } = given();
    const { id: sessionId, projectId } = await newSession(store, (await newProject(store, keys)).id);
    const [late, early] = [makeLeg({ connectedAt: 2000 }), makeLeg({ connectedAt: 1000, direction: 'receive' })];
    const facts = { projectId, sessionId };
    await store.outbox.append([
      event('leg.connected', { ...facts, legId: 'late', leg: late, words: [makeWord()] }),
      event('leg.connected', { ...facts, legId: 'early', leg: early, words: [] }),
    ]);
    const first = { leg: early, words: [] };
    assert.deepEqual(await store.legs.list(sessionId), [first, { leg: late, words: [makeWord()] }]);
    const reported = { ...late, suiteReportedByClient: 'AEAD_AES_256_GCM', agree: true } as const;
    const closed = { ...reported, closedAt: 3000 };
    const words = [makeWord(), makeWord({ end: 'client', connectionId: 'c', at: 2500 })];
    await store.outbox.append([
      event('leg.reported', { ...facts, legId: 'late', leg: reported, words }),
      event('leg.closed', { ...facts, legId: 'late', leg: closed, words }),
    ]);
    assert.deepEqual(await store.legs.list(sessionId), [first, { leg: closed, words }]);
    assert.deepEqual(await store.legs.list('unknown'), []);
  });
}

function stillOpenRules(given: () => Given): void {
  test('what has begun is still open until its last event, or until its project is removed', async () => {
    const { store, keys } = given();
    const [session, doomed] = [
      await newSession(store, (await newProject(store, keys)).id),
      await newSession(store, (await newProject(store, keys)).id),
    ];
    const { id: sessionId, projectId } = session;
    const facts = { projectId, sessionId };
    const connection = { id: newKey(), createdAt: 1, data: 'Dr. Adams' };
    const stream = { id: newKey(), connection, createdAt: 1, name: 'Camera', videoType: null };
    const legId = newKey();
    const here = event('connection.created', { ...facts, connection });
    const shown = event('stream.created', { ...facts, stream });
    await store.outbox.append([
      here,
      shown,
      event('leg.connected', { ...facts, legId, leg: makeLeg(), words: [makeWord()] }),
    ]);
    await store.outbox.append([here, connected(doomed, '')]);
    const open = await store.stillOpen.of(sessionId);
    assert.deepEqual(open.legs, [{ id: legId, leg: makeLeg(), words: [makeWord()] }]);
    assert.deepEqual(
      open.begun.map((each) => each.event),
      [here, shown],
    );
    const ours = async () =>
      (await store.stillOpen.sessions()).filter((each) => [sessionId, doomed.id].includes(each.sessionId));
    assert.equal((await ours()).length, 2);
    await store.projects.remove(doomed.projectId, event('project.deleted', { projectId: doomed.projectId }));
    await keys.destroyDataKey(doomed.projectId);
    await store.outbox.append([connected(doomed, '')]);
    assert.deepEqual(await ours(), [facts]);
    const reason = 'networkDisconnected';
    await store.outbox.append([
      event('leg.closed', { ...facts, legId, leg: makeLeg({ closedAt: 2000 }), words: [] }),
      event('stream.destroyed', { ...facts, stream, reason }),
    ]);
    const left = await store.stillOpen.of(sessionId);
    assert.deepEqual([left.legs.length, left.begun.length], [0, 1]);
    await store.outbox.append([event('connection.destroyed', { ...facts, connection, reason })]);
    assert.deepEqual(await ours(), []);
  });
}

function deliveryRules(given: () => Given): void {
  test('deliveries are queued once, however often the same events are read', async () => {
    const { store, keys } = given();
    const project = await newProject(store, keys);
    const reader = await readerAtEnd(store);
    const [recorded] = await store.outbox.read('contract-start', 1);
    const position = (recorded?.position ?? 0) + 1_000_000;
    const first = makeDelivery(keys, project.id, { orderKey: project.id, dueAt: 10 });
    const second = makeDelivery(keys, project.id, { orderKey: project.id, dueAt: 10 });
    await store.deliveries.enqueue([first], reader, position);
    await store.deliveries.enqueue([second], reader, position);
    await store.deliveries.done(first.id);
    assert.deepEqual(await store.deliveries.due(10, 100, []), []);
    assert.deepEqual(await store.outbox.read(reader, 10), []);
    await store.deliveries.enqueue([second], reader, position + 1);
    assert.deepEqual(await store.deliveries.due(10, 100, []), [second]);
    await store.deliveries.done(second.id);
  });

  test('only the oldest delivery of an order key is due, and only when its time has come', async () => {
    const { store, keys } = given();
    const project = await newProject(store, keys);
    const make = (orderKey: string, dueAt: number) => makeDelivery(keys, project.id, { orderKey, dueAt });
    const [a1, a2, b1, b2] = [make('a', 50), make('a', 10), make('b', 20), make('b', 10)];
    const reader = await readerAtEnd(store);
    await store.deliveries.enqueue([a1, a2, b1], reader, 2_000_000);
    await store.deliveries.enqueue([b2], reader, 2_000_001);
    const due = async (now: number, except: string[] = [], limit = 10) =>
      (await store.deliveries.due(now, limit, except)).map(({ id }) => id);
    assert.equal(await store.deliveries.nextDueAt(), 20);
    assert.deepEqual(await due(19), []);
    assert.deepEqual(await due(20), [b1.id]);
    assert.deepEqual(await due(50), [b1.id, a1.id]);
    assert.deepEqual(await due(50, [], 1), [b1.id]);
    assert.deepEqual(await due(50, [b1.id]), [a1.id]);
    await store.deliveries.retry(a1.id, 3, 90);
    assert.deepEqual(await due(89), [b1.id]);
    assert.deepEqual(await store.deliveries.due(90, 10, [b1.id]), [{ ...a1, attempts: 3, dueAt: 90 }]);
    await store.deliveries.done(b1.id);
    assert.deepEqual(await due(50), [b2.id]);
    await store.deliveries.done(a1.id);
    assert.deepEqual(await due(50), [a2.id, b2.id]);
    for (const { id } of [a2, b2]) await store.deliveries.done(id);
    await store.deliveries.done('unknown');
    assert.equal(await store.deliveries.nextDueAt(), null);
  });
}

function removalRules(given: () => Given): void {
  test('a removed project leaves nothing but its events, and those without what was personal', async () => {
    const { store, keys } = given();
    const reader = await readerAtEnd(store);
    const project = await newProject(store, keys);
    const session = await newSession(store, project.id);
    const facts = { projectId: project.id, sessionId: session.id };
    const callback = makeCallback(keys, project.id);
    await store.callbacks.create(callback, event('callback.registered', { projectId: project.id, callbackId: '1' }));
    const left = connected(session, 'Dr. Adams');
    await store.outbox.append([
      left,
      event('leg.connected', { ...facts, legId: project.id, leg: makeLeg(), words: [] }),
    ]);
    await store.deliveries.enqueue([makeDelivery(keys, project.id)], 'contract-removal', 1);

    await store.projects.remove(project.id, event('project.deleted', { projectId: project.id }));

    assert.equal(
      (await store.keyring.load()).some(({ purpose }) => purpose === `project:${project.id}`),
      false,
    );
    await keys.destroyDataKey(project.id);
    assert.equal(await store.projects.get(project.id), null);
    assert.equal(await store.sessions.get(session.id), null);
    assert.deepEqual(await store.legs.list(session.id), []);
    assert.deepEqual(await store.callbacks.list(project.id), []);
    assert.equal(await store.deliveries.nextDueAt(), null);
    // The call was still going on when its project was removed.
    const late = connected(session, 'Dr. Brown');
    await store.outbox.append([late, event('leg.closed', { ...facts, legId: project.id, leg: makeLeg(), words: [] })]);
    await store.deliveries.enqueue(
      [makeDelivery({ seal: () => 'x' } as unknown as Keys, project.id)],
      'contract-removal',
      2,
    );
    assert.equal(await store.deliveries.nextDueAt(), null);
    assert.deepEqual(await store.legs.list(session.id), []);
    const events = (await readAll(store, reader)).map((each) => each.event);
    assert.deepEqual(events.map(({ type }) => type).slice(-4), [
      'leg.connected',
      'project.deleted',
      'connection.created',
      'leg.closed',
    ]);
    for (const each of events) {
      if (each.type === 'connection.created') assert.equal(each.connection.data, '');
    }
    const again = store.projects.remove(project.id, event('project.deleted', { projectId: project.id }));
    await assert.rejects(again, refused('ProjectNotFound'));
  });

  test('an event sealed before its project was removed and written after it stops no reader', async () => {
    const { store, keys } = given();
    const project = await newProject(store, keys);
    const session = await newSession(store, project.id);
    const reader = await readerAtEnd(store);
    await Promise.all([
      store.projects.remove(project.id, event('project.deleted', { projectId: project.id })),
      store.outbox.append([connected(session, 'Dr. Adams')]),
    ]);
    await keys.destroyDataKey(project.id);
    const [, last] = (await readAll(store, reader)).map((each) => each.event);
    assert.equal(last?.type === 'connection.created' && last.connection.data, '');
  });
}

/** Files of a folder that hold a text. */
function filesWith(folder: string, text: string): string[] {
  try {
    return execFileSync('grep', ['-rlaF', text, folder], { encoding: 'utf8' }).trim().split('\n');
  } catch (error) {
    // 1: nothing found.
    if ((error as { status: number }).status === 1) return [];
    throw error;
  }
}

function sealingRules(given: () => Given): void {
  test('what is personal is found in no file of the database, its log included', async () => {
    const { engine, store, keys } = given();
    const marker = `marker${systemIds.hex(8)}`;
    const visible = newKey();
    const account = await newAccount(store, keys, `${marker} Clinic`);
    const project = await makeProject(keys, account.id, `${marker} Ward`);
    await store.projects.create(project, event('project.created', { projectId: project.id }));
    const session = { ...makeSession(project.id), id: `1_${visible}`, archiveName: keys.seal(project.id, 'a', marker) };
    await store.sessions.create(session, event('session.created', { projectId: project.id, sessionId: session.id }));
    const callback = makeCallback(keys, project.id, `https://example.org/${marker}`);
    await store.callbacks.create(callback, event('callback.registered', { projectId: project.id, callbackId: '1' }));
    const connection = { id: 'c', createdAt: 1, data: marker };
    const stream = { id: 's', connection, createdAt: 1, name: marker, videoType: null };
    const facts = { projectId: project.id, sessionId: session.id };
    await store.outbox.append([
      connected(session, marker),
      event('stream.created', { ...facts, stream }),
      event('stream.destroyed', { ...facts, stream, reason: 'clientDisconnected' }),
      event('stream.layoutChanged', { ...facts, streamId: 's', classes: [marker] }),
      event('connection.destroyed', { ...facts, connection, reason: 'clientDisconnected' }),
    ]);
    const archive = await newArchive(store, session, { name: marker });
    await store.outbox.append([event('archive.stopped', { ...facts, archive: { ...archive, status: 'stopped' } })]);
    const target = keys.seal(project.id, sealedContext.storageTarget(project.id), marker);
    await newStorage(store, keys, project.id, { target });
    const url = keys.seal(project.id, 'u', `https://example.org/${marker}`);
    const body = keys.seal(project.id, 'b', marker);
    const delivery = makeDelivery(keys, project.id, { orderKey: project.id, url, body });
    await store.deliveries.enqueue([delivery], 'contract-sealing', 1);
    await store.projects.update(
      project.id,
      { name: `${marker} 2` },
      event('project.created', { projectId: project.id }),
    );

    assert.notDeepEqual(filesWith(engine.folder, visible), [], 'the search finds what is there');
    assert.deepEqual(filesWith(engine.folder, marker), []);
    assert.deepEqual(filesWith(engine.folder, Buffer.from(marker).toString('base64').slice(0, 16)), []);
    await store.deliveries.done(delivery.id);
  });

  test('a row whose key is gone is an error, never an empty value', async () => {
    const { store, keys } = given();
    const project = await newProject(store, keys);
    const account = await newAccount(store, keys, 'One');
    const wrong = { ...project, id: newKey(), accountId: account.id };
    await keys.createDataKey(wrong.id);
    await store.projects.create(wrong, event('project.created', { projectId: wrong.id }));
    await keys.destroyDataKey(wrong.id);
    await assert.rejects(store.projects.get(wrong.id), refused('SealBroken'));
    await assert.rejects(store.projects.list(account.id), refused('SealBroken'));
  });
}
