/** The archives of one session that are recorded now, and what they are told of it. */
import type { ArchiveShape, ErrorCode } from '@cloister/protocol';
import type { ArchiveRun } from './archive-run.ts';
import type { Session } from './entities.ts';
import type { Home, HomeWatcher } from './home.ts';
import type { Stream } from './stream.ts';

export interface ArchiveSessionObserver {
  /** A stream is there. */
  published(session: ArchiveSession): void;
  /** Everybody has left, and its home is closed. */
  left(session: ArchiveSession): void;
}

export class ArchiveSession implements HomeWatcher {
  readonly session: Session;
  /** Those that began, in their order. */
  readonly runs = new Set<ArchiveRun>();
  /** Tags of those that are being started; null is the archive without one. */
  readonly starting: (string | null)[] = [];
  /** Why it could not begin its own archive, as far as that was told since one began. */
  readonly refusals = new Set<ErrorCode>();
  /** null while nobody is in the session. */
  home: Home | null = null;
  readonly #observer: ArchiveSessionObserver;

  constructor(session: Session, observer: ArchiveSessionObserver) {
    this.session = session;
    this.#observer = observer;
  }

  /** The home that everybody is in from now on. */
  moveTo(home: Home): void {
    this.home = home;
    for (const run of this.runs) run.follow(home);
  }

  /** Whether nothing is recorded or about to be. */
  get idle(): boolean {
    return this.runs.size === 0 && this.starting.length === 0;
  }

  /** Whether somebody publishes now. */
  get publishes(): boolean {
    return [...(this.home?.streams.values() ?? [])].some(({ announced }) => announced);
  }

  /** How many there are, with those that are being started. */
  get size(): number {
    return this.runs.size + this.starting.length;
  }

  has(tag: string | null): boolean {
    return this.starting.includes(tag) || [...this.runs].some((run) => run.tag === tag);
  }

  streamCreated(stream: Stream): void {
    for (const run of this.runs) run.streamCreated(stream);
    this.#observer.published(this);
  }

  streamChanged(stream: Stream): void {
    for (const run of this.runs) run.streamChanged(stream);
  }

  streamDestroyed(stream: Stream): void {
    for (const run of [...this.runs]) run.streamDestroyed(stream);
  }

  occupied(somebody: boolean): void {
    for (const run of [...this.runs]) run.occupied(somebody);
  }

  closed(): void {
    this.home = null;
    this.#observer.left(this);
  }

  archives(): ArchiveShape[] {
    return [...this.runs].map(({ shape }) => shape);
  }
}
