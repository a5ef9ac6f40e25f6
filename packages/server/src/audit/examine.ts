/** Whether a database holds what was signed: its tree against its own checkpoint, and both against one kept elsewhere. */
import type { AuditHead, AuditStore, Keys, PublicKey } from '../core/index.ts';
import { openCheckpoint, type SignedCheckpoint } from './checkpoint.ts';
import { rootOf } from './merkle.ts';
import { type NoteKey, noteKey } from './note.ts';
import { readTilesFor, storedTiles } from './stored-tiles.ts';
import { edgeOf, GrowingTree, nodesIn } from './tile.ts';

export interface Examined {
  /** Why the database does not hold what was signed; null where it does. */
  readonly why: string | null;
  /** The tree, where the database is whole and its own checkpoint says the same: a log could go on from it. */
  readonly tree: GrowingTree | null;
  /** Its checkpoint is signed with a key that has leaked since, and what is kept elsewhere says exactly the same. */
  readonly leaked: boolean;
  /** What is kept elsewhere. */
  readonly kept: SignedCheckpoint | null;
}

interface Parts {
  readonly store: AuditStore;
  readonly keys: Pick<Keys, 'publicKeys' | 'leakedKeys'>;
}

/** Public keys as notes name them, under the name of a log; none under a name that no log has. */
export function noteKeysOf(origin: string, keys: readonly PublicKey[]): NoteKey[] {
  try {
    return keys.map(({ x }) => noteKey(origin, 'note', Buffer.from(x, 'base64url')));
  } catch (error) {
    if (error instanceof RangeError) return [];
    throw error;
  }
}

/** A checkpoint under the name that it gives itself, by a key of this platform. @returns with it whether that key has leaked */
function opened(note: string | null, { keys }: Parts): { checkpoint: SignedCheckpoint; leaked: boolean } | null {
  if (note === null) return null;
  const origin = note.split('\n', 1)[0]!;
  const good = openCheckpoint(note, noteKeysOf(origin, keys.publicKeys('audit')));
  if (good) return { checkpoint: good, leaked: false };
  const leaked = openCheckpoint(note, noteKeysOf(origin, keys.leakedKeys('audit')));
  return leaked && { checkpoint: leaked, leaked: true };
}

/** @param outside a note that was signed last, as far as is known elsewhere; null where nothing is */
export async function examine(head: AuditHead | null, outside: string | null, parts: Parts): Promise<Examined> {
  const kept = opened(outside, parts);
  const found = { tree: null, leaked: false, kept: kept?.checkpoint ?? null };
  if (!head) {
    const had = kept && `${kept.checkpoint.origin} had ${kept.checkpoint.size} entries`;
    return { ...found, why: `the database has no log, and ${had ?? 'a checkpoint of one is kept outside it'}` };
  }
  const own = opened(head.checkpoint, parts);
  if (!own || own.checkpoint.size !== head.size || own.checkpoint.origin !== head.origin) {
    return { ...found, why: 'the checkpoint in the database is not signed by this platform' };
  }
  const tree = await wholeTree(own.checkpoint, parts.store);
  if (typeof tree === 'string') return { ...found, why: tree };
  if (outside !== null && !kept) {
    return { ...found, tree, why: 'the checkpoint outside the database is not signed by this platform' };
  }
  const why = kept && (await difference(own.checkpoint, kept.checkpoint, parts.store));
  if (why || !own.leaked) return { ...found, tree, why };
  if (kept?.checkpoint.size === own.checkpoint.size) return { ...found, tree, why: null, leaked: true };
  return { ...found, tree, why: 'the checkpoint in the database is signed with a key that has leaked' };
}

/** The tree of the database, or what is wrong with it. */
async function wholeTree(own: SignedCheckpoint, store: AuditStore): Promise<GrowingTree | string> {
  const count = await store.count();
  if (count !== own.size) return `there are ${count} entries, and ${own.size} were signed`;
  try {
    const tree = await growingTree(store, own.size);
    return tree.root.equals(own.root) ? tree : 'the tree has another root than was signed';
  } catch (error) {
    return error instanceof RangeError ? error.message : Promise.reject(error);
  }
}

/** A tree that grows on from what is stored. @throws RangeError where tiles are missing */
export async function growingTree(store: Pick<AuditStore, 'tiles'>, size: number): Promise<GrowingTree> {
  return new GrowingTree(size, await storedTiles(store, edgeOf(size), size));
}

/** Why the log of the database does not go on from a checkpoint; null where it does. */
async function difference(own: SignedCheckpoint, kept: SignedCheckpoint, store: AuditStore): Promise<string | null> {
  if (kept.origin !== own.origin) return `the database has the log ${own.origin}, and ${kept.origin} was signed last`;
  if (kept.size > own.size)
    return `the database has ${own.size} entries, and ${kept.size} were signed: it was rolled back`;
  const root = await rootAt(store, kept.size, own.size);
  return root?.equals(kept.root) ? null : `its first ${kept.size} entries are not those that were signed`;
}

/** The root over the first entries, out of the tiles; null where they do not hold it. */
async function rootAt(store: AuditStore, size: number, of: number): Promise<Buffer | null> {
  const tiles = await readTilesFor(store, size === 0 ? [] : [{ start: 0, end: size }], of);
  try {
    return rootOf(nodesIn(tiles), size);
  } catch (error) {
    return error instanceof RangeError ? null : Promise.reject(error);
  }
}
