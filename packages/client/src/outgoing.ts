/**
 * One stream on its way out: announced to the session, its tracks sent, allowed by the server, and built again when
 * its transport is lost.
 */
import type { EventData, EventName, RequestData } from '@cloister/protocol';
import { limits } from '@cloister/protocol/limits';
import type { types } from 'mediasoup-client';
import { Builds } from './builds.ts';
import {
  bitrateFor,
  type CodecName,
  chooseCodec,
  noWishes,
  type PictureSource,
  type PictureWishes,
  planLayers,
} from './encodings.ts';
import { asOtError, OtError } from './errors.ts';
import type { Dimensions } from './events.ts';
import type { Link, LinkedStream } from './link.ts';
import { log } from './log.ts';
import { AudioSending, VideoSending } from './sending.ts';
import type { Stream } from './stream.ts';

/** What is published, as the publisher has it at the moment it is asked. */
export interface Published {
  readonly name: string;
  readonly initials: string;
  readonly videoType: 'camera' | 'screen' | 'custom' | null;
  readonly audioTrack: MediaStreamTrack | null;
  readonly videoTrack: MediaStreamTrack | null;
  readonly audioOn: boolean;
  readonly videoOn: boolean;
  readonly dimensions: Dimensions;
  readonly frameRate: number;
  readonly subscriberFallback: boolean;
  readonly scalable: boolean;
  readonly preferredCodecs: readonly CodecName[] | 'automatic' | undefined;
  readonly audioBitrate: number | undefined;
  readonly dtx: boolean;
  readonly stereo: boolean;
}

export interface OutgoingObserver {
  /** The session is under force-mute, or a moderator muted this stream. */
  muteForced(): void;
  /** Somebody else ended the stream. */
  ended(reason: string): void;
  /** It could not be built again after its media was lost. */
  failed(error: OtError): void;
  /** One subscriber of a relayed session cannot be sent anything; the others are. */
  unreached(error: OtError): void;
}

/** The browser's reports on what is sent to one receiver. */
export interface SentReports {
  /** Whose browser receives it; null: the server, which passes it on. */
  readonly connectionId: string | null;
  readonly audio: RTCStatsReport | null;
  readonly video: RTCStatsReport | null;
  /** Of the whole connection with that receiver. */
  readonly whole: RTCStatsReport | null;
}

export type PictureQuality = 'on' | 'off' | 'probe';

/** What a publisher does with its stream, wherever that goes. */
export interface Outgoing {
  readonly videoSending: Pick<VideoSending, 'plan'> | null;
  /** Whether a picture is being sent now. */
  readonly sendsPicture: boolean;
  /** The picture goes because of a poor network (`off`), a small one is tried (`probe`), or it is back (`on`). */
  quality: PictureQuality;
  start(): Promise<Stream>;
  stop(reason?: 'mediaStopped'): void;
  update(change: {
    hasAudio?: boolean;
    hasVideo?: boolean;
    videoDimensions?: Dimensions;
    reason?: 'publishVideo' | 'quality';
  }): void;
  wish(change: Partial<PictureWishes>): void;
  replace(kind: 'audio' | 'video', track: MediaStreamTrack): Promise<void>;
  reports(): Promise<SentReports[]>;
  /** Of those to whom its picture goes, or would go if the network did not keep it back. */
  pictureReports(): Promise<SentReports[]>;
}

/** What the server is told of a stream when it begins. */
export function announcementOf(published: Published) {
  return {
    name: published.name,
    initials: published.initials,
    videoType: published.videoTrack ? published.videoType : null,
    hasAudio: published.audioOn && published.audioTrack !== null,
    hasVideo: published.videoOn && published.videoTrack !== null,
    videoDimensions: published.dimensions,
    frameRate: published.frameRate,
    audioFallback: published.subscriberFallback,
  };
}

/** Tells the server of a change of a stream. */
export function tellUpdate(link: Link, streamId: string, change: Omit<RequestData<'updateStream'>, 'streamId'>): void {
  link.wire
    .request('updateStream', { streamId, ...change })
    .catch((error: unknown) => log.warn('The change of the stream could not be told', error));
}

/** Tells the server that a stream ended here, unless the whole session did. */
export function tellEnd(link: Link, streamId: string, reason?: 'mediaStopped'): void {
  if (link.closedBy) return;
  link.streams.delete(streamId);
  link.wire
    .request('unpublish', reason ? { streamId, reason } : { streamId })
    .catch((error: unknown) => log.debug('The stream was gone already', error));
}

/** A publisher sends everything until the server says what is wanted. */
const everything = { audio: true, video: true, spatialMax: noWishes.spatialMax };

export class OutgoingStream implements LinkedStream, Outgoing {
  readonly #link: Link;
  readonly #describe: () => Published;
  readonly #observer: OutgoingObserver;
  #stream: Stream | null = null;
  #audio: AudioSending | null = null;
  #video: VideoSending | null = null;
  #wishes: PictureWishes = noWishes;
  #wanted = everything;
  #quality: PictureQuality = 'on';
  /** Codecs that the server asked for, since somebody cannot decode what the publisher prefers. */
  #wantedCodecs: readonly CodecName[] | null = null;
  #codecChange: Promise<void> = Promise.resolve();
  readonly #builds = new Builds();
  #ended = false;

  constructor(link: Link, describe: () => Published, observer: OutgoingObserver) {
    this.#link = link;
    this.#describe = describe;
    this.#observer = observer;
  }

  get streamId(): string | null {
    return this.#stream?.streamId ?? null;
  }

  get audioSending(): AudioSending | null {
    return this.#audio;
  }

  get videoSending(): VideoSending | null {
    return this.#video;
  }

  get sendsPicture(): boolean {
    return this.#video !== null && this.#currentWishes(this.#describe()).sending;
  }

  /** Announces and sends; resolves when the server lets the stream through, rejects with its typed refusal. */
  async start(): Promise<Stream> {
    this.#link.outgoing.add(this);
    try {
      await this.#builds.begin((signal) => this.#build(signal));
      return this.#stream as Stream;
    } catch (error) {
      if (this.#ended) throw new OtError('OT_STREAM_DESTROYED', 'The stream was ended before it was published');
      this.stop();
      throw asOtError(error, 'OT_STREAM_CREATE_FAILED');
    }
  }

  /** Ends the stream; `mediaStopped` when its source ended. */
  stop(reason?: 'mediaStopped'): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#builds.stop();
    this.#link.outgoing.delete(this);
    this.#closeTracks();
    if (this.streamId) tellEnd(this.#link, this.streamId, reason);
  }

  /** The publisher's state changed: tells the others and the encoders. */
  update(change: {
    hasAudio?: boolean;
    hasVideo?: boolean;
    videoDimensions?: Dimensions;
    reason?: 'publishVideo' | 'quality';
  }) {
    const { streamId } = this;
    if (!streamId || this.#ended) return;
    if (change.videoDimensions) this.#video?.resize(change.videoDimensions);
    this.#applySending();
    tellUpdate(this.#link, streamId, change);
  }

  /** Other wishes of the publisher for its picture. */
  wish(change: Partial<PictureWishes>): void {
    this.#wishes = { ...this.#wishes, ...change };
    this.#applySending();
  }

  get quality(): PictureQuality {
    return this.#quality;
  }

  /** The small one that is tried is its lowest layer. */
  set quality(quality: PictureQuality) {
    this.#quality = quality;
    this.#applySending();
  }

  /** Puts another track in the place of the one that is sent; starts sending if there was none. */
  async replace(kind: 'audio' | 'video', track: MediaStreamTrack): Promise<void> {
    await this.#builds.settled().catch(() => undefined);
    const sending = kind === 'audio' ? this.#audio : this.#video;
    if (sending) await sending.producer.replaceTrack({ track });
    else if (this.streamId) await (kind === 'audio' ? this.#sendAudio() : this.#sendVideo());
  }

  /** One entry, since a routed stream goes to the server once. */
  async reports(): Promise<SentReports[]> {
    const [audio = null, video = null, whole] = await Promise.all([
      this.#audio?.producer.getStats(),
      this.#video?.producer.getStats(),
      this.#link.media.stats('send'),
    ]);
    return [{ connectionId: null, audio, video, whole }];
  }

  /** The same: a routed stream goes one way. */
  pictureReports(): Promise<SentReports[]> {
    return this.reports();
  }

  event<Name extends EventName>(name: Name, data: EventData<Name>): void {
    if (this.#ended) return;
    const told = { name, data } as { [Each in EventName]: { name: Each; data: EventData<Each> } }[EventName];
    if (told.name === 'streamWanted') {
      this.#wanted = told.data;
      this.#applySending();
    } else if (told.name === 'streamDestroyed') {
      this.#ended = true;
      this.#link.outgoing.delete(this);
      this.#closeTracks();
      this.#observer.ended(told.data.reason);
    } else if (told.name === 'codecWanted') {
      this.#changeCodec(told.data.mimeTypes);
    }
  }

  rebuild(): void {
    if (this.#ended || !this.#stream) return;
    this.#closeTracks();
    this.#wanted = everything;
    const patience = { clock: this.#link.clock, seconds: limits.resumeSeconds };
    this.#builds
      .again((signal) => this.#build(signal), patience)
      .catch((error: unknown) => {
        if (!this.#ended) this.#observer.failed(asOtError(error, 'OT_ICE_WORKFLOW_FAILED'));
      });
  }

  // -------------------------------------------------------------------------------------------------------- building

  async #build(signal: AbortSignal): Promise<void> {
    const published = this.#describe();
    const again = this.#stream?.streamId;
    if (again) this.#link.forgetLeg(again, 'send');
    await this.#link.encryption?.ready();
    signal.throwIfAborted();
    const [{ stream, muted }] = await Promise.all([
      this.#link.wire.request('publish', {
        ...(again ? { streamId: again } : {}),
        ...announcementOf(published),
        tracks: [
          ...(published.videoTrack ? (['video'] as const) : []),
          ...(published.audioTrack ? (['audio'] as const) : []),
        ],
      }),
      this.#link.media.ready('send'),
    ]);
    this.#stream ??= this.#link.addStream(stream);
    if (muted) this.#observer.muteForced();
    signal.throwIfAborted();
    // The sound first: it takes little, while the picture's encoder keeps a small machine busy from its first frame on.
    await this.#sendAudio();
    signal.throwIfAborted();
    await this.#sendVideo();
    await this.#link.legAllowed(stream.streamId, 'send', signal);
  }

  async #sendAudio(): Promise<void> {
    const { audioTrack, audioOn, stereo, dtx, audioBitrate } = this.#describe();
    if (!audioTrack || !this.streamId || this.#ended) return;
    const producer = await this.#link.media.send(audioTrack, {
      streamId: this.streamId,
      paused: !audioOn,
      codecOptions: {
        opusFec: true,
        opusDtx: dtx,
        opusStereo: stereo,
        ...(audioBitrate ? { opusMaxAverageBitrate: audioBitrate } : {}),
      },
    });
    this.#audio = new AudioSending(producer);
    this.#applySending();
  }

  async #sendVideo(): Promise<void> {
    const published = this.#describe();
    if (!published.videoTrack || !this.streamId || this.#ended) return;
    const device = await this.#link.media.device();
    const capabilities = device.sendRtpCapabilities.codecs ?? [];
    const offered = new Set(capabilities.map((codec) => codec.mimeType.toLowerCase()));
    const name = this.#codecFor(published, offered);
    const source: PictureSource = {
      dimensions: published.dimensions,
      frameRate: published.frameRate,
      videoType: published.videoType ?? 'camera',
      codec: name,
      scalable: published.scalable,
      svc: device.handlerName.startsWith('Chrome'),
    };
    const wishes = this.#currentWishes(published);
    const codec = capabilities.find((each) => each.mimeType.toLowerCase() === `video/${name}`);
    const producer = await this.#link.media.send(published.videoTrack, {
      streamId: this.streamId,
      paused: !published.videoOn || this.#quality !== 'on',
      encodings: encodingsOf(source, wishes),
      ...(codec ? { codec } : {}),
      // Else Chromium begins at 300 kbit/s and takes seconds to reach the upper layers.
      codecOptions: {
        videoGoogleStartBitrate: Math.round(bitrateFor(published.dimensions, published.frameRate) / 1000),
      },
    });
    this.#video = new VideoSending(producer, source, wishes);
    this.#applySending();
  }

  #codecFor(published: Published, offered: ReadonlySet<string>): CodecName {
    return chooseCodec(this.#wantedCodecs ?? published.preferredCodecs, offered);
  }

  /** A subscriber cannot decode what is sent: the picture goes on in another codec, for the rest of the stream. */
  #changeCodec(mimeTypes: readonly string[]): void {
    this.#wantedCodecs = mimeTypes.map((each) => each.toLowerCase().replace('video/', '') as CodecName);
    this.#codecChange = this.#codecChange
      .then(() => this.#sendWantedCodec())
      .catch((error: unknown) => log.error('The picture could not be sent in another codec', error));
  }

  /** The new picture first, then the end of the old: where the new one fails, the old goes on. */
  async #sendWantedCodec(): Promise<void> {
    await this.#builds.settled().catch(() => undefined);
    const before = this.#video;
    if (this.#ended || !before || this.#wantedCodecs?.includes(before.codec)) return;
    await this.#sendVideo();
    const now = this.#video;
    if (now !== before) before.producer.close();
    if (this.#ended) return this.#closeTracks();
    // The camera may have been exchanged meanwhile.
    const { videoTrack } = this.#describe();
    if (videoTrack && now && now.producer.track !== videoTrack) await now.producer.replaceTrack({ track: videoTrack });
  }

  #currentWishes(published: Published): PictureWishes {
    const probing = this.#quality === 'probe';
    return {
      ...this.#wishes,
      // A probe must be sent whether or not anybody wants it: it is there to measure the network.
      sending: published.videoOn && (probing || (this.#wanted.video && this.#quality === 'on')),
      spatialMax: probing ? 0 : this.#wanted.spatialMax,
    };
  }

  #applySending(): void {
    const published = this.#describe();
    if (this.#audio) this.#audio.sending = published.audioOn && this.#wanted.audio;
    this.#video?.wish(this.#currentWishes(published));
  }

  #closeTracks(): void {
    this.#audio?.producer.close();
    this.#video?.producer.close();
    this.#audio = null;
    this.#video = null;
  }
}

function encodingsOf(source: PictureSource, wishes: PictureWishes): types.RtpEncodingParameters[] {
  // All layers start active, so that the server learns of every one; the wishes are applied right afterwards.
  return planLayers(source, wishes).map((plan) => ({
    active: true,
    maxBitrate: plan.maxBitrate,
    maxFramerate: plan.maxFramerate,
    scaleResolutionDownBy: plan.scaleResolutionDownBy,
    scalabilityMode: plan.scalabilityMode,
  }));
}
