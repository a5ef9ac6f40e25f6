/** Cameras and microphones that change in a call: by the page's wish, and because one is pulled out. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { Participant } from '../rig/page.ts';
import { eventually } from '../rig/wait.ts';
import { useStage } from './stage.ts';

const stage = useStage();

const RED = [255, 0, 0] as const;
const BLUE = [0, 0, 255] as const;
/** Of each of the three colours, after encoder and decoder. */
const COLOUR_OFF = 60;
const HERTZ = 1000;
const HERTZ_OFF = 30;

let speaker: Participant;
let watcher: Participant;
let streamId: string;

beforeEach(async () => {
  const sessionId = await stage.customer.session();
  [speaker, watcher] = await Promise.all([stage.open(), stage.open()]);
  await Promise.all([
    speaker.join(stage.customer.ticket(sessionId), null),
    watcher.join(stage.customer.ticket(sessionId)),
  ]);
  await plugCameras(speaker);
  streamId = await speaker.publish({ videoSource: 'red', resolution: '320x240' });
  await watcher.subscribed(streamId);
  await sees(watcher, streamId, RED);
});

afterEach(async () => {
  assert.deepEqual(stage.browser.errors, []);
  await Promise.all([speaker.close(), watcher.close()]);
});

/** Gives a page a red and a blue camera: those that Chromium pretends look alike. The microphones stay Chromium's. */
async function plugCameras(at: Participant): Promise<void> {
  await at.page.evaluate(() => {
    const devices = navigator.mediaDevices;
    const [open, list] = [devices.getUserMedia.bind(devices), devices.enumerateDevices.bind(devices)];
    const cameras = ['red', 'blue'];
    const paint = (deviceId: string): MediaStreamTrack => {
      const canvas = document.createElement('canvas');
      Object.assign(canvas, { width: 320, height: 240 });
      const drawing = canvas.getContext('2d');
      let drawn = 0;
      setInterval(() => {
        if (!drawing) return;
        drawing.fillStyle = deviceId;
        drawing.fillRect(0, 0, 320, 240);
        drawing.fillStyle = 'white';
        drawing.fillRect((drawn++ * 8) % 320, 0, 24, 24);
      }, 50);
      const [track] = canvas.captureStream(20).getVideoTracks() as [MediaStreamTrack];
      const settings = track.getSettings.bind(track);
      track.getSettings = () => ({ ...settings(), deviceId });
      return track;
    };
    devices.getUserMedia = async ({ audio, video } = {}) => {
      const wanted = video && typeof video === 'object' && (video.deviceId as { exact?: string } | undefined)?.exact;
      const deviceId = wanted || cameras[0];
      if (video && !cameras.includes(String(deviceId))) throw new DOMException('gone', 'NotFoundError');
      const sound = audio ? (await open({ audio })).getTracks() : [];
      return new MediaStream([...sound, ...(video ? [paint(String(deviceId))] : [])]);
    };
    devices.enumerateDevices = async () => [
      ...(await list()).filter(({ kind }) => kind !== 'videoinput'),
      ...cameras.map((deviceId) => ({ kind: 'videoinput', deviceId, label: deviceId }) as MediaDeviceInfo),
    ];
  });
}

/** Pulls the device of a track out: the browser ends the track and tells. */
async function unplug(kind: 'audio' | 'video'): Promise<void> {
  await speaker.page.evaluate((which) => {
    const publisher = window.rig.publisher();
    const track = which === 'audio' ? publisher.getAudioSource() : publisher.getVideoSource().track;
    track?.stop();
    track?.dispatchEvent(new Event('ended'));
  }, kind);
}

async function sees(at: Participant, target: string, colour: readonly number[]): Promise<void> {
  await eventually(
    `a picture of ${colour}`,
    () => at.look(target, 5),
    (look) => look.moved > 0 && colour.every((each, index) => Math.abs(each - (look.colour[index] ?? 0)) < COLOUR_OFF),
  );
}

async function hearsTone(): Promise<void> {
  await eventually(
    `a tone of ${HERTZ} Hz`,
    () => watcher.page.evaluate((id) => window.rig.pitches(id, 1), streamId),
    ([pitch = 0]) => Math.abs(pitch - HERTZ) <= HERTZ_OFF,
  );
}

const camera = () => speaker.page.evaluate(() => window.rig.publisher().getVideoSource().deviceId);
const setCamera = (id: string) =>
  speaker.page.evaluate((which) => window.rig.publisher().setVideoSource(which) as Promise<unknown>, id);

/** What both pages say of the stream, as the publisher's own page and a subscriber's have it. */
async function stated(property: 'hasAudio' | 'hasVideo'): Promise<unknown[]> {
  const own = await speaker.page.evaluate((which) => window.rig.publisher().stream?.[which], property);
  const theirs = await watcher.page.evaluate((id, which) => window.rig.stream(id)?.[which], streamId, property);
  return [own, theirs];
}

test('cycleVideo and setVideoSource: others see the other camera, in the same stream', async () => {
  const next = await speaker.page.evaluate(() => window.rig.publisher().cycleVideo());
  assert.deepEqual([next.deviceId, await camera()], ['blue', 'blue']);
  await sees(watcher, streamId, BLUE);
  await sees(speaker, 'publisher', BLUE);
  await setCamera('red');
  assert.equal(await camera(), 'red');
  await sees(watcher, streamId, RED);
  const told = (await watcher.happenings()).map(({ type }) => type);
  assert.ok(!told.includes('streamDestroyed') && !told.includes('videoDisabled'), told.join(' '));
});

test('a camera that cannot be opened is refused by name, and the one before goes on', async () => {
  await assert.rejects(setCamera('broken'), /OT_NO_DEVICES_FOUND|OT_HARDWARE_UNAVAILABLE/);
  await sees(watcher, streamId, RED);
  await sees(speaker, 'publisher', RED);
  assert.equal(await camera(), 'red');
});

test('the camera is pulled out: the page and the others are told, the sound goes on, and another camera takes over', async () => {
  await unplug('video');
  await speaker.event('publisher', 'mediaStopped');
  await watcher.event(streamId, 'videoDisabled', { reason: 'publishVideo' });
  await watcher.event('session', 'streamPropertyChanged', { changedProperty: 'hasVideo', newValue: false });
  assert.deepEqual(await stated('hasVideo'), [false, false]);
  assert.ok((await watcher.hear(streamId, 1)).peak > 0);

  await setCamera('blue');
  await watcher.event(streamId, 'videoEnabled', { reason: 'publishVideo' });
  assert.deepEqual(await stated('hasVideo'), [true, true]);
  await sees(watcher, streamId, BLUE);
  await sees(speaker, 'publisher', BLUE);
});

test('setAudioSource: others hear the new source instead of the old, and a microphone again after it', async () => {
  await speaker.page.evaluate((hertz) => window.rig.publisher().setAudioSource(window.rig.toneTrack(hertz)), HERTZ);
  await hearsTone();
  const microphone = await speaker.page.evaluate(async () => {
    const devices = await navigator.mediaDevices.enumerateDevices();
    const last = devices.findLast(({ kind }) => kind === 'audioinput');
    await window.rig.publisher().setAudioSource(last?.deviceId ?? '');
    return { wanted: last?.label, label: window.rig.publisher().getAudioSource().label };
  });
  assert.equal(microphone.label, microphone.wanted);
  // Beeps have silence between them; the tone had none.
  await watcher.hear(streamId, 2);
});

test('the microphone is pulled out: another takes its place, the page is told, and others hear it', async () => {
  await speaker.page.evaluate(() => {
    const publisher = window.rig.publisher();
    publisher.on('audioInputDeviceChanged', ({ device }) =>
      document.body.setAttribute('data-heard-by', String(device.label)),
    );
  });
  await unplug('audio');
  await speaker.page.waitForSelector('[data-heard-by^="Fake"]');
  assert.deepEqual(await stated('hasAudio'), [true, true]);
  await watcher.hear(streamId, 2);
});

test('a source of the application ends and another is given: others are told that the sound went and came', async () => {
  await speaker.page.evaluate((hertz) => window.rig.publisher().setAudioSource(window.rig.toneTrack(hertz)), HERTZ);
  await hearsTone();
  await unplug('audio');
  await speaker.event('publisher', 'mediaStopped');
  await watcher.event('session', 'streamPropertyChanged', { changedProperty: 'hasAudio', newValue: false });
  assert.deepEqual(await stated('hasAudio'), [false, false]);
  await speaker.page.evaluate((hertz) => window.rig.publisher().setAudioSource(window.rig.toneTrack(hertz)), HERTZ);
  await watcher.event('session', 'streamPropertyChanged', { changedProperty: 'hasAudio', newValue: true });
  await hearsTone();
});

test('with the last device the stream ends, as stopped media', async () => {
  await speaker.page.evaluate((hertz) => window.rig.publisher().setAudioSource(window.rig.toneTrack(hertz)), HERTZ);
  await unplug('audio');
  await unplug('video');
  await speaker.event('publisher', 'streamDestroyed', { reason: 'mediaStopped' });
  await watcher.event('session', 'streamDestroyed', { stream: streamId, reason: 'mediaStopped' });
});
