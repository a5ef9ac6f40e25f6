/** Where a log is, and which keys it is believed by: addresses, files and keys that a command is given. */
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { PlatformError } from '@cloister/protocol';
import { type NoteKey, parseNoteKey, type ReadFile } from '../audit/index.ts';
import { isLoopback } from '../lib/index.ts';
import { badRequest } from './bad-request.ts';

export type Fetch = typeof globalThis.fetch;

const mostPauseSeconds = 60;
/** A file of a log that is larger is none: a full bundle of entries has 256 times 65,537 bytes at most, ours 8.7 kB. */
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
  const read: ReadFile = async (name) => {
    const answer = await ask(fetch, new URL(name, url));
    if (answer.status === 404) return null;
    if (answer.status === 200) return Buffer.from(await answer.arrayBuffer());
    if (answer.status === 429) {
      // A whole log is more files than an address may fetch at once.
      await pause(1000 * Math.min(mostPauseSeconds, Number(answer.headers.get('retry-after') ?? 1)));
      return read(name);
    }
    throw new PlatformError('DestinationFailed', { destination: url.host, why: `it answered ${answer.status}` });
  };
  return read;
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
  let rest = '';
  try {
    for await (const part of createReadStream(file, { encoding: 'utf8', highWaterMark: 1024 * 1024 })) {
      const lines = (rest + String(part)).split('\n');
      rest = lines.pop()!;
      for (const line of lines) yield line.endsWith('\r') ? line.slice(0, -1) : line;
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw code === undefined ? cause : new PlatformError('BadRequest', { why: `${file}: ${code}` }, { cause });
  }
  if (rest !== '') yield rest;
}
