/**
 * A file, or a folder of files, that has its name only when it is whole: until then it lies beside it, as `NAME.part`, `NAME.cut`
 * after a cut.
 */
import { constants, type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Writable } from 'node:stream';
import { PlatformError } from '@cloister/protocol';

function refuse(file: string, why: string, cause?: unknown): never {
  throw new PlatformError('BadRequest', { why: `${file} ${why}` }, { cause });
}

/** What is there already is not replaced. @throws PlatformError `BadRequest` */
export async function requireAbsent(name: string): Promise<void> {
  if (await stat(name).catch(() => null)) refuse(name, 'is there already; name another file or remove it');
}

function draftOf(name: string, draftId: string): string {
  return path.join(path.dirname(name), `${path.basename(name)}.${draftId}.part`);
}

/** Bytes that are written at once. */
const WRITE_BYTES = 512 * 1024;

/** What is being written. Exactly one of `finish`, `keepCut` and `remove` ends it. */
export class OutputFile {
  readonly #file: string;
  readonly #draft: string;
  readonly #handle: FileHandle;
  /** One is filled while the other is written. */
  #filling = Buffer.allocUnsafeSlow(WRITE_BYTES);
  #other = Buffer.allocUnsafeSlow(WRITE_BYTES);
  #filled = 0;
  #written: Promise<void> = Promise.resolve();

  private constructor(file: string, draft: string, handle: FileHandle) {
    this.#file = file;
    this.#draft = draft;
    this.#handle = handle;
  }

  /**
   * Begins a file, which only its owner may read. One that is there already is not replaced.
   * @param draftId tells drafts of the same file apart
   * @throws PlatformError `BadRequest`
   */
  static async create(file: string, draftId: string): Promise<OutputFile> {
    await requireAbsent(file);
    const draft = draftOf(file, draftId);
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_RDWR;
    const handle = await open(draft, flags, 0o600).catch((cause: NodeJS.ErrnoException) =>
      refuse(file, `cannot be written: ${cause.code}`, cause),
    );
    return new OutputFile(file, draft, handle);
  }

  /** Takes bytes, which are their owner's again afterwards. @throws PlatformError `BadRequest` when the disk does not take them */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + WRITE_BYTES - this.#filled);
      this.#filling.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === WRITE_BYTES) await this.#flush();
    }
  }

  /** It is whole, and on the disk. @param amend changes what was written before that */
  async finish(amend: (file: FileHandle) => Promise<void> = async () => {}): Promise<void> {
    await this.#flush();
    await this.#written;
    await amend(this.#handle);
    await this.#handle.sync();
    await this.#handle.close();
    await rename(this.#draft, this.#file);
  }

  /** Keeps what there is, under a name that says so. @returns the name */
  async keepCut(): Promise<string> {
    await this.#flush();
    await this.#written;
    await this.#handle.close();
    await rename(this.#draft, `${this.#file}.cut`);
    return `${this.#file}.cut`;
  }

  async remove(): Promise<void> {
    await this.#written.catch(() => undefined);
    await this.#handle.close();
    await rm(this.#draft, { force: true });
  }

  /** Begins to write what was filled, once what came before it is written. */
  async #flush(): Promise<void> {
    await this.#written;
    const bytes = this.#filling.subarray(0, this.#filled);
    [this.#filling, this.#other, this.#filled] = [this.#other, this.#filling, 0];
    this.#written = this.#handle
      .appendFile(bytes)
      .catch((cause: NodeJS.ErrnoException) => refuse(this.#file, `cannot be written: ${cause.code}`, cause));
    // Whoever writes next, or ends it, hears of it.
    this.#written.catch(() => undefined);
  }
}

/** The same for a folder. Exactly one of `finish`, `keepCut` and `remove` ends it, once its files have ended. */
export class OutputFolder {
  readonly #name: string;
  readonly #draft: string;
  readonly #draftId: string;

  private constructor(name: string, draft: string, draftId: string) {
    this.#name = name;
    this.#draft = draft;
    this.#draftId = draftId;
  }

  /** Begins a folder, which only its owner may read. @throws PlatformError `BadRequest` */
  static async create(name: string, draftId: string): Promise<OutputFolder> {
    await requireAbsent(name);
    // `visit/` is a folder as well.
    const draft = draftOf(path.resolve(name), draftId);
    await mkdir(draft, { mode: 0o700 }).catch((cause: NodeJS.ErrnoException) =>
      refuse(name, `cannot be written: ${cause.code}`, cause),
    );
    return new OutputFolder(path.resolve(name), draft, draftId);
  }

  /** @param name of a file in it, without any path */
  file(name: string): Promise<OutputFile> {
    return OutputFile.create(path.join(this.#draft, name), this.#draftId);
  }

  async finish(): Promise<void> {
    await rename(this.#draft, this.#name);
  }

  /** Keeps what there is, under a name that says so. @returns the name: that of the draft, where an earlier one is in the way */
  async keepCut(): Promise<string> {
    const kept = `${this.#name}.cut`;
    return rename(this.#draft, kept).then(
      () => kept,
      () => this.#draft,
    );
  }

  async remove(): Promise<void> {
    await rm(this.#draft, { recursive: true, force: true });
  }
}

/** Whether it is the error of an archive that was cut. */
export function isCut(error: unknown): error is PlatformError {
  return error instanceof PlatformError && error.code === 'ArchiveCut';
}

/**
 * Writes all of it, and ends the file: under its own name, as one that was cut, or not at all.
 * @param finish ends it where it is whole
 * @returns how many bytes there were
 */
export async function writeTo(
  output: OutputFile,
  clear: AsyncIterable<Uint8Array>,
  finish: () => Promise<void>,
): Promise<number> {
  let bytes = 0;
  try {
    for await (const part of clear) {
      bytes += part.length;
      await output.write(part);
    }
    await finish();
    return bytes;
  } catch (error) {
    if (!isCut(error) || bytes === 0) {
      await output.remove();
      throw error;
    }
    const why = `${error.details.why}; what precedes the cut is in ${await output.keepCut()}`;
    throw new PlatformError('ArchiveCut', { why }, { cause: error });
  }
}

/** Each part is taken before the next is asked for: until then it is good, and no longer. */
export async function toPlayer(clear: AsyncIterable<Uint8Array>, stdout: Writable): Promise<void> {
  let broken: NodeJS.ErrnoException | null = null;
  const onError = (error: Error) => {
    broken = error;
  };
  stdout.on('error', onError);
  try {
    for await (const part of clear) {
      await new Promise<void>((resolve, reject) => {
        stdout.write(part, (error) => (error ? reject(error) : resolve()));
      });
    }
  } catch (error) {
    const cause = broken ?? (error as NodeJS.ErrnoException);
    if (cause.code !== 'EPIPE') throw error;
    throw new PlatformError('WrongState', { why: 'who reads standard output has closed it' }, { cause });
  } finally {
    stdout.off('error', onError);
  }
}
