/** What every store does for the audit log. Part of the contract in `store.contract.ts`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AuditEntry, auditReader, type Sealed } from '../core/index.ts';
import { connected, event, type Given, newProject, newSession, readAll, readerAtEnd } from './store-fixture.ts';

const refused = (code: string) => ({ name: 'PlatformError', code });

function entry(index: number, facts: Partial<AuditEntry> = {}): AuditEntry {
  const mac = Buffer.alloc(32, index);
  const about = {
    eventId: `event ${index}`,
    at: 1000 + index,
    action: 'project.created',
    accountId: 'a',
    projectId: 'p',
  };
  return { index, ...about, mac, sealed: `sealed ${index}` as Sealed, ...facts };
}

export function auditRules(given: () => Given): void {
  test('events have a sequence without a gap, whatever is refused or comes twice', async () => {
    const { store, keys } = given();
    const project = await newProject(store, keys);
    const session = await newSession(store, project.id);
    const reader = await readerAtEnd(store);
    const ada = connected(session, 'Ada');
    await store.outbox.append([ada]);
    await store.outbox.append([ada, connected(session, 'Eve')]);
    const again = event('project.created', { projectId: project.id });
    await store.projects.update(project.id, { name: 'x' }, again);
    await assert.rejects(store.projects.update(project.id, { name: 'y' }, again));
    await assert.rejects(store.projects.update('404', { zone: 'eu' }, event('project.created', { projectId: '404' })));
    await store.projects.update(project.id, { zone: 'eu' }, event('project.created', { projectId: project.id }));
    const found = await readAll(store, reader);
    assert.equal(found.length, 4);
    const first = found[0]!.sequence!;
    assert.deepEqual(
      found.map(({ sequence }) => sequence),
      [first, first + 1, first + 2, first + 3],
    );
  });
  test('a key and the event of its change are one transaction', async () => {
    const { store } = given();
    const reader = await readerAtEnd(store);
    const row = { id: 'k', purpose: 'test', wrapped: 'w', createdAt: 1, retiredAt: null, compromisedAt: null };
    const rotated = event('key.rotated', { projectId: null, purpose: 'test', keyId: 'k' });
    await store.keyring.save(row, rotated);
    assert.deepEqual(
      (await readAll(store, reader)).map((each) => each.event),
      [rotated],
    );
    // An event that cannot be written leaves the key as it was.
    await assert.rejects(store.keyring.save({ ...row, retiredAt: 2 }, rotated));
    assert.equal((await store.keyring.load()).find(({ id }) => id === 'k')?.retiredAt, null);
    await store.keyring.remove('k');
  });

  stepRules(given);
}

function stepRules(given: () => Given): void {
  test('a step of the audit log is whole, once, and moves its reader', async () => {
    const { audit, outbox } = given().store;
    assert.equal(await audit.head(), null);
    const head = { origin: 'log', size: 0, checkpoint: 'note 0', sequence: 0 };
    await audit.append({ from: null, head, entries: [], tiles: [], position: null });
    assert.deepEqual(await audit.head(), head);
    const position = (await outbox.read(auditReader, 1))[0]!.position;
    const second = { ...head, size: 2, checkpoint: 'note 2', sequence: 7 };
    const tile = { level: 0, index: 0, hashes: Buffer.alloc(64, 1) };
    const step = { from: head, head: second, entries: [entry(0), entry(1, { sealed: null })], tiles: [tile], position };
    await audit.append(step);
    assert.deepEqual(await audit.head(), second);
    assert.deepEqual(await audit.entries({}, 10), step.entries);
    assert.deepEqual(await audit.tiles([tile, { level: 1, index: 0 }]), [tile]);
    assert.ok((await outbox.read(auditReader, 1))[0]!.position > position);
    // Another process went on from the same size, or an entry is there already: nothing of it is written.
    await assert.rejects(audit.append(step), refused('WrongState'));
    await assert.rejects(audit.append({ ...step, from: second, head: { ...second, size: 4 } }));
    for (const other of [{ sequence: 6 }, { checkpoint: 'another note' }, { size: 1 }]) {
      const from = { ...second, ...other };
      await assert.rejects(audit.append({ ...step, from, entries: [entry(2)] }), refused('WrongState'));
    }
    assert.deepEqual(await audit.head(), second);
    assert.equal(await audit.count(), 2);
    const wider = { ...tile, hashes: Buffer.alloc(96, 2) };
    await audit.append({
      from: second,
      head: { ...second, size: 3 },
      entries: [entry(2)],
      tiles: [wider],
      position: null,
    });
    assert.deepEqual(await audit.tiles([tile]), [wider]);
  });

  test('entries are found by what they are about, and those about the log by everybody', async () => {
    const { audit } = given().store;
    const head = await audit.head();
    const { size } = head!;
    const none = { accountId: null, projectId: null };
    const entries = [
      entry(size, { accountId: 'b', projectId: 'q' }),
      entry(size + 1, { accountId: 'b', projectId: null, action: 'account.created' }),
      entry(size + 2, { ...none, action: 'key.rotated' }),
      entry(size + 3, { ...none, action: 'audit.gap' }),
    ];
    const grown = { ...head!, size: size + 4 };
    await audit.append({ from: head, head: grown, entries, tiles: [], position: null });
    const found = async (search: Parameters<typeof audit.indexes>[0]) =>
      (await audit.indexes(search)).map((index) => index - size).filter((index) => index >= 0);
    assert.deepEqual(await found({}), [0, 1, 2, 3]);
    assert.deepEqual(await found({ accountId: 'b' }), [0, 1, 3]);
    assert.deepEqual(await found({ accountId: 'b', projectId: 'q' }), [0, 3]);
    assert.deepEqual(await found({ action: 'key.rotated' }), [2]);
    assert.deepEqual(await found({ since: 1000 + size + 1, until: 1000 + size + 3 }), [1, 2]);
    assert.deepEqual(await found({ first: size + 3 }), [3]);
    assert.deepEqual(
      (await audit.entries({ first: size + 1 }, 1)).map(({ index }) => index - size),
      [1],
    );
    assert.equal(await audit.accountOf('q'), 'b');
    assert.equal(await audit.accountOf('nobody'), null);
  });
  lastingRules(given);
}

/** What stays, and what does not. */
function lastingRules(given: () => Given): void {
  test('content is destroyed below an index, not that of projects which are held, and hashes stay', async () => {
    const { audit } = given().store;
    const before = await audit.entries({}, 100);
    const held = before.find(({ projectId }) => projectId === 'q')!.index;
    await audit.destroy(held + 1, ['q']);
    const after = await audit.entries({}, 100);
    assert.deepEqual(
      after.map(({ mac }) => mac),
      before.map(({ mac }) => mac),
    );
    const gone = after.filter(({ sealed }) => sealed === null).map(({ index }) => index);
    assert.deepEqual(
      gone,
      before.map(({ index }) => index).filter((index) => index < held),
    );
    await audit.destroy(held + 1, []);
    assert.equal((await audit.entries({ first: held }, 1))[0]?.sealed, null);
  });

  test('the first entry at or after a time is found, by its index', async () => {
    const { audit } = given().store;
    const [first, second] = await audit.entries({}, 2);
    assert.equal(await audit.firstAfter(0), first!.index);
    assert.equal(await audit.firstAfter(second!.at), second!.index);
    assert.equal(await audit.firstAfter(1e12), await audit.count());
  });

  test('how far a receiver is, is kept by its name', async () => {
    const { audit } = given().store;
    assert.equal(await audit.outlet('syslog'), 0);
    await audit.putOutlet('syslog', 7);
    await audit.putOutlet('otlp', 3);
    await audit.putOutlet('syslog', 5);
    assert.deepEqual([await audit.outlet('syslog'), await audit.outlet('otlp')], [5, 3]);
  });

  test('of each witness the last checkpoint is kept', async () => {
    const { audit } = given().store;
    await audit.putWitnessed({ name: 'w2', checkpoint: 'one', at: 1 });
    await audit.putWitnessed({ name: 'w1', checkpoint: 'two', at: 2 });
    await audit.putWitnessed({ name: 'w2', checkpoint: 'three', at: 3 });
    assert.deepEqual(await audit.witnessed(), [
      { name: 'w1', checkpoint: 'two', at: 2 },
      { name: 'w2', checkpoint: 'three', at: 3 },
    ]);
  });
}
