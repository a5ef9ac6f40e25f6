/**
 * Opens an individual archive that is sealed to certificates: a ZIP of sealed files. Each is authentic by itself; that they
 * are the files of one archive, all of them and under their own names, says the sealed manifest that comes first.
 */
import { createHash } from 'node:crypto';
import { limits, PlatformError } from '@cloister/protocol';
import { z } from 'zod';
import type { UnwrapKey } from '../seal/recipients.ts';
import { openSealedArchive } from '../seal/sealed-archive.ts';
import { sealedEnding } from './individual-index.ts';
import { type ReadMember, readZip } from './zip-reader.ts';

/** A file of the archive. Its bytes are read before the next file is asked for, or passed over then. */
export interface OpenedEntry {
  /** Without the ending of a sealed one: of letters, digits, `.`, `_` and `-`, and no path. */
  readonly name: string;
  /** A part is good until the next is asked for. Throws what `openSealedArchive` does. */
  readonly clear: AsyncGenerator<Buffer>;
}

const safeName = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;
const manifestFile = z.object({
  files: z.array(z.object({ filename: z.string(), sealedSha256: z.string() })).max(limits.archiveFiles),
});

function changed(why: string): PlatformError {
  return new PlatformError('ArchiveChanged', { why });
}

function nameOf(member: string): string {
  const name = member.endsWith(sealedEnding) ? member.slice(0, -sealedEnding.length) : '';
  if (safeName.test(name)) return name;
  const shown = JSON.stringify(member.slice(0, 100));
  throw new PlatformError('ArchiveUnreadable', { why: `it is a ZIP with ${shown} in it, which is no sealed file` });
}

/** @throws PlatformError `ArchiveUnreadable` past `archiveManifestBytes` */
async function whole(clear: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of clear) {
    bytes += part.length;
    if (bytes > limits.archiveManifestBytes) {
      const why = `its manifest has more than archiveManifestBytes, ${limits.archiveManifestBytes}`;
      throw new PlatformError('ArchiveUnreadable', { why });
    }
    parts.push(Buffer.from(part));
  }
  return Buffer.concat(parts);
}

async function* given(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

/** What the manifest names and has not been seen. */
class Listed {
  readonly #sha256Of: Map<string, string>;

  /** @throws PlatformError `ArchiveUnreadable` */
  constructor(manifest: Buffer) {
    try {
      const { files } = manifestFile.parse(JSON.parse(manifest.toString()));
      this.#sha256Of = new Map(files.map(({ filename, sealedSha256 }) => [filename, sealedSha256]));
    } catch (cause) {
      throw new PlatformError('ArchiveUnreadable', { why: 'its manifest is none' }, { cause });
    }
  }

  /** The SHA-256 of the sealed file, hexadecimal. @throws PlatformError `ArchiveChanged` for one that is not named, or no more */
  take(name: string): string {
    const sha256 = this.#sha256Of.get(name);
    if (sha256 === undefined) throw changed(`${name} is in it, and its manifest does not name that`);
    this.#sha256Of.delete(name);
    return sha256;
  }

  /** @throws PlatformError `ArchiveChanged` */
  requireAll(): void {
    const [missing] = this.#sha256Of.keys();
    if (missing !== undefined) throw changed(`${missing} is not in it, and its manifest names that`);
  }
}

/** The clear bytes of a member, which in the end must have been the one that was named. */
async function* checked(data: ReadMember['data'], unwrap: UnwrapKey, name: string, sha256: string | null) {
  const hash = createHash('sha256');
  const hashed = (async function* () {
    for await (const part of data) {
      hash.update(part);
      yield part;
    }
  })();
  yield* openSealedArchive(hashed, unwrap);
  if (sha256 !== null && hash.digest('hex') !== sha256)
    throw changed(`${name} is not the file that its manifest names`);
}

/**
 * Opens the files one after the other. It has come to its end without an error if the ZIP is whole and has every file that its
 * manifest names and no other. Where a full disk left it without a manifest, each file speaks for itself.
 * @param source the ZIP; a part of it need be good only until the next is asked for
 * @throws PlatformError what `readZip` throws, and what `openSealedArchive` throws of the manifest; `ArchiveChanged`
 */
export async function* openSealedZip(
  source: AsyncIterable<Uint8Array>,
  unwrap: UnwrapKey,
): AsyncGenerator<OpenedEntry> {
  const seen = new Set<string>();
  let listed: Listed | null = null;
  for await (const { name: member, data } of readZip(source)) {
    const name = nameOf(member);
    if (seen.has(name)) throw changed(`${name} is in it twice`);
    if (seen.size === 0 && name.endsWith('.json')) {
      const manifest = await whole(openSealedArchive(data, unwrap));
      listed = new Listed(manifest);
      yield { name, clear: given(manifest) };
    } else yield { name, clear: checked(data, unwrap, name, listed?.take(name) ?? null) };
    seen.add(name);
  }
  listed?.requireAll();
}
