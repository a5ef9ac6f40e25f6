/** Texts that a command is given: keys, manifests, records. Each has a limit, so that a wrong name takes no memory. */
import { createReadStream } from 'node:fs';
import { type LimitName, limits, PlatformError } from '@cloister/protocol';
import { findSource, type SourceDeps } from './archive-source.ts';
import { badRequest } from './bad-request.ts';

/** All of it, as text. @param limit on its bytes @param what it is, for messages */
async function readText(parts: AsyncIterable<Uint8Array>, limit: LimitName, what: string): Promise<string> {
  const taken: Uint8Array[] = [];
  let size = 0;
  for await (const part of parts) {
    taken.push(Buffer.from(part));
    size += part.length;
    if (size > limits[limit]) badRequest(`${what} has more than ${limit}, ${limits[limit]} bytes`);
  }
  return Buffer.concat(taken).toString();
}

/**
 * A file as text; it may come by a pipe.
 * @param what names it, for messages
 * @throws PlatformError `BadRequest`
 */
async function readFileText(file: AsyncIterable<Uint8Array>, limit: LimitName, what: string): Promise<string> {
  try {
    return await readText(file, limit, what);
  } catch (cause) {
    if (cause instanceof PlatformError) throw cause;
    return badRequest(`${what}: ${(cause as NodeJS.ErrnoException).code}`, cause);
  }
}

/** A small file that an option names. @throws PlatformError `BadRequest` */
export function readSmall(file: string, option: string): Promise<string> {
  return readFileText(createReadStream(file), 'archiveKeyFileBytes', `--${option}: ${file}`);
}

/** A security record, from a file or, as `-`, from standard input. @throws PlatformError `BadRequest` */
export function readRecord(source: string, stdin: AsyncIterable<Uint8Array>): Promise<string> {
  const bytes = source === '-' ? stdin : createReadStream(source);
  return readFileText(bytes, 'securityRecordFileBytes', source === '-' ? 'standard input' : source);
}

/** The platform's public keys, from a file or from where it publishes them. @throws PlatformError `BadRequest` */
export async function readPlatformKeys(source: string, deps: SourceDeps): Promise<string> {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(source)) return readSmall(source, 'platform-keys');
  try {
    const found = await findSource(source, deps);
    return await readText(found.bytes(), 'archiveKeyFileBytes', '--platform-keys: what is there');
  } catch (cause) {
    if (!(cause instanceof PlatformError) || cause.code === 'BadRequest') throw cause;
    return badRequest(`--platform-keys: ${cause.details.why}`, cause);
  }
}
