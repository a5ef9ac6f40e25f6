/**
 * Where sound and picture come from: cameras and microphones, shared screens, and tracks that the application made.
 */
import { captureError, OtError } from './errors.ts';
import type { Dimensions } from './events.ts';

/** OpenTok's properties of `getUserMedia`, also part of a publisher's. */
export interface GetUserMediaProperties {
  audioSource?: string | null | boolean | MediaStreamTrack;
  disableAudioProcessing?: boolean;
  echoCancellation?: boolean;
  noiseSuppression?: boolean;
  autoGainControl?: boolean;
  facingMode?: 'user' | 'environment' | 'left' | 'right';
  frameRate?: 30 | 15 | 7 | 1;
  maxResolution?: Dimensions;
  resolution?: '1920x1080' | '1280x960' | '1280x720' | '640x480' | '640x360' | '320x240' | '320x180';
  videoSource?: string | null | boolean | MediaStreamTrack;
}

export interface LegacyMediaTrackConstraints {
  mandatory?: Record<string, string | number | boolean>;
  optional?: Array<Record<string, string | number | boolean>>;
}

export interface LegacyMediaStreamConstraints {
  audio?: boolean | MediaTrackConstraints | LegacyMediaTrackConstraints;
  video?: boolean | MediaTrackConstraints | LegacyMediaTrackConstraints;
}

export type CaptureProperties = GetUserMediaProperties & {
  enableStereo?: boolean;
  constraints?: MediaStreamConstraints | LegacyMediaStreamConstraints;
};

export type VideoKind = 'camera' | 'screen' | 'custom';

/** What was captured. A missing track was not asked for. */
export interface Captured {
  readonly audio: MediaStreamTrack | null;
  readonly video: MediaStreamTrack | null;
  readonly videoKind: VideoKind | null;
  /** Tracks that the SDK opened and therefore stops; the application's own are left alone. */
  readonly owned: readonly MediaStreamTrack[];
}

const screens = ['screen', 'window', 'application', 'browser', 'tab'];
const resolutions = ['1920x1080', '1280x960', '1280x720', '640x480', '640x360', '320x240', '320x180'];
const frameRates = [30, 15, 7, 1];

/** What kind of picture the properties ask for; null for none. */
export function videoKindOf(properties: CaptureProperties): VideoKind | null {
  const { videoSource } = properties;
  if (videoSource === null || videoSource === false) return null;
  if (isTrack(videoSource)) return 'custom';
  return typeof videoSource === 'string' && screens.includes(videoSource) ? 'screen' : 'camera';
}

/** Refuses properties that cannot be meant. */
export function checkCapture(properties: CaptureProperties): void {
  const { resolution, frameRate, maxResolution } = properties;
  if (resolution !== undefined && !resolutions.includes(resolution)) {
    throw new OtError('OT_INVALID_PARAMETER', `resolution ${resolution} is none of ${resolutions.join(', ')}`);
  }
  if (frameRate !== undefined && !frameRates.includes(frameRate)) {
    throw new OtError('OT_INVALID_PARAMETER', `frameRate ${frameRate} is none of ${frameRates.join(', ')}`);
  }
  if (maxResolution && !(maxResolution.width > 0 && maxResolution.height > 0)) {
    throw new OtError('OT_INVALID_PARAMETER', 'maxResolution needs a width and a height above 0');
  }
  const noAudio = properties.audioSource === null || properties.audioSource === false;
  if (noAudio && videoKindOf(properties) === null) {
    throw new OtError(
      'OT_NO_VALID_CONSTRAINTS',
      'audioSource and videoSource are both off: nothing is left to publish',
    );
  }
}

/**
 * Opens what the properties ask for. Rejects with an `OtError` whose name says why.
 * @param stillWanted asked when the answer comes; when it says no, what was opened is stopped again.
 */
export async function capture(
  properties: CaptureProperties,
  stillWanted: () => boolean = () => true,
): Promise<Captured> {
  checkCapture(properties);
  const kind = videoKindOf(properties);
  const custom = { audio: trackOf(properties.audioSource), video: trackOf(properties.videoSource) };
  const opened: MediaStreamTrack[] = [];
  try {
    if (kind === 'screen') opened.push(...(await openScreen(properties)));
    const constraints = deviceConstraints(properties);
    if (constraints.audio || constraints.video) opened.push(...(await openDevices(constraints)));
    if (!stillWanted())
      throw new OtError('OT_MEDIA_ERR_ABORTED', 'The publisher was destroyed while it waited for access');
  } catch (error) {
    for (const track of opened) track.stop();
    throw captureError(error);
  }
  return {
    audio: custom.audio ?? opened.find((track) => track.kind === 'audio') ?? null,
    video: custom.video ?? opened.find((track) => track.kind === 'video') ?? null,
    videoKind: kind,
    owned: opened,
  };
}

async function openDevices(constraints: MediaStreamConstraints): Promise<MediaStreamTrack[]> {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new OtError(
      'OT_USER_MEDIA_ACCESS_DENIED',
      'This page may not use cameras or microphones: serve it over HTTPS',
    );
  }
  return (await navigator.mediaDevices.getUserMedia(constraints)).getTracks();
}

async function openScreen(properties: CaptureProperties): Promise<MediaStreamTrack[]> {
  if (!navigator.mediaDevices?.getDisplayMedia) {
    throw new OtError('OT_SCREEN_SHARING_NOT_SUPPORTED', 'This browser cannot share its screen');
  }
  const { maxResolution, frameRate } = properties;
  const video: MediaTrackConstraints = { frameRate: { max: frameRate ?? 15 } };
  if (maxResolution)
    Object.assign(video, { width: { max: maxResolution.width }, height: { max: maxResolution.height } });
  // The shared window's own sound comes only when it is asked for; the microphone belongs to the camera's publisher.
  const audio = properties.audioSource === true;
  return (await navigator.mediaDevices.getDisplayMedia({ video, audio })).getTracks();
}

/** getUserMedia's constraints for what comes from a device; neither kind when all comes from elsewhere. */
export function deviceConstraints(properties: CaptureProperties): MediaStreamConstraints {
  const given = properties.constraints;
  const screen = videoKindOf(properties) === 'screen';
  const audio = wantsMicrophone(properties, screen) && (standard(given?.audio) ?? audioConstraints(properties));
  const video = videoKindOf(properties) === 'camera' && (standard(given?.video) ?? videoConstraints(properties));
  return { audio, video };
}

function wantsMicrophone(properties: CaptureProperties, screen: boolean): boolean {
  const { audioSource } = properties;
  if (audioSource === null || audioSource === false || isTrack(audioSource)) return false;
  return screen ? typeof audioSource === 'string' : true;
}

function audioConstraints(properties: CaptureProperties): MediaTrackConstraints {
  const { audioSource, enableStereo } = properties;
  const processing = !(properties.disableAudioProcessing ?? enableStereo ?? false);
  return {
    ...(typeof audioSource === 'string' ? { deviceId: { exact: audioSource } } : {}),
    echoCancellation: properties.echoCancellation ?? processing,
    noiseSuppression: properties.noiseSuppression ?? processing,
    autoGainControl: properties.autoGainControl ?? processing,
    ...(enableStereo ? { channelCount: { ideal: 2 } } : {}),
  };
}

function videoConstraints(properties: CaptureProperties): MediaTrackConstraints {
  const { videoSource, facingMode, frameRate, maxResolution } = properties;
  const [width, height] = (properties.resolution ?? '640x480').split('x').map(Number) as [number, number];
  return {
    ...(typeof videoSource === 'string' ? { deviceId: { exact: videoSource } } : {}),
    ...(facingMode && typeof videoSource !== 'string' ? { facingMode: { ideal: facingMode } } : {}),
    width: { ideal: width, ...(maxResolution ? { max: maxResolution.width } : {}) },
    height: { ideal: height, ...(maxResolution ? { max: maxResolution.height } : {}) },
    frameRate: { ideal: frameRate ?? 30, ...(frameRate ? { max: frameRate } : {}) },
  };
}

/** The application's constraints; Chromium's old `mandatory` and `optional` become what the standard has. */
function standard(given: boolean | MediaTrackConstraints | LegacyMediaTrackConstraints | undefined) {
  if (given === undefined || given === true || given === false) return given === false ? false : undefined;
  if (!('mandatory' in given) && !('optional' in given)) return given as MediaTrackConstraints;
  const legacy = given as LegacyMediaTrackConstraints;
  const constraints: Record<string, unknown> = {};
  for (const [name, value] of [
    ...(legacy.optional ?? []).flatMap((each) => Object.entries(each)),
    ...Object.entries(legacy.mandatory ?? {}),
  ]) {
    const [, bound, rest] = /^(min|max)([A-Z]\w*)$/.exec(name) ?? [];
    if (bound && rest) {
      const key = rest.charAt(0).toLowerCase() + rest.slice(1);
      constraints[key] = { ...(constraints[key] as object | undefined), [bound]: value };
    } else constraints[name === 'sourceId' ? 'deviceId' : name] = value;
  }
  return constraints as MediaTrackConstraints;
}

/** `OT.getUserMedia`: a MediaStream by OpenTok's properties. */
export async function getUserMedia(properties: GetUserMediaProperties = {}): Promise<MediaStream> {
  const { audio, video } = await capture(properties);
  return new MediaStream([audio, video].filter((track) => track !== null));
}

function isTrack(source: unknown): source is MediaStreamTrack {
  return typeof MediaStreamTrack !== 'undefined' && source instanceof MediaStreamTrack;
}

function trackOf(source: unknown): MediaStreamTrack | null {
  return isTrack(source) ? source : null;
}
