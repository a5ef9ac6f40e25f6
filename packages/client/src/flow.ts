/**
 * Whether packets that came steadily over a transport have stopped. A browser says so by itself only after seven
 * seconds, and of another address of its own machine it says nothing at all.
 */
const steadyLooks = 5;
const quietMs = 300;

export class Flow {
  #received = 0;
  #grown = 0;
  #grewAt = 0;
  #quiet = false;

  /** Whether packets come all the time. */
  get steady(): boolean {
    return this.#grown >= steadyLooks;
  }

  /** Whether what came steadily has stopped, and nothing has come since. */
  get quiet(): boolean {
    return this.#quiet;
  }

  /**
   * Takes what a transport has received so far, of any unit that only grows.
   * @returns whether it has just now become quiet
   */
  look(received: number, nowMs: number): boolean {
    const grows = received > this.#received;
    this.#received = received;
    if (grows) {
      this.#grown += 1;
      this.#grewAt = nowMs;
      this.#quiet = false;
      return false;
    }
    if (nowMs - this.#grewAt < quietMs) return false;
    // What came only now and then may well pause.
    const { steady } = this;
    this.#grown = 0;
    this.#quiet ||= steady;
    return steady;
  }
}

interface Entry {
  readonly type: string;
  readonly bytesReceived?: number;
  readonly state?: string;
  readonly selectedCandidatePairId?: string;
}

/** Bytes that a transport has received, by the browser's own count; whatever else it is, media makes it grow. */
export function receivedBytes(stats: RTCStatsReport): number {
  let bytes = 0;
  for (const entry of stats.values() as Iterable<Entry>) {
    if (entry.type === 'transport' || entry.type === 'candidate-pair') bytes += entry.bytesReceived ?? 0;
  }
  return bytes;
}

/** Whether a pair of candidates that was not there before has been answered, and another one is in use. */
export function hasOtherWay(before: RTCStatsReport, now: RTCStatsReport): boolean {
  const entries = [...(now as unknown as Map<string, Entry>)];
  const used = entries.find(([, { type }]) => type === 'transport')?.[1].selectedCandidatePairId;
  if (used === undefined || !before.has(used)) return false;
  return entries.some(([id, { type, state }]) => type === 'candidate-pair' && state === 'succeeded' && !before.has(id));
}
