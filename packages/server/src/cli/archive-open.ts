/** `cloister archive open`: opens an archive of either format with a private key. It asks no server. */
import { createHash, createPrivateKey, type KeyObject } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { limits, PlatformError } from '@cloister/protocol';
import { type OpenedArchive, openArchive } from '../archive/index.ts';
import type { Clock, Ids } from '../lib/index.ts';
import { OutputFile } from './archive-output.ts';
import { type ArchiveSource, findSource, type SourceDeps } from './archive-source.ts';

/** How often the progress is shown. */
const PROGRESS_MS = 100;

/** The words of the command. */
export interface OpenWords {
  readonly source: string;
  readonly key: string | undefined;
  readonly out: string | undefined;
  readonly password: string | undefined;
  readonly sha256: string | undefined;
  readonly passphraseFile: string | undefined;
}

/** What it takes from its surroundings. */
export interface OpenDeps extends SourceDeps {
  readonly stdout: Writable & { isTTY?: boolean };
  readonly stderr: Writable & { isTTY?: boolean };
  readonly clock: Clock;
  readonly ids: Ids;
}

/** What was done, for a person or a program; undefined when the archive itself went to standard output. */
export interface Opened {
  readonly file: string;
  readonly format: string;
  readonly bytes: number;
  /** What stands against a changed byte: its format, the digest that was given, or nothing. */
  readonly verified: 'format' | 'sha256' | 'no';
}

/** An archive that is being opened. */
interface Opening extends OpenedArchive {
  readonly verified: Opened['verified'];
}

function badRequest(why: string, cause?: unknown): never {
  throw new PlatformError('BadRequest', { why }, { cause });
}

/** A key or a passphrase; it may come by a pipe. */
async function readSmall(file: string, option: string): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of createReadStream(file)) {
      parts.push(part);
      size += part.length;
      if (size > limits.archiveKeyFileBytes) badRequest(`--${option}: ${file} has more than archiveKeyFileBytes`);
    }
  } catch (cause) {
    if (cause instanceof PlatformError) throw cause;
    badRequest(`--${option}: ${file}: ${(cause as NodeJS.ErrnoException).code}`, cause);
  }
  return Buffer.concat(parts).toString();
}

async function readKey({ key, passphraseFile }: OpenWords): Promise<KeyObject> {
  if (key === undefined) badRequest('--key FILE is needed: the private key of the certificate');
  const text = await readSmall(key, 'key');
  if (!text.includes('PRIVATE KEY-----')) badRequest(`--key: ${key} holds no private key in PEM`);
  const passphrase =
    passphraseFile === undefined
      ? undefined
      : (await readSmall(passphraseFile, 'passphrase-file')).replace(/\r?\n$/, '');
  try {
    return createPrivateKey({ key: text, passphrase });
  } catch (cause) {
    if (passphrase === undefined && /ENCRYPTED/.test(text)) {
      badRequest(`--key: ${key} is locked; give --passphrase-file FILE with its passphrase`, cause);
    }
    return badRequest(`--key: ${key} cannot be read${passphrase === undefined ? '' : ' with this passphrase'}`, cause);
  }
}

/** Base64, as the API gives it, or hexadecimal, as `sha256sum` writes it. */
function readDigest(text: string | undefined): Buffer | undefined {
  if (text === undefined) return undefined;
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex');
  if (/^[A-Za-z0-9+/]{43}=?$/.test(text)) return Buffer.from(text, 'base64');
  return badRequest('--sha256 is a SHA-256 in base64 or hexadecimal');
}

/** Shows how far it is, where somebody looks. */
class Progress {
  readonly #deps: OpenDeps;
  readonly #size: number | null;
  #taken = 0;
  #shownAt = Number.NEGATIVE_INFINITY;

  constructor(deps: OpenDeps, size: number | null) {
    this.#deps = deps;
    this.#size = size;
  }

  async *over(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const part of source) {
      this.#taken += part.length;
      this.#show();
      yield part;
    }
  }

  /** Leaves the line, so that what follows has one of its own. */
  end(): void {
    if (this.#deps.stderr.isTTY && this.#taken > 0) this.#deps.stderr.write(`\r${this.#line()}\n`);
  }

  #show(): void {
    const now = this.#deps.clock.now();
    if (!this.#deps.stderr.isTTY || now - this.#shownAt < PROGRESS_MS) return;
    this.#shownAt = now;
    this.#deps.stderr.write(`\r${this.#line()}`);
  }

  #line(): string {
    const megabytes = `${(this.#taken / 1e6).toFixed(1)} MB`;
    if (!this.#size) return megabytes;
    const share = Math.min(1, this.#taken / this.#size);
    const bar = '#'.repeat(Math.floor(share * 30)).padEnd(30, '.');
    return `[${bar}] ${Math.floor(share * 100)} % of ${(this.#size / 1e6).toFixed(1)} MB  `;
  }
}

async function digestOf(source: ArchiveSource): Promise<Buffer> {
  const hash = createHash('sha256');
  for await (const part of source.bytes()) hash.update(part);
  return hash.digest();
}

/** The error to give, after what was written has got a name that says what it is, or is gone. */
async function abandon(output: OutputFile, bytes: number, error: unknown): Promise<unknown> {
  if (!(error instanceof PlatformError) || error.code !== 'ArchiveCut' || bytes === 0) {
    await output.remove();
    return error;
  }
  const why = `${error.details.why}; what precedes the cut is in ${await output.keepCut()}`;
  return new PlatformError('ArchiveCut', { why }, { cause: error });
}

async function toFile(output: OutputFile, open: () => Promise<Opening>): Promise<Omit<Opened, 'file'>> {
  let bytes = 0;
  try {
    const { clear, format, verified } = await open();
    for await (const part of clear) {
      bytes += part.length;
      await output.write(part);
    }
    await output.finish();
    return { format, bytes, verified };
  } catch (error) {
    throw await abandon(output, bytes, error);
  }
}

async function toPlayer({ clear }: Opening, stdout: Writable): Promise<void> {
  try {
    await pipeline(clear, stdout, { end: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
    throw new PlatformError('WrongState', { why: 'who reads standard output has closed it' }, { cause: error });
  }
}

/** A file is held against its digest before a byte of it is given to a player. What comes by a pipe cannot be. */
async function verifiedBefore(source: ArchiveSource, sha256: Buffer | undefined): Promise<boolean> {
  if (!sha256 || source.kind !== 'file') return false;
  if (sha256.equals(await digestOf(source))) return true;
  throw new PlatformError('ArchiveChanged', { why: 'its SHA-256 is not the one that was given' });
}

function warn(format: string, sha256: Buffer | undefined, { stderr }: OpenDeps): void {
  if (format !== 'opentok') return;
  const how = sha256 ? 'its SHA-256 is compared at its end' : 'give --sha256 with the sha256sum that the API shows';
  stderr.write(`not yet verified: the format of OpenTok does not show whether a byte was changed; ${how}\n`);
}

/**
 * Opens an archive to a file or to standard output.
 * @returns what was done, or undefined when the archive went to standard output
 * @throws PlatformError what `openArchive` throws; `BadRequest` for words that cannot be followed
 */
export async function openArchiveCommand(words: OpenWords, deps: OpenDeps): Promise<Opened | undefined> {
  const out = words.out === '-' ? undefined : words.out;
  if (out === undefined && deps.stdout.isTTY) {
    badRequest('the archive would be written to this terminal; give --out FILE, or a pipe to a player');
  }
  const sha256 = readDigest(words.sha256);
  const privateKey = await readKey(words);
  const source = await findSource(words.source, deps);
  const progress = new Progress(deps, source.size);
  const open = async (): Promise<Opening> => {
    // A file that has its name at its end only is compared then.
    const certain = sha256 !== undefined && (out !== undefined || (await verifiedBefore(source, sha256)));
    const bytes = progress.over(source.bytes());
    const opened = await openArchive(bytes, { privateKey, password: words.password, sha256 });
    if (!certain) warn(opened.format, sha256, deps);
    return { ...opened, verified: sha256 ? 'sha256' : opened.format === 'cloister' ? 'format' : 'no' };
  };
  try {
    if (out === undefined) return void (await toPlayer(await open(), deps.stdout));
    return { file: out, ...(await toFile(await OutputFile.create(out, deps.ids.hex(4)), open)) };
  } finally {
    progress.end();
  }
}
