/**
 * Proofs of many entries of one tree, none of it said twice. A reader that goes through entries in their order knows, after
 * the first, most of what the next one's proof is made of: only hashes that it does not have yet are written. Whoever
 * writes and whoever checks go the same way up, from the leaf to the first node that is known.
 */
import { type Hash, hashOf, type Nodes, nodeHash, type Range } from './merkle.ts';

interface Known {
  readonly hash: Hash;
  readonly end: number;
}

/** Nodes that can still be of use are few: those to the right of the way that was gone. */
const swept = 4096;

/** A node of one tree, as a number: its first leaf and the power of two that its size is below. */
function keyOf({ start, end }: Range): number {
  return start * 64 + Math.ceil(Math.log2(end - start));
}

export class KnownPath {
  readonly #size: number;
  readonly #known = new Map<number, Known>();

  /** @param root of the tree of `size` leaves, which is believed */
  constructor(size: number, root: Hash) {
    this.#size = size;
    if (size > 0) this.#add({ start: 0, end: size }, root);
  }

  /** The hashes that prove the next entry to who has read those before. @param nodes of the tree */
  proof(nodes: Nodes, index: number): Hash[] {
    const proof: Hash[] = [];
    for (const [own, sibling] of this.#way(index)) {
      if (this.#known.has(keyOf(own))) break;
      const hash = hashOf(nodes, sibling);
      proof.push(hash);
      this.#add(sibling, hash);
      this.#add(own, hash);
    }
    this.#sweep(index);
    return proof;
  }

  /** Whether the leaf is at `index`; what was proven is known from then on. */
  accept(index: number, leaf: Hash, proof: readonly Hash[]): boolean {
    if (index < 0 || index >= this.#size) return false;
    const gone: [Range, Hash][] = [];
    let hash = leaf;
    let used = 0;
    for (const [own, sibling] of this.#way(index)) {
      const known = this.#known.get(keyOf(own));
      if (known) {
        if (!known.hash.equals(hash) || used !== proof.length) return false;
        for (const [range, each] of gone) this.#add(range, each);
        this.#sweep(index);
        return true;
      }
      const other = proof[used];
      if (!other) return false;
      used += 1;
      gone.push([own, hash], [sibling, other]);
      hash = sibling.start < own.start ? nodeHash(other, hash) : nodeHash(hash, other);
    }
    return false;
  }

  /** From the leaf upwards: each node with its sibling, and at last the root, beside itself. As far as it is asked for. */
  *#way(index: number): Generator<[own: Range, sibling: Range]> {
    let own: Range = { start: index, end: index + 1 };
    for (let width = 1; width < this.#size; width *= 2) {
      const start = own.start - (own.start % (width * 2));
      const sibling: Range =
        start < own.start
          ? { start, end: own.start }
          : { start: start + width, end: Math.min(start + width * 2, this.#size) };
      // At the end of the tree a node may have nothing beside it, and is its own parent.
      if (sibling.start >= this.#size) continue;
      yield [own, sibling];
      own = { start, end: Math.max(own.end, sibling.end) };
    }
    yield [own, own];
  }

  #add(range: Range, hash: Hash): void {
    this.#known.set(keyOf(range), { hash, end: range.end });
  }

  #sweep(index: number): void {
    if (this.#known.size < swept) return;
    for (const [key, { end }] of this.#known) if (end <= index + 1) this.#known.delete(key);
  }
}
