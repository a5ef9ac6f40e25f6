/**
 * One archive on its way into a bucket: part after part while it is recorded, the rest and the end of it when it is whole.
 * What fails is tried again after a while: without an end while it is recorded, within bounds from then on. A part is
 * sent once its bytes cannot change any more, and remembered once the storage has acknowledged it.
 */
import { createHash, type Hash } from 'node:crypto';
import { limits, PlatformError } from '@cloister/protocol';
import type { Journal, RecordingResult, Recordings, UploadEnd } from '../core/index.ts';
import type { Cancel, Clock, Ids } from '../lib/index.ts';
import type { Bucket } from './bucket.ts';
import { UploadFault } from './fault.ts';
import { isTooFine, partBytesFor, waitAfter } from './part-size.ts';
import type { Slots } from './slots.ts';
import { type UploadState, writeState } from './upload-file.ts';

export interface UploadParts {
  readonly archiveId: string;
  readonly folder: string;
  /** Asked once, when there is something to send. */
  readonly bucket: () => Promise<Bucket>;
  readonly spool: Pick<Recordings, 'open' | 'settled'>;
  readonly slots: Slots;
  readonly clock: Clock;
  readonly ids: Pick<Ids, 'uuid'>;
  readonly journal: Journal;
}

type Begun = NonNullable<UploadState['begun']>;

export class Upload {
  readonly #parts: UploadParts;
  #state: UploadState;
  #bucket: Promise<Bucket> | null = null;
  #written: Promise<void> = Promise.resolve();
  /** Of all that was sent, in order; null where a former run sent it, until it has been read again. */
  #sent: Hash | null;
  #seenBytes = 0;
  /** The archive is whole, and that is on the disk. */
  #whole: boolean;
  #left = false;
  /** Failures in a row, and lasting ones since the archive is whole. */
  #failures = 0;
  #refusals = 0;
  #wake: () => void = () => {};

  constructor(parts: UploadParts, state: UploadState) {
    this.#parts = parts;
    this.#state = state;
    this.#sent = state.begun ? null : createHash('sha256');
    this.#whole = state.result !== null;
  }

  get projectId(): string {
    return this.#state.projectId;
  }

  /** Bytes on our disk that wait for the end of this upload. */
  get waitingBytes(): number {
    return this.#state.result?.sizeBytes ?? this.#seenBytes;
  }

  /** The archive is whole. What was in the way until now is tried anew. */
  async finish(result: RecordingResult): Promise<void> {
    this.#state = { ...this.#state, result: { ...result, endedAt: this.#parts.clock.now() } };
    await this.#write();
    this.#whole = true;
    this.#failures = 0;
    this.#refusals = 0;
    this.#wake();
  }

  /** What is remembered is changed by this, which keeps all but its target. @returns whether it was */
  async reseal(change: (state: UploadState) => UploadState): Promise<boolean> {
    const before = this.#state;
    this.#state = change(before);
    if (this.#state === before) return false;
    await this.#save();
    return true;
  }

  /** Nothing more is sent or remembered from now on. */
  async leave(): Promise<void> {
    this.#left = true;
    this.#wake();
    await this.#written;
  }

  /** Takes away what the storage has and is no object. */
  async abort(): Promise<void> {
    const { begun, done } = this.#state;
    if (begun && !done) await (await this.#bucketNow()).abort(begun.uploadId);
  }

  /** Works until it is uploaded or left. @throws PlatformError `UploadFailed` */
  async run(): Promise<UploadEnd> {
    while (!this.#left) {
      try {
        if (this.#state.done || (await this.#step())) return 'uploaded';
        this.#failures = 0;
      } catch (thrown) {
        if (!this.#left) await this.#failed(thrown);
      }
    }
    return 'left';
  }

  get #result(): UploadState['result'] {
    return this.#whole ? this.#state.result : null;
  }

  /** @returns whether it is uploaded */
  async #step(): Promise<boolean> {
    const { archiveId, spool } = this.#parts;
    const result = this.#result;
    const size = result?.sizeBytes ?? (await spool.settled(archiveId));
    this.#seenBytes = size;
    await this.#checkSent();
    const partBytes = this.#state.begun?.partBytes ?? partBytesFor(size);
    if (result && this.#state.begun && isTooFine(size, partBytes)) {
      await this.#forget();
      return false;
    }
    const count = this.#state.begun?.parts.length ?? 0;
    const next = Math.max(0, Math.min(partBytes, size - count * partBytes));
    if (count < limits.uploadParts && (next === partBytes || (result && next > 0))) {
      await this.#sendPart(count * partBytes, next, partBytes);
    } else if (result) {
      await this.#complete(result, partBytes);
      return !this.#left;
    } else await this.#pause(limits.uploadLookSeconds);
    return false;
  }

  async #sendPart(offset: number, length: number, partBytes: number): Promise<void> {
    const { slots } = this.#parts;
    await slots.run(this.projectId, async () => {
      if (this.#left) return;
      const bytes = await this.#read(offset, length);
      try {
        const { uploadId, parts } = await this.#begin(partBytes);
        const tag = await (await this.#bucketNow()).sendPart(uploadId, parts.length + 1, bytes);
        if (this.#left) return;
        const sha256 = createHash('sha256').update(bytes).digest('base64');
        this.#sent?.update(bytes);
        this.#setBegun((begun) => ({ ...begun, parts: [...begun.parts, { tag, sha256 }] }));
        await this.#save();
      } finally {
        // It may be clear.
        bytes.fill(0);
      }
    });
  }

  async #begin(partBytes: number): Promise<Begun> {
    if (this.#state.begun) return this.#state.begun;
    const mark = this.#parts.ids.uuid();
    const uploadId = await (await this.#bucketNow()).begin(mark);
    const begun: Begun = { uploadId, mark, partBytes, parts: [] };
    this.#state = { ...this.#state, begun };
    await this.#save();
    return begun;
  }

  async #complete({ sha256 }: RecordingResult, partBytes: number): Promise<void> {
    if (this.#sent?.copy().digest('base64') !== sha256) throw new UploadFault('spool', 'it is not what was recorded');
    const { uploadId, mark, parts } = await this.#begin(partBytes);
    const tags = parts.map(({ tag }) => tag);
    await (await this.#bucketNow()).complete(uploadId, mark, tags);
    await this.#done();
  }

  async #done(): Promise<void> {
    this.#state = { ...this.#state, done: true };
    await this.#save();
  }

  /** After a restart: what was sent then has to be what is on our disk now; otherwise all of it is sent anew. */
  async #checkSent(): Promise<void> {
    if (this.#sent) return;
    const hash = createHash('sha256');
    const { begun } = this.#state;
    const result = this.#result;
    for (const [index, { sha256 }] of (begun?.parts ?? []).entries()) {
      const offset = index * (begun?.partBytes ?? 0);
      const length = Math.min(begun?.partBytes ?? 0, (result?.sizeBytes ?? 0) - offset);
      const bytes = length > 0 ? await this.#read(offset, length) : Buffer.alloc(0);
      if (createHash('sha256').update(bytes).digest('base64') !== sha256) return this.#forget();
      hash.update(bytes);
      bytes.fill(0);
    }
    this.#sent = hash;
  }

  /** Begins anew. */
  async #forget(): Promise<void> {
    await this.abort().catch(() => {});
    this.#state = { ...this.#state, begun: null };
    this.#sent = createHash('sha256');
    await this.#save();
  }

  /** @throws UploadFault `spool` */
  async #read(offset: number, length: number): Promise<Buffer> {
    const { archiveId, spool } = this.#parts;
    try {
      const { stream } = await spool.open(archiveId, { start: offset, end: offset + length - 1 });
      const parts: Uint8Array[] = [];
      for await (const part of stream) parts.push(part);
      const bytes = Buffer.concat(parts);
      for (const part of parts) part.fill(0);
      if (bytes.length === length) return bytes;
    } catch (cause) {
      throw new UploadFault('spool', null, { cause });
    }
    throw new UploadFault('spool', 'it is shorter than it was');
  }

  /** What to do about a failure: wait, begin anew, or give up. @throws PlatformError `UploadFailed` */
  async #failed(thrown: unknown): Promise<void> {
    const { archiveId, clock, journal } = this.#parts;
    const fault = thrown instanceof UploadFault ? thrown : new UploadFault('busy', null, { cause: thrown });
    if (fault.kind === 'lost') await this.#lost();
    if (this.#state.done) return;
    this.#failures += 1;
    const result = this.#result;
    const left =
      result === null ? Number.POSITIVE_INFINITY : result.endedAt + limits.uploadSeconds * 1000 - clock.now();
    if (result && fault.lasting) this.#refusals += 1;
    if (left <= 0 || this.#refusals >= limits.uploadRefusals) {
      throw new PlatformError('UploadFailed', { why: fault.message }, { cause: fault });
    }
    const seconds = Math.min(waitAfter(this.#failures), left / 1000);
    journal.record('warn', 'an upload waits for its next try', {
      projectId: this.projectId,
      archiveId,
      attempt: this.#failures,
      delayMs: seconds * 1000,
      why: fault.message,
    });
    await this.#pause(seconds);
  }

  /** The storage does not know the upload: it has ended in the object, where we did not learn it, or it is gone. */
  async #lost(): Promise<void> {
    const { begun } = this.#state;
    const result = this.#result;
    if (begun && result) {
      const bucket = await this.#bucketNow();
      if (await bucket.isThere(begun.mark, result.sizeBytes).catch(() => false)) return this.#done();
    }
    await this.#forget();
  }

  #bucketNow(): Promise<Bucket> {
    this.#bucket ??= this.#parts.bucket();
    this.#bucket.catch(() => {
      this.#bucket = null;
    });
    return this.#bucket;
  }

  #setBegun(change: (begun: Begun) => Begun): void {
    const { begun } = this.#state;
    if (begun) this.#state = { ...this.#state, begun: change(begun) };
  }

  async #save(): Promise<void> {
    if (!this.#left) await this.#write();
  }

  /** One write after the other. One that fails costs a part sent twice after a restart, and no archive. */
  async #write(): Promise<void> {
    const { archiveId, folder, journal } = this.#parts;
    this.#written = this.#written.then(async () => {
      try {
        await writeState(folder, this.#state);
      } catch (error) {
        journal.record('error', 'what was uploaded of an archive could not be noted', {
          archiveId,
          error: error instanceof Error ? error.message : 'unknown',
        });
      }
    });
    await this.#written;
  }

  /** Waits for so long, or until there is news. */
  async #pause(seconds: number): Promise<void> {
    if (this.#left) return;
    let cancel: Cancel = () => {};
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      cancel = this.#parts.clock.after(seconds * 1000, resolve);
    });
    this.#wake = () => {};
    cancel();
  }
}
