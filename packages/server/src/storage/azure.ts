/** One blob in a container of Azure. The service encrypts everything that it stores; there is nothing to ask for. */
import {
  BlobServiceClient,
  type BlockBlobClient,
  newPipeline,
  type StoragePipelineOptions,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import type { StorageTarget } from '../core/index.ts';
import { type Bucket, contentTypeOf, markName, md5Of, type PartTag } from './bucket.ts';
import { type FaultKind, faultOfEgress, faultOfStatus, UploadFault } from './fault.ts';
import { sendOver, type Wire } from './wire.ts';

type AzureTarget = Extract<StorageTarget, { type: 'azure' }>;
type Client = NonNullable<StoragePipelineOptions['httpClient']>;

const publicDomain = 'blob.core.windows.net';

/** Codes of the Blob service (Azure Storage, status and error codes). */
const kinds: Readonly<Record<string, FaultKind>> = {
  AuthenticationFailed: 'credentials',
  InvalidAuthenticationInfo: 'credentials',
  AuthorizationFailure: 'denied',
  AuthorizationPermissionMismatch: 'denied',
  AccountIsDisabled: 'denied',
  InsufficientAccountPermissions: 'denied',
  BlobImmutableDueToPolicy: 'denied',
  ContainerNotFound: 'missing',
  ContainerBeingDeleted: 'missing',
  InvalidBlockList: 'lost',
  Md5Mismatch: 'busy',
  ServerBusy: 'busy',
};

/** What the library throws, as far as it is looked at. */
interface Refusal {
  readonly code?: string;
  readonly statusCode?: number;
  readonly response?: { readonly headers: { get(name: string): string | undefined } };
}

function faultOf(thrown: unknown): UploadFault {
  if (thrown instanceof UploadFault) return thrown;
  const ofEgress = faultOfEgress(thrown);
  if (ofEgress) return ofEgress;
  const { code = '', statusCode = 0, response } = thrown as Refusal;
  const kind = kinds[response?.headers.get('x-ms-error-code') ?? code];
  if (kind) return new UploadFault(kind, null, { cause: thrown });
  if (statusCode === 403) return new UploadFault('denied', null, { cause: thrown });
  return faultOfStatus(statusCode, thrown);
}

/** Sends what the library asks through the platform's egress. */
export function clientOver(wire: Wire, signal: AbortSignal): Client {
  return {
    async sendRequest(request) {
      const asked = request.headers.rawHeaders();
      const { url, method, body } = request;
      const answer = await sendOver(wire, { url, method, headers: asked, body }, signal);
      const headers = request.headers.clone();
      for (const name of headers.headerNames()) headers.remove(name);
      for (const [name, value] of Object.entries(answer.headers)) headers.set(name, value);
      return { request, status: answer.status, headers, bodyAsText: answer.body.toString() };
    },
  };
}

export class AzureBucket implements Bucket {
  readonly #blob: BlockBlobClient;
  readonly #name: string;

  /** @param signal ends requests that are under way */
  constructor(
    { accountName, accountKey, container, domain }: AzureTarget,
    name: string,
    wire: Wire,
    signal: AbortSignal,
  ) {
    const pipeline = newPipeline(new StorageSharedKeyCredential(accountName, accountKey), {
      httpClient: clientOver(wire, signal),
      retryOptions: { maxTries: 1 },
    });
    const service = new BlobServiceClient(`https://${accountName}.${domain ?? publicDomain}`, pipeline);
    this.#blob = service.getContainerClient(container).getBlockBlobClient(name);
    this.#name = name;
  }

  /** There is nothing to begin: blocks of a blob that is not there yet are kept for a week. */
  async begin(mark: string): Promise<string> {
    return mark;
  }

  async sendPart(uploadId: string, number: number, bytes: Buffer): Promise<PartTag> {
    // All block ids of a blob have the same length.
    const id = Buffer.from(`${uploadId} ${String(number).padStart(5, '0')}`).toString('base64');
    await this.#ask(() => this.#blob.stageBlock(id, bytes, bytes.length, { transactionalContentMD5: md5Of(bytes) }));
    return id;
  }

  async complete(_uploadId: string, mark: string, parts: readonly PartTag[]): Promise<void> {
    await this.#ask(() =>
      this.#blob.commitBlockList([...parts], {
        metadata: { [markName]: mark },
        blobHTTPHeaders: { blobContentType: contentTypeOf(this.#name) },
      }),
    );
  }

  /** The service does it by itself. */
  async abort(): Promise<void> {}

  async isThere(mark: string, sizeBytes: number): Promise<boolean> {
    try {
      const { metadata, contentLength } = await this.#ask(() => this.#blob.getProperties());
      return metadata?.[markName] === mark && contentLength === sizeBytes;
    } catch (fault) {
      if (fault instanceof UploadFault && fault.lasting) return false;
      throw fault;
    }
  }

  /** @throws UploadFault */
  async #ask<Answer>(request: () => Promise<Answer>): Promise<Answer> {
    try {
      return await request();
    } catch (thrown) {
      throw faultOf(thrown);
    }
  }
}
