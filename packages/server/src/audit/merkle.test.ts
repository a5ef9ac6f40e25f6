import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  consistencyRanges,
  emptyRoot,
  type Hash,
  hashOf,
  includes,
  inclusionRanges,
  isConsistent,
  leafHash,
  nodeHash,
  nodesOf,
  rootByInclusion,
  rootOf,
} from './merkle.ts';

/** Of certificate-transparency, cpp/merkletree/merkle_tree_test.cc: eight entries and the roots over the first 1 to 8. */
const entries = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
const roots = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const h = {
  a: '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
  b: '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
  c: '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
  d: 'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
  e: 'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
  f: '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
};

const leaves = entries.map((each) => leafHash(Buffer.from(each, 'hex')));
const nodes = nodesOf(leaves);
const hex = (hashes: readonly Hash[]) => hashes.map((each) => each.toString('hex'));

test('roots are those of the published tree, and of nothing the hash of nothing', () => {
  assert.equal(emptyRoot.toString('hex'), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  assert.deepEqual(hex(roots.map((_, index) => rootOf(nodes, index + 1))), roots);
  assert.equal(rootOf(nodes, 0), emptyRoot);
});

test('inclusion proofs are the published ones (the same file, kSHA256Paths)', () => {
  // It counts leaves from 1.
  const published: [leaf: number, size: number, proof: string[]][] = [
    [1, 1, []],
    [1, 8, [h.a, h.b, h.c]],
    [6, 8, [h.d, h.e, roots[3]!]],
    [3, 3, [roots[1]!]],
    [2, 5, [roots[0]!, h.b, h.d]],
  ];
  for (const [leaf, size, proof] of published) {
    const ours = inclusionRanges(leaf - 1, size).map((range) => hashOf(nodes, range));
    assert.deepEqual(hex(ours), proof);
    assert.ok(includes({ size, root: Buffer.from(roots[size - 1]!, 'hex') }, leaf - 1, leaves[leaf - 1]!, ours));
  }
});

test('consistency proofs are the published ones (the same file, kSHA256Proofs)', () => {
  const published: [first: number, size: number, proof: string[]][] = [
    [1, 1, []],
    [1, 8, [h.a, h.b, h.c]],
    [6, 8, [h.f, h.e, roots[3]!]],
    [2, 5, [h.b, h.d]],
  ];
  for (const [first, size, proof] of published) {
    const ours = consistencyRanges(first, size).map((range) => hashOf(nodes, range));
    assert.deepEqual(hex(ours), proof);
    const tree = (count: number) => ({ size: count, root: Buffer.from(roots[count - 1]!, 'hex') });
    assert.ok(isConsistent(tree(first), tree(size), ours));
  }
});

/** The definition of section 2.1.1, word by word. */
function definition(hashes: readonly Hash[]): Hash {
  if (hashes.length === 0) return emptyRoot;
  if (hashes.length === 1) return hashes[0]!;
  let k = 1;
  while (k * 2 < hashes.length) k *= 2;
  return nodeHash(definition(hashes.slice(0, k)), definition(hashes.slice(k)));
}

const someLeaves = fc
  .array(fc.uint8Array({ maxLength: 8 }), { minLength: 1, maxLength: 70 })
  .map((all) => all.map(leafHash));

test('any tree has the root of the definition', () => {
  fc.assert(fc.property(someLeaves, (some) => definition(some).equals(rootOf(nodesOf(some), some.length))));
});

test('every leaf is proven where it is, and by no changed proof, leaf, place, size or root', () => {
  const property = fc.property(someLeaves, fc.nat(), fc.nat(), fc.nat(), (some, at, what, where) => {
    const own = nodesOf(some);
    const size = some.length;
    const index = at % size;
    const root = rootOf(own, size);
    const proof = inclusionRanges(index, size).map((range) => hashOf(own, range));
    assert.ok(includes({ size, root }, index, some[index]!, proof));
    const wrong = leafHash(Buffer.from('another'));
    assert.ok(!includes({ size, root }, index, wrong, proof));
    assert.ok(!includes({ size, root: wrong }, index, some[index]!, proof));
    assert.ok(!includes({ size, root }, index, some[index]!, [...proof, wrong]));
    if (proof.length === 0) return;
    const changed = proof.map((each, place) => (place === where % proof.length ? wrong : each));
    assert.ok(!includes({ size, root }, index, some[index]!, changed));
    assert.ok(!includes({ size, root }, index, some[index]!, proof.slice(1)));
    const other = (index + 1 + (what % (size - 1 || 1))) % size;
    if (!some[other]!.equals(some[index]!)) assert.ok(!includes({ size, root }, other, some[index]!, proof));
  });
  fc.assert(property);
});

test('a leaf outside the tree is no leaf of it, and has no proof', () => {
  assert.equal(rootByInclusion(8, 8, leaves[0]!, []), null);
  assert.equal(rootByInclusion(-1, 8, leaves[0]!, []), null);
  assert.equal(rootByInclusion(0.5, 1, leaves[0]!, []), null);
  assert.throws(() => inclusionRanges(8, 8), RangeError);
  assert.throws(() => consistencyRanges(9, 8), RangeError);
});

test('a tree is consistent with all that it was, and with nothing that was changed', () => {
  const property = fc.property(someLeaves, fc.nat(), fc.nat(), (some, before, where) => {
    const own = nodesOf(some);
    const size = before % (some.length + 1);
    const first = { size, root: rootOf(own, size) };
    const second = { size: some.length, root: rootOf(own, some.length) };
    const proof = consistencyRanges(size, some.length).map((range) => hashOf(own, range));
    assert.ok(isConsistent(first, second, proof));
    const wrong = leafHash(Buffer.from('another'));
    assert.ok(!isConsistent({ size, root: wrong }, second, proof));
    assert.ok(!isConsistent(first, { size: some.length, root: wrong }, proof) || size === 0);
    assert.ok(!isConsistent(first, second, [...proof, wrong]));
    if (size < some.length) assert.ok(!isConsistent(second, first, proof));
    if (proof.length === 0) return;
    const changed = proof.map((each, place) => (place === where % proof.length ? wrong : each));
    assert.ok(!isConsistent(first, second, changed));
    assert.ok(!isConsistent(first, second, proof.slice(1)));
  });
  fc.assert(property);
});
