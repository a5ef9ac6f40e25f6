/** OpenTok's `audioFallback.publisher`: watches a publisher's network and gives up its picture for its sound. */
import { type Event, makeEvent } from './events.ts';
import type { Link } from './link.ts';
import { log } from './log.ts';
import type { OutgoingStream } from './outgoing.ts';
import type { Publisher } from './publisher.ts';
import { PublisherQuality } from './quality.ts';
import { outgoingEstimate, outgoingLoss, starvedPicture } from './stats.ts';

const everyMs = 1000;

export class PublisherFallback {
  readonly #publisher: Publisher;
  readonly #outgoing: OutgoingStream;
  readonly #quality = new PublisherQuality();
  readonly #timer: ReturnType<typeof setInterval>;
  /** Tells the others that the picture went or came. */
  readonly #tell: (on: boolean) => void;
  readonly #videoOn: () => boolean;

  constructor(
    publisher: Publisher,
    link: Link,
    outgoing: OutgoingStream,
    videoOn: () => boolean,
    tell: (on: boolean) => void,
  ) {
    this.#publisher = publisher;
    this.#outgoing = outgoing;
    this.#videoOn = videoOn;
    this.#tell = tell;
    this.#timer = setInterval(() => {
      const picture = outgoing.videoSending?.producer.getStats() ?? null;
      Promise.all([link.media.stats('send'), picture]).then(
        ([all, own]) => this.#judge(all, own, link.clock.now()),
        (error: unknown) => log.debug('No statistics', error),
      );
    }, everyMs);
  }

  /** Whether the picture is gone for the network's sake. */
  get off(): boolean {
    return this.#quality.off;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** @param report of the whole transport; `picture` of this publisher's picture alone */
  #judge(report: RTCStatsReport | null, picture: RTCStatsReport | null, now: number): void {
    // While no picture is sent by the publisher's own wish, the estimate says nothing about one.
    if (!report || !this.#outgoing.videoSending || !this.#videoOn()) return;
    const step = this.#quality.take({
      now,
      estimateBps: this.#outgoing.sendsPicture || this.off ? outgoingEstimate(report) : null,
      pictureBps: starvedPicture(picture),
      audioLoss: outgoingLoss(report, 'audio'),
    });
    if (step === 'warn') this.#dispatch(makeEvent('videoDisableWarning', this.#publisher));
    else if (step === 'lift') this.#dispatch(makeEvent('videoDisableWarningLifted', this.#publisher));
    else if (step === 'probe') this.#outgoing.quality = 'probe';
    else if (step === 'unprobe') this.#outgoing.quality = 'off';
    else if (step === 'off' || step === 'on') {
      this.#outgoing.quality = step;
      this.#tell(step === 'on');
      const type = step === 'on' ? 'videoEnabled' : 'videoDisabled';
      this.#dispatch(makeEvent(type, this.#publisher, { reason: 'quality' as const }));
    }
  }

  #dispatch(event: Event<string, unknown>): void {
    this.#publisher.dispatch(event);
  }
}
