/** One stream on its way in from its publisher: asked for, its tracks received, and received again when their pair is built anew. */
import type { EventData, EventName, MediaKind } from '@cloister/protocol';
import { limits } from '@cloister/protocol/limits';
import { asOtError, OtError } from '../errors.ts';
import type { Incoming, IncomingObserver, Preferred, Wanted } from '../incoming.ts';
import type { Link, LinkedStream } from '../link.ts';
import { log } from '../log.ts';
import type { Stream } from '../stream.ts';
import type { Mesh, Sink } from './mesh.ts';
import type { PeerReceiver } from './peer.ts';

export class RelayedIncoming implements LinkedStream, Incoming, Sink {
  readonly streamId: string;
  readonly connectionId: string;
  readonly #link: Link;
  readonly #mesh: Mesh;
  readonly #wanted: () => Wanted;
  readonly #observer: IncomingObserver;
  readonly #receivers = new Map<MediaKind, PeerReceiver>();
  #work = new AbortController();
  /** Resolved by the first track of a connection. */
  #arrived = Promise.withResolvers<void>();
  #asked: Promise<unknown> = Promise.resolve();
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
    try {
      const { audio, video, preferred } = this.#wanted();
      const wish = { streamId: this.streamId, rtpCapabilities: {}, audio, video, ...(preferred ? { preferred } : {}) };
      this.#asked = this.#link.wire.request('subscribe', wish);
      await this.#asked;
      await this.#connected(this.#work.signal);
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
    this.#work.abort();
    this.#cancelPatience?.();
    this.#link.incoming.delete(this);
    this.#receivers.clear();
    this.#mesh.forget(this);
    if (this.#link.closedBy || !this.#link.streams.has(this.streamId)) return;
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
    if (!this.#ended) this.#observer.event(name, data);
  }

  /** The connection over which it came is gone; its publisher sends it again over the next. */
  rebuild(): void {
    if (this.#ended) return;
    this.#work.abort();
    const work = new AbortController();
    this.#work = work;
    this.#receivers.clear();
    this.#arrived = Promise.withResolvers();
    this.#link.forgetLeg(this.streamId, 'receive');
    this.#observer.disconnected();
    this.#cancelPatience ??= this.#link.clock.after(limits.resumeSeconds * 1000, () =>
      this.failed(new OtError('OT_ICE_WORKFLOW_FAILED', 'The connection with the publisher did not come back in time')),
    );
    this.#connected(work.signal).catch((error: unknown) => log.debug('The stream is not back yet', error));
  }

  // -------------------------------------------------------------------------------------------------------- for the mesh

  received(kind: MediaKind, receiver: PeerReceiver): void {
    if (this.#ended) return;
    this.#receivers.set(kind, receiver);
    this.#observer.track(kind, receiver.track);
    this.#arrived.resolve();
  }

  lost(): void {
    this.rebuild();
  }

  failed(error: OtError): void {
    if (this.#ended) return;
    this.#arrived.reject(error);
    this.#cancelPatience?.();
    this.#observer.failed(error);
  }

  async #connected(signal: AbortSignal): Promise<void> {
    const arrived = this.#arrived.promise;
    arrived.catch(() => undefined);
    await Promise.all([this.#link.legAllowed(this.streamId, 'receive', signal), arrived]);
    if (this.#ended || signal.aborted) return;
    this.#cancelPatience?.();
    this.#cancelPatience = null;
    this.#observer.connected();
  }
}
