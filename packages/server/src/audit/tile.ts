/**
 * Tiles of a log as C2SP tlog-tiles has them: static files of up to 256 hashes, which never change once they are full.
 * The tile N of level L holds the hashes of the complete subtrees of 256^L leaves, from N * 256 on. A bundle of entries is
 * the entries of a tile of level 0, each after its length in two bytes, big-endian.
 */
import { type Hash, hashBytes, type Nodes, nodeHash, type Place, placesOf, type Range, rootOf } from './merkle.ts';

/** Hashes in a full tile, and entries in a full bundle. */
export const tileWidth = 256;
const tileHeight = 8;

/** Which tile. */
export interface TileId {
  /** 0 to 63 by the specification; 6 is more than numbers here reach. */
  readonly level: number;
  readonly index: number;
}

/** A tile, full or partial: 1 to 256 hashes. */
export interface Tile extends TileId {
  readonly hashes: readonly Hash[];
}

/** A file that a log serves. */
export interface TilePath {
  readonly level: number | 'entries';
  readonly index: number;
  /** 256 where it is full. */
  readonly width: number;
}

const maxLevel = 63;

function printIndex(index: number): string {
  const groups = [];
  let rest = index;
  do {
    groups.unshift(String(rest % 1000).padStart(3, '0'));
    rest = Math.floor(rest / 1000);
  } while (rest > 0);
  return groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join('/');
}

/** `tile/0/x001/234.p/5`. */
export function printTilePath({ level, index, width }: TilePath): string {
  return `tile/${level}/${printIndex(index)}${width === tileWidth ? '' : `.p/${width}`}`;
}

/** What a path below the log's address asks for; null for one that the specification does not have. */
export function parseTilePath(path: string): TilePath | null {
  const match = /^tile\/(entries|0|[1-9]\d?)\/((?:x\d{3}\/)*\d{3})(?:\.p\/([1-9]\d{0,2}))?$/.exec(path);
  if (!match) return null;
  const level = match[1] === 'entries' ? 'entries' : Number(match[1]);
  const index = Number(match[2]!.replaceAll(/[x/]/g, ''));
  const width = match[3] === undefined ? tileWidth : Number(match[3]);
  const found: TilePath = { level, index, width };
  if (level !== 'entries' && level > maxLevel) return null;
  if (match[3] !== undefined && width >= tileWidth) return null;
  // One file, one name: no group of zeros in front.
  return Number.isSafeInteger(index) && printTilePath(found) === path ? found : null;
}

/** How many hashes a tile of a tree has; 0 where the tree has none of it. */
export function widthOf({ level, index }: TileId, size: number): number {
  const hashes = Math.floor(size / tileWidth ** level);
  return Math.max(0, Math.min(tileWidth, hashes - index * tileWidth));
}

/** Every tile of a tree, the leaves' first; the last one of each level may be partial. */
export function tilesOf(size: number): TilePath[] {
  const all: TilePath[] = [];
  for (let level = 0; widthOf({ level, index: 0 }, size) > 0; level += 1) {
    for (let index = 0; widthOf({ level, index }, size) > 0; index += 1) {
      all.push({ level, index, width: widthOf({ level, index }, size) });
    }
  }
  return all;
}

/** The tile that the hash of a complete subtree is computed from, and the hashes of it that count. */
function within({ level, index }: Place): TileId & { from: number; to: number } {
  const rise = level % tileHeight;
  const first = index * 2 ** rise;
  const tile = { level: Math.floor(level / tileHeight), index: Math.floor(first / tileWidth) };
  const from = first % tileWidth;
  return { ...tile, from, to: from + 2 ** rise };
}

/** The tiles that hold what the hashes of some ranges are computed from, each once. */
export function tilesFor(ranges: readonly Range[]): TileId[] {
  const ids = new Map<string, TileId>();
  for (const place of ranges.flatMap(placesOf)) {
    const { level, index } = within(place);
    ids.set(`${level}/${index}`, { level, index });
  }
  return [...ids.values()];
}

/** The hash of the complete subtree over a power of two of hashes. */
function fold(hashes: readonly Hash[]): Hash {
  let level = hashes;
  while (level.length > 1) {
    const below = level;
    level = Array.from({ length: below.length / 2 }, (_, at) => nodeHash(below[at * 2]!, below[at * 2 + 1]!));
  }
  return level[0]!;
}

/** The nodes of a tree, read out of its tiles, each computed once. @throws RangeError for one that the tiles do not hold. */
export function nodesIn(tiles: readonly Tile[]): Nodes {
  const byId = new Map(tiles.map((tile) => [`${tile.level}/${tile.index}`, tile.hashes]));
  const known = new Map<string, Hash>();
  const node: Nodes = (level, index) => {
    const name = `${level}/${index}`;
    const found = known.get(name);
    if (found) return found;
    const place = within({ level, index });
    const hashes = byId.get(`${place.level}/${place.index}`) ?? [];
    if (hashes.length < place.to) {
      throw new RangeError(`tile ${place.level}/${place.index} does not hold subtree ${index} of level ${level}`);
    }
    const hash =
      level % tileHeight === 0
        ? hashes[place.from]!
        : nodeHash(node(level - 1, index * 2), node(level - 1, index * 2 + 1));
    known.set(name, hash);
    return hash;
  };
  return node;
}

/** The hashes of a tile as its file. */
export function tileBytes(hashes: readonly Hash[]): Buffer {
  return Buffer.concat(hashes);
}

/** The hashes in the file of a tile; null where it is not one of so many. */
export function readTile(bytes: Uint8Array, width: number): Hash[] | null {
  if (bytes.length !== width * hashBytes) return null;
  return Array.from({ length: width }, (_, at) => Buffer.from(bytes.subarray(at * hashBytes, (at + 1) * hashBytes)));
}

/** Entries as the file of a bundle. */
export function bundleBytes(entries: readonly Uint8Array[]): Buffer {
  const parts = entries.flatMap((entry) => {
    if (entry.length > 0xffff) throw new RangeError('an entry has more than 65535 bytes');
    const length = Buffer.alloc(2);
    length.writeUInt16BE(entry.length);
    return [length, entry];
  });
  return Buffer.concat(parts);
}

/** The entries in the file of a bundle; null where it is not one of so many. */
export function readBundle(bytes: Uint8Array, width: number): Buffer[] | null {
  const view = Buffer.from(bytes);
  const entries: Buffer[] = [];
  let at = 0;
  while (at + 2 <= view.length) {
    const end = at + 2 + view.readUInt16BE(at);
    if (end > view.length) return null;
    entries.push(view.subarray(at + 2, end));
    at = end;
  }
  return at === view.length && entries.length === width ? entries : null;
}

/** A tree that grows: it holds the last, partial tile of each level and nothing else. */
export class GrowingTree {
  #size: number;
  /** By level; hashes of the last tile, never 256 of them. */
  readonly #edge: Hash[][];

  /** @param edge the last tiles of a tree of `size` leaves, those that `edgeOf` names */
  constructor(size = 0, edge: readonly Tile[] = []) {
    this.#size = size;
    this.#edge = [];
    for (const { level, index } of edgeOf(size)) {
      const tile = edge.find((each) => each.level === level && each.index === index);
      const width = widthOf({ level, index }, size);
      if (!tile || tile.hashes.length < width) throw new RangeError(`tile ${level}/${index} is missing`);
      this.#edge[level] = tile.hashes.slice(0, width);
    }
  }

  get size(): number {
    return this.#size;
  }

  /** One that grows by itself. */
  copy(): GrowingTree {
    return new GrowingTree(this.#size, this.#edgeTiles());
  }

  get root(): Hash {
    return rootOf(nodesIn(this.#edgeTiles()), this.#size);
  }

  #edgeTiles(): Tile[] {
    return edgeOf(this.#size).map((id) => ({ ...id, hashes: this.#edge[id.level]! }));
  }

  /** Adds leaves and returns every tile that changed, full ones and the new edge. */
  append(leaves: readonly Hash[]): Tile[] {
    const full: Tile[] = [];
    const touched = new Set<number>();
    const push = (level: number, hash: Hash): void => {
      this.#edge[level] ??= [];
      const edge = this.#edge[level]!;
      edge.push(hash);
      touched.add(level);
      if (edge.length < tileWidth) return;
      const index = Math.floor(this.#size / tileWidth ** (level + 1)) - 1;
      const hashes = edge.splice(0);
      full.push({ level, index, hashes });
      push(level + 1, fold(hashes));
    };
    for (const leaf of leaves) {
      this.#size += 1;
      push(0, leaf);
    }
    const edge = edgeOf(this.#size).filter(({ level }) => touched.has(level));
    return [...full, ...edge.map((id) => ({ ...id, hashes: [...this.#edge[id.level]!] }))];
  }
}

/** The partial tiles at the end of a tree. With them its root is known, and it can grow. */
export function edgeOf(size: number): TileId[] {
  const edge: TileId[] = [];
  for (let level = 0; tileWidth ** level <= size; level += 1) {
    const hashes = Math.floor(size / tileWidth ** level);
    if (hashes % tileWidth > 0) edge.push({ level, index: Math.floor(hashes / tileWidth) });
  }
  return edge;
}
