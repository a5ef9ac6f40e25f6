/** Streams of one archive that could not be recorded, and when each is tried again. */
import { limits } from '@cloister/protocol';
import type { Cancel, Clock } from '../lib/index.ts';

export class LostStreams {
  /** By stream: how often it was tried; how to end its wait, null while it is tried. */
  readonly #lost = new Map<string, { readonly tries: number; cancel: Cancel | null }>();
  #ever = false;

  /** Whether any was lost since the archive began. */
  get ever(): boolean {
    return this.#ever;
  }

  /** Whether a stream is not to be tried yet. */
  waits(streamId: string): boolean {
    return Boolean(this.#lost.get(streamId)?.cancel);
  }

  /**
   * A stream was not recorded: `again` is called when it may be tried once more, each time twice as late.
   * @returns whether that is new of it
   */
  lose(streamId: string, clock: Clock, again: () => void): boolean {
    this.#ever = true;
    const tries = this.#lost.get(streamId)?.tries ?? 0;
    const seconds = Math.min(limits.archiveStreamWaitSeconds * 2 ** tries, limits.archiveStreamWaitSecondsMax);
    const entry = { tries: tries + 1, cancel: null as Cancel | null };
    entry.cancel = clock.after(seconds * 1000, () => {
      entry.cancel = null;
      again();
    });
    this.#lost.set(streamId, entry);
    return tries === 0;
  }

  /** A stream is recorded. @returns whether it was lost before */
  found(streamId: string): boolean {
    return this.#lost.delete(streamId);
  }

  /** Nobody wants a stream any more. */
  forget(streamId: string): void {
    this.#lost.get(streamId)?.cancel?.();
    this.#lost.delete(streamId);
  }

  clear(): void {
    for (const streamId of [...this.#lost.keys()]) this.forget(streamId);
  }
}
