/** How archives go: with their time, with their project, and what no row knows of. Whatever is in the way holds up itself alone. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { limits, PlatformError } from '@cloister/protocol';
import type { Actor, Archive, JournalFields, Project, Session } from '../../packages/server/src/core/index.ts';
import {
  closeFormerArchives,
  removeUnknownRecordings,
  unfinishedArchives,
} from '../../packages/server/src/core/index.ts';
import { systemIds } from '../../packages/server/src/lib/index.ts';
import { type TestPlatform, testPlatform } from './platform.ts';
import { UploadsDouble } from './uploads.ts';

const actor: Actor = { kind: 'operator', via: 'cli' };
const s3 = {
  type: 's3',
  config: { accessKey: 'key', secretKey: 'secret', bucket: 'recordings' },
  fallback: 'none',
};
const wish = { mediaMode: 'routed', archiveMode: 'manual', e2ee: false } as const;
const diskFault = () => Promise.reject(Object.assign(new Error('EIO: i/o error'), { code: 'EIO' }));

const uploads = new UploadsDouble();
let platform: TestPlatform;
before(async () => {
  platform = await testPlatform('enterprise', { uploads });
});
after(() => platform.close());
afterEach(() => {
  const { recordings } = platform;
  recordings.whileRemoving = () => {};
  recordings.whileRecovering = () => {};
  recordings.endsAtOnce = true;
  uploads.whileAbandoning = () => {};
});

/** A project of its own, with a storage where that is said. */
async function newProject(withStorage = false): Promise<Project> {
  const { core, accountId } = platform;
  const { project } = await core.projects.create(actor, accountId, {});
  if (withStorage) await core.storages.put(actor, project.id, s3);
  return project;
}

/** An archive that is recorded. */
async function recorded(projectId = platform.projectId): Promise<Archive> {
  const { core } = platform;
  const session: Session = await core.sessions.create(actor, projectId, wish);
  await platform.publish(await platform.enter(session));
  return (await core.archives.start(actor, projectId, { sessionId: session.id })).archive;
}

/** The same, stopped, once that is in the store. */
async function ended(projectId = platform.projectId): Promise<Archive> {
  const { core } = platform;
  const { id } = await recorded(projectId);
  await core.archives.stop(actor, projectId, id);
  return stored(id);
}

/** An archive as it is in the store once it has reached a last state. */
async function stored(id: string): Promise<Archive> {
  const { core } = platform;
  for (;;) {
    await core.recorder.flush();
    const archive = (await core.store.archives.get(id))!;
    if (!['started', 'paused', 'stopped'].includes(archive.status)) return archive;
    await new Promise(setImmediate);
  }
}

const statusOf = async (id: string) => (await platform.core.store.archives.get(id))?.status;

describe('the sweep', () => {
  it('goes on past an archive that cannot be removed, and comes back to it', async () => {
    const { core, clock, recordings } = platform;
    const all = [await ended(), await ended(), await ended()];
    const [stuck] = [...all].sort((a, b) => (a.id < b.id ? -1 : 1)) as [Archive];
    const others = all.filter(({ id }) => id !== stuck.id);
    recordings.whileRemoving = (id) => (id === stuck.id ? diskFault() : undefined);
    clock.advance(limits.archiveKeptSeconds * 1000);
    await core.archives.sweep();
    for (const { id } of others) assert.ok(recordings.removed.includes(id));
    assert.equal((await core.store.archives.get(stuck.id))?.kept, true);
    recordings.whileRemoving = () => {};
    await core.archives.sweep();
    assert.ok(recordings.removed.includes(stuck.id));
    assert.equal((await core.store.archives.get(stuck.id))?.kept, false);
  });

  it('does not begin with the same archiveSweepRows each time', async () => {
    const { core, clock } = platform;
    const { archives } = core.store;
    const until = clock.now() + limits.archiveKeptSeconds * 1000;
    const [first, second] = [await ended(), await ended()];
    clock.advance(until - clock.now());
    // A batch as long as may be, of which nothing can be removed: the same archive again and again stands for so many.
    const { outlived } = archives;
    const asked: (string | null)[] = [];
    archives.outlived = async (_until, limit, place) => {
      asked.push(place?.id ?? null);
      if (asked.length === 1) return Array.from({ length: limit }, () => ({ id: 'stuck', updatedAt: 1 }));
      return [first, second].map(({ id, updatedAt }) => ({ id, updatedAt }));
    };
    for (let round = 0; round < 3; round += 1) await core.archives.sweep();
    archives.outlived = outlived;
    assert.deepEqual(asked, [null, 'stuck', null]);
    assert.deepEqual([await statusOf(first.id), await statusOf(second.id)], ['expired', 'expired']);
  });

  it('removes what is left of a failed archive of which nothing opened, and says nothing of it', async () => {
    const { core, clock, recordings } = platform;
    const { id } = await recorded();
    recordings.all.get(id)?.observer.failed('the recorder failed', null);
    const failed = await stored(id);
    assert.deepEqual([failed.status, failed.kept, core.archiveLinks.pathOf(failed)], ['failed', true, null]);
    clock.advance(limits.archiveKeptSeconds * 1000 - 1);
    await core.archives.sweep();
    assert.equal(recordings.removed.includes(id), false);
    clock.advance(1);
    await core.archives.sweep();
    assert.ok(recordings.removed.includes(id));
    const after = await core.store.archives.get(id);
    assert.deepEqual([after?.status, after?.kept], ['failed', false]);
  });
});

describe('removing an archive', () => {
  it('ARC12 takes its folder with it, whatever is known to be in it', async () => {
    const { core, recordings, projectId } = platform;
    const { id } = await recorded();
    recordings.all.get(id)?.observer.failed('the recorder failed', null);
    await stored(id);
    await core.store.archives.released(id);
    await core.archives.remove(actor, projectId, id);
    assert.ok(recordings.removed.includes(id));
  });
});

it('one of a former run that does not open keeps no other from its end', async () => {
  const { core, recordings } = platform;
  const project = await newProject();
  const [locked, other] = [await recorded(), await recorded(project.id)];
  await core.recorder.flush();
  const { archives } = core.store;
  const get = async (id: string) => {
    if (id === locked.id) throw new PlatformError('SealBroken', { why: 'this archive was changed' });
    return archives.get(id);
  };
  const said: (string | null | undefined)[] = [];
  const journal = {
    record: (_: string, message: string, fields?: JournalFields) => void said.push(message, fields?.archiveId),
  };
  const store = { ...core.store, archives: { ...archives, get } };
  const left = await unfinishedArchives({ store, journal });
  assert.deepEqual(said, ['an archive of a former run could not be opened, and stays as it was', locked.id]);
  assert.ok(left.some(({ id }) => id === other.id));
  await closeFormerArchives(core, recordings, left);
  assert.deepEqual([await statusOf(other.id), await statusOf(locked.id)], ['failed', 'started']);
  await core.archives.stop(actor, platform.projectId, locked.id);
});

describe('an upload that cannot be given up', () => {
  it('holds up neither the end of its archive nor that of one of a former run', async () => {
    const { core, recordings } = platform;
    const project = await newProject(true);
    uploads.whileAbandoning = () => {
      throw new Error('EIO: i/o error');
    };
    const failed = await recorded(project.id);
    recordings.all.get(failed.id)?.observer.failed('the recorder failed', recordings.file(failed.id));
    assert.equal((await stored(failed.id)).status, 'failed');
    const left = [await recorded(project.id), await recorded(project.id)];
    await core.recorder.flush();
    const unfinished = (await unfinishedArchives(core)).filter(({ id }) => left.some((each) => each.id === id));
    const said: (string | number | null | undefined)[] = [];
    const journal = {
      record: (_: string, message: string, fields?: JournalFields) => void said.push(message, fields?.count),
    };
    await closeFormerArchives({ ...core, journal }, recordings, unfinished);
    assert.deepEqual(said, ['a former run ended while archives were recorded; they have failed', 2]);
    for (const { id } of left) assert.equal(await statusOf(id), 'failed');
  });
});

describe('PRJ7 a project that is removed', () => {
  it('takes its files with it, those that are recorded too', async () => {
    const { core, recordings } = platform;
    const project = await newProject();
    const { id: available } = await ended(project.id);
    const { id: running } = await recorded(project.id);
    await core.projects.remove(actor, project.id);
    for (const id of [available, running]) assert.ok(recordings.removed.includes(id));
  });

  it('takes along what a former run left, also while that is being read', async () => {
    const { core, recordings } = platform;
    const project = await newProject(true);
    // In the store alone: this run did not begin it.
    const archive: Archive = { ...(await recorded()), id: systemIds.uuid(), projectId: project.id };
    const { projectId, sessionId } = archive;
    await core.recorder.change(actor, { type: 'archive.started', projectId, sessionId, archive }, (event) =>
      core.store.archives.create(archive, event),
    );
    const reading = Promise.withResolvers<void>();
    const read = Promise.withResolvers<void>();
    recordings.whileRecovering = () => {
      reading.resolve();
      return read.promise;
    };
    recordings.whole.set(archive.id, recordings.file(archive.id));
    uploads.resumed = { result: recordings.file(archive.id), fallback: 'none', end: new Promise(() => {}) };
    uploads.results.length = 0;
    const closing = closeFormerArchives(core, recordings, [archive]);
    await reading.promise;
    await core.projects.remove(actor, project.id);
    assert.ok(recordings.removed.includes(archive.id));
    assert.ok(uploads.abandoned.includes(archive.id));
    read.resolve();
    await closing;
    // Nothing goes up any more, and nothing more is told.
    const { outbox } = core.store;
    const told: string[] = [];
    for (;;) {
      const records = await outbox.read('removal-news', limits.outboxReadRows);
      if (records.length === 0) break;
      await outbox.advance('removal-news', records.at(-1)!.position);
      for (const { event } of records) if (event?.projectId === projectId) told.push(event.type);
    }
    assert.deepEqual([uploads.results, told.at(-1)], [[], 'project.deleted']);
    uploads.resumed = null;
  });

  it('takes along every archive that may have a file, and is not removed where one cannot go', async () => {
    const { core, recordings } = platform;
    const project = await newProject(true);
    const archive = { failed: await recorded(project.id), left: await recorded(project.id), kept: '' };
    recordings.all.get(archive.failed.id)?.observer.failed('the recorder failed', null);
    await stored(archive.failed.id);
    uploads.end = () => Promise.reject(new Error('away'));
    archive.kept = (await ended(project.id)).id;
    uploads.end = async () => 'uploaded';
    const ids = [archive.failed.id, archive.left.id, archive.kept];
    recordings.whileRemoving = (id) => (id === ids[0] ? diskFault() : undefined);
    await assert.rejects(core.projects.remove(actor, project.id), /EIO/);
    assert.deepEqual(
      ids.map((id) => recordings.removed.includes(id)),
      [false, true, true],
    );
    // It is there still, may be used, and may be removed again.
    assert.equal((await core.projects.active(project.id)).id, project.id);
    recordings.whileRemoving = () => {};
    await core.projects.remove(actor, project.id);
    assert.ok(recordings.removed.includes(ids[0]!));
    await assert.rejects(core.projects.get(project.id), { code: 'IssuerNotFound' });
  });

  it('waits for what is recorded of it, but no longer than archiveEndSeconds', async () => {
    for (const hangs of [false, true]) {
      const { core, recordings, clock } = platform;
      const project = await newProject();
      const { id } = await recorded(project.id);
      recordings.endsAtOnce = false;
      let removed = false;
      const waiting = Promise.withResolvers<void>();
      const { after: schedule } = clock;
      clock.after = (ms, task) => {
        if (ms === limits.archiveEndSeconds * 1000) waiting.resolve();
        return schedule.call(clock, ms, task);
      };
      const removing = core.projects.remove(actor, project.id).then(() => {
        removed = true;
      });
      await waiting.promise;
      clock.after = schedule;
      clock.advance(limits.archiveEndSeconds * 1000 - 1);
      await new Promise(setImmediate);
      assert.deepEqual([removed, recordings.removed.includes(id)], [false, false]);
      if (hangs) clock.advance(1);
      else recordings.all.get(id)?.observer.ended(recordings.file(id));
      await removing;
      assert.ok(recordings.removed.includes(id));
    }
  });
});

describe('what no row knows of', () => {
  it('is removed at the start with what was sent of it, and nothing that has a row', async () => {
    const { core, recordings } = platform;
    const archive = await ended();
    const { id: failed } = await recorded();
    recordings.all.get(failed)?.observer.failed('the recorder failed', null);
    recordings.file(failed);
    await stored(failed);
    // One more than are looked at together.
    const unknown = Array.from({ length: limits.archiveSweepRows + 1 }, () => systemIds.uuid());
    for (const id of unknown) recordings.file(id);
    const [stuck] = unknown;
    recordings.whileRemoving = (id) => (id === stuck ? diskFault() : undefined);
    await removeUnknownRecordings(core, { recordings, uploads }, await recordings.stored());
    const there = new Set(await recordings.stored());
    assert.deepEqual(
      unknown.filter((id) => there.has(id)),
      [stuck],
    );
    assert.ok(there.has(archive.id) && there.has(failed));
    assert.ok(unknown.every((id) => uploads.abandoned.includes(id)));
    recordings.whileRemoving = () => {};
    await recordings.remove(stuck!);
  });

  it('stays where the database knows no account: it may be the wrong one', async () => {
    const { core, recordings } = platform;
    const id = systemIds.uuid();
    recordings.file(id);
    const warned: unknown[] = [];
    const journal = { record: (level: string, _message: string, fields?: object) => void warned.push([level, fields]) };
    const store = { ...core.store, accounts: { ...core.store.accounts, list: async () => [] } };
    await removeUnknownRecordings({ store, journal }, { recordings, uploads }, [id]);
    assert.deepEqual([recordings.files.has(id), warned], [true, [['warn', { count: 1 }]]]);
    recordings.files.delete(id);
  });
});
