/** The picture that is composed: an I420 frame that is drawn over again and again, and what is drawn onto it. */
import { Frame, SoftwareScaleContext } from 'node-av';
import { AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUVJ420P, type AVPixelFormat, SWS_BILINEAR } from 'node-av/constants';
import type { Turn } from '../capture/header-extensions.ts';

/** In pixels; all four even, since colour has half the resolution. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export type Fit = 'contain' | 'cover';

/** Luma and the two chroma values, as in a picture with limited range. */
export type Colour = readonly [number, number, number];
export const black: Colour = [16, 128, 128];
/** Behind a stream without a picture. */
export const tile: Colour = [52, 130, 126];

const even = (value: number) => value & ~1;

/** The part of the source that is shown and where on the canvas: letterboxed whole, or cut to fill. */
export function fitted(source: { width: number; height: number }, box: Box, fit: Fit): { from: Box; to: Box } {
  const whole = { x: 0, y: 0, width: source.width, height: source.height };
  const wider = source.width * box.height > box.width * source.height;
  if (fit === 'cover') {
    const width = wider ? even(Math.round((source.height * box.width) / box.height)) : source.width;
    const height = wider ? source.height : even(Math.round((source.width * box.height) / box.width));
    const from = {
      x: even((source.width - width) / 2),
      y: even((source.height - height) / 2),
      width: Math.max(2, width),
      height: Math.max(2, height),
    };
    return { from, to: box };
  }
  const width = wider ? box.width : even(Math.round((source.width * box.height) / source.height));
  const height = wider ? even(Math.round((source.height * box.width) / source.width)) : box.height;
  const to = {
    x: box.x + even((box.width - width) / 2),
    y: box.y + even((box.height - height) / 2),
    width: Math.max(2, width),
    height: Math.max(2, height),
  };
  return { from: whole, to };
}

export class Canvas {
  readonly width: number;
  readonly height: number;
  readonly frame = new Frame();
  readonly #planes: Buffer[];
  readonly #strides: number[];

  /** @param width and `height` in pixels, even */
  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.frame.alloc();
    this.frame.format = AV_PIX_FMT_YUV420P;
    this.frame.width = width;
    this.frame.height = height;
    if (this.frame.getBuffer(32) < 0) throw new Error('no memory for a canvas');
    this.#planes = this.frame.data as Buffer[];
    this.#strides = this.frame.linesize;
    this.fill({ x: 0, y: 0, width, height }, black);
  }

  fill(box: Box, colour: Colour): void {
    for (const [plane, value] of colour.entries()) {
      const shift = plane === 0 ? 0 : 1;
      const stride = this.#strides[plane] as number;
      for (let row = box.y >> shift; row < (box.y + box.height) >> shift; row += 1) {
        const from = row * stride + (box.x >> shift);
        this.#planes[plane]?.fill(value, from, from + (box.width >> shift));
      }
    }
  }

  /** Where a box begins in each plane: the scaler writes there, with the canvas's own strides. */
  at(box: Box): { planes: Buffer[]; strides: number[] } {
    const planes = this.#planes.map((bytes, plane) => {
      const shift = plane === 0 ? 0 : 1;
      return bytes.subarray((box.y >> shift) * (this.#strides[plane] as number) + (box.x >> shift));
    });
    return { planes, strides: this.#strides };
  }

  /** Copies another canvas of a box's size to where the box is, or one of that size on its side, turned to the right. */
  paste(other: Canvas, box: Box, turn: Turn = 0): void {
    const { planes, strides } = this.at(box);
    for (const [plane, from] of other.#planes.entries()) {
      const shift = plane === 0 ? 0 : 1;
      const [width, height] = [box.width >> shift, box.height >> shift];
      const [to, stride, fromStride] = [
        planes[plane] as Buffer,
        strides[plane] as number,
        other.#strides[plane] as number,
      ];
      const { first, right, down } = walk(turn, width, height, fromStride);
      for (let row = 0; row < height; row += 1) {
        let at = first + row * down;
        if (turn === 0) {
          from.copy(to, row * stride, at, at + width);
          continue;
        }
        for (let write = row * stride; write < row * stride + width; write += 1) {
          to[write] = from[at] as number;
          at += right;
        }
      }
    }
  }

  free(): void {
    this.frame.free();
  }
}

/**
 * Where the samples of a plane that is turned come from: the one for the upper left corner, and the steps to the one for the
 * right neighbour and for the one below.
 * @param width and `height` of the turned plane
 */
function walk(turn: Turn, width: number, height: number, stride: number) {
  if (turn === 90) return { first: (width - 1) * stride, right: -stride, down: 1 };
  if (turn === 180) return { first: (height - 1) * stride + width - 1, right: -1, down: -stride };
  if (turn === 270) return { first: height - 1, right: stride, down: -1 };
  return { first: 0, right: 1, down: stride };
}

/** What lies on its side: width and height change places. */
const onSide = ({ x, y, width, height }: Box): Box => ({ x: y, y: x, width: height, height: width });

/**
 * The scaler writes rows in blocks of 16 samples: where a width of colour is no multiple of it, it writes over what is to
 * the right. Such a picture is scaled aside.
 */
const scalerPixels = 32;

/** What browsers send: 8 bits, colour at half the resolution. */
const drawable: ReadonlySet<number> = new Set([AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUVJ420P]);

/** Draws frames of one stream; keeps the scaler for the sizes that it had last. */
export class Painter {
  #scaler: SoftwareScaleContext | null = null;
  #aside: Canvas | null = null;
  #for = '';

  /**
   * @param turn to the right, on the way to the canvas
   * @returns false where the frame's format cannot be drawn
   */
  draw(frame: Frame, canvas: Canvas, box: Box, fit: Fit, turn: Turn = 0): boolean {
    const planes = frame.data;
    if (!planes || frame.width < 2 || frame.height < 2 || !drawable.has(frame.format)) return false;
    const lying = turn === 90 || turn === 270;
    const { from: shown, to } = fitted(lying ? { width: frame.height, height: frame.width } : frame, box, fit);
    // It is scaled as it came, and turned when it has its size.
    const [from, size] = lying ? [onSide(shown), onSide(to)] : [shown, to];
    const before = this.#scaler;
    const scaler = this.#scale(from, size, frame.format as AVPixelFormat, turn);
    // Of another size than before: what is beside it now may still show the older one.
    if (scaler !== before) canvas.fill(box, black);
    const strides = frame.linesize;
    const source = planes.slice(0, 3).map((bytes, plane) => {
      const shift = plane === 0 ? 0 : 1;
      return bytes.subarray((from.y >> shift) * (strides[plane] as number) + (from.x >> shift));
    });
    const aside = this.#aside;
    const target = aside ? aside.at({ x: 0, y: 0, width: size.width, height: size.height }) : canvas.at(to);
    const drawn = scaler.scaleSync(source, strides, 0, from.height, target.planes, target.strides) >= 0;
    if (drawn && aside) canvas.paste(aside, to, turn);
    return drawn;
  }

  #scale(from: Box, to: Box, format: AVPixelFormat, turn: Turn): SoftwareScaleContext {
    const sizes = `${from.width}x${from.height} ${to.width}x${to.height} ${format} ${turn}`;
    if (this.#scaler && sizes === this.#for) return this.#scaler;
    this.free();
    const scaler = new SoftwareScaleContext();
    scaler.getContext(from.width, from.height, format, to.width, to.height, AV_PIX_FMT_YUV420P, SWS_BILINEAR);
    if (turn !== 0 || to.width % scalerPixels !== 0) this.#aside = new Canvas(to.width, to.height);
    this.#scaler = scaler;
    this.#for = sizes;
    return scaler;
  }

  free(): void {
    this.#scaler?.freeContext();
    this.#scaler = null;
    this.#aside?.free();
    this.#aside = null;
  }
}
