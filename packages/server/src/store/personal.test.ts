import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Keys, Sealed } from '../core/index.ts';
import { erased, restoreEvent, storeErased, storeEvent } from './personal.ts';
import { connected, event, makeSession } from './store-fixture.ts';

const seals: Pick<Keys, 'seal' | 'open'> = {
  seal: (project, context, clear) => `${project} ${context} ${Buffer.from(clear).toString('hex')}` as Sealed,
  open: (project, context, sealed) => {
    assert.ok(sealed.startsWith(`${project} ${context} `));
    return Buffer.from(sealed.split(' ')[2] ?? '', 'hex').toString();
  },
};
const session = makeSession('7');
const stream = {
  id: 's',
  connection: { id: 'c', createdAt: 1, data: 'Adams' },
  createdAt: 1,
  name: 'Camera of Adams',
  videoType: 'camera' as const,
};
const created = event('stream.created', { projectId: '7', sessionId: session.id, stream });

test('personal fields leave the event and come back', () => {
  const stored = storeEvent(seals, created);
  assert.doesNotMatch(stored.event, /Adams/);
  assert.doesNotMatch(stored.personal ?? '', /Adams/);
  assert.deepEqual(restoreEvent(seals, stored), created);
});

test('the event that was given is left as it was', () => {
  const before = structuredClone(created);
  storeEvent(seals, created);
  assert.deepEqual(created, before);
});

test('an event without personal fields asks for no key', () => {
  const none: Pick<Keys, 'seal' | 'open'> = { seal: () => assert.fail(), open: () => assert.fail() };
  const plain = event('session.created', { projectId: '7', sessionId: session.id });
  assert.deepEqual(restoreEvent(none, storeEvent(none, plain)), plain);
});

test('erased fields are empty, missing ones an error', () => {
  const classes = event('stream.layoutChanged', {
    projectId: '7',
    sessionId: session.id,
    streamId: 's',
    classes: ['a'],
  });
  assert.equal(storeErased(created).personal, erased);
  const restored = restoreEvent(seals, storeErased(created));
  assert.equal(restored.type === 'stream.created' && restored.stream.name, '');
  assert.deepEqual(restoreEvent(seals, storeErased(classes)), { ...classes, classes: [] });
  const lost = { ...storeEvent(seals, connected(session, 'Adams')), personal: null };
  assert.throws(() => restoreEvent(seals, lost), { code: 'SealBroken' });
});
