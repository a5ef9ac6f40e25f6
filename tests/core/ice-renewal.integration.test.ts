/** Servers for one connection alone, and others in time for as long as it is there. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { iceRenewMs, type TestPlatform, testPlatform } from './platform.ts';

let platform: TestPlatform;
before(async () => {
  platform = await testPlatform();
});
after(() => platform.close());

const served = (at: number, connectionId: string) => [{ urls: ['turn:test'], username: `${at}:${connectionId}` }];

test('each connection gets servers of its own when it joins', async () => {
  const session = await platform.session();
  const [secret] = await platform.core.projects.secretsOf(platform.projectId);
  const claims = {
    projectId: platform.projectId,
    sessionId: session.id,
    role: 'publisher',
    connectionData: '',
    layoutClasses: [],
    secretId: secret!.id,
  } as const;
  for (let count = 0; count < 2; count += 1) {
    const { connectionId, iceServers } = await platform.core.calls.join(claims, 'ws://test');
    assert.deepEqual(iceServers, served(platform.clock.now(), connectionId));
  }
});

test('a connection is given new ones again and again, and no others are', async () => {
  const session = await platform.session();
  const alice = await platform.enter(session);
  await platform.passes(iceRenewMs / 1000 - 1);
  const bob = await platform.enter(session);
  assert.deepEqual(alice.data('iceServers'), []);
  const expected: unknown[] = [];
  for (const seconds of [1, iceRenewMs / 1000]) {
    await platform.passes(seconds);
    expected.push({ iceServers: served(platform.clock.now(), alice.client.connectionId) });
    assert.deepEqual(alice.data('iceServers'), expected);
  }
  assert.equal(bob.data('iceServers').length, 1);
});

test('who has left is sent nothing more', async () => {
  const alice = await platform.enter(await platform.session());
  alice.client.leave('clientDisconnected');
  await platform.passes((2 * iceRenewMs) / 1000);
  assert.deepEqual(alice.data('iceServers'), []);
});
