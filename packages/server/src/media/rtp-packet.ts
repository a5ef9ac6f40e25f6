/** Where things are in an RTP packet (RFC 3550, 5.1 and 5.3.1). */

export interface RtpHeader {
  readonly payloadType: number;
  readonly marker: boolean;
  readonly sequence: number;
  readonly timestamp: number;
  readonly ssrc: number;
  /** The payload is the bytes from `payloadStart` up to `payloadEnd`, without padding; they are equal where there is none. */
  readonly payloadStart: number;
  readonly payloadEnd: number;
}

const fixedBytes = 12;

/** @returns null for what is no RTP packet, or is cut off. */
export function readRtp(packet: Uint8Array): RtpHeader | null {
  if (packet.length < fixedBytes) return null;
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const first = view.getUint8(0);
  if (first >> 6 !== 2) return null;
  let start = fixedBytes + 4 * (first & 0x0f);
  if ((first & 0x10) !== 0) {
    if (start + 4 > packet.length) return null;
    start += 4 + 4 * view.getUint16(start + 2);
  }
  const hasPadding = (first & 0x20) !== 0;
  const padding = hasPadding ? view.getUint8(packet.length - 1) : 0;
  const end = packet.length - padding;
  if (start > end || (hasPadding && padding === 0)) return null;
  const second = view.getUint8(1);
  return {
    payloadType: second & 0x7f,
    marker: second >> 7 === 1,
    sequence: view.getUint16(2),
    timestamp: view.getUint32(4),
    ssrc: view.getUint32(8),
    payloadStart: start,
    payloadEnd: end,
  };
}
