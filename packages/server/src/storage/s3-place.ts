/** Where a bucket is reached. OpenTok's storage names no region, so it is read off the endpoint, or learned from an answer. */
import type { S3Target } from './s3-answers.ts';

/** Amazon's own first one: the region that a server without regions goes by. */
export const usualRegion = 'us-east-1';

/** An endpoint of Amazon in the usual partition: of one region, or of none. */
const amazons = /^s3(?:[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-\d+))?\.amazonaws\.com$/;

/** The region in the name of a host, as `eu-central-1` in `s3.eu-central-1.wasabisys.com`. */
const inHost = /(?:^|[.-])([a-z]{2}(?:-[a-z]+)+-\d+)(?=\.|$)/;

function hostOf({ endpoint }: S3Target): string {
  return endpoint === null ? 's3.amazonaws.com' : new URL(endpoint).hostname;
}

/** The region to ask in first. */
export function firstRegion(target: S3Target): string {
  return target.region ?? inHost.exec(hostOf(target))?.[1] ?? usualRegion;
}

export interface Place {
  readonly endpoint: string;
  /** The name of the bucket stands in the path, not in the host's name. */
  readonly forcePathStyle: boolean;
}

export function placeOf(target: S3Target, region: string): Place {
  if (amazons.test(hostOf(target))) return { endpoint: `https://s3.${region}.amazonaws.com`, forcePathStyle: false };
  return { endpoint: target.endpoint ?? '', forcePathStyle: true };
}
