/** Uploads without a network: a storage and a spool that are doubles, over real files and a clock that the test moves. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { limits } from '@cloister/protocol';
import { Feed } from '../../../../tests/rig/wait.ts';
import type { JournalFields, Keys, RecordingResult, StorageTarget, UploadOrder } from '../core/index.ts';
import { ManualClock } from '../lib/index.ts';
import type { Bucket, PartTag } from './bucket.ts';
import type { UploadFault } from './fault.ts';
import { openUploads, type ResealedUploads } from './uploads.ts';

/** A storage that keeps in memory what it gets. It is a double. */
export class BucketDouble implements Bucket {
  readonly asked = new Feed<string>();
  readonly uploads = new Map<string, Map<number, Buffer>>();
  object: Buffer | null = null;
  mark = '';
  /** What it answers instead; asked before each call. */
  refuse: (call: string) => UploadFault | null = () => null;
  #count = 0;

  async begin(): Promise<string> {
    this.#ask('begin');
    this.#count += 1;
    this.uploads.set(`upload ${this.#count}`, new Map());
    return `upload ${this.#count}`;
  }

  async sendPart(uploadId: string, number: number, bytes: Buffer): Promise<PartTag> {
    this.#ask(`part ${number}`);
    this.uploads.get(uploadId)?.set(number, Buffer.from(bytes));
    return `${uploadId}: ${number}`;
  }

  async complete(uploadId: string, mark: string, parts: readonly PartTag[]): Promise<void> {
    const sent = this.uploads.get(uploadId);
    this.#ask('complete');
    this.object = Buffer.concat(parts.map((tag) => sent?.get(Number(tag.split(': ')[1])) as Buffer));
    this.mark = mark;
  }

  async abort(uploadId: string): Promise<void> {
    this.#ask('abort');
    this.uploads.delete(uploadId);
  }

  async isThere(mark: string, sizeBytes: number): Promise<boolean> {
    this.#ask('look');
    return mark === this.mark && this.object?.length === sizeBytes;
  }

  #ask(call: string): void {
    const fault = this.refuse(call);
    this.asked.push(fault ? `${call} refused` : call);
    if (fault) throw fault;
  }
}

/** The number of the key that seals now. */
let generation = 1;

/** Another key seals from now on. */
export function keyLeaked(): void {
  generation += 1;
}

/** @param sealed by the keys of the test. @returns the number of the key */
export function keyOf(sealed: string): number {
  return JSON.parse(Buffer.from(sealed, 'base64').toString())[3];
}

/** Text under a key of the test. */
export const keys: Pick<Keys, 'seal' | 'open' | 'reseal'> = {
  seal: (project, context, clear) =>
    Buffer.from(JSON.stringify([project, context, clear, generation])).toString('base64') as ReturnType<Keys['seal']>,
  open: (project, context, sealed) => {
    const [inProject, inContext, clear] = JSON.parse(Buffer.from(sealed, 'base64').toString());
    if (inProject !== project || inContext !== context) throw new Error('sealed elsewhere');
    return clear;
  },
  reseal: (project, context, value) =>
    keyOf(value) === generation ? value : keys.seal(project, context, keys.open(project, context, value)),
};

export const target: StorageTarget = {
  type: 's3',
  accessKey: 'access-marker',
  secretKey: 'secret-marker',
  bucket: 'recordings',
  endpoint: null,
  region: null,
  sse: 'none',
  kmsKeyId: null,
  kmsEncryptionContext: null,
};

export class UploadRig {
  readonly clock = new ManualClock();
  readonly bucket = new BucketDouble();
  readonly archiveId = randomUUID();
  readonly warnings = new Feed<JournalFields & { readonly message: string }>();
  readonly folder: string;
  /** What was recorded so far, and how much of it cannot change any more. */
  spool: Buffer = Buffer.alloc(0);
  settled = 0;
  /** What it was told each time when it asked how much cannot change any more. */
  readonly looks = new Feed<number>();
  readonly targets: StorageTarget[] = [];
  uploads: ResealedUploads;

  constructor() {
    const root = mkdtempSync(path.join(tmpdir(), 'cloister-uploads-'));
    this.folder = path.join(root, this.archiveId);
    mkdirSync(this.folder);
    this.uploads = this.open();
  }

  /** The uploads of a run; those of the one before have stopped. */
  open(): ResealedUploads {
    this.uploads?.stop();
    this.uploads = openUploads({
      folderOf: () => this.folder,
      spool: {
        settled: async () => {
          this.looks.push(this.settled);
          return this.settled;
        },
        open: async (_id, range) => {
          const part = Buffer.from(range ? this.spool.subarray(range.start, range.end + 1) : this.spool);
          return { stream: stream(part), sizeBytes: this.spool.length };
        },
      },
      wire: { request: () => Promise.reject(new Error('this test has no network')) },
      keys,
      clock: this.clock,
      ids: { uuid: randomUUID },
      journal: { record: (_level, message, fields = {}) => this.warnings.push({ ...fields, message }) },
      bucketOf: async (asked) => {
        this.targets.push(asked);
        return this.bucket;
      },
    });
    return this.uploads;
  }

  order(more: Partial<UploadOrder> = {}): UploadOrder {
    const { archiveId } = this;
    return { archiveId, projectId: '7', target, fallback: 'none', name: `7/${archiveId}/archive.ts`, ...more };
  }

  /** All of it is there and settled. */
  fill(bytes: Buffer): void {
    this.spool = bytes;
    this.settled = bytes.length;
  }

  result(): RecordingResult {
    const sha256 = createHash('sha256').update(this.spool).digest('base64');
    return { sizeBytes: this.spool.length, durationMs: 5000, sha256, password: '' };
  }

  /** Time passes, a step in each turn of the event loop, until something has happened. */
  async until<Result>(what: () => Promise<Result>, ms = limits.uploadLookSeconds * 1000): Promise<Result> {
    let over = false;
    const done = what().finally(() => {
      over = true;
    });
    while (!over) {
      this.clock.advance(ms);
      await new Promise(setImmediate);
    }
    return done;
  }
}

async function* stream(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
