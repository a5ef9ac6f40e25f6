/**
 * The tap of a stream: hands its packets over in memory. Each track gets a consumer on a direct transport of the router that
 * the track is on, so nothing of it goes through a pipe or a socket. The consumer has neither retransmission nor a bandwidth
 * estimate, so there are no probes either, and its layers are the wanted ones at once.
 */
import { type MediaKind, PlatformError } from '@cloister/protocol';
import type { Consumer, DirectTransport, RtpCapabilities } from 'mediasoup/types';
import type { StreamTap, TapSink, TapTrack } from '../core/index.ts';
import { parseRtp } from '../lib/index.ts';
import type { Capacity } from './capacity.ts';
import { Gate } from './gate.ts';
import { LayerClock } from './layer-clock.ts';
import { chooseLayers } from './layers.ts';
import { checked } from './refusal.ts';
import type { RoomRouter } from './room-router.ts';
import type { PublishedStream, StreamUser } from './stream.ts';
import { packetsOf } from './subscription.ts';
import type { SenderReport, Track, TrackListener } from './track.ts';

export interface TapParts {
  readonly stream: PublishedStream;
  readonly capacity: Capacity;
  /** A track that came later could not be handed over. */
  onAddFailed(error: unknown): void;
  onClosed(): void;
}

interface Entry {
  readonly track: Track;
  readonly consumer: Consumer;
  readonly gate: Gate;
}

/** Why a tap is closed. */
type Closed = 'stream over' | 'by its owner';

type Size = NonNullable<Parameters<StreamTap['show']>[0]>;

/** What says something of the media; other extensions are the way's. */
const extensions: readonly string[] = [
  'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time',
  'urn:ietf:params:rtp-hdrext:ssrc-audio-level',
  'urn:3gpp:video-orientation',
];

export class Tap implements StreamTap, StreamUser {
  readonly #parts: TapParts;
  readonly #entries = new Map<MediaKind, Entry>();
  /** Tracks that are about to be handed over. */
  readonly #coming = new Map<MediaKind, Track>();
  /** Kinds of which the sink was told a track that has not ended. */
  readonly #told = new Set<MediaKind>();
  #size: Size | null = null;
  #shown = true;
  #sink: TapSink | null = null;
  #closed: Closed | null = null;

  constructor(parts: TapParts) {
    this.#parts = parts;
    // From here on, so that a tap that was never started ends with its stream.
    parts.stream.users.add(this);
  }

  get streamId(): string {
    return this.#parts.stream.id;
  }

  get router(): RoomRouter | null {
    const [entry] = this.#entries.values();
    return entry?.track.router ?? null;
  }

  get consumers(): Consumer[] {
    return [...this.#entries.values()].map(({ consumer }) => consumer);
  }

  async start(sink: TapSink): Promise<void> {
    const { stream, capacity } = this.#parts;
    if (this.#closed === 'stream over') throw new PlatformError('StreamNotFound', { streamId: stream.id });
    if (this.#closed) throw new PlatformError('WrongState', { why: 'this tap is closed' });
    if (this.#sink) throw new PlatformError('WrongState', { why: 'this tap was started already' });
    this.#sink = sink;
    try {
      capacity.require(stream.tracks.size);
      await Promise.all([...stream.tracks.values()].map((track) => this.#consume(track)));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  show(size: Size | null): void {
    this.#shown = size !== null;
    this.#size = size ?? this.#size;
    const entry = this.#entries.get('video');
    if (entry) void this.#prefer(entry);
    void this.#apply();
  }

  requestKeyFrame(): void {
    void this.#entries
      .get('video')
      ?.consumer.requestKeyFrame()
      .catch(() => undefined);
  }

  close(): void {
    this.#end('by its owner');
  }

  // What the stream tells and asks.

  wants(kind: MediaKind): boolean {
    return this.#entries.has(kind) && (kind === 'audio' || this.#shown);
  }

  spatialLayer(track: Track): number {
    return chooseLayers(track.ladder, this.#size).spatialLayer;
  }

  trackAdded(track: Track): void {
    if (this.#sink) this.#consume(track).catch((error) => this.#parts.onAddFailed(error));
  }

  trackMuted(track: Track): void {
    if (this.#told.has(track.kind)) this.#sink?.trackPaused(track.kind, track.muted);
  }

  streamClosed(): void {
    if (this.#closed) return;
    this.#end('stream over');
    this.#sink?.ended();
  }

  #end(why: Closed): void {
    if (this.#closed) return;
    this.#closed = why;
    const { stream, onClosed } = this.#parts;
    stream.users.delete(this);
    const consumers = this.consumers;
    this.#entries.clear();
    for (const consumer of consumers) {
      this.#keepCount(consumer);
      consumer.close();
    }
    void stream.refresh();
    onClosed();
  }

  /** Whether a track is not to be handed over any more. */
  #over(track: Track): boolean {
    return this.#closed !== null || track.closed || this.#parts.stream.tracks.get(track.kind) !== track;
  }

  /** Hands a track over in the place of an older one of its kind. A track that ends meanwhile is no failure. */
  async #consume(track: Track): Promise<void> {
    const { kind, router } = track;
    this.#coming.set(kind, track);
    const countOut = router.countIn();
    let made: Consumer | null = null;
    try {
      const transport = await checked(router.router, () => router.router.createDirectTransport());
      try {
        if (this.#over(track)) throw new PlatformError('MediaLost');
        made = await checked(transport, () => consumeOn(transport, track, router));
        this.#follow(track, transport, made, countOut);
        const heard = await this.#hear(track, made);
        if (this.#over(track)) throw new PlatformError('MediaLost');
        await this.#begin(track, made, heard);
      } catch (error) {
        transport.close();
        throw error;
      }
    } catch (error) {
      if (!made) countOut();
      if (!this.#over(track)) throw error;
    } finally {
      if (this.#coming.get(kind) === track) this.#coming.delete(kind);
      this.#settle(kind);
    }
  }

  /** Ends with the consumer all that hangs on it. */
  #follow(track: Track, transport: DirectTransport, consumer: Consumer, countOut: () => void): void {
    const end = (): void => {
      countOut();
      transport.close();
      if (this.#entries.get(track.kind)?.consumer !== consumer) return;
      this.#entries.delete(track.kind);
      this.#settle(track.kind);
    };
    consumer.observer.once('close', end);
    if (consumer.closed) end();
  }

  /** Listens to the publisher's clock and to the packets, which come once the consumer's gate is open. */
  async #hear(track: Track, consumer: Consumer): Promise<TrackListener> {
    const clock = consumer.type === 'simulcast' ? new LayerClock(track.senderReports) : null;
    const { kind } = track;
    const listener: TrackListener = {
      senderReport: (report) => {
        const own = clock ? clock.senderReport(report) : report;
        if (own && this.#entries.get(kind)?.consumer === consumer) this.#report(own);
      },
      keyFrame: (frame) => clock?.keyFrame(frame),
    };
    consumer.on('layerschange', (layers) => clock?.layersChanged(layers?.spatialLayer ?? null));
    consumer.on('rtp', (packet) => this.#onPacket(track, consumer, clock, packet));
    consumer.observer.once('close', () => track.unlisten(listener));
    await track.listen(listener);
    if (consumer.closed) track.unlisten(listener);
    return listener;
  }

  async #begin(track: Track, consumer: Consumer, listener: TrackListener): Promise<void> {
    const { kind } = track;
    const before = this.#entries.get(kind)?.consumer;
    const entry: Entry = { track, consumer, gate: new Gate(consumer, false) };
    this.#entries.set(kind, entry);
    if (before) {
      this.#keepCount(before);
      before.close();
    }
    this.#told.add(kind);
    this.#sink?.track(kind, toldOf(consumer));
    if (track.muted) this.#sink?.trackPaused(kind, true);
    for (const report of track.senderReports) listener.senderReport(report);
    await this.#prefer(entry);
    await this.#apply();
  }

  #onPacket(track: Track, consumer: Consumer, clock: LayerClock | null, packet: Uint8Array): void {
    if (this.#entries.get(track.kind)?.consumer !== consumer) return;
    const read = parseRtp(packet);
    if (!read || read.ssrc !== consumer.rtpParameters.encodings?.[0]?.ssrc) return;
    const report = clock?.packet(read.timestamp);
    if (report) this.#report(report);
    const isMedia = read.payload.length > 0 && read.payloadType === consumer.rtpParameters.codecs[0]?.payloadType;
    // What is on its way when the publisher mutes, or the leg is dropped, ends here.
    if (isMedia && this.wants(track.kind) && !track.muted && !track.closed) this.#sink?.packet(track.kind, packet);
  }

  #report({ kind, ntpSec, ntpFrac, rtpTs }: SenderReport): void {
    this.#sink?.senderReport(kind, { ntpMs: ntpSec * 1000 + (ntpFrac * 1000) / 2 ** 32, rtpTimestamp: rtpTs });
  }

  /** Tells the end of a track, unless another is about to take its place. */
  #settle(kind: MediaKind): void {
    if (this.#closed || this.#entries.has(kind) || this.#coming.has(kind)) return;
    if (this.#told.delete(kind)) this.#sink?.trackEnded(kind);
    void this.#parts.stream.refresh();
  }

  async #prefer({ track, consumer }: Entry): Promise<void> {
    if (consumer.type === 'simple') return;
    await consumer.setPreferredLayers(chooseLayers(track.ladder, this.#size)).catch(() => undefined);
  }

  /** Brings the consumers and what the stream is asked for in line; resolves when the workers have followed. */
  async #apply(): Promise<void> {
    const gates = [...this.#entries].map(([kind, { gate }]) => gate.set(this.wants(kind)));
    await Promise.all([...gates, this.#parts.stream.refresh()]);
  }

  #keepCount(consumer: Consumer): void {
    const { told } = this.#parts.stream;
    void packetsOf([consumer]).then((packets) => told.forwarded(packets));
  }
}

function consumeOn(transport: DirectTransport, track: Track, { router }: RoomRouter): Promise<Consumer> {
  const { codecs = [], headerExtensions = [] } = router.rtpCapabilities;
  const rtpCapabilities: RtpCapabilities = {
    codecs,
    headerExtensions: headerExtensions.filter(({ uri }) => extensions.includes(uri)),
  };
  return transport.consume({ producerId: track.producer.id, rtpCapabilities, enableRtx: false, paused: true });
}

function toldOf({ rtpParameters }: Consumer): TapTrack {
  const [codec] = rtpParameters.codecs;
  const ssrc = rtpParameters.encodings?.[0]?.ssrc;
  if (!codec || ssrc === undefined) throw new Error('mediasoup made a consumer without a codec or SSRC');
  return {
    mimeType: codec.mimeType,
    payloadType: codec.payloadType,
    clockRate: codec.clockRate,
    channels: codec.channels ?? null,
    ssrc,
    fmtp: { ...codec.parameters },
    headerExtensions: (rtpParameters.headerExtensions ?? []).map(({ uri, id }) => ({ uri, id })),
  };
}
