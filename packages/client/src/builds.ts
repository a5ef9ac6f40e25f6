import type { Clock } from './clock.ts';

const firstWaitMs = 250;
const longestWaitMs = 4000;

/** Refusals that another attempt would meet again. */
const final = new Set([
  'OT_DISCONNECTED',
  'OT_INVALID_PARAMETER',
  'OT_MEDIA_SUITE_REFUSED',
  'OT_NOT_CONNECTED',
  'OT_NOT_SUPPORTED',
  'OT_PERMISSION_DENIED',
  'OT_STREAM_DESTROYED',
  'OT_STREAM_NOT_FOUND',
  'OT_UNSUPPORTED_BROWSER',
]);

/** Work that is begun anew when what it builds on is lost: only the newest attempt counts. */
export class Builds {
  #newest: { readonly done: Promise<void>; readonly abort: AbortController } | null = null;

  /** Begins an attempt; an older one is told to stop. */
  begin(build: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.#newest?.abort.abort();
    const abort = new AbortController();
    const done = build(abort.signal);
    done.catch(() => undefined);
    this.#newest = { done, abort };
    return this.settled();
  }

  /**
   * Begins what stood before and was lost: tries again with growing waits until `seconds` are over, since the server
   * may itself be putting its media together again.
   */
  again(build: (signal: AbortSignal) => Promise<void>, { clock, seconds }: { clock: Clock; seconds: number }) {
    return this.begin(async (signal) => {
      const end = clock.now() + seconds * 1000;
      for (let wait = firstWaitMs; ; wait = Math.min(longestWaitMs, wait * 2)) {
        try {
          await build(signal);
          return;
        } catch (error) {
          const hopeless = error instanceof Error && final.has(error.name);
          if (signal.aborted || hopeless || clock.now() + wait > end) throw error;
        }
        await new Promise<void>((resolve) => void clock.after(wait, resolve));
        signal.throwIfAborted();
      }
    });
  }

  /** Settles as the newest attempt does, also when that is begun only while one waits. */
  async settled(): Promise<void> {
    for (;;) {
      const waited = this.#newest;
      try {
        await waited?.done;
      } catch (error) {
        if (waited === this.#newest) throw error;
      }
      if (waited === this.#newest) return;
    }
  }

  stop(): void {
    this.#newest?.abort.abort();
  }
}
