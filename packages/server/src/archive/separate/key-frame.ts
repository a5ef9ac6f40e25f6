/**
 * What a container has to know of a track of pictures before the first one is in it: its size and, for H.264, its parameter
 * sets. The decoder says the size; a key frame is decoded for it.
 */
import { Frame, Packet } from 'node-av';
import type { AVCodecID } from 'node-av/constants';
import { isTooLarge, openDecoder, pictureCodecs } from '../compose/decoder.ts';

export interface PictureTrack {
  readonly codecId: AVCodecID;
  readonly width: number;
  readonly height: number;
  /** H.264: SPS and PPS behind start codes; null for codecs that have none. */
  readonly parameterSets: Buffer | null;
}

const startCode = Buffer.from([0, 0, 0, 1]);
const sps = 7;
const pps = 8;

/**
 * @param mimeType in lower case
 * @param data a picture that needs no other, as its decoder takes it
 * @returns null for what does not decode or lacks its parameter sets; 'too large' for more than `archivePicturePixels`
 */
export function readKeyFrame(mimeType: string, data: Buffer): PictureTrack | 'too large' | null {
  const codecId = pictureCodecs[mimeType];
  if (codecId === undefined) return null;
  const parameterSets = mimeType === 'video/h264' ? parameterSetsOf(data) : null;
  if (mimeType === 'video/h264' && !parameterSets) return null;
  const size = decodedSize(codecId, data);
  return typeof size === 'string' ? size : size && { codecId, ...size, parameterSets };
}

/** The SPS and PPS of a picture whose NAL units stand behind start codes of four bytes; null where one is missing. */
function parameterSetsOf(data: Buffer): Buffer | null {
  const found: Buffer[] = [];
  const types = new Set<number>();
  let at = data.indexOf(startCode);
  while (at >= 0) {
    const next = data.indexOf(startCode, at + startCode.length);
    const type = (data[at + startCode.length] ?? 0) & 0x1f;
    if (type === sps || type === pps) {
      types.add(type);
      found.push(data.subarray(at, next < 0 ? data.length : next));
    }
    at = next;
  }
  return types.size === 2 ? Buffer.concat(found) : null;
}

interface Size {
  readonly width: number;
  readonly height: number;
}

function decodedSize(codecId: AVCodecID, data: Buffer): Size | 'too large' | null {
  const context = openDecoder(codecId, { lowDelay: false });
  if (!context) return null;
  const [packet, frame] = [new Packet(), new Frame()];
  try {
    packet.alloc();
    frame.alloc();
    packet.data = data;
    const code = context.sendPacketSync(packet);
    if (code < 0) return isTooLarge(context, code) ? 'too large' : null;
    // A decoder may hold its first picture back until it hears that there are no more.
    context.sendPacketSync(null);
    // Of several spatial layers the last one is what is to be seen.
    let size: Size | null = null;
    while (context.receiveFrameSync(frame) >= 0) {
      const { width, height } = frame;
      size = width > 0 && height > 0 ? { width, height } : null;
      frame.unref();
    }
    return size;
  } finally {
    packet.free();
    frame.free();
    context.freeContext();
  }
}
