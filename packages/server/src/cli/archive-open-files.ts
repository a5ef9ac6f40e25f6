/** Opens an individual archive: all of its files into a folder, or one of them. */
import type { Writable } from 'node:stream';
import { PlatformError } from '@cloister/protocol';
import { type OpenedEntry, type OpenedFiles, restoreHead, sealedEnding } from '../archive/index.ts';
import type { Ids } from '../lib/index.ts';
import { isCut, OutputFile, OutputFolder, toPlayer, writeTo } from './archive-output.ts';
import { badRequest } from './bad-request.ts';

/** What is to be written, and where. */
export interface Wanted {
  /** A file or a folder; undefined: standard output. */
  readonly out: string | undefined;
  /** The name of one file, with or without the ending of a sealed one. */
  readonly entry: string | undefined;
  /** Whether the whole archive has to be read, since it is held against what is known of it. */
  readonly toItsEnd: boolean;
}

interface Written {
  readonly bytes: number;
  readonly files: readonly string[];
}

/** How many names a message has. */
const NAMES = 20;

/** @throws PlatformError what `openSealedZip` throws; `BadRequest` for words that cannot be followed */
export async function writeFiles(
  { entries, close }: OpenedFiles,
  wanted: Wanted,
  { stdout, ids }: { readonly stdout: Writable; readonly ids: Ids },
): Promise<Written | undefined> {
  const { out, entry, toItsEnd } = wanted;
  try {
    if (entry !== undefined) return await one(entries, entry, toItsEnd, out, { stdout, ids });
    if (out === undefined) badRequest('it is an archive of several files; give --out FOLDER, or --entry NAME of one');
    return await all(entries, await OutputFolder.create(out, ids.hex(4)));
  } finally {
    await close();
  }
}

/** A file of it that was cut does not keep the others from being opened; in the end it is an error all the same. */
async function all(entries: AsyncIterable<OpenedEntry>, folder: OutputFolder): Promise<Written> {
  const files: string[] = [];
  const cuts: string[] = [];
  let bytes = 0;
  try {
    for await (const { name, clear } of entries) {
      const output = await folder.file(name);
      try {
        bytes += await writeTo(output, clear, () => output.finish(restoreHead));
        files.push(name);
      } catch (error) {
        if (!isCut(error)) throw error;
        cuts.push(name);
      }
    }
  } catch (error) {
    if (isCut(error) && files.length + cuts.length > 0) throw await cut(String(error.details.why), folder);
    await folder.remove();
    throw error;
  }
  if (cuts.length > 0) throw await cut(`${named(cuts)} lack${cuts.length === 1 ? 's' : ''} the end`, folder);
  await folder.finish();
  return { bytes, files };
}

async function cut(why: string, folder: OutputFolder): Promise<PlatformError> {
  return new PlatformError('ArchiveCut', {
    why: `${why}; what there is of the archive is in ${await folder.keepCut()}`,
  });
}

const named = (names: readonly string[]) =>
  [...names.slice(0, NAMES), ...(names.length > NAMES ? [`${names.length - NAMES} more`] : [])].join(', ');

/** @param toItsEnd what follows the file is read before the file has its name */
async function one(
  entries: AsyncIterable<OpenedEntry>,
  entry: string,
  toItsEnd: boolean,
  out: string | undefined,
  { stdout, ids }: { readonly stdout: Writable; readonly ids: Ids },
): Promise<Written | undefined> {
  const iterator = entries[Symbol.asyncIterator]();
  const rest = async () => {
    while (toItsEnd && !(await iterator.next()).done);
  };
  try {
    const { name, clear } = await find(iterator, entry);
    if (out === undefined) {
      await toPlayer(clear, stdout);
      await rest();
      return undefined;
    }
    const output = await OutputFile.create(out, ids.hex(4));
    const finish = async () => {
      await rest();
      await output.finish(restoreHead);
    };
    return { bytes: await writeTo(output, clear, finish), files: [name] };
  } finally {
    await iterator.return?.();
  }
}

/** @throws PlatformError `BadRequest` where there is none of this name */
async function find(entries: AsyncIterator<OpenedEntry>, wanted: string): Promise<OpenedEntry> {
  const names: string[] = [];
  for (;;) {
    const { value, done } = await entries.next();
    if (done) return badRequest(`--entry: there is no ${wanted} in it, but ${named(names)}`);
    if (value.name === wanted || `${value.name}${sealedEnding}` === wanted) return value;
    names.push(value.name);
  }
}
