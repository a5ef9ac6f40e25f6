/** Archives: recordings of sessions, from their start to the day on which they are removed. */
import { asPlatformError, limits, PlatformError } from '@cloister/protocol';
import { atMost, type Cancel } from '../lib/index.ts';
import { isArchiveId, isRecording, mayBecome } from './archive.ts';
import { ArchiveKeeping, type FormerEnd } from './archive-keeping.ts';
import type { ArchiveRun, ArchiveStream, RunOwner } from './archive-run.ts';
import { ArchiveSession } from './archive-session.ts';
import { ArchiveStart } from './archive-start.ts';
import type { ArchiveTimes } from './archive-times.ts';
import { type ArchivePlan, type ArchiveWish, planArchive } from './archive-wish.ts';
import { AutomaticArchives } from './automatic-archives.ts';
import type { Calls } from './calls.ts';
import type { Archive, Session } from './entities.ts';
import type { Actor } from './event.ts';
import type { Foundation } from './foundation.ts';
import { checkLayout, type Layout } from './layout.ts';
import type { ArchivePlace } from './ports.ts';
import type { Projects } from './project.ts';
import type { FoundRecording, RecordingResult, Recordings, Uploads } from './recordings.ts';
import type { Sealings } from './sealing.ts';
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

const system: Actor = { kind: 'system' };

export class Archives implements RunOwner {
  readonly times: ArchiveTimes;
  readonly #deps: Foundation;
  readonly #parts: Parts;
  /** Sessions with a home, and those whose archives outlive it. */
  readonly #sessions = new Map<string, ArchiveSession>();
  readonly #keeping: ArchiveKeeping;
  /** Both null where there is no recorder. */
  readonly #starting: ArchiveStart | null;
  readonly #automatic: AutomaticArchives | null;
  /** Starts that are under way, with their projects. */
  readonly #starts = new Map<Promise<unknown>, string>();
  /** Where the next round of the sweep goes on; null: at the oldest. */
  #swept: ArchivePlace | null = null;
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
    const { recordings, uploads, storages, sealings, projects } = parts;
    const keeping = new ArchiveKeeping(deps, { recordings, uploads, projects });
    this.#keeping = keeping;
    const requireOpen = (projectId: string) => this.#requireOpen(projectId);
    this.#starting =
      recordings &&
      new ArchiveStart(deps, { recordings, uploads, storages, sealings, keeping, owner: this, requireOpen });
    this.#automatic =
      recordings &&
      new AutomaticArchives(deps, {
        start: (session, wish) => this.#start(system, session, planArchive(wish, this.#checkStylesheet), true),
        refused: async (session, wish, code) =>
          this.#starting?.refused(session, planArchive(wish, this.#checkStylesheet), code),
        followed: (sessionId) => this.#sessions.get(sessionId),
      });
    parts.calls.watcherOf = (home) => {
      const followed = this.#sessionOf(home.session);
      followed.moveTo(home);
      return followed;
    };
    projects.beforeRemoved = (projectId) => this.#removeAll(projectId);
  }

  /**
   * Starts an archive; it is recorded and stored when this resolves.
   * @throws PlatformError `BadRequest`, `LayoutInvalid`; `SessionNotFound`, `NobodyConnected`; `WrongState` for a relayed or
   *   an end-to-end encrypted session and one that is archived under this tag already; `LimitReached`;
   *   `RecorderMissing`, `UploadMissing`; `NotEntitled`, `CertificateRefused`, `CertificateNeedsComposed`
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
    const run = this.#keeping.runOf(id);
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
        const run = this.#keeping.runOf(archive.id);
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
    await this.#keeping.settled(id);
    await this.#keeping.leave(actor, await this.#stored(projectId, id), 'deleted');
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

  /**
   * One round: what was kept for its time expires, and files that are still there after their archive go. One that cannot be
   * removed is passed: its turn comes again after that of all others.
   */
  async sweep(): Promise<void> {
    const { store, clock, journal } = this.#deps;
    const until = clock.now() - this.times.keptMs;
    try {
      const due = await store.archives.outlived(until, limits.archiveSweepRows, this.#swept);
      this.#swept = due.length < limits.archiveSweepRows ? null : due.at(-1)!;
      for (const { id } of due) await this.#outlived(id);
    } catch (error) {
      const { code } = asPlatformError(error);
      journal.record('error', 'archives that have outlived their time could not be read', { code });
    }
  }

  async #outlived(id: string): Promise<void> {
    const { store, journal } = this.#deps;
    try {
      const archive = await store.archives.get(id);
      if (!archive) return;
      // Where nothing was to be had, nothing expires.
      const expires = mayBecome(archive.status, 'expired') && archive.sha256 !== '';
      if (expires) await this.#keeping.leave(system, archive, 'expired');
      else await this.#keeping.release(archive);
    } catch (error) {
      const { code } = asPlatformError(error);
      journal.record('error', 'an archive that has outlived its time could not be removed', { archiveId: id, code });
    }
  }

  /**
   * Stops what is recorded and waits for its files, but not longer than `archiveStopSeconds`. Uploads are not waited for:
   * they go on after the next start.
   */
  async close(): Promise<void> {
    this.#stopping = true;
    this.#cancelSweep();
    this.#automatic?.close();
    this.#keeping.stopUploads();
    for (const run of this.#keeping.runs) run.stop(system, 'the server stopped');
    const ended = async () => {
      // One that is being started stops as soon as it is known.
      await Promise.allSettled(this.#starts.keys());
      await this.#keeping.allSettled();
    };
    await atMost(this.#deps.clock, limits.archiveStopSeconds * 1000, ended());
    await this.#deps.recorder.flush();
  }

  // -------------------------------------------------------------------------------------------------------- what runs

  stopped(run: ArchiveRun): void {
    const followed = this.#sessions.get(run.archive.sessionId);
    if (!followed) return;
    followed.runs.delete(run);
    this.#automatic?.stopped(followed, run);
    this.#forgetIfIdle(followed);
  }

  ended(run: ArchiveRun, kept: RecordingResult | null, failure: string | null): void {
    this.#keeping.ended(run, kept, failure);
  }

  /** As `ArchiveKeeping` has them: what a former run left. */
  resume(archive: Archive): Promise<boolean> {
    return this.#keeping.resume(archive);
  }

  closeFormer(before: Archive, found: FoundRecording | null): Promise<FormerEnd> {
    return this.#keeping.closeFormer(before, found);
  }

  #start(actor: Actor, session: Session, plan: ArchivePlan, automatic: boolean): Promise<ArchiveRun> {
    const start = this.#startNow(actor, session, plan, automatic);
    this.#starts.set(start, session.projectId);
    const over = () => void this.#starts.delete(start);
    start.then(over, over);
    return start;
  }

  async #startNow(actor: Actor, session: Session, plan: ArchivePlan, automatic: boolean): Promise<ArchiveRun> {
    if (!this.#starting) throw new PlatformError('RecorderMissing');
    this.#requireOpen(session.projectId);
    const followed = this.#sessionOf(session);
    try {
      const run = await this.#starting.start(actor, followed, plan, automatic);
      if (this.#stopping) run.stop(system, 'the server stopped');
      return run;
    } finally {
      this.#forgetIfIdle(followed);
    }
  }

  /** @throws PlatformError `Stopping`; `IssuerNotFound` where the project is being removed */
  #requireOpen(projectId: string): void {
    if (this.#stopping) throw new PlatformError('Stopping');
    this.#parts.projects.requireStaying(projectId);
  }

  /** The project is marked as going, so no start follows those that are under way. */
  async #removeAll(projectId: string): Promise<void> {
    const starts = [...this.#starts].filter(([, owner]) => owner === projectId);
    await Promise.allSettled(starts.map(([start]) => start));
    await this.#keeping.removeAll(projectId);
  }

  #sessionOf(session: Session): ArchiveSession {
    const known = this.#sessions.get(session.id);
    if (known) return known;
    const made = new ArchiveSession(session, {
      published: (followed) => this.#automatic?.published(followed),
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
    const run = this.#keeping.runOf(id);
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
}

function wrong(why: string): PlatformError {
  return new PlatformError('WrongState', { why });
}

function notFound(archiveId: string): PlatformError {
  return new PlatformError('ArchiveNotFound', { archiveId: archiveId.slice(0, 128) });
}
