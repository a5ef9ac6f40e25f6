/** Streams of an archive that cannot be recorded, and packets that are lost: who is told, and what is tried. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { limits, PlatformError } from '@cloister/protocol';
import type { Actor } from '../../packages/server/src/core/index.ts';
import { settled, type TestPlatform, testPlatform } from './platform.ts';

const server: Actor = { kind: 'project', projectId: 'test' };

let platform: TestPlatform;
before(async () => {
  platform = await testPlatform();
});
after(() => platform.close());

const archives = () => platform.core.archives;
const stop = (id: string) => archives().stop(server, platform.projectId, id);

/** A session with a publisher in it, archived. */
async function room() {
  const session = await platform.session();
  const streamId = await platform.publish(await platform.enter(session));
  const { archive } = await archives().start(server, platform.projectId, { sessionId: session.id });
  await settled();
  return { session, streamId, archive, recording: platform.recordings.last };
}

describe('a stream that cannot be recorded', () => {
  /** What was told of streams of archives since the last look. */
  async function told() {
    await platform.core.recorder.flush();
    const { outbox } = platform.core.store;
    const records = await outbox.read('stream-news', limits.outboxReadRows);
    await outbox.advance('stream-news', records.at(-1)?.position ?? 0);
    return records.flatMap(({ event }): object[] => {
      if (event?.type === 'archive.streamLost') return [{ lost: event.streamId, code: event.code }];
      return event?.type === 'archive.streamRecovered' ? [{ recovered: event.streamId }] : [];
    });
  }

  const streamsOf = async (id: string) =>
    (await archives().get(platform.projectId, id)).streams.map(({ streamId }) => streamId);

  it('ARC19 is told once, tried again with waits that grow to archiveStreamWaitSecondsMax, and told again when it is there', async () => {
    const { session, archive, recording, streamId } = await room();
    await told();
    const { recordings } = platform;
    recordings.whileAdding = async () => {
      throw new PlatformError('CapacityReached');
    };
    const lost = await platform.publish(await platform.enter(session));
    await settled();
    const added = () => recording.asked.filter((asked) => asked === 'add').length;
    assert.deepEqual([added(), await streamsOf(archive.id)], [2, [streamId]]);
    assert.deepEqual(await told(), [{ lost, code: 'CapacityReached' }]);
    const waits = [0, 1, 2, 3, 4].map((tries) => limits.archiveStreamWaitSeconds * 2 ** tries);
    for (const [index, seconds] of [...waits, limits.archiveStreamWaitSecondsMax].entries()) {
      platform.clock.advance(seconds * 1000 - 1);
      await settled();
      assert.equal(added(), 2 + index, `before ${seconds} s`);
      platform.clock.advance(1);
      await settled();
      assert.equal(added(), 3 + index, `after ${seconds} s`);
    }
    assert.deepEqual([await told(), await streamsOf(archive.id)], [[], [streamId]]);
    recordings.whileAdding = () => {};
    await platform.passes(limits.archiveStreamWaitSecondsMax);
    assert.deepEqual([await told(), await streamsOf(archive.id)], [[{ recovered: lost }], [streamId, lost]]);
    await stop(archive.id);
    const { archive: ended } = await archives().get(platform.projectId, archive.id);
    assert.deepEqual(
      [ended.status, ended.reason],
      ['available', 'user initiated; a stream is missing from all of it or a part'],
    );
  });

  it('of which the room has no tap is tried again too, until it leaves', async () => {
    const { session, archive } = await room();
    await told();
    const { recordings } = platform;
    let tried = 0;
    recordings.whileAdding = async () => {
      tried += 1;
      throw new PlatformError('MediaLost');
    };
    const client = await platform.enter(session);
    const lost = await platform.publish(client);
    await settled();
    assert.deepEqual([tried, await told()], [1, [{ lost, code: 'MediaLost' }]]);
    client.client.leave('clientDisconnected');
    await platform.passes(limits.archiveStreamWaitSecondsMax);
    recordings.whileAdding = () => {};
    assert.equal(tried, 1);
    await stop(archive.id);
  });

  it('packets that were dropped are an event with their number', async () => {
    const { archive, recording } = await room();
    await platform.core.recorder.flush();
    const { outbox } = platform.core.store;
    await outbox.advance('drop-news', (await outbox.read('drop-news', limits.outboxReadRows)).at(-1)?.position ?? 0);
    recording.observer.dropped(1);
    recording.observer.dropped(120);
    await platform.core.recorder.flush();
    const records = await outbox.read('drop-news', limits.outboxReadRows);
    const dropped = records.flatMap(({ event }) =>
      event?.type === 'archive.packetsDropped' ? [[event.archiveId, event.packets]] : [],
    );
    assert.deepEqual(dropped, [
      [archive.id, 1],
      [archive.id, 120],
    ]);
  });
});
