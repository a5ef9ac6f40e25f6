/**
 * What of an encoded frame stays readable, so that packets can be made of it and a media server finds key frames, and how the
 * sealed rest is put beside it. What is readable is authenticated as metadata of the frame (RFC 9605, section 4.4.3).
 */
import { type Bytes, joined, prefixed } from './sframe.ts';

/** Codecs whose frames can be sealed. AV1 is not among them: its packets cannot be made of cipher text. */
export type FrameCodec = 'opus' | 'vp8' | 'vp9' | 'h264';

/** Those by the names that browsers and SDP have for them, in lower case. */
export const frameCodecs: Readonly<Record<string, FrameCodec>> = {
  'audio/opus': 'opus',
  'video/vp8': 'vp8',
  'video/vp9': 'vp9',
  'video/h264': 'h264',
};

/** A frame, or one that is sealed, in two. */
export interface Parts {
  /** In clear, and authenticated. */
  readonly metadata: Bytes;
  /** Of a frame what is to be sealed, of a sealed one SFrame's bytes. */
  readonly rest: Bytes;
}

/** How the frames of a codec are taken apart and put together. */
export interface FrameLayout {
  /** @throws FrameBroken where it is no frame of the codec */
  split(frame: Bytes): Parts;
  /** Puts a frame together again, from its metadata and what was opened. @throws FrameBroken */
  restore(metadata: Bytes, opened: Bytes): Bytes;
  /** Puts a sealed frame together. */
  assemble(metadata: Bytes, sealed: Bytes): Bytes;
  /** Takes a sealed frame apart. @throws FrameBroken where it cannot be one */
  take(sealedFrame: Bytes): Parts;
}

/** The bytes are no frame of their codec. */
export class FrameBroken extends Error {
  override readonly name = 'FrameBroken';
}

/** Readable is a start of the frame, as long as its first byte says. */
function withPrefix(codec: string, lengthOf: (first: number) => number): FrameLayout {
  const cut = (bytes: Bytes): Parts => {
    const length = lengthOf(bytes[0] ?? 0);
    if (bytes.length < length) throw new FrameBroken(`${bytes.length} bytes are no frame of ${codec}`);
    return { metadata: bytes.slice(0, length), rest: bytes.slice(length) };
  };
  return { split: cut, take: cut, restore: joined, assemble: joined };
}

/** RFC 6386, section 9.1: the frame's tag, and after that of a key frame its start code and its size. */
const vp8 = withPrefix('VP8', (first) => ((first & 1) === 0 ? 10 : 3));
const nothingReadable = withPrefix('', () => 0);

/** The start of a NAL unit, as everybody between the two ends writes it again. */
const startCode = [0, 0, 0, 1];
/** Rec. ITU-T H.264, table 7-1. */
const nalTypes = { slice: 1, keySlice: 5, sequence: 7, picture: 8, delimiter: 9 } as const;
const readableTypes: readonly number[] = [nalTypes.sequence, nalTypes.picture, nalTypes.delimiter];
/** Stands at the end of cipher text, since zeros at the end of a NAL unit are taken for what lies between two. */
const lastByte = 0x80;

interface Nal {
  /** Where its start code begins, and where its header is. */
  readonly from: number;
  readonly start: number;
  readonly type: number;
}

const isSlice = (type: number) => type === nalTypes.slice || type === nalTypes.keySlice;
/** More than any encoder writes before a slice; a stranger's frame may have as many as it has room for. */
const unitsBefore = 32;

/** Annex B of H.264: the NAL units of a frame up to its first slice. @throws FrameBroken for more than `unitsBefore` before it */
function nalsOf(frame: Uint8Array): Nal[] {
  const nals: Nal[] = [];
  for (let at = 0; at + 3 < frame.length; at += 1) {
    if (frame[at] !== 0 || frame[at + 1] !== 0 || frame[at + 2] !== 1) continue;
    if (nals.length > unitsBefore) throw new FrameBroken(`more than ${unitsBefore} NAL units stand before a slice`);
    const from = at > 0 && frame[at - 1] === 0 ? at - 1 : at;
    const type = (frame[at + 3] as number) & 31;
    nals.push({ from, start: at + 3, type });
    if (isSlice(type)) break;
    at += 3;
  }
  return nals;
}

/**
 * How many bytes of a slice a receiver must read to make a frame of its packets: its header up to the parameter set that it
 * names (H.264, section 7.3.3), as written, escapes included.
 */
function sliceHeadBytes(slice: Uint8Array): number {
  let bit = 0;
  let at = 1;
  let zeros = 0;
  const next = (): number => {
    if (bit === 0 && zeros >= 2 && slice[at] === 3) {
      at += 1;
      zeros = 0;
    }
    const byte = slice[at];
    if (bit === 0 && zeros >= 2 && byte !== undefined && byte < 3)
      throw new FrameBroken('a slice ends before its header does');
    if (byte === undefined) throw new FrameBroken(`a slice of ${slice.length} bytes has no header`);
    const value = (byte >> (7 - bit)) & 1;
    bit = (bit + 1) & 7;
    if (bit === 0) {
      zeros = byte === 0 ? zeros + 1 : 0;
      at += 1;
    }
    return value;
  };
  // first_mb_in_slice, slice_type and pic_parameter_set_id, each ue(v).
  for (let number = 0; number < 3; number += 1) {
    let leading = 0;
    while (next() === 0) if (++leading > 31) throw new FrameBroken('a number in the header of a slice has no end');
    for (; leading > 0; leading -= 1) next();
  }
  return bit === 0 ? at : at + 1;
}

function zerosAtEnd(bytes: Uint8Array): number {
  let zeros = 0;
  while (zeros < bytes.length && bytes[bytes.length - 1 - zeros] === 0) zeros += 1;
  return zeros;
}

/** H.264, section 7.4.1.1: no three bytes within a NAL unit look like a start code. @param before what stands in front of them */
function escaped(bytes: Uint8Array, before: Uint8Array): Bytes {
  const out = new Uint8Array(bytes.length + (bytes.length >> 1) + 1);
  let length = 0;
  let zeros = zerosAtEnd(before);
  for (const byte of bytes) {
    if (zeros >= 2 && byte <= 3) {
      out[length++] = 3;
      zeros = 0;
    }
    out[length++] = byte;
    zeros = byte === 0 ? zeros + 1 : 0;
  }
  return out.slice(0, length);
}

function unescaped(bytes: Uint8Array, before: Uint8Array): Bytes {
  const out = new Uint8Array(bytes.length);
  let length = 0;
  let zeros = zerosAtEnd(before);
  for (const byte of bytes) {
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      continue;
    }
    out[length++] = byte;
    zeros = byte === 0 ? zeros + 1 : 0;
  }
  return out.slice(0, length);
}

/** Bytes of a NAL unit without the zeros behind it. */
function nalBytes(frame: Bytes, { start }: Nal, end: number): Bytes {
  const bytes = frame.subarray(start, end);
  return bytes.subarray(0, bytes.length - zerosAtEnd(bytes));
}

/** The readable units before the first slice and its head, in the one way in which they are authenticated; and what is left. */
function cutH264(frame: Bytes): { metadata: Bytes; hidden: Bytes; rest: Bytes } {
  const nals = nalsOf(frame);
  const slice = nals.at(-1);
  if (!slice || !isSlice(slice.type))
    throw new FrameBroken(`${nals.length} NAL units and no slice are no frame of H.264`);
  if (zerosAtEnd(frame.subarray(0, nals[0]?.from)) < (nals[0]?.from ?? 0))
    throw new FrameBroken('there are bytes before the first NAL unit of a frame of H.264');
  const before = nals
    .slice(0, -1)
    .map((nal, at) => ({ ...nal, bytes: nalBytes(frame, nal, (nals[at + 1] as Nal).from) }));
  const written = (units: typeof before) => units.flatMap(({ bytes }) => [Uint8Array.from(startCode), bytes]);
  const head = sliceHeadBytes(frame.subarray(slice.start));
  const isReadable = ({ type }: Nal) => readableTypes.includes(type);
  return {
    metadata: joined(
      ...written(before.filter(isReadable)),
      Uint8Array.from(startCode),
      frame.subarray(slice.start, slice.start + head),
    ),
    hidden: joined(...written(before.filter((unit) => !isReadable(unit)))),
    rest: frame.slice(slice.start + head),
  };
}

const lengthBytes = 4;

/** Where in metadata the first slice begins: its start code. */
function sliceIn(metadata: Bytes): number {
  const slice = nalsOf(metadata).at(-1);
  if (!slice) throw new FrameBroken('the metadata of a frame of H.264 has no slice');
  return slice.from;
}

/**
 * For packetization mode 1 (RFC 6184) alone: a sealed frame is one NAL unit, which mode 0 cannot cut. Parameter sets are authenticated as
 * they are sent: who rewrites them on the way, as some receivers do for encoders that set no `bitstream_restriction`, has no picture.
 *
 * The parameter sets and the head of the first slice are readable. What else stands before the slice goes with the sealed rest,
 * and comes back in front of the slice. The whole rest, further slices included, is one NAL unit with the head of the first.
 */
const h264: FrameLayout = {
  split(frame) {
    const { metadata, hidden, rest } = cutH264(frame);
    return { metadata, rest: joined(prefixed(hidden), rest) };
  },
  restore(metadata, opened) {
    if (opened.length < lengthBytes)
      throw new FrameBroken(`${opened.length} bytes are no sealed rest of a frame of H.264`);
    const end = lengthBytes + new DataView(opened.buffer, opened.byteOffset).getUint32(0);
    if (end > opened.length) throw new FrameBroken('what stands before the slice ends behind the frame');
    const at = sliceIn(metadata);
    return joined(
      metadata.subarray(0, at),
      opened.subarray(lengthBytes, end),
      metadata.subarray(at),
      opened.subarray(end),
    );
  },
  assemble: (metadata, sealed) => joined(metadata, escaped(sealed, metadata), Uint8Array.of(lastByte)),
  take(sealedFrame) {
    const { metadata, hidden, rest } = cutH264(sealedFrame);
    if (hidden.length > 0)
      throw new FrameBroken('a sealed frame of H.264 has no unit but parameter sets before its slice');
    const end = rest.length - zerosAtEnd(rest);
    if (rest[end - 1] !== lastByte) throw new FrameBroken('the sealed rest of a frame of H.264 is cut');
    return { metadata, rest: unescaped(rest.subarray(0, end - 1), metadata) };
  },
};

/** For each codec: VP8 10 bytes of a key frame and 3 of others, H.264 its parameter sets and a slice's head, the others nothing. */
export const frameLayouts: Readonly<Record<FrameCodec, FrameLayout>> = {
  opus: nothingReadable,
  vp8,
  vp9: nothingReadable,
  h264,
};
