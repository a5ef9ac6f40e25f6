/**
 * The files of one archive on our own disk, in a folder of its own, all of it cipher text:
 *
 *     archive        what was sealed, in order
 *     about.json     whose it is, and in which format; once it has come to its own end, what it turned out to be
 *     password       OpenTok's format only: the key, wrapped to the customer's certificate
 *     mark           while it grows: up to where it is as it should be, and how it would end there (`archive-mark.ts`)
 *
 * A file that was cut by a crash opens: `recover` cuts it at the last length that has a closing block and appends that. What
 * was written is synced every `archiveSyncMs`, so that a power cut takes no more than that along.
 */
import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { limits } from '@cloister/protocol';
import { z } from 'zod';
import type { RecordingResult } from '../../core/index.ts';
import { replaceFile } from '../../lib/index.ts';
import { Marks, readMarks } from './archive-mark.ts';
import { WriteOrder } from './write-order.ts';

export interface About {
  readonly projectId: string;
  /** As its `Seal` has it: what is neither `cloister` nor `individual` (a file for each stream) is downloaded as it is stored. */
  readonly format: 'opentok' | 'recipients' | 'cloister' | 'individual';
  /** All of it is on the disk. Absent while it is written, and for ever where it was cut. */
  readonly ended?: RecordingResult | undefined;
}

const formats = ['opentok', 'recipients', 'cloister', 'individual'] as const;
const aboutFile = z.strictObject({
  projectId: z.string(),
  format: z.enum(formats),
  ended: z
    .strictObject({
      sizeBytes: z.int().nonnegative(),
      durationMs: z.number().nonnegative(),
      sha256: z.string(),
      password: z.string(),
    })
    .optional(),
});

export const ownerOnly = { folder: 0o700, file: 0o600 };

function place(folder: string) {
  return {
    archive: path.join(folder, 'archive'),
    about: path.join(folder, 'about.json'),
    password: path.join(folder, 'password'),
    mark: path.join(folder, 'mark'),
  };
}

const openExclusive = (file: string): Promise<FileHandle> => open(file, 'wx', ownerOnly.file);

/** An archive that is being written: in order, one write after the other. What fails first is what `finish` throws. */
export class ArchiveFile {
  readonly #folder: string;
  readonly #archive: FileHandle;
  readonly #marks: Marks;
  readonly #now: () => number;
  readonly #hash = createHash('sha256');
  #size = 0;
  #settled = 0;
  /** The bytes since the last firm mark: from where on, and their sum. */
  #since = { from: 0, sum: 0 };
  /** When the last firm mark was made; null before the first. */
  #firmAt: number | null = null;
  #closed = false;
  readonly #writes = new WriteOrder();

  private constructor(folder: string, archive: FileHandle, marks: Marks, now: () => number) {
    this.#folder = folder;
    this.#archive = archive;
    this.#marks = marks;
    this.#now = now;
  }

  /**
   * @param now milliseconds of a clock that nobody sets
   * @param openNew opens the file that cipher text goes to; a test may give one that is full
   * @throws what the disk says
   */
  static async create(folder: string, about: About, now: () => number, openNew = openExclusive): Promise<ArchiveFile> {
    await mkdir(folder, { recursive: true, mode: ownerOnly.folder });
    const files = place(folder);
    await writeAbout(folder, about);
    const archive = await openNew(files.archive);
    const marks = new Marks(await open(files.mark, 'w', ownerOnly.file));
    // The names of its files, and its own.
    for (const each of [folder, path.dirname(folder)]) await syncFolder(each);
    return new ArchiveFile(folder, archive, marks, now);
  }

  /** Bytes that were given to be written. */
  get size(): number {
    return this.#size;
  }

  /** Bytes that stay as they are, a power cut included: after it the file goes on to its closing block from there or later. */
  get settled(): number {
    return this.#settled;
  }

  /** What waits for the disk, and what a write failed with; nothing is written after that. */
  get writes(): WriteOrder {
    return this.#writes;
  }

  append(cipherText: Buffer): void {
    this.#hash.update(cipherText);
    this.#size += cipherText.length;
    this.#since.sum = crc32(cipherText, this.#since.sum);
    this.#writes.add(() => this.#archive.appendFile(cipherText), cipherText.length);
  }

  /** The key of the file, wrapped; kept before anything that it opens. An empty one is no key. */
  keyWrapped(password: string): void {
    if (password !== '')
      this.#writes.add(async () => {
        await writeFile(place(this.#folder).password, password, { mode: ownerOnly.file, flush: true });
        await syncFolder(this.#folder);
      });
  }

  /** What all that was appended holds, and the block that would end the file after it. */
  mark(durationMs: number, closing: Buffer | null): void {
    const now = this.#now();
    const length = this.#size;
    if (this.#firmAt !== null && now - this.#firmAt < limits.archiveSyncMs) {
      const mark = { length, durationMs, closing, ...this.#since };
      this.#writes.add(() => this.#marks.follow(mark));
      return;
    }
    this.#firmAt = now;
    this.#since = { from: length, sum: 0 };
    const mark = { length, durationMs, closing, ...this.#since };
    this.#writes.add(async () => {
      await this.#archive.datasync();
      await this.#marks.fix(mark);
      this.#settled = length;
    });
  }

  /**
   * All is on the disk; `writeEnd` notes it.
   * @returns the SHA-256 of the file, base64
   * @throws what a write failed with; `abandon` is to follow then
   */
  async finish(): Promise<string> {
    await this.#writes.settled();
    if (this.#writes.failure) throw this.#writes.failure;
    await this.#archive.datasync();
    await this.#close();
    await syncFolder(this.#folder);
    return this.#hash.digest('base64');
  }

  /** The recorder is gone: what is there is brought to an end. @returns as `recover` does */
  async abandon(): Promise<Recovered | null> {
    await this.#writes.settled();
    await this.#close();
    return recover(this.#folder);
  }

  async #close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([this.#archive.close(), this.#marks.close()]);
  }
}

export interface Recovered {
  readonly sizeBytes: number;
  /** base64. */
  readonly sha256: string;
  /** 0 where the file came to its own end, and where nobody knows. */
  readonly durationMs: number;
  /** Of OpenTok's format; otherwise empty. */
  readonly password: string;
  /** False where the end is missing that OpenTok's format asks for: what is there opens up to its last block. */
  readonly closed: boolean;
}

/**
 * Brings a file that was cut to an end with which it opens, and never makes it longer than what was written of it. Once more
 * does no harm.
 * @returns null when there is nothing to open
 */
export async function recover(folder: string): Promise<Recovered | null> {
  const files = place(folder);
  const about = await readAbout(folder);
  if (!about) return null;
  // What has come to its own end is not touched; its mark may have outlived that.
  const marked = about.ended ? null : await readMarks(files.mark, files.archive);
  const opentok = about.format === 'opentok';
  const password = await readFile(files.password, 'utf8').catch(() => '');
  if (opentok && password === '' && marked) return null;
  const mark = marked?.mark ?? null;
  if (mark?.closing) await endAt(files.archive, mark.length, mark.closing);
  else if (mark && marked?.lost) await endAt(files.archive, mark.length, Buffer.alloc(0));
  const found = await digestOf(files.archive);
  const closed = !opentok || marked === null || Boolean(mark?.closing);
  return found && { ...found, durationMs: mark?.durationMs ?? 0, password, closed };
}

/** Its last bytes are written before the rest goes: where they lie there is room on the disk, though it be full. */
async function endAt(file: string, length: number, closing: Buffer): Promise<void> {
  const archive = await open(file, 'r+');
  try {
    await archive.write(closing, 0, closing.length, length);
    await archive.truncate(length + closing.length);
    await archive.datasync();
  } finally {
    await archive.close();
  }
}

/** What a folder lists stays, a power cut included. @throws what the disk says */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function digestOf(file: string): Promise<{ sizeBytes: number; sha256: string } | null> {
  const hash = createHash('sha256');
  const handle = await open(file, 'r').catch(() => null);
  if (!handle) return null;
  let sizeBytes = 0;
  for await (const chunk of handle.createReadStream()) {
    hash.update(chunk);
    sizeBytes += chunk.length;
  }
  return sizeBytes === 0 ? null : { sizeBytes, sha256: hash.digest('base64') };
}

export async function writeAbout(folder: string, about: About): Promise<void> {
  await writeFile(place(folder).about, JSON.stringify(about), { mode: ownerOnly.file, flush: true });
}

/**
 * Notes that all of an archive is on the disk, of one in several files too: whatever happens from now on, it is whole.
 * @throws what the disk says
 */
export async function writeEnd(folder: string, about: About, ended: RecordingResult): Promise<void> {
  const files = place(folder);
  await replaceFile(files.about, JSON.stringify({ ...about, ended }));
  await rm(files.mark, { force: true });
}

/** @returns null where there is no archive. */
export async function readAbout(folder: string): Promise<About | null> {
  try {
    return aboutFile.parse(JSON.parse(await readFile(place(folder).about, 'utf8')));
  } catch {
    return null;
  }
}

/** A stored archive, as it is. @throws what the disk says */
export async function openStored(folder: string): Promise<{ handle: FileHandle; sizeBytes: number }> {
  const handle = await open(place(folder).archive, 'r');
  return { handle, sizeBytes: (await handle.stat()).size };
}

const removedEnding = '.removed';

/** The names of what is below a folder of archives, also of what a crash kept from being removed to its end. */
export async function storedIn(archives: string): Promise<string[]> {
  const names = await readdir(archives).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []; // Nothing was recorded yet.
    throw error;
  });
  return [
    ...new Set(names.map((name) => (name.endsWith(removedEnding) ? name.slice(0, -removedEnding.length) : name))),
  ];
}

/** Removes it for good: under another name first, so that a crash leaves nothing that looks whole. */
export async function removeStored(folder: string): Promise<void> {
  const doomed = `${folder}${removedEnding}`;
  const there = await stat(folder).catch(() => null);
  if (there) await rename(folder, doomed);
  await rm(doomed, { recursive: true, force: true });
}
