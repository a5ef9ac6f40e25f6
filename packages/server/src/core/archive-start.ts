/** How an archive begins: all that it needs is there and it is recorded, or nothing of it is left. */
import { type ErrorCode, limits, PlatformError } from '@cloister/protocol';
import { fileNameOf } from './archive.ts';
import type { ArchiveKeeping } from './archive-keeping.ts';
import { ArchiveRun, type RunOwner } from './archive-run.ts';
import type { ArchiveSession } from './archive-session.ts';
import type { ArchivePlan } from './archive-wish.ts';
import type { Archive, Session, Storage } from './entities.ts';
import type { Actor } from './event.ts';
import type { Foundation } from './foundation.ts';
import type { ArchiveTerms } from './ports.ts';
import type { Recording, RecordingOrder, Recordings, UploadOrder, Uploads } from './recordings.ts';
import type { Recipients, Sealings } from './sealing.ts';
import type { Storages } from './storage.ts';

interface Parts {
  readonly recordings: Recordings;
  readonly uploads: Uploads | null;
  readonly storages: Storages;
  readonly sealings: Sealings;
  readonly keeping: ArchiveKeeping;
  readonly owner: RunOwner;
  /** Asked once more when all is ready, since that takes a while. @throws PlatformError where nothing begins any more */
  readonly requireOpen: (projectId: string) => void;
}

const system: Actor = { kind: 'system' };
const nobody: Recipients = { certificate: null, recipients: [] };

export class ArchiveStart {
  readonly #deps: Foundation;
  readonly #parts: Parts;

  constructor(deps: Foundation, parts: Parts) {
    this.#deps = deps;
    this.#parts = parts;
  }

  /**
   * Starts an archive of a session; it is recorded and stored when this resolves.
   * @param automatic the session begins it by itself
   * @throws PlatformError `WrongState` for a session that is archived under this tag already; `LimitReached`, `Overloaded`;
   *   `UploadMissing`, `UploadsWaiting`; `NotEntitled`, `CertificateRefused`, `CertificateNeedsComposed`, `NotBuilt`; `WrongState`
   *   too where the storage or the sealing of the project changes again and again meanwhile
   */
  async start(actor: Actor, followed: ArchiveSession, plan: ArchivePlan, automatic: boolean): Promise<ArchiveRun> {
    this.#deps.recorder.requireRoom();
    const tag = plan.multiArchiveTag;
    if (followed.has(tag)) {
      const why =
        tag === null
          ? 'the session is being archived already'
          : 'the session is being archived under this multiArchiveTag';
      throw new PlatformError('WrongState', { why });
    }
    if (followed.size >= limits.archivesPerSession) {
      throw new PlatformError('LimitReached', { limit: 'archivesPerSession', value: limits.archivesPerSession });
    }
    followed.starting.push(tag);
    try {
      for (let tries = 0; tries < limits.archiveStartTries; tries += 1) {
        const run = await this.#begin(actor, followed, plan, automatic);
        if (run) return run;
      }
      throw changedMeanwhile();
    } finally {
      followed.starting.splice(followed.starting.indexOf(tag), 1);
    }
  }

  /** Records an archive that its session could not begin by itself: nobody else is there to be told. */
  async refused(session: Session, plan: ArchivePlan, code: ErrorCode): Promise<void> {
    const { recorder, store } = this.#deps;
    const reason = `the recording could not begin: ${code}`;
    const archive: Archive = { ...this.#newArchive(session, plan, nobody, true), status: 'failed', reason };
    const { projectId, sessionId } = archive;
    await recorder.change(system, { type: 'archive.failed', projectId, sessionId, archive }, (event) =>
      store.archives.create(archive, event),
    );
  }

  /** @returns null, with nothing left of it, where the project has changed meanwhile what it is started under */
  async #begin(
    actor: Actor,
    followed: ArchiveSession,
    plan: ArchivePlan,
    automatic: boolean,
  ): Promise<ArchiveRun | null> {
    const { recorder, store } = this.#deps;
    const { recordings, uploads, keeping, owner, requireOpen } = this.#parts;
    const terms = await this.#termsOf(followed.session.projectId);
    const { storage } = terms;
    const sealedTo = await this.#parts.sealings.recipientsFor(followed.session.projectId, plan.outputMode, terms);
    const planned = this.#newArchive(followed.session, plan, sealedTo, automatic);
    const run = new ArchiveRun(this.#deps, planned, { layout: plan.layout, tag: plan.multiArchiveTag }, owner);
    const { projectId, sessionId } = planned;
    let recording: Recording | null = null;
    let stands = true;
    try {
      recording = await recordings.start(orderOf(planned, plan), run);
      const archive = { ...planned, sandbox: recording.sandbox };
      run.archive = archive;
      if (storage) await uploads?.begin(this.#uploadOf(archive, storage));
      requireOpen(projectId);
      const { zone } = followed.session;
      await recorder.change(actor, { type: 'archive.started', projectId, sessionId, archive, zone }, async (event) => {
        stands = await store.archives.create(archive, event, terms);
        if (!stands) throw changedMeanwhile();
      });
    } catch (error) {
      recording?.stop();
      // What it was refused for is what is told, and the folder goes in any case.
      if (storage) await uploads?.abandon(planned.id).catch(() => {});
      await recordings.remove(planned.id).catch(() => {});
      if (!stands) return null;
      throw error;
    }
    keeping.take(run, storage);
    const opened = storage !== null && sealedTo.certificate === null && sealedTo.recipients.length === 0;
    const facts = { projectId, sessionId, archiveId: planned.id };
    if (opened) recorder.record(system, { type: 'archive.opened', ...facts, why: 'upload' });
    followed.runs.add(run);
    run.begin(recording, followed.home && followed.home.connections.size > 0 ? followed.home : null);
    return run;
  }

  /** Two readings, so they may not fit together; what is made under them is compared with both once more. */
  async #termsOf(projectId: string): Promise<ArchiveTerms> {
    const storage = await this.#storageFor(projectId);
    return { storage, sealing: await this.#parts.sealings.get(projectId) };
  }

  /** The storage of a project, if an archive may be stored there. */
  async #storageFor(projectId: string): Promise<Storage | null> {
    const { uploads } = this.#parts;
    const storage = await this.#deps.store.storages.get(projectId);
    if (!storage) return null;
    if (storage.fallback === 'none' && !uploads) throw new PlatformError('UploadMissing');
    uploads?.requireRoom();
    return storage;
  }

  #uploadOf(archive: Archive, storage: Storage): UploadOrder {
    const { id: archiveId, projectId } = archive;
    const name = `${projectId}/${archiveId}/${fileNameOf(archive)}`;
    const target = this.#parts.storages.targetOf(storage);
    return { archiveId, projectId, target, fallback: storage.fallback, name };
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
      sandbox: null,
    };
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

function changedMeanwhile(): PlatformError {
  return new PlatformError('WrongState', {
    why: 'the storage or the sealing of the project was changed while the archive was being started',
  });
}
