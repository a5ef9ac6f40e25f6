/**
 * The Merkle tree of RFC 9162, section 2.1, over SHA-256: hashes, proofs and their checks. It keeps nothing: hashes of
 * complete subtrees come from a function, so that the same arithmetic works over memory, tiles of a database and tiles
 * fetched from somewhere.
 *
 * Sizes and indexes are whole numbers below 2^53, so they are halved by division, never by shifts.
 */
import { hash } from 'node:crypto';

/** 32 bytes. */
export type Hash = Buffer;
export const hashBytes = 32;

/** The hash of the complete subtree over the leaves from `index * 2^level` on; level 0 is a leaf's hash. */
export type Nodes = (level: number, index: number) => Hash;

/** Leaves from `start` up to, not including, `end`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** A complete subtree, as `Nodes` names it. */
export interface Place {
  readonly level: number;
  readonly index: number;
}

const leafPrefix = Buffer.of(0);
/** 0x01 || left || right; filled anew by each call, which ends before another begins. */
const nodeBytes = Buffer.alloc(1 + 2 * hashBytes, 1);

/** SHA-256. */
export function sha256(bytes: Uint8Array): Hash {
  return hash('sha256', bytes, 'buffer');
}

/** Of an empty tree. */
export const emptyRoot: Hash = sha256(Buffer.alloc(0));

/** MTH({d}) = SHA-256(0x00 || d). */
export function leafHash(entry: Uint8Array): Hash {
  return sha256(Buffer.concat([leafPrefix, entry]));
}

/** SHA-256(0x01 || left || right). */
export function nodeHash(left: Hash, right: Hash): Hash {
  // Whatever is no pair of hashes is hashed all the same, and is nobody's.
  if (left.length + right.length !== 2 * hashBytes) return sha256(Buffer.concat([Buffer.of(1), left, right]));
  nodeBytes.set(left, 1);
  nodeBytes.set(right, 1 + left.length);
  return sha256(nodeBytes);
}

/** The largest power of two below `size`, which is 2 or more. */
function split(size: number): number {
  let half = 1;
  while (half * 2 < size) half *= 2;
  return half;
}

/** The level of a range that is one complete subtree, else null. */
function levelOf({ start, end }: Range): number | null {
  const level = Math.log2(end - start);
  return Number.isInteger(level) && start % (end - start) === 0 ? level : null;
}

/** The complete subtrees that the hash of a range is made of, from left to right. */
export function placesOf(range: Range): Place[] {
  if (range.end <= range.start) return [];
  const level = levelOf(range);
  if (level !== null) return [{ level, index: range.start / 2 ** level }];
  const middle = range.start + split(range.end - range.start);
  return [...placesOf({ start: range.start, end: middle }), ...placesOf({ start: middle, end: range.end })];
}

/** MTH(D[start:end]) of a range whose start is a multiple of the power of two that its size is below. */
export function hashOf(nodes: Nodes, range: Range): Hash {
  const level = levelOf(range);
  if (level !== null) return nodes(level, range.start / 2 ** level);
  const middle = range.start + split(range.end - range.start);
  return nodeHash(hashOf(nodes, { start: range.start, end: middle }), hashOf(nodes, { start: middle, end: range.end }));
}

/** The root of the tree over the first `size` leaves. */
export function rootOf(nodes: Nodes, size: number): Hash {
  return size === 0 ? emptyRoot : hashOf(nodes, { start: 0, end: size });
}

/** PATH(index, D[size]), section 2.1.3.1: the ranges whose hashes prove that a leaf is in the tree, in the proof's order. */
export function inclusionRanges(index: number, size: number): Range[] {
  if (!isIndex(index, size)) throw new RangeError(`leaf ${index} is not in a tree of ${size}`);
  const path: Range[] = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const middle = start + split(end - start);
    path.push(index < middle ? { start: middle, end } : { start, end: middle });
    if (index < middle) end = middle;
    else start = middle;
  }
  return path.reverse();
}

/** PROOF(first, D[size]), section 2.1.4.1: the ranges that prove that a tree of `first` leaves is the beginning of this one. */
export function consistencyRanges(first: number, size: number): Range[] {
  if (first < 0 || first > size) throw new RangeError(`a tree of ${size} does not begin with ${first}`);
  if (first === 0 || first === size) return [];
  const proof: Range[] = [];
  let [start, end] = [0, size];
  // SUBPROOF with `b` true as long as nothing was left behind: then the old root is known to whoever checks.
  while (first !== end) {
    const middle = start + split(end - start);
    proof.push(first <= middle ? { start: middle, end } : { start, end: middle });
    if (first <= middle) end = middle;
    else start = middle;
  }
  if (start > 0) proof.push({ start, end });
  return proof.reverse();
}

function isIndex(index: number, size: number): boolean {
  return Number.isSafeInteger(index) && Number.isSafeInteger(size) && index >= 0 && index < size;
}

const half = (number: number): number => Math.floor(number / 2);
const odd = (number: number): boolean => number % 2 === 1;

/** The root that an inclusion proof leads to (section 2.1.3.2), or null where it cannot be one of this leaf in this tree. */
export function rootByInclusion(index: number, size: number, leaf: Hash, proof: readonly Hash[]): Hash | null {
  if (!isIndex(index, size)) return null;
  let [at, last, root] = [index, size - 1, leaf];
  for (const sibling of proof) {
    if (last === 0) return null;
    if (odd(at) || at === last) {
      root = nodeHash(sibling, root);
      while (!odd(at) && at !== 0) [at, last] = [half(at), half(last)];
    } else {
      root = nodeHash(root, sibling);
    }
    [at, last] = [half(at), half(last)];
  }
  return last === 0 ? root : null;
}

/** Whether the proof shows that the leaf is at `index` of the tree with this size and root. */
export function includes(
  tree: { readonly size: number; readonly root: Hash },
  index: number,
  leaf: Hash,
  proof: readonly Hash[],
): boolean {
  return rootByInclusion(index, tree.size, leaf, proof)?.equals(tree.root) ?? false;
}

/** Whether the proof shows that the tree `first` is the beginning of the tree `second` (section 2.1.4.2). */
export function isConsistent(
  first: { readonly size: number; readonly root: Hash },
  second: { readonly size: number; readonly root: Hash },
  proof: readonly Hash[],
): boolean {
  if (first.size > second.size) return false;
  if (first.size === second.size) return proof.length === 0 && first.root.equals(second.root);
  if (first.size === 0) return proof.length === 0 && first.root.equals(emptyRoot);
  // The old root begins the path where the old tree was one complete subtree.
  const path = Number.isInteger(Math.log2(first.size)) ? [first.root, ...proof] : [...proof];
  let [at, last] = [first.size - 1, second.size - 1];
  while (odd(at)) [at, last] = [half(at), half(last)];
  const begin = path.shift();
  if (!begin) return false;
  let [old, whole] = [begin, begin];
  for (const sibling of path) {
    if (last === 0) return false;
    if (odd(at) || at === last) {
      old = nodeHash(sibling, old);
      whole = nodeHash(sibling, whole);
      while (!odd(at) && at !== 0) [at, last] = [half(at), half(last)];
    } else {
      whole = nodeHash(whole, sibling);
    }
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && old.equals(first.root) && whole.equals(second.root);
}

/** The nodes of a tree whose leaf hashes are all in memory. */
export function nodesOf(leaves: readonly Hash[]): Nodes {
  const levels: Hash[][] = [[...leaves]];
  for (let below = levels[0]!; below.length > 1; below = levels.at(-1)!) {
    levels.push(
      Array.from({ length: half(below.length) }, (_, index) => nodeHash(below[index * 2]!, below[index * 2 + 1]!)),
    );
  }
  return (level, index) => {
    const found = levels[level]?.[index];
    if (!found) throw new RangeError(`there is no complete subtree ${index} at level ${level}`);
    return found;
  };
}
