/**
 * What the server knows of an individual archive beside its sealed files: which stream each is of, how long and what it is.
 * It has the archive's name and the connections' data in it, so it is stored sealed itself, anew whenever a file begins or
 * ends: after a crash it is right but for the files that were being written, which end where they end.
 */
import { constants, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PlatformError } from '@cloister/protocol';
import { z } from 'zod';
import { replaceFile } from '../../lib/index.ts';
import { ownerOnly } from './archive-file.ts';

const whole = z.int().nonnegative();
const sum = whole.max(2 ** 32 - 1);

const indexedFile = z.strictObject({
  /** Its number: the name of its spool. */
  file: whole,
  fileName: z.string(),
  streamId: z.string(),
  connectionData: z.string(),
  videoType: z.string(),
  /** Milliseconds of the recording; `stopMs` is null where that is not known. */
  startMs: whole,
  stopMs: whole.nullable(),
  /** What was sealed of it, as `EndedFile` has it; null while it is written, or where its recorder died. */
  ended: z.strictObject({ bytes: whole, headBytes: whole, crc32: sum }).nullable(),
  /** Of a file that is sealed to certificates: the cipher text, which is what a download gives. Null until it is known. */
  stored: z
    .strictObject({ bytes: whole, crc32: sum, sha256: z.string().regex(/^[0-9a-f]{64}$/) })
    .nullable()
    .default(null),
});

/** What a recorder says of a file is held against this: it decodes what strangers send. */
export function checkedFile(file: IndexedFile): IndexedFile {
  const parsed = indexedFile.safeParse(file);
  if (!parsed.success) throw new PlatformError('FrameInvalid', { why: 'what a recorder said of a file' });
  return parsed.data;
}

const archiveIndex = z.strictObject({
  archiveId: z.string(),
  projectId: z.string(),
  sessionId: z.string(),
  name: z.string(),
  /** When recording began, in milliseconds since 1970. */
  createdAt: z.number(),
  /** PEM: whom its files are sealed to; nobody: a content key that the project's data key wraps. */
  certificates: z.array(z.string()).readonly().default([]),
  files: z.array(indexedFile),
});

export type IndexedFile = z.infer<typeof indexedFile>;
export type ArchiveIndex = z.infer<typeof archiveIndex>;

/** Sealing of text with the project's data key, for this one index. */
export interface IndexSeal {
  seal(clear: string): string;
  open(sealed: string): string;
}

export const indexOf = (folder: string) => path.join(folder, 'index.json');

/** Puts it in the place of the one before, as a whole. */
export async function writeIndex(folder: string, index: ArchiveIndex, { seal }: IndexSeal): Promise<void> {
  await replaceFile(indexOf(folder), seal(JSON.stringify(index)));
}

/** @throws what the disk says, and what `open` throws */
export async function readIndex(folder: string, { open }: IndexSeal): Promise<ArchiveIndex> {
  return archiveIndex.parse(JSON.parse(open(await readFile(indexOf(folder), 'utf8'))));
}

const markOf = (folder: string) => path.join(folder, 'mark');

const markDigits = 15;

/** How much of the recording the files hold. Always as long, over the one before: a crash leaves this one or that, never none. */
export async function writeMark(folder: string, durationMs: number, flush = false): Promise<void> {
  const flag = constants.O_WRONLY | constants.O_CREAT;
  await writeFile(markOf(folder), String(durationMs).padStart(markDigits, '0'), { mode: ownerOnly.file, flag, flush });
}

/** @returns null where the recording came to its own end, or had no bytes yet */
export async function readMark(folder: string): Promise<number | null> {
  const text = await readFile(markOf(folder), 'utf8').catch(() => '');
  return /^\d+$/.test(text) ? Number(text) : null;
}

/** The spool of a file: its cipher text. */
export function spoolOf(folder: string, file: number): string {
  return path.join(folder, `stream-${file}`);
}

/** The sealed manifest of an archive that is sealed to certificates, once all of it is known. */
export function sealedManifestOf(folder: string): string {
  return path.join(folder, 'manifest');
}

/** What a sealed member of the ZIP is called behind the name of what is in it. */
export const sealedEnding = '.cloister';

/**
 * OpenTok's manifest (compat 2.4), the first member of the ZIP. `size` is that of the clear file; where files are sealed, the
 * member of each is named by its size and its SHA-256.
 */
export function manifestOf(index: ArchiveIndex): string {
  const files = index.files.map((file) => ({
    connectionData: file.connectionData,
    filename: file.fileName,
    size: file.ended?.bytes,
    ...(file.stored && { sealedSize: file.stored.bytes, sealedSha256: file.stored.sha256 }),
    startTimeOffset: file.startMs,
    stopTimeOffset: file.stopMs,
    streamId: file.streamId,
    videoType: file.videoType,
  }));
  const { archiveId: id, createdAt, name, projectId, sessionId } = index;
  return `${JSON.stringify({ createdAt, files, id, name, partnerId: Number(projectId), sessionId }, null, 2)}\n`;
}
