/** One router of a room, on one worker, with the pipes that lead from it to the room's other routers. */
import type { AudioLevelObserver, Producer, Router } from 'mediasoup/types';
import { routerCodecs } from './codecs.ts';
import { Pipe, type PortRange } from './pipe.ts';
import type { MediaWorker } from './worker-pool.ts';

/** Level of one producer in dBov: 0 loudest, -127 silence. */
export interface Level {
  readonly producerId: string;
  readonly level: number;
}

const levelEntries = 16;
const levelThresholdDb = -70;
const levelIntervalMs = 400;

export class RoomRouter {
  readonly worker: MediaWorker;
  readonly router: Router;
  #peers = 0;
  #consumers = 0;
  readonly #levels: AudioLevelObserver;
  readonly #pipePorts: PortRange;
  readonly #pipes = new Map<RoomRouter, Promise<Pipe>>();

  private constructor(worker: MediaWorker, router: Router, levels: AudioLevelObserver, pipePorts: PortRange) {
    this.worker = worker;
    this.router = router;
    this.#levels = levels;
    this.#pipePorts = pipePorts;
  }

  /** @param onLevels told the levels of this router's own producers, loudest first; empty when all are silent. */
  static async open(
    worker: MediaWorker,
    pipePorts: PortRange,
    onLevels: (levels: Level[]) => void,
  ): Promise<RoomRouter> {
    // Counted before it is there, so that rooms that open at once spread over the workers.
    worker.load.routers += 1;
    const [router, observer] = await createRouter(worker).catch((error) => {
      worker.load.routers -= 1;
      throw error;
    });
    observer.on('volumes', (volumes) =>
      onLevels(volumes.map(({ producer, volume }) => ({ producerId: producer.id, level: volume }))),
    );
    observer.on('silence', () => onLevels([]));
    return new RoomRouter(worker, router, observer, pipePorts);
  }

  get alive(): boolean {
    return this.worker.alive && !this.router.closed;
  }

  /** Clients that have this router. */
  get peers(): number {
    return this.#peers;
  }

  enter(): void {
    this.#peers += 1;
    this.worker.load.peers += 1;
  }

  leave(): void {
    this.#peers -= 1;
    this.worker.load.peers -= 1;
  }

  /** Tracks that go from this router to clients and taps. */
  get consumers(): number {
    return this.#consumers;
  }

  /**
   * Counts a track to a client or a tap in, here and on the worker.
   * @returns how to count it out, once.
   */
  countIn(): () => void {
    const release = this.worker.load.add(1);
    let open = true;
    this.#consumers += 1;
    return () => {
      if (!open) return;
      open = false;
      release();
      this.#consumers -= 1;
    };
  }

  /** Listens to the level of an audio producer of this router. */
  async listenTo(producer: Producer): Promise<void> {
    await this.#levels.addProducer({ producerId: producer.id });
  }

  /** The pipe to another router; made when first asked for, and again after it was lost. */
  async pipeTo(other: RoomRouter): Promise<Pipe> {
    const made = this.#pipes.get(other);
    if (made) {
      const pipe = await made;
      if (!pipe.closed) return pipe;
      if (this.#pipes.get(other) !== made) return this.pipeTo(other);
    }
    const making = Pipe.open(this.router, other.router, this.#pipePorts);
    this.#pipes.set(other, making);
    making.catch(() => {
      if (this.#pipes.get(other) === making) this.#pipes.delete(other);
    });
    return making;
  }

  close(): void {
    this.#pipes.clear();
    if (!this.router.closed) this.worker.load.routers -= 1;
    this.router.close();
  }
}

async function createRouter({ worker }: MediaWorker): Promise<[Router, AudioLevelObserver]> {
  const router = await worker.createRouter({ mediaCodecs: [...routerCodecs] });
  const observer = await router.createAudioLevelObserver({
    maxEntries: levelEntries,
    threshold: levelThresholdDb,
    interval: levelIntervalMs,
  });
  return [router, observer];
}
