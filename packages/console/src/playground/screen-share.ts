/** This person's shared screen: a publisher of its own, without sound. */

import type { Store } from '../kit/store.ts';
import type { CallState } from './call-state.ts';
import type { Ot, OtError, OtPublisher, OtSession, OtStream } from './ot.ts';

export class ScreenShare {
  #ot: Ot;
  #state: Store<CallState>;
  #published: (stream: OtStream) => void;
  #failed: (error: unknown) => void;
  #publisher: OtPublisher | null = null;
  #session: OtSession | null = null;

  constructor(
    ot: Ot,
    state: Store<CallState>,
    published: (stream: OtStream) => void,
    failed: (error: unknown) => void,
  ) {
    this.#ot = ot;
    this.#state = state;
    this.#published = published;
    this.#failed = failed;
  }

  /** Lets the person pick what to share and publishes it; closing the browser's picker is no failure. */
  async start(session: OtSession): Promise<void> {
    if (this.#state.get().screen !== 'off') return;
    this.#state.set({ screen: 'starting' });
    this.#session = session;
    try {
      const publisher = await this.#pick();
      if (this.#publisher !== publisher) return;
      await new Promise<void>((resolve, reject) =>
        session.publish(publisher, (error) => (error ? reject(error) : resolve())),
      );
      if (this.#publisher !== publisher) return;
      if (publisher.stream) this.#published(publisher.stream);
      this.#state.set({ screen: 'on' });
    } catch (error) {
      const cancelled = (error as Partial<OtError> | null)?.name === 'OT_USER_MEDIA_ACCESS_DENIED';
      this.stop();
      if (!cancelled) this.#failed(error);
    }
  }

  async #pick(): Promise<OtPublisher> {
    return new Promise((resolve, reject) => {
      const publisher = this.#ot.initPublisher(
        undefined,
        { insertDefaultUI: false, videoSource: 'screen', audioSource: null, videoContentHint: 'text' },
        (error) => (error ? reject(error) : resolve(publisher)),
      );
      this.#publisher = publisher;
      const over = () => this.#publisher === publisher && this.stop();
      publisher.on('videoElementCreated', ({ element }) => this.#state.set({ screenElement: element }));
      publisher.on('videoDimensionsChanged', ({ newValue: { width, height } }) => {
        if (width > 0 && height > 0) this.#state.set({ screenAspect: width / height });
      });
      publisher.on('mediaStopped', over);
      publisher.on('streamDestroyed', over);
    });
  }

  /** Ends the sharing, or the picking of what to share. */
  stop(): void {
    const publisher = this.#publisher;
    const session = this.#session;
    this.#publisher = null;
    this.#session = null;
    if (publisher?.stream) session?.unpublish(publisher);
    publisher?.destroy();
    this.#state.set({ screen: 'off', screenElement: null });
  }
}
