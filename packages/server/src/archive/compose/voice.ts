/**
 * One stream's sound: Opus in, samples out where they belong on the recording's time. Small differences between the
 * publisher's quartz and ours are taken up by stretching, so slightly that it cannot be heard; a gap (silence that was not
 * sent, a lost packet) is silence.
 */
import { limits } from '@cloister/protocol';
import { Codec, CodecContext, Frame, Packet, Rational } from 'node-av';
import {
  AV_CHANNEL_LAYOUT_STEREO,
  AV_CODEC_ID_OPUS,
  AV_SAMPLE_FMT_FLT,
  AV_SAMPLE_FMT_FLTP,
  AV_SAMPLE_FMT_S16,
} from 'node-av/constants';
import { letGo } from './planes.ts';

const rate = 48_000;
const ringSamples = rate * 4;
/** Further off than this is a gap, not a drift: less than the shortest packet that browsers send (10 ms). */
const gapSamples = rate * 0.008;
/** Closer than this is in place. */
const placeSamples = rate * 0.0005;
const stretchMax = 0.005;
/** How much of a difference is taken up with each frame. */
const gain = 0.1;
const fadeSamples = 120;

/** Samples of two channels on a line of positions, each written once and read once. */
export class Ring {
  readonly left = new Float32Array(ringSamples);
  readonly right = new Float32Array(ringSamples);
  #read = 0;

  /** Adds samples of positions from `from` on to `left` and `right`, and forgets them. */
  mixInto(left: Float32Array, right: Float32Array, from: number): void {
    for (let index = 0; index < left.length; index += 1) {
      const slot = (from + index) % ringSamples;
      left[index] = (left[index] as number) + (this.left[slot] as number);
      right[index] = (right[index] as number) + (this.right[slot] as number);
      this.left[slot] = 0;
      this.right[slot] = 0;
    }
    this.#read = from + left.length;
  }

  /** What is written too late, or too far ahead, is lost. */
  put(position: number, left: number, right: number): void {
    if (position < this.#read || position >= this.#read + ringSamples) return;
    this.left[position % ringSamples] = left;
    this.right[position % ringSamples] = right;
  }
}

/** Puts frames of samples onto a ring, each where it belongs. */
export class Placer {
  readonly #ring: Ring;
  /** Where the next frame would begin if there were neither gap nor drift; a fraction when frames were stretched. */
  #end: number | null = null;
  #last: [number, number] = [0, 0];

  constructor(ring: Ring) {
    this.#ring = ring;
  }

  /** @param target the position of the first sample, may be a fraction */
  place(target: number, left: Float32Array, right: Float32Array): void {
    const count = left.length;
    const off = this.#end === null ? Number.POSITIVE_INFINITY : target - this.#end;
    const fresh = Math.abs(off) > gapSamples;
    const start = fresh ? Math.round(target) : (this.#end as number);
    const most = count * stretchMax;
    const stretch = fresh || Math.abs(off) < placeSamples ? 0 : Math.max(-most, Math.min(most, off * gain));
    if (fresh) this.#last = [0, 0];
    const length = count + stretch;
    const step = count / length;
    const first = Math.ceil(start);
    for (let position = first; position < start + length; position += 1) {
      const at = (position - start) * step;
      const index = Math.floor(at);
      const part = at - index;
      // Between the sample before and this one: what came with the frame before is one sample away.
      const before = index === 0 ? this.#last : [left[index - 1] as number, right[index - 1] as number];
      const fade = fresh ? Math.min(1, (position - first) / fadeSamples) : 1;
      const l = (before[0] as number) + ((left[index] as number) - (before[0] as number)) * part;
      const r = (before[1] as number) + ((right[index] as number) - (before[1] as number)) * part;
      this.#ring.put(position, l * fade, r * fade);
    }
    this.#last = [left[count - 1] as number, right[count - 1] as number];
    this.#end = start + length;
  }
}

export class Voice {
  readonly ring = new Ring();
  readonly #placer = new Placer(this.ring);
  readonly #context = new CodecContext();
  readonly #packet = new Packet();
  readonly #frame = new Frame();

  constructor() {
    const codec = Codec.findDecoder(AV_CODEC_ID_OPUS);
    if (!codec) throw new Error('the library has no Opus decoder');
    this.#context.allocContext3(codec);
    this.#context.sampleRate = rate;
    this.#context.channelLayout = AV_CHANNEL_LAYOUT_STEREO;
    this.#context.pktTimebase = new Rational(1, rate);
    if (this.#context.open2Sync(codec) < 0) throw new Error('the Opus decoder does not open');
    this.#packet.alloc();
    this.#frame.alloc();
  }

  /** Decodes one packet; what does not decode is silence. @param position of its first sample, may be a fraction */
  hear(data: Buffer, position: number): void {
    this.#packet.unref();
    this.#packet.data = data;
    if (this.#context.sendPacketSync(this.#packet) < 0) return;
    let at = position;
    while (this.#context.receiveFrameSync(this.#frame) >= 0) {
      const [left, right] = samplesOf(this.#frame);
      if (left.length > 0 && left.length <= limits.archiveAudioFrameSamples) this.#placer.place(at, left, right);
      at += left.length;
      letGo(this.#frame);
    }
  }

  close(): void {
    this.#packet.free();
    this.#frame.free();
    this.#context.freeContext();
  }
}

/** A frame's first two channels between -1 and 1; a single one is both. */
function samplesOf(frame: Frame): [Float32Array, Float32Array] {
  const count = frame.nbSamples;
  const planes = frame.data ?? [];
  const [first] = planes;
  if (!first || count === 0) return [new Float32Array(), new Float32Array()];
  const channels = frame.channels;
  if (frame.format === AV_SAMPLE_FMT_FLTP) {
    const plane = (bytes: Buffer) => new Float32Array(bytes.buffer, bytes.byteOffset, count);
    const left = plane(first);
    return [left, channels > 1 && planes[1] ? plane(planes[1]) : left];
  }
  const left = new Float32Array(count);
  const right = new Float32Array(count);
  const wide = frame.format === AV_SAMPLE_FMT_FLT;
  if (!wide && frame.format !== AV_SAMPLE_FMT_S16) return [new Float32Array(), new Float32Array()];
  const sample = (index: number) => (wide ? first.readFloatLE(index * 4) : first.readInt16LE(index * 2) / 32768);
  for (let index = 0; index < count; index += 1) {
    left[index] = sample(index * channels);
    right[index] = sample(index * channels + (channels > 1 ? 1 : 0));
  }
  return [left, right];
}
