/** What is set for the storage of a project, where several changes of it meet, and what the record says of them. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, it } from 'node:test';
import { limits } from '@cloister/protocol';
import type { Actor, StorageWish } from '../../packages/server/src/core/index.ts';
import { makeCertificate } from './certificates.ts';
import { type TestPlatform, testPlatform } from './platform.ts';

const actor: Actor = { kind: 'operator', via: 'cli' };
const config = { accessKey: 'key', secretKey: 'secret', bucket: 'recordings' };
const s3 = { type: 's3', config, fallback: 'opentok' };
const azure = { type: 'azure', config: { accountName: 'clinic', accountKey: 'a2V5', container: 'recordings' } };

let platform: TestPlatform;
let certificate: string;
/** What happens while an address is being checked: in the middle of a change. */
let whileChecking = async () => {};
before(async () => {
  platform = await testPlatform('enterprise', { checkAddress: () => whileChecking() });
  certificate = await makeCertificate(limits.certificateRsaBitsMin);
});
after(() => platform.close());
beforeEach(async () => {
  whileChecking = async () => {};
  const { storages, store } = platform.core;
  if (await store.storages.get(platform.projectId)) await storages.remove(actor, platform.projectId);
  await news();
});

const put = (wish: StorageWish) => platform.core.storages.put(actor, platform.projectId, wish);

/** Events about the storage since the last look, without what all events have. */
async function news(): Promise<object[]> {
  const { outbox } = platform.core.store;
  const records = await outbox.read('storage-news', limits.outboxReadRows);
  await outbox.advance('storage-news', records.at(-1)?.position ?? 0);
  return records.flatMap(({ event }) => {
    if (!event?.type.startsWith('storage.')) return [];
    const { id: _, at: __, actor: ___, projectId: ____, ...facts } = event;
    return [facts];
  });
}

it('what encrypts stays where a change says nothing of it; what switches it off is an event and an act of its own', async () => {
  const sse = (value: string) => ({ ...config, sse: value });
  const { length } = platform.acts;
  await put({ ...s3, config: sse('s3'), certificate });
  await put({ ...s3, fallback: 'none' });
  const [set, kept] = await news();
  assert.match(String((set as { certificateSha256: string }).certificateSha256), /^[0-9a-f]{64}$/);
  assert.deepEqual(kept, { ...set, fallback: 'none' });
  await put({ ...s3, certificate: null });
  await put({ ...s3, config: sse('none') });
  await put({ ...s3, config: sse('none'), certificate: null });
  const facts = { storage: 's3', fallback: 'opentok', certificateSha256: null };
  const off = { type: 'storage.encryptionSwitchedOff', ...facts };
  assert.deepEqual(await news(), [
    { ...off, off: ['certificate'] },
    { ...off, off: ['sse'] },
    { type: 'storage.changed', ...facts },
  ]);
  const actions = platform.acts.slice(length).map(({ action }) => action);
  assert.equal(actions.filter((action) => action === 'storage.encryptionSwitchedOff').length, 2);
});

it('the certificate stays where the storage moves to another kind; what a bucket of S3 encrypts with does not go along', async () => {
  await put({ ...s3, config: { ...config, sse: 's3' }, certificate });
  const moved = await put(azure);
  assert.deepEqual([moved.target.type, moved.storage.certificate], ['azure', certificate]);
  const back = await put(s3);
  assert.deepEqual([back.target.type === 's3' && back.target.sse, back.storage.certificate], ['none', certificate]);
});

it('a change that keeps what is set does not undo one that is under way', async () => {
  const endpoint = 'https://s3.example.org';
  await put(s3);
  const entered = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  whileChecking = () => {
    entered.resolve();
    whileChecking = async () => {};
    return goOn.promise;
  };
  const renewed = put({ ...s3, config: { ...config, endpoint } });
  await entered.promise;
  const sealed = put({ ...s3, certificate });
  const again = put({ ...s3, fallback: 'none' });
  goOn.resolve();
  const changes = await Promise.all([renewed, sealed, again]);
  assert.deepEqual(
    changes.map(({ storage }) => storage.certificate),
    [null, certificate, certificate],
  );
  const stored = await platform.core.store.storages.get(platform.projectId);
  assert.deepEqual([stored?.certificate, stored?.fallback], [certificate, 'none']);
});

it('a change that is refused leaves the next one its turn', async () => {
  const refused = put({ ...s3, type: 'disk' });
  const set = put({ ...s3, certificate });
  await assert.rejects(refused, { code: 'BadRequest' });
  assert.equal((await set).storage.certificate, certificate);
});
