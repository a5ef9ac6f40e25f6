/**
 * A witness: whoever signs a checkpoint only when the log goes on from the one that it signed before. What it is shown it
 * checks itself, out of the log's tiles, so a log that tells two people two things is found by whoever compares.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { PlatformError } from '@cloister/protocol';
import type { SignedCheckpoint } from './checkpoint.ts';
import { consistencyRanges, hashOf, isConsistent } from './merkle.ts';
import type { ReadFile } from './mirror.ts';
import { cosignatureBytes, cosignedMessage, type NoteKey, noteKey, printNote } from './note.ts';
import { nodesIn, printTilePath, readTile, type Tile, tilesFor, widthOf } from './tile.ts';
import { verifyCheckpoint } from './verify.ts';

export interface WitnessKey {
  readonly key: NoteKey;
  /** PKCS #8 in PEM. */
  readonly secret: string;
}

const spkiPrefixBytes = 12;

/** A new key of a witness, or the one in this PEM. @throws RangeError for a name that no key can have */
export function witnessKey(name: string, pem?: string): WitnessKey {
  const secret = pem ?? generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  const open = createPublicKey(createPrivateKey(secret)).export({ format: 'der', type: 'spki' });
  return { key: noteKey(name, 'cosignature', open.subarray(spkiPrefixBytes)), secret };
}

/** The tiles that show that a log goes on, fetched. @throws PlatformError `AuditForked` where the log does not give them */
async function fetchTiles(read: ReadFile, first: number, size: number): Promise<Tile[]> {
  return Promise.all(
    tilesFor(consistencyRanges(first, size)).map(async ({ level, index }) => {
      const width = widthOf({ level, index }, size);
      const path = printTilePath({ level, index, width });
      const bytes = await read(path);
      const hashes = bytes && readTile(bytes, width);
      if (!hashes) throw new PlatformError('AuditForked', { why: `it does not give ${path}, which would show it` });
      return { level, index, hashes };
    }),
  );
}

/**
 * The log's checkpoint of now, after it was checked against the one signed before.
 * @param before null at the first time: then it is believed, as somebody who comes to know the log
 * @throws PlatformError `AuditForked` for a fork, and for a log that became shorter; `AuditRefused`, `AuditKeyUnknown`
 */
export async function nextCheckpoint(
  read: ReadFile,
  keys: readonly NoteKey[],
  before: string | null,
): Promise<SignedCheckpoint> {
  const text = await read('checkpoint');
  if (!text) throw new PlatformError('AuditRefused', { why: 'the log gives no checkpoint' });
  const now = verifyCheckpoint(text.toString(), keys);
  if (before === null) return now;
  const last = verifyCheckpoint(before, keys);
  if (last.origin !== now.origin) {
    throw new PlatformError('AuditForked', { why: `it was called ${last.origin}, and is ${now.origin}` });
  }
  if (now.size < last.size) {
    const why = `it was rolled back: it has ${now.size} entries, and ${last.size} were signed`;
    throw new PlatformError('AuditForked', { why });
  }
  const ranges = consistencyRanges(last.size, now.size);
  const nodes = nodesIn(await fetchTiles(read, last.size, now.size));
  if (
    !isConsistent(
      last,
      now,
      ranges.map((range) => hashOf(nodes, range)),
    )
  ) {
    const why = `its first ${last.size} entries are not those that were signed: it is a fork`;
    throw new PlatformError('AuditForked', { why });
  }
  return now;
}

/** The checkpoint with the witness's signature at its end. @param at seconds since 1970 */
export function cosigned({ note }: SignedCheckpoint, { key, secret }: WitnessKey, at: number): string {
  const signature = sign(null, cosignedMessage(note.text, at), secret);
  const own = { name: key.name, id: key.id, bytes: cosignatureBytes(at, signature) };
  return printNote({ text: note.text, signatures: [...note.signatures, own] });
}
