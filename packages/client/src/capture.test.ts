import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CaptureProperties, checkCapture, deviceConstraints, videoKindOf } from './capture.ts';

function refusal(properties: object): string {
  try {
    checkCapture(properties);
    return 'none';
  } catch (error) {
    return (error as Error).name;
  }
}

function video(properties: CaptureProperties): MediaTrackConstraints {
  return deviceConstraints(properties).video as MediaTrackConstraints;
}

function audio(properties: CaptureProperties): MediaTrackConstraints {
  return deviceConstraints(properties).audio as MediaTrackConstraints;
}

test('camera and microphone by default, 640x480 at 30', () => {
  assert.equal(videoKindOf({}), 'camera');
  const { width, height, frameRate } = video({});
  assert.deepEqual([width, height, frameRate], [{ ideal: 640 }, { ideal: 480 }, { ideal: 30 }]);
  assert.deepEqual(audio({}), { echoCancellation: true, noiseSuppression: true, autoGainControl: true });
});

test('resolution, frame rate, device, side and the largest size', () => {
  const constraints = video({
    resolution: '1280x720',
    frameRate: 7,
    facingMode: 'environment',
    maxResolution: { width: 1920, height: 1080 },
  });
  assert.deepEqual(constraints, {
    facingMode: { ideal: 'environment' },
    width: { ideal: 1280, max: 1920 },
    height: { ideal: 720, max: 1080 },
    frameRate: { ideal: 7, max: 7 },
  });
  assert.deepEqual(video({ videoSource: 'cam', facingMode: 'user' }).deviceId, { exact: 'cam' });
  assert.equal(video({ videoSource: 'cam', facingMode: 'user' }).facingMode, undefined);
});

test('null and false leave a kind out', () => {
  assert.equal(deviceConstraints({ audioSource: null }).audio, false);
  assert.equal(deviceConstraints({ videoSource: false }).video, false);
  assert.equal(videoKindOf({ videoSource: null }), null);
});

test('processing of the sound: all off together, each alone, off for stereo', () => {
  const off = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  assert.deepEqual(audio({ disableAudioProcessing: true }), off);
  assert.equal(audio({ autoGainControl: false }).autoGainControl, false);
  assert.deepEqual(audio({ enableStereo: true }), { ...off, channelCount: { ideal: 2 } });
});

test('a screen asks for no camera, and for a microphone only when one is named', () => {
  for (const videoSource of ['screen', 'window', 'application']) {
    assert.equal(videoKindOf({ videoSource }), 'screen');
    assert.deepEqual(deviceConstraints({ videoSource }), { audio: false, video: false });
  }
  assert.deepEqual(audio({ videoSource: 'screen', audioSource: 'mic' }).deviceId, { exact: 'mic' });
});

test("the application's constraints win, and Chromium's old ones are translated", () => {
  const given = { video: { width: 800 }, audio: { channelCount: 2 } };
  assert.deepEqual(deviceConstraints({ constraints: given }), given);
  const legacy = { video: { mandatory: { maxWidth: 1280, minWidth: 640 }, optional: [{ sourceId: 'cam' }] } };
  assert.deepEqual(video({ constraints: legacy }), { deviceId: 'cam', width: { max: 1280, min: 640 } });
});

test('properties that cannot be meant are refused by name', () => {
  assert.equal(refusal({}), 'none');
  assert.equal(refusal({ resolution: '1x1' }), 'OT_INVALID_PARAMETER');
  assert.equal(refusal({ frameRate: 29 }), 'OT_INVALID_PARAMETER');
  assert.equal(refusal({ maxResolution: { width: 0, height: 1 } }), 'OT_INVALID_PARAMETER');
  assert.equal(refusal({ audioSource: null, videoSource: null }), 'OT_NO_VALID_CONSTRAINTS');
});
