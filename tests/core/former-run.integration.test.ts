import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { limits } from '@cloister/protocol';
import { closeFormerRun } from '../../packages/server/src/core/index.ts';
import { type TestPlatform, testPlatform } from './platform.ts';

let platform: TestPlatform;
before(async () => {
  platform = await testPlatform();
});
after(() => platform.close());

/** Events that a reader has not seen yet; it has seen them then. */
async function news() {
  const { outbox } = platform.core.store;
  const records = await outbox.read('news', limits.outboxReadRows);
  await outbox.advance('news', records.at(-1)?.position ?? 0);
  return records.flatMap(({ event }) => event ?? []);
}

it('what a run that was killed left open is closed in the record, in the order of every end, once', async () => {
  const { core, projectId, clock } = platform;
  const left = await platform.session();
  const ended = await platform.session();
  const publisher = await platform.enter(left, 'publisher', 'Dr. Adams');
  const streamId = await platform.publish(publisher);
  const viewer = await platform.enter(left);
  (await platform.enter(ended)).client.leave('clientDisconnected');
  await core.recorder.flush();
  await news();
  // Nothing is said to this run's own calls: to the record they are those of a run that is gone.
  clock.advance(60_000);
  await closeFormerRun(core);
  const events = await news();
  assert.deepEqual(
    events.map(({ type }) => type),
    ['leg.closed', 'stream.destroyed', 'connection.destroyed', 'connection.destroyed', 'session.ended'],
  );
  assert.ok(events.every((event) => 'sessionId' in event && event.sessionId === left.id && event.at === clock.now()));
  const [, stream, first, second] = events;
  assert.ok(stream?.type === 'stream.destroyed' && first?.type === 'connection.destroyed');
  assert.deepEqual([stream.stream.id, stream.stream.name, stream.reason], [streamId, 'camera', 'networkDisconnected']);
  assert.deepEqual(
    [first.connection.id, first.connection.data, first.reason],
    [publisher.client.connectionId, 'Dr. Adams', 'networkDisconnected'],
  );
  assert.ok(second?.type === 'connection.destroyed' && second.connection.id === viewer.client.connectionId);
  const { legs } = await core.calls.security(projectId, left.id);
  assert.deepEqual(
    legs.map(({ closedAt }) => closedAt),
    [clock.now()],
  );
  await closeFormerRun(core);
  assert.deepEqual(await news(), []);
});

it('a project whose fields do not open keeps nobody else open', async () => {
  const { core } = platform;
  const { project } = await core.projects.create({ kind: 'system' }, platform.accountId, {});
  const wish = { mediaMode: 'routed', archiveMode: 'manual', e2ee: false } as const;
  await platform.enter(await core.sessions.create({ kind: 'system' }, project.id, wish));
  const client = await platform.enter(await platform.session());
  await core.recorder.flush();
  await news();
  await core.keys.destroyDataKey(project.id);
  await closeFormerRun(core);
  const [destroyed] = await news();
  assert.ok(destroyed?.type === 'connection.destroyed');
  assert.equal(destroyed.connection.id, client.client.connectionId);
  await core.projects.remove({ kind: 'system' }, project.id);
  await closeFormerRun(core);
});
