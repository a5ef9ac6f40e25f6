/** Decoders of pictures that strangers send: each refuses one that is too large before it takes memory for it. */
import { limits } from '@cloister/protocol';
import { Codec, CodecContext } from 'node-av';
import {
  AV_CODEC_FLAG_LOW_DELAY,
  AV_CODEC_ID_H264,
  AV_CODEC_ID_VP8,
  AV_CODEC_ID_VP9,
  type AVCodecID,
} from 'node-av/constants';

/** By mime type in lower case. */
export const pictureCodecs: Readonly<Record<string, AVCodecID>> = {
  'video/vp8': AV_CODEC_ID_VP8,
  'video/vp9': AV_CODEC_ID_VP9,
  'video/h264': AV_CODEC_ID_H264,
};

/** What the library says of a size that it does not take: EINVAL. A picture that is broken is another error. */
const sizeRefused = -22;

/** @returns null for a codec that there is no decoder of. The caller frees it. */
export function openDecoder(codecId: AVCodecID, { lowDelay }: { readonly lowDelay: boolean }): CodecContext | null {
  const codec = Codec.findDecoder(codecId);
  if (!codec) return null;
  const context = new CodecContext();
  context.allocContext3(codec);
  // A picture out for a picture in; several threads would each hold one back.
  context.threadCount = 1;
  if (lowDelay) context.setFlags(AV_CODEC_FLAG_LOW_DELAY);
  const bounded = context.setOption('max_pixels', String(limits.archivePicturePixels)) >= 0;
  if (bounded && context.open2Sync(codec) >= 0) return context;
  context.freeContext();
  return null;
}

/** @param code what `sendPacketSync` answered. @returns whether it refused the picture for its size */
export function isTooLarge({ width, height }: CodecContext, code: number): boolean {
  return code < 0 && (code === sizeRefused || width * height > limits.archivePicturePixels);
}
