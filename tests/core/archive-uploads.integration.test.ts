/** Where an archive goes once it is whole, by the storage of its project. The way into a bucket is a double. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, it } from 'node:test';
import { PlatformError } from '@cloister/protocol';
import {
  type Actor,
  closeFormerArchives,
  type UploadEnd,
  unfinishedArchives,
} from '../../packages/server/src/core/index.ts';
import { type TestPlatform, testPlatform } from './platform.ts';
import { UploadsDouble } from './uploads.ts';

const actor: Actor = { kind: 'system' };
const config = { accessKey: 'key', secretKey: 'secret', bucket: 'recordings' };

const uploads = new UploadsDouble();
let platform: TestPlatform;
before(async () => {
  platform = await testPlatform('enterprise', { uploads });
});
after(() => platform.close());
beforeEach(() => {
  uploads.orders.length = 0;
  uploads.end = async () => 'uploaded';
  uploads.resumed = null;
});

/** An archive that is started under a storage with this fallback. */
async function started(fallback: string | null) {
  const { core, projectId } = platform;
  if (fallback !== null) await core.storages.put(actor, projectId, { type: 's3', config, fallback });
  const session = await platform.session();
  await platform.publish(await platform.enter(session));
  return (await core.archives.start(actor, projectId, { sessionId: session.id })).archive;
}

/** The same, stopped, once it has reached a last state and that is in the store. */
async function archived(fallback: string | null) {
  const { core, projectId } = platform;
  const { id } = await started(fallback);
  await core.archives.stop(actor, projectId, id);
  return lastState(id);
}

async function lastState(id: string) {
  const { core, recordings } = platform;
  for (;;) {
    const archive = await core.store.archives.get(id);
    if (!archive) throw new Error('it is gone');
    const underWay = archive.status === 'uploaded' && !recordings.removed.includes(id);
    if (archive.status !== 'started' && archive.status !== 'stopped' && !underWay) return archive;
    await core.recorder.flush();
  }
}

const refused = () => Promise.reject(new PlatformError('UploadFailed', { why: 'there is no such bucket' }));

it('without a storage it stays with us', async () => {
  const archive = await archived(null);
  assert.deepEqual([archive.status, archive.kept, uploads.orders.length], ['available', true, 0]);
});

it('STO9 with one it goes there from its start on, under its name, and what we had of it goes once that is in the record', async () => {
  const archive = await archived('none');
  assert.equal(archive.status, 'uploaded');
  const [order] = uploads.orders;
  assert.equal(order?.name, `${platform.projectId}/${archive.id}/archive.mp4`);
  const { type, bucket } = order.target as { type: string; bucket: string };
  assert.deepEqual([type, bucket, order.fallback], ['s3', 'recordings', 'none']);
  assert.equal(uploads.results.at(-1)?.sha256, archive.sha256);
  assert.ok(platform.recordings.removed.includes(archive.id));
  await platform.core.archives.remove(actor, platform.projectId, archive.id);
});

it('STO9 another storage of the project changes nothing for it', async () => {
  const { core, projectId } = platform;
  const { id } = await started('none');
  await core.storages.put(actor, projectId, { type: 's3', config, fallback: 'opentok' });
  uploads.end = refused;
  await core.archives.stop(actor, projectId, id);
  assert.equal((await lastState(id)).status, 'failed');
});

it('STO10 that fails it is kept where the fallback says so, and has failed where it does not; both can be downloaded', async () => {
  uploads.end = refused;
  for (const [fallback, status] of [
    ['opentok', 'available'],
    ['none', 'failed'],
  ] as const) {
    const archive = await archived(fallback);
    const reason = 'the upload failed: there is no such bucket';
    assert.deepEqual([archive.status, archive.reason, archive.kept], [status, reason, true]);
    assert.ok(platform.core.archiveLinks.pathOf(archive));
    assert.equal(platform.recordings.removed.includes(archive.id), false);
  }
});

it('STO12 with too much that waits already none is started', async () => {
  uploads.room = new PlatformError('UploadsWaiting', { bytes: 1 });
  await assert.rejects(started('opentok'), { code: 'UploadsWaiting' });
  uploads.room = null;
});

it('whose recording fails it is taken back', async () => {
  const { id } = await started('none');
  platform.recordings.all.get(id)?.observer.failed('the recorder failed', null);
  assert.equal((await lastState(id)).status, 'failed');
  assert.ok(uploads.abandoned.includes(id));
});

it('that is under way when the server ends goes on after the next start, and one that was not whole is taken back', async () => {
  const { core, projectId } = platform;
  const left = await started('none');
  // What is left is what the next start finds.
  uploads.end = async () => 'left';
  await core.archives.stop(actor, projectId, left.id);
  const cut = await started('none');
  await core.recorder.flush();
  assert.equal((await core.store.archives.get(left.id))?.status, 'stopped');
  const end = Promise.withResolvers<UploadEnd>();
  uploads.resumed = { result: uploads.results.at(-1)!, fallback: 'none', end: end.promise };
  await closeFormerArchives(core, platform.recordings, await unfinishedArchives(core));
  assert.equal((await core.store.archives.get(left.id))?.status, 'stopped');
  assert.equal((await lastState(cut.id)).status, 'failed');
  assert.ok(uploads.abandoned.includes(cut.id));
  end.resolve('uploaded');
  const archive = await lastState(left.id);
  assert.deepEqual([archive.status, archive.sha256], ['uploaded', uploads.results.at(-1)?.sha256]);
});

it('that was whole when the server ended goes on, also where that was noted beside its file alone', async () => {
  const { core, recordings } = platform;
  const { id } = await started('none');
  recordings.whole.set(id, recordings.file(id));
  const left = (await unfinishedArchives(core)).filter((archive) => archive.id === id);
  uploads.results.length = 0;
  uploads.resumed = { result: recordings.whole.get(id)!, fallback: 'none', end: Promise.resolve('uploaded') };
  await closeFormerArchives(core, recordings, left);
  assert.deepEqual(uploads.results, [recordings.whole.get(id)]);
  const archive = await lastState(id);
  assert.deepEqual([archive.status, archive.sha256], ['uploaded', recordings.whole.get(id)?.sha256]);
  assert.equal(uploads.abandoned.includes(id), false);
});

it('of a project that is removed is given up, and its files go', async () => {
  const { core, accountId } = platform;
  const { project } = await core.projects.create(actor, accountId, {});
  await core.storages.put(actor, project.id, { type: 's3', config, fallback: 'none' });
  const session = await core.sessions.create(actor, project.id, {
    mediaMode: 'routed',
    archiveMode: 'manual',
    e2ee: false,
  });
  await platform.publish(await platform.enter(session));
  const end = Promise.withResolvers<UploadEnd>();
  uploads.end = () => end.promise;
  const { archive } = await core.archives.start(actor, project.id, { sessionId: session.id });
  await core.archives.stop(actor, project.id, archive.id);
  await core.projects.remove(actor, project.id);
  assert.ok(uploads.abandoned.includes(archive.id));
  end.resolve('left');
  while (!platform.recordings.removed.includes(archive.id)) await core.recorder.flush();
});
