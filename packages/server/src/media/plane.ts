/** The media plane: its workers, its rooms, and what they can carry. */
import { PlatformError } from '@cloister/protocol';
import type { Journal, MediaPlane } from '../core/index.ts';
import type { Clock } from '../lib/index.ts';
import { Capacity } from './capacity.ts';
import { mediasoupVersion, onWorkerStderr } from './channel.ts';
import { asLost } from './refusal.ts';
import { Room } from './room.ts';
import { reportsSuites } from './self-check.ts';
import { WorkerPool } from './worker-pool.ts';

export interface MediaPlaneOptions {
  /** The media worker's program. */
  readonly workerBin: string;
  /** How many workers; one a core. */
  readonly workers: number;
  readonly address: {
    /** IP addresses to listen on, of both families. */
    readonly listen: readonly string[];
    /** The addresses or names that clients are told instead of those of their family. */
    readonly announced?: readonly string[];
  };
  /** UDP and TCP. The first ones are the workers', one each, which clients see; the rest is for pipes between workers. */
  readonly ports: { readonly min: number; readonly max: number };
  readonly journal: Journal;
  readonly clock: Clock;
  /** Streams that this node forwards at most; measured where it is left out. */
  readonly capacityStreams?: number;
}

/** Ports for pipes that a range must have beside the workers' own. */
const pipePortsMin = 16;

/**
 * Starts the workers and proves that they report the SRTP suite.
 * @throws PlatformError `ConfigInvalid` when the range of ports is too small, a port is taken or the worker does not start.
 */
export async function createMediaPlane(options: MediaPlaneOptions): Promise<Plane> {
  const { ports, workers } = options;
  if (ports.max - ports.min + 1 < workers + pipePortsMin) {
    const why = `the media ports ${ports.min} to ${ports.max} are fewer than ${workers + pipePortsMin}: one for each of ${workers} workers and ${pipePortsMin} for pipes between them`;
    throw new PlatformError('ConfigInvalid', { why });
  }
  const plane = new Plane(options);
  try {
    await plane.start();
  } catch (error) {
    await plane.close();
    const said = error instanceof Error ? error.message : String(error);
    throw new PlatformError('ConfigInvalid', { why: `the media workers did not start: ${said}` }, { cause: error });
  }
  return plane;
}

export class Plane implements MediaPlane {
  readonly pool: WorkerPool;
  readonly #options: MediaPlaneOptions;
  readonly #capacity: Capacity;
  /** The open rooms; null for one that is just being opened. */
  readonly #rooms = new Map<string, Room | null>();
  #reportsSuites = false;
  #closed = false;

  constructor(options: MediaPlaneOptions) {
    this.#options = options;
    this.pool = new WorkerPool({
      ...options,
      onLost: (worker, why) => {
        for (const room of this.#rooms.values()) room?.workerLost(worker, why);
      },
    });
    this.#capacity = new Capacity(() => this.pool.running.map(({ load }) => load), options.capacityStreams);
  }

  async start(): Promise<void> {
    const { journal } = this.#options;
    onWorkerStderr((line) => journal.record('error', 'A media worker wrote to its standard error', { line }));
    await this.pool.start();
    const [first] = this.pool.running;
    this.#reportsSuites = first ? await reportsSuites(first.worker, first.watch, this.pool.pipePorts) : false;
    if (this.#reportsSuites) return;
    journal.record('error', 'The media worker does not report SRTP suites: AES-256 cannot be required');
  }

  get reportsSuites(): boolean {
    return this.#reportsSuites;
  }

  get versions(): { worker: string; openssl: string } {
    return { worker: mediasoupVersion, openssl: this.pool.openssl };
  }

  async openRoom(roomId: string): Promise<Room> {
    if (this.#closed) throw new PlatformError('Stopping');
    if (this.#rooms.has(roomId)) throw new PlatformError('WrongState', { why: `the room ${roomId} is open already` });
    const { clock, journal } = this.#options;
    this.#rooms.set(roomId, null);
    try {
      const onClosed = (): void => {
        this.#rooms.delete(roomId);
      };
      const room = await asLost(Room.open({ pool: this.pool, capacity: this.#capacity, clock, journal, onClosed }));
      this.#rooms.set(roomId, room);
      return room;
    } catch (error) {
      this.#rooms.delete(roomId);
      throw error;
    }
  }

  capacity(): { used: number; limit: number } {
    return { used: this.#capacity.used, limit: this.#capacity.limit };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const room of [...this.#rooms.values()]) room?.close();
    await this.pool.close();
  }
}
