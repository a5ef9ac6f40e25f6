/** One stream on its way in from its publisher: asked for, its tracks received, and again when their pair is built anew. */
import type { EventData, EventName, MediaKind } from '@cloister/protocol';
import { limits } from '@cloister/protocol/limits';
import { asOtError, errorFromBody, OtError } from '../errors.ts';
import type { Incoming, IncomingObserver, Preferred, Wanted } from '../incoming.ts';
import type { Link, LinkedStream } from '../link.ts';
import { log } from '../log.ts';
import type { Stream } from '../stream.ts';
import type { Mesh, Sink } from './mesh.ts';
import type { PeerReceiver } from './peer.ts';

const startMs = 15_000;
const noReason = { code: 'SuiteRefused', message: 'The server refused this leg', help: '' };

export class RelayedIncoming implements LinkedStream, Incoming, Sink {
  readonly streamId: string;
  readonly connectionId: string;
  readonly #link: Link;
  readonly #mesh: Mesh;
  readonly #wanted: () => Wanted;
  readonly #observer: IncomingObserver;
  readonly #receivers = new Map<MediaKind, PeerReceiver>();
  #asked: Promise<unknown> = Promise.resolve();
  /** Settled when its media comes for the first time, or cannot; null from then on. */
  #starting: PromiseWithResolvers<void> | null = Promise.withResolvers();
  /** Whether an end has reported the leg of its connection. */
  #secured = false;
  #connected = false;
  #cancelPatience: (() => void) | null = null;
  #ended = false;

  constructor(link: Link, mesh: Mesh, stream: Stream, wanted: () => Wanted, observer: IncomingObserver) {
    this.streamId = stream.streamId;
    this.connectionId = stream.connection.connectionId;
    this.#link = link;
    this.#mesh = mesh;
    this.#wanted = wanted;
    this.#observer = observer;
  }

  receiver(kind: MediaKind): PeerReceiver | null {
    return this.#receivers.get(kind) ?? null;
  }

  /** Asks for the stream; resolves when its media comes, rejects with the typed refusal. */
  async start(): Promise<void> {
    this.#link.incoming.add(this);
    // The publisher may be faster than the answer.
    this.#mesh.expect(this);
    const started = this.#starting?.promise;
    started?.catch(() => undefined);
    try {
      const { audio, video, preferred } = this.#wanted();
      const wish = { streamId: this.streamId, rtpCapabilities: {}, audio, video, ...(preferred ? { preferred } : {}) };
      this.#asked = this.#link.wire.request('subscribe', wish);
      await this.#asked;
      this.#await(startMs, 'The connection with the publisher was not made in time; check that UDP leads to it');
      await started;
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
    this.#starting?.reject(new OtError('OT_STREAM_DESTROYED', 'The subscription was ended before it stood'));
    this.#cancelPatience?.();
    this.#link.incoming.delete(this);
    this.#receivers.clear();
    this.#mesh.forget(this);
    if (this.#link.closedBy || !this.#link.streams.has(this.streamId)) return;
    // Where the server refused it there is nothing to end.
    this.#asked
      .then(() => this.#link.wire.request('unsubscribe', { streamId: this.streamId }))
      .catch((error: unknown) => log.debug('The subscription was gone already', error));
  }

  /** Tells the publisher what is wanted now. Rejects with the server's refusal. */
  async update(change: { audio?: boolean; video?: boolean; preferred?: Preferred | null }): Promise<void> {
    await this.#asked.catch(() => undefined);
    if (!this.#ended) await this.#link.wire.request('updateSubscription', { streamId: this.streamId, ...change });
  }

  event<Name extends EventName>(name: Name, data: EventData<Name>): void {
    if (this.#ended) return;
    if (name === 'leg') {
      const { between, state, error } = data as EventData<'leg'>;
      if (between?.publisherId !== this.connectionId) return;
      if (state === 'refused') {
        this.failed(errorFromBody(error ?? noReason, 'OT_MEDIA_SUITE_REFUSED'));
        return;
      }
      this.#secured = true;
      this.#settle();
    }
    this.#observer.event(name, data);
  }

  /** The connection over which it came is gone; its publisher sends it again over the next. */
  rebuild(): void {
    if (this.#ended) return;
    this.#receivers.clear();
    this.#secured = false;
    if (!this.#connected) return;
    this.#connected = false;
    this.#observer.disconnected();
    this.#await(limits.resumeSeconds * 1000, 'The connection with the publisher did not come back in time');
  }

  // -------------------------------------------------------------------------------------------------------- for the mesh

  received(kind: MediaKind, receiver: PeerReceiver): void {
    if (this.#ended) return;
    this.#receivers.set(kind, receiver);
    this.#observer.track(kind, receiver.track);
    this.#settle();
  }

  understood(understood: boolean): void {
    if (this.#ended) return;
    // It stands, though nothing of it can be seen: it is shown when the two have one secret.
    if (!understood) {
      this.#cancelPatience?.();
      this.#starting?.resolve();
      this.#starting = null;
    }
    this.#observer.understood(understood);
  }

  lost(): void {
    this.rebuild();
  }

  failed(error: OtError): void {
    if (this.#ended) return;
    this.#cancelPatience?.();
    // Whoever waits for `start` learns of it there.
    if (this.#starting) this.#starting.reject(error);
    else this.#observer.failed(error);
  }

  /** It stands once a track is there and its connection is up, by the word of one end. */
  #settle(): void {
    if (this.#connected || !this.#secured || this.#receivers.size === 0) return;
    this.#connected = true;
    this.#cancelPatience?.();
    this.#starting?.resolve();
    this.#starting = null;
    this.#observer.connected();
  }

  #await(ms: number, sentence: string): void {
    if (this.#connected) return;
    this.#cancelPatience?.();
    this.#cancelPatience = this.#link.clock.after(ms, () =>
      this.failed(new OtError('OT_ICE_WORKFLOW_FAILED', sentence)),
    );
  }
}
