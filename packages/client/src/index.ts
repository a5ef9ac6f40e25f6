/** The client SDK as an ES module: OpenTok's `OT`, member by member, and its types. */

import { notOffered, OtError } from './errors.ts';
import { exceptions } from './exceptions.ts';
import { FrameLayer } from './frames/frame-layer.ts';
import { setHome } from './home.ts';
import { log as say } from './log.ts';
import { Publisher } from './publisher.ts';
import type { PublisherProperties } from './publisher-properties.ts';
import { Session, type SessionOptions } from './session.ts';

export {
  type GetUserMediaProperties,
  getUserMedia,
  type LegacyMediaStreamConstraints,
  type LegacyMediaTrackConstraints,
} from './capture.ts';
export { Connection } from './connection.ts';
export {
  type AudioOutputDevice,
  checkScreenSharingCapability,
  checkSystemRequirements,
  type Device,
  getActiveAudioOutputDevice,
  getAudioOutputDevices,
  getDevices,
  getSupportedCodecs,
  type ScreenSharingCapabilityResponse,
  setAudioOutputDevice,
  unblockAudio,
  upgradeSystemRequirements,
} from './devices.ts';
export type { VideoBitratePreset, VideoBitratePresetInput } from './encodings.ts';
export type { OtError as OTError } from './errors.ts';
export type {
  AudioInputDevice,
  Dimensions,
  Event,
  ExceptionEvent,
  SecurityLeg,
  VideoDimensionsChangedEvent,
} from './events.ts';
export type { IceConfig } from './ice-config.ts';
export { setLogLevel } from './log.ts';
export { Publisher } from './publisher.ts';
export type {
  PreferredVideoCodecs,
  PublisherProperties,
  VideoCodec,
  VideoContentHint,
} from './publisher-properties.ts';
export { Session, type SessionOptions } from './session.ts';
export type * from './stats.ts';
export { Stream } from './stream.ts';
export type { PublisherStyle, SubscriberStyle, WidgetStyle } from './style.ts';
export { Subscriber, type SubscriberProperties } from './subscriber.ts';
export type { WidgetProperties } from './video-view.ts';

/** Makes the object of a session. Nothing is opened before `session.connect`. */
export function initSession(apiKey: string, sessionId: string, options: SessionOptions = {}): Session {
  if (!apiKey || !sessionId) {
    throw new OtError('OT_INVALID_PARAMETER', 'OT.initSession needs an API key and a session id');
  }
  return new Session(String(apiKey), sessionId, options);
}

type Initialised = (error?: OtError) => void;

/** Asks for the camera and microphone (or a screen) and shows them in an element of the page. */
export function initPublisher(
  targetElement?: HTMLElement | string,
  properties?: PublisherProperties,
  callback?: Initialised,
): Publisher {
  const done = typeof properties === 'function' ? (properties as Initialised) : callback;
  const named = typeof properties === 'function' ? {} : (properties ?? {});
  return new Publisher(targetElement ?? undefined, named, (error) => {
    if (error) say.error(error.message);
    done?.(error);
  });
}

initPublisher.promise = (
  targetElement?: HTMLElement | string,
  properties?: PublisherProperties,
  callback?: Initialised,
): Promise<Publisher> =>
  new Promise((resolve, reject) => {
    const publisher = initPublisher(targetElement, properties, (error) => {
      callback?.(error);
      if (error) reject(error);
      else resolve(publisher);
    });
  });

/** Sets the platform's address for this page, instead of the origin that served the script. */
export function setProxyUrl(proxyUrl: string): void {
  setHome(proxyUrl);
}

/** Writes a line to the browser's console. */
export function log(message: string): void {
  say.info(message);
}

/** Listens to `exception`: every error of the SDK. */
export const on: typeof exceptions.on = exceptions.on.bind(exceptions);
export const once: typeof exceptions.once = exceptions.once.bind(exceptions);
export const off: typeof exceptions.off = exceptions.off.bind(exceptions);

/** False: tracks of the application's own go through `audioSource` and `videoSource` instead. */
export function hasMediaProcessorSupport(_mediaType?: 'audio' | 'video' | 'both'): boolean {
  return false;
}
hasMediaProcessorSupport.promise = async (_mediaType?: 'audio' | 'video' | 'both'): Promise<boolean> => false;

/** Whether this browser can take part in end-to-end encrypted sessions. */
export function hasEndToEndEncryptionSupport(): boolean {
  return FrameLayer.supported;
}

/** Browsers share screens without an extension; there is nothing to register. */
export function registerScreenSharingExtension(_kind: string, _id: string, _version: number): void {
  throw notOffered('OT.registerScreenSharingExtension', 'browsers share their screen without an extension');
}

/** Not offered: the operator's log and the session's security record say what happened. */
export async function reportIssue(callback?: (error?: OtError, reportId?: string) => void): Promise<string> {
  const error = new OtError(
    'OT_REPORT_ISSUE_FAILED',
    'Reports are not collected; ask the operator for the log of the session',
  );
  callback?.(error);
  throw error;
}
