/**
 * How much media a node carries, in streams forwarded: one for each track that goes to a client, to a tap or through a
 * pipe.
 *
 * The rule, worker by worker (a worker is one thread and can fill one core):
 * - Until it has been seen at work a worker is taken to carry `streamsPerWorker`.
 * - Once it is at least `busyTrusted` busy with at least `forwardedTrusted` streams, what it was measured to need for a
 *   stream says how many it can carry at `busyMax`. The figure follows slowly, so one odd second does not move it.
 * - A worker that is busier than `busyRefuse` takes nothing new for the moment, whatever the figures say; so does one with
 *   at least `forwardedTrusted` streams to lose that takes longer than `answerMsRefuse` to answer, since its queue is long
 *   or other programs hold its core.
 * The node's limit is the sum of its workers', or what the operator set. A join is refused when not one stream more would
 * fit, a subscription when its own tracks do not. Tracks are counted from the moment they are asked for.
 */
import { limits, PlatformError } from '@cloister/protocol';

export const busyTrusted = 0.25;
export const busyMax = 0.7;
export const busyRefuse = 0.85;
export const answerMsRefuse = 500;
export const forwardedTrusted = 50;
// Weight of the newest second in the running figures.
const newest = 0.2;

/** What one worker said of itself. */
export interface WorkerSample {
  readonly atMs: number;
  /** CPU time of the worker since it started, user and system. */
  readonly cpuMs: number;
  /** How long it took to say so. */
  readonly answerMs: number;
}

/** The load of one worker. */
export class WorkerLoad {
  /** Clients and routers on the worker. */
  peers = 0;
  routers = 0;
  #forwarded = 0;
  #busy = 0;
  #answerMs = 0;
  #measured: number;
  #last: WorkerSample | null = null;

  /** @param measured what the worker's place was measured to carry before. */
  constructor(measured: number = limits.streamsPerWorker) {
    this.#measured = measured;
  }

  /**
   * For choosing the least loaded worker: what it forwards, and what its clients and rooms that have just come will
   * make it forward.
   */
  get weight(): number {
    return this.#forwarded + 2 * this.peers + this.routers;
  }

  /** Streams forwarded or about to be. */
  get forwarded(): number {
    return this.#forwarded;
  }

  /** Share of one core in use, 0 to 1, over the last seconds. */
  get busy(): number {
    return this.#busy;
  }

  /** Streams that this worker can carry. */
  get limit(): number {
    return Math.floor(this.#measured);
  }

  /** Whether the worker takes nothing new for the moment. */
  get full(): boolean {
    return this.#busy >= busyRefuse || (this.#answerMs >= answerMsRefuse && this.#forwarded >= forwardedTrusted);
  }

  /**
   * Counts streams in.
   * @returns how to count them out again, once.
   */
  add(count: number): () => void {
    this.#forwarded += count;
    let open = true;
    return () => {
      if (open) this.#forwarded -= count;
      open = false;
    };
  }

  /** Takes one sample; samples closer than half a second to the last one only count for the time of the answer. */
  sample(sample: WorkerSample): void {
    this.#answerMs += newest * (sample.answerMs - this.#answerMs);
    const last = this.#last;
    if (last && sample.atMs - last.atMs < 500) return;
    this.#last = sample;
    if (!last) return;
    const busy = (sample.cpuMs - last.cpuMs) / (sample.atMs - last.atMs);
    this.#busy += 2 * newest * (busy - this.#busy);
    if (this.#busy < busyTrusted || this.#forwarded < forwardedTrusted) return;
    this.#measured += newest * ((this.#forwarded * busyMax) / this.#busy - this.#measured);
  }
}

/** The capacity of a node, over its workers. */
export class Capacity {
  readonly #loads: () => readonly WorkerLoad[];
  readonly #fixed: number | undefined;

  /** @param fixed streams that the operator allows, instead of what is measured. */
  constructor(loads: () => readonly WorkerLoad[], fixed?: number) {
    this.#loads = loads;
    this.#fixed = fixed;
  }

  get used(): number {
    return this.#loads().reduce((sum, load) => sum + load.forwarded, 0);
  }

  get limit(): number {
    return this.#fixed ?? this.#loads().reduce((sum, load) => sum + load.limit, 0);
  }

  /**
   * Asks for room for `count` streams more.
   * @throws PlatformError `CapacityReached`
   */
  require(count: number): void {
    const loads = this.#loads();
    const full = loads.length > 0 && loads.every((load) => load.full);
    if (full || this.used + count > this.limit) throw new PlatformError('CapacityReached');
  }
}
