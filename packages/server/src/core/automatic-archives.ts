/**
 * `archiveMode: always`: a session archives itself, in one archive after the other. The first stream begins the first. The next
 * one follows at once where the last had its longest duration, or lost its recorder; where recorders go on failing, as those of a
 * stream that crashes each of them do, it waits longer and longer.
 */
import { asPlatformError, type ErrorCode, limits } from '@cloister/protocol';
import type { Cancel } from '../lib/index.ts';
import type { ArchiveRun } from './archive-run.ts';
import type { ArchiveSession } from './archive-session.ts';
import type { ArchiveWish } from './archive-wish.ts';
import type { Session } from './entities.ts';
import type { Foundation } from './foundation.ts';
import { sealedContext } from './sealed-context.ts';

interface Parts {
  /** Starts an archive of a session. @throws what refuses it */
  readonly start: (session: Session, wish: ArchiveWish) => Promise<unknown>;
  /** Records an archive that could not begin. @throws PlatformError where that could not be recorded either */
  readonly refused: (session: Session, wish: ArchiveWish, code: ErrorCode) => Promise<void>;
  /** The session as it is followed now; undefined once nobody is in it and nothing is recorded. */
  readonly followed: (sessionId: string) => ArchiveSession | undefined;
}

/** Refusals that end with the server or with the project: nobody is there to be told. */
const goesAway: ReadonlySet<ErrorCode> = new Set(['Stopping', 'IssuerNotFound', 'ProjectNotFound']);

/** Recorders of one session that failed in a row. */
interface Failures {
  readonly count: number;
  /** Nothing is started before; milliseconds since 1970. */
  readonly notBefore: number;
  readonly cancel: Cancel;
}

/**
 * How long the archive after a failure waits; milliseconds.
 * @param count failures in a row, this one included
 */
export function restartWaitMs(count: number): number {
  const { archiveRestartSeconds: first, archiveRestartSecondsMax: longest } = limits;
  return count <= 1 ? 0 : Math.min(first * 2 ** (count - 2), longest) * 1000;
}

export class AutomaticArchives {
  readonly #deps: Foundation;
  readonly #parts: Parts;
  /** By the ids of their sessions; also while everybody has left, so that who comes back does not begin anew. */
  readonly #failures = new Map<string, Failures>();
  #closed = false;

  constructor(deps: Foundation, parts: Parts) {
    this.#deps = deps;
    this.#parts = parts;
  }

  /** A stream is there: it begins the archive, or what could not begin with the one before. */
  published(followed: ArchiveSession): void {
    this.#begin(followed);
  }

  /** One of the session's archives is not recorded any more. */
  stopped(followed: ArchiveSession, { archive }: ArchiveRun): void {
    if (!archive.automatic) return;
    if (archive.status === 'failed') this.#failed(followed.session);
    else if (archive.reason.startsWith('maximum duration exceeded')) this.#begin(followed);
  }

  /** Begins nothing any more. */
  close(): void {
    this.#closed = true;
    for (const { cancel } of this.#failures.values()) cancel();
    this.#failures.clear();
  }

  #begin(followed: ArchiveSession): void {
    const { session } = followed;
    if (this.#closed || session.archiveMode !== 'always' || followed.has(null)) return;
    if (this.#deps.clock.now() < (this.#failures.get(session.id)?.notBefore ?? 0)) return;
    this.#start(followed).catch((error: unknown) => {
      const { code, message } = asPlatformError(error);
      const { projectId, id: sessionId } = session;
      const facts = { projectId, sessionId, code, error: error instanceof Error ? error.message : message };
      this.#deps.journal.record('error', 'a session could not be archived automatically', facts);
      void this.#refused(followed, code);
      // What cannot begin after a failure is tried again, as another failure. Otherwise the next stream tries it.
      if (this.#failures.has(session.id)) this.#failed(session);
    });
  }

  async #start(followed: ArchiveSession): Promise<void> {
    await this.#parts.start(followed.session, this.#wishOf(followed.session));
    followed.refusals.clear();
  }

  /** @throws PlatformError `SealBroken` */
  #wishOf({ archiveName, archiveResolution, projectId, id }: Session): ArchiveWish {
    const name = archiveName === null ? '' : this.#deps.keys.open(projectId, sealedContext.archiveName(), archiveName);
    return { sessionId: id, name, resolution: archiveResolution ?? undefined };
  }

  /** Who wanted everything to be recorded learns that it is not: once for each cause, however many streams come. */
  async #refused(followed: ArchiveSession, code: ErrorCode): Promise<void> {
    const { session, refusals } = followed;
    if (goesAway.has(code) || refusals.has(code)) return;
    refusals.add(code);
    try {
      // A name that does not open is not what keeps its owner from being told.
      const wish = code === 'SealBroken' ? { sessionId: session.id } : this.#wishOf(session);
      await this.#parts.refused(session, wish, code);
    } catch (error) {
      refusals.delete(code);
      const { projectId, id: sessionId } = session;
      const facts = { projectId, sessionId, code: asPlatformError(error).code };
      this.#deps.journal.record('error', 'that a session could not be archived was not recorded', facts);
    }
  }

  #failed({ id }: Session): void {
    if (this.#closed) return;
    const { clock } = this.#deps;
    const before = this.#failures.get(id);
    before?.cancel();
    const count = (before?.count ?? 0) + 1;
    const waitMs = restartWaitMs(count);
    // Failures are in a row where no more than the longest wait is between them.
    const forget = clock.after(waitMs + limits.archiveRestartSecondsMax * 1000, () => this.#failures.delete(id));
    const goOn = waitMs === 0 ? () => {} : clock.after(waitMs, () => this.#goOn(id));
    const cancel = () => {
      forget();
      goOn();
    };
    this.#failures.set(id, { count, notBefore: clock.now() + waitMs, cancel });
    if (waitMs === 0) this.#goOn(id);
  }

  /** While nobody publishes there is nothing to record: the next stream begins it then. */
  #goOn(sessionId: string): void {
    const followed = this.#parts.followed(sessionId);
    if (followed?.publishes) this.#begin(followed);
  }
}
