import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import type { Act, Actor } from '../../packages/server/src/core/index.ts';
import { type TestPlatform, testPlatform } from './platform.ts';

const actor: Actor = { kind: 'operator', via: 'cli' };

let platform: TestPlatform;
before(async () => {
  platform = await testPlatform();
});
after(() => platform.close());

/** The acts that something leads to, as action, subject and outcome. */
async function actsOf(task: () => Promise<unknown>): Promise<string[]> {
  const before = platform.acts.length;
  await task();
  return platform.acts.slice(before).map(({ action, subject, outcome }) => `${action} ${subject.kind} ${outcome}`);
}

it('acts on projects and accounts arrive with their actor', async () => {
  const { core, accountId, acts } = platform;
  const found = await actsOf(async () => {
    const { project } = await core.projects.create(actor, accountId, {});
    await core.projects.setPolicy(actor, project.id, 'require-aes256');
    await core.projects.rotateSecret(actor, project.id, { how: 'at once' });
    await core.projects.rotateSignatureSecret(actor, project.id);
    await core.projects.setStatus(actor, project.id, 'SUSPENDED');
    await core.projects.remove(actor, project.id);
    await core.accounts.changePlan(actor, accountId, { plan: 'enterprise', addOns: [] });
  });
  assert.deepEqual(found, [
    'project.created project done',
    'project.policyChanged project done',
    'project.secretRotated project done',
    'project.signatureSecretRotated project done',
    'project.statusChanged project done',
    'project.deleted project done',
    'account.planChanged account done',
  ]);
  assert.deepEqual(new Set(acts.slice(-7).map((act: Act) => act.actor)), new Set(Array(7).fill(actor)));
});

it('acts in running sessions arrive: a refused leg, moderation, a client sent away', async () => {
  const { core, projectId } = platform;
  await core.projects.setPolicy(actor, projectId, 'require-aes256');
  const session = await platform.session();
  const [publisher, weak] = [await platform.enter(session), await platform.enter(session)];
  const found = await actsOf(async () => {
    const streamId = await platform.publish(publisher);
    await platform.publish(weak, 'AES_CM_128_HMAC_SHA1_80');
    await core.calls.forceMuteStream(actor, projectId, session.id, streamId);
    await core.calls.forceMuteAll(actor, projectId, session.id, true, []);
    await core.calls.forceDisconnect(actor, projectId, session.id, publisher.client.connectionId);
    weak.client.leave('clientDisconnected');
  });
  assert.deepEqual(found, [
    'leg.connected leg refused',
    'stream.muted stream done',
    'session.muted session done',
    'connection.destroyed connection done',
  ]);
});
