/** Where an archive goes once it is whole, by the storage of its project. The way into a bucket is a double. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { PlatformError } from '@cloister/protocol';
import type { Actor, StorageTarget } from '../../packages/server/src/core/index.ts';
import { type TestPlatform, testPlatform } from './platform.ts';

const actor: Actor = { kind: 'system' };
const config = { accessKey: 'key', secretKey: 'secret', bucket: 'recordings' };

let platform: TestPlatform;
const sent: { target: StorageTarget; name: string }[] = [];
let refusal: PlatformError | null = null;

before(async () => {
  const upload = async (_id: string, target: StorageTarget, name: string) => {
    sent.push({ target, name });
    if (refusal) throw refusal;
  };
  platform = await testPlatform('enterprise', { uploads: { upload } });
});
after(() => platform.close());

/** An archive that is started and stopped under a storage with this fallback, once its end is recorded. */
async function archived(fallback: string | null) {
  const { core, projectId } = platform;
  if (fallback !== null) await core.storages.put(actor, projectId, { type: 's3', config, fallback });
  const session = await platform.session();
  await platform.publish(await platform.enter(session));
  const { archive } = await core.archives.start(actor, projectId, { sessionId: session.id });
  await core.archives.stop(actor, projectId, archive.id);
  for (;;) {
    const { archive: now } = await core.archives.get(projectId, archive.id);
    if (now.status !== 'stopped') return now;
  }
}

it('without a storage it stays with us', async () => {
  const archive = await archived(null);
  assert.deepEqual([archive.status, archive.kept, sent.length], ['available', true, 0]);
});

it('with one it is uploaded under its name, and what we had of it goes', async () => {
  const archive = await archived('none');
  assert.deepEqual([archive.status, archive.kept], ['uploaded', false]);
  const [call] = sent.splice(0);
  assert.equal(call?.name, `${platform.projectId}/${archive.id}/archive.mp4`);
  assert.deepEqual(call?.target, { type: 's3', ...config, endpoint: null, sse: 'none' });
  await platform.core.archives.remove(actor, platform.projectId, archive.id);
  assert.ok(platform.recordings.removed.includes(archive.id));
});

it('that fails it is kept where the fallback says so, and has failed where it does not', async () => {
  refusal = new PlatformError('DestinationFailed', { destination: 'recordings', why: 'it did not answer' });
  const kept = await archived('opentok');
  assert.deepEqual([kept.status, kept.reason, kept.kept], ['available', 'the upload failed', true]);
  const failed = await archived('none');
  assert.deepEqual([failed.status, failed.reason, failed.kept], ['failed', 'the upload failed', true]);
});
