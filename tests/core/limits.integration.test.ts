/** Limits of `core` on how many there may be: the last that fits, and one past it. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type LimitName, limits } from '@cloister/protocol';
import type { Connection } from '../../packages/server/src/core/index.ts';
import { camera, type TestClient, type TestPlatform, testPlatform } from './platform.ts';

const actor = { kind: 'operator', via: 'start' } as const;
const wish = { ...camera, hasVideo: false } as const;

let platform: TestPlatform;
before(async () => {
  platform = await testPlatform();
});
after(() => platform.close());

/** What the rules themselves keep of a client. */
async function connectionOf(client: TestClient, sessionId: string): Promise<Connection> {
  const all = await platform.core.calls.connections(platform.projectId, sessionId);
  return all.find(({ id }) => id === client.client.connectionId)!;
}

/** Fills a map up to `size` with what is in it already: the rules count, and look no further. @returns how to empty it again */
function fill<Value>(map: Map<string, Value>, size: number, value: Value): () => void {
  const names = Array.from({ length: size - map.size }, (_, index) => `filled ${index}`);
  for (const name of names) map.set(name, value);
  return () => {
    for (const name of names) map.delete(name);
  };
}

/** The last that fits is taken; one past it is refused with the name of the limit and its value. */
async function bounded(limit: LimitName, add: () => Promise<unknown>): Promise<void> {
  await add();
  await assert.rejects(add, { code: 'LimitReached', details: { limit, value: limits[limit] } });
}

describe('limits of a session', () => {
  it('connectionsPerSession connections are in it, and not one more', async () => {
    const session = await platform.session();
    const first = await connectionOf(await platform.enter(session), session.id);
    const empty = fill(first.home.connections, limits.connectionsPerSession - 1, first);
    await bounded('connectionsPerSession', () => platform.enter(session));
    empty();
  });

  it('streamsPerSession streams are in it, and not one more', async () => {
    const session = await platform.session();
    const [publisher, second] = [await platform.enter(session), await platform.enter(session)];
    await platform.publish(publisher);
    const { home, streams } = await connectionOf(publisher, session.id);
    const empty = fill(home.streams, limits.streamsPerSession - 1, [...streams.values()][0]!);
    await bounded('streamsPerSession', () => second.client.actions.publish(wish));
    empty();
  });

  it('subscriptionsPerConnection subscriptions are of one client, and not one more', async () => {
    const session = await platform.session();
    const [publisher, subscriber] = [await platform.enter(session), await platform.enter(session)];
    const streams = [await platform.publish(publisher), await platform.publish(publisher)];
    const { actions } = subscriber.client;
    await actions.openTransport({ direction: 'receive' });
    const { subscriptions } = await connectionOf(subscriber, session.id);
    const empty = fill(subscriptions, limits.subscriptionsPerConnection - 1, { rtpCapabilities: {} });
    await bounded('subscriptionsPerConnection', () =>
      actions.subscribe({ streamId: streams.shift()!, rtpCapabilities: {}, audio: true, video: true }),
    );
    empty();
  });
});

describe('limits of a project and an account', () => {
  it('callbacksPerProject callbacks are registered, and not one more', async () => {
    const { core, projectId } = platform;
    const register = (each: number) =>
      core.callbacks.register(actor, projectId, {
        group: 'stream',
        event: 'created',
        url: `https://app.example/${each}`,
      });
    for (let each = 1; each < limits.callbacksPerProject; each += 1) await register(each);
    await bounded('callbacksPerProject', () => register(0));
  });

  it('projectsPerAccount projects are of one account, and not one more', async (t) => {
    const { core, accountId } = platform;
    const [project] = await core.projects.list(accountId);
    const siblings = Array.from({ length: limits.projectsPerAccount - 1 }, () => project!);
    const list = t.mock.method(core.store.projects, 'list', async () => siblings);
    await bounded('projectsPerAccount', async () =>
      siblings.push((await core.projects.create(actor, accountId, {})).project),
    );
    list.mock.restore();
  });

  it('a secret is kept for secretGraceSecondsMax after its rotation, and not a second longer', async () => {
    const { core, projectId, clock } = platform;
    const rotate = (seconds: number) => core.projects.rotateSecret(actor, projectId, { how: 'grace', seconds });
    for (const seconds of [0, limits.secretGraceSecondsMax + 1])
      await assert.rejects(rotate(seconds), { code: 'BadRequest' });
    await rotate(limits.secretGraceSecondsMax);
    const kept = async () => (await core.projects.secretsOf(projectId)).length;
    clock.advance(limits.secretGraceSecondsMax * 1000 - 1);
    assert.equal(await kept(), 2);
    clock.advance(1);
    assert.equal(await kept(), 1);
  });
});
