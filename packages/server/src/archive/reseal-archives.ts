/**
 * What lies beside the database when a project's data key has leaked. The index of an individual archive is sealed anew; one
 * that is being recorded writes it anew itself, at its end at the latest. A content key cannot be: the header that holds
 * it is part of what each chunk is sealed with. The archives that such a key opens are named, so that somebody decides.
 */
import { open, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { type Keys, type Sealed, sealedContext } from '../core/index.ts';
import { replaceFile } from '../lib/index.ts';
import { archiveFolder } from './recordings.ts';
import { prefixBytes, readPrefix } from './seal/sealed-archive.ts';
import { readAbout } from './store/archive-file.ts';
import { indexOf, readMark } from './store/individual-index.ts';

export interface ResealDeps {
  readonly dataDir: string;
  readonly keys: Pick<Keys, 'reseal'>;
  /** Of the key that a value is sealed with. */
  readonly keyIdOf: (sealed: string) => string | null;
  /** Whether it is being recorded. */
  readonly isRecorded: (archiveId: string) => Promise<boolean>;
}

export interface ResealedArchives {
  /** How many indexes were sealed anew. */
  readonly resealed: number;
  /** Archives whose content key is sealed with the key that leaked, or that do not show yet what theirs is sealed with. */
  readonly opened: readonly string[];
}

/** The archives of a project that have a folder here. */
export async function archivesOf(dataDir: string, projectId: string): Promise<string[]> {
  const names = await readdir(path.join(dataDir, 'archives')).catch(() => []);
  const ours: string[] = [];
  for (const name of names) {
    const about = await readAbout(path.join(dataDir, 'archives', name));
    if (about?.projectId === projectId && !name.includes('.')) ours.push(name);
  }
  return ours.sort();
}

/** @param keyId of the data key that leaked; another one is the project's current one by now. @throws PlatformError `SealBroken` */
export async function resealArchives(deps: ResealDeps, projectId: string, keyId: string): Promise<ResealedArchives> {
  let resealed = 0;
  const opened: string[] = [];
  for (const archiveId of await archivesOf(deps.dataDir, projectId)) {
    if (await resealIndex(deps, projectId, archiveId)) resealed += 1;
    if (await isOpenedBy(deps, archiveId, keyId)) opened.push(archiveId);
  }
  return { resealed, opened };
}

async function resealIndex(deps: ResealDeps, projectId: string, archiveId: string): Promise<boolean> {
  const folder = archiveFolder(deps.dataDir, archiveId);
  if ((await readAbout(folder))?.format !== 'individual') return false;
  if ((await deps.isRecorded(archiveId)) || (await readMark(folder)) !== null) return false;
  const text = await readFile(indexOf(folder), 'utf8').catch(() => null);
  if (text === null) return false;
  const before = JSON.parse(text) as Sealed;
  const after = deps.keys.reseal(projectId, sealedContext.archiveIndex(archiveId), before);
  if (after === before) return false;
  await replaceFile(indexOf(folder), JSON.stringify(after));
  return true;
}

/** What a content key that the platform seals is stored as. */
const platformHeader = z.object({ sealed: z.string() });

async function isOpenedBy({ dataDir, keyIdOf }: ResealDeps, archiveId: string, keyId: string): Promise<boolean> {
  const folder = archiveFolder(dataDir, archiveId);
  const format = (await readAbout(folder))?.format;
  if (format !== 'cloister' && format !== 'individual') return false;
  const names = await readdir(folder).catch(() => []);
  // All spools of one archive have one content key.
  const sealed = names.filter((name) => name === 'archive' || name.startsWith('stream-')).sort()[0];
  const header = sealed === undefined ? null : await headerOf(path.join(folder, sealed));
  if (header === null) return true;
  const parsed = platformHeader.safeParse(header);
  return parsed.success && keyIdOf(JSON.parse(parsed.data.sealed)) === keyId;
}

/** Null where it is not there yet. */
async function headerOf(file: string): Promise<unknown> {
  const handle = await open(file, 'r').catch(() => null);
  if (!handle) return null;
  try {
    const prefix = await handle.read(Buffer.alloc(prefixBytes), 0, prefixBytes, 0);
    if (prefix.bytesRead < prefixBytes) return null;
    const length = readPrefix(prefix.buffer).headBytes - prefixBytes;
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, prefixBytes);
    return bytesRead < length ? null : JSON.parse(buffer.toString());
  } finally {
    await handle.close();
  }
}
