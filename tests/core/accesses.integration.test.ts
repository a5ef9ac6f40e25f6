/** Accesses are recorded durably before they happen, with from where and how they ended, and never with what was shown. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { limits, PlatformError } from '@cloister/protocol';
import type { Actor, Event, SettingFact, Store } from '../../packages/server/src/core/index.ts';
import { type TestPlatform, testPlatform } from './platform.ts';

let platform: TestPlatform;
before(async () => {
  platform = await testPlatform();
});
after(() => platform.close());

const actor: Actor = { kind: 'account', accountId: 'a', network: 'private' };

/** What a task leaves in the outbox, durable when it has resolved; its own failure with it. */
async function recorded(task: () => Promise<unknown>): Promise<{ events: Event[]; thrown: unknown }> {
  const { store, recorder } = platform.core;
  const last = async () => {
    const some = await store.outbox.read('accesses', limits.outboxReadRows);
    if (some.length > 0) await store.outbox.advance('accesses', some.at(-1)!.position);
    return some;
  };
  await last();
  const thrown = await task().then(
    () => null,
    (error: unknown) => error,
  );
  await recorder.flush();
  return { events: (await last()).flatMap(({ event }) => event ?? []), thrown };
}

/** The same while the outbox takes nothing. */
async function withoutOutbox(task: () => Promise<unknown>): Promise<unknown> {
  const outbox = platform.core.store.outbox as { append: Store['outbox']['append'] };
  const { append } = outbox;
  outbox.append = () => Promise.reject(new PlatformError('StoreUnavailable', { why: 'test' }));
  try {
    return await task();
  } finally {
    outbox.append = append;
    // The recorder tries again what it could not write.
    platform.clock.advance(1000);
    await platform.core.recorder.flush();
  }
}

test('a secret that is shown is recorded first, without the secret, and not shown where it cannot be recorded', async () => {
  const { core, projectId } = platform;
  let secret = '';
  const { events } = await recorded(async () => {
    secret = await core.accesses.showSignatureSecret(actor, projectId);
  });
  assert.equal(secret, await core.projects.signatureSecretOf(projectId));
  assert.deepEqual(
    events.map(({ type, actor: by, projectId: of }) => [type, by, of]),
    [['secret.shown', actor, projectId]],
  );
  assert.ok(!JSON.stringify(events).includes(secret));
  await withoutOutbox(() => assert.rejects(core.accesses.showSecret(actor, projectId), { code: 'StoreUnavailable' }));
});

test('what a creation or a rotation shows is in the event of the change itself', async () => {
  const { core, accountId } = platform;
  const { events } = await recorded(async () => {
    const { project, signatureSecret } = await core.projects.create(actor, accountId, {});
    assert.equal(signatureSecret, await core.projects.signatureSecretOf(project.id));
    await core.projects.rotateSecret(actor, project.id, { how: 'at once' });
    await core.projects.rotateSignatureSecret(actor, project.id);
    await core.accounts.create(actor, { name: 'Practice', plan: 'standard' });
  });
  assert.deepEqual(
    events.map((event) => 'shown' in event && [event.type, ...(event.shown ?? [])].join(' ')),
    [
      'project.created api signature',
      'project.secretRotated api',
      'project.signatureSecretRotated signature',
      'account.created account',
    ],
  );
});

test('a log-in and a refused one are recorded; what a stranger typed is kept only where it is the key of an account', async () => {
  const { core, accountId } = platform;
  const stranger: Actor = { kind: 'stranger', network: 'public' };
  const { events } = await recorded(async () => {
    await core.accesses.loggedIn(actor, 'account', accountId);
    await core.accesses.refusedLogIn(stranger, accountId, 'AuthenticationFailed');
    await core.accesses.refusedLogIn(stranger, 'my password', 'AuthenticationFailed');
  });
  assert.deepEqual(
    events.map((event) => (event.type === 'act.failed' ? [event.action, event.subject] : [event.type])),
    [
      ['page.loggedIn'],
      ['page.loggedIn', { kind: 'account', id: accountId }],
      ['page.loggedIn', { kind: 'platform', id: 'pages' }],
    ],
  );
  assert.ok(!JSON.stringify(events).includes('my password'));
  await withoutOutbox(() =>
    assert.rejects(core.accesses.loggedIn(actor, 'account', accountId), { code: 'StoreUnavailable' }),
  );
});

test('a start tells how many keys were opened, and which settings are not those of the last start', async () => {
  const { core } = platform;
  const port = (value: string): SettingFact => ({ name: 'port', value, standard: value === '8080' });
  const database = (mark: string): SettingFact => ({
    name: 'databaseUrl',
    value: '(set, not shown)',
    standard: false,
    mark,
  });
  const changes = async (...settings: SettingFact[]) => {
    const { events } = await recorded(() => core.accesses.started(settings, 9));
    assert.deepEqual(events[0]?.type === 'keys.unwrapped' && events[0].keys, 9);
    return events.slice(1).map((event) => (event.type === 'settings.changed' ? event.changed : event.type));
  };
  assert.deepEqual(await changes(port('8080'), database('one')), [
    [{ setting: 'databaseUrl', from: null, to: '(set, not shown)' }],
  ]);
  assert.deepEqual(await changes(port('8080'), database('one')), []);
  assert.deepEqual(await changes(port('9090'), database('one')), [[{ setting: 'port', from: '8080', to: '9090' }]]);
  assert.deepEqual(await changes(port('9090'), database('two')), [
    [{ setting: 'databaseUrl', from: '(set, not shown)', to: '(set, not shown)' }],
  ]);
  const stored = await core.store.settings.last();
  assert.doesNotMatch(String(stored), /two|9090/);
});

test('of a long value auditSettingChars are told', async () => {
  const { core } = platform;
  const told = async (value: string) => {
    const { events } = await recorded(() =>
      core.accesses.started([{ name: 'destinations', value, standard: false }], 1),
    );
    const event = events.at(-1);
    return event?.type === 'settings.changed' ? event.changed[0]?.to : null;
  };
  const longest = 'x'.repeat(limits.auditSettingChars);
  assert.equal(await told(longest), longest);
  assert.equal(await told(`${longest}y`), `${longest}…`);
});
