/** One client's media in a room: at most one leg in each direction, the streams it publishes, what it subscribes to. */
import {
  type ConsumerOffer,
  type Direction,
  type DtlsParameters,
  type IceParameters,
  limits,
  type MediaKind,
  PlatformError,
  type TransportOffer,
} from '@cloister/protocol';
import type { Producer } from 'mediasoup/types';
import type { MediaPeer, PeerObserver, Preferred } from '../core/index.ts';
import { Bandwidth, type Picture } from './bandwidth.ts';
import { codecOf } from './codecs.ts';
import { Leg } from './leg.ts';
import { asLost, checked, refusalOf } from './refusal.ts';
import type { Room } from './room.ts';
import type { RoomRouter } from './room-router.ts';
import { checkNumbers } from './rtp-numbers.ts';
import { PublishedStream } from './stream.ts';
import { packetsOf, Subscription } from './subscription.ts';
import { Track } from './track.ts';

export class Peer implements MediaPeer {
  readonly connectionId: string;
  readonly #room: Room;
  readonly #observer: PeerObserver;
  /** Where this client's media is; while it moves, where it will be. */
  #router: Promise<RoomRouter>;
  #home: RoomRouter | null = null;
  readonly #legs = new Map<Direction, Leg>();
  /** Numbers the openings in each direction, so that only the last one counts. */
  readonly #openings = { send: 0, receive: 0 };
  readonly #streams = new Map<string, PublishedStream>();
  readonly #subscriptions = new Map<string, Subscription>();
  /** Packets of consumers that are gone. */
  #packetsBefore = { received: 0, sent: 0 };
  #closed = false;

  constructor(connectionId: string, room: Room, router: RoomRouter, observer: PeerObserver) {
    this.connectionId = connectionId;
    this.#room = room;
    this.#observer = observer;
    this.#router = Promise.resolve(router);
    this.#enter(router);
  }

  /** The router that this client is on; null while it moves. */
  get home(): RoomRouter | null {
    return this.#home;
  }

  async openTransport(direction: Direction): Promise<TransportOffer> {
    this.#requireOpen();
    this.#openings[direction] += 1;
    const opening = this.#openings[direction];
    this.#closeLeg(direction);
    const router = await asLost(this.#router);
    const leg = await Leg.open(direction, router, {
      connected: (suite) => this.#observer.transportConnected(leg.transport.id, direction, suite),
      lost: () => this.#onLost(leg),
    });
    if (this.#closed || opening !== this.#openings[direction]) {
      leg.close();
      throw new PlatformError('WrongState', { why: `the ${direction} transport was opened again or closed meanwhile` });
    }
    this.#legs.set(direction, leg);
    if (direction === 'receive') await this.#watchBandwidth(leg);
    return leg.offer;
  }

  async connectTransport(transportId: string, dtls: DtlsParameters): Promise<void> {
    await this.#legById(transportId).connect(dtls);
  }

  restartIce(transportId: string): Promise<IceParameters> {
    return this.#legById(transportId).restartIce();
  }

  async produce(wish: Parameters<MediaPeer['produce']>[0]): Promise<{ producerId: string }> {
    const { transport, router } = this.#leg('send');
    const stream = this.#ownStream(wish.streamId);
    const codec = codecOf(wish.rtpParameters);
    const taken = (): boolean => stream.tracks.get(wish.kind)?.codec === codec;
    if (taken()) throw alreadyThere(wish.kind);
    checkNumbers(wish.rtpParameters);
    const producer = await checked(transport, () =>
      transport.produce({
        kind: wish.kind,
        rtpParameters: wish.rtpParameters as Producer['rtpParameters'],
        paused: true,
        keyFrameRequestDelay: limits.keyFrameIntervalMs,
      }),
    );
    try {
      await checked(transport, () => Promise.all([producer.enableTraceEvent(['sr']), listenTo(router, producer)]));
      if (taken()) throw alreadyThere(wish.kind);
      if (producer.closed || this.#streams.get(stream.id) !== stream) throw new PlatformError('MediaLost');
    } catch (error) {
      producer.close();
      throw error;
    }
    const { clock } = this.#room;
    stream.add(new Track({ ...wish, producer, router, muted: wish.paused, clock }));
    return { producerId: producer.id };
  }

  async pauseTrack(streamId: string, kind: MediaKind, paused: boolean): Promise<void> {
    await this.#streams.get(streamId)?.mute(kind, paused);
  }

  async allowStream(streamId: string): Promise<void> {
    await this.#streams.get(streamId)?.allow();
  }

  closeStream(streamId: string): void {
    const stream = this.#streams.get(streamId);
    if (!stream) return;
    this.#streams.delete(streamId);
    this.#room.streams.delete(streamId);
    stream.close();
  }

  async subscribe(wish: Parameters<MediaPeer['subscribe']>[0]): Promise<ConsumerOffer[]> {
    const { transport, router } = this.#leg('receive');
    const { streamId } = wish;
    if (this.#subscriptions.has(streamId)) {
      throw new PlatformError('WrongState', { why: `this client subscribes to the stream ${streamId} already` });
    }
    const stream = this.#room.streams.get(streamId);
    if (!stream) throw new PlatformError('StreamNotFound', { streamId });
    this.#room.capacity.require(stream.tracks.size);
    const subscription = new Subscription({
      stream,
      router,
      transport,
      rtpCapabilities: wish.rtpCapabilities,
      wish,
      preferred: wish.preferred ?? null,
      onAdded: (consumers) => this.#observer.consumersAdded(streamId, consumers),
      onNotSupported: (mimeType) => this.#observer.codecNotSupported(streamId, mimeType),
      onAddFailed: (error) => this.#room.complain(this.connectionId, streamId, refusalOf(error)),
      onLayers: (layers) =>
        this.#observer.layersChanged(streamId, layers?.spatialLayer ?? null, layers?.temporalLayer ?? null),
      onClosed: () => {
        if (this.#subscriptions.get(streamId) === subscription) this.#subscriptions.delete(streamId);
      },
      onForwarded: (packets) => {
        this.#packetsBefore.sent += packets;
      },
    });
    this.#subscriptions.set(streamId, subscription);
    return subscription.start();
  }

  async resumeSubscription(streamId: string): Promise<void> {
    await this.#subscriptions.get(streamId)?.resume();
  }

  async allowSubscription(streamId: string): Promise<void> {
    await this.#subscriptions.get(streamId)?.allow();
  }

  async updateSubscription(
    streamId: string,
    wish: { audio?: boolean; video?: boolean; preferred?: Preferred | null },
  ): Promise<void> {
    await this.#subscriptions.get(streamId)?.update(wish);
  }

  closeSubscription(streamId: string): void {
    this.#subscriptions.get(streamId)?.close();
  }

  /**
   * Packets that the room forwarded from this client to others, and to this client. What a paused producer still gets
   * from its client is not forwarded and not counted.
   */
  async packets(): Promise<{ received: number; sent: number }> {
    const users = [...this.#streams.values()].flatMap((stream) => [...stream.users]);
    const [received, sent] = await Promise.all(
      [users, [...this.#subscriptions.values()]].map((each) => packetsOf(each.flatMap(({ consumers }) => consumers))),
    );
    const before = this.#packetsBefore;
    return { received: before.received + (received ?? 0), sent: before.sent + (sent ?? 0) };
  }

  close(): void {
    if (this.#closed) return;
    this.#drop();
    for (const streamId of [...this.#streams.keys()]) this.closeStream(streamId);
    this.#closed = true;
    this.#home?.leave();
    this.#home = null;
    this.#room.peers.delete(this);
  }

  // What the room tells: nothing of it after close.

  /** The router of this client died with its worker; `next` takes its place. */
  moveTo(next: Promise<RoomRouter>, why: string): void {
    this.#home = null;
    this.#router = next.then((router) => {
      this.#enter(router);
      return router;
    });
    // Whoever opens a transport learns of a failure; nobody else has to.
    this.#router.catch(() => undefined);
    this.#openings.send += 1;
    this.#openings.receive += 1;
    this.#drop();
    this.#observer.mediaLost(why);
  }

  speakers(levels: { streamId: string; level: number }[]): void {
    this.#observer.speakers(levels);
  }

  #enter(router: RoomRouter): void {
    if (this.#closed) return;
    this.#home = router;
    router.enter();
  }

  /** Closes both legs with all they carry; streams stay, without tracks. */
  #drop(): void {
    this.#closeLeg('send');
    this.#closeLeg('receive');
  }

  #closeLeg(direction: Direction): void {
    const leg = this.#legs.get(direction);
    this.#legs.delete(direction);
    if (direction === 'send') for (const stream of this.#streams.values()) stream.dropTracks();
    else for (const subscription of [...this.#subscriptions.values()]) subscription.close();
    leg?.close();
  }

  #onLost(leg: Leg): void {
    if (this.#legs.get(leg.direction) !== leg) return;
    this.#closeLeg(leg.direction);
    this.#observer.transportLost(leg.transport.id, leg.direction);
  }

  #leg(direction: Direction): Leg {
    this.#requireOpen();
    const leg = this.#legs.get(direction);
    if (!leg || leg.closed) throw new PlatformError('WrongState', { why: `no ${direction} transport is open` });
    return leg;
  }

  #legById(transportId: string): Leg {
    this.#requireOpen();
    for (const leg of this.#legs.values()) if (leg.transport.id === transportId && !leg.closed) return leg;
    throw new PlatformError('WrongState', { why: `transport ${transportId} is not open` });
  }

  #requireOpen(): void {
    if (this.#closed) throw new PlatformError('WrongState', { why: 'this client has left the room' });
  }

  #ownStream(streamId: string): PublishedStream {
    const own = this.#streams.get(streamId);
    if (own) return own;
    if (this.#room.streams.has(streamId)) {
      throw new PlatformError('WrongState', { why: `stream ${streamId} is another client's` });
    }
    const stream = new PublishedStream(streamId, this.#room.clock, {
      wanted: (wanted) => this.#observer.streamWanted(streamId, wanted),
      codecWanted: (mimeTypes) => this.#observer.codecWanted(streamId, mimeTypes),
      forwarded: (packets) => {
        this.#packetsBefore.received += packets;
      },
    });
    this.#streams.set(streamId, stream);
    this.#room.streams.set(streamId, stream);
    return stream;
  }

  async #watchBandwidth({ transport }: Leg): Promise<void> {
    const bandwidth = new Bandwidth({
      transport,
      clock: this.#room.clock,
      pictures: () => this.#pictures(),
      sounds: () => [...this.#subscriptions.values()].filter((each) => each.wants('audio')).length,
    });
    await checked(transport, () => bandwidth.start());
  }

  #pictures(): Picture[] {
    return [...this.#subscriptions.values()].flatMap((subscription) => {
      const track = subscription.picture;
      if (!track) return [];
      const { fallback, stream } = subscription;
      const changed: Picture['changed'] = (state) => this.#observer.subscriptionQuality(stream.id, state);
      return [{ track, fallback, changed, carry: () => void subscription.apply() }];
    });
  }
}

function alreadyThere(kind: MediaKind): PlatformError {
  return new PlatformError('WrongState', { why: `the stream has a track of the kind ${kind} and this codec already` });
}

async function listenTo(router: RoomRouter, producer: Producer): Promise<void> {
  if (producer.kind === 'audio') await router.listenTo(producer);
}
