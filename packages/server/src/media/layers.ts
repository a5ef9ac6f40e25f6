/** Which simulcast or SVC layer of a stream a subscriber gets for the size and rate that it asks for. */
import type { RtpParameters } from '@cloister/protocol';
import { parseScalabilityMode } from 'mediasoup';
import type { Preferred } from '../core/index.ts';

/** What a published track offers, lowest layer first. */
export interface Ladder {
  /** 0 by 0 where the publisher did not say how large its picture is. */
  readonly sizes: readonly { readonly width: number; readonly height: number }[];
  /** Frames a second of each temporal layer. */
  readonly rates: readonly number[];
}

export interface LayerChoice {
  readonly spatialLayer: number;
  readonly temporalLayer: number;
}

// A layer that is a hair smaller or slower than asked for is that layer: 359 lines are 360, 29.97 frames are 30.
const tolerance = 0.95;

interface Encoding {
  readonly scalabilityMode?: unknown;
  readonly scaleResolutionDownBy?: unknown;
}

/** The ladder of a track, from its encodings and from the size and rate of its picture as published. */
export function ladderOf(
  encodings: NonNullable<RtpParameters['encodings']>,
  dimensions: { width: number; height: number },
  frameRate: number,
): Ladder {
  const all = encodings as readonly Encoding[];
  const mode = all[0]?.scalabilityMode;
  const { spatialLayers, temporalLayers } = parseScalabilityMode(typeof mode === 'string' ? mode : undefined);
  const count = all.length > 1 ? all.length : spatialLayers;
  const sizes = Array.from({ length: count }, (_, layer) => {
    const said = all.length > 1 ? all[layer]?.scaleResolutionDownBy : undefined;
    const scale = typeof said === 'number' && said >= 1 ? said : 2 ** (count - 1 - layer);
    return { width: Math.round(dimensions.width / scale), height: Math.round(dimensions.height / scale) };
  });
  const rates = Array.from({ length: temporalLayers }, (_, layer) => frameRate / 2 ** (temporalLayers - 1 - layer));
  return { sizes, rates };
}

/** The lowest layers that are as large and as fast as preferred; the top ones without a preference. */
export function chooseLayers(ladder: Ladder, preferred: Preferred | null): LayerChoice {
  const top = { spatialLayer: ladder.sizes.length - 1, temporalLayer: ladder.rates.length - 1 };
  const { width = 0, height = 0, frameRate } = preferred ?? {};
  const spatial = ladder.sizes.findIndex(
    (size) => size.width > 0 && size.width >= width * tolerance && size.height >= height * tolerance,
  );
  const temporal = ladder.rates.findIndex((rate) => frameRate !== undefined && rate >= frameRate * tolerance);
  return {
    spatialLayer: (width === 0 && height === 0) || spatial < 0 ? top.spatialLayer : spatial,
    temporalLayer: temporal < 0 ? top.temporalLayer : temporal,
  };
}
