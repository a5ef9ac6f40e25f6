/** One stream on its way out to each of its subscribers: an encoder for each, which follows what that one wants. */
import type { EventData, EventName, MediaKind, PeerWanted } from '@cloister/protocol';
import {
  type CodecName,
  chooseCodec,
  noWishes,
  type PictureSource,
  type PictureWishes,
  planLayers,
} from '../encodings.ts';
import { asOtError, OtError } from '../errors.ts';
import type { Dimensions } from '../events.ts';
import type { Link, LinkedStream } from '../link.ts';
import {
  announcementOf,
  type Outgoing,
  type OutgoingObserver,
  type PictureQuality,
  type Published,
  type SentReports,
  tellEnd,
  tellUpdate,
} from '../outgoing.ts';
import { AudioSending, VideoSending } from '../sending.ts';
import type { Stream } from '../stream.ts';
import type { Mesh, Source } from './mesh.ts';
import type { Peer, PeerSender } from './peer.ts';

/** What goes to one subscriber. */
interface Delivery {
  readonly peer: Peer;
  wanted: PeerWanted;
  audio: AudioSending<PeerSender> | null;
  video: VideoSending<PeerSender> | null;
}

const codecNames: readonly CodecName[] = ['vp8', 'vp9', 'h264'];
/** Of the picture by which a poor way is tried: what the lowest layer of a routed stream has at most. */
const probed: Dimensions = { width: 320, height: 240 };
const boundless: Dimensions = { width: Number.POSITIVE_INFINITY, height: Number.POSITIVE_INFINITY };

export class RelayedOutgoing implements LinkedStream, Outgoing, Source {
  readonly #link: Link;
  readonly #mesh: Mesh;
  readonly #describe: () => Published;
  readonly #observer: OutgoingObserver;
  readonly #deliveries = new Map<string, Delivery>();
  #stream: Stream | null = null;
  #wishes: PictureWishes = noWishes;
  #quality: PictureQuality = 'on';
  #ended = false;

  constructor(link: Link, mesh: Mesh, describe: () => Published, observer: OutgoingObserver) {
    this.#link = link;
    this.#mesh = mesh;
    this.#describe = describe;
    this.#observer = observer;
  }

  get streamId(): string | null {
    return this.#stream?.streamId ?? null;
  }

  /** The picture as the first subscriber gets it. */
  get videoSending(): VideoSending<PeerSender> | null {
    for (const { video } of this.#deliveries.values()) if (video) return video;
    return null;
  }

  get sendsPicture(): boolean {
    return this.#quality !== 'off' && this.#describe().videoOn && this.#watched.length > 0;
  }

  get quality(): PictureQuality {
    return this.#quality;
  }

  /** For all subscribers at once: it is the publisher's picture that goes. */
  set quality(quality: PictureQuality) {
    this.#quality = quality;
    this.#applyAll();
  }

  /** Announces the stream; it is sent to whoever subscribes. */
  async start(): Promise<Stream> {
    this.#link.outgoing.add(this);
    try {
      const published = this.#describe();
      const { stream } = await this.#link.wire.request('publish', announcementOf(published));
      this.#stream = this.#link.addStream(stream);
      if (this.#ended) this.#unpublish();
      else this.#mesh.publish(this);
      return this.#stream;
    } catch (error) {
      if (this.#ended) throw new OtError('OT_STREAM_DESTROYED', 'The stream was ended before it was published');
      this.stop();
      throw asOtError(error, 'OT_STREAM_CREATE_FAILED');
    }
  }

  /** Ends the stream; `mediaStopped` when its source ended. */
  stop(reason?: 'mediaStopped'): void {
    if (this.#ended) return;
    this.#end();
    this.#unpublish(reason);
  }

  /** The publisher's state changed: tells the others and the encoders. */
  update(change: {
    hasAudio?: boolean;
    hasVideo?: boolean;
    videoDimensions?: Dimensions;
    reason?: 'publishVideo' | 'quality';
  }): void {
    const { streamId } = this;
    if (!streamId || this.#ended) return;
    if (change.videoDimensions)
      for (const { video } of this.#deliveries.values()) video?.resize(change.videoDimensions);
    this.#applyAll();
    tellUpdate(this.#link, streamId, change);
  }

  /** Other wishes of the publisher for its picture. */
  wish(change: Partial<PictureWishes>): void {
    this.#wishes = { ...this.#wishes, ...change };
    this.#applyAll();
  }

  /** Puts another track in the place of the one that is sent; starts sending if there was none. */
  async replace(kind: MediaKind, track: MediaStreamTrack): Promise<void> {
    for (const delivery of this.#deliveries.values()) {
      const sending = kind === 'audio' ? delivery.audio : delivery.video;
      if (sending) await sending.producer.replaceTrack({ track });
      else this.#begin(kind, delivery);
    }
  }

  /** One entry for each subscriber. */
  reports(): Promise<SentReports[]> {
    return this.#reportsOf([...this.#deliveries]);
  }

  pictureReports(): Promise<SentReports[]> {
    return this.#reportsOf(this.#watched);
  }

  /** Those who want its picture. */
  get #watched(): [string, Delivery][] {
    return [...this.#deliveries].filter(([, { video, wanted }]) => video !== null && wanted.video);
  }

  #reportsOf(deliveries: readonly [string, Delivery][]): Promise<SentReports[]> {
    return Promise.all(
      deliveries.map(async ([connectionId, { peer, audio, video }]) => {
        const asked = [audio?.producer.getStats(), video?.producer.getStats(), peer.stats()];
        const [ofAudio = null, ofVideo = null, whole = null] = await Promise.all(asked);
        return { connectionId, audio: ofAudio, video: ofVideo, whole };
      }),
    );
  }

  event<Name extends EventName>(name: Name, data: EventData<Name>): void {
    if (this.#ended || name !== 'streamDestroyed') return;
    this.#end();
    this.#observer.ended((data as EventData<'streamDestroyed'>).reason);
  }

  /** Of a relayed stream each pair is built anew on its own, by the mesh. */
  rebuild(): void {
    for (const connectionId of [...this.#deliveries.keys()]) this.dropped(connectionId);
    if (this.#stream && !this.#ended) this.#mesh.publish(this);
  }

  // -------------------------------------------------------------------------------------------------------- for the mesh

  sendTo(connectionId: string, peer: Peer, wanted: PeerWanted): void {
    if (this.#ended) return;
    const known = this.#deliveries.get(connectionId);
    if (known?.peer === peer) {
      known.wanted = wanted;
      this.#apply(known);
      return;
    }
    const delivery: Delivery = { peer, wanted, audio: null, video: null };
    this.#deliveries.set(connectionId, delivery);
    const { audioTrack, videoTrack } = this.#describe();
    if (audioTrack) this.#begin('audio', delivery);
    if (videoTrack) this.#begin('video', delivery);
  }

  dropped(connectionId: string): void {
    const delivery = this.#deliveries.get(connectionId);
    if (!delivery) return;
    this.#deliveries.delete(connectionId);
    delivery.audio?.producer.close();
    delivery.video?.producer.close();
  }

  failed(connectionId: string, error: OtError): void {
    this.dropped(connectionId);
    if (this.#ended) return;
    this.#observer.unreached(
      new OtError(error.name, `The stream does not reach the connection ${connectionId}: ${error.message}`),
    );
  }

  // ------------------------------------------------------------------------------------------------------------- sending

  #begin(kind: MediaKind, delivery: Delivery): void {
    const published = this.#describe();
    const streamId = this.streamId as string;
    if (kind === 'audio') {
      const { audioTrack, audioOn, audioBitrate, dtx, stereo } = published;
      if (!audioTrack) return;
      const encoding = {
        active: audioOn && delivery.wanted.audio,
        ...(audioBitrate ? { maxBitrate: audioBitrate } : {}),
      };
      const sender = delivery.peer.send(audioTrack, {
        streamId,
        encoding,
        mimeTypes: ['audio/opus'],
        opus: { dtx, stereo },
      });
      delivery.audio = new AudioSending(sender, encoding.active);
    } else if (published.videoTrack) {
      const source = sourceOf(published);
      const wishes = this.#wishesFor(delivery, published);
      const mimeTypes = [...new Set([source.codec, ...codecNames])].map((name) => `video/${name}`);
      const sender = delivery.peer.send(published.videoTrack, {
        streamId,
        encoding: encodingOf(source, wishes),
        mimeTypes,
      });
      delivery.video = new VideoSending(sender, source, wishes);
    }
  }

  #applyAll(): void {
    for (const delivery of this.#deliveries.values()) this.#apply(delivery);
  }

  #apply(delivery: Delivery): void {
    const published = this.#describe();
    if (delivery.audio) delivery.audio.sending = published.audioOn && delivery.wanted.audio;
    delivery.video?.wish(this.#wishesFor(delivery, published));
  }

  /** The publisher's wishes, or the subscriber's where they are smaller. */
  #wishesFor({ wanted }: Delivery, { videoOn, dimensions }: Published): PictureWishes {
    const { width, height, frameRate } = wanted.preferred ?? {};
    const own = this.#wishes.preferredResolution;
    const most = this.#quality === 'probe' ? probed : boundless;
    const size = {
      width: Math.min(width ?? Number.POSITIVE_INFINITY, own?.width ?? dimensions.width, most.width),
      height: Math.min(height ?? Number.POSITIVE_INFINITY, own?.height ?? dimensions.height, most.height),
    };
    const frames = Math.min(frameRate ?? Number.POSITIVE_INFINITY, this.#wishes.preferredFrameRate ?? 60);
    return {
      ...this.#wishes,
      sending: videoOn && wanted.video && this.#quality !== 'off',
      preferredResolution: size,
      preferredFrameRate: frames,
    };
  }

  // -------------------------------------------------------------------------------------------------------------- ending

  #end(): void {
    this.#ended = true;
    this.#link.outgoing.delete(this);
    const { streamId } = this;
    // Pairs that nothing else needs are closed as they are, without a last word.
    if (streamId && !this.#link.closedBy) this.#mesh.withdraw(streamId);
    for (const connectionId of [...this.#deliveries.keys()]) this.dropped(connectionId);
  }

  #unpublish(reason?: 'mediaStopped'): void {
    if (this.streamId) tellEnd(this.#link, this.streamId, reason);
  }
}

function sourceOf(published: Published): PictureSource {
  const capabilities = RTCRtpSender.getCapabilities('video')?.codecs ?? [];
  const offered = new Set(capabilities.map(({ mimeType }) => mimeType.toLowerCase()));
  return {
    dimensions: published.dimensions,
    frameRate: published.frameRate,
    videoType: published.videoType ?? 'camera',
    codec: chooseCodec(published.preferredCodecs, offered),
    // Each subscriber has a picture of its own, so that there is nothing to choose layers from.
    scalable: false,
    svc: false,
  };
}

function encodingOf(source: PictureSource, wishes: PictureWishes): RTCRtpEncodingParameters {
  const { active, maxBitrate, maxFramerate, scaleResolutionDownBy } = planLayers(source, wishes)[0] as ReturnType<
    typeof planLayers
  >[number];
  return { active, maxBitrate, maxFramerate, scaleResolutionDownBy };
}
