/** The manifest of an archive: signed once, when it has ended with something to vouch for, in the event of that change. */
import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { after, before, beforeEach, it } from 'node:test';
import { limits, PlatformError } from '@cloister/protocol';
import {
  type Actor,
  type Archive,
  closeFormerArchives,
  unfinishedArchives,
} from '../../packages/server/src/core/index.ts';
import { verifyManifest } from '../../packages/server/src/keys/index.ts';
import { makeCertificate } from './certificates.ts';
import { type TestPlatform, testPlatform } from './platform.ts';
import { UploadsDouble } from './uploads.ts';

const actor: Actor = { kind: 'system' };

let platform: TestPlatform;
const uploads = new UploadsDouble();
before(async () => {
  platform = await testPlatform('enterprise', { uploads });
});
after(() => platform.close());
beforeEach(() => {
  platform.recordings.endsAtOnce = true;
});

const get = async (id: string) => (await platform.core.archives.get(platform.projectId, id)).archive;

async function start(): Promise<Archive> {
  const session = await platform.session();
  await platform.publish(await platform.enter(session));
  return (await platform.core.archives.start(actor, platform.projectId, { sessionId: session.id })).archive;
}

/** The archive once it is recorded, and on its way nowhere. */
async function ended(id: string): Promise<Archive> {
  for (;;) {
    const archive = await get(id);
    if (!['started', 'paused', 'stopped'].includes(archive.status)) return archive;
    await new Promise(setImmediate);
  }
}

async function recorded(): Promise<Archive> {
  const { id } = await start();
  await platform.core.archives.stop(actor, platform.projectId, id);
  return ended(id);
}

const keySet = () => JSON.stringify({ keys: platform.core.keys.publicKeys('manifest') });

it('says what was recorded, when, and what its file is', async () => {
  const { id, createdAt, sessionId } = await start();
  assert.equal((await get(id)).manifest, '');
  platform.recordings.last.observer.began(createdAt + 1500);
  platform.recordings.endsAtOnce = false;
  platform.clock.advance(66_000);
  const stoppedAt = platform.clock.now();
  await platform.core.archives.stop(actor, platform.projectId, id);
  assert.equal((await get(id)).manifest, '');
  platform.clock.advance(2000);
  platform.recordings.last.observer.ended(platform.recordings.file(id));
  const archive = await ended(id);
  const bytes = platform.recordings.files.get(id)!;
  const { manifest, keyId } = verifyManifest(archive.manifest, keySet());
  assert.equal(keyId, platform.core.keys.publicKeys('manifest')[0]?.kid);
  assert.deepEqual(manifest, {
    type: 'cloister-archive-manifest',
    version: 1,
    archiveId: id,
    projectId: platform.projectId,
    sessionId,
    status: 'available',
    reason: 'user initiated',
    outputMode: 'composed',
    format: 'clear',
    fileName: 'archive.mp4',
    sizeBytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    certificateSha256: [],
    startedAt: createdAt + 1500,
    stoppedAt,
    durationMs: archive.durationMs,
    signedAt: platform.clock.now(),
  });
});

it('names every certificate that the archive is sealed to', async () => {
  const certificates = [await makeCertificate(2048), await makeCertificate(2048)];
  const print = (pem: string) => createHash('sha256').update(new X509Certificate(pem).raw).digest('hex');
  await platform.core.sealings.put(actor, platform.projectId, { format: 'cloister', certificates });
  const own = verifyManifest((await recorded()).manifest, keySet());
  assert.deepEqual([own.manifest.format, own.manifest.fileName], ['cloister', 'archive.cloister']);
  assert.deepEqual(own.manifest.certificateSha256, certificates.map(print));
  const [certificate] = certificates as [string];
  await platform.core.sealings.put(actor, platform.projectId, { format: 'opentok', certificates: [certificate] });
  const theirs = verifyManifest((await recorded()).manifest, keySet());
  assert.deepEqual([theirs.manifest.format, theirs.manifest.fileName], ['opentok', 'archive.ts']);
  assert.deepEqual(theirs.manifest.certificateSha256, [print(certificate)]);
  await platform.core.sealings.remove(actor, platform.projectId);
});

it('is in the event of the change, and stays what it was', async () => {
  const archive = await recorded();
  const reader = `manifest ${archive.id}`;
  const seen = [];
  for (;;) {
    const records = await platform.core.store.outbox.read(reader, limits.outboxReadRows);
    if (records.length === 0) break;
    seen.push(...records.flatMap(({ event }) => (event && 'archive' in event ? [event] : [])));
    await platform.core.store.outbox.advance(reader, records.at(-1)!.position);
  }
  const own = seen.filter((event) => event.archive.id === archive.id);
  assert.deepEqual(
    own.map(({ type, archive: { manifest } }) => [type, manifest]),
    [
      ['archive.started', ''],
      ['archive.stopped', ''],
      ['archive.available', archive.manifest],
    ],
  );
  platform.clock.advance(limits.archiveKeptSeconds * 1000);
  await platform.core.archives.sweep();
  const expired = await get(archive.id);
  assert.deepEqual([expired.status, expired.manifest], ['expired', archive.manifest]);
});

it('vouches for what was uploaded, and for what a failure left; where nothing was left there is none', async () => {
  const config = { accessKey: 'key', secretKey: 'secret', bucket: 'recordings' };
  const put = (fallback: string) =>
    platform.core.storages.put(actor, platform.projectId, { type: 's3', config, fallback });
  const statusIn = async ({ manifest }: Archive) => verifyManifest(manifest, keySet()).manifest.status;
  await put('none');
  assert.equal(await statusIn(await recorded()), 'uploaded');
  uploads.end = () => Promise.reject(new PlatformError('UploadFailed', { why: 'the storage could not be reached' }));
  assert.equal(await statusIn(await recorded()), 'failed');
  await put('opentok');
  assert.equal(await statusIn(await recorded()), 'available');
  const partly = await start();
  platform.recordings.last.observer.failed('the recorder failed', platform.recordings.file(partly.id));
  assert.equal(await statusIn(await ended(partly.id)), 'failed');
  const empty = await start();
  platform.recordings.last.observer.failed('the recorder failed', null);
  assert.equal((await ended(empty.id)).manifest, '');
  await platform.core.storages.remove(actor, platform.projectId);
});

it('vouches for what a crash of the server left, and does not say when recording ended', async () => {
  const { core, recordings } = platform;
  const { id } = await start();
  const left = (await unfinishedArchives(core)).filter((archive) => archive.id === id);
  await closeFormerArchives(core, recordings, left);
  const stored = await core.store.archives.get(id);
  const { manifest } = verifyManifest(stored!.manifest, keySet());
  assert.deepEqual([manifest.status, manifest.stoppedAt], ['failed', null]);
  const digest = createHash('sha256').update(recordings.files.get(id)!).digest('hex');
  assert.deepEqual([manifest.archiveId, manifest.sha256], [id, digest]);
});
