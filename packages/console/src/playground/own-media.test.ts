import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeOt } from './fake-ot-fixture.ts';
import { OwnMedia } from './own-media.ts';

test('camera and microphone are ready, and their devices are named', async () => {
  const fake = new FakeOt();
  const media = new OwnMedia(fake.ot, 8);
  await media.start();
  const { status, hasCamera, hasMicrophone, cameraId, devices, problem } = media.state.get();
  assert.deepEqual([status, hasCamera, hasMicrophone, cameraId, problem], ['ready', true, true, 'camera-1', null]);
  assert.equal(devices.length, 2);
});

test('without a camera there is sound, and the page says so', async () => {
  const fake = new FakeOt();
  fake.devices = fake.devices.filter((device) => device.kind === 'audioInput');
  const media = new OwnMedia(fake.ot, 8);
  await media.start();
  assert.equal(fake.publishers[0]?.properties.videoSource, null);
  assert.equal(media.state.get().status, 'ready');
  assert.equal(media.state.get().problem?.title, 'No camera found');
});

test('without any device nothing is asked for', async () => {
  const fake = new FakeOt();
  fake.devices = [];
  const media = new OwnMedia(fake.ot, 8);
  await media.start();
  assert.equal(media.state.get().status, 'missing');
  assert.equal(fake.publishers.length, 0);
});

test('a refusal leaves nothing to publish, and the next try may succeed', async () => {
  const fake = new FakeOt();
  fake.captureError = { name: 'OT_USER_MEDIA_ACCESS_DENIED', message: 'no' };
  const media = new OwnMedia(fake.ot, 8);
  await media.start();
  assert.equal(media.state.get().status, 'refused');
  assert.equal(media.publisher, null);
  fake.captureError = undefined;
  await media.start();
  assert.equal(media.state.get().status, 'ready');
});

test('what was switched off before stays off in the next start', async () => {
  const fake = new FakeOt();
  const media = new OwnMedia(fake.ot, 8);
  await media.start();
  media.setMicrophone(false);
  assert.equal(fake.publishers[0]?.audio, false);
  media.release();
  assert.equal(fake.publishers[0]?.destroyed, true);
  await media.start();
  assert.equal(fake.publishers[1]?.properties.publishAudio, false);
});

test('the answer to a start that was given up is dropped', async () => {
  const fake = new FakeOt();
  const media = new OwnMedia(fake.ot, 8);
  const first = media.start();
  media.release();
  await first;
  assert.equal(media.state.get().status, 'off');
});

test('a device that cannot be used leaves the one in use', async () => {
  const media = new OwnMedia(new FakeOt().ot, 8);
  await media.start();
  await media.choose('videoInput', 'camera-2');
  assert.equal(media.state.get().cameraId, 'camera-1');
  assert.match(media.state.get().problem?.title ?? '', /in use/);
});

test('a machine with few cores sends a smaller picture', async () => {
  const fake = new FakeOt();
  for (const cores of [3, 4]) await new OwnMedia(fake.ot, cores).start();
  assert.deepEqual(
    fake.publishers.map((publisher) => publisher.properties.resolution),
    ['640x480', '1280x720'],
  );
});
