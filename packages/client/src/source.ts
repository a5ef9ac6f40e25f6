/**
 * What a publisher captures, while it captures: its two tracks, exchanging them, and what happens when a device is
 * unplugged or another becomes the default.
 */
import { type Captured, type CaptureProperties, capture, type VideoKind } from './capture.ts';
import { captureError, OtError } from './errors.ts';
import type { AudioInputDevice } from './events.ts';
import { log } from './log.ts';

export interface SourceObserver {
  /** A track ended by itself: the user stopped sharing, or its device is gone and nothing takes its place. */
  ended(track: MediaStreamTrack): void;
  /** Another microphone took over. */
  microphoneChanged(track: MediaStreamTrack, device: AudioInputDevice): void;
}

export type SourceProperties = CaptureProperties & { disableAudioInputDeviceManagement?: boolean };

export class LocalSource {
  /** What the page shows; its tracks are exchanged in place. */
  readonly stream = new MediaStream();
  readonly #properties: SourceProperties;
  readonly #observer: SourceObserver;
  readonly #owned = new Set<MediaStreamTrack>();
  #videoKind: VideoKind | null = null;
  #closed = false;
  readonly #devicesChanged = () =>
    void this.#followDefault().catch((error: unknown) => log.warn('No other microphone', error));

  constructor(properties: SourceProperties, observer: SourceObserver) {
    this.#properties = properties;
    this.#observer = observer;
  }

  get audio(): MediaStreamTrack | null {
    return this.stream.getAudioTracks()[0] ?? null;
  }

  get video(): MediaStreamTrack | null {
    return this.stream.getVideoTracks()[0] ?? null;
  }

  get videoKind(): VideoKind | null {
    return this.#videoKind;
  }

  /** Asks the user and opens. Rejects with OpenTok's error names. */
  async open(): Promise<void> {
    const captured: Captured = await capture(this.#properties, () => !this.#closed);
    this.#videoKind = captured.videoKind;
    for (const track of captured.owned) this.#owned.add(track);
    for (const track of [captured.audio, captured.video]) if (track) this.#add(track);
    if (this.#managesMicrophone()) navigator.mediaDevices.addEventListener('devicechange', this.#devicesChanged);
  }

  /** Another microphone by its id, or a track of the application's. */
  async setAudio(source: string | MediaStreamTrack): Promise<MediaStreamTrack> {
    if (typeof source !== 'string') return this.#exchange(source, false);
    return this.#exchange(await this.#openOne({ audioSource: source, videoSource: null }), true);
  }

  /** Another camera by its id. Where it cannot be opened, the one before goes on, as a new track. */
  async setVideo(deviceId: string): Promise<MediaStreamTrack> {
    if (this.#videoKind !== 'camera') {
      throw new OtError('OT_NOT_SUPPORTED', 'Only a publisher whose source is a camera can change to another camera');
    }
    // Some phones open one camera at a time: the old one is let go first.
    const before = this.video;
    if (before && this.#owned.has(before)) before.stop();
    try {
      return this.#exchange(await this.#openOne({ videoSource: deviceId, audioSource: null }), true);
    } catch (error) {
      if (before?.readyState === 'ended') await this.#reopen(before);
      throw error;
    }
  }

  async #reopen(before: MediaStreamTrack): Promise<void> {
    const { deviceId } = before.getSettings();
    try {
      this.#exchange(await this.#openOne({ videoSource: deviceId ?? true, audioSource: null }), true);
    } catch (error) {
      log.warn('The camera before could not be opened again', captureError(error));
      await this.#trackEnded(before);
    }
  }

  /** The camera after the current one, in the browser's order. */
  async nextCamera(): Promise<string> {
    const devices = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === 'videoinput');
    const current = devices.findIndex(({ deviceId }) => deviceId === this.video?.getSettings().deviceId);
    const next = devices[(current + 1) % devices.length];
    if (!next) throw new OtError('OT_NO_DEVICES_FOUND', 'No camera is connected');
    return next.deviceId;
  }

  close(): void {
    this.#closed = true;
    globalThis.navigator?.mediaDevices?.removeEventListener('devicechange', this.#devicesChanged);
    for (const track of this.stream.getTracks()) this.#remove(track);
  }

  async #openOne(properties: CaptureProperties): Promise<MediaStreamTrack> {
    const { audio, video } = await capture(
      { ...this.#properties, facingMode: undefined, ...properties },
      () => !this.#closed,
    );
    const track = audio ?? video;
    if (!track) throw new OtError('OT_NO_DEVICES_FOUND', 'The device gave no track');
    return track;
  }

  #exchange(track: MediaStreamTrack, owned: boolean): MediaStreamTrack {
    const before = track.kind === 'audio' ? this.audio : this.video;
    if (before === track) return track;
    if (before) {
      track.enabled = before.enabled;
      this.#remove(before);
    }
    if (owned) this.#owned.add(track);
    this.#add(track);
    return track;
  }

  #add(track: MediaStreamTrack): void {
    this.stream.addTrack(track);
    track.addEventListener('ended', () => {
      if (!this.#closed && this.stream.getTracks().includes(track)) void this.#trackEnded(track);
    });
  }

  #remove(track: MediaStreamTrack): void {
    this.stream.removeTrack(track);
    if (this.#owned.delete(track)) track.stop();
  }

  async #trackEnded(track: MediaStreamTrack): Promise<void> {
    if (track.kind === 'audio' && this.#managesMicrophone() && (await this.#takeDefault())) return;
    this.#remove(track);
    this.#observer.ended(track);
  }

  /** A headset was plugged in: whoever publishes "the default microphone" follows. */
  async #followDefault(): Promise<void> {
    const devices = await navigator.mediaDevices.enumerateDevices();
    const byDefault = devices.find(({ kind, deviceId }) => kind === 'audioinput' && deviceId === 'default');
    const current = this.audio;
    if (!byDefault || !current || current.readyState === 'ended' || current.label === byDefault.label) return;
    if (typeof this.#properties.audioSource === 'string') return;
    await this.#takeDefault();
  }

  async #takeDefault(): Promise<boolean> {
    try {
      const track = this.#exchange(await this.#openOne({ audioSource: true, videoSource: null }), true);
      this.#observer.microphoneChanged(track, { deviceId: track.getSettings().deviceId, label: track.label });
      return true;
    } catch (error) {
      log.warn('No microphone takes the place of the one that is gone', captureError(error));
      return false;
    }
  }

  #managesMicrophone(): boolean {
    const audio = this.audio;
    return (
      audio !== null &&
      this.#owned.has(audio) &&
      !this.#properties.disableAudioInputDeviceManagement &&
      this.#videoKind !== 'screen'
    );
  }
}
