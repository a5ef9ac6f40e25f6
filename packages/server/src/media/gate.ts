/** Opens and closes the flow of a producer or consumer. The worker obeys in the order in which it is told. */
import type { Consumer, Producer } from 'mediasoup/types';

export class Gate {
  readonly #flow: Pick<Producer | Consumer, 'pause' | 'resume' | 'closed'>;
  #open: boolean;
  #done: Promise<void> = Promise.resolve();

  /** @param open how the flow was made. */
  constructor(flow: Producer | Consumer, open: boolean) {
    this.#flow = flow;
    this.#open = open;
  }

  get open(): boolean {
    return this.#open;
  }

  /** Resolves when the worker has done it, or has lost the flow, which then carries nothing either. */
  set(open: boolean): Promise<void> {
    if (open === this.#open || this.#flow.closed) return this.#done;
    this.#open = open;
    this.#done = (open ? this.#flow.resume() : this.#flow.pause()).catch(() => undefined);
    return this.#done;
  }
}
