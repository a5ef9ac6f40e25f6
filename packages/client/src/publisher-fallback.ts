/** OpenTok's `audioFallback.publisher`: watches a publisher's network and gives up its picture for its sound. */
import { type Event, makeEvent } from './events.ts';
import type { Link } from './link.ts';
import { log } from './log.ts';
import type { Outgoing, SentReports } from './outgoing.ts';
import type { Publisher } from './publisher.ts';
import { bestOf, PublisherQuality } from './quality.ts';
import { outgoingEstimate, outgoingLoss, starvedPicture } from './stats.ts';

const everyMs = 1000;

export class PublisherFallback {
  readonly #publisher: Publisher;
  readonly #outgoing: Outgoing;
  readonly #quality = new PublisherQuality();
  readonly #timer: ReturnType<typeof setInterval>;
  /** Tells the others that the picture went or came. */
  readonly #tell: (on: boolean) => void;
  readonly #videoOn: () => boolean;

  constructor(
    publisher: Publisher,
    link: Link,
    outgoing: Outgoing,
    videoOn: () => boolean,
    tell: (on: boolean) => void,
  ) {
    this.#publisher = publisher;
    this.#outgoing = outgoing;
    this.#videoOn = videoOn;
    this.#tell = tell;
    this.#timer = setInterval(() => {
      outgoing.pictureReports().then(
        (reports) => this.#judge(reports, link.clock.now()),
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

  #judge(reports: readonly SentReports[], now: number): void {
    const estimates = this.#outgoing.sendsPicture || this.off;
    const ways = reports.flatMap(({ whole, video }) => {
      if (!whole) return [];
      return {
        estimateBps: estimates ? outgoingEstimate(whole) : null,
        pictureBps: starvedPicture(video),
        audioLoss: outgoingLoss(whole, 'audio'),
      };
    });
    const best = bestOf(ways);
    // While no picture is sent by the publisher's own wish, the estimate says nothing about one.
    if (!best || !this.#outgoing.videoSending || !this.#videoOn()) return;
    const step = this.#quality.take({ now, ...best });
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
