/** Where a log is, and which keys it is believed by: addresses, files and keys that a command is given. */
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { PlatformError } from '@cloister/protocol';
import { type NoteKey, parseNoteKey, type ReadFile } from '../audit/index.ts';
import { isLoopback } from '../lib/index.ts';
import { badRequest } from './small-text.ts';

export type Fetch = typeof globalThis.fetch;

/** More is no file of a log: a full bundle of entries has 256 times 65,537 bytes at most, ours 8.7 kB. */
const mostBytes = 17 * 1024 * 1024;

/** The address of a log, such as https://media.example.org/cloister/v1/audit. @throws PlatformError `BadRequest` */
export function logUrl(text: string): URL {
  const url = URL.parse(text.endsWith('/') ? text : `${text}/`);
  if (!url) return badRequest(`${text} is no address of a log`);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(host))) return url;
  return badRequest(`${url.protocol}//${url.host} is not https; http is taken from this machine alone`);
}

/** Sends one request. @throws PlatformError `DestinationFailed` for one that is not answered */
export async function ask(fetch: Fetch, url: URL, init: RequestInit = {}): Promise<Response> {
  const answer = await fetch(url, { redirect: 'manual', ...init }).catch((cause: unknown) => {
    throw new PlatformError('DestinationFailed', { destination: url.host, why: 'it cannot be reached' }, { cause });
  });
  if (Number(answer.headers.get('content-length') ?? 0) <= mostBytes) return answer;
  throw new PlatformError('DestinationFailed', { destination: url.host, why: 'it sends too much' });
}

/** The files of a log over HTTP. */
export function logOver(url: URL, fetch: Fetch): ReadFile {
  return async (name) => {
    const answer = await ask(fetch, new URL(name, url));
    if (answer.status === 404) return null;
    if (answer.status === 200) return Buffer.from(await answer.arrayBuffer());
    throw new PlatformError('DestinationFailed', { destination: url.host, why: `it answered ${answer.status}` });
  };
}

/** The files of a log in a folder. */
export function logIn(folder: string): ReadFile {
  return (name) =>
    readFile(path.join(folder, ...name.split('/'))).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
}

/**
 * Keys of logs and witnesses.
 * @param sources each a key, a file of keys or the address of one, a key in a line
 * @throws PlatformError `BadRequest`
 */
export async function readNoteKeys(sources: readonly string[], fetch: Fetch): Promise<NoteKey[]> {
  const keys: NoteKey[] = [];
  for (const source of sources) {
    const own = parseNoteKey(source);
    const text = own ? source : await keyText(source, fetch);
    for (const line of text.split(/\r?\n/).filter((each) => each.trim() !== '')) {
      keys.push(parseNoteKey(line.trim()) ?? badRequest(`--key: ${source} has a line that is no key`));
    }
  }
  return keys;
}

async function keyText(source: string, fetch: Fetch): Promise<string> {
  if (/^https?:\/\//i.test(source)) {
    const url = logUrl(source);
    const answer = await ask(fetch, new URL(url.href.slice(0, -1)));
    return answer.status === 200 ? answer.text() : badRequest(`--key: ${url.host} answered ${answer.status}`);
  }
  return readFile(source, 'utf8').catch((cause: NodeJS.ErrnoException) =>
    badRequest(`--key: ${source}: ${cause.code}`, cause),
  );
}

/** Lines of a file, without their ends. @throws PlatformError `BadRequest` */
export async function* linesOf(file: string): AsyncGenerator<string> {
  const input = createReadStream(file);
  const failed = new Promise<never>((_, reject) => input.once('error', reject));
  failed.catch(() => undefined);
  try {
    yield* createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
    await Promise.race([failed, Promise.resolve()]);
  } catch (cause) {
    badRequest(`${file}: ${(cause as NodeJS.ErrnoException).code}`, cause);
  }
}
