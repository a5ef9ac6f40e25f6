/** A session that archives itself and loses recorder after recorder. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { limits } from '@cloister/protocol';
import { eventually } from '../rig/wait.ts';
import { settled, type TestPlatform, testPlatform } from './platform.ts';

let platform: TestPlatform;
before(async () => {
  platform = await testPlatform();
});
after(() => platform.close());

it('ARC16 a session that archives itself, whose recorder fails, goes on in another at once, and where they go on failing archiveRestartSeconds later, up to archiveRestartSecondsMax', async () => {
  const { core, projectId, recordings, clock } = platform;
  const session = await platform.session({ archiveMode: 'always' });
  const client = await platform.enter(session);
  const startedAt: number[] = [];
  recordings.whileStarting = () => void startedAt.push(clock.now());
  await platform.publish(client);
  let count = 0;
  /** Waits for the next archive. → seconds that it began after the failure. */
  const next = async (since = clock.now()) => {
    count += 1;
    const { items } = await eventually(
      'the next archive of the session, with its streams',
      () => core.archives.list(projectId, { sessionId: session.id, offset: 0, count: 1 }),
      (found) => found.count === count && found.items[0]!.streams.length > 0,
    );
    return { id: items[0]!.archive.id, waited: (startedAt[count - 1]! - since) / 1000 };
  };
  const fail = async (id: string) => {
    recordings.all.get(id)!.observer.failed('the recorder failed', null);
    await settled();
    assert.equal((await core.archives.get(projectId, id)).archive.status, 'failed');
  };
  let { id } = await next();
  const waits: number[] = [];
  for (const seconds of [0, 10, 20, 40, 80, 160, 300, 300]) {
    const failedAt = clock.now();
    await fail(id);
    // A stream that comes meanwhile begins nothing.
    if (seconds === 10) await platform.publish(await platform.enter(session));
    await platform.passes(seconds);
    const { waited, ...after } = await next(failedAt);
    id = after.id;
    waits.push(waited);
  }
  const [first, longest] = [limits.archiveRestartSeconds, limits.archiveRestartSecondsMax];
  assert.deepEqual(waits, [0, first, 2 * first, 4 * first, 8 * first, 16 * first, longest, longest]);
  // One that was recorded for nearly as long as the longest wait is still in the row, and the next is not.
  for (const [recorded, seconds] of [
    [longest - 1, longest],
    [longest, 0],
  ] as const) {
    await platform.passes(recorded);
    const failedAt = clock.now();
    await fail(id);
    await platform.passes(seconds);
    const { waited, ...after } = await next(failedAt);
    id = after.id;
    assert.equal(waited, seconds);
  }
  recordings.whileStarting = () => {};
  client.client.leave('clientDisconnected');
  await platform.passes(limits.archiveLeftSeconds);
});
