/**
 * Finds clear media among bytes: what is known to be clear, byte for byte, and what has the form of clear media. Cipher text
 * has neither.
 *
 * The marker is a picture of upright stripes of two greys and one tone. Nothing else that a platform writes looks like that.
 */

/** Samples a second of what is recorded. */
const RATE = 48_000;
export const MARKER = { hertz: 500, stripe: 16, dark: 60, light: 180 } as const;

/** A run of this many known bytes is found wherever it begins; twice less one always are, for blocks do not overlap. */
const BLOCK = 16;
/** Blocks of fewer different bytes are filling, which is everywhere. */
const DIFFERENT = 8;
const FILTER_BITS = 24;
const BASE = 0x01000193;
/** What the byte that leaves the window has been multiplied with. */
const LEAVING = Array.from({ length: BLOCK }).reduce<number>((power) => Math.imul(power, BASE), 1);

/** Encoders put their names and settings into what they make, and say them elsewhere too. */
const isText = (byte: number) => byte >= 0x20 && byte < 0x7f;

/** Clear bytes that are known, to be found again anywhere. */
export class KnownBytes {
  readonly #blocks = new Map<number, Buffer[]>();
  readonly #filter = new Uint8Array(2 ** (FILTER_BITS - 3));
  #size = 0;

  /** How many blocks can be found. */
  get size(): number {
    return this.#size;
  }

  add(clear: Buffer): void {
    for (let at = 0; at + BLOCK <= clear.length; at += BLOCK) {
      const block = clear.subarray(at, at + BLOCK);
      if (new Set(block).size < DIFFERENT || block.every(isText)) continue;
      let hash = 0;
      for (const byte of block) hash = (Math.imul(hash, BASE) + byte) | 0;
      const there = this.#blocks.get(hash) ?? [];
      if (there.some((each) => each.equals(block))) continue;
      this.#blocks.set(hash, [...there, block]);
      this.#mark(hash);
      this.#size += 1;
    }
  }

  /** Where the first known block is; -1 where there is none. */
  findIn(bytes: Buffer): number {
    let hash = 0;
    for (let at = 0; at < bytes.length; at += 1) {
      hash = (Math.imul(hash, BASE) + (bytes[at] as number)) | 0;
      if (at >= BLOCK) hash = (hash - Math.imul(bytes[at - BLOCK] as number, LEAVING)) | 0;
      if (at < BLOCK - 1 || !this.#marked(hash)) continue;
      const window = bytes.subarray(at - BLOCK + 1, at + 1);
      if (this.#blocks.get(hash)?.some((each) => each.equals(window))) return at - BLOCK + 1;
    }
    return -1;
  }

  #mark(hash: number): void {
    const bit = hash >>> (32 - FILTER_BITS);
    this.#filter[bit >> 3] = (this.#filter[bit >> 3] as number) | (1 << (bit & 7));
  }

  #marked(hash: number): boolean {
    const bit = hash >>> (32 - FILTER_BITS);
    return ((this.#filter[bit >> 3] as number) & (1 << (bit & 7))) !== 0;
  }
}

/** What bytes look like: each finds the first place, or -1. */
export const forms: Readonly<Record<string, (bytes: Buffer) => number>> = {
  'packets of MPEG-TS': transportPackets,
  'a NAL unit': nalUnit,
  'a box of MP4': mp4Box,
  'a head of WebM or Matroska': matroskaHead,
  'a head of Ogg': (bytes) => bytes.indexOf('OggS\0'),
  'samples of the tone': tone,
  'samples of the picture': stripes,
};

/** Five in a row, each without an error and with something in it (ISO/IEC 13818-1, 2.4.3.2). */
function transportPackets(bytes: Buffer): number {
  const [size, count, sync] = [188, 5, 0x47];
  for (
    let at = bytes.indexOf(sync);
    at >= 0 && at + size * (count - 1) + 4 <= bytes.length;
    at = bytes.indexOf(sync, at + 1)
  ) {
    let packets = 0;
    while (packets < count) {
      const from = at + packets * size;
      if (bytes[from] !== sync || (bytes[from + 1]! & 0x80) !== 0 || (bytes[from + 3]! & 0x30) === 0) break;
      packets += 1;
    }
    if (packets === count) return at;
  }
  return -1;
}

/** A start code, and the parameter set or key frame that comes with every two seconds (ITU-T H.264, annex B). */
function nalUnit(bytes: Buffer): number {
  const [parameters, key] = [Buffer.from([0, 0, 0, 1, 0x67, 0x64, 0]), Buffer.from([0, 0, 1, 0x65, 0x88, 0x84])];
  return Math.max(bytes.indexOf(parameters), bytes.indexOf(key));
}

/** A length below 16 MiB and a name, then what begins such a box (ISO/IEC 14496-12). */
function mp4Box(bytes: Buffer): number {
  const begins = [/^ftyp(iso|mp4|avc)/, /^moov....mvhd/s, /^moof....mfhd/s];
  for (const name of ['ftyp', 'moov', 'moof']) {
    for (let at = bytes.indexOf(name, 4); at >= 0; at = bytes.indexOf(name, at + 1)) {
      const text = bytes.toString('latin1', at, at + 12);
      if (bytes[at - 4] === 0 && begins.some((each) => each.test(text))) return at - 4;
    }
  }
  return -1;
}

/** The element that begins a file, of whatever length, and the version in it (RFC 8794, 11.2). */
function matroskaHead(bytes: Buffer): number {
  const [element, version] = [Buffer.from([0x1a, 0x45, 0xdf, 0xa3]), Buffer.from([0x42, 0x86, 0x81, 1])];
  for (let at = bytes.indexOf(element); at >= 0; at = bytes.indexOf(element, at + 1)) {
    if (bytes.subarray(at + 5, at + 16).includes(version)) return at;
  }
  return -1;
}

const readers: readonly { readonly width: number; readonly read: (view: DataView, at: number) => number }[] = [
  { width: 2, read: (view, at) => view.getInt16(at, true) / 32_768 },
  { width: 2, read: (view, at) => view.getInt16(at, false) / 32_768 },
  { width: 4, read: (view, at) => view.getFloat32(at, true) },
];
/** Ten milliseconds: whole waves, so that what is no tone is nothing. */
const SPAN = RATE / 100;
/** One channel, or two that are alike sample by sample. */
const waves = [1, 2].map((channels) => {
  const angle = (index: number) => (2 * Math.PI * MARKER.hertz * index) / (RATE * channels);
  const of = (function_: (angle: number) => number) =>
    Float32Array.from({ length: SPAN * channels }, (_, n) => function_(angle(n)));
  return { cos: of(Math.cos), sin: of(Math.sin) };
});

/** PCM in which most of what sounds is the tone: 16 bits or floats, one channel or two, from any byte on. */
function tone(bytes: Buffer): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const { width, read } of readers) {
    for (let phase = 0; phase < width; phase += 1) {
      const samples = new Float32Array(Math.max(0, Math.floor((bytes.length - phase) / width)));
      for (let index = 0; index < samples.length; index += 1) samples[index] = read(view, phase + index * width);
      for (const wave of waves) {
        const found = soundsLike(samples, wave);
        if (found >= 0) return phase + found * width;
      }
    }
  }
  return -1;
}

function soundsLike(samples: Float32Array, { cos, sin }: { cos: Float32Array; sin: Float32Array }): number {
  const [faintest, share] = [1e-3, 0.5];
  for (let from = 0; from + cos.length <= samples.length; from += cos.length / 2) {
    let [inPhase, across, energy] = [0, 0, 0];
    for (let index = 0; index < cos.length; index += 1) {
      const sample = samples[from + index] as number;
      inPhase += sample * (cos[index] as number);
      across += sample * (sin[index] as number);
      energy += sample * sample;
    }
    // Also false of what is no number: bytes that were never floats.
    const audible = energy / cos.length > faintest && energy < cos.length;
    if (audible && (2 * (inPhase ** 2 + across ** 2)) / cos.length > share * energy) return from;
  }
  return -1;
}

/** Eight stripes in a row of luma, sampled twice each. */
function stripes(bytes: Buffer): number {
  const { stripe, dark, light } = MARKER;
  const [count, off] = [8, 25];
  for (let at = 0; at + count * stripe <= bytes.length; at += 1) {
    let index = 0;
    while (index < count * 2) {
      const byte = bytes[at + (index >> 1) * stripe + (index & 1 ? 11 : 4)] as number;
      if (Math.abs(byte - ((index >> 1) & 1 ? light : dark)) > off) break;
      index += 1;
    }
    if (index === count * 2) return at;
  }
  return -1;
}
