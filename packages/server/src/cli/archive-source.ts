/** Where an archive comes from: a file, a URL, a bucket, or standard input. */
import { open, stat } from 'node:fs/promises';
import { PlatformError } from '@cloister/protocol';
import { isLoopback } from '../lib/index.ts';
import { readS3Object } from '../storage/index.ts';

/** Bytes that are read from a disk at once: many enough that reading is not what takes the time, few enough for a cache. */
const READ_BYTES = 512 * 1024;

/** An archive as it was stored. */
export interface ArchiveSource {
  /** Its bytes, from the beginning; a part is good until the next is asked for. A file can be read more than once. */
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

/**
 * Reads one part ahead, into two buffers by turns: new ones for each part would cost as much as opening what is in them.
 * @throws PlatformError `ArchiveUnreadable`
 */
export async function* readFile(file: string): AsyncGenerator<Uint8Array> {
  const failed = (cause: NodeJS.ErrnoException) => unreadable(`${file}: ${cause.code}`, cause);
  const handle = await open(file).catch(failed);
  const buffers = [Buffer.allocUnsafeSlow(READ_BYTES), Buffer.allocUnsafeSlow(READ_BYTES)] as const;
  const read = (turn: number) => handle.read(buffers[turn % 2]!, 0, READ_BYTES, null);
  let ahead = read(0);
  try {
    for (let turn = 1; ; turn += 1) {
      const { bytesRead, buffer } = await ahead.catch(failed);
      if (bytesRead === 0) return;
      ahead = read(turn);
      // Whoever takes no more of it does not wait for this one.
      ahead.catch(() => undefined);
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

async function fromFile(file: string): Promise<ArchiveSource> {
  const found = await stat(file).catch((cause: NodeJS.ErrnoException) => unreadable(`${file}: ${cause.code}`, cause));
  if (found.isDirectory()) unreadable(`${file} is a folder`);
  const bytes = () => readFile(file);
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
    `${url.protocol}//${url.host} is not https; http is taken from this machine alone. For a bucket give s3://BUCKET/KEY, or a signed https URL`,
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

async function fromBucket(source: string, { fetch }: SourceDeps): Promise<ArchiveSource> {
  const { bytes, size } = await readS3Object(source, fetch);
  return { bytes: () => bytes, size, kind: 'url' };
}

/**
 * Finds the archive.
 * @param source a path, `-` for standard input, `s3://BUCKET/KEY`, or a URL: https, or http on loopback
 * @throws PlatformError `ArchiveUnreadable`, also while `bytes` is read
 */
export async function findSource(source: string, deps: SourceDeps): Promise<ArchiveSource> {
  if (source === '-') return { bytes: () => deps.stdin, size: null, kind: 'stdin' };
  if (/^s3:\/\//i.test(source)) return fromBucket(source, deps);
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(source) ? fromUrl(source, deps) : fromFile(source);
}
