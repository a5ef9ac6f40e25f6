/**
 * The files of one individual archive while it is recorded, in a folder of its own, all of it cipher text:
 *
 *     stream-0, …    what was sealed of each stream's file, in order
 *     index.json     which is which, sealed
 *     manifest       at the end, where it is sealed to certificates: OpenTok's manifest, sealed to the same
 *     mark           while they grow: the milliseconds of the recording that they hold
 *     about.json     whose it is, and in which format; at the end, what it turned out to be
 *
 * What was written is synced every `archiveSyncMs`, so that a power cut takes no more than that along.
 */
import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { limits, PlatformError } from '@cloister/protocol';
import type { RecordedStream } from '../../core/index.ts';
import type { BegunFile, EndedFile } from '../record/messages.ts';
import type { FilesTold } from '../record/recorder.ts';
import type { FileContainer } from '../separate/remuxer.ts';
import { ownerOnly, syncFolder, writeAbout } from './archive-file.ts';
import {
  type ArchiveIndex,
  checkedFile,
  type IndexedFile,
  type IndexSeal,
  spoolOf,
  writeIndex,
  writeMark,
} from './individual-index.ts';
import { WriteOrder } from './write-order.ts';

const endings: ReadonlyMap<FileContainer, string> = new Map([
  ['webm', 'webm'],
  ['matroska', 'mkv'],
]);

type About = Omit<ArchiveIndex, 'files'>;

/** What is known of cipher text as it comes: all that is ever known of it here. */
class Stored {
  readonly #hash = createHash('sha256');
  #bytes = 0;
  #crc32 = 0;

  add(cipherText: Buffer): void {
    this.#hash.update(cipherText);
    this.#bytes += cipherText.length;
    this.#crc32 = crc32(cipherText, this.#crc32);
  }

  end(): NonNullable<IndexedFile['stored']> {
    return { bytes: this.#bytes, crc32: this.#crc32, sha256: this.#hash.digest('hex') };
  }
}

/** Written in order, one write after the other. What fails first is what `finish` throws. */
export class IndividualFiles implements FilesTold {
  readonly #folder: string;
  readonly #seal: IndexSeal;
  readonly #now: () => number;
  /** When all was synced last; null before the first time. */
  #syncedAt: number | null = null;
  readonly #spools = new Map<number, FileHandle>();
  /** Of the files that are being written, where they are sealed to certificates. */
  readonly #stored = new Map<number, Stored>();
  readonly #streams = new Map<string, Pick<RecordedStream, 'connectionData' | 'videoType'>>();
  #index: ArchiveIndex;
  #indexWaits = false;
  readonly #writes = new WriteOrder();

  private constructor(folder: string, about: About, seal: IndexSeal, now: () => number) {
    this.#folder = folder;
    this.#index = { ...about, files: [] };
    this.#seal = seal;
    this.#now = now;
  }

  /**
   * @param now milliseconds of a clock that nobody sets
   * @throws what the disk says
   */
  static async create(folder: string, about: About, seal: IndexSeal, now: () => number): Promise<IndividualFiles> {
    await mkdir(folder, { recursive: true, mode: ownerOnly.folder });
    await writeAbout(folder, { projectId: about.projectId, format: 'individual' });
    const files = new IndividualFiles(folder, about, seal, now);
    await writeIndex(folder, files.#index, seal);
    for (const each of [folder, path.dirname(folder)]) await syncFolder(each);
    return files;
  }

  /** What waits for the disk, and what a write failed with; nothing is written after that. */
  get writes(): WriteOrder {
    return this.#writes;
  }

  /** Recording began. @param at in milliseconds since 1970 */
  recordingBegan(at: number): void {
    this.#index = { ...this.#index, createdAt: at };
  }

  /** What the manifest says of a stream, whose files begin later. */
  describe({ streamId, connectionData, videoType }: RecordedStream): void {
    this.#streams.set(streamId, { connectionData, videoType });
  }

  /** @throws PlatformError `FrameInvalid` for a file that cannot be the next one of a stream that is recorded */
  began(file: number, { streamId, container, startMs }: BegunFile): void {
    const stream = this.#streams.get(streamId);
    const ending = endings.get(container);
    if (!stream || !ending || file !== this.#index.files.length || file >= limits.archiveFiles) {
      throw new PlatformError('FrameInvalid', { why: 'a file that a recorder was not asked for' });
    }
    const before = this.#index.files.filter((each) => each.streamId === streamId).length;
    const fileName = `${streamId}${before === 0 ? '' : `-${before}`}.${ending}`;
    const unknown = { stopMs: null, ended: null, stored: null };
    const known = checkedFile({ file, fileName, streamId, ...stream, startMs, ...unknown });
    this.#index = { ...this.#index, files: [...this.#index.files, known] };
    if (this.#index.certificates.length > 0) this.#stored.set(file, new Stored());
    this.#writes.add(async () => {
      this.#spools.set(file, await open(spoolOf(this.#folder, file), 'wx', ownerOnly.file));
    });
    this.#thenIndex();
  }

  part(file: number, cipherText: Buffer): void {
    this.#stored.get(file)?.add(cipherText);
    this.#writes.add(async () => {
      const spool = this.#spools.get(file);
      if (!spool) throw new PlatformError('FrameInvalid', { why: 'cipher text of a file that has not begun' });
      await spool.appendFile(cipherText);
    }, cipherText.length);
  }

  ended(file: number, { bytes, headBytes, crc32, stopMs }: EndedFile): void {
    const stored = this.#stored.get(file)?.end() ?? null;
    this.#stored.delete(file);
    const change = (each: IndexedFile) =>
      each.file === file ? checkedFile({ ...each, stopMs, ended: { bytes, headBytes, crc32 }, stored }) : each;
    this.#index = { ...this.#index, files: this.#index.files.map(change) };
    this.#writes.add(async () => {
      const spool = this.#spools.get(file);
      this.#spools.delete(file);
      await spool?.datasync();
      await spool?.close();
    });
    this.#thenIndex();
  }

  /** What all parts so far hold. */
  mark(durationMs: number): void {
    const now = this.#now();
    const due = this.#syncedAt === null || now - this.#syncedAt >= limits.archiveSyncMs;
    if (due) this.#syncedAt = now;
    this.#writes.add(async () => {
      if (due) await this.#sync();
      await writeMark(this.#folder, durationMs, due);
    });
  }

  /** All is on the disk; `writeEnd` notes it. @throws what a write failed with */
  async finish(): Promise<void> {
    this.#thenIndex();
    await this.#closed();
    if (this.#writes.failure) throw this.#writes.failure;
    await syncFolder(this.#folder);
  }

  /** The recorder is gone: what is there stays. @returns whether there is anything */
  async abandon(): Promise<boolean> {
    await this.#closed();
    return this.#index.files.length > 0;
  }

  async #sync(): Promise<void> {
    for (const spool of this.#spools.values()) await spool.datasync();
    // New spools, and the index, which takes the place of the one before.
    await syncFolder(this.#folder);
  }

  async #closed(): Promise<void> {
    await this.#writes.settled();
    for (const spool of this.#spools.values()) await spool.close();
    this.#spools.clear();
  }

  /** Writes the index as it is by then: one that waits takes along what comes meanwhile. */
  #thenIndex(): void {
    if (this.#indexWaits) return;
    this.#indexWaits = true;
    this.#writes.add(() => {
      this.#indexWaits = false;
      return writeIndex(this.#folder, this.#index, this.#seal);
    });
  }
}
