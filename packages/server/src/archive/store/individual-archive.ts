/**
 * An individual archive as it is downloaded: a ZIP that is nowhere. Its members lie sealed in the spools; each range of it is
 * opened while it is read, or given as it is where the files are sealed to certificates.
 */
import { readFile } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { replaceFile } from '../../lib/index.ts';
import { sealedTo } from '../record/recorder-seal.ts';
import { toCertificates, type UnwrapKey } from '../seal/recipients.ts';
import { createArchiveSealer } from '../seal/sealed-archive.ts';
import {
  type ArchiveIndex,
  type IndexedFile,
  type IndexSeal,
  manifestOf,
  readIndex,
  readMark,
  sealedEnding,
  sealedManifestOf,
  spoolOf,
  writeIndex,
} from './individual-index.ts';
import { openSealedSpool, openSpool, type Spool } from './individual-spool.ts';
import { ZipLayout, type ZipMember } from './zip.ts';

/** Where an individual archive is kept, and what opens it. */
export interface KeptIndividual {
  readonly folder: string;
  readonly index: IndexSeal;
  /** Not for one that is sealed to certificates: there is no key of it here. */
  readonly unwrap: UnwrapKey;
}

const toOthers = ({ certificates }: ArchiveIndex) => certificates.length > 0;

async function spoolIn(kept: KeptIndividual, index: ArchiveIndex, file: number): Promise<Spool> {
  const name = spoolOf(kept.folder, file);
  return toOthers(index) ? openSealedSpool(name) : openSpool(name, file, kept.unwrap);
}

/** Measures what was not ended, and leaves out what has not even a head. @returns the same where all has its end */
async function settled(kept: KeptIndividual, index: ArchiveIndex): Promise<ArchiveIndex> {
  if (index.files.every(({ ended }) => ended !== null)) return index;
  const files: IndexedFile[] = [];
  const stopMs = await readMark(kept.folder);
  for (const file of index.files) {
    if (file.ended) {
      files.push(file);
      continue;
    }
    try {
      const spool = await spoolIn(kept, index, file.file);
      const measured = await spool.measure().finally(() => spool.close());
      if (measured) files.push({ ...file, stopMs, ...measured });
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      if (code !== 'ArchiveCut' && code !== 'ENOENT') throw error;
    }
  }
  return { ...index, files };
}

/** It is made of what this server knows and keeps sealed itself, so its key may be made here; it is wiped at once. */
async function sealManifest(index: ArchiveIndex): Promise<Buffer> {
  const sealer = await createArchiveSealer(toCertificates(index.certificates.map(sealedTo)));
  return Buffer.concat([sealer.write(Buffer.from(manifestOf(index))), sealer.end()]);
}

/** @returns null where there is none: the disk did not take it */
async function readSealedManifest({ folder }: KeptIndividual): Promise<Buffer | null> {
  return readFile(sealedManifestOf(folder)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}

/**
 * At the end of a recording, and after a recorder or the server died: the index gets the sizes of what was left behind, so that
 * nobody has to measure again, and the manifest is sealed where the files are. Once more does no harm.
 * @returns null when there is nothing to open
 */
export async function settleIndividual(kept: KeptIndividual): Promise<{ durationMs: number; password: string } | null> {
  const before = await readIndex(kept.folder, kept.index);
  const index = await settled(kept, before);
  if (index !== before) await writeIndex(kept.folder, index, kept.index);
  // It stays the one that it is: another would have another key, and the ZIP another digest.
  if (toOthers(index) && (await readSealedManifest(kept)) === null) {
    await replaceFile(sealedManifestOf(kept.folder), await sealManifest(index));
  }
  const durationMs = (await readMark(kept.folder)) ?? 0;
  return index.files.length === 0 ? null : { durationMs, password: '' };
}

/** A member of the ZIP; `at` is where its bytes are: here, or in the spool of a file. */
type Member = ZipMember & { readonly at: Buffer | IndexedFile };

async function membersOf(kept: KeptIndividual, index: ArchiveIndex): Promise<Member[]> {
  const sealed = toOthers(index);
  const ending = sealed ? sealedEnding : '';
  const manifest = sealed ? await readSealedManifest(kept) : Buffer.from(manifestOf(index));
  const name = `${index.archiveId}.json${ending}`;
  return [
    ...(manifest ? [{ name, bytes: manifest.length, crc32: crc32(manifest), at: manifest }] : []),
    ...index.files.map((file) => {
      const { bytes, crc32: sum } = (sealed ? file.stored : file.ended) as { bytes: number; crc32: number };
      return { name: `${file.fileName}${ending}`, bytes, crc32: sum, at: file };
    }),
  ];
}

/** @param range first and last byte, both included. @returns the bytes, and the size of the whole ZIP */
export async function openIndividual(kept: KeptIndividual, range?: { start: number; end: number }) {
  const index = await settled(kept, await readIndex(kept.folder, kept.index));
  const members = await membersOf(kept, index);
  const layout = new ZipLayout(members, index.createdAt);
  const end = Math.min((range?.end ?? layout.bytes - 1) + 1, layout.bytes);
  const stream = (async function* () {
    for (const part of layout.parts(range?.start ?? 0, end)) {
      if ('bytes' in part) {
        yield part.bytes;
        continue;
      }
      const { at } = members[part.member] as Member;
      if (Buffer.isBuffer(at)) {
        yield at.subarray(part.offset, part.offset + part.length);
        continue;
      }
      const spool = await spoolIn(kept, index, at.file);
      try {
        yield* spool.read(at, part.offset, part.length);
      } finally {
        await spool.close();
      }
    }
  })();
  return { stream, sizeBytes: layout.bytes };
}
