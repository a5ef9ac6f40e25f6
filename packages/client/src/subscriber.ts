/** OpenTok's `Subscriber`: another client's stream, received and shown. */
import type { EventData, EventName } from '@cloister/protocol';
import { measureReceiver } from './audio-level.ts';
import { playsSound } from './devices.ts';
import { Emitter } from './emitter.ts';
import { asOtError, notOffered, OtError } from './errors.ts';
import { type Dimensions, makeEvent, type SubscriberEvents } from './events.ts';
import { reportException } from './exceptions.ts';
import type { Incoming, IncomingObserver, Preferred } from './incoming.ts';
import type { Link } from './link.ts';
import { log } from './log.ts';
import { mergeReports, Rates, type SubscriberStats, subscriberStats } from './stats.ts';
import type { Stream } from './stream.ts';
import { type SubscriberStyle, styleChange, subscriberStyle } from './style.ts';
import { VideoView, type WidgetProperties } from './video-view.ts';
import { wayIn } from './ways.ts';

export type SubscriberProperties = WidgetProperties & {
  audioVolume?: number;
  preferredFrameRate?: number;
  preferredResolution?: 'auto' | Dimensions;
  style?: Partial<SubscriberStyle>;
  subscribeToAudio?: boolean;
  subscribeToVideo?: boolean;
};

type Toggle = { (value: boolean): Subscriber; promise(value: boolean, reason?: string): Promise<void> };

/** How often the size of a view is looked at for `preferredResolution: 'auto'`. */
const restrictedFrameRate = 1;

export class Subscriber extends Emitter<SubscriberEvents> {
  element: HTMLElement | undefined;
  id: string | undefined;
  stream: Stream | undefined;

  readonly subscribeToAudio: Toggle;
  readonly subscribeToVideo: Toggle;
  /** On: one frame a second. */
  readonly restrictFrameRate: { (value: boolean): Subscriber; promise: (value: boolean) => Promise<void> };
  /** Volume from 0 to 100. */
  readonly setAudioVolume: { (value: number): Subscriber; promise: (value: number) => Promise<void> };

  readonly #properties: SubscriberProperties;
  readonly #view: VideoView;
  readonly #media = new MediaStream();
  readonly #rates = new Rates();
  readonly #stopMeter: () => void;
  readonly #silence: () => void;
  #style: SubscriberStyle;
  #incoming: Incoming | null = null;
  #wanted: { audio: boolean; video: boolean };
  #preferred: Preferred | null;
  #network: 'good' | 'warning' | 'off' = 'good';
  #shown: boolean;
  /** Whether this browser can decode the picture as the publisher sends it. */
  #decodable = true;
  /** Whether this client has the encryption secret of the publisher. */
  #understood = true;
  #connected = false;
  #blocked = false;
  #sizes: ResizeObserver | null = null;
  #destroyed = false;

  /** @internal Use `session.subscribe`. */
  constructor(stream: Stream, target: HTMLElement | string | undefined, properties: SubscriberProperties) {
    super();
    this.stream = stream;
    this.#properties = properties;
    this.#style = { ...subscriberStyle, ...properties.style };
    this.#wanted = { audio: properties.subscribeToAudio !== false, video: properties.subscribeToVideo !== false };
    this.#preferred = preferredOf(properties);
    this.#shown = stream.hasVideo && this.#wanted.video;
    this.#view = this.#makeView(target, stream);
    this.#view.showPicture(stream.hasVideo && this.#wanted.video);
    this.element = this.#view.root;
    this.id = this.#view.id;
    this.#silence = playsSound(this.#view.video);
    this.#applyVolume(properties.audioVolume ?? 100);
    this.#stopMeter = measureReceiver(
      () => this.#incoming?.receiver('audio')?.rtpReceiver,
      () => this.listens('audioLevelUpdated') || properties.insertDefaultUI !== false,
      (audioLevel) => {
        this.#view.showLevel(audioLevel);
        this.dispatch(makeEvent('audioLevelUpdated', this, { audioLevel }));
      },
    );
    this.subscribeToAudio = this.#toggle('audio');
    this.subscribeToVideo = this.#toggle('video');
    const restrict = (value: boolean) => this.#prefer({ frameRate: value ? restrictedFrameRate : undefined });
    this.restrictFrameRate = Object.assign((value: boolean) => this.#quietly(restrict(value)), { promise: restrict });
    const volume = async (value: number) => this.#applyVolume(value);
    this.setAudioVolume = Object.assign((value: number) => this.#quietly(volume(value)), { promise: volume });
    if (properties.preferredResolution === 'auto') this.#followSize();
  }

  // ------------------------------------------------------------------------------------------------------ what is wanted

  /** Volume from 0 to 100. */
  getAudioVolume(): number {
    return Math.round(this.#view.video.volume * 100);
  }

  /** Receives at most this many frames a second. */
  async setPreferredFrameRate(frameRate: number): Promise<void> {
    if (!(frameRate > 0)) throw new OtError('OT_INVALID_PARAMETER', 'The frame rate must be above 0');
    await this.#prefer({ frameRate });
  }

  /** Receives the smallest layer that is at least this large. */
  async setPreferredResolution(resolution: Dimensions): Promise<void> {
    if (!(resolution?.width > 0 && resolution.height > 0)) {
      throw new OtError('OT_INVALID_PARAMETER', 'The resolution needs a width and a height above 0');
    }
    await this.#prefer({ width: Math.round(resolution.width), height: Math.round(resolution.height) });
  }

  /** Whether the browser holds the sound back until the user does something on the page. */
  isAudioBlocked(): boolean {
    return this.#blocked;
  }

  // -------------------------------------------------------------------------------------------------- view and numbers

  videoWidth(): number | undefined {
    return this.#view.video.videoWidth || undefined;
  }

  videoHeight(): number | undefined {
    return this.#view.video.videoHeight || undefined;
  }

  /** A PNG of the picture in base64; null while there is none. */
  getImgData(): string | null {
    return this.#view.image();
  }

  getStyle(): SubscriberStyle {
    return { ...this.#style };
  }

  setStyle<Style extends keyof SubscriberStyle>(style: Style, value: SubscriberStyle[Style]): void;
  setStyle(styles: Partial<SubscriberStyle>): void;
  setStyle(styles: keyof SubscriberStyle | Partial<SubscriberStyle>, value?: unknown): void {
    this.#style = { ...this.#style, ...styleChange<SubscriberStyle>(styles, value) };
    this.#view.setStyle(this.#style);
  }

  /** Numbers of what is received. */
  async getStats(callback?: (error?: OtError, stats?: SubscriberStats) => void): Promise<SubscriberStats> {
    try {
      const [audio, video] = await this.#reports();
      const stats = subscriberStats({ audio, video }, this.#rates, Date.now());
      callback?.(undefined, stats);
      return stats;
    } catch (thrown) {
      const error = asOtError(thrown, 'OT_NOT_CONNECTED');
      callback?.(error);
      throw error;
    }
  }

  /** The browser's own reports of what is received. */
  async getRtcStatsReport(): Promise<Map<string, Record<string, unknown>>> {
    return mergeReports(await this.#reports());
  }

  // ------------------------------------------------------------------------------------- what this SDK does not offer

  async subscribeToCaptions(value: boolean): Promise<void> {
    if (value) throw notOffered('Subscriber.subscribeToCaptions', 'the server makes no captions');
  }
  isSubscribedToCaptions(): boolean {
    return false;
  }
  async setCaptionsTranslationLanguage(language: string | null): Promise<void> {
    if (language) throw notOffered('Subscriber.setCaptionsTranslationLanguage', 'the server makes no captions');
  }
  getCaptionsTranslationLanguage(): null {
    return null;
  }
  async setAudioMediaProcessorConnector(_connector: object | null): Promise<void> {
    throw notOffered(
      'Subscriber.setAudioMediaProcessorConnector',
      'take the MediaStream of mediaStreamAvailable instead',
    );
  }
  async setVideoMediaProcessorConnector(_connector: object | null): Promise<void> {
    throw notOffered(
      'Subscriber.setVideoMediaProcessorConnector',
      'take the MediaStream of mediaStreamAvailable instead',
    );
  }

  // ------------------------------------------------------------------------------------------------ for `Session` only

  /** Receives over a link; resolves when the server lets the stream through. @internal */
  async attach(link: Link): Promise<void> {
    const { stream } = this;
    if (!stream) throw new OtError('OT_STREAM_DESTROYED', 'The subscriber was destroyed');
    refuseAbsent(this.#properties);
    const wanted = () => ({ ...this.#wanted, preferred: this.#preferred });
    const observer: IncomingObserver = {
      track: (kind, track) => this.#take(kind, track),
      connected: () => this.#nowConnected(),
      disconnected: () => {
        this.#connected = false;
        this.#view.awaitPicture();
        this.dispatch(makeEvent('disconnected', this));
      },
      failed: (error) => {
        log.error('The stream could not be received any more', error);
        reportException(error, this);
        this.remove('networkDisconnected');
      },
      understood: (understood) => this.#nowUnderstood(understood),
      event: (name, data) => this.#event(name, data),
    };
    this.#incoming = wayIn(link, stream, wanted, observer);
    // Video elements that others have listeners for exist before the first track does.
    this.dispatch(makeEvent('videoElementCreated', this, { element: this.#view.video }));
    await this.#incoming.start();
  }

  /** The stream ended or the session is left: stops receiving and takes the view off the page. @internal */
  remove(reason: string): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#incoming?.stop();
    this.#stopMeter();
    this.#silence();
    this.#sizes?.disconnect();
    this.#view.remove();
    this.element = undefined;
    this.dispatch(makeEvent('destroyed', this, { reason }));
    this.stream = undefined;
  }

  // ---------------------------------------------------------------------------------------------------------- receiving

  #makeView(target: HTMLElement | string | undefined, stream: Stream): VideoView {
    const properties = this.#properties;
    const fitMode = properties.fitMode ?? (stream.videoType === 'screen' ? 'contain' : 'cover');
    return new VideoView(
      {
        ...properties,
        fitMode,
        kind: 'subscriber',
        target,
        name: stream.name,
        initials: stream.initials,
        mirror: false,
        style: this.#style,
      },
      {
        muteToggled: () => {
          this.#view.video.muted = !this.#view.video.muted;
          this.#view.showMuted(this.#view.video.muted);
        },
        unblock: () => void this.#play(),
        resized: () => undefined,
        playing: () => this.#unblocked(),
      },
    );
  }

  #take(kind: 'audio' | 'video', track: MediaStreamTrack): void {
    const before = this.#media.getTracks().find((each) => each.kind === kind);
    const first = this.#media.getTracks().length === 0;
    // From another connection with the same client Chromium gives a track the id of the one before, and knows them by it.
    if (before?.id === track.id) this.#media.removeTrack(before);
    // The new one first: an element without a picture in between would go black.
    this.#media.addTrack(track);
    if (before && before.id !== track.id) this.#media.removeTrack(before);
    if (first) {
      this.#view.stream = this.#media;
      this.dispatch(makeEvent('mediaStreamAvailable', this, { mediaStream: this.#media }));
    }
    // The server judges a new picture from the beginning, whatever became of the one before.
    if (kind === 'video' && this.#network !== 'good') this.#qualityChanged('on');
    if (kind === 'video' && !this.#decodable) {
      this.#decodable = true;
      this.#view.showWhyDark(null);
      this.#showOrHide('codecChanged');
      if (this.#shown) this.#view.awaitPicture();
    }
    void this.#play();
  }

  async #play(): Promise<void> {
    try {
      await this.#view.video.play();
      this.#unblocked();
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== 'NotAllowedError') return;
      if (!this.#blocked) {
        this.#blocked = true;
        this.#view.showBlocked(true);
        this.dispatch(makeEvent('audioBlocked', this));
      }
    }
  }

  #unblocked(): void {
    if (!this.#blocked) return;
    this.#blocked = false;
    this.#view.showBlocked(false);
    this.dispatch(makeEvent('audioUnblocked', this));
  }

  #nowConnected(): void {
    if (this.#connected) return;
    this.#connected = true;
    if (!this.#shown) this.#view.noPicture();
    // Rates are over the time since the last sample: the first one that the application asks for has this one.
    this.getStats().catch((error: unknown) => log.debug('No statistics yet', error));
    this.dispatch(makeEvent('connected', this));
  }

  /** What was shown last must not stay, as if the publisher stood still. */
  #nowUnderstood(understood: boolean): void {
    if (this.#understood === understood) return;
    this.#understood = understood;
    this.#view.showPicture(this.#shown && understood);
    this.#view.showWhyDark(understood ? null : 'This participant has another encryption secret');
    if (this.#shown && understood) this.#view.awaitPicture();
    this.dispatch(makeEvent(understood ? 'encryptionSecretMatch' : 'encryptionSecretMismatch', this));
  }

  #event<Name extends EventName>(name: Name, data: EventData<Name>): void {
    const told = { name, data } as { [Each in EventName]: { name: Each; data: EventData<Each> } }[EventName];
    if (told.name === 'codecNotSupported') {
      log.warn(
        `This browser cannot decode ${told.data.mimeType}: the sound comes alone until the publisher changes it`,
      );
      this.#decodable = false;
      this.#view.showWhyDark('This browser cannot decode the picture');
      this.#showOrHide('codecNotSupported');
    }
    if (told.name === 'subscriptionQuality') this.#qualityChanged(told.data.video);
    if (told.name !== 'streamUpdated') return;
    const { changed, oldValue, newValue } = told.data;
    if (changed === 'hasVideo') this.#showOrHide(told.data.reason ?? 'publishVideo');
    if (changed === 'videoDimensions') {
      const change = { oldValue: oldValue as Dimensions, newValue: newValue as Dimensions };
      this.dispatch(makeEvent('videoDimensionsChanged', this, change));
    }
  }

  /** The server's estimate of this client's network. */
  #qualityChanged(video: 'on' | 'warning' | 'off'): void {
    const before = this.#network;
    this.#network = video === 'on' ? 'good' : video;
    this.#view.showNetwork(this.#network);
    if (this.#network === 'warning' && before === 'good') this.dispatch(makeEvent('videoDisableWarning', this));
    if (this.#network === 'good' && before === 'warning') this.dispatch(makeEvent('videoDisableWarningLifted', this));
    this.#showOrHide('quality');
  }

  /** Shows the picture or the poster; an event only when what is seen changes. */
  #showOrHide(reason: string): void {
    const shown = (this.stream?.hasVideo ?? false) && this.#wanted.video && this.#network !== 'off' && this.#decodable;
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#view.showPicture(shown && this.#understood);
    this.dispatch(makeEvent(shown ? 'videoEnabled' : 'videoDisabled', this, { reason }));
  }

  // -------------------------------------------------------------------------------------------------------------- wishes

  #toggle(kind: 'audio' | 'video'): Toggle {
    const set = async (value: boolean, reason = kind === 'video' ? 'subscribeToVideo' : ''): Promise<void> => {
      if (this.#wanted[kind] === value) return;
      this.#wanted = { ...this.#wanted, [kind]: value };
      if (kind === 'audio') for (const track of this.#media.getAudioTracks()) track.enabled = value;
      else this.#showOrHide(reason);
      await this.#incoming?.update({ [kind]: value });
    };
    return Object.assign((value: boolean) => this.#quietly(set(value)), { promise: set });
  }

  async #prefer(change: Preferred): Promise<void> {
    const merged: Preferred = { ...this.#preferred, ...change };
    for (const key of Object.keys(merged) as (keyof Preferred)[]) if (merged[key] === undefined) delete merged[key];
    this.#preferred = Object.keys(merged).length > 0 ? merged : null;
    await this.#incoming?.update({ preferred: this.#preferred });
  }

  #quietly(work: Promise<void>): Subscriber {
    work.catch((error: unknown) => log.error('The subscriber could not be changed', error));
    return this;
  }

  #applyVolume(value: number): void {
    if (!(value >= 0 && value <= 100))
      throw new OtError('OT_INVALID_PARAMETER', 'The volume must be between 0 and 100');
    this.#view.video.volume = value / 100;
  }

  /** `preferredResolution: 'auto'`: as many pixels as the view has on this screen. */
  #followSize(): void {
    if (typeof ResizeObserver === 'undefined') return;
    let told = 0;
    this.#sizes = new ResizeObserver(([entry]) => {
      const scale = globalThis.devicePixelRatio || 1;
      const width = Math.round((entry?.contentRect.width ?? 0) * scale);
      const height = Math.round((entry?.contentRect.height ?? 0) * scale);
      // Small changes while a window is dragged are not worth a message.
      if (width < 1 || height < 1 || Math.abs(width - told) < told / 10) return;
      told = width;
      this.#quietly(this.#prefer({ width, height }));
    });
    this.#sizes.observe(this.#view.root ?? this.#view.video);
  }

  async #reports(): Promise<[RTCStatsReport | null, RTCStatsReport | null]> {
    const incoming = this.#incoming;
    const audio = incoming?.receiver('audio');
    const video = incoming?.receiver('video');
    if (!audio && !video) throw new OtError('OT_NOT_CONNECTED', 'This subscriber receives nothing yet');
    return Promise.all([audio?.getStats() ?? null, video?.getStats() ?? null]);
  }
}

function preferredOf({ preferredResolution, preferredFrameRate }: SubscriberProperties): Preferred | null {
  const size = typeof preferredResolution === 'object' ? preferredResolution : null;
  if (!size && preferredFrameRate === undefined) return null;
  return {
    ...(size ? { width: size.width, height: size.height } : {}),
    ...(preferredFrameRate === undefined ? {} : { frameRate: preferredFrameRate }),
  };
}

/** Refuses properties that ask for what this SDK does not have, instead of leaving them out in silence. */
function refuseAbsent(properties: object): void {
  const { subscribeToCaptions, captionsTranslationLanguage, testNetwork } = properties as Record<string, unknown>;
  if (subscribeToCaptions || captionsTranslationLanguage) {
    throw notOffered('subscribeToCaptions', 'the server makes no captions');
  }
  if (testNetwork) throw notOffered('testNetwork', 'use getStats of a publisher and a subscriber instead');
}
