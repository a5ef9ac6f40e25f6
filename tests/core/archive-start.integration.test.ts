/** What happens to an archive while it is being started: its project sets something else, goes away, or the server stops. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { limits, PlatformError } from '@cloister/protocol';
import type { Actor, Archive, Session } from '../../packages/server/src/core/index.ts';
import { eventually } from '../rig/wait.ts';
import { makeCertificate } from './certificates.ts';
import { type TestPlatform, testPlatform } from './platform.ts';
import { UploadsDouble } from './uploads.ts';

const actor: Actor = { kind: 'operator', via: 'cli' };
const s3 = {
  type: 's3',
  config: { accessKey: 'key', secretKey: 'secret', bucket: 'recordings' },
  fallback: 'opentok',
};

const uploads = new UploadsDouble();
let platform: TestPlatform;
let first: string;
let second: string;
before(async () => {
  platform = await testPlatform('enterprise', { uploads });
  [first, second] = [await makeCertificate(2048), await makeCertificate(2048)];
});
after(() => platform.close());
afterEach(async () => {
  const { core, projectId, recordings } = platform;
  recordings.whileStarting = () => {};
  if (await core.store.storages.get(projectId)) await core.storages.remove(actor, projectId);
  if (await core.store.sealings.get(projectId)) await core.sealings.remove(actor, projectId);
});

const putStorage = (certificate?: string) =>
  platform.core.storages.put(actor, platform.projectId, { ...s3, certificate });

/** A session with a publisher in it. */
async function room(wish: Parameters<TestPlatform['session']>[0] = {}): Promise<Session> {
  const session = await platform.session(wish);
  await platform.publish(await platform.enter(session));
  return session;
}

async function start(session: Session): Promise<Archive> {
  return (await platform.core.archives.start(actor, platform.projectId, { sessionId: session.id })).archive;
}

async function archivesOf({ projectId, id }: Session): Promise<Archive[]> {
  const { items } = await platform.core.archives.list(projectId, { sessionId: id, offset: 0, count: 100 });
  return items.map(({ archive }) => archive);
}

/** Does this during the next starts, as often as it says. → the ids of archives whose start it fell into */
function during(times: number, change: (time: number) => Promise<unknown>): string[] {
  const ids: string[] = [];
  platform.recordings.whileStarting = async ({ archiveId }) => {
    if (ids.length === times) return;
    ids.push(archiveId);
    await change(ids.length);
  };
  return ids;
}

/** Nothing is left of archives that were begun and not started. */
function assertGone(ids: readonly string[]): void {
  const { recordings } = platform;
  for (const id of ids) {
    assert.ok(recordings.all.get(id)?.asked.includes('stop'), `the recorder of ${id} was not stopped`);
    assert.ok(recordings.removed.includes(id), `the folder of ${id} is still there`);
  }
}

describe('an archive is sealed to what is set when its start is answered', () => {
  it('a certificate that the storage gets meanwhile', async () => {
    const session = await room();
    const dropped = during(1, () => putStorage(first));
    const archive = await start(session);
    assert.deepEqual([archive.certificate, archive.recipients], [first, []]);
    assert.equal(platform.recordings.last.order.certificate, first);
    assert.equal(dropped.length, 1);
    assertGone(dropped);
    assert.ok(uploads.orders.some(({ archiveId }) => archiveId === archive.id));
    assert.deepEqual(
      (await archivesOf(session)).map(({ id }) => id),
      [archive.id],
    );
  });

  it('another certificate of the storage, set in the same millisecond', async () => {
    await putStorage(first);
    const dropped = during(1, () => putStorage(second));
    assert.equal((await start(await room())).certificate, second);
    assertGone(dropped);
    assert.ok(dropped.every((id) => uploads.abandoned.includes(id)));
  });

  it('a sealing that is set, set anew or removed', async () => {
    const { core, projectId } = platform;
    const put = (certificate: string) =>
      core.sealings.put(actor, projectId, { format: 'cloister', certificates: [certificate] });
    const none = during(1, () => put(first));
    assert.deepEqual((await start(await room())).recipients, [first]);
    assertGone(none);
    const anew = during(1, () => put(second));
    assert.deepEqual((await start(await room())).recipients, [second]);
    assertGone(anew);
    const without = during(1, () => core.sealings.remove(actor, projectId));
    assert.deepEqual((await start(await room())).recipients, []);
    assertGone(without);
  });

  it('and is refused, with nothing left, where that changes archiveStartTries times', async () => {
    const session = await room();
    const tries = limits.archiveStartTries;
    const often = during(tries, (time) => putStorage(time % 2 === 0 ? first : second));
    await assert.rejects(start(session), { code: 'WrongState', message: /was changed while/ });
    assert.equal(often.length, tries);
    assertGone(often);
    assert.deepEqual(await archivesOf(session), []);
    const fewer = during(tries - 1, (time) => putStorage(time % 2 === 0 ? first : second));
    const archive = await start(session);
    assert.equal(archive.certificate, tries % 2 === 0 ? second : first);
    assertGone(fewer);
    assert.deepEqual(
      (await archivesOf(session)).map(({ id }) => id),
      [archive.id],
    );
  });
});

describe('an automatic archive that cannot begin', () => {
  it('ARC16 is in the record as failed with its cause, once for each, until one began', async () => {
    const { recordings, core, projectId } = platform;
    const told: string[] = [];
    const { create } = core.store.archives;
    core.store.archives.create = (archive, event, under) => {
      if (event.type === 'archive.failed') told.push(archive.reason);
      return create(archive, event, under);
    };
    let code: 'CapacityReached' | 'UploadsWaiting' | null = 'CapacityReached';
    recordings.whileStarting = () => {
      if (code !== null) throw new PlatformError(code);
    };
    const session = await platform.session({ archiveMode: 'always', archiveName: 'Ward round' });
    const client = await platform.enter(session);
    const publish = () => platform.publish(client);
    const failed = (count: number) =>
      eventually(
        'archives that could not begin',
        () => archivesOf(session),
        (all) => all.length === count,
      );
    const tried = (count: number) =>
      eventually(
        'the tries',
        async () => recordings.all.size,
        (size) => size >= count,
      );
    await publish();
    const [only] = await failed(1);
    assert.deepEqual(
      [only?.status, only?.reason, only?.name, only?.automatic, only?.kept],
      ['failed', 'the recording could not begin: CapacityReached', 'Ward round', true, false],
    );
    assert.equal(core.archiveLinks.pathOf(only!), null);
    const before = recordings.all.size;
    await publish();
    await tried(before + 1);
    code = 'UploadsWaiting';
    await publish();
    await failed(2);
    code = null;
    await publish();
    await failed(3);
    await core.recorder.flush();
    assert.equal((await archivesOf(session))[0]?.status, 'started');
    code = 'CapacityReached';
    // It goes on in another after the longest time, and that one cannot begin.
    platform.clock.advance(limits.archiveRecordedSeconds * 1000);
    await failed(4);
    core.store.archives.create = create;
    const reasons = ['CapacityReached', 'UploadsWaiting', 'CapacityReached'];
    assert.deepEqual(
      told,
      reasons.map((each) => `the recording could not begin: ${each}`),
    );
    client.client.leave('clientDisconnected');
    await core.archives.remove(actor, projectId, only!.id);
  });

  it('ARC16 for what its project has set: an add-on that was lost', async () => {
    const { core, accountId } = platform;
    await putStorage(first);
    await core.accounts.changePlan(actor, accountId, { plan: 'standard', addOns: [], force: true });
    const session = await room({ archiveMode: 'always' });
    const [archive] = await eventually(
      'the archive that could not begin',
      () => archivesOf(session),
      (all) => all.length > 0,
    );
    assert.deepEqual([archive?.status, archive?.reason], ['failed', 'the recording could not begin: NotEntitled']);
    await core.accounts.changePlan(actor, accountId, { plan: 'enterprise', addOns: [] });
  });
});

describe('a start that is under way', () => {
  it('whose recorder fails before it is known ends as failed', async () => {
    const { recordings, core } = platform;
    const session = await platform.session();
    const client = await platform.enter(session);
    recordings.whileStarting = (_order, observer) => observer.failed('the encoder did not start', null);
    const { id } = await start(session);
    await core.recorder.flush();
    const [ended] = await archivesOf(session);
    assert.deepEqual(
      [ended?.id, ended?.status, ended?.reason, ended?.sha256],
      [id, 'failed', 'the encoder did not start', ''],
    );
    assert.equal(core.archiveLinks.pathOf(ended!), null);
    assert.equal(client.data('archiveStopped').length, 1);
  });

  it('when the server stops is refused, or stopped with all others', async (t) => {
    for (const when of ['before its row', 'after its row'] as const) {
      const own = await testPlatform();
      t.after(() => own.close());
      const { core, recordings } = own;
      const session = await own.session();
      await own.publish(await own.enter(session));
      let closing: Promise<void> | null = null;
      const stop = () => {
        closing = core.archives.close();
      };
      const { create } = core.store.archives;
      if (when === 'before its row') recordings.whileStarting = stop;
      core.store.archives.create = async (...row) => {
        const made = await create(...row);
        if (when === 'after its row') stop();
        return made;
      };
      const started = core.archives.start(actor, own.projectId, { sessionId: session.id });
      if (when === 'before its row') await assert.rejects(started, { code: 'Stopping' });
      else await started;
      await closing;
      const { order, asked } = recordings.last;
      assert.ok(asked.includes('stop'), when);
      assert.deepEqual(await core.store.archives.unfinished(), []);
      const archive = await core.store.archives.get(order.archiveId);
      if (when === 'before its row') assert.deepEqual([archive, recordings.removed], [null, [order.archiveId]]);
      else assert.deepEqual([archive?.status, archive?.reason], ['available', 'the server stopped']);
    }
  });

  it('PRJ7 when its project is removed is refused or given up, and nobody comes in meanwhile', async () => {
    for (const when of ['before its row', 'after its row'] as const) {
      const { core, recordings, accountId } = platform;
      const { project } = await core.projects.create(actor, accountId, {});
      const session = await core.sessions.create(actor, project.id, {
        mediaMode: 'routed',
        archiveMode: 'manual',
        e2ee: false,
      });
      await platform.publish(await platform.enter(session));
      let removing: Promise<void> | null = null;
      const begun = Promise.withResolvers<void>();
      const remove = () => {
        removing = core.projects.remove(actor, project.id);
        begun.resolve();
        // It is marked once the project was read.
        return new Promise<void>(setImmediate);
      };
      const { create } = core.store.archives;
      recordings.whileStarting = when === 'before its row' ? remove : () => {};
      core.store.archives.create = async (...row) => {
        const made = await create(...row);
        if (when === 'after its row') await remove();
        return made;
      };
      const outcome: Promise<string> = core.archives.start(actor, project.id, { sessionId: session.id }).then(
        () => 'started',
        (error: PlatformError) => error.code,
      );
      await begun.promise;
      await new Promise(setImmediate);
      await assert.rejects(platform.enter(session), { code: 'IssuerNotFound' });
      await assert.rejects(core.projects.remove(actor, project.id), { code: 'IssuerNotFound' });
      assert.equal(await outcome, when === 'before its row' ? 'IssuerNotFound' : 'started');
      await removing;
      core.store.archives.create = create;
      recordings.whileStarting = () => {};
      const { order, asked } = recordings.last;
      assert.equal(order.projectId, project.id);
      assert.ok(asked.includes('stop'), when);
      assert.ok(recordings.removed.includes(order.archiveId));
      assert.equal(recordings.files.has(order.archiveId), false);
      await assert.rejects(core.projects.get(project.id), { code: 'IssuerNotFound' });
    }
  });
});
