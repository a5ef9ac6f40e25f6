/** One object in a bucket of S3, or of anything that speaks S3. */
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { type Bucket, contentTypeOf, markName, md5Of, type PartTag } from './bucket.ts';
import { UploadFault } from './fault.ts';
import { encryptionOf, faultOf, isConfirmed, regionIn, type S3Target } from './s3-answers.ts';
import { firstRegion, placeOf } from './s3-place.ts';
import { type SdkRequest, urlOf } from './s3-request.ts';
import { requirePrivate, sendOver, type Wire } from './wire.ts';

function clientOf(target: S3Target, region: string, wire: Wire, signal: AbortSignal): S3Client {
  const { endpoint, forcePathStyle } = placeOf(target, region);
  requirePrivate(endpoint);
  // Everything that the library would otherwise ask the environment or a file of its own for is said here.
  return new S3Client({
    region,
    endpoint,
    forcePathStyle,
    credentials: { accessKeyId: target.accessKey, secretAccessKey: target.secretKey },
    maxAttempts: 1,
    retryMode: 'standard',
    defaultsMode: 'standard',
    useArnRegion: false,
    useDualstackEndpoint: false,
    useFipsEndpoint: false,
    disableMultiregionAccessPoints: true,
    disableS3ExpressSessionAuth: true,
    authSchemePreference: [],
    sigv4aSigningRegionSet: [region],
    userAgentAppId: '',
    expectContinueHeader: false,
    // Others that speak S3 do not know the newer checksums. Parts are sent with their MD5, and the body is signed.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      async handle(request: SdkRequest) {
        const { method, headers, body } = request;
        const answer = await sendOver(wire, { url: urlOf(request), method, headers, body }, signal);
        const { status: statusCode, headers: answered } = answer;
        // A stream, though it is all there: the library looks for a refusal in an answer of 200 in streams only.
        return { response: { statusCode, headers: answered, body: Readable.from([answer.body]) } };
      },
    } as never,
  });
}

export class S3Bucket implements Bucket {
  readonly #target: S3Target;
  readonly #object: { readonly Bucket: string; readonly Key: string };
  readonly #wire: Wire;
  readonly #signal: AbortSignal;
  #region: string;
  #client: S3Client | null = null;

  /** @param signal ends requests that are under way */
  constructor(target: S3Target, name: string, wire: Wire, signal: AbortSignal) {
    this.#target = target;
    this.#object = { Bucket: target.bucket, Key: name };
    this.#wire = wire;
    this.#signal = signal;
    this.#region = firstRegion(target);
  }

  async begin(mark: string): Promise<string> {
    const answer = await this.#ask((client) =>
      client.send(
        new CreateMultipartUploadCommand({
          ...this.#object,
          ...encryptionOf(this.#target),
          ContentType: contentTypeOf(this.#object.Key),
          Metadata: { [markName]: mark },
        }),
      ),
    ).catch((fault: UploadFault) => {
      // There are servers that do not know the request for encryption.
      throw fault.kind === 'refused' && this.#target.sse !== 'none'
        ? new UploadFault('encryption', null, fault)
        : fault;
    });
    const uploadId = answer.UploadId ?? '';
    if (!isConfirmed(this.#target, answer)) {
      await this.abort(uploadId).catch(() => {});
      throw new UploadFault('encryption');
    }
    return uploadId;
  }

  async sendPart(uploadId: string, number: number, bytes: Buffer): Promise<PartTag> {
    const { ETag } = await this.#ask((client) =>
      client.send(
        new UploadPartCommand({
          ...this.#object,
          UploadId: uploadId,
          PartNumber: number,
          Body: bytes,
          ContentMD5: md5Of(bytes).toString('base64'),
        }),
      ),
    );
    if (!ETag) throw new UploadFault('busy', 'it did not acknowledge a part');
    return ETag;
  }

  async complete(uploadId: string, mark: string, parts: readonly PartTag[]): Promise<void> {
    if (parts.length === 0) return this.#putEmpty(uploadId, mark);
    await this.#ask((client) =>
      client.send(
        new CompleteMultipartUploadCommand({
          ...this.#object,
          UploadId: uploadId,
          MultipartUpload: { Parts: parts.map((ETag, index) => ({ ETag, PartNumber: index + 1 })) },
        }),
      ),
    );
  }

  async abort(uploadId: string): Promise<void> {
    await this.#ask((client) => client.send(new AbortMultipartUploadCommand({ ...this.#object, UploadId: uploadId })));
  }

  async isThere(mark: string, sizeBytes: number): Promise<boolean> {
    try {
      const found = await this.#ask((client) => client.send(new HeadObjectCommand(this.#object)));
      return found.Metadata?.[markName] === mark && found.ContentLength === sizeBytes;
    } catch (fault) {
      // Whoever may only write there does not learn it.
      if (fault instanceof UploadFault && fault.lasting) return false;
      throw fault;
    }
  }

  /** An upload has no object without a part. */
  async #putEmpty(uploadId: string, mark: string): Promise<void> {
    await this.abort(uploadId).catch(() => {});
    await this.#ask((client) =>
      client.send(
        new PutObjectCommand({
          ...this.#object,
          ...encryptionOf(this.#target),
          Body: Buffer.alloc(0),
          ContentType: contentTypeOf(this.#object.Key),
          Metadata: { [markName]: mark },
        }),
      ),
    );
  }

  /** Asks, and once more where the answer names the region of the bucket and the project has not. @throws UploadFault */
  async #ask<Answer>(request: (client: S3Client) => Promise<Answer>): Promise<Answer> {
    try {
      return await request(this.#clientNow());
    } catch (thrown) {
      const region = regionIn(thrown);
      if (this.#target.region !== null || region === null || region === this.#region) {
        throw faultOf(thrown, this.#region);
      }
      this.#region = region;
      this.#client = null;
    }
    try {
      return await request(this.#clientNow());
    } catch (thrown) {
      throw faultOf(thrown, this.#region);
    }
  }

  #clientNow(): S3Client {
    this.#client ??= clientOf(this.#target, this.#region, this.#wire, this.#signal);
    return this.#client;
  }
}
