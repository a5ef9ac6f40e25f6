/**
 * One stream on its way in: asked for, its tracks received, allowed by the server, and built again when its transport
 * is lost.
 */
import type { Answer, ConsumerOffer, EventData, EventName, MediaKind } from '@cloister/protocol';
import { limits } from '@cloister/protocol/limits';
import { Builds } from './builds.ts';
import { asOtError, OtError } from './errors.ts';
import type { Link, LinkedStream } from './link.ts';
import { log } from './log.ts';
import type { Receiver } from './media.ts';
import type { Stream } from './stream.ts';

export interface Preferred {
  width?: number;
  height?: number;
  frameRate?: number;
}

/** What a subscriber wants at the moment it is asked. */
export interface Wanted {
  readonly audio: boolean;
  readonly video: boolean;
  readonly preferred: Preferred | null;
}

export interface IncomingObserver {
  /** A track came, or another took the place of one. */
  track(kind: MediaKind, track: MediaStreamTrack): void;
  /** Media is let through: at first, and again after it had been lost. */
  connected(): void;
  /** Its media was lost and is being built again. */
  disconnected(): void;
  failed(error: OtError): void;
  /** Its frames can be understood, or cannot, since its publisher has another secret. Told when it changes. */
  understood(understood: boolean): void;
  /** Events of the server about this stream. */
  event<Name extends EventName>(name: Name, data: EventData<Name>): void;
}

/** What a subscriber does with a stream, wherever that comes from. */
export interface Incoming {
  receiver(kind: MediaKind): Pick<Receiver, 'rtpReceiver' | 'getStats'> | null;
  start(): Promise<void>;
  stop(): void;
  update(change: { audio?: boolean; video?: boolean; preferred?: Preferred | null }): Promise<void>;
}

export class IncomingStream implements LinkedStream, Incoming {
  readonly streamId: string;
  readonly #link: Link;
  readonly #wanted: () => Wanted;
  readonly #observer: IncomingObserver;
  readonly #receivers = new Map<MediaKind, Receiver>();
  readonly #builds = new Builds();
  #ended = false;

  constructor(link: Link, stream: Stream, wanted: () => Wanted, observer: IncomingObserver) {
    this.streamId = stream.streamId;
    this.#link = link;
    this.#wanted = wanted;
    this.#observer = observer;
  }

  receiver(kind: MediaKind): Receiver | null {
    return this.#receivers.get(kind) ?? null;
  }

  /** Asks for the stream; resolves when the server lets it through, rejects with its typed refusal. */
  async start(): Promise<void> {
    this.#link.incoming.add(this);
    try {
      await this.#builds.begin((signal) => this.#build(signal));
    } catch (error) {
      if (this.#ended) throw new OtError('OT_STREAM_DESTROYED', 'The subscription was ended before it stood');
      this.stop();
      throw asOtError(error, 'OT_CREATE_PEER_CONNECTION_FAILED');
    }
  }

  /** Ends the subscription; nothing is told to the observer any more. */
  stop(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#builds.stop();
    this.#link.incoming.delete(this);
    this.#closeAll();
    this.#link.encryption?.forget(this.streamId);
    if (this.#link.closedBy || !this.#link.streams.has(this.streamId)) return;
    this.#link.wire
      .request('unsubscribe', { streamId: this.streamId })
      .catch((error: unknown) => log.debug('The subscription was gone already', error));
  }

  /** Tells the server what is wanted now. Rejects with its refusal. */
  async update(change: { audio?: boolean; video?: boolean; preferred?: Preferred | null }): Promise<void> {
    await this.#builds.settled().catch(() => undefined);
    if (!this.#ended) await this.#link.wire.request('updateSubscription', { streamId: this.streamId, ...change });
  }

  understood(understood: boolean): void {
    if (!this.#ended) this.#observer.understood(understood);
  }

  event<Name extends EventName>(name: Name, data: EventData<Name>): void {
    if (this.#ended) return;
    const told = { name, data } as { [Each in EventName]: { name: Each; data: EventData<Each> } }[EventName];
    if (told.name === 'consumersAdded') {
      this.#add(told.data.consumers).catch((error: unknown) => {
        if (!this.#ended) this.#observer.failed(asOtError(error, 'OT_CREATE_PEER_CONNECTION_FAILED'));
      });
    }
    this.#observer.event(name, data);
  }

  rebuild(): void {
    if (this.#ended) return;
    this.#closeAll();
    this.#observer.disconnected();
    const patience = { clock: this.#link.clock, seconds: limits.resumeSeconds };
    this.#builds
      .again((signal) => this.#buildAgain(signal), patience)
      .catch((error: unknown) => {
        if (!this.#ended) this.#observer.failed(asOtError(error, 'OT_ICE_WORKFLOW_FAILED'));
      });
  }

  // -------------------------------------------------------------------------------------------------------- building

  async #build(signal: AbortSignal): Promise<void> {
    this.#link.forgetLeg(this.streamId, 'receive');
    // Asked for together: the server answers in order, so the transport is there when the subscription needs it.
    const [, { consumers }] = await Promise.all([this.#link.media.ready('receive'), this.#subscribe(signal)]);
    signal.throwIfAborted();
    await this.#receive(consumers);
    signal.throwIfAborted();
    await this.#link.wire.request('resumeSubscription', { streamId: this.streamId });
    // A stream without any track has no leg to wait for; the server tells of tracks that come later.
    if (consumers.length > 0) await this.#link.legAllowed(this.streamId, 'receive', signal);
    if (this.#ended) return;
    this.#observer.connected();
    if (this.#link.encryption?.understands(this.streamId) === false) this.#observer.understood(false);
  }

  async #subscribe(signal: AbortSignal): Promise<Answer<'subscribe'>> {
    const [device] = await Promise.all([this.#link.media.device(), this.#link.encryption?.ready()]);
    signal.throwIfAborted();
    const { audio, video, preferred } = this.#wanted();
    return this.#link.wire.request('subscribe', {
      streamId: this.streamId,
      rtpCapabilities: device.recvRtpCapabilities,
      audio,
      video,
      ...(preferred ? { preferred } : {}),
    });
  }

  async #buildAgain(signal: AbortSignal): Promise<void> {
    try {
      await this.#build(signal);
    } catch (error) {
      if (signal.aborted) throw error;
      // The server may hold half of it; the next attempt begins from nothing.
      this.#closeAll();
      await this.#link.wire.request('unsubscribe', { streamId: this.streamId }).catch(() => undefined);
      throw error;
    }
  }

  async #add(consumers: ConsumerOffer[]): Promise<void> {
    await this.#builds.settled().catch(() => undefined);
    if (this.#ended) return;
    await this.#receive(consumers);
    if (!this.#ended) await this.#link.wire.request('resumeSubscription', { streamId: this.streamId });
  }

  async #receive(consumers: ConsumerOffer[]): Promise<void> {
    await Promise.all(
      consumers.map(async (offer) => {
        if (this.#ended || this.#receivers.get(offer.kind)?.id === offer.consumerId) return;
        const receiver = await this.#link.media.receive(offer, this.streamId);
        if (this.#ended) return receiver.close();
        const before = this.#receivers.get(offer.kind);
        this.#receivers.set(offer.kind, receiver);
        this.#observer.track(offer.kind, receiver.track);
        before?.close();
      }),
    );
  }

  #closeAll(): void {
    for (const receiver of this.#receivers.values()) receiver.close();
    this.#receivers.clear();
  }
}
