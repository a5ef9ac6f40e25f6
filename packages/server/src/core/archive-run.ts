/**
 * One archive while it is recorded: which streams are in it, when it pauses, and what ends it. It outlives the home of its
 * session, which closes when the last client leaves: whoever comes back within the time is recorded again.
 */
import { limits, PlatformError } from '@cloister/protocol';
import type { Cancel } from '../lib/index.ts';
import { become, isRecording } from './archive.ts';
import type { ArchiveTimes } from './archive-times.ts';
import type { Archive } from './entities.ts';
import type { Actor } from './event.ts';
import type { Foundation } from './foundation.ts';
import type { Home } from './home.ts';
import type { Layout } from './layout.ts';
import { LostStreams } from './lost-streams.ts';
import { withManifest } from './manifest.ts';
import type { RecordedStream, Recording, RecordingObserver, RecordingResult } from './recordings.ts';
import type { Stream } from './stream.ts';

/** Which tracks of a stream are wanted. */
interface Wanted {
  readonly audio: boolean;
  readonly video: boolean;
}

/** A stream as an archive has it. */
export interface ArchiveStream {
  readonly streamId: string;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
}

/** What a run tells the archives of its session. */
export interface RunOwner {
  readonly times: ArchiveTimes;
  /** It is not recorded any more; its file may still be under way. */
  stopped(run: ArchiveRun): void;
  /** The recording is over. `kept` is null where nothing of it was left; `failure` says why it failed. */
  ended(run: ArchiveRun, kept: RecordingResult | null, failure: string | null): void;
}

type State = 'started' | 'paused' | 'stopped' | 'available' | 'uploaded' | 'failed';

const system: Actor = { kind: 'system' };

export class ArchiveRun implements RecordingObserver {
  archive: Archive;
  layout: Layout;
  readonly tag: string | null;
  readonly #deps: Foundation;
  readonly #owner: RunOwner;
  #recording: Recording | null = null;
  /** What the recorder said before the archive was known to anybody. */
  #early: (() => void)[] | null = [];
  #home: Home | null = null;
  /** Streams that were chosen, by hand or all of them; some wait for room. */
  readonly #chosen = new Map<string, Wanted>();
  readonly #recorded = new Map<string, { readonly stream: Stream; readonly addedAt: number }>();
  readonly #lost = new LostStreams();
  readonly #timers = new Map<'begin' | 'recorded' | 'wall' | 'paused' | 'left', Cancel>();
  /** Milliseconds recorded before the last pause, and when recording went on after it. */
  #recordedMs = 0;
  #since = 0;
  #over = false;

  constructor(deps: Foundation, archive: Archive, plan: { layout: Layout; tag: string | null }, owner: RunOwner) {
    this.#deps = deps;
    this.archive = archive;
    this.layout = plan.layout;
    this.tag = plan.tag;
    this.#owner = owner;
  }

  get streams(): ArchiveStream[] {
    return [...this.#recorded.values()].map(({ stream, addedAt }) => {
      const { streamId, hasAudio, hasVideo } = this.#shape(stream, addedAt);
      return { streamId, hasAudio, hasVideo };
    });
  }

  get shape(): { archiveId: string; name: string } {
    return { archiveId: this.archive.id, name: this.archive.name };
  }

  /** The archive is stored and its start was told: its times run from here. @param home null when everybody has left since */
  begin(recording: Recording, home: Home | null): void {
    this.#recording = recording;
    this.#since = this.#deps.clock.now();
    if (!home) this.occupied(false);
    const { beginMs, recordedMs, wallMs } = this.#owner.times;
    this.#after('begin', beginMs, 'no stream was published');
    this.#after('recorded', recordedMs, 'maximum duration exceeded');
    this.#after('wall', wallMs, 'maximum duration exceeded');
    home?.broadcast('archiveStarted', { archive: this.shape });
    if (home) this.follow(home);
    const early = this.#early ?? [];
    this.#early = null;
    for (const told of early) told();
  }

  /** Takes what is published in a home, a new one after everybody had left too. */
  follow(home: Home): void {
    this.#home = home;
    for (const stream of home.streams.values()) if (stream.announced) this.streamCreated(stream);
  }

  occupied(somebody: boolean): void {
    if (!isRecording(this.archive)) return;
    if (somebody) this.#cancel('left');
    else this.#after('left', this.#owner.times.leftMs, 'session ended');
  }

  streamCreated(stream: Stream): void {
    if (!isRecording(this.archive)) return;
    this.#cancel('begin');
    if (this.archive.status === 'paused') this.#resume();
    if (this.archive.streamMode !== 'auto') return;
    this.#chosen.set(stream.id, { audio: true, video: true });
    this.#fill();
  }

  streamChanged(stream: Stream): void {
    const recorded = this.#recorded.get(stream.id);
    if (recorded) this.#recording?.change(this.#shape(stream, recorded.addedAt));
  }

  streamDestroyed(stream: Stream): void {
    this.#chosen.delete(stream.id);
    this.#lost.forget(stream.id);
    this.#drop(stream.id);
    const published = [...(this.#home?.streams.values() ?? [])].some(({ announced }) => announced);
    if (!published && this.archive.status === 'started') this.#pause();
  }

  /** Chooses a stream, or other tracks of one that is chosen. @throws PlatformError `LimitReached` */
  choose(actor: Actor, stream: Stream, wanted: Wanted): void {
    const known = this.#recorded.get(stream.id);
    if (!known && this.#recorded.size >= limits.archiveStreams) {
      throw new PlatformError('LimitReached', { limit: 'archiveStreams', value: limits.archiveStreams });
    }
    this.#chosen.set(stream.id, wanted);
    if (known) this.streamChanged(stream);
    else this.#fill();
    this.#tell(actor, 'archive.streamAdded', stream.id);
  }

  /** @returns whether it was chosen */
  unchoose(actor: Actor, streamId: string): boolean {
    if (!this.#chosen.delete(streamId)) return false;
    this.#lost.forget(streamId);
    this.#drop(streamId);
    this.#tell(actor, 'archive.streamRemoved', streamId);
    return true;
  }

  setLayout(actor: Actor, layout: Layout): void {
    this.layout = layout;
    this.#recording?.layout(layout);
    const { id, projectId, sessionId } = this.archive;
    this.#deps.recorder.record(actor, {
      type: 'archive.layoutChanged',
      projectId,
      sessionId,
      archiveId: id,
      layout: layout.type,
    });
  }

  /** Ends the recording; its file follows. Nothing happens where it has ended. */
  stop(actor: Actor, reason: string): void {
    if (!isRecording(this.archive)) return;
    this.become(actor, 'stopped', { reason });
    this.#halt();
    this.#recording?.stop();
  }

  // ------------------------------------------------------------------------------------------------------- the recorder

  began(at: number): void {
    this.archive = { ...this.archive, beganAt: this.archive.beganAt ?? at };
  }

  dropped(packets: number): void {
    const { id, projectId, sessionId } = this.archive;
    const facts = { projectId, sessionId, archiveId: id, packets };
    this.#deps.recorder.record(system, { type: 'archive.packetsDropped', ...facts });
  }

  ended(result: RecordingResult): void {
    this.#finish(result, null);
  }

  failed(why: string, kept: RecordingResult | null): void {
    this.#finish(kept, why);
  }

  #finish(kept: RecordingResult | null, failure: string | null): void {
    if (this.#early) {
      this.#early.push(() => this.#finish(kept, failure));
      return;
    }
    if (this.#over) return;
    this.#over = true;
    if (failure === null) this.stop(system, 'the recording ended');
    this.#owner.ended(this, kept, failure);
  }

  /** The next state, recorded with everything that is known of it. */
  become(actor: Actor, status: State, change: Partial<Archive> = {}): void {
    const wasRecording = isRecording(this.archive);
    const { clock, keys } = this.#deps;
    const stoppedAt = wasRecording ? clock.now() : this.archive.updatedAt;
    const known = this.#withWhatIsMissing(change);
    this.archive = withManifest(keys, become(this.archive, status, clock.now(), known), stoppedAt);
    const { projectId, sessionId } = this.archive;
    this.#deps.recorder.record(actor, { type: `archive.${status}`, projectId, sessionId, archive: this.archive });
    if (!wasRecording || isRecording(this.archive)) return;
    this.#halt();
    this.#home?.broadcast('archiveStopped', { archive: this.shape });
    this.#owner.stopped(this);
  }

  // ----------------------------------------------------------------------------------------------------------- the inside

  #pause(): void {
    this.#recordedMs += this.#deps.clock.now() - this.#since;
    this.#cancel('recorded');
    this.#after('paused', this.#owner.times.pausedMs, 'nobody published');
    this.become(system, 'paused');
  }

  #resume(): void {
    this.#cancel('paused');
    this.#since = this.#deps.clock.now();
    this.#after('recorded', this.#owner.times.recordedMs - this.#recordedMs, 'maximum duration exceeded');
    this.become(system, 'started');
  }

  /** Who has the archive learns from its reason that a stream is missing, wherever it went. */
  #withWhatIsMissing(change: Partial<Archive>): Partial<Archive> {
    if (!this.#lost.ever || change.reason === undefined) return change;
    return { ...change, reason: `${change.reason}; a stream is missing from all of it or a part` };
  }

  /** Records chosen streams in the order of their choice, as far as there is room. */
  #fill(): void {
    for (const streamId of this.#chosen.keys()) {
      if (this.#recorded.size >= limits.archiveStreams) return;
      const stream = this.#home?.streams.get(streamId);
      if (stream && !this.#recorded.has(streamId) && !this.#lost.waits(streamId)) void this.#add(stream);
    }
  }

  async #add(stream: Stream): Promise<void> {
    const entry = { stream, addedAt: this.#deps.clock.now() };
    this.#recorded.set(stream.id, entry);
    const { room } = stream.connection.home;
    try {
      const tap = await room?.tap(stream.id);
      if (!tap) throw new PlatformError('RecorderMissing');
      // The recording takes the tap in any case, and closes it.
      await this.#recording?.add(this.#shape(stream, entry.addedAt), tap);
      if (this.#recorded.get(stream.id) !== entry) this.#recording?.remove(stream.id);
      else if (this.#lost.found(stream.id)) this.#tell(system, 'archive.streamRecovered', stream.id);
    } catch (error) {
      if (this.#recorded.get(stream.id) === entry) this.#lose(stream, error);
    }
  }

  /** A chosen stream cannot be recorded now: that is told, and it is tried again. */
  #lose(stream: Stream, error: unknown): void {
    this.#recorded.delete(stream.id);
    const { clock, journal, recorder } = this.#deps;
    const { id: archiveId, projectId, sessionId } = this.archive;
    const code = error instanceof PlatformError ? error.code : 'Internal';
    const words = error instanceof Error ? error.message : 'unknown';
    journal.record('error', 'a stream could not be recorded', { archiveId, streamId: stream.id, code, error: words });
    if (this.#lost.lose(stream.id, clock, () => this.#fill())) {
      const facts = { projectId, sessionId, archiveId, streamId: stream.id, code };
      recorder.record(system, { type: 'archive.streamLost', ...facts });
    }
    this.#fill();
  }

  #drop(streamId: string): void {
    if (!this.#recorded.delete(streamId)) return;
    this.#recording?.remove(streamId);
    this.#fill();
  }

  #shape(stream: Stream, addedAt: number): RecordedStream {
    const wanted = this.#chosen.get(stream.id) ?? { audio: true, video: true };
    return {
      streamId: stream.id,
      connectionId: stream.connection.id,
      connectionData: stream.connection.data,
      name: stream.name,
      videoType: stream.videoType ?? 'camera',
      layoutClasses: stream.layoutClasses,
      addedAt,
      hasAudio: this.archive.hasAudio && wanted.audio && stream.hasAudio,
      hasVideo: this.archive.hasVideo && wanted.video && stream.hasVideo && stream.videoType !== null,
      takesAudio: this.archive.hasAudio && wanted.audio,
      takesVideo: this.archive.hasVideo && wanted.video && stream.videoType !== null,
    };
  }

  #halt(): void {
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    this.#recorded.clear();
    this.#chosen.clear();
    this.#lost.clear();
  }

  #after(name: 'begin' | 'recorded' | 'wall' | 'paused' | 'left', ms: number, reason: string): void {
    this.#cancel(name);
    this.#timers.set(
      name,
      this.#deps.clock.after(ms, () => this.stop(system, reason)),
    );
  }

  #cancel(name: 'begin' | 'recorded' | 'wall' | 'paused' | 'left'): void {
    this.#timers.get(name)?.();
    this.#timers.delete(name);
  }

  #tell(
    actor: Actor,
    type: 'archive.streamAdded' | 'archive.streamRemoved' | 'archive.streamRecovered',
    streamId: string,
  ): void {
    const { id, projectId, sessionId } = this.archive;
    this.#deps.recorder.record(actor, { type, projectId, sessionId, archiveId: id, streamId });
  }
}
