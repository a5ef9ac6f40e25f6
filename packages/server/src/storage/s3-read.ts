/**
 * An object of S3, read by whoever has credentials for it: `archive open s3://BUCKET/KEY`. Credentials, region and endpoint
 * are those that the tools of Amazon use: variables of the environment, and the profile. The platform itself never reads.
 */
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { PlatformError } from '@cloister/protocol';
import type { UploadFault } from './fault.ts';
import { faultOf, regionIn } from './s3-answers.ts';
import { usualRegion } from './s3-place.ts';
import { type SdkRequest, urlOf } from './s3-request.ts';
import { requirePrivate } from './wire.ts';

/** An object as it is stored. */
export interface ReadObject {
  /** Once, from its beginning. @throws PlatformError `ArchiveUnreadable` where the connection breaks off */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Null where the storage does not say. */
  readonly size: number | null;
}

type Library = typeof import('@aws-sdk/client-s3');
type Client = InstanceType<Library['S3Client']>;

const noCredentials =
  'there are no credentials for it: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE';

/** What the refusals of one who reads mean, where it is another thing than for one who writes. */
const words: Readonly<Record<string, string>> = {
  NoSuchKey: 'there is no such object',
  NotFound: 'there is no such object',
  AccessDenied: 'the credentials may not read it, or it is not there and they may not list the bucket',
  InvalidObjectState: 'it lies in a storage class that has to be restored first',
  CredentialsProviderError: noCredentials,
};

function unreadable(place: string, why: string, cause: unknown): never {
  throw new PlatformError('ArchiveUnreadable', { why: `${place}: ${why}` }, { cause });
}

/**
 * Begins to read an object.
 * @param source `s3://BUCKET/KEY`, with the key as it is, not escaped
 * @param fetch what sends the signed request: over https, or to this machine
 * @throws PlatformError `ArchiveUnreadable`
 */
export async function readS3Object(source: string, fetch: typeof globalThis.fetch): Promise<ReadObject> {
  const [, bucket, key] = /^s3:\/\/([^/]+)\/(.+)$/is.exec(source) ?? [];
  if (bucket === undefined || key === undefined) return unreadable(source, 'it is not s3://BUCKET/KEY', null);
  const library = await import('@aws-sdk/client-s3');
  const ask = async (region: string) => {
    const client = clientIn(library, region, fetch);
    return client.send(new library.GetObjectCommand({ Bucket: bucket, Key: key }));
  };
  const region = await regionOf(library);
  try {
    const { Body, ContentLength } = await ask(region).catch((thrown: unknown) => {
      const named = regionIn(thrown);
      if (named === null || named === region) throw thrown;
      return ask(named);
    });
    return { bytes: bodyOf(source, Body as Readable), size: ContentLength ?? null };
  } catch (thrown) {
    const { name = '' } = thrown as { name?: string };
    return unreadable(source, words[name] ?? wordsOf(faultOf(thrown, region)), thrown);
  }
}

function wordsOf(fault: UploadFault): string {
  return fault.kind === 'denied' ? words.AccessDenied! : fault.message;
}

/** The one that is set; a storage that has others says so. */
async function regionOf({ S3Client }: Library): Promise<string> {
  return new S3Client({}).config.region().catch(() => usualRegion);
}

function clientIn({ S3Client }: Library, region: string, fetch: typeof globalThis.fetch): Client {
  return new S3Client({
    region,
    // With the bucket in the path an endpoint needs no names below its own.
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      async handle(request: SdkRequest) {
        const url = urlOf(request);
        requirePrivate(url);
        const headers = { ...request.headers, 'accept-encoding': 'identity' };
        const answer = await fetch(url, { method: request.method, redirect: 'manual', headers });
        const body = answer.body ? Readable.fromWeb(answer.body as ReadableStream) : Readable.from([]);
        return { response: { statusCode: answer.status, headers: Object.fromEntries(answer.headers), body } };
      },
    } as never,
  });
}

async function* bodyOf(source: string, body: Readable): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (cause) {
    unreadable(source, 'the connection to the storage broke off', cause);
  }
}
