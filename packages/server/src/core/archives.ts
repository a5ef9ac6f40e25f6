/** Archives: recordings of sessions, from their start to the day on which they are removed. */
import { limits, PlatformError } from '@cloister/protocol';
import type { Cancel } from '../lib/index.ts';
import { become, fileNameOf, isArchiveId, isRecording, mayBecome } from './archive.ts';
import { ArchiveRun, type ArchiveStream, type RunOwner } from './archive-run.ts';
import { ArchiveSession } from './archive-session.ts';
import type { ArchiveTimes } from './archive-times.ts';
import { uploadOutcome } from './archive-upload.ts';
import { type ArchivePlan, type ArchiveWish, planArchive } from './archive-wish.ts';
import type { Calls } from './calls.ts';
import type { Archive, Session, Storage } from './entities.ts';
import type { Actor } from './event.ts';
import type { Foundation } from './foundation.ts';
import { checkLayout, type Layout } from './layout.ts';
import { withManifest } from './manifest.ts';
import type { Projects } from './project.ts';
import type {
  RecordingOrder,
  RecordingResult,
  Recordings,
  ResumedUpload,
  UploadEnd,
  UploadOrder,
  Uploads,
} from './recordings.ts';
import type { Recipients, Sealings } from './sealing.ts';
import type { Sessions } from './session.ts';
import { projectOfSessionId } from './session-id.ts';
import type { Storages } from './storage.ts';

/** An archive with the streams that it records now. */
export interface ArchiveView {
  readonly archive: Archive;
  readonly streams: readonly ArchiveStream[];
}

interface Parts {
  readonly projects: Projects;
  readonly sessions: Sessions;
  readonly calls: Calls;
  readonly storages: Storages;
  readonly sealings: Sealings;
  readonly recordings: Recordings | null;
  readonly uploads: Uploads | null;
  readonly times: ArchiveTimes;
}

/** Where the file of a run goes once it is whole. */
interface Ending {
  readonly run: ArchiveRun;
  readonly storage: Storage | null;
  readonly done: Promise<void>;
  resolve(): void;
  /** Its project is being removed: the file goes, and nothing is told. */
  discard: boolean;
}

/** What a new archive is begun with. */
interface Beginning {
  readonly recordings: Recordings;
  readonly storage: Storage | null;
  readonly sealedTo: Recipients;
  readonly automatic: boolean;
}

const system: Actor = { kind: 'system' };

export class Archives implements RunOwner {
  readonly times: ArchiveTimes;
  readonly #deps: Foundation;
  readonly #parts: Parts;
  /** Sessions with a home, and those whose archives outlive it. */
  readonly #sessions = new Map<string, ArchiveSession>();
  /** Archives that are recorded or on their way to where they are kept. */
  readonly #live = new Map<string, Ending>();
  /** Archives of a former run that are on their way, with their projects. */
  readonly #resumed = new Map<string, string>();
  #cancelSweep: Cancel = () => {};
  #stopping = false;

  readonly #checkStylesheet = (stylesheet: string): void => {
    if (!this.#parts.recordings) throw new PlatformError('RecorderMissing');
    this.#parts.recordings.checkStylesheet(stylesheet);
  };

  constructor(deps: Foundation, parts: Parts) {
    this.#deps = deps;
    this.#parts = parts;
    this.times = parts.times;
    parts.calls.watcherOf = (home) => {
      const followed = this.#sessionOf(home.session);
      followed.moveTo(home);
      return followed;
    };
    parts.projects.beforeRemoved = (projectId) => this.#removeAll(projectId);
  }

  /**
   * Starts an archive; it is recorded and stored when this resolves.
   * @throws PlatformError `BadRequest`, `LayoutInvalid`; `SessionNotFound`, `NobodyConnected`; `WrongState` for a relayed or
   *   an end-to-end encrypted session and one that is archived under this tag already; `LimitReached`;
   *   `RecorderMissing`, `UploadMissing`; `NotEntitled`, `CertificateRefused`, `CertificateNeedsComposed`, `NotBuilt`
   */
  async start(
    actor: Actor,
    projectId: string,
    wish: ArchiveWish,
  ): Promise<ArchiveView & { readonly tag: string | null }> {
    const plan = planArchive(wish, this.#checkStylesheet);
    const session = await this.#parts.sessions.get(projectId, wish.sessionId);
    if (session.mediaMode !== 'routed') throw wrong('a relayed session cannot be archived');
    if (session.e2ee) throw wrong('an end-to-end encrypted session cannot be archived');
    const home = await this.#parts.calls.home(projectId, session.id);
    if (!home || home.connections.size === 0) throw new PlatformError('NobodyConnected');
    const run = await this.#start(actor, session, plan, false);
    return { archive: run.archive, streams: run.streams, tag: run.tag };
  }

  /** @throws PlatformError `ArchiveNotFound`; `WrongState` when it is not recorded, or by the session itself */
  async stop(actor: Actor, projectId: string, id: string): Promise<Archive> {
    const run = await this.#running(projectId, id);
    if (run.archive.automatic) throw wrong('the archive is recorded by its session, and stops with it');
    run.stop(actor, 'user initiated');
    await this.#deps.recorder.flush();
    return run.archive;
  }

  /** @throws PlatformError `ArchiveNotFound` */
  async get(projectId: string, id: string): Promise<ArchiveView> {
    const run = this.#live.get(id)?.run;
    if (run) {
      if (run.archive.projectId !== projectId) throw notFound(id);
      return { archive: run.archive, streams: run.streams };
    }
    return { archive: await this.#stored(projectId, id), streams: [] };
  }

  /** Newest first. `count` is of all, whatever part of them was asked for. */
  async list(
    projectId: string,
    wish: { readonly sessionId?: string; readonly offset: number; readonly count: number },
  ): Promise<{ readonly count: number; readonly items: readonly ArchiveView[] }> {
    const { sessionId } = wish;
    if (sessionId !== undefined && projectOfSessionId(sessionId) !== projectId) return { count: 0, items: [] };
    await this.#deps.recorder.flush();
    const { count, items } = await this.#deps.store.archives.list(projectId, wish);
    return {
      count,
      items: items.map((archive) => {
        const run = this.#live.get(archive.id)?.run;
        return run ? { archive: run.archive, streams: run.streams } : { archive, streams: [] };
      }),
    };
  }

  /**
   * Deletes an archive and its file with us; what was uploaded stays where it is.
   * @throws PlatformError `ArchiveNotFound`; `WrongState` for one that is recorded, on its way or expired
   */
  async remove(actor: Actor, projectId: string, id: string): Promise<void> {
    const { archive } = await this.get(projectId, id);
    if (isRecording(archive) || archive.status === 'stopped') throw wrong(`the archive is ${archive.status}`);
    // Its last state is on its way to the store.
    await this.#live.get(id)?.done;
    await this.#leave(actor, await this.#stored(projectId, id), 'deleted');
  }

  /** The layout of an archive that is recorded. @throws PlatformError `ArchiveNotFound`, `WrongState` */
  async layout(projectId: string, id: string): Promise<Layout> {
    return (await this.#running(projectId, id)).layout;
  }

  /** @throws PlatformError `ArchiveNotFound`, `WrongState`, `LayoutInvalid`; `BadRequest` for an individual archive */
  async setLayout(actor: Actor, projectId: string, id: string, wish: unknown): Promise<ArchiveView> {
    const layout = checkLayout(wish, this.#checkStylesheet);
    const run = await this.#running(projectId, id);
    if (run.archive.outputMode !== 'composed') {
      throw new PlatformError('BadRequest', { why: 'an individual archive has no layout' });
    }
    this.#deps.recorder.requireRoom();
    run.setLayout(actor, layout);
    return { archive: run.archive, streams: run.streams };
  }

  /** @throws PlatformError `ArchiveNotFound`, `WrongState`, `ArchiveStreamsAutomatic`, `StreamNotFound`, `LimitReached` */
  async addStream(
    actor: Actor,
    projectId: string,
    id: string,
    wish: { readonly streamId: string; readonly hasAudio: boolean; readonly hasVideo: boolean },
  ): Promise<void> {
    const run = await this.#byHand(projectId, id);
    const stream = this.#sessions.get(run.archive.sessionId)?.home?.streams.get(wish.streamId);
    if (!stream?.announced) throw new PlatformError('StreamNotFound', { streamId: wish.streamId });
    run.choose(actor, stream, { audio: wish.hasAudio, video: wish.hasVideo });
  }

  /** @throws PlatformError `ArchiveNotFound`, `WrongState`, `ArchiveStreamsAutomatic`, `StreamNotFound` */
  async removeStream(actor: Actor, projectId: string, id: string, streamId: string): Promise<void> {
    const run = await this.#byHand(projectId, id);
    if (!run.unchoose(actor, streamId)) throw new PlatformError('StreamNotFound', { streamId });
  }

  /** Begins to remove what has been kept for its time. */
  begin(): void {
    this.#cancelSweep = this.#deps.clock.after(limits.archiveSweepSeconds * 1000, () => {
      void this.sweep().finally(() => {
        if (!this.#stopping) this.begin();
      });
    });
  }

  /** One round: what was kept for its time expires, and files that are still there after their archive go. */
  async sweep(): Promise<void> {
    const { store, clock, journal } = this.#deps;
    try {
      const until = clock.now() - this.times.keptMs;
      for (const archive of await store.archives.outlived(until, limits.archiveSweepRows)) {
        if (mayBecome(archive.status, 'expired')) await this.#leave(system, archive, 'expired');
        else await this.#release(archive);
      }
    } catch (error) {
      const code = error instanceof PlatformError ? error.code : 'Internal';
      journal.record('error', 'archives that have outlived their time could not be removed', { code });
    }
  }

  /**
   * Stops what is recorded and waits for its files, but not longer than `archiveStopSeconds`. Uploads are not waited for:
   * they go on after the next start.
   */
  async close(): Promise<void> {
    this.#stopping = true;
    this.#cancelSweep();
    this.#parts.uploads?.stop();
    for (const { run } of this.#live.values()) run.stop(system, 'the server stopped');
    const all = Promise.all([...this.#live.values()].map(({ done }) => done));
    let cancel: Cancel = () => {};
    const late = new Promise<void>((resolve) => {
      cancel = this.#deps.clock.after(limits.archiveStopSeconds * 1000, resolve);
    });
    await Promise.race([all, late]);
    cancel();
    await this.#deps.recorder.flush();
  }

  // -------------------------------------------------------------------------------------------------------- what runs

  stopped(run: ArchiveRun): void {
    const followed = this.#sessions.get(run.archive.sessionId);
    if (!followed) return;
    followed.runs.delete(run);
    const exceeded = run.archive.reason.startsWith('maximum duration exceeded');
    if (run.archive.automatic && exceeded) this.#startAutomatic(followed);
    this.#forgetIfIdle(followed);
  }

  ended(run: ArchiveRun, kept: RecordingResult | null, failure: string | null): void {
    const ending = this.#live.get(run.archive.id);
    if (ending) void this.#settle(ending, kept, failure);
  }

  async #settle(ending: Ending, kept: RecordingResult | null, failure: string | null): Promise<void> {
    const { run, storage } = ending;
    const { recordings, uploads } = this.#parts;
    try {
      if (failure === null && kept && storage && uploads && !ending.discard) {
        await this.#upload(ending, storage, uploads.finish(run.archive.id, kept), kept);
      } else {
        if (!ending.discard) {
          run.become(system, failure === null ? 'available' : 'failed', this.#facts(kept, failure));
        }
        if (storage) await uploads?.abandon(run.archive.id);
      }
      if (ending.discard) await recordings?.remove(run.archive.id);
    } catch (error) {
      this.#deps.journal.record('error', 'the end of an archive was not recorded', {
        archiveId: run.archive.id,
        code: error instanceof PlatformError ? error.code : 'Internal',
        error: error instanceof Error ? error.message : 'unknown',
      });
    } finally {
      // What is read of it from now on comes from the store, so its last state has to be there.
      await this.#deps.recorder.flush().catch(() => {});
      this.#live.delete(run.archive.id);
      ending.resolve();
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
    run.become(system, outcome.status, { ...this.#facts(result, null), ...outcome.change });
    await this.#arrived(run.archive);
  }

  /** The upload is over, one way or the other: what is not needed any more goes, once that is durable. */
  async #arrived(archive: Archive): Promise<void> {
    await this.#deps.recorder.flush();
    if (archive.status === 'uploaded') await this.#release(archive);
    else await this.#parts.uploads?.abandon(archive.id);
  }

  /**
   * Goes on with the upload of an archive that a former run recorded whole.
   * @returns whether there is one; what it had sent of any other is taken away
   */
  async resume(archive: Archive): Promise<boolean> {
    const { uploads } = this.#parts;
    const resumed = archive.status === 'stopped' ? await uploads?.resume(archive.id) : null;
    if (resumed) void this.#goOn(archive, resumed);
    else await uploads?.abandon(archive.id);
    return Boolean(resumed);
  }

  async #goOn(before: Archive, { fallback, result, end }: ResumedUpload): Promise<void> {
    const { clock, journal, keys, recorder } = this.#deps;
    const { id, projectId, sessionId } = before;
    this.#resumed.set(id, projectId);
    try {
      const outcome = await uploadOutcome(this.#deps, before, fallback, end);
      if (!outcome || !this.#resumed.has(id)) return;
      const { status, change } = outcome;
      const after = become(before, status, clock.now(), { ...this.#facts(result, null), ...change });
      const archive = withManifest(keys, after, before.updatedAt);
      recorder.record(system, { type: `archive.${status}`, projectId, sessionId, archive });
      await this.#arrived(archive);
    } catch (error) {
      const code = error instanceof PlatformError ? error.code : 'Internal';
      journal.record('error', 'the end of an archive was not recorded', { archiveId: id, code });
    } finally {
      this.#resumed.delete(id);
    }
  }

  #facts(result: RecordingResult | null, failure: string | null): Partial<Archive> {
    const why = failure === null ? {} : { reason: failure };
    if (!result) return why;
    const { sizeBytes, durationMs, sha256, password } = result;
    return { ...why, sizeBytes, durationMs, sha256, password, kept: true };
  }

  async #start(actor: Actor, session: Session, plan: ArchivePlan, automatic: boolean): Promise<ArchiveRun> {
    const { recordings } = this.#parts;
    if (!recordings) throw new PlatformError('RecorderMissing');
    if (this.#stopping) throw new PlatformError('Stopping');
    this.#deps.recorder.requireRoom();
    const tag = plan.multiArchiveTag;
    const followed = this.#sessionOf(session);
    if (followed.has(tag)) {
      throw wrong(
        tag === null
          ? 'the session is being archived already'
          : 'the session is being archived under this multiArchiveTag',
      );
    }
    if (followed.size >= limits.archivesPerSession) {
      throw new PlatformError('LimitReached', { limit: 'archivesPerSession', value: limits.archivesPerSession });
    }
    followed.starting.push(tag);
    try {
      const { projectId } = session;
      const storage = await this.#storageFor(projectId);
      const certificate = storage?.certificate ?? null;
      const sealedTo = await this.#parts.sealings.recipientsFor(projectId, plan.outputMode, certificate);
      return await this.#begin(actor, followed, plan, { recordings, storage, sealedTo, automatic });
    } finally {
      followed.starting.splice(followed.starting.indexOf(tag), 1);
      this.#forgetIfIdle(followed);
    }
  }

  async #begin(
    actor: Actor,
    followed: ArchiveSession,
    plan: ArchivePlan,
    { recordings, storage, sealedTo, automatic }: Beginning,
  ): Promise<ArchiveRun> {
    const { recorder, store } = this.#deps;
    const archive = this.#newArchive(followed.session, plan, sealedTo, automatic);
    const run = new ArchiveRun(this.#deps, archive, { layout: plan.layout, tag: plan.multiArchiveTag }, this);
    const recording = await recordings.start(orderOf(archive, plan), run);
    const { projectId, sessionId } = archive;
    try {
      if (storage) await this.#parts.uploads?.begin(this.#uploadOf(archive, storage));
      await recorder.change(actor, { type: 'archive.started', projectId, sessionId, archive }, (event) =>
        store.archives.create(archive, event),
      );
    } catch (error) {
      recording.stop();
      if (storage) await this.#parts.uploads?.abandon(archive.id);
      await recordings.remove(archive.id).catch(() => {});
      throw error;
    }
    const { promise: done, resolve } = Promise.withResolvers<void>();
    this.#live.set(archive.id, { run, storage, done, resolve, discard: false });
    followed.runs.add(run);
    run.begin(recording, followed.home && followed.home.connections.size > 0 ? followed.home : null);
    return run;
  }

  #uploadOf(archive: Archive, storage: Storage): UploadOrder {
    const { id: archiveId, projectId } = archive;
    const name = `${projectId}/${archiveId}/${fileNameOf(archive)}`;
    const { storages } = this.#parts;
    return { archiveId, projectId, target: storages.targetOf(storage), fallback: storage.fallback, name };
  }

  #newArchive(session: Session, plan: ArchivePlan, sealedTo: Recipients, automatic: boolean): Archive {
    const now = this.#deps.clock.now();
    const { name, outputMode, hasAudio, hasVideo, resolution, streamMode, maxBitrate, quantizationParameter } = plan;
    return {
      id: this.#deps.ids.uuid(),
      projectId: session.projectId,
      sessionId: session.id,
      status: 'started',
      name,
      reason: '',
      outputMode,
      hasAudio,
      hasVideo,
      resolution,
      streamMode,
      automatic,
      maxBitrate,
      quantizationParameter,
      ...sealedTo,
      createdAt: Math.floor(now / 1000) * 1000,
      beganAt: null,
      updatedAt: now,
      sizeBytes: 0,
      durationMs: 0,
      sha256: '',
      password: '',
      kept: false,
      manifest: '',
    };
  }

  /** The storage of a project, if an archive may be stored there. */
  async #storageFor(projectId: string): Promise<Storage | null> {
    const storage = await this.#deps.store.storages.get(projectId);
    if (!storage) return null;
    if (storage.fallback === 'none' && !this.#parts.uploads) throw new PlatformError('UploadMissing');
    this.#parts.uploads?.requireRoom();
    return storage;
  }

  /** `archiveMode: always`: the first stream begins the archive, and the next one what could not begin with it. */
  #startAutomatic(followed: ArchiveSession): void {
    const { session } = followed;
    if (session.archiveMode !== 'always' || followed.has(null) || this.#stopping || !this.#parts.recordings) return;
    const { archiveName, archiveResolution, projectId, id } = session;
    const start = async () => {
      const name = archiveName === null ? '' : this.#deps.keys.open(projectId, 'session.archiveName', archiveName);
      const wish = { sessionId: id, name, resolution: archiveResolution ?? undefined };
      const plan = planArchive(wish, this.#checkStylesheet);
      await this.#start(system, session, plan, true);
    };
    start().catch((error: unknown) => {
      this.#deps.journal.record('error', 'a session could not be archived automatically', {
        projectId,
        sessionId: id,
        code: error instanceof PlatformError ? error.code : 'Internal',
        error: error instanceof Error ? error.message : 'unknown',
      });
    });
  }

  #sessionOf(session: Session): ArchiveSession {
    const known = this.#sessions.get(session.id);
    if (known) return known;
    const made = new ArchiveSession(session, {
      published: (followed) => this.#startAutomatic(followed),
      left: (followed) => this.#forgetIfIdle(followed),
    });
    this.#sessions.set(session.id, made);
    return made;
  }

  /** A session without anybody in it and anything recorded is not remembered. */
  #forgetIfIdle(followed: ArchiveSession): void {
    if (followed.idle && followed.home === null) this.#sessions.delete(followed.session.id);
  }

  // --------------------------------------------------------------------------------------------------- what is stored

  async #running(projectId: string, id: string): Promise<ArchiveRun> {
    const run = this.#live.get(id)?.run;
    if (!run) throw wrong(`the archive is ${(await this.#stored(projectId, id)).status}`);
    if (run.archive.projectId !== projectId) throw notFound(id);
    if (!isRecording(run.archive)) throw wrong(`the archive is ${run.archive.status}`);
    return run;
  }

  async #byHand(projectId: string, id: string): Promise<ArchiveRun> {
    const run = await this.#running(projectId, id);
    if (run.archive.streamMode === 'auto') throw new PlatformError('ArchiveStreamsAutomatic');
    this.#deps.recorder.requireRoom();
    return run;
  }

  async #stored(projectId: string, id: string): Promise<Archive> {
    if (!isArchiveId(id)) throw notFound(id);
    await this.#deps.recorder.flush();
    const archive = await this.#deps.store.archives.get(id);
    if (!archive || archive.projectId !== projectId || archive.status === 'deleted') throw notFound(id);
    return archive;
  }

  /** The last state of an archive; its file goes once that is durable. */
  async #leave(actor: Actor, before: Archive, status: 'deleted' | 'expired'): Promise<void> {
    const { clock, recorder, store } = this.#deps;
    const archive = become(before, status, clock.now());
    const { projectId, sessionId } = archive;
    await recorder.change(actor, { type: `archive.${status}`, projectId, sessionId, archive }, async (event) => {
      if (await store.archives.update(archive, before.status, event)) return;
      throw wrong('the archive has just changed');
    });
    await this.#release(archive);
  }

  async #release({ id, kept, projectId }: Archive): Promise<void> {
    const { recordings } = this.#parts;
    if (kept && !recordings) {
      this.#deps.journal.record('warn', 'the file of an archive stays: there is no recorder to remove it', {
        projectId,
        archiveId: id,
      });
      return;
    }
    if (kept) await recordings!.remove(id);
    await this.#deps.store.archives.released(id);
  }

  /** Files go before their project: once it is gone, nothing knows of them. */
  async #removeAll(projectId: string): Promise<void> {
    const { recordings, uploads } = this.#parts;
    const ending = [...this.#live.values()].filter(({ run }) => run.archive.projectId === projectId);
    for (const each of ending) {
      each.discard = true;
      each.run.stop(system, 'the project was removed');
      await uploads?.abandon(each.run.archive.id);
    }
    const resumed = [...this.#resumed].filter(([, owner]) => owner === projectId);
    for (const [id] of resumed) {
      this.#resumed.delete(id);
      await uploads?.abandon(id);
      await recordings?.remove(id);
    }
    if (!recordings) return;
    for (const { id } of await this.#deps.store.archives.kept(projectId)) await recordings.remove(id);
  }
}

function orderOf(archive: Archive, { layout, maxBitrate }: ArchivePlan): RecordingOrder {
  const { id, projectId, sessionId, name, outputMode, hasAudio, hasVideo, quantizationParameter } = archive;
  const { certificate, recipients } = archive;
  const [width = 0, height = 0] = (archive.resolution ?? '640x480').split('x').map(Number);
  return {
    archiveId: id,
    projectId,
    sessionId,
    name,
    outputMode,
    hasAudio,
    hasVideo,
    width,
    height,
    maxBitrateBps: maxBitrate,
    quantizationParameter,
    layout,
    certificate,
    recipients,
  };
}

function wrong(why: string): PlatformError {
  return new PlatformError('WrongState', { why });
}

function notFound(archiveId: string): PlatformError {
  return new PlatformError('ArchiveNotFound', { archiveId: archiveId.slice(0, 128) });
}
