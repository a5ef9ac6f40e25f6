import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  consistencyRanges,
  type Hash,
  hashOf,
  inclusionRanges,
  leafHash,
  nodeHash,
  nodesOf,
  rootOf,
} from './merkle.ts';
import {
  bundleBytes,
  edgeOf,
  GrowingTree,
  nodesIn,
  parseTilePath,
  printTilePath,
  readBundle,
  readTile,
  type Tile,
  tileBytes,
  tilesFor,
  tilesOf,
} from './tile.ts';

test('paths are as C2SP tlog-tiles has them, and one file has one name', () => {
  const examples: [path: string, level: number | 'entries', index: number, width: number][] = [
    // The example of the specification, "Merkle Tree": tile 1234067 of level 0.
    ['tile/0/x001/x234/067', 0, 1_234_067, 256],
    ['tile/0/x001/x234/067.p/8', 0, 1_234_067, 8],
    ['tile/1/000', 1, 0, 256],
    ['tile/63/999.p/255', 63, 999, 255],
    ['tile/entries/x001/000', 'entries', 1000, 256],
  ];
  for (const [path, level, index, width] of examples) {
    assert.equal(printTilePath({ level, index, width }), path);
    assert.deepEqual(parseTilePath(path), { level, index, width });
  }
  const wrong = [
    'tile/64/000',
    'tile/00/000',
    'tile/0/0',
    'tile/0/001/234',
    'tile/0/x000/001',
    'tile/0/000.p/256',
    'tile/0/000.p/0',
    'tile/0/000.p/01',
    'tile/-1/000',
    'tile/0/x999/x999/x999/x999/x999/x999/999',
    'tile/data/000',
    'tile/0/../0/000',
    'tile/0/000/',
    '',
  ];
  for (const path of wrong) assert.equal(parseTilePath(path), null, path);
});

test('any path that is printed is read back', () => {
  const path = fc.record({
    level: fc.oneof(fc.integer({ min: 0, max: 63 }), fc.constant('entries' as const)),
    index: fc.maxSafeNat(),
    width: fc.integer({ min: 1, max: 256 }),
  });
  fc.assert(fc.property(path, (each) => assert.deepEqual(parseTilePath(printTilePath(each)), { ...each })));
});

const manyLeaves = Array.from({ length: 256 * 256 + 600 }, (_, index) => leafHash(Buffer.from(String(index))));

/** Tiles of a tree, each hash by the definition: the root of its 256^L leaves. */
function defined(size: number): Tile[] {
  const nodes = nodesOf(manyLeaves.slice(0, size));
  return tilesOf(size).map(({ level, index, width }) => ({
    level: Number(level),
    index,
    hashes: Array.from({ length: width }, (_, at) => nodes(Number(level) * 8, index * 256 + at)),
  }));
}

const named = (tiles: readonly Tile[]) =>
  new Map(tiles.map(({ level, index, hashes }) => [`${level}/${index}`, tileBytes(hashes).toString('hex')]));

test('a tree that grows in steps of any length has exactly the tiles and the root of the definition', () => {
  const steps = fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 6 });
  const property = fc.property(steps, fc.boolean(), (lengths, reopened) => {
    let tree = new GrowingTree();
    const stored = new Map<string, Tile>();
    for (const length of lengths) {
      const changed = tree.append(manyLeaves.slice(tree.size, tree.size + length));
      for (const tile of changed) stored.set(`${tile.level}/${tile.index}`, tile);
      if (reopened) tree = new GrowingTree(tree.size, [...stored.values()]);
    }
    assert.deepEqual(named([...stored.values()]), named(defined(tree.size)));
    assert.ok(tree.root.equals(rootOf(nodesOf(manyLeaves.slice(0, tree.size)), tree.size)));
  });
  fc.assert(property, { numRuns: 40 });
});

test('three levels: the tile of level 2 holds the root of the first 65,536 leaves', () => {
  const tree = new GrowingTree();
  const tiles = tree.append(manyLeaves);
  assert.deepEqual(named(tiles), named(defined(manyLeaves.length)));
  const top = tiles.find(({ level }) => level === 2);
  assert.deepEqual(
    top?.hashes.map((each) => each.toString('hex')),
    [rootOf(nodesOf(manyLeaves.slice(0, 65_536)), 65_536).toString('hex')],
  );
  assert.deepEqual(
    edgeOf(manyLeaves.length).map(({ level, index }) => `${level}/${index}`),
    ['0/258', '1/1', '2/0'],
  );
  assert.ok(tree.root.equals(nodeHash(top!.hashes[0]!, hashOf(nodesOf(manyLeaves), { start: 65_536, end: 66_136 }))));
});

test('proofs come out of the tiles that are named for them, and out of no fewer', () => {
  const size = 66_000;
  const stored = defined(size);
  const memory = nodesOf(manyLeaves.slice(0, size));
  const property = fc.property(fc.nat(size - 1), fc.boolean(), (at, inclusion) => {
    const ranges = inclusion ? inclusionRanges(at, size) : consistencyRanges(at, size);
    const ids = tilesFor(ranges);
    const tiles = stored.filter((tile) => ids.some(({ level, index }) => level === tile.level && index === tile.index));
    assert.equal(tiles.length, ids.length);
    const hex = (hash: Hash) => hash.toString('hex');
    assert.deepEqual(
      ranges.map((range) => hex(hashOf(nodesIn(tiles), range))),
      ranges.map((range) => hex(hashOf(memory, range))),
    );
    if (tiles.length > 0)
      assert.throws(() => ranges.map((range) => hashOf(nodesIn(tiles.slice(1)), range)), RangeError);
  });
  fc.assert(property, { numRuns: 60 });
});

test('the file of a tile is its hashes, and a bundle has the length of each entry before it', () => {
  const hashes = manyLeaves.slice(0, 3);
  assert.deepEqual(readTile(tileBytes(hashes), 3), hashes);
  assert.equal(readTile(tileBytes(hashes), 4), null);
  const bundle = bundleBytes([Buffer.from('ab'), Buffer.alloc(0)]);
  assert.equal(bundle.toString('hex'), '000261620000');
  assert.deepEqual(readBundle(bundle, 2), [Buffer.from('ab'), Buffer.alloc(0)]);
  for (const wrong of [bundle.subarray(0, 5), Buffer.concat([bundle, Buffer.of(0)]), Buffer.of(0, 9, 1)]) {
    assert.equal(readBundle(wrong, 2), null);
  }
  assert.equal(readBundle(bundle, 3), null);
  assert.throws(() => bundleBytes([Buffer.alloc(65_536)]), RangeError);
  assert.equal(bundleBytes([Buffer.alloc(65_535)]).length, 65_537);
});

test('a tree does not grow on an edge that is not whole', () => {
  const tiles = new GrowingTree().append(manyLeaves.slice(0, 300));
  assert.throws(() => new GrowingTree(300, tiles.slice(1, 2)), RangeError);
  assert.throws(() => new GrowingTree(301, tiles), RangeError);
  assert.equal(new GrowingTree(300, tiles).size, 300);
});
