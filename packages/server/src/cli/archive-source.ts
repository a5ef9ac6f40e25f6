/** Where an archive comes from: a file, a URL, or standard input. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { PlatformError } from '@cloister/protocol';
import { isLoopback } from '../lib/index.ts';

/** Bytes that are read from a disk at once: large enough that reading is not what takes the time. */
const READ_BYTES = 1024 * 1024;

/** An archive as it was stored. */
export interface ArchiveSource {
  /** Its bytes, from the beginning. A file can be read more than once. */
  bytes(): AsyncIterable<Uint8Array>;
  /** How many there are, where that is known. */
  readonly size: number | null;
  readonly kind: 'file' | 'url' | 'stdin';
}

/** What it takes from its surroundings. */
export interface SourceDeps {
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly fetch: typeof globalThis.fetch;
}

function unreadable(why: string, cause?: unknown): never {
  throw new PlatformError('ArchiveUnreadable', { why }, { cause });
}

async function fromFile(file: string): Promise<ArchiveSource> {
  const found = await stat(file).catch((cause: NodeJS.ErrnoException) => unreadable(`${file}: ${cause.code}`, cause));
  if (found.isDirectory()) unreadable(`${file} is a folder`);
  const bytes = () => createReadStream(file, { highWaterMark: READ_BYTES });
  // A pipe has no size, and cannot be read twice.
  return found.isFile() ? { bytes, size: found.size, kind: 'file' } : { bytes, size: null, kind: 'stdin' };
}

/** @throws PlatformError `ArchiveUnreadable` for a way on which others could read along */
function checkedUrl(text: string): URL {
  const url = URL.parse(text);
  if (!url) return unreadable('the URL cannot be read');
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(host))) return url;
  return unreadable(
    `${url.protocol}//${url.host} is not https; http is taken from this machine alone. For a bucket give a signed https URL`,
  );
}

async function* bodyOf(answer: Response, origin: string): AsyncGenerator<Uint8Array> {
  if (!answer.body) return;
  try {
    yield* answer.body;
  } catch (cause) {
    unreadable(`the connection to ${origin} broke off`, cause);
  }
}

/** Messages have the origin alone: path and query of a signed URL are a secret. */
async function fromUrl(text: string, { fetch }: SourceDeps): Promise<ArchiveSource> {
  const url = checkedUrl(text);
  const headers = { 'accept-encoding': 'identity' };
  const answer = await fetch(url, { redirect: 'manual', headers }).catch((cause: unknown) =>
    unreadable(`${url.origin} cannot be reached`, cause),
  );
  if (answer.status >= 300 && answer.status < 400)
    unreadable(`${url.origin} sends elsewhere; give the address that it names`);
  if (answer.status !== 200) unreadable(`${url.origin} answered ${answer.status}`);
  const length = answer.headers.get('content-length');
  return { bytes: () => bodyOf(answer, url.origin), size: length === null ? null : Number(length), kind: 'url' };
}

/**
 * Finds the archive.
 * @param source a path, `-` for standard input, or a URL: https, or http on loopback
 * @throws PlatformError `ArchiveUnreadable`, also while `bytes` is read
 */
export async function findSource(source: string, deps: SourceDeps): Promise<ArchiveSource> {
  if (source === '-') return { bytes: () => deps.stdin, size: null, kind: 'stdin' };
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(source) ? fromUrl(source, deps) : fromFile(source);
}
