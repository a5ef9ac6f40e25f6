/**
 * How a picture is cut into layers, and how much each may cost. Pure: from a picture and wishes to encodings.
 */
import type { Dimensions } from './events.ts';

export type VideoBitratePresetInput = 'default' | 'bw_saver' | 'extra_bw_saver';
export type VideoBitratePreset = VideoBitratePresetInput | 'custom';
export type CodecName = 'vp8' | 'vp9' | 'h264';

/** One encoding as `RTCRtpSender.setParameters` knows it. */
export interface LayerPlan {
  readonly active: boolean;
  readonly scaleResolutionDownBy: number;
  readonly maxBitrate: number;
  readonly maxFramerate: number;
  readonly scalabilityMode: string;
}

/** What decides a video's layers when it is first sent; their number never changes afterwards. */
export interface PictureSource {
  readonly dimensions: Dimensions;
  readonly frameRate: number;
  readonly videoType: 'camera' | 'screen' | 'custom';
  readonly codec: CodecName;
  /** `scalableScreenshare` for screens, `scalableVideo` for the rest. */
  readonly scalable: boolean;
  /** Whether this browser encodes VP9 with spatial layers inside one stream. */
  readonly svc: boolean;
}

/** What may change while it is sent. */
export interface PictureWishes {
  /** Off: muted, or nobody wants it. */
  readonly sending: boolean;
  /** Highest layer that anybody wants. */
  readonly spatialMax: number;
  readonly preferredResolution: Dimensions | null;
  readonly preferredFrameRate: number | null;
  /** Bits a second of all layers together; null: by the preset. */
  readonly maxBitrate: number | null;
  readonly preset: VideoBitratePresetInput;
}

export const noWishes: PictureWishes = {
  sending: true,
  spatialMax: 2,
  preferredResolution: null,
  preferredFrameRate: null,
  maxBitrate: null,
  preset: 'default',
};

const presetFactors: Readonly<Record<VideoBitratePresetInput, number>> = {
  default: 1,
  bw_saver: 0.6,
  extra_bw_saver: 0.35,
};

const smallestPixels = 320 * 180;
const smallestBps = 170_000;

/**
 * Bits a second that a picture of this size needs at most: some 170 kbit/s at 320x180, 480 at 640x360, 1,360 at
 * 1280x720 and 2,500 at 1920x1080, all at 30 frames a second; a picture four times as large needs less than three
 * times the bits, and a fifth of the frames a bit less than half.
 */
export function bitrateFor(dimensions: Dimensions, frameRate: number): number {
  const pixels = Math.max(smallestPixels / 4, dimensions.width * dimensions.height);
  const frames = Math.sqrt(Math.min(30, Math.max(1, frameRate)) / 30);
  return Math.round(smallestBps * (pixels / smallestPixels) ** 0.75 * frames);
}

/** How many simulcast layers a picture is worth: 1280x720 three, 640x480 two, 320x240 one. */
export function layerCount(source: PictureSource): number {
  if (!source.scalable || source.codec === 'vp9') return 1;
  const side = Math.max(source.dimensions.width, source.dimensions.height);
  if (source.videoType === 'screen') return side >= 1280 ? 2 : 1;
  return side >= 960 ? 3 : side >= 480 ? 2 : 1;
}

function scalabilityMode(source: PictureSource): string {
  if (source.codec === 'h264') return 'L1T1';
  if (source.codec !== 'vp9') return source.videoType === 'screen' && !source.scalable ? 'L1T1' : 'L1T3';
  const spatial = source.scalable && source.svc ? Math.min(3, layerCount({ ...source, codec: 'vp8' })) : 1;
  return spatial > 1 ? `L${spatial}T3_KEY` : 'L1T3';
}

/** The encodings of a picture, lowest layer first. */
export function planLayers(source: PictureSource, wishes: PictureWishes): LayerPlan[] {
  const count = layerCount(source);
  const mode = scalabilityMode(source);
  const shrink = shrinkFor(source.dimensions, wishes.preferredResolution);
  const frameRate = Math.min(source.frameRate, wishes.preferredFrameRate ?? source.frameRate);
  const plans = Array.from({ length: count }, (_, index): LayerPlan => {
    const scale = shrink * 2 ** (count - 1 - index);
    const size = { width: source.dimensions.width / scale, height: source.dimensions.height / scale };
    return {
      active: wishes.sending && index <= wishes.spatialMax,
      scaleResolutionDownBy: scale,
      maxBitrate: Math.round(bitrateFor(size, frameRate) * presetFactors[wishes.preset]),
      maxFramerate: frameRate,
      scalabilityMode: mode,
    };
  });
  return wishes.maxBitrate === null ? plans : capped(plans, wishes.maxBitrate);
}

/** By how much a picture shrinks so that it is no larger than asked; never enlarges. */
function shrinkFor(dimensions: Dimensions, preferred: Dimensions | null): number {
  if (!preferred || preferred.width <= 0 || preferred.height <= 0) return 1;
  return Math.max(1, Math.min(dimensions.width / preferred.width, dimensions.height / preferred.height));
}

/** Shares a limit among the layers in the proportion of what they would take. */
function capped(plans: LayerPlan[], maxBitrate: number): LayerPlan[] {
  const total = plans.reduce((sum, plan) => sum + plan.maxBitrate, 0);
  return plans.map((plan) => ({ ...plan, maxBitrate: Math.round((plan.maxBitrate / total) * maxBitrate) }));
}

/** Bits a second that a picture takes at most under its wishes: what `getMaxVideoBitrate` answers. */
export function totalBitrate(plans: readonly LayerPlan[]): number {
  return plans.reduce((sum, plan) => sum + plan.maxBitrate, 0);
}

/**
 * The codec to publish with: the first preferred one that both this browser and the router have; VP8 when nothing
 * was preferred (every client decodes it).
 */
export function chooseCodec(
  preferred: readonly CodecName[] | 'automatic' | undefined,
  offered: ReadonlySet<string>,
): CodecName {
  const wishes = preferred === undefined || preferred === 'automatic' ? [] : preferred;
  return wishes.find((name) => offered.has(`video/${name}`)) ?? 'vp8';
}
