import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KnownPath } from './known-path.ts';
import { type Hash, leafHash, nodesOf, rootOf } from './merkle.ts';

const leaves = Array.from({ length: 9000 }, (_, index) => leafHash(Buffer.from(String(index))));
const wrong = leafHash(Buffer.from('another'));

/** A tree, and the entries of it that somebody gets, in order. */
const some = fc
  .integer({ min: 1, max: 300 })
  .chain((size) =>
    fc.record({ size: fc.constant(size), picked: fc.subarray(leaves.slice(0, size).map((_, at) => at)) }),
  );

function proofsOf(size: number, picked: readonly number[]): Hash[][] {
  const nodes = nodesOf(leaves.slice(0, size));
  const path = new KnownPath(size, rootOf(nodes, size));
  return picked.map((index) => path.proof(nodes, index));
}

/** The place in `picked` of the first entry that is not accepted; its length when all are. */
function accepted(
  size: number,
  picked: readonly number[],
  proofs: readonly Hash[][],
  leafOf = (at: number) => leaves[picked[at]!]!,
) {
  const path = new KnownPath(size, rootOf(nodesOf(leaves.slice(0, size)), size));
  const refused = picked.findIndex((index, at) => !path.accept(index, leafOf(at), proofs[at]!));
  return refused < 0 ? picked.length : refused;
}

test('any entries of any tree are accepted with the proofs that were made for them, in their order', () => {
  const property = fc.property(some, ({ size, picked }) => {
    assert.equal(accepted(size, picked, proofsOf(size, picked)), picked.length);
  });
  fc.assert(property);
});

test('an entry that is another one, or at another place, is refused at once, however many were accepted', () => {
  const property = fc.property(some, fc.nat(), ({ size, picked }, where) => {
    if (picked.length === 0) return;
    const at = where % picked.length;
    const proofs = proofsOf(size, picked);
    assert.equal(
      accepted(size, picked, proofs, (each) => (each === at ? wrong : leaves[picked[each]!]!)),
      at,
    );
    const other = leaves[(picked[at]! + 1) % 300]!;
    assert.equal(
      accepted(size, picked, proofs, (each) => (each === at ? other : leaves[picked[each]!]!)),
      at,
    );
  });
  fc.assert(property);
});

test('a proof with a hash changed, left out or added is refused at once', () => {
  const property = fc.property(some, fc.nat(), fc.nat(), ({ size, picked }, where, which) => {
    if (picked.length === 0) return;
    const at = where % picked.length;
    const proofs = proofsOf(size, picked);
    const edited = (proof: Hash[]) => accepted(size, picked, proofs.with(at, proof));
    const own = proofs[at]!;
    assert.equal(edited([...own, wrong]), at);
    if (own.length === 0) return;
    assert.equal(edited(own.with(which % own.length, wrong)), at);
    assert.equal(edited(own.slice(1)), at);
    assert.equal(edited(own.slice(0, -1)), at);
  });
  fc.assert(property);
});

test('a whole long tree takes one hash an entry, and what is of no use any more is forgotten', () => {
  const picked = leaves.map((_, index) => index);
  const proofs = proofsOf(leaves.length, picked);
  const hashes = proofs.reduce((sum, { length }) => sum + length, 0);
  assert.ok(hashes < leaves.length + 20, `${hashes} hashes`);
  assert.equal(accepted(leaves.length, picked, proofs), leaves.length);
});

test('no entry is in an empty tree, or beyond the end of one', () => {
  assert.equal(new KnownPath(0, wrong).accept(0, leaves[0]!, []), false);
  const root = rootOf(nodesOf(leaves.slice(0, 3)), 3);
  assert.equal(new KnownPath(3, root).accept(3, leaves[0]!, []), false);
  assert.equal(new KnownPath(1, leaves[0]!).accept(0, leaves[0]!, []), true);
});
