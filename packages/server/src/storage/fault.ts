/** What goes wrong with a storage, in words that hold no secret and no address. */
import { PlatformError } from '@cloister/protocol';

interface Kind {
  readonly words: string;
  /** Whether trying again changes nothing: somebody has to do something first. */
  readonly lasting: boolean;
}

const table = {
  credentials: { words: 'the storage refused the credentials', lasting: true },
  denied: { words: 'the credentials may not write there', lasting: true },
  missing: { words: 'there is no such bucket', lasting: true },
  region: { words: 'the bucket is in another region', lasting: true },
  encryption: {
    words: 'the storage did not confirm the encryption at the server, and nothing was sent',
    lasting: true,
  },
  refused: { words: 'the storage refused the request', lasting: true },
  forbidden: { words: 'the address of the storage is not allowed', lasting: true },
  unreachable: { words: 'the storage could not be reached', lasting: false },
  busy: { words: 'the storage failed, or had too much to do', lasting: false },
  /** What was sent so far is not there any more: it is sent anew. */
  lost: { words: 'the storage lost the parts that it had', lasting: false },
  /** What we have of the archive is not what was recorded. */
  spool: { words: 'what was recorded could not be read again', lasting: true },
} as const satisfies Record<string, Kind>;

export type FaultKind = keyof typeof table;

/** Something between us and a storage failed. Its message is constant words. */
export class UploadFault extends Error {
  readonly kind: FaultKind;

  /** @param more why, in constant words */
  constructor(kind: FaultKind, more: string | null = null, options: { cause?: unknown } = {}) {
    super(more === null ? table[kind].words : `${table[kind].words}: ${more}`, options);
    this.name = 'UploadFault';
    this.kind = kind;
  }

  get lasting(): boolean {
    return table[this.kind].lasting;
  }
}

/** The fault that a refusal of the egress is; null for anything else. */
export function faultOfEgress(thrown: unknown): UploadFault | null {
  if (!(thrown instanceof PlatformError)) return null;
  const why = String(thrown.details.why ?? '');
  if (thrown.code === 'DestinationRefused') return new UploadFault('forbidden', why, { cause: thrown });
  if (thrown.code === 'DestinationFailed') return new UploadFault('unreachable', why, { cause: thrown });
  return null;
}

/** The fault that an HTTP status stands for, where the storage said nothing that we know. */
export function faultOfStatus(status: number, cause: unknown): UploadFault {
  const failed = status === 0 || (status >= 500 && status !== 501) || status === 429 || status === 408;
  return new UploadFault(failed ? 'busy' : 'refused', `status ${status}`, { cause });
}
