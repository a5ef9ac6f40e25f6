/** Download links: signed, for one archive, good for a short time, each with one event when it is first used. */
import { limits, PlatformError } from '@cloister/protocol';
import { fileNameOf } from './archive.ts';
import type { Archives } from './archives.ts';
import type { Archive } from './entities.ts';
import type { Foundation } from './foundation.ts';
import type { Projects } from './project.ts';
import type { Recordings } from './recordings.ts';

/** What a link leads to. */
export interface Download {
  readonly fileName: string;
  readonly sizeBytes: number;
  /** First and last byte, both included; null for the whole. */
  readonly range: { readonly start: number; readonly end: number } | null;
  readonly stream: AsyncIterable<Uint8Array>;
}

interface Parts {
  readonly archives: Archives;
  readonly projects: Projects;
  readonly recordings: Recordings | null;
  readonly linkMs: number;
}

export class ArchiveLinks {
  readonly #deps: Foundation;
  readonly #archives: Archives;
  readonly #projects: Projects;
  readonly #recordings: Recordings | null;
  readonly #linkMs: number;
  /** Links that were used, oldest first. */
  readonly #used = new Set<string>();

  constructor(deps: Foundation, { archives, projects, recordings, linkMs }: Parts) {
    this.#deps = deps;
    this.#archives = archives;
    this.#projects = projects;
    this.#recordings = recordings;
    this.#linkMs = linkMs;
  }

  /** Whether there is something that a link can lead to. */
  leadTo(archive: Archive): boolean {
    return isThere(archive);
  }

  /** The path of a new link, below the server's address; null for an archive that is not to be had. */
  pathOf(archive: Archive): string | null {
    if (!isThere(archive)) return null;
    const { id, projectId } = archive;
    const { clock, ids, keys } = this.#deps;
    const exp = Math.floor((clock.now() + this.#linkMs) / 1000);
    const key = keys.sign('download', { jti: ids.token(16), exp, projectId, archiveId: id });
    return `/cloister/v1/archive/${key}/${fileNameOf(archive)}`;
  }

  /**
   * Opens what a link leads to. The download is recorded when its first byte is taken; until then nothing is held open.
   * @param range the `Range` header of the request, if it has one
   * @throws PlatformError `LinkInvalid`, `ArchiveNotFound`, `ProjectSuspended`, `RangeInvalid`, `RecorderMissing`
   */
  async open(key: string, range: string | undefined): Promise<Download> {
    const { jti, projectId, archiveId } = this.#claims(key);
    const { archive } = await this.#archives.get(projectId, archiveId);
    await this.#projects.active(projectId);
    if (!isThere(archive)) throw new PlatformError('LinkInvalid', { why: `the archive is ${archive.status}` });
    if (!this.#recordings) throw new PlatformError('RecorderMissing');
    const part = rangeOf(range, archive.sizeBytes);
    const { stream } = await this.#recordings.open(archiveId, part ?? undefined);
    const noted = this.#noting(stream, jti, archive);
    return { fileName: fileNameOf(archive), sizeBytes: archive.sizeBytes, range: part, stream: noted };
  }

  async *#noting(stream: AsyncIterable<Uint8Array>, jti: string, archive: Archive): AsyncGenerator<Uint8Array> {
    for await (const bytes of stream) {
      this.#note(jti, archive);
      yield bytes;
    }
  }

  #claims(key: string): { jti: string; projectId: string; archiveId: string } {
    const claims = this.#deps.keys.verify('download', key);
    if (!claims) throw new PlatformError('LinkInvalid', { why: 'this server did not make it' });
    const { jti, exp, projectId, archiveId } = claims as Record<string, string> & { exp: unknown };
    if (typeof exp !== 'number' || exp * 1000 <= this.#deps.clock.now()) {
      throw new PlatformError('LinkInvalid', { why: 'it has expired' });
    }
    return { jti: jti!, projectId: projectId!, archiveId: archiveId! };
  }

  #note(jti: string, { id, projectId, sessionId }: Archive): void {
    if (this.#used.has(jti)) return;
    if (this.#used.size >= limits.archiveLinksCounted) this.#used.delete(this.#used.values().next().value!);
    this.#used.add(jti);
    const facts = { projectId, sessionId, archiveId: id };
    this.#deps.recorder.record({ kind: 'project', projectId }, { type: 'archive.downloaded', ...facts });
  }
}

/** Of a failed one that is what was sealed before the failure. */
function isThere({ status, kept, sha256 }: Archive): boolean {
  return status === 'available' || (status === 'failed' && kept && sha256 !== '');
}

/**
 * One range of bytes (RFC 9110, 14.1.2). What is no such range, and more than one, is answered with the whole.
 * @throws PlatformError `RangeInvalid` for one that begins past the end
 */
export function rangeOf(header: string | undefined, size: number): { start: number; end: number } | null {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (first === '' && last === '') return null;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (first !== '' && last !== '' && Number(last) < start) return null;
  if (start >= size || end < start) throw new PlatformError('RangeInvalid', { size });
  return { start, end };
}
