/** What every router of the platform can carry. Feedback (NACK, PLI, FIR, transport-cc), RTX and extensions are mediasoup's. */
import type { RtpCapabilities, RtpParameters } from '@cloister/protocol';
import type { RouterRtpCodecCapability } from 'mediasoup/types';

/** In the order in which a client without a wish of its own takes them. */
export const routerCodecs: readonly RouterRtpCodecCapability[] = [
  { kind: 'audio', mimeType: 'audio/opus', clockRate: 48_000, channels: 2, parameters: { useinbandfec: 1 } },
  { kind: 'video', mimeType: 'video/VP8', clockRate: 90_000 },
  { kind: 'video', mimeType: 'video/VP9', clockRate: 90_000, parameters: { 'profile-id': 0 } },
  {
    kind: 'video',
    mimeType: 'video/H264',
    clockRate: 90_000,
    parameters: { 'packetization-mode': 1, 'profile-level-id': '42e01f', 'level-asymmetry-allowed': 1 },
  },
  {
    kind: 'video',
    mimeType: 'video/H264',
    clockRate: 90_000,
    parameters: { 'packetization-mode': 1, 'profile-level-id': '4d0032', 'level-asymmetry-allowed': 1 },
  },
];

/** The codec that every client decodes: a picture that is in it stays in it (docs/decisions/0004). */
export const codecForEverybody = 'video/VP8';

/** The codec of a track; the others that a track may list (RTX) only carry it again. */
export function codecOf({ codecs }: Pick<RtpParameters, 'codecs'>): string {
  const named = codecs[0]?.mimeType ?? 'unknown';
  return routerCodecs.find(({ mimeType }) => mimeType.toLowerCase() === named.toLowerCase())?.mimeType ?? named;
}

/** Codecs of a picture that both a client and the routers can take, in the routers' order: `codecForEverybody` first. */
export function picturesOf({ codecs = [] }: RtpCapabilities): string[] {
  const own = new Set(codecs.map(({ mimeType }) => mimeType.toLowerCase()));
  const pictures = routerCodecs.filter(({ kind, mimeType }) => kind === 'video' && own.has(mimeType.toLowerCase()));
  return [...new Set(pictures.map(({ mimeType }) => mimeType))];
}
