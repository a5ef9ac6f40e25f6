/** One stream's picture: decoded as its units come, kept until the next one, drawn where the layout has it. */
import { type CodecContext, Frame, Packet } from 'node-av';
import type { Turn } from '../capture/header-extensions.ts';
import { type Box, type Canvas, type Fit, Painter } from './canvas.ts';
import { isTooLarge, openDecoder, pictureCodecs } from './decoder.ts';
import { letGo } from './planes.ts';

export class Picture {
  readonly #painter = new Painter();
  readonly #packet = new Packet();
  /** What was decoded last, once `#shown`. */
  #frame = new Frame();
  #spare = new Frame();
  #context: CodecContext | null = null;
  #shown = false;
  #tooLarge = false;
  /** How the frame is to be turned. */
  #turn: Turn = 0;

  constructor() {
    this.#packet.alloc();
    this.#frame.alloc();
    this.#spare.alloc();
  }

  /** What comes from now on is of this codec. The last picture stays until the next. @param mimeType in lower case */
  useCodec(mimeType: string): void {
    this.#context?.freeContext();
    this.#context = null;
    const id = pictureCodecs[mimeType];
    this.#context = id === undefined ? null : openDecoder(id, { lowDelay: true });
    this.#tooLarge = false;
  }

  /** Whether its publisher sends more than `archivePicturePixels`: there is nothing to draw until that ends. */
  get tooLarge(): boolean {
    return this.#tooLarge;
  }

  /** Whether there is something to draw. */
  get shown(): boolean {
    return this.#shown;
  }

  /** Nothing to draw until the next picture: the publisher's picture is off. */
  hide(): void {
    this.#shown = false;
  }

  /** @returns whether there is a new picture; null where it could not be decoded and a key frame is needed */
  decode(data: Buffer, turn: Turn = 0): boolean | null {
    if (!this.#context) return null;
    this.#packet.unref();
    this.#packet.data = data;
    const code = this.#context.sendPacketSync(this.#packet);
    if (code < 0) {
      if (isTooLarge(this.#context, code)) {
        this.#tooLarge = true;
        this.#shown = false;
      }
      return null;
    }
    let fresh = false;
    while (this.#context.receiveFrameSync(this.#spare) >= 0) {
      [this.#frame, this.#spare] = [this.#spare, this.#frame];
      letGo(this.#spare);
      fresh = true;
    }
    this.#shown ||= fresh;
    if (fresh) {
      this.#turn = turn;
      this.#tooLarge = false;
    }
    return fresh;
  }

  /** @returns whether it was drawn */
  draw(canvas: Canvas, box: Box, fit: Fit): boolean {
    return this.#shown && this.#painter.draw(this.#frame, canvas, box, fit, this.#turn);
  }

  close(): void {
    this.#context?.freeContext();
    this.#painter.free();
    this.#packet.free();
    this.#frame.free();
    this.#spare.free();
  }
}
