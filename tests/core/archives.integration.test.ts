/** Archives by their rules: who may start one, which streams are in it, what ends it, and what everybody is told. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { limits, PlatformError } from '@cloister/protocol';
import type { Actor, ArchiveWish, Session } from '../../packages/server/src/core/index.ts';
import { closeFormerArchives, openTokTimes, unfinishedArchives } from '../../packages/server/src/core/index.ts';
import { eventually } from '../rig/wait.ts';
import { settled, type TestClient, type TestPlatform, testPlatform } from './platform.ts';

const server: Actor = { kind: 'project', projectId: 'test' };

let platform: TestPlatform;
before(async () => {
  platform = await testPlatform();
});
after(() => platform.close());

const archives = () => platform.core.archives;

async function start(session: Session, wish: Partial<ArchiveWish> = {}) {
  const started = await archives().start(server, platform.projectId, { sessionId: session.id, ...wish });
  return { ...started, recording: platform.recordings.last };
}

const statusOf = async (id: string) => (await archives().get(platform.projectId, id)).archive.status;
const stop = (id: string) => archives().stop(server, platform.projectId, id);

/** A session with a publisher in it, archived. */
async function room(wish: Partial<ArchiveWish> = {}) {
  const session = await platform.session();
  const client = await platform.enter(session);
  const streamId = await platform.publish(client);
  const started = await start(session, wish);
  await settled();
  return { session, client, streamId, ...started };
}

/** Events of archives since the last look, by name. */
async function news(): Promise<string[]> {
  await platform.core.recorder.flush();
  const { outbox } = platform.core.store;
  const records = await outbox.read('archive-news', limits.outboxReadRows);
  await outbox.advance('archive-news', records.at(-1)?.position ?? 0);
  return records.flatMap(({ event }) => (event?.type.startsWith('archive.') ? event.type.slice(8) : []));
}

const leave = (client: TestClient) => client.client.leave('clientDisconnected');

describe('starting', () => {
  it('gives the recorder its order, the store its archive and every client the word', async () => {
    await news();
    const { session, client, streamId, archive, recording } = await room({ name: 'Visit', resolution: '1280x720' });
    assert.deepEqual(
      [archive.status, archive.name, archive.createdAt % 1000, archive.beganAt],
      ['started', 'Visit', 0, null],
    );
    assert.deepEqual(recording.order, {
      archiveId: archive.id,
      projectId: platform.projectId,
      sessionId: session.id,
      name: 'Visit',
      outputMode: 'composed',
      hasAudio: true,
      hasVideo: true,
      width: 1280,
      height: 720,
      maxBitrateBps: null,
      quantizationParameter: null,
      layout: { type: 'bestFit' },
      certificate: null,
      recipients: [],
    });
    assert.deepEqual([...recording.streams.keys()], [streamId]);
    assert.deepEqual(client.data('archiveStarted'), [{ archive: { archiveId: archive.id, name: 'Visit' } }]);
    const late = await platform.enter(session);
    assert.deepEqual(late.client.welcome.archives, [{ archiveId: archive.id, name: 'Visit' }]);
    await stop(archive.id);
    assert.deepEqual(late.data('archiveStopped'), [{ archive: { archiveId: archive.id, name: 'Visit' } }]);
    assert.deepEqual((await platform.enter(session)).client.welcome.archives, []);
    assert.deepEqual(await news(), ['started', 'stopped', 'available']);
  });

  it('needs a routed session with somebody in it, and no end-to-end encryption', async () => {
    const empty = await platform.session();
    await assert.rejects(start(empty), { code: 'NobodyConnected' });
    const relayed = await platform.session({ mediaMode: 'relayed' });
    await platform.enter(relayed);
    await assert.rejects(start(relayed), { code: 'WrongState', message: /relayed/ });
    const secret = await platform.session({ e2ee: true });
    await platform.enter(secret);
    await assert.rejects(start(secret), { code: 'WrongState', message: /end-to-end/ });
    await assert.rejects(start({ ...empty, id: '1_unknown' }), { code: 'SessionNotFound' });
  });

  it('happens once at a time, or once for each tag, up to archivesPerSession', async () => {
    const session = await platform.session();
    await platform.enter(session);
    const both = await Promise.allSettled([start(session), start(session)]);
    assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    const refusal = both.find(({ status }) => status === 'rejected') as PromiseRejectedResult;
    assert.equal(refusal.reason.code, 'WrongState');
    for (let count = 1; count < limits.archivesPerSession; count += 1) {
      const { tag } = await start(session, { multiArchiveTag: `tag ${count}` });
      assert.equal(tag, `tag ${count}`);
    }
    await assert.rejects(start(session, { multiArchiveTag: 'tag 1' }), { code: 'WrongState', message: /Tag/ });
    await assert.rejects(start(session, { multiArchiveTag: 'one more' }), {
      code: 'LimitReached',
      details: { limit: 'archivesPerSession', value: limits.archivesPerSession },
    });
  });

  it('that the recorder refuses leaves nothing, and may be tried again', async () => {
    const { recordings } = platform;
    const session = await platform.session();
    await platform.enter(session);
    recordings.whileStarting = () => {
      throw new PlatformError('CapacityReached');
    };
    await news();
    await assert.rejects(start(session), { code: 'CapacityReached' });
    recordings.whileStarting = () => {};
    assert.deepEqual(await news(), []);
    assert.equal((await start(session)).archive.status, 'started');
  });

  it('says what its recorder is shut in with, in its event and for as long as there is a record of it', async () => {
    const { recordings } = platform;
    const { outbox } = platform.core.store;
    for (const sandbox of ['none', 'bubblewrap'] as const) {
      const session = await platform.session();
      await platform.enter(session);
      recordings.sandbox = sandbox;
      const { archive } = await start(session);
      await stop(archive.id);
      await platform.core.recorder.flush();
      assert.equal((await archives().get(platform.projectId, archive.id)).archive.sandbox, sandbox);
      const told = [];
      for (let records = await outbox.read('sandboxes', limits.outboxReadRows); records.length > 0; ) {
        told.push(...records.flatMap(({ event }) => (event && 'archive' in event ? [event] : [])));
        await outbox.advance('sandboxes', records.at(-1)!.position);
        records = await outbox.read('sandboxes', limits.outboxReadRows);
      }
      const started = told.find((event) => event.type === 'archive.started' && event.archive.id === archive.id);
      assert.equal(started?.archive.sandbox, sandbox);
    }
  });

  it('while everybody leaves runs into the end of a session', async () => {
    const { recordings } = platform;
    const session = await platform.session();
    const client = await platform.enter(session);
    recordings.whileStarting = () => leave(client);
    const { archive } = await start(session);
    recordings.whileStarting = () => {};
    await platform.passes(limits.archiveLeftSeconds);
    assert.equal((await archives().get(platform.projectId, archive.id)).archive.reason, 'session ended');
  });
});

describe('without a recorder', () => {
  it('nothing is started, and the refusal says so', async () => {
    const bare = await testPlatform('enterprise', { recorder: false });
    const session = await bare.session();
    await bare.enter(session);
    const started = bare.core.archives.start(server, bare.projectId, { sessionId: session.id });
    await assert.rejects(started, { code: 'RecorderMissing' });
    const always = await bare.session({ archiveMode: 'always' });
    await bare.publish(await bare.enter(always));
    assert.deepEqual(await bare.core.archives.list(bare.projectId, { offset: 0, count: 10 }), { count: 0, items: [] });
    await bare.close();
  });
});

describe('streams', () => {
  it('come, change and go with the session', async () => {
    const { client, session, streamId, archive, recording } = await room();
    const second = await platform.enter(session);
    const other = await platform.publish(second);
    await settled();
    assert.deepEqual([...recording.streams.keys()], [streamId, other]);
    await client.client.actions.updateStream({ streamId, hasVideo: false });
    assert.equal(recording.streams.get(streamId)?.hasVideo, false);
    await platform.core.calls.forceMuteStream(server, platform.projectId, session.id, other);
    assert.equal(recording.streams.get(other)?.hasAudio, false);
    const items = [{ id: other, classes: ['focus'] }];
    await platform.core.calls.setLayoutClasses(server, platform.projectId, session.id, items);
    assert.deepEqual(recording.streams.get(other)?.layoutClasses, ['focus']);
    const { streams } = await archives().get(platform.projectId, archive.id);
    assert.deepEqual(streams, [
      { streamId, hasAudio: true, hasVideo: false },
      { streamId: other, hasAudio: false, hasVideo: true },
    ]);
    leave(second);
    assert.deepEqual([...recording.streams.keys()], [streamId]);
  });

  it('are as many as archiveStreams; the next one waits for room', async () => {
    const { session, recording, streamId } = await room();
    const more: TestClient[] = [];
    for (let count = 1; count <= limits.archiveStreams; count += 1) {
      const client = await platform.enter(session);
      await platform.publish(client);
      more.push(client);
    }
    await settled();
    assert.equal(recording.streams.size, limits.archiveStreams);
    leave(more[0]!);
    await settled();
    assert.equal(recording.streams.size, limits.archiveStreams);
    assert.ok(recording.streams.has(streamId));
  });

  it('are chosen by hand in the mode for that alone', async () => {
    const { session, streamId, archive, recording, client } = await room({ streamMode: 'manual', hasVideo: false });
    const { projectId } = platform;
    assert.equal(recording.streams.size, 0);
    const add = (wish: object = {}) =>
      archives().addStream(server, projectId, archive.id, { streamId, hasAudio: true, hasVideo: true, ...wish });
    await add();
    await settled();
    const recorded = () => recording.streams.get(streamId);
    assert.deepEqual([recorded()?.hasAudio, recorded()?.hasVideo], [true, false]);
    assert.deepEqual([recorded()?.takesAudio, recorded()?.takesVideo], [true, false]);
    // What is muted is taken all the same; what was not chosen is not.
    await client.client.actions.updateStream({ streamId, hasAudio: false });
    assert.deepEqual([recorded()?.hasAudio, recorded()?.takesAudio], [false, true]);
    await client.client.actions.updateStream({ streamId, hasAudio: true });
    await add({ hasAudio: false });
    assert.deepEqual([recorded()?.hasAudio, recorded()?.takesAudio], [false, false]);
    await assert.rejects(add({ streamId: 'unknown' }), { code: 'StreamNotFound' });
    await archives().removeStream(server, projectId, archive.id, streamId);
    assert.equal(recording.streams.size, 0);
    await assert.rejects(archives().removeStream(server, projectId, archive.id, streamId), { code: 'StreamNotFound' });
    leave(client);
    const automatic = await room();
    await assert.rejects(archives().removeStream(server, projectId, automatic.archive.id, 'x'), {
      code: 'ArchiveStreamsAutomatic',
    });
    assert.equal(session.id === automatic.session.id, false);
  });

  it('past archiveStreams cannot be chosen', async () => {
    const { session, archive, recording } = await room({ streamMode: 'manual' });
    const add = async () => {
      const streamId = await platform.publish(await platform.enter(session));
      const wish = { streamId, hasAudio: true, hasVideo: true };
      await archives().addStream(server, platform.projectId, archive.id, wish);
    };
    for (let count = 0; count < limits.archiveStreams; count += 1) await add();
    await settled();
    assert.equal(recording.streams.size, limits.archiveStreams);
    await assert.rejects(add(), { code: 'LimitReached', details: { limit: 'archiveStreams', value: 50 } });
  });
});

describe('what ends an archive', () => {
  it('archiveBeginSeconds without a stream', async () => {
    const session = await platform.session();
    await platform.enter(session);
    const { archive } = await start(session);
    await platform.passes(limits.archiveBeginSeconds - 1);
    assert.equal(await statusOf(archive.id), 'started');
    await platform.passes(1);
    assert.notEqual(await statusOf(archive.id), 'started');
    assert.equal((await archives().get(platform.projectId, archive.id)).archive.reason, 'no stream was published');
  });

  it('archivePausedSeconds in which nobody publishes; it goes on when somebody does before', async () => {
    await news();
    const { client, streamId, archive, session } = await room();
    await client.client.actions.unpublish({ streamId });
    assert.equal(await statusOf(archive.id), 'paused');
    await platform.passes(limits.archivePausedSeconds - 1);
    const next = await platform.publish(client);
    assert.equal(await statusOf(archive.id), 'started');
    await client.client.actions.unpublish({ streamId: next });
    await platform.passes(limits.archivePausedSeconds - 1);
    assert.equal(await statusOf(archive.id), 'paused');
    assert.equal(client.data('archiveStopped').length, 0);
    await platform.passes(1);
    assert.equal((await archives().get(platform.projectId, archive.id)).archive.reason, 'nobody published');
    assert.deepEqual(await news(), ['started', 'paused', 'started', 'paused', 'stopped', 'available']);
    assert.equal((await start(session)).archive.status, 'started');
  });

  it('archiveLeftSeconds in which nobody is there; who comes back before is recorded', async () => {
    const { client, session, archive, recording } = await room();
    leave(client);
    assert.equal(await statusOf(archive.id), 'paused');
    await platform.passes(limits.archiveLeftSeconds - 1);
    const back = await platform.enter(session);
    await platform.passes(limits.archiveLeftSeconds);
    const streamId = await platform.publish(back);
    await settled();
    assert.equal(await statusOf(archive.id), 'started');
    assert.deepEqual([...recording.streams.keys()], [streamId]);
    leave(back);
    await platform.passes(limits.archiveLeftSeconds);
    assert.equal((await archives().get(platform.projectId, archive.id)).archive.reason, 'session ended');
  });

  it('archiveRecordedSeconds, pauses left out, and archiveWallSeconds with them', async () => {
    const { client, streamId, archive } = await room();
    await platform.passes(100);
    await client.client.actions.unpublish({ streamId });
    await platform.passes(limits.archivePausedSeconds - 1);
    await platform.publish(client);
    await platform.passes(limits.archiveRecordedSeconds - 101);
    assert.equal(await statusOf(archive.id), 'started');
    await platform.passes(1);
    const reason = 'maximum duration exceeded';
    assert.equal((await archives().get(platform.projectId, archive.id)).archive.reason, reason);

    const slow = await room();
    let current = slow.streamId;
    let wall = 0;
    const step = limits.archivePausedSeconds - 1;
    while (wall + step < limits.archiveWallSeconds) {
      await slow.client.client.actions.unpublish({ streamId: current });
      await platform.passes(step);
      wall += step;
      current = await platform.publish(slow.client);
    }
    assert.equal(await statusOf(slow.archive.id), 'started');
    await platform.passes(limits.archiveWallSeconds - wall);
    assert.equal((await archives().get(platform.projectId, slow.archive.id)).archive.reason, reason);
  });

  it('its caller, once', async () => {
    const { archive, recording } = await room();
    const stopped = await stop(archive.id);
    assert.equal(stopped.reason, 'user initiated');
    assert.deepEqual(recording.asked, ['add', 'stop']);
    await assert.rejects(stop(archive.id), { code: 'WrongState' });
    await assert.rejects(stop('00000000-0000-4000-8000-000000000000'), { code: 'ArchiveNotFound' });
  });

  it('its recorder: by itself, or by a failure that keeps what was sealed', async () => {
    const own = await room();
    own.recording.observer.ended(platform.recordings.file(own.archive.id));
    await platform.core.recorder.flush();
    assert.deepEqual(await statusOf(own.archive.id), 'available');
    const { archive, recording, client } = await room();
    recording.observer.began(1_800_000_000_500);
    recording.observer.failed('the recorder ended', platform.recordings.file(archive.id));
    recording.observer.failed('once more', null);
    await platform.core.recorder.flush();
    const { archive: failed } = await archives().get(platform.projectId, archive.id);
    assert.deepEqual(
      [failed.status, failed.reason, failed.kept, failed.durationMs, failed.beganAt],
      ['failed', 'the recorder ended', true, 66_400, 1_800_000_000_500],
    );
    assert.equal(client.data('archiveStopped').length, 1);
    assert.equal(client.events().includes('close'), false);
  });
});

describe('an automatic archive', () => {
  it('begins with the first stream, rolls over, and is not stopped by its caller', async () => {
    const { core, projectId, recordings } = platform;
    const session = await platform.session({
      archiveMode: 'always',
      archiveName: 'Ward round',
      archiveResolution: '1920x1080',
    });
    const client = await platform.enter(session);
    const before = recordings.all.size;
    await platform.publish(client);
    // Nobody is told when a session begins its own archive: what it is sealed to and where it goes is read first.
    const begun = (count: number) =>
      eventually(
        'the archive that the session begins',
        async () => recordings.all.size,
        (size) => size === before + count,
      );
    await begun(1);
    await core.recorder.flush();
    const { order } = recordings.last;
    assert.deepEqual([order.width, order.height], [1920, 1080]);
    const first = (await archives().get(projectId, order.archiveId)).archive;
    assert.deepEqual([first.name, first.automatic], ['Ward round', true]);
    await assert.rejects(stop(first.id), { code: 'WrongState' });
    await assert.rejects(start(session), { code: 'WrongState' });
    recordings.whileAdding = async () => {
      throw new PlatformError('CapacityReached');
    };
    const second = await platform.enter(session);
    await platform.publish(second);
    await settled();
    recordings.whileAdding = () => {};
    await platform.passes(limits.archiveRecordedSeconds);
    await begun(2);
    await core.recorder.flush();
    const { archive: over } = await archives().get(projectId, first.id);
    assert.deepEqual(
      [over.status, over.reason],
      ['available', 'maximum duration exceeded; a stream is missing from all of it or a part'],
    );
    const { count, items } = await archives().list(projectId, { sessionId: session.id, offset: 0, count: 10 });
    assert.deepEqual([count, items.map(({ archive }) => archive.status)], [2, ['started', 'available']]);
    leave(client);
    leave(second);
    await platform.passes(limits.archiveLeftSeconds);
    assert.equal(await statusOf(recordings.last.order.archiveId), 'available');
  });
});

describe('afterwards', () => {
  it('a stopped archive is on its way until its file is whole', async () => {
    const { recordings } = platform;
    const { archive, recording } = await room();
    recordings.endsAtOnce = false;
    await stop(archive.id);
    recordings.endsAtOnce = true;
    assert.equal(await statusOf(archive.id), 'stopped');
    const remove = () => archives().remove(server, platform.projectId, archive.id);
    await assert.rejects(remove(), { code: 'WrongState', message: /stopped/ });
    recording.observer.ended(recordings.file(archive.id));
    await remove();
    assert.ok(recordings.removed.includes(archive.id));
    await assert.rejects(statusOf(archive.id), { code: 'ArchiveNotFound' });
    await assert.rejects(remove(), { code: 'ArchiveNotFound' });
  });

  it('the layout of what is recorded changes, and of nothing else', async () => {
    const { archive, recording } = await room();
    const { projectId } = platform;
    const set = (type: string, id = archive.id) => archives().setLayout(server, projectId, id, { type });
    await set('pip');
    assert.ok(recording.asked.includes('layout pip'));
    assert.deepEqual(await archives().layout(projectId, archive.id), { type: 'pip' });
    await assert.rejects(set('grid'), { code: 'LayoutInvalid' });
    await stop(archive.id);
    await assert.rejects(set('pip'), { code: 'WrongState' });
    const apart = await room({ outputMode: 'individual' });
    await assert.rejects(set('pip', apart.archive.id), { code: 'BadRequest' });
  });

  it('it is kept for archiveKeptSeconds, and looked at every archiveSweepSeconds', async () => {
    const { core, recordings, clock } = platform;
    const { archive } = await room();
    await stop(archive.id);
    await core.recorder.flush();
    await settled();
    clock.advance(limits.archiveKeptSeconds * 1000 - 1);
    await core.archives.sweep();
    assert.equal(await statusOf(archive.id), 'available');
    core.archives.begin();
    const gone = Promise.withResolvers<void>();
    const { remove } = recordings;
    recordings.remove = async (id) => {
      await remove.call(recordings, id);
      if (id === archive.id) gone.resolve();
    };
    clock.advance(limits.archiveSweepSeconds * 1000);
    await gone.promise;
    recordings.remove = remove;
    assert.equal(await statusOf(archive.id), 'expired');
    await assert.rejects(archives().remove(server, platform.projectId, archive.id), { code: 'WrongState' });
  });

  it('what a killed run left has failed, with a reason that says so', async () => {
    const { core, recordings } = platform;
    const { archive } = await room();
    const { archive: empty } = await room();
    recordings.all.delete(empty.id);
    await core.recorder.flush();
    await news();
    await closeFormerArchives(core, recordings, await unfinishedArchives(core));
    const stored = await core.store.archives.get(archive.id);
    assert.equal(stored?.status, 'failed');
    assert.match(stored?.reason ?? '', /the server ended before/);
    assert.deepEqual([stored?.sizeBytes, stored?.durationMs, stored?.kept], [3, 66_400, true]);
    const nothing = await core.store.archives.get(empty.id);
    // Nothing of it is to be had; what lies there all the same goes with its time.
    assert.deepEqual([nothing?.status, nothing?.sha256, nothing?.kept], ['failed', '', true]);
    assert.equal(core.archiveLinks.pathOf(nothing!), null);
    assert.ok((await news()).includes('failed'));
    assert.deepEqual(await unfinishedArchives(core), []);
  });

  it('what a killed run had recorded whole is available; where it did not live to say so, that it stopped is told first', async () => {
    const { core, recordings } = platform;
    recordings.endsAtOnce = false;
    const { archive: stopped } = await room();
    await stop(stopped.id);
    recordings.endsAtOnce = true;
    const { archive: ended } = await room();
    for (const { id } of [stopped, ended]) recordings.whole.set(id, recordings.file(id));
    await news();
    const left = (await unfinishedArchives(core)).filter(({ id }) => recordings.whole.has(id));
    assert.deepEqual(
      left.map(({ status }) => status),
      ['stopped', 'started'],
    );
    await closeFormerArchives(core, recordings, left);
    for (const { id, reason } of [
      { id: stopped.id, reason: 'user initiated' },
      { id: ended.id, reason: 'the recording ended' },
    ]) {
      const stored = await core.store.archives.get(id);
      const { sizeBytes, durationMs, sha256 } = recordings.whole.get(id)!;
      assert.deepEqual([stored?.status, stored?.reason, stored?.kept], ['available', reason, true]);
      assert.deepEqual([stored?.sizeBytes, stored?.durationMs, stored?.sha256], [sizeBytes, durationMs, sha256]);
    }
    assert.deepEqual(await news(), ['available', 'stopped', 'available']);
  });
});

describe('the times that an operator sets', () => {
  it("are followed instead of OpenTok's", async () => {
    const own = await testPlatform('enterprise', {
      archiveTimes: { ...openTokTimes, pausedMs: 5000, keptMs: 7000, linkMs: 2000 },
    });
    const { core, clock, projectId } = own;
    const session = await own.session();
    const client = await own.enter(session);
    const streamId = await own.publish(client);
    const { archive } = await core.archives.start(server, projectId, { sessionId: session.id });
    await client.client.actions.unpublish({ streamId });
    clock.advance(4999);
    await settled();
    assert.equal((await core.archives.get(projectId, archive.id)).archive.status, 'paused');
    clock.advance(1);
    await settled();
    await core.recorder.flush();
    const ended = (await core.archives.get(projectId, archive.id)).archive;
    assert.deepEqual([ended.status, ended.reason], ['available', 'nobody published']);
    const key = core.archiveLinks.pathOf(ended)?.split('/').at(-2) as string;
    clock.advance(2001);
    await assert.rejects(core.archiveLinks.open(key, undefined), { code: 'LinkInvalid' });
    clock.advance(5000);
    await core.archives.sweep();
    await core.recorder.flush();
    assert.equal((await core.archives.get(projectId, archive.id)).archive.status, 'expired');
    await own.close();
  });
});

describe('when the server stops', () => {
  it('recordings end, and are waited for no longer than archiveStopSeconds', async () => {
    const own = await testPlatform();
    const session = await own.session();
    await own.publish(await own.enter(session));
    await own.core.archives.start(server, own.projectId, { sessionId: session.id });
    own.recordings.endsAtOnce = false;
    let closed = false;
    const closing = own.core.archives.close().then(() => {
      closed = true;
    });
    own.clock.advance(limits.archiveStopSeconds * 1000 - 1);
    await settled();
    assert.equal(closed, false);
    own.clock.advance(1);
    await closing;
    assert.equal((await unfinishedArchives(own.core))[0]?.reason, 'the server stopped');
    await assert.rejects(own.core.archives.start(server, own.projectId, { sessionId: session.id }), {
      code: 'Stopping',
    });
    await own.close();
  });
});
