/** OpenTok's `Publisher`: what this client captures and shows, and publishes to a session. */
import { measureTrack } from './audio-level.ts';
import { checkCapture, videoKindOf } from './capture.ts';
import { Emitter } from './emitter.ts';
import type { VideoBitratePreset, VideoBitratePresetInput } from './encodings.ts';
import { noWishes, planLayers, totalBitrate } from './encodings.ts';
import { asOtError, notOffered, OtError } from './errors.ts';
import { type AudioInputDevice, type Dimensions, makeEvent, type PublisherEvents } from './events.ts';
import { reportException } from './exceptions.ts';
import type { Link } from './link.ts';
import { log } from './log.ts';
import type { Outgoing, Published, SentReports } from './outgoing.ts';
import { PublisherFallback } from './publisher-fallback.ts';
import { type PublisherProperties, refuseAbsent, type VideoContentHint } from './publisher-properties.ts';
import type { Session } from './session.ts';
import { LocalSource } from './source.ts';
import { type PublisherRtcStatsReportArr, type PublisherStatsArr, publisherStats, Rates } from './stats.ts';
import type { Stream } from './stream.ts';
import { type PublisherStyle, publisherStyle, styleChange } from './style.ts';
import { VideoView } from './video-view.ts';
import { wayOut } from './ways.ts';

type Callback = (error?: OtError) => void;

const dialogMs = 200;

export class Publisher extends Emitter<PublisherEvents> {
  accessAllowed = false;
  element: HTMLElement | undefined;
  id: string | undefined;
  stream: Stream | undefined;
  session: Session | undefined;

  /** Stops capturing, ends the stream and takes the view off the page. `.promise` resolves when that is done. */
  readonly destroy: { (): Publisher; promise: () => Promise<void> };
  /** Turns the sound on or off. */
  readonly publishAudio: { (value: boolean): Publisher; promise: (value: boolean) => Promise<void> };
  /** Turns the picture on or off. */
  readonly publishVideo: {
    (value: boolean, callback?: Callback): Publisher;
    promise: (value: boolean) => Promise<void>;
  };

  readonly #properties: PublisherProperties;
  readonly #source: LocalSource;
  readonly #view: VideoView;
  /** By who receives. */
  readonly #rates = new Map<string | null, Rates>();
  #style: PublisherStyle;
  #audioOn: boolean;
  #videoOn: boolean;
  #dimensions: Dimensions = { width: 640, height: 480 };
  #wishes = noWishes;
  #preset: VideoBitratePreset = 'default';
  #outgoing: Outgoing | null = null;
  #fallback: PublisherFallback | null = null;
  #stopMeter: (() => void) | null = null;
  #destroyed = false;
  readonly #ready: Promise<void>;

  /** @internal Use `OT.initPublisher`. */
  constructor(target: HTMLElement | string | undefined, properties: PublisherProperties, initialised: Callback) {
    super();
    this.#properties = properties;
    this.#style = { ...publisherStyle, ...properties.style };
    this.#audioOn = properties.publishAudio !== false;
    this.#videoOn = properties.publishVideo !== false;
    this.#source = new LocalSource(properties, {
      ended: (track) => this.#trackEnded(track),
      microphoneChanged: (track, device) => this.#microphoneChanged(track, device),
    });
    this.#view = this.#makeView(target);
    this.element = this.#view.root;
    this.id = this.#view.id;
    this.destroy = Object.assign(() => this.#destroy(), { promise: async () => void this.#destroy() });
    this.publishAudio = Object.assign((value: boolean) => this.#setAudio(value), {
      promise: async (value: boolean) => void this.#setAudio(value),
    });
    this.publishVideo = Object.assign(
      (value: boolean, callback?: Callback) => {
        this.#setVideo(value);
        callback?.();
        return this;
      },
      { promise: async (value: boolean) => this.#setVideo(value) },
    );
    this.#ready = this.#open();
    this.#ready.then(() => initialised(), initialised);
  }

  // -------------------------------------------------------------------------------------------- sound, picture, sources

  /** The track whose sound is published. */
  getAudioSource(): MediaStreamTrack {
    const { audio } = this.#source;
    if (!audio) throw new OtError('OT_NO_DEVICES_FOUND', 'This publisher has no sound');
    return audio;
  }

  /** Publishes another microphone, by its id, or a track of the application's. */
  async setAudioSource(audioSource: string | MediaStreamTrack): Promise<undefined> {
    await this.#ready;
    const gone = this.#source.audio === null;
    const track = await this.#source.setAudio(audioSource);
    track.enabled = this.#audioOn;
    await this.#outgoing?.replace('audio', track);
    if (gone) this.#tell('hasAudio', this.#audioOn);
    this.#measure();
    return undefined;
  }

  /** The picture's device, kind and track. */
  getVideoSource(): { deviceId: string | null; type: string | null; track: MediaStreamTrack | null } {
    const track = this.#source.video;
    const deviceId = this.#source.videoKind === 'camera' ? (track?.getSettings().deviceId ?? null) : null;
    return { deviceId, type: this.#source.videoKind, track };
  }

  /** Publishes another camera, by its id. */
  async setVideoSource(videoSourceId: string): Promise<undefined> {
    await this.#ready;
    const gone = this.#source.video === null;
    try {
      await this.#source.setVideo(videoSourceId);
    } finally {
      // Where the other camera fails, the one before is opened anew.
      const { video } = this.#source;
      if (video) await this.#showCamera(video, gone);
    }
    return undefined;
  }

  /** @param gone whether there was no picture before, since its camera had been unplugged */
  async #showCamera(track: MediaStreamTrack, gone: boolean): Promise<void> {
    track.enabled = this.#videoOn;
    this.#hint(this.#wantedHint());
    this.#view.mirrored = this.#mirrored();
    await this.#outgoing?.replace('video', track);
    if (!gone) return;
    this.#view.showPicture(this.#videoOn);
    if (!this.#fallback?.off) this.#tell('hasVideo', this.#videoOn);
  }

  /** Goes on to the next camera. */
  async cycleVideo(): Promise<{ deviceId: string }> {
    await this.#ready;
    const deviceId = await this.#source.nextCamera();
    await this.setVideoSource(deviceId);
    return { deviceId };
  }

  getVideoContentHint(): VideoContentHint {
    return (this.#source.video?.contentHint ?? this.#properties.videoContentHint ?? '') as VideoContentHint;
  }

  /** What the encoder should keep: `motion` its smoothness, `text` and `detail` its sharpness. */
  async setVideoContentHint(hint: VideoContentHint): Promise<void> {
    if (!['text', 'detail', 'motion', ''].includes(hint)) {
      throw new OtError('OT_INVALID_PARAMETER', `${hint} is none of text, detail, motion and ''`);
    }
    this.#properties.videoContentHint = hint;
    this.#hint(hint);
  }

  // ------------------------------------------------------------------------------------------------- size and bitrate

  /** Sends at most this many frames a second. */
  async setPreferredFrameRate(frameRate: number): Promise<void> {
    if (!(frameRate > 0)) throw new OtError('OT_INVALID_PARAMETER', 'The frame rate must be above 0');
    this.#wish({ preferredFrameRate: frameRate });
  }

  /** Sends a picture no larger than this. */
  async setPreferredResolution(resolution: Dimensions): Promise<void> {
    if (!(resolution?.width > 0 && resolution.height > 0)) {
      throw new OtError('OT_INVALID_PARAMETER', 'The resolution needs a width and a height above 0');
    }
    this.#wish({ preferredResolution: { ...resolution } });
  }

  /** Bits a second of the picture, all layers together. */
  async setMaxVideoBitrate(bitrateBps: number): Promise<void> {
    if (!(bitrateBps >= 5000 && bitrateBps <= 10_000_000)) {
      throw new OtError('OT_INVALID_PARAMETER', 'The bitrate must be between 5,000 and 10,000,000 bits a second');
    }
    this.#preset = 'custom';
    this.#wish({ maxBitrate: bitrateBps, preset: 'default' });
  }

  getMaxVideoBitrate(): number {
    if (this.#wishes.maxBitrate !== null) return this.#wishes.maxBitrate;
    const plan = this.#outgoing?.videoSending?.plan();
    if (plan) return totalBitrate(plan);
    const { videoType } = this.#describe();
    const source = {
      dimensions: this.#dimensions,
      frameRate: this.#frameRate(),
      videoType: videoType ?? 'camera',
    } as const;
    return totalBitrate(planLayers({ ...source, codec: 'vp8', scalable: this.#scalable(), svc: false }, this.#wishes));
  }

  async setVideoBitratePreset(preset: VideoBitratePresetInput): Promise<void> {
    if (!['default', 'bw_saver', 'extra_bw_saver'].includes(preset)) {
      throw new OtError('OT_INVALID_PARAMETER', `${preset} is none of default, bw_saver and extra_bw_saver`);
    }
    this.#preset = preset;
    this.#wish({ maxBitrate: null, preset });
  }

  getVideoBitratePreset(): VideoBitratePreset {
    return this.#preset;
  }

  // --------------------------------------------------------------------------------------------------- view and numbers

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

  getStyle(): PublisherStyle {
    return { ...this.#style };
  }

  setStyle<Style extends keyof PublisherStyle>(style: Style, value: PublisherStyle[Style]): void;
  setStyle(styles: Partial<PublisherStyle>): void;
  setStyle(styles: keyof PublisherStyle | Partial<PublisherStyle>, value?: unknown): void {
    this.#style = { ...this.#style, ...styleChange<PublisherStyle>(styles, value) };
    this.#view.setStyle(this.#style);
  }

  /** Numbers of what is sent: one entry in a routed session, one for each subscriber in a relayed one. */
  async getStats(callback?: (error?: OtError, stats?: PublisherStatsArr) => void): Promise<PublisherStatsArr> {
    try {
      const numbers = (await this.#reports()).map(({ connectionId, audio, video }) => {
        const rates = this.#rates.get(connectionId) ?? new Rates();
        this.#rates.set(connectionId, rates);
        return { ...receiverOf(connectionId), stats: publisherStats({ audio, video }, rates, Date.now()) };
      });
      callback?.(undefined, numbers);
      return numbers;
    } catch (thrown) {
      const error = asOtError(thrown, 'OT_NOT_CONNECTED');
      if (!callback) throw error;
      callback(error);
      return [];
    }
  }

  /** The browser's own reports of what is sent. */
  async getRtcStatsReport(): Promise<PublisherRtcStatsReportArr> {
    const reports = (await this.#reports()).flatMap(({ connectionId, whole }) =>
      whole ? [{ ...receiverOf(connectionId), rtcStatsReport: whole }] : [],
    );
    if (reports.length === 0) throw new OtError('OT_NOT_CONNECTED', 'This publisher sends nothing yet');
    return reports;
  }

  // ------------------------------------------------------------------------------------- what this SDK does not offer

  async applyVideoFilter(_filter: object): Promise<void> {
    throw notOffered('Publisher.applyVideoFilter', 'put a track of your own through videoSource instead');
  }
  getVideoFilter(): null {
    return null;
  }
  async clearVideoFilter(): Promise<void> {}
  async applyAudioFilter(_filter: object): Promise<void> {
    throw notOffered('Publisher.applyAudioFilter', 'put a track of your own through audioSource instead');
  }
  getAudioFilter(): null {
    return null;
  }
  async clearAudioFilter(): Promise<void> {}
  async publishCaptions(value: boolean): Promise<void> {
    if (value) throw notOffered('Publisher.publishCaptions', 'the server makes no captions');
  }
  setTargetScalabilityMode(mode: string): void {
    throw notOffered('Publisher.setTargetScalabilityMode', `layers follow the picture's size, not ${mode}`);
  }
  getTargetScalabilityMode(): undefined {
    return undefined;
  }
  async setVideoMediaProcessorConnector(_connector: object | null): Promise<void> {
    throw notOffered(
      'Publisher.setVideoMediaProcessorConnector',
      'put a track of your own through videoSource instead',
    );
  }
  async setAudioMediaProcessorConnector(_connector: object | null): Promise<void> {
    throw notOffered(
      'Publisher.setAudioMediaProcessorConnector',
      'put a track of your own through audioSource instead',
    );
  }

  // ------------------------------------------------------------------------------------------------ for `Session` only

  /** Publishes over a link; resolves when the server lets the stream through. @internal */
  async attach(session: Session, link: Link): Promise<Stream> {
    if (this.#outgoing)
      throw new OtError('OT_STREAM_CREATE_FAILED', 'This publisher is published already; unpublish it first');
    const outgoing = wayOut(link, () => this.#describe(), {
      muteForced: () => this.muteForced(),
      ended: (reason) => this.#streamEnded(reason),
      failed: (error) => {
        log.error('The stream could not be published again', error);
        this.#outgoing?.stop();
        this.#streamEnded('networkDisconnected');
      },
      unreached: (error) => reportException(error, this),
    });
    this.#outgoing = outgoing;
    try {
      await this.#ready;
      outgoing.wish(this.#wishes);
      const stream = await outgoing.start();
      if (this.#outgoing !== outgoing)
        throw new OtError('OT_STREAM_DESTROYED', 'The publisher was unpublished meanwhile');
      this.stream = stream;
      this.session = session;
      // Off unless it is asked for.
      if (this.#properties.audioFallback?.publisher === true) {
        const tell = (on: boolean) => this.#tell('hasVideo', on, 'quality');
        this.#fallback = new PublisherFallback(this, link, outgoing, () => this.#videoOn, tell);
      }
    } catch (error) {
      if (this.#outgoing === outgoing) this.#outgoing = null;
      outgoing.stop();
      throw asOtError(error, 'OT_STREAM_CREATE_FAILED');
    }
    // Rates are over the time since the last sample: the first one that the application asks for has this one.
    this.getStats().catch((error: unknown) => log.debug('No statistics yet', error));
    this.dispatch(makeEvent('streamCreated', this, { stream: this.stream }));
    return this.stream;
  }

  /**
   * Ends the stream; the view goes too unless a handler of `streamDestroyed` prevents it, or `keepView` says so.
   * @internal
   */
  detach(reason: string, { keepView = false } = {}): void {
    this.#outgoing?.stop(reason === 'mediaStopped' ? 'mediaStopped' : undefined);
    this.#streamEnded(reason, keepView);
  }

  /** A moderator turned the sound off. @internal */
  muteForced(): void {
    this.#setAudio(false);
    this.dispatch(makeEvent('muteForced', this));
  }

  /** Recording began or ended. @internal */
  showArchiving(archiving: boolean): void {
    this.#view.showArchiving(archiving && this.#style.archiveStatusDisplayMode !== 'off');
  }

  // ----------------------------------------------------------------------------------------------------------- capture

  async #open(): Promise<void> {
    // Handlers are added right after `OT.initPublisher` has returned.
    await Promise.resolve();
    let dialog = false;
    const timer = setTimeout(() => {
      dialog = true;
      this.dispatch(makeEvent('accessDialogOpened', this));
    }, dialogMs);
    try {
      refuseAbsent(this.#properties);
      checkCapture(this.#properties);
      await this.#source.open();
    } catch (thrown) {
      const error = asOtError(thrown, 'OT_HARDWARE_UNAVAILABLE');
      clearTimeout(timer);
      if (dialog) this.dispatch(makeEvent('accessDialogClosed', this));
      if (error.name === 'OT_USER_MEDIA_ACCESS_DENIED') this.dispatch(makeEvent('accessDenied', this, undefined, true));
      this.#view.showPicture(false);
      throw error;
    }
    clearTimeout(timer);
    if (dialog) this.dispatch(makeEvent('accessDialogClosed', this));
    this.#captured();
  }

  #captured(): void {
    const { audio, video } = this.#source;
    if (audio) audio.enabled = this.#audioOn;
    if (video) {
      video.enabled = this.#videoOn;
      const { width, height } = video.getSettings();
      if (width && height) this.#dimensions = { width, height };
      this.#hint(this.#wantedHint());
    }
    this.accessAllowed = true;
    this.dispatch(makeEvent('accessAllowed', this));
    this.#view.stream = this.#source.stream;
    this.#view.mirrored = this.#mirrored();
    this.#view.showPicture(this.#videoOn && video !== null);
    this.#view.showMuted(!this.#audioOn);
    this.#measure();
    this.dispatch(makeEvent('videoElementCreated', this, { element: this.#view.video }));
    this.dispatch(makeEvent('mediaStreamAvailable', this, { mediaStream: this.#source.stream }));
  }

  #makeView(target: HTMLElement | string | undefined): VideoView {
    const properties = this.#properties;
    const fitMode = properties.fitMode ?? (videoKindOf(properties) === 'screen' ? 'contain' : 'cover');
    return new VideoView(
      {
        ...properties,
        fitMode,
        kind: 'publisher',
        target,
        name: properties.name ?? '',
        initials: properties.initials ?? '',
        mirror: this.#mirrored(),
        style: this.#style,
      },
      {
        muteToggled: () => this.#setAudio(!this.#audioOn),
        unblock: () => undefined,
        resized: (dimensions) => this.#resized(dimensions),
        playing: () => undefined,
      },
    );
  }

  /** Faces are mirrored as in a mirror; what others hold into the picture is not. */
  #mirrored(): boolean {
    const facing = this.#source?.video?.getSettings().facingMode ?? this.#properties.facingMode;
    return this.#properties.mirror ?? (videoKindOf(this.#properties) === 'camera' && facing !== 'environment');
  }

  /** Of every track that is published, whichever camera it comes from. */
  #wantedHint(): VideoContentHint {
    return this.#properties.videoContentHint ?? (this.#source.videoKind === 'screen' ? 'detail' : '');
  }

  #hint(hint: VideoContentHint): void {
    const track = this.#source.video;
    if (track && 'contentHint' in track) track.contentHint = hint;
  }

  #measure(): void {
    this.#stopMeter?.();
    this.#stopMeter = null;
    const track = this.#source.audio;
    if (!track) return;
    const wanted = () => this.listens('audioLevelUpdated') || this.#properties.insertDefaultUI !== false;
    this.#stopMeter = measureTrack(track, wanted, (audioLevel) => {
      this.#view.showLevel(audioLevel);
      this.dispatch(makeEvent('audioLevelUpdated', this, { audioLevel }));
    });
  }

  #resized(dimensions: Dimensions): void {
    const oldValue = this.#dimensions;
    if (oldValue.width === dimensions.width && oldValue.height === dimensions.height) return;
    this.#dimensions = dimensions;
    if (this.stream) this.stream.videoDimensions = dimensions;
    this.#outgoing?.update({ videoDimensions: dimensions });
    this.dispatch(makeEvent('videoDimensionsChanged', this, { oldValue, newValue: dimensions }));
  }

  #trackEnded(track: MediaStreamTrack): void {
    this.dispatch(makeEvent('mediaStopped', this, { track }));
    const all = this.#source.stream.getTracks().length === 0;
    if (all || (track.kind === 'video' && this.#source.videoKind === 'screen')) {
      if (this.#outgoing) this.detach('mediaStopped');
      else this.#destroy();
      return;
    }
    if (track.kind === 'video') this.#view.showPicture(false);
    this.#tell(track.kind === 'video' ? 'hasVideo' : 'hasAudio', false);
  }

  #microphoneChanged(track: MediaStreamTrack, device: AudioInputDevice): void {
    track.enabled = this.#audioOn;
    this.#outgoing
      ?.replace('audio', track)
      .catch((error: unknown) => log.error('The new microphone is not sent', error));
    this.#measure();
    this.dispatch(makeEvent('audioInputDeviceChanged', this, { device }));
  }

  // -------------------------------------------------------------------------------------------------------- publishing

  #setAudio(value: boolean): Publisher {
    const changed = this.#audioOn !== value;
    this.#audioOn = value;
    const { audio } = this.#source;
    if (audio) audio.enabled = value;
    this.#view.showMuted(!value);
    if (changed) this.#tell('hasAudio', value && audio !== null);
    return this;
  }

  #setVideo(value: boolean): void {
    const changed = this.#videoOn !== value;
    this.#videoOn = value;
    const { video } = this.#source;
    if (video) video.enabled = value;
    this.#view.showPicture(value && video !== null);
    if (changed && !this.#fallback?.off) this.#tell('hasVideo', value && video !== null, 'publishVideo');
  }

  #tell(property: 'hasAudio' | 'hasVideo', value: boolean, reason?: 'publishVideo' | 'quality'): void {
    if (this.stream) this.stream[property] = value;
    this.#outgoing?.update({ [property]: value, ...(reason ? { reason } : {}) });
  }

  #wish(change: Partial<typeof noWishes>): void {
    this.#wishes = { ...this.#wishes, ...change };
    this.#outgoing?.wish(this.#wishes);
  }

  #describe(): Published {
    const { audio, video, videoKind } = this.#source;
    const properties = this.#properties;
    return {
      name: properties.name ?? '',
      initials: properties.initials ?? '',
      videoType: videoKind,
      audioTrack: audio,
      videoTrack: video,
      audioOn: this.#audioOn,
      videoOn: this.#videoOn,
      dimensions: this.#dimensions,
      frameRate: this.#frameRate(),
      subscriberFallback: properties.audioFallback?.subscriber ?? videoKind !== 'screen',
      scalable: this.#scalable(),
      preferredCodecs: properties.preferredVideoCodecs,
      audioBitrate: properties.audioBitrate,
      dtx: properties.enableDtx === true,
      stereo: properties.enableStereo === true,
    };
  }

  #frameRate(): number {
    return this.#properties.frameRate ?? Math.round(this.#source.video?.getSettings().frameRate ?? 30);
  }

  #scalable(): boolean {
    const screen = videoKindOf(this.#properties) === 'screen';
    return screen ? this.#properties.scalableScreenshare === true : this.#properties.scalableVideo !== false;
  }

  #streamEnded(reason: string, keepView = false): void {
    const { stream, session } = this;
    this.#fallback?.stop();
    this.#fallback = null;
    this.#outgoing = null;
    if (!stream) return;
    this.stream = undefined;
    this.session = undefined;
    session?.forget(this);
    this.dispatch(makeEvent('streamDestroyed', this, { stream, reason }, true), () => {
      if (!keepView) this.#destroy();
    });
  }

  #destroy(): Publisher {
    if (this.#destroyed) return this;
    this.#destroyed = true;
    if (this.#outgoing) this.detach('clientDisconnected');
    this.#stopMeter?.();
    this.#source.close();
    this.#view.remove();
    this.element = undefined;
    this.dispatch(makeEvent('destroyed', this));
    return this;
  }

  // ------------------------------------------------------------------------------------------------ numbers and quality

  async #reports(): Promise<SentReports[]> {
    if (!this.#outgoing || !this.stream) throw new OtError('OT_NOT_CONNECTED', 'This publisher is not published');
    return this.#outgoing.reports();
  }
}

/** Of an entry of the statistics: OpenTok leaves both out where a stream is routed. */
function receiverOf(connectionId: string | null): { connectionId?: string } {
  return connectionId === null ? {} : { connectionId };
}
