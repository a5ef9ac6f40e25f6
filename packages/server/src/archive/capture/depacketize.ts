/**
 * From the payloads of one picture's RTP packets to the bytes that its decoder takes: VP8 (RFC 7741), VP9 (RFC 9628) and
 * H.264 (RFC 6184); Opus (RFC 7587) is a payload as it stands. Bytes of strangers: what does not parse gives null, and the
 * picture is lost.
 */

/** A picture as its decoder takes it. */
export interface Picture {
  readonly data: Buffer;
  /** Whether it can be decoded without any other. */
  readonly key: boolean;
}

/** @param payloads all of one picture, in order, none missing. @returns null where they are no picture */
export type Depacketize = (payloads: readonly Buffer[]) => Picture | null;

/** How to put pictures of a codec together, by its mime type in lower case. */
export const depacketizers: Readonly<Record<string, Depacketize>> = {
  'video/vp8': vp8,
  'video/vp9': vp9,
  'video/h264': h264,
};

/** @returns the bytes behind a VP8 payload descriptor, and whether a partition starts there */
function vp8Part(payload: Buffer): { start: boolean; data: Buffer } | null {
  if (payload.length < 1) return null;
  const first = payload.readUInt8(0);
  let at = 1;
  if (first & 0x80) {
    if (payload.length < 2) return null;
    const second = payload.readUInt8(1);
    at = 2;
    if (second & 0x80) {
      if (payload.length <= at) return null;
      at += payload.readUInt8(at) & 0x80 ? 2 : 1;
    }
    if (second & 0x40) at += 1;
    if (second & 0x30) at += 1;
  }
  if (at >= payload.length) return null;
  return { start: (first & 0x10) !== 0 && (first & 0x07) === 0, data: payload.subarray(at) };
}

function vp8(payloads: readonly Buffer[]): Picture | null {
  const parts = payloads.map(vp8Part);
  const [first] = parts;
  if (!first?.start) return null;
  const data = join(parts);
  return data && { data, key: (data.readUInt8(0) & 1) === 0 };
}

/** @returns the bytes behind a VP9 payload descriptor, whether a frame starts there, and whether it refers to no other */
function vp9Part(payload: Buffer): { start: boolean; key: boolean; data: Buffer } | null {
  if (payload.length < 1) return null;
  const first = payload.readUInt8(0);
  const [hasId, predicted, hasLayers, flexible] = [first & 0x80, first & 0x40, first & 0x20, first & 0x10];
  let at = 1;
  const byte = () => (at < payload.length ? payload.readUInt8(at++) : null);
  if (hasId) {
    const id = byte();
    if (id === null) return null;
    if (id & 0x80) at += 1;
  }
  let spatial = 0;
  if (hasLayers) {
    const layers = byte();
    if (layers === null) return null;
    spatial = (layers >> 1) & 0x07;
    if (!flexible) at += 1;
  }
  if (flexible && predicted) {
    for (let count = 0; count < 3; count += 1) {
      const difference = byte();
      if (difference === null) return null;
      if (!(difference & 1)) break;
    }
  }
  if (first & 0x02) {
    const end = skipScalability(payload, at);
    if (end === null) return null;
    at = end;
  }
  if (at >= payload.length) return null;
  const start = (first & 0x08) !== 0;
  return { start, key: !predicted && spatial === 0 && start, data: payload.subarray(at) };
}

/** The scalability structure (RFC 9628, 4.2.1): sizes of the layers, then a group of pictures. */
function skipScalability(payload: Buffer, from: number): number | null {
  if (from >= payload.length) return null;
  const head = payload.readUInt8(from);
  let at = from + 1;
  if (head & 0x10) at += 4 * ((head >> 5) + 1);
  if (head & 0x08) {
    if (at >= payload.length) return null;
    const pictures = payload.readUInt8(at);
    at += 1;
    for (let count = 0; count < pictures; count += 1) {
      if (at >= payload.length) return null;
      at += 1 + ((payload.readUInt8(at) >> 2) & 0x03);
    }
  }
  return at;
}

/** A picture has a frame for each of its spatial layers, lowest first; the last one is what is to be seen. */
function vp9(payloads: readonly Buffer[]): Picture | null {
  const parts = payloads.map(vp9Part);
  const frames: Buffer[][] = [];
  for (const part of parts) {
    if (part?.start) frames.push([]);
    const frame = frames.at(-1);
    if (!part || !frame) return null;
    frame.push(part.data);
  }
  const data = superframe(frames.map((each) => Buffer.concat(each)));
  return data && { data, key: parts[0]?.key === true };
}

const superframeMost = 8;

/**
 * Frames that are decoded together (VP9 bitstream specification, annex B): behind them their sizes, without which a decoder takes
 * all bytes for the first one's.
 */
function superframe(frames: readonly Buffer[]): Buffer | null {
  const [first] = frames;
  if (!first || frames.length > superframeMost) return null;
  if (frames.length === 1) return first;
  const longest = Math.max(...frames.map(({ length }) => length));
  const sizeBytes = longest < 0x100 ? 1 : longest < 0x10000 ? 2 : longest < 0x1000000 ? 3 : 4;
  const marker = Buffer.of(0xc0 | ((sizeBytes - 1) << 3) | (frames.length - 1));
  const sizes = frames.map(({ length }) => {
    const size = Buffer.alloc(sizeBytes);
    size.writeUIntLE(length, 0, sizeBytes);
    return size;
  });
  return Buffer.concat([...frames, marker, ...sizes, marker]);
}

function join(parts: readonly ({ data: Buffer } | null)[]): Buffer | null {
  const data: Buffer[] = [];
  for (const part of parts) {
    if (!part) return null;
    data.push(part.data);
  }
  const all = Buffer.concat(data);
  return all.length > 0 ? all : null;
}

const startCode = Buffer.from([0, 0, 0, 1]);
const idr = 5;
const stapA = 24;
const fuA = 28;

/** NAL units behind start codes, as decoders take them (ITU-T H.264, annex B). */
function h264(payloads: readonly Buffer[]): Picture | null {
  const data: Buffer[] = [];
  let key = false;
  const add = (unit: Buffer): boolean => {
    if (unit.length === 0) return false;
    key ||= (unit.readUInt8(0) & 0x1f) === idr;
    data.push(startCode, unit);
    return true;
  };
  let open = false;
  for (const payload of payloads) {
    if (payload.length < 1) return null;
    const type = payload.readUInt8(0) & 0x1f;
    if (type === fuA) {
      if (payload.length < 3) return null;
      const head = payload.readUInt8(1);
      const begins = (head & 0x80) !== 0;
      if (begins === open) return null;
      if (begins) add(Buffer.from([(payload.readUInt8(0) & 0xe0) | (head & 0x1f)]));
      data.push(payload.subarray(2));
      open = (head & 0x40) === 0;
      continue;
    }
    if (open) return null;
    if (type === stapA) {
      if (!aggregated(payload, add)) return null;
    } else if (type === 0 || type > 23 || !add(payload)) return null;
  }
  return open || data.length === 0 ? null : { data: Buffer.concat(data), key };
}

function aggregated(payload: Buffer, add: (unit: Buffer) => boolean): boolean {
  let at = 1;
  while (at < payload.length) {
    if (at + 2 > payload.length) return false;
    const length = payload.readUInt16BE(at);
    if (at + 2 + length > payload.length || !add(payload.subarray(at + 2, at + 2 + length))) return false;
    at += 2 + length;
  }
  return at > 1;
}
