/** An RTP packet (RFC 3550, 5.1) with its header extensions (RFC 8285). Bytes of strangers: nothing here trusts a length. */

export interface RtpPacket {
  readonly payloadType: number;
  readonly marker: boolean;
  /** 16 bits, wraps. */
  readonly sequence: number;
  /** 32 bits, wraps; in units of the codec's clock. */
  readonly timestamp: number;
  readonly ssrc: number;
  /** What the codec's payload format has in this packet, without padding. Part of the memory that was parsed. */
  readonly payload: Buffer;
  /** The bytes of each header extension, by its id. */
  readonly extensions: ReadonlyMap<number, Buffer>;
}

const fixedBytes = 12;
const noExtensions: ReadonlyMap<number, Buffer> = new Map();

/** @returns null for what is no whole RTP packet */
export function parseRtp(packet: Uint8Array): RtpPacket | null {
  if (packet.length < fixedBytes) return null;
  const bytes = Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength);
  const first = bytes.readUInt8(0);
  const second = bytes.readUInt8(1);
  if (first >> 6 !== 2) return null;
  let start = fixedBytes + (first & 0x0f) * 4;
  let extensions = noExtensions;
  if (first & 0x10) {
    if (bytes.length < start + 4) return null;
    const profile = bytes.readUInt16BE(start);
    const end = start + 4 + bytes.readUInt16BE(start + 2) * 4;
    if (bytes.length < end) return null;
    extensions = parseExtensions(profile, bytes.subarray(start + 4, end));
    start = end;
  }
  let end = bytes.length;
  if (first & 0x20) {
    const padding = bytes.readUInt8(end - 1);
    if (padding === 0) return null;
    end -= padding;
  }
  if (start > end) return null;
  return {
    payloadType: second & 0x7f,
    marker: (second & 0x80) !== 0,
    sequence: bytes.readUInt16BE(2),
    timestamp: bytes.readUInt32BE(4),
    ssrc: bytes.readUInt32BE(8),
    payload: bytes.subarray(start, end),
    extensions,
  };
}

/** One-byte (0xBEDE) and two-byte (0x100x) headers; of other profiles nothing is known. Stops where a length lies. */
function parseExtensions(profile: number, bytes: Buffer): ReadonlyMap<number, Buffer> {
  const found = new Map<number, Buffer>();
  const oneByte = profile === 0xbede;
  if (!oneByte && profile >> 4 !== 0x100) return found;
  let at = 0;
  while (at < bytes.length) {
    const head = bytes.readUInt8(at);
    if (head === 0) {
      at += 1;
      continue;
    }
    const id = oneByte ? head >> 4 : head;
    if (oneByte && id === 15) break;
    if (!oneByte && at + 1 >= bytes.length) break;
    const length = oneByte ? (head & 0x0f) + 1 : bytes.readUInt8(at + 1);
    const start = at + (oneByte ? 1 : 2);
    if (start + length > bytes.length) break;
    found.set(id, bytes.subarray(start, start + length));
    at = start + length;
  }
  return found;
}
