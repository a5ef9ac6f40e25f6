/** What servers that speak S3 say when they refuse, and what an answer has to say before a byte is sent. */
import type { StorageTarget } from '../core/index.ts';
import { type FaultKind, faultOfEgress, faultOfStatus, UploadFault } from './fault.ts';

export type S3Target = Extract<StorageTarget, { type: 's3' }>;

/** Codes of S3 (Amazon S3 API, error responses), and those that others gave their own names. */
const kinds: Readonly<Record<string, FaultKind>> = {
  InvalidAccessKeyId: 'credentials',
  SignatureDoesNotMatch: 'credentials',
  InvalidToken: 'credentials',
  ExpiredToken: 'credentials',
  AccountProblem: 'credentials',
  NotSignedUp: 'credentials',
  AuthorizationHeaderMalformed: 'credentials',
  AccessDenied: 'denied',
  AllAccessDisabled: 'denied',
  Forbidden: 'denied',
  NoSuchBucket: 'missing',
  PermanentRedirect: 'region',
  TemporaryRedirect: 'region',
  Redirect: 'region',
  IllegalLocationConstraintException: 'region',
  InvalidEncryptionAlgorithmError: 'encryption',
  NoSuchUpload: 'lost',
  InvalidPart: 'lost',
  InvalidPartOrder: 'lost',
  EntityTooSmall: 'lost',
  BadDigest: 'busy',
  InternalError: 'busy',
  OperationAborted: 'busy',
  RequestTimeout: 'busy',
  ServiceUnavailable: 'busy',
  SlowDown: 'busy',
};

/** What the library throws, as far as it is looked at. */
interface Refusal {
  readonly name?: string;
  readonly Region?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
}

/** The region that a refusal says is the right one; null where it says none. */
export function regionIn(thrown: unknown): string | null {
  const { Region, $response } = thrown as Refusal;
  const named = $response?.headers?.['x-amz-bucket-region'] ?? Region;
  return typeof named === 'string' && /^[a-z0-9-]{1,64}$/.test(named) ? named : null;
}

/** @param region the one that was asked in */
export function faultOf(thrown: unknown, region: string): UploadFault {
  if (thrown instanceof UploadFault) return thrown;
  const ofEgress = faultOfEgress(thrown);
  if (ofEgress) return ofEgress;
  const { name = '', $metadata } = thrown as Refusal;
  const right = regionIn(thrown);
  if (right !== null && right !== region) return new UploadFault('region', null, { cause: thrown });
  if (name.startsWith('KMS.')) return new UploadFault('encryption', 'its key cannot be used', { cause: thrown });
  if (name === 'RequestTimeTooSkewed') return new UploadFault('refused', 'our clocks differ', { cause: thrown });
  const kind = kinds[name];
  if (kind) return new UploadFault(kind, null, { cause: thrown });
  const status = $metadata?.httpStatusCode ?? 0;
  if (status === 403) return new UploadFault('denied', null, { cause: thrown });
  return faultOfStatus(status, thrown);
}

/** What the project asked a bucket to encrypt with, as a request says it. */
export function encryptionOf({ sse, kmsKeyId, kmsEncryptionContext }: S3Target) {
  if (sse === 'none') return {};
  if (sse === 's3') return { ServerSideEncryption: 'AES256' } as const;
  return {
    ServerSideEncryption: 'aws:kms',
    SSEKMSKeyId: kmsKeyId ?? '',
    ...(kmsEncryptionContext && {
      SSEKMSEncryptionContext: Buffer.from(JSON.stringify(kmsEncryptionContext)).toString('base64'),
    }),
  } as const;
}

/** Whether an answer confirms the encryption that was asked for: its algorithm, the very key, and the context. */
export function isConfirmed(
  { sse, kmsKeyId, kmsEncryptionContext }: S3Target,
  answer: {
    readonly ServerSideEncryption?: string;
    readonly SSEKMSKeyId?: string;
    readonly SSEKMSEncryptionContext?: string;
  },
): boolean {
  if (sse === 'none') return true;
  if (sse === 's3') return answer.ServerSideEncryption === 'AES256';
  if (answer.ServerSideEncryption !== 'aws:kms' || !isKey(kmsKeyId ?? '', answer.SSEKMSKeyId ?? '')) return false;
  return holds(answer.SSEKMSEncryptionContext ?? '', kmsEncryptionContext ?? {});
}

/** @param said base64 of JSON. @returns whether every pair is in it; a service may add some of its own (the bucket's ARN) */
function holds(said: string, wanted: Readonly<Record<string, string>>): boolean {
  const pairs = Object.entries(wanted);
  if (pairs.length === 0) return true;
  try {
    const used = new Map(Object.entries(JSON.parse(Buffer.from(said, 'base64').toString()) as object));
    return pairs.every(([name, value]) => used.get(name) === value);
  } catch {
    return false;
  }
}

/** A key is named by its id or by its ARN, which ends with the id. */
function isKey(wanted: string, used: string): boolean {
  if (wanted === '' || used === '') return false;
  return used === wanted || used.endsWith(`:key/${wanted}`) || wanted.endsWith(`:key/${used}`);
}
