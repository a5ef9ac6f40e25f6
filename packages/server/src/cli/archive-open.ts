/** `cloister archive open`: opens an archive of either format with a private key. It asks no server. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import type { Writable } from 'node:stream';
import { type OpenedArchive, type OpenedFiles, openAnyArchive } from '../archive/index.ts';
import type { Clock, Ids } from '../lib/index.ts';
import { type Expectation, type ExpectedWords, readExpectation, requireFile } from './archive-expected.ts';
import { type Wanted, writeFiles } from './archive-open-files.ts';
import { OutputFile, requireAbsent, toPlayer, writeTo } from './archive-output.ts';
import { type ArchiveSource, findSource, type SourceDeps } from './archive-source.ts';
import { badRequest } from './bad-request.ts';
import { readSmall } from './small-text.ts';

/** How often the progress is shown. */
const PROGRESS_MS = 100;

/** The words of the command. */
export interface OpenWords extends ExpectedWords {
  readonly source: string;
  readonly key: string | undefined;
  readonly out: string | undefined;
  readonly password: string | undefined;
  readonly passphraseFile: string | undefined;
  /** Of an individual archive: the one file that is wanted. */
  readonly entry: string | undefined;
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
  /** What stands against a changed byte: a manifest or a digest that was given, its format, or nothing. */
  readonly verified: 'manifest' | 'sha256' | 'format' | 'no';
  /** Of an individual archive: what is in the folder. */
  readonly files?: readonly string[];
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

/** Writes an archive to a file. @returns how many bytes it has */
async function toFile(out: string, { clear, close }: OpenedArchive, ids: Ids): Promise<number> {
  const output = await OutputFile.create(out, ids.hex(4)).catch(async (refusal: unknown) => {
    await close();
    throw refusal;
  });
  return writeTo(output, clear, () => output.finish());
}

/**
 * Whether the archive is known to be the one that is expected, or will be before anybody has a byte of it. A file is read
 * twice for a player and for a manifest; with a digest alone, what is written has its name at the end only, and is compared
 * then. What comes by a pipe or from a URL cannot be read twice.
 * @throws PlatformError `ArchiveCut`, `ArchiveChanged`
 */
async function isCertain(source: ArchiveSource, expected: Expectation | null, toFile: boolean): Promise<boolean> {
  if (!expected) return false;
  if (toFile && expected.by === 'sha256') return true;
  if (source.kind !== 'file') return toFile;
  await requireFile(source, expected);
  return true;
}

/** A digest was typed in by whoever reads this; what a manifest vouches for is worth a line. */
function say(expected: Expectation, { stderr }: OpenDeps): void {
  if (expected.by !== 'manifest') return;
  const { archiveId, sessionId, startedAt, status, stoppedAt, reason } = expected.manifest;
  const from = new Date(startedAt).toISOString();
  const to = stoppedAt === null ? 'a crash of the server' : new Date(stoppedAt).toISOString();
  stderr.write(
    `verified: archive ${archiveId} of session ${sessionId}, recorded from ${from} to ${to}, as key ${expected.keyId} of the platform signed it\n`,
  );
  if (status === 'failed') {
    stderr.write(
      `this archive failed (${reason}): the file is what was kept of it, which may not be all of the recording\n`,
    );
  }
}

/** What is given out before it is certain. Our own format shows a changed byte, but not that it is another archive. */
function warn(format: string, expected: Expectation | null, { stderr }: OpenDeps): void {
  const compared = 'it is compared at its end';
  if (format === 'opentok') {
    const otherwise = 'give --manifest and --platform-keys, or --sha256 with the sha256sum that the API shows';
    const how = expected ? compared : otherwise;
    stderr.write(`not yet verified: the format of OpenTok does not show whether a byte was changed; ${how}\n`);
  } else if (expected) {
    const what = expected.by === 'manifest' ? 'the archive of the manifest' : 'the file whose SHA-256 was given';
    stderr.write(`not yet verified: whether this is ${what} is not known; ${compared}\n`);
  }
}

/**
 * Opens an archive to a file or to standard output, an individual one to a folder.
 * @returns what was done, or undefined when the archive went to standard output
 * @throws PlatformError what `openAnyArchive` throws; `ManifestRefused`, `ManifestKeyUnknown`; `BadRequest` for words that
 *   cannot be followed
 */
export async function openArchiveCommand(words: OpenWords, deps: OpenDeps): Promise<Opened | undefined> {
  const out = words.out === '-' ? undefined : words.out;
  if (out === undefined && deps.stdout.isTTY) {
    badRequest('the archive would be written to this terminal; give --out FILE, or a pipe to a player');
  }
  const expected = await readExpectation(words, deps);
  const privateKey = await readKey(words);
  if (out !== undefined) await requireAbsent(out);
  const source = await findSource(words.source, deps);
  const progress = new Progress(deps, source.size);
  let done: Opened | undefined;
  try {
    const certain = await isCertain(source, expected, out !== undefined);
    if (certain && expected && source.kind === 'file') say(expected, deps);
    const given = { privateKey, password: words.password, expected };
    const opened = await openAnyArchive(progress.over(source.bytes()), given);
    if (!certain) warn(opened.format, expected, deps);
    const written = await write(opened, { out, entry: words.entry, toItsEnd: expected !== null }, deps);
    const { format } = opened;
    const verified = expected?.by ?? (format === 'cloister' ? 'format' : 'no');
    if (written && out !== undefined) done = { file: out, format, verified, ...written };
  } finally {
    progress.end();
  }
  if (expected && source.kind !== 'file') say(expected, deps);
  return done;
}

/** @returns what there is to say of a file or a folder; of standard output nothing */
async function write(
  opened: OpenedArchive | OpenedFiles,
  wanted: Wanted,
  { stdout, ids }: OpenDeps,
): Promise<Pick<Opened, 'bytes' | 'files'> | undefined> {
  const { out, entry } = wanted;
  if ('entries' in opened) return writeFiles(opened, wanted, { stdout, ids });
  if (entry !== undefined) {
    await opened.close();
    badRequest('--entry NAME is for an individual archive, and this is one file');
  }
  if (out !== undefined) return { bytes: await toFile(out, opened, ids) };
  await toPlayer(opened.clear, stdout);
  return undefined;
}
