/** The browser's devices and what it can do, in OpenTok's shapes. */
import { detectDevice } from 'mediasoup-client';
import { asOtError, OtError } from './errors.ts';

export interface Device {
  kind: 'audioInput' | 'videoInput';
  deviceId: string;
  label: string;
}

export interface AudioOutputDevice {
  deviceId: string | null | undefined;
  label: string | null;
}

export interface ScreenSharingCapabilityResponse {
  extensionInstalled?: boolean;
  supported: boolean;
  supportedSources: { application?: boolean; screen?: boolean; window?: boolean };
  extensionRequired?: string;
  extensionRegistered?: boolean;
}

type CodecLabel = 'H264' | 'VP8' | 'VP9';

/** Cameras and microphones; labels are empty until the user has granted access once. */
export async function getDevices(
  callback?: (error: OtError | undefined, devices?: Device[]) => void,
): Promise<Device[]> {
  try {
    const devices = (await enumerate()).flatMap(({ kind, deviceId, label }): Device[] => {
      if (kind === 'audioinput') return [{ kind: 'audioInput', deviceId, label }];
      return kind === 'videoinput' ? [{ kind: 'videoInput', deviceId, label }] : [];
    });
    callback?.(undefined, devices);
    return devices;
  } catch (thrown) {
    const error = asOtError(thrown, 'OT_NO_DEVICES_FOUND');
    if (!callback) throw error;
    callback(error);
    return [];
  }
}

async function enumerate(): Promise<MediaDeviceInfo[]> {
  if (!navigator.mediaDevices?.enumerateDevices) {
    throw new OtError('OT_NOT_SUPPORTED', 'This page may not list devices: serve it over HTTPS');
  }
  return navigator.mediaDevices.enumerateDevices();
}

// ------------------------------------------------------------------------------------------------------ audio output

type Sink = HTMLMediaElement & { setSinkId?(id: string): Promise<void> };
const playing = new Set<Sink>();
let output: AudioOutputDevice = { deviceId: 'default', label: null };

/** Speakers. Rejects where the browser cannot choose among them. */
export async function getAudioOutputDevices(): Promise<AudioOutputDevice[]> {
  requireSinks();
  const devices = await enumerate();
  return devices.filter(({ kind }) => kind === 'audiooutput').map(({ deviceId, label }) => ({ deviceId, label }));
}

/** Sends the sound of every subscriber, those to come too, to one device. */
export async function setAudioOutputDevice(deviceId: string): Promise<void> {
  requireSinks();
  const device = (await getAudioOutputDevices()).find((each) => each.deviceId === deviceId);
  if (!device) throw new OtError('OT_INVALID_PARAMETER', `There is no audio output device ${deviceId}`);
  await Promise.all([...playing].map((element) => element.setSinkId?.(deviceId)));
  output = device;
}

/** The device that `setAudioOutputDevice` chose, or the system's own. */
export async function getActiveAudioOutputDevice(): Promise<AudioOutputDevice> {
  requireSinks();
  return output;
}

function requireSinks(): void {
  if (!('setSinkId' in HTMLMediaElement.prototype)) {
    throw new OtError('OT_NOT_SUPPORTED', 'This browser cannot choose an audio output device');
  }
}

/** An element that plays a subscriber's sound; answers how to take it off the list again. */
export function playsSound(element: HTMLMediaElement): () => void {
  const sink = element as Sink;
  playing.add(sink);
  if (output.deviceId && output.deviceId !== 'default') sink.setSinkId?.(output.deviceId).catch(() => undefined);
  return () => void playing.delete(sink);
}

/** Plays all sound that the browser held back until the user did something; call it from a click. */
export async function unblockAudio(): Promise<undefined> {
  const results = await Promise.allSettled([...playing].map((element) => element.play()));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw asOtError(failed.reason, 'OT_MEDIA_ERR_ABORTED');
  return undefined;
}

// ------------------------------------------------------------------------------------------------ what the browser can

/** 1 when this browser can take part in a call, else 0. */
export function checkSystemRequirements(): number {
  const webrtc = typeof RTCPeerConnection !== 'undefined' && typeof WebSocket !== 'undefined';
  return webrtc && detectDevice() !== undefined ? 1 : 0;
}

/** Tells the user in a box on the page that this browser cannot take part. */
export function upgradeSystemRequirements(): void {
  const dialog = document.createElement('dialog');
  dialog.setAttribute('aria-label', 'Browser not supported');
  const text = document.createElement('p');
  text.textContent = 'This browser cannot take part in video calls. Use a current Chrome, Edge, Firefox or Safari.';
  const close = document.createElement('button');
  close.textContent = 'Close';
  close.addEventListener('click', () => dialog.remove());
  dialog.append(text, close);
  document.body.append(dialog);
  dialog.showModal();
}

/** Whether the screen can be shared; no extension is needed anywhere. */
export async function checkScreenSharingCapability(
  callback?: (response: ScreenSharingCapabilityResponse) => void,
): Promise<ScreenSharingCapabilityResponse> {
  const supported = typeof navigator.mediaDevices?.getDisplayMedia === 'function';
  const response: ScreenSharingCapabilityResponse = {
    supported,
    supportedSources: { application: supported, screen: supported, window: supported },
  };
  callback?.(response);
  return response;
}

/** Video codecs that this browser sends and receives. */
export async function getSupportedCodecs(): Promise<{ videoEncoders: CodecLabel[]; videoDecoders: CodecLabel[] }> {
  const named = (capabilities: RTCRtpCapabilities | null): CodecLabel[] => {
    const found = new Set(capabilities?.codecs.map(({ mimeType }) => mimeType.toLowerCase()));
    return (['H264', 'VP8', 'VP9'] as const).filter((label) => found.has(`video/${label.toLowerCase()}`));
  };
  return {
    videoEncoders: named(RTCRtpSender.getCapabilities('video')),
    videoDecoders: named(RTCRtpReceiver.getCapabilities('video')),
  };
}
