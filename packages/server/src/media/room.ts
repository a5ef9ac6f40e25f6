/**
 * The media of one session. It begins with one router on the least loaded worker and takes more, on other workers, as it
 * grows; clients are never moved except when their worker is lost.
 */
import { limits, PlatformError, type RtpCapabilities } from '@cloister/protocol';
import type { Journal, MediaPeer, MediaRoom, PeerObserver, StreamTap } from '../core/index.ts';
import type { Clock } from '../lib/index.ts';
import type { Capacity } from './capacity.ts';
import { Peer } from './peer.ts';
import { choosePlace } from './placing.ts';
import { asLost, refusalOf } from './refusal.ts';
import { type Level, RoomRouter } from './room-router.ts';
import type { PublishedStream } from './stream.ts';
import { Tap } from './tap.ts';
import type { SenderReport } from './track.ts';
import type { MediaWorker, WorkerPool } from './worker-pool.ts';

export interface RoomParts {
  readonly pool: WorkerPool;
  readonly capacity: Capacity;
  readonly clock: Clock;
  readonly journal: Journal;
  onClosed(): void;
}

export class Room implements MediaRoom {
  readonly peers = new Set<Peer>();
  readonly streams = new Map<string, PublishedStream>();
  readonly clock: Clock;
  readonly capacity: Capacity;
  readonly #parts: RoomParts;
  readonly #opening = new Map<MediaWorker, Promise<RoomRouter>>();
  readonly #routers = new Set<RoomRouter>();
  readonly #levels = new Map<RoomRouter, readonly Level[]>();
  readonly #taps = new Set<Tap>();
  #rtpCapabilities: RtpCapabilities = {};
  #closed = false;

  private constructor(parts: RoomParts) {
    this.#parts = parts;
    this.clock = parts.clock;
    this.capacity = parts.capacity;
  }

  /** Opens a room with its first router. */
  static async open(parts: RoomParts): Promise<Room> {
    const room = new Room(parts);
    const first = await asLost(room.#place());
    room.#rtpCapabilities = first.router.rtpCapabilities as RtpCapabilities;
    return room;
  }

  get rtpCapabilities(): RtpCapabilities {
    return this.#rtpCapabilities;
  }

  /** The routers that the room has now. For the inspector and tests. */
  get routers(): readonly RoomRouter[] {
    return [...this.#routers].filter((router) => router.alive);
  }

  async join(connectionId: string, observer: PeerObserver): Promise<MediaPeer> {
    this.capacity.require(1);
    const router = await asLost(this.#place());
    const peer = new Peer(connectionId, this, router, observer);
    this.peers.add(peer);
    return peer;
  }

  async tap(streamId: string): Promise<StreamTap> {
    const stream = this.streams.get(streamId);
    if (!stream) throw new PlatformError('StreamNotFound', { streamId });
    if (this.#taps.size >= limits.tapsPerRoom) {
      throw new PlatformError('LimitReached', { limit: 'tapsPerRoom', value: limits.tapsPerRoom });
    }
    const tap = new Tap({
      stream,
      capacity: this.capacity,
      onAddFailed: (error) => {
        const { code, message } = refusalOf(error);
        const fields = { streamId, code, error: message };
        this.#parts.journal.record('warn', 'A tap could not be given a track that was added', fields);
      },
      onClosed: () => this.#taps.delete(tap),
    });
    this.#taps.add(tap);
    return tap;
  }

  /** The publisher's own sender reports of a stream, the last one of each encoding. */
  senderReports(streamId: string): SenderReport[] {
    return this.streams.get(streamId)?.senderReports ?? [];
  }

  /** Notes that a client could not be given a track that came after it had subscribed. */
  complain(connectionId: string, streamId: string, { code, message }: PlatformError): void {
    this.#parts.journal.record('warn', 'A subscriber could not be given a track that was added', {
      connectionId,
      streamId,
      code,
      error: message,
    });
  }

  /** A worker is gone: those who were on it move, nobody else notices more than that their streams stop. */
  workerLost(worker: MediaWorker, why: string): void {
    this.#opening.delete(worker);
    for (const router of [...this.#routers]) {
      if (router.worker !== worker) continue;
      this.#routers.delete(router);
      this.#levels.delete(router);
    }
    // Not all at once onto the workers that are left, when the replacement is as good as there.
    const whole = this.#parts.pool.whole();
    for (const peer of [...this.peers]) {
      if (peer.home?.worker === worker)
        peer.moveTo(
          whole.then(() => this.#place()),
          why,
        );
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const peer of [...this.peers]) peer.close();
    for (const router of this.#routers) router.close();
    this.#routers.clear();
    this.#parts.onClosed();
  }

  async #place(): Promise<RoomRouter> {
    const { pool } = this.#parts;
    for (;;) {
      await pool.ready();
      if (this.#closed || pool.running.length === 0) throw new PlatformError('MediaLost');
      const place = choosePlace(this.routers, pool.running);
      if (!place) throw new PlatformError('MediaLost');
      const router = 'router' in place ? place.router : await this.#openOn(place.worker);
      if (router?.alive) return router;
    }
  }

  /** @returns null when the worker was lost over it. */
  #openOn(worker: MediaWorker): Promise<RoomRouter | null> {
    const opening =
      this.#opening.get(worker) ??
      RoomRouter.open(worker, this.#parts.pool.pipePorts, (levels) => this.#onLevels(worker, levels)).then((router) => {
        if (this.#closed) router.close();
        else if (router.alive) this.#routers.add(router);
        return router;
      });
    this.#opening.set(worker, opening);
    return opening.catch((error) => {
      this.#opening.delete(worker);
      if (worker.alive) throw error;
      return null;
    });
  }

  #onLevels(worker: MediaWorker, levels: readonly Level[]): void {
    const router = this.routers.find((each) => each.worker === worker);
    if (!router) return;
    this.#levels.set(router, levels);
    const streamIds = new Map<string, string>();
    for (const stream of this.streams.values()) {
      const audio = stream.tracks.get('audio');
      if (audio) streamIds.set(audio.producer.id, stream.id);
    }
    const loudest = [...this.#levels.values()]
      .flat()
      .flatMap(({ producerId, level }) => {
        const streamId = streamIds.get(producerId);
        return streamId === undefined ? [] : [{ streamId, level }];
      })
      .sort((a, b) => b.level - a.level);
    for (const peer of this.peers) peer.speakers(loudest);
  }
}
