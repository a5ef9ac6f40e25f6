/** Uploads over the platform's own egress to a real server on loopback, of bytes that a double of the recorder has. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { tempFolder } from '../../../../tests/rig/cleanup.ts';
import { Feed } from '../../../../tests/rig/wait.ts';
import { createEgress, type EgressDeps } from '../access/index.ts';
import type { JournalFields, RecordingResult, StorageTarget, UploadOrder, Uploads } from '../core/index.ts';
import { systemClock } from '../lib/index.ts';
import { keys } from './upload-fixtures.ts';
import { openUploads } from './uploads.ts';

export class StorageRig {
  readonly archiveId = randomUUID();
  readonly journal = new Feed<JournalFields & { readonly message: string }>();
  readonly folder = path.join(tempFolder('storage'), this.archiveId);
  readonly #deps: Partial<EgressDeps>;
  /** What was recorded so far; all of it is settled. */
  spool: Buffer = Buffer.alloc(0);

  constructor(deps: Partial<EgressDeps> = {}) {
    this.#deps = deps;
    mkdirSync(this.folder);
  }

  get name(): string {
    return `7/${this.archiveId}/archive.ts`;
  }

  /** The uploads of one run. */
  open(): Uploads {
    const usual = { mode: 'development', destinations: [], ownAddresses: () => [], clock: systemClock } as const;
    return openUploads({
      folderOf: () => this.folder,
      spool: {
        settled: async () => this.spool.length,
        open: async (_id, range) => {
          const part = Buffer.from(range ? this.spool.subarray(range.start, range.end + 1) : this.spool);
          return { stream: stream(part), sizeBytes: this.spool.length };
        },
      },
      wire: createEgress({ ...usual, ...this.#deps }),
      keys,
      clock: systemClock,
      ids: { uuid: randomUUID },
      journal: { record: (_level, message, fields = {}) => this.journal.push({ ...fields, message }) },
    });
  }

  order(target: StorageTarget): UploadOrder {
    return { archiveId: this.archiveId, projectId: '7', target, fallback: 'none', name: this.name };
  }

  result(): RecordingResult {
    const sha256 = createHash('sha256').update(this.spool).digest('base64');
    return { sizeBytes: this.spool.length, durationMs: 5000, sha256, password: '' };
  }

  /** Uploads all of the spool in one go. */
  async upload(target: StorageTarget, uploads = this.open()): Promise<string> {
    await uploads.begin(this.order(target));
    return uploads.finish(this.archiveId, this.result());
  }

  /** The next that an upload waits because of. */
  async waits(since = 0): Promise<string> {
    const { why } = await this.journal.next('a wait', ({ message }) => message.startsWith('an upload waits'), {
      since,
    });
    return why ?? '';
  }
}

async function* stream(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
