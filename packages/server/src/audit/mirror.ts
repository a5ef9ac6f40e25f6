/**
 * A mirror of a log: its checkpoint, tiles and bundles as they are served. They have hashes alone, so anybody may keep one.
 * Everything in it is computed anew from the bundles, and compared byte by byte.
 */
import { PlatformError } from '@cloister/protocol';
import type { SignedCheckpoint } from './checkpoint.ts';
import { type Hash, leafHash, nodesOf, rootOf } from './merkle.ts';
import type { NoteKey } from './note.ts';
import {
  GrowingTree,
  printTilePath,
  readBundle,
  type Tile,
  type TilePath,
  tileBytes,
  tilesOf,
  tileWidth,
  widthOf,
} from './tile.ts';
import { verifyCheckpoint } from './verify.ts';

/** A file below the log's address; null where there is none. */
export type ReadFile = (path: string) => Promise<Buffer | null>;

export interface VerifiedMirror {
  readonly checkpoint: SignedCheckpoint;
  /** The root when the log was shorter. */
  rootAt(size: number): Hash | null;
}

/** Every file of a log of some size but the checkpoint. */
export function filesOf(size: number): string[] {
  const tiles = tilesOf(size);
  const bundles = tiles.filter(({ level }) => level === 0).map((tile): TilePath => ({ ...tile, level: 'entries' }));
  return [...bundles, ...tiles].map(printTilePath);
}

/** The first leaf that a tile is over. */
const firstLeaf = ({ level, index }: Tile): number => index * tileWidth ** (level + 1);

function refuse(path: string, why: string, index: number): never {
  throw new PlatformError('AuditRefused', { why: `${path} ${why}; the first entry concerned is ${index}`, index });
}

/** @throws PlatformError `AuditRefused` that names the file and the first entry concerned, `AuditKeyUnknown` */
export async function verifyMirror(read: ReadFile, keys: readonly NoteKey[]): Promise<VerifiedMirror> {
  const note = await read('checkpoint');
  if (!note) throw new PlatformError('AuditRefused', { why: 'there is no file called checkpoint' });
  const signed = verifyCheckpoint(note.toString(), keys);
  const { size } = signed;
  const tree = new GrowingTree();
  const leaves: Hash[] = [];
  for (let index = 0; index * tileWidth < size; index += 1) {
    const width = widthOf({ level: 0, index }, size);
    const path = printTilePath({ level: 'entries', index, width });
    const bytes = await read(path);
    const entries = bytes && readBundle(bytes, width);
    if (!entries) refuse(path, bytes ? 'is not a bundle of that many entries' : 'is missing', index * tileWidth);
    const hashes = entries.map(leafHash);
    leaves.push(...hashes);
    const computed = tree.append(hashes);
    // Edges of levels above are whole only at the end.
    const due = computed.filter(
      ({ level, index: at, hashes }) => hashes.length === widthOf({ level, index: at }, size),
    );
    for (const tile of due) await compare(read, tile);
  }
  if (!tree.root.equals(signed.root)) {
    throw new PlatformError('AuditRefused', { why: `the ${size} entries have another root than was signed` });
  }
  return { checkpoint: signed, rootAt: (at) => (at <= size ? rootOf(nodesOf(leaves.slice(0, at)), at) : null) };
}

async function compare(read: ReadFile, tile: Tile): Promise<void> {
  const { level, index, hashes } = tile;
  const path = printTilePath({ level, index, width: hashes.length });
  const bytes = await read(path);
  if (!bytes) return refuse(path, 'is missing', firstLeaf(tile));
  const computed = tileBytes(hashes);
  if (bytes.equals(computed)) return;
  let wrong = hashes.findIndex((hash, at) => !bytes.subarray(at * hash.length, (at + 1) * hash.length).equals(hash));
  if (wrong < 0) wrong = hashes.length - 1;
  refuse(path, 'is not what the entries say', firstLeaf(tile) + wrong * tileWidth ** level);
}
