/**
 * One track on its way out: its producer, and what the encoder is told while it runs.
 *
 * Changes are applied one after the other; of several that wait, only the last is applied.
 */
import { type LayerPlan, noWishes, type PictureSource, type PictureWishes, planLayers } from './encodings.ts';
import { log } from './log.ts';
import type { Sender } from './media.ts';

/** What is told of an encoder: of a producer, or of a track on its way to another client. */
export type Told = Pick<Sender, 'rtpSender' | 'closed'>;

/** Hands the newest state to an encoder, never two at a time. */
class Applier {
  #running = false;
  #again = false;
  readonly #apply: () => Promise<void>;

  constructor(apply: () => Promise<void>) {
    this.#apply = apply;
  }

  run(): void {
    this.#again = true;
    if (this.#running) return;
    this.#running = true;
    void this.#loop();
  }

  async #loop(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      await this.#apply().catch((error: unknown) => log.warn('The encoder refused its parameters', error));
    }
    this.#running = false;
  }
}

/** Sound: sent, or not. */
export class AudioSending<Sent extends Told = Sender> {
  readonly producer: Sent;
  #sending: boolean;
  readonly #applier = new Applier(() => this.#apply());

  /** @param sending whether its encoding is active so far */
  constructor(producer: Sent, sending = true) {
    this.producer = producer;
    this.#sending = sending;
  }

  set sending(value: boolean) {
    if (this.#sending === value) return;
    this.#sending = value;
    this.#applier.run();
  }

  async #apply(): Promise<void> {
    const sender = this.producer.rtpSender;
    if (!sender || this.producer.closed) return;
    const parameters = sender.getParameters();
    for (const encoding of parameters.encodings) encoding.active = this.#sending;
    await sender.setParameters(parameters);
  }
}

/** A picture: its layers follow wishes that change while it is sent. */
export class VideoSending<Sent extends Told = Sender> {
  readonly producer: Sent;
  readonly #source: PictureSource;
  #wishes: PictureWishes;
  #dimensions: PictureSource['dimensions'];
  readonly #applier = new Applier(() => this.#apply());

  constructor(producer: Sent, source: PictureSource, wishes: PictureWishes = noWishes) {
    this.producer = producer;
    this.#source = source;
    this.#wishes = wishes;
    this.#dimensions = source.dimensions;
    this.#applier.run();
  }

  get codec(): PictureSource['codec'] {
    return this.#source.codec;
  }

  /** What changes; the rest stays. */
  wish(change: Partial<PictureWishes>): void {
    this.#wishes = { ...this.#wishes, ...change };
    this.#applier.run();
  }

  /** The camera turned or was exchanged: the layers keep their number and take new sizes. */
  resize(dimensions: PictureSource['dimensions']): void {
    this.#dimensions = dimensions;
    this.#applier.run();
  }

  /** The layers as they are now meant to be. */
  plan(): LayerPlan[] {
    return planLayers(this.#source, this.#wishes).map((plan, index) => ({ ...plan, ...this.#resized(index) }));
  }

  /** A picture of another size has the same number of layers as the first, with bits by the new size. */
  #resized(index: number): Partial<LayerPlan> {
    const { width, height } = this.#source.dimensions;
    if (this.#dimensions.width === width && this.#dimensions.height === height) return {};
    const source = { ...this.#source, dimensions: this.#dimensions };
    const now = planLayers(source, this.#wishes);
    const fromTop = planLayers(this.#source, this.#wishes).length - 1 - index;
    const plan = now[now.length - 1 - fromTop];
    if (!plan) return {};
    return { scaleResolutionDownBy: plan.scaleResolutionDownBy, maxBitrate: plan.maxBitrate };
  }

  async #apply(): Promise<void> {
    const sender = this.producer.rtpSender;
    if (!sender || this.producer.closed) return;
    const parameters = sender.getParameters();
    const plans = this.plan();
    for (const [index, encoding] of parameters.encodings.entries()) {
      const plan = plans[index];
      if (!plan) continue;
      encoding.active = plan.active;
      encoding.maxBitrate = plan.maxBitrate;
      encoding.maxFramerate = plan.maxFramerate;
      encoding.scaleResolutionDownBy = plan.scaleResolutionDownBy;
    }
    // Text stays sharp and the picture slow; faces stay smooth and get smaller.
    if (this.#source.videoType === 'screen') {
      (parameters as { degradationPreference?: string }).degradationPreference = 'maintain-resolution';
    }
    await sender.setParameters(parameters);
  }
}
