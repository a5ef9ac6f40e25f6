/**
 * A client's subscription to a stream: one consumer for each of its tracks. A consumer is made paused and runs while the
 * client has its receiver, the leg is allowed, the client wants the kind, and (for a picture) its way carries it.
 */
import { type ConsumerOffer, type MediaKind, PlatformError, type RtpCapabilities } from '@cloister/protocol';
import type { Consumer, ConsumerLayers, WebRtcTransport } from 'mediasoup/types';
import type { Preferred } from '../core/index.ts';
import { AudioFallback } from './audio-fallback.ts';
import { picturesOf } from './codecs.ts';
import { Gate } from './gate.ts';
import { chooseLayers } from './layers.ts';
import { checked } from './refusal.ts';
import type { RoomRouter } from './room-router.ts';
import type { PublishedStream, StreamUser } from './stream.ts';
import type { Track } from './track.ts';

export interface SubscriptionParts {
  readonly stream: PublishedStream;
  readonly router: RoomRouter;
  readonly transport: WebRtcTransport;
  readonly rtpCapabilities: RtpCapabilities;
  readonly wish: { audio: boolean; video: boolean };
  readonly preferred: Preferred | null;
  /** New consumers for a track that came later, or what hindered them. */
  onAdded(consumers: ConsumerOffer[]): void;
  /** The client cannot decode the picture as it is. */
  onNotSupported(mimeType: string): void;
  onAddFailed(error: unknown): void;
  onLayers(layers: ConsumerLayers | undefined): void;
  onClosed(): void;
  /** Packets that a consumer that is gone now had forwarded. */
  onForwarded(packets: number): void;
}

interface Entry {
  readonly track: Track;
  readonly consumer: Consumer;
  readonly gate: Gate;
  /** Whether the client has said that its receiver exists. */
  ready: boolean;
}

export class Subscription implements StreamUser {
  readonly stream: PublishedStream;
  readonly router: RoomRouter;
  readonly fallback = new AudioFallback();
  readonly #parts: SubscriptionParts;
  readonly #entries = new Map<MediaKind, Entry>();
  readonly #wish: { audio: boolean; video: boolean };
  #preferred: Preferred | null;
  /** A picture that the client cannot decode. */
  #undecodable: Track | null = null;
  #allowed = false;
  #closed = false;

  constructor(parts: SubscriptionParts) {
    this.stream = parts.stream;
    this.router = parts.router;
    this.#parts = parts;
    this.#wish = { ...parts.wish };
    this.#preferred = parts.preferred;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get consumers(): Consumer[] {
    return [...this.#entries.values()].map(({ consumer }) => consumer);
  }

  /** The picture that audio fall-back may turn off, where there is one that would flow. */
  get picture(): Track | null {
    const entry = this.#entries.get('video');
    return entry?.track.audioFallback && this.wants('video') ? entry.track : null;
  }

  /**
   * A picture that the client cannot decode is left out.
   * @throws PlatformError `MediaParametersInvalid` when the client cannot take the sound; nothing is left then.
   */
  async start(): Promise<ConsumerOffer[]> {
    this.stream.users.add(this);
    const making = [...this.stream.tracks.values()].map((track) => this.#consume(track));
    try {
      return (await Promise.all(making)).filter((offer) => offer !== null);
    } catch (error) {
      this.close();
      // One that is still being made is closed as soon as it is there.
      await Promise.allSettled(making);
      throw error;
    }
  }

  trackAdded(track: Track): void {
    const before = this.#entries.get(track.kind);
    if (before) this.#keepCount(before.consumer);
    this.#consume(track).then(
      (offer) => {
        if (offer) this.#parts.onAdded([offer]);
      },
      (error) => this.#parts.onAddFailed(error),
    );
  }

  wants(kind: MediaKind): boolean {
    return this.#allowed && this.#wish[kind] && (this.#entries.get(kind)?.ready ?? false);
  }

  spatialLayer(track: Track): number {
    return chooseLayers(track.ladder, this.#preferred).spatialLayer;
  }

  /** The client has receivers for all consumers that it was offered. */
  async resume(): Promise<void> {
    for (const entry of this.#entries.values()) entry.ready = true;
    await this.apply();
  }

  async allow(): Promise<void> {
    this.#allowed = true;
    await this.apply();
  }

  async update(wish: { audio?: boolean; video?: boolean; preferred?: Preferred | null }): Promise<void> {
    this.#wish.audio = wish.audio ?? this.#wish.audio;
    this.#wish.video = wish.video ?? this.#wish.video;
    this.#askForCodec();
    if (wish.preferred !== undefined) {
      this.#preferred = wish.preferred;
      const entry = this.#entries.get('video');
      if (entry) await this.#prefer(entry.consumer, entry.track);
    }
    await this.apply();
  }

  /** Brings the consumers and what the stream is asked for in line; resolves when the workers have followed. */
  async apply(): Promise<void> {
    const done: Promise<void>[] = [];
    for (const [kind, { gate }] of this.#entries) {
      const carried = kind === 'audio' || this.fallback.carries;
      done.push(gate.set(this.wants(kind) && carried));
    }
    done.push(this.stream.refresh());
    await Promise.all(done);
  }

  streamClosed(): void {
    this.close();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.stream.users.delete(this);
    const consumers = this.consumers;
    this.#entries.clear();
    for (const consumer of consumers) {
      this.#keepCount(consumer);
      consumer.close();
    }
    void this.stream.refresh();
    this.#parts.onClosed();
  }

  /** @returns null when the track or the subscription ended in the meantime. */
  async #consume(track: Track): Promise<ConsumerOffer | null> {
    const { router, transport, rtpCapabilities } = this.#parts;
    const over = (): boolean => this.#closed || track.closed || this.stream.tracks.get(track.kind) !== track;
    const countOut = router.countIn();
    try {
      await track.reach(router);
      const producerId = track.producer.id;
      if (over()) throw new PlatformError('MediaLost');
      const capabilities = rtpCapabilities as Parameters<typeof router.router.canConsume>[0]['rtpCapabilities'];
      const consumer = await checked(transport, async () => {
        if (!router.router.canConsume({ producerId, rtpCapabilities: capabilities })) return null;
        return transport.consume({ producerId, rtpCapabilities: capabilities, paused: true });
      });
      if (!consumer) {
        countOut();
        this.#leaveOut(track);
        return null;
      }
      consumer.observer.once('close', countOut);
      if (consumer.closed) countOut();
      if (over()) {
        consumer.close();
        return null;
      }
      this.#keep(track, consumer);
      await this.#prefer(consumer, track);
      return over() ? null : offerOf(consumer);
    } catch (error) {
      countOut();
      if (over()) return null;
      throw error;
    }
  }

  #leaveOut(track: Track): void {
    if (track.kind !== 'video') throw cannotTake(track);
    this.#undecodable = track;
    this.#parts.onNotSupported(track.codec);
    this.#askForCodec();
  }

  /** Who does not want a picture does not make others change theirs. */
  #askForCodec(): void {
    if (this.#undecodable && this.#wish.video) {
      this.stream.askForCodec(this.#undecodable, picturesOf(this.#parts.rtpCapabilities));
    }
  }

  #keep(track: Track, consumer: Consumer): void {
    if (track.kind === 'video') this.#undecodable = null;
    this.#entries.set(track.kind, { track, consumer, gate: new Gate(consumer, false), ready: false });
    consumer.on('layerschange', (layers) => this.#parts.onLayers(layers));
    consumer.observer.once('close', () => {
      if (this.#entries.get(track.kind)?.consumer !== consumer) return;
      this.#entries.delete(track.kind);
      if (track.kind === 'video') this.fallback.reset();
    });
  }

  #keepCount(consumer: Consumer): void {
    // The worker answers in order: it counts first and closes afterwards.
    void packetsOf([consumer]).then((packets) => {
      this.#parts.onForwarded(packets);
      this.stream.told.forwarded(packets);
    });
  }

  async #prefer(consumer: Consumer, track: Track): Promise<void> {
    if (consumer.type === 'simple') return;
    await consumer.setPreferredLayers(chooseLayers(track.ladder, this.#preferred)).catch(() => undefined);
  }
}

function cannotTake(track: Track): PlatformError {
  return new PlatformError('MediaParametersInvalid', { why: `this client cannot receive the codec ${track.codec}` });
}

function offerOf(consumer: Consumer): ConsumerOffer {
  return {
    consumerId: consumer.id,
    producerId: consumer.producerId,
    kind: consumer.kind,
    rtpParameters: consumer.rtpParameters as ConsumerOffer['rtpParameters'],
    type: consumer.type,
  };
}

/** RTP packets that these consumers have forwarded; of one that is gone nothing can be learned. */
export async function packetsOf(consumers: readonly Consumer[]): Promise<number> {
  const counts = consumers.map(async (consumer) => {
    const stats = await consumer.getStats().catch(() => []);
    return stats.reduce((sum, stat) => sum + (stat.type === 'outbound-rtp' ? stat.packetCount : 0), 0);
  });
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}
