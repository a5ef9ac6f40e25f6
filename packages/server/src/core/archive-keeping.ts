/**
 * What becomes of an archive once it is not recorded any more: its way into the storage of its project or to a place with
 * us, over a restart too, and out of it again. Whoever records it knows nothing of that.
 */
import { asPlatformError, limits, PlatformError } from '@cloister/protocol';
import { atMost } from '../lib/index.ts';
import { become, isRecording } from './archive.ts';
import type { ArchiveRun } from './archive-run.ts';
import { uploadOutcome } from './archive-upload.ts';
import type { Archive, Storage } from './entities.ts';
import type { Actor } from './event.ts';
import type { Foundation } from './foundation.ts';
import { withManifest } from './manifest.ts';
import type { Projects } from './project.ts';
import type { FoundRecording, RecordingResult, Recordings, ResumedUpload, UploadEnd, Uploads } from './recordings.ts';

/** How an archive of a former run is closed; `resumed`: it will be, once its upload is over; `gone`: with its project. */
export type FormerEnd = 'resumed' | 'available' | 'failed' | 'gone';

/** Where the file of a run goes once it is whole. */
interface Ending {
  readonly run: ArchiveRun;
  readonly storage: Storage | null;
  readonly done: Promise<void>;
  resolve(): void;
  /** Its project is being removed: the file goes, and nothing is told. */
  discard: boolean;
}

const system: Actor = { kind: 'system' };

export class ArchiveKeeping {
  readonly #deps: Foundation;
  readonly #recordings: Recordings | null;
  readonly #uploads: Uploads | null;
  readonly #projects: Pick<Projects, 'isGoing'>;
  /** Archives that are recorded or on their way to where they are kept. */
  readonly #live = new Map<string, Ending>();
  /** Archives of a former run that are on their way, with their projects. */
  readonly #resumed = new Map<string, string>();
  /** What is being decided of archives of a former run, with their projects. */
  readonly #deciding = new Map<Promise<unknown>, string>();

  constructor(
    deps: Foundation,
    parts: {
      readonly recordings: Recordings | null;
      readonly uploads: Uploads | null;
      readonly projects: Pick<Projects, 'isGoing'>;
    },
  ) {
    this.#deps = deps;
    this.#recordings = parts.recordings;
    this.#uploads = parts.uploads;
    this.#projects = parts.projects;
  }

  /** Takes charge of an archive that is recorded from now on. @param storage where it goes; null: it stays with us */
  take(run: ArchiveRun, storage: Storage | null): void {
    const { promise: done, resolve } = Promise.withResolvers<void>();
    this.#live.set(run.archive.id, { run, storage, done, resolve, discard: false });
  }

  /** Archives that are recorded or on their way: what is known of them is newer than what the store has. */
  get runs(): ArchiveRun[] {
    return [...this.#live.values()].map(({ run }) => run);
  }

  /** One of these. */
  runOf(id: string): ArchiveRun | undefined {
    return this.#live.get(id)?.run;
  }

  /** Resolves when the last state of an archive is in the store. */
  async settled(id: string): Promise<void> {
    await this.#live.get(id)?.done;
  }

  /** Resolves when that of every archive is. */
  async allSettled(): Promise<void> {
    await Promise.all([...this.#live.values()].map(({ done }) => done));
  }

  /** Nothing goes into a storage any more; it does after the next start. */
  stopUploads(): void {
    this.#uploads?.stop();
  }

  /** A recording is over. `kept` is null where nothing of it was left; `failure` says why it failed. */
  ended(run: ArchiveRun, kept: RecordingResult | null, failure: string | null): void {
    const ending = this.#live.get(run.archive.id);
    if (ending) void this.#settle(ending, kept, failure);
  }

  /**
   * Goes on with the upload of an archive that a former run recorded whole, and knew to be.
   * @returns whether there is one
   */
  async resume(archive: Archive): Promise<boolean> {
    if (archive.status !== 'stopped') return false;
    const resumed = await this.#whileThere(archive, async () => {
      const upload = (await this.#uploads?.resume(archive.id)) ?? null;
      if (upload) void this.#goOn(archive, archive.updatedAt, upload);
      return upload;
    });
    return resumed !== null;
  }

  /**
   * Closes an archive that a former run left, and that `resume` does not go on with. Where nothing of it is missing it goes
   * the way that it would have gone; otherwise it has failed, and what was sent of it is taken away.
   * @param found what is left of its recording
   * @throws PlatformError `StoreUnavailable`; it is as it was then
   */
  async closeFormer(before: Archive, found: FoundRecording | null): Promise<FormerEnd> {
    return (await this.#whileThere(before, () => this.#closeFormer(before, found))) ?? 'gone';
  }

  async #closeFormer(before: Archive, found: FoundRecording | null): Promise<FormerEnd> {
    // When a recording ended that the former run did not see stopped, nobody knows.
    const stoppedAt = before.status === 'stopped' ? before.updatedAt : null;
    if (!found?.whole) {
      const lost = found?.closed === false ? ', and its file has lost its end' : '';
      const reason = `the server ended before the recording did${lost}`;
      await this.#append(before, 'failed', factsOf(found, reason), stoppedAt);
      await this.#giveUp(before.id);
      return 'failed';
    }
    const { whole: _, ...result } = found;
    const stopped = await this.#stopped(before);
    const resumed = await this.#uploads?.resume(before.id, result);
    if (resumed) {
      void this.#goOn(stopped, stoppedAt, resumed);
      return 'resumed';
    }
    await this.#append(stopped, 'available', factsOf(result, null), stoppedAt);
    return 'available';
  }

  /**
   * The last state of an archive; its file goes once that is durable.
   * @throws PlatformError `WrongState` for one that may not become this, or has changed since it was read
   */
  async leave(actor: Actor, before: Archive, status: 'deleted' | 'expired'): Promise<void> {
    const { clock, recorder, store } = this.#deps;
    const archive = become(before, status, clock.now());
    const { projectId, sessionId } = archive;
    await recorder.change(actor, { type: `archive.${status}`, projectId, sessionId, archive }, async (event) => {
      if (await store.archives.update(archive, before.status, event)) return;
      throw new PlatformError('WrongState', { why: 'the archive has just changed' });
    });
    await this.release(archive);
  }

  /** The file of an archive that needs none any more goes, whatever is known to be in it. */
  async release({ id, kept, projectId }: Archive): Promise<void> {
    if (kept && !this.#recordings) {
      this.#deps.journal.record('warn', 'the file of an archive stays: there is no recorder to remove it', {
        projectId,
        archiveId: id,
      });
      return;
    }
    await this.#recordings?.remove(id);
    await this.#deps.store.archives.released(id);
  }

  /**
   * Files go before their project: once it is gone, nothing knows of them. What is recorded of it stops. Nothing of it begins
   * meanwhile, since it is marked as going; all that did has been waited for.
   * @throws what kept a file from being removed, once all others are
   */
  async removeAll(projectId: string): Promise<void> {
    await Promise.allSettled(ofProject(this.#deciding, projectId));
    const ending = [...this.#live.values()].filter(({ run }) => run.archive.projectId === projectId);
    const resumed = ofProject(this.#resumed, projectId);
    for (const each of ending) {
      each.discard = true;
      each.run.stop(system, 'the project was removed');
    }
    for (const id of resumed) this.#resumed.delete(id);
    const filed = await this.#deps.store.archives.filed(projectId);
    const ids = new Set([...ending.map(({ run }) => run.archive.id), ...resumed, ...filed]);
    const failures: unknown[] = [];
    const trying = (work: Promise<void> | undefined) => work?.catch((error: unknown) => void failures.push(error));
    for (const id of ids) await trying(this.#uploads?.abandon(id));
    // A recorder that hangs is killed by then; its file goes with its end in any case.
    const ended = Promise.all(ending.map(({ done }) => done));
    await atMost(this.#deps.clock, limits.archiveEndSeconds * 1000, ended);
    for (const id of ids) await trying(this.#recordings?.remove(id));
    if (failures.length > 0) throw failures[0];
  }

  /** Works on an archive of a former run while its project stays, which is not removed before that is done; otherwise null. */
  async #whileThere<Result>(archive: Archive, work: () => Promise<Result>): Promise<Result | null> {
    if (this.#projects.isGoing(archive.projectId)) return null;
    const whenThere = async () => ((await this.#deps.store.archives.get(archive.id)) ? work() : null);
    const deciding = whenThere();
    this.#deciding.set(deciding, archive.projectId);
    try {
      return await deciding;
    } finally {
      this.#deciding.delete(deciding);
    }
  }

  async #settle(ending: Ending, kept: RecordingResult | null, failure: string | null): Promise<void> {
    const { run, storage } = ending;
    const uploads = this.#uploads;
    try {
      if (failure === null && kept && storage && uploads && !ending.discard) {
        await this.#upload(ending, storage, uploads.finish(run.archive.id, kept), kept);
      } else {
        if (!ending.discard) run.become(system, failure === null ? 'available' : 'failed', factsOf(kept, failure));
        if (storage) await this.#giveUp(run.archive.id);
      }
      if (ending.discard) await this.#recordings?.remove(run.archive.id);
    } catch (error) {
      this.#notRecorded(run.archive.id, error);
    } finally {
      // What is read of it from now on comes from the store, so its last state has to be there.
      await this.#deps.recorder.flush().catch(() => {});
      this.#live.delete(run.archive.id);
      ending.resolve();
    }
  }

  /** What was sent of an archive is taken away. Where that fails it is said, and holds up nothing else of its end. */
  async #giveUp(archiveId: string): Promise<void> {
    try {
      await this.#uploads?.abandon(archiveId);
    } catch (error) {
      this.#deps.journal.record('error', 'what was sent of an archive was not taken away', {
        archiveId,
        code: asPlatformError(error).code,
        error: error instanceof Error ? error.message : 'unknown',
      });
    }
  }

  async #upload(
    ending: Ending,
    { fallback }: Storage,
    end: Promise<UploadEnd>,
    result: RecordingResult,
  ): Promise<void> {
    const { run } = ending;
    const outcome = await uploadOutcome(this.#deps, run.archive, fallback, end);
    if (!outcome || ending.discard) return;
    run.become(system, outcome.status, { ...factsOf(result, null), ...outcome.change });
    await this.#arrived(run.archive);
  }

  /** The upload is over, one way or the other: what is not needed any more goes, once that is durable. */
  async #arrived(archive: Archive): Promise<void> {
    await this.#deps.recorder.flush();
    if (archive.status === 'uploaded') await this.release(archive);
    else await this.#giveUp(archive.id);
  }

  async #goOn(before: Archive, stoppedAt: number | null, { fallback, result, end }: ResumedUpload): Promise<void> {
    const { clock, keys, recorder } = this.#deps;
    const { id, projectId, sessionId } = before;
    this.#resumed.set(id, projectId);
    try {
      const outcome = await uploadOutcome(this.#deps, before, fallback, end);
      if (!outcome || !this.#resumed.has(id)) return;
      const { status, change } = outcome;
      const after = become(before, status, clock.now(), { ...factsOf(result, null), ...change });
      const archive = withManifest(keys, after, stoppedAt);
      recorder.record(system, { type: `archive.${status}`, projectId, sessionId, archive });
      await this.#arrived(archive);
    } catch (error) {
      this.#notRecorded(id, error);
    } finally {
      this.#resumed.delete(id);
    }
  }

  /** One whose recording ended, which the former run did not live to record. */
  async #stopped(before: Archive): Promise<Archive> {
    return isRecording(before) ? this.#append(before, 'stopped', { reason: 'the recording ended' }, null) : before;
  }

  /** Records the next state of an archive of a former run. @returns the archive in it, once that is durable */
  async #append(
    before: Archive,
    status: 'stopped' | 'available' | 'failed',
    change: Partial<Archive>,
    stoppedAt: number | null,
  ): Promise<Archive> {
    const { clock, keys, recorder, store } = this.#deps;
    const archive = withManifest(keys, become(before, status, clock.now(), change), stoppedAt);
    const { projectId, sessionId } = archive;
    await store.outbox.append([recorder.stamp(system, { type: `archive.${status}`, projectId, sessionId, archive })]);
    return archive;
  }

  #notRecorded(archiveId: string, error: unknown): void {
    this.#deps.journal.record('error', 'the end of an archive was not recorded', {
      archiveId,
      code: error instanceof PlatformError ? error.code : 'Internal',
      error: error instanceof Error ? error.message : 'unknown',
    });
  }
}

function factsOf(result: RecordingResult | null, failure: string | null): Partial<Archive> {
  const why = failure === null ? {} : { reason: failure };
  // What does not open is there all the same, and goes with its archive.
  if (!result) return { ...why, kept: true };
  const { sizeBytes, durationMs, sha256, password } = result;
  return { ...why, sizeBytes, durationMs, sha256, password, kept: true };
}

function ofProject<Key>(all: ReadonlyMap<Key, string>, projectId: string): Key[] {
  return [...all].filter(([, owner]) => owner === projectId).map(([key]) => key);
}
