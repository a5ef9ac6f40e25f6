/** The uploads of this node, by their archives. */
import { limits, PlatformError } from '@cloister/protocol';
import type {
  Journal,
  RecordingResult,
  Recordings,
  ResumedUpload,
  StorageTarget,
  UploadEnd,
  UploadOrder,
  Uploads,
} from '../core/index.ts';
import type { Clock, Ids } from '../lib/index.ts';
import type { Bucket } from './bucket.ts';
import { Slots } from './slots.ts';
import { Upload } from './upload.ts';
import {
  openTarget,
  readState,
  removeState,
  resealed,
  type Seals,
  sealTarget,
  type UploadState,
  writeState,
} from './upload-file.ts';
import type { Wire } from './wire.ts';

/** Makes the way to an object of a target. @param signal ends what is under way */
export type BucketOf = (target: StorageTarget, name: string, signal: AbortSignal) => Promise<Bucket>;

export interface UploadsDeps {
  /** The folder of an archive. @throws PlatformError `ArchiveNotFound` */
  readonly folderOf: (archiveId: string) => string;
  readonly spool: Pick<Recordings, 'open' | 'settled'>;
  readonly wire: Wire;
  readonly keys: Seals;
  readonly clock: Clock;
  readonly ids: Pick<Ids, 'uuid'>;
  readonly journal: Journal;
  /** Real storages unless given. */
  readonly bucketOf?: BucketOf;
}

interface Running {
  readonly upload: Upload;
  readonly target: StorageTarget;
  readonly stop: AbortController;
  readonly end: Promise<UploadEnd>;
}

/** What is remembered beside the database. */
export interface ResealedUploads extends Uploads {
  /**
   * Seals the credentials of an upload anew, after a data key has leaked; what it began with goes on.
   * @returns what kind of storage it goes to, and whether they were sealed with another key; null where nothing goes up
   * @throws PlatformError `SealBroken`; what the disk says
   */
  reseal(archiveId: string): Promise<{ readonly storage: StorageTarget['type']; readonly resealed: boolean } | null>;
}

export function openUploads(deps: UploadsDeps): ResealedUploads {
  return new NodeUploads(deps);
}

/** The libraries are loaded when the first archive goes there: they take a part of a second, and memory. */
function bucketOver(wire: Wire): BucketOf {
  return async (target, name, signal) => {
    if (target.type === 's3') {
      const { S3Bucket } = await import('./s3.ts');
      return new S3Bucket(target, name, wire, signal);
    }
    const { AzureBucket } = await import('./azure.ts');
    return new AzureBucket(target, name, wire, signal);
  };
}

class NodeUploads implements ResealedUploads {
  readonly #deps: UploadsDeps;
  readonly #bucketOf: BucketOf;
  readonly #running = new Map<string, Running>();
  readonly #slots = new Slots(limits.uploadsInFlight, limits.uploadsInFlightPerProject);
  #stopped = false;

  constructor(deps: UploadsDeps) {
    this.#deps = deps;
    this.#bucketOf = deps.bucketOf ?? bucketOver(deps.wire);
  }

  requireRoom(): void {
    let bytes = 0;
    for (const { upload } of this.#running.values()) bytes += upload.waitingBytes;
    if (bytes >= limits.uploadWaitingBytes) throw new PlatformError('UploadsWaiting', { bytes });
  }

  async begin({ archiveId, projectId, target, fallback, name }: UploadOrder): Promise<void> {
    const { folderOf, keys } = this.#deps;
    const state: UploadState = {
      version: 1,
      projectId,
      name,
      fallback,
      target: sealTarget(keys, projectId, archiveId, target),
      begun: null,
      result: null,
      done: false,
    };
    await writeState(folderOf(archiveId), state);
    this.#start(archiveId, state, target);
  }

  async finish(archiveId: string, result: RecordingResult): Promise<UploadEnd> {
    const running = this.#running.get(archiveId);
    if (!running) return 'left';
    await running.upload.finish(result);
    return this.#ended(archiveId, running);
  }

  async resume(archiveId: string, whole?: RecordingResult): Promise<ResumedUpload | null> {
    const { folderOf, clock } = this.#deps;
    const before = await readState(folderOf(archiveId));
    const ended = before?.result ?? (whole && { ...whole, endedAt: clock.now() });
    if (!before || !ended) return null;
    const state: UploadState = { ...before, result: ended };
    if (!before.result) await writeState(folderOf(archiveId), state);
    const { endedAt: _, ...result } = ended;
    return { result, fallback: state.fallback, end: this.#goOn(archiveId, state) };
  }

  /** @throws PlatformError `UploadFailed` */
  async #goOn(archiveId: string, state: UploadState): Promise<UploadEnd> {
    let target: StorageTarget;
    try {
      target = openTarget(this.#deps.keys, archiveId, state);
    } catch (cause) {
      throw new PlatformError(
        'UploadFailed',
        { why: 'the credentials that it began with do not open any more' },
        { cause },
      );
    }
    return this.#ended(archiveId, this.#start(archiveId, state, target));
  }

  async abandon(archiveId: string): Promise<void> {
    const { folderOf } = this.#deps;
    const running = this.#running.get(archiveId);
    this.#running.delete(archiveId);
    running?.stop.abort();
    await running?.upload.leave();
    const state = await readState(folderOf(archiveId));
    if (!state) return;
    await removeState(folderOf(archiveId));
    if (state.begun && !state.done) {
      // Nobody waits for a storage that may be away. What stays there is in no object.
      void this.#abort(archiveId, state, running?.target ?? null);
    }
  }

  /** @param known where it goes; null: as its state says, which may not open any more */
  async #abort(archiveId: string, state: UploadState, known: StorageTarget | null): Promise<void> {
    const { projectId, name, begun } = state;
    try {
      const target = known ?? openTarget(this.#deps.keys, archiveId, state);
      const bucket = await this.#bucketOf(target, name, new AbortController().signal);
      await bucket.abort(begun?.uploadId ?? '');
    } catch (error) {
      this.#deps.journal.record('warn', 'parts of an upload that was given up stay with the storage', {
        projectId,
        archiveId,
        why: error instanceof Error ? error.message : 'unknown',
      });
    }
  }

  async reseal(archiveId: string): ReturnType<ResealedUploads['reseal']> {
    const { folderOf, keys } = this.#deps;
    const running = this.#running.get(archiveId);
    if (running) {
      const anew = await running.upload.reseal((state) => resealed(keys, archiveId, state));
      return { storage: running.target.type, resealed: anew };
    }
    const state = await readState(folderOf(archiveId));
    if (!state) return null;
    const anew = resealed(keys, archiveId, state);
    if (anew !== state) await writeState(folderOf(archiveId), anew);
    return { storage: openTarget(keys, archiveId, anew).type, resealed: anew !== state };
  }

  stop(): void {
    this.#stopped = true;
    for (const { upload, stop } of this.#running.values()) {
      void upload.leave();
      stop.abort();
    }
  }

  #start(archiveId: string, state: UploadState, target: StorageTarget): Running {
    const { folderOf, spool, clock, ids, journal } = this.#deps;
    const stop = new AbortController();
    const upload = new Upload(
      {
        archiveId,
        folder: folderOf(archiveId),
        bucket: () => this.#bucketOf(target, state.name, stop.signal),
        spool,
        slots: this.#slots,
        clock,
        ids,
        journal,
      },
      state,
    );
    if (this.#stopped) void upload.leave();
    const running: Running = { upload, target, stop, end: upload.run() };
    // Somebody waits for it only once the archive is whole.
    running.end.catch(() => {});
    this.#running.set(archiveId, running);
    return running;
  }

  async #ended(archiveId: string, running: Running): Promise<UploadEnd> {
    try {
      return await running.end;
    } finally {
      if (this.#running.get(archiveId) === running) this.#running.delete(archiveId);
    }
  }
}
