import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { camera, type TestClient, type TestPlatform, testPlatform } from './platform.ts';

const key = { keyId: 0, nonce: 'n'.repeat(22), proof: 'p'.repeat(43) };

describe('an end-to-end encrypted session', () => {
  let platform: TestPlatform;
  before(async () => {
    platform = await testPlatform();
  });
  after(() => platform.close());

  const session = () => platform.session({ e2ee: true });

  it('lets nobody publish or subscribe who has told of no key', async () => {
    const { actions } = (await platform.enter(await session())).client;
    await assert.rejects(actions.publish(camera), { code: 'FrameKeyMissing' });
    await assert.rejects(actions.subscribe({ streamId: 'any', rtpCapabilities: {}, audio: true, video: true }), {
      code: 'FrameKeyMissing',
    });
    await actions.announceFrameKey(key);
    await actions.publish(camera);
  });

  it('passes keys on to all others, and to those who come later', async () => {
    const place = await session();
    const first = await platform.enter(place);
    const second = await platform.enter(place);
    await first.client.actions.announceFrameKey(key);
    const told = { connectionId: first.client.connectionId, key };
    assert.deepEqual(second.data('frameKeyAnnounced'), [told]);
    assert.deepEqual(first.data('frameKeyAnnounced'), []);
    assert.deepEqual((await platform.enter(place)).client.welcome.frameKeys, [told]);
    first.client.leave('clientDisconnected');
    assert.deepEqual((await platform.enter(place)).client.welcome.frameKeys, []);
  });

  it('tells nobody of the keys of those who send nothing', async () => {
    const place = await session();
    const watcher = await platform.enter(place);
    const silent = await platform.enter(place, 'subscriber');
    await silent.client.actions.announceFrameKey(key);
    assert.deepEqual(watcher.data('frameKeyAnnounced'), []);
    assert.deepEqual((await platform.enter(place)).client.welcome.frameKeys, []);
  });

  it('takes only keys whose id is above the one before, and none where frames are not encrypted', async () => {
    const { actions } = (await platform.enter(await session())).client;
    await actions.announceFrameKey({ ...key, keyId: 4 });
    for (const keyId of [0, 4])
      await assert.rejects(actions.announceFrameKey({ ...key, keyId }), { code: 'WrongState' });
    await actions.announceFrameKey({ ...key, keyId: 5 });
    const plain = (await platform.enter(await platform.session())).client.actions;
    await assert.rejects(plain.announceFrameKey(key), { code: 'WrongState' });
  });

  it('records the frame layer of each leg, and says it to the client', async () => {
    const place = await session();
    const publisher = await platform.enter(place);
    await publisher.client.actions.announceFrameKey(key);
    await platform.publish(publisher);
    const { legs } = await platform.core.calls.security(place.projectId, place.id);
    assert.deepEqual(
      legs.map(({ frameLayer, observedBy }) => [frameLayer, observedBy]),
      [['AES_256_GCM_SHA512_128', 'server']],
    );
    assert.deepEqual(frameLayers(publisher), ['AES_256_GCM_SHA512_128']);
    const plain = await platform.enter(await platform.session());
    await platform.publish(plain);
    assert.deepEqual(frameLayers(plain), [null]);
  });
});

function frameLayers(client: TestClient): unknown[] {
  return client.data('leg').map(({ frameLayer }) => frameLayer);
}
