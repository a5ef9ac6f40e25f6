/** A file that has its name only when it is whole: until then it lies beside it, as `NAME.part`, `NAME.cut` after a cut. */
import { constants, type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { PlatformError } from '@cloister/protocol';

function refuse(file: string, why: string, cause?: unknown): never {
  throw new PlatformError('BadRequest', { why: `${file} ${why}` }, { cause });
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
    if (await stat(file).catch(() => null)) refuse(file, 'is there already; name another file or remove it');
    const draft = path.join(path.dirname(file), `${path.basename(file)}.${draftId}.part`);
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;
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

  /** It is whole, and on the disk. */
  async finish(): Promise<void> {
    await this.#flush();
    await this.#written;
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
