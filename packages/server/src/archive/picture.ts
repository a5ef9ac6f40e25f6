/** One stream's picture: decoded as its units come, kept until the next one, drawn where the layout has it. */
import { Codec, CodecContext, Frame, Packet } from 'node-av';
import {
  AV_CODEC_FLAG_LOW_DELAY,
  AV_CODEC_ID_H264,
  AV_CODEC_ID_VP8,
  AV_CODEC_ID_VP9,
  type AVCodecID,
} from 'node-av/constants';
import { type Box, type Canvas, type Fit, Painter } from './canvas.ts';
import type { Turn } from './header-extensions.ts';
import { letGo } from './planes.ts';

/** By mime type in lower case. */
export const pictureCodecs: Readonly<Record<string, AVCodecID>> = {
  'video/vp8': AV_CODEC_ID_VP8,
  'video/vp9': AV_CODEC_ID_VP9,
  'video/h264': AV_CODEC_ID_H264,
};

export class Picture {
  readonly #painter = new Painter();
  readonly #packet = new Packet();
  /** What was decoded last, once `#shown`. */
  #frame = new Frame();
  #spare = new Frame();
  #context: CodecContext | null = null;
  #shown = false;
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
    const codec = id === undefined ? null : Codec.findDecoder(id);
    if (!codec) return;
    const context = new CodecContext();
    context.allocContext3(codec);
    // A picture out for a picture in; several threads would each hold one back.
    context.threadCount = 1;
    context.setFlags(AV_CODEC_FLAG_LOW_DELAY);
    if (context.open2Sync(codec) < 0) {
      context.freeContext();
      return;
    }
    this.#context = context;
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
    if (this.#context.sendPacketSync(this.#packet) < 0) return null;
    let fresh = false;
    while (this.#context.receiveFrameSync(this.#spare) >= 0) {
      [this.#frame, this.#spare] = [this.#spare, this.#frame];
      letGo(this.#spare);
      fresh = true;
    }
    this.#shown ||= fresh;
    if (fresh) this.#turn = turn;
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
