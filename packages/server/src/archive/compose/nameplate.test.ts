import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import fc from 'fast-check';
import { seed } from '../seal/archive-fixtures.ts';
import { type Box, black, Canvas, tile } from './canvas.ts';
import { pixelsOf } from './codec-fixtures.ts';
import { Lettering, Nameplate } from './nameplate.ts';

const lettering = new Lettering();
const [width, height] = [320, 240];

interface Drawn {
  /** The brightness of each pixel of the tile beyond that of a plain one, row by row. */
  readonly ink: Uint8Array;
  /** How many pixels have ink on them, and between which columns and rows. */
  readonly amount: number;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Draws a tile with a name on it; beside the tile nothing changes, and in it nothing but brightness. */
function drawn(name: string, { x, y, width, height }: Box = { x: 0, y: 0, width: 320, height: 240 }): Drawn {
  const canvas = new Canvas(x + width + 16, y + height + 16);
  new Nameplate(lettering).draw(canvas, { x, y, width, height }, name);
  const at = pixelsOf(canvas.frame);
  const ink = new Uint8Array(width * height);
  let [amount, wrong] = [0, 0];
  let [left, right, top, bottom] = [width, -1, height, -1];
  for (let row = -y; row < height + 16; row += 1) {
    for (let column = -x; column < width + 16; column += 1) {
      const inside = row >= 0 && row < height && column >= 0 && column < width;
      const [luma, u, v] = at(x + column, y + row);
      const plain = inside ? tile : black;
      if (u !== plain[1] || v !== plain[2] || (inside ? luma < plain[0] : luma !== plain[0])) wrong += 1;
      if (!inside) continue;
      ink[row * width + column] = luma - plain[0];
      if (luma - plain[0] <= 40) continue;
      amount += 1;
      [left, right] = [Math.min(left, column), Math.max(right, column)];
      [top, bottom] = [Math.min(top, row), Math.max(bottom, row)];
    }
  }
  canvas.free();
  assert.equal(wrong, 0, `pixels of another colour, or beside the tile, at ${JSON.stringify(name)}`);
  return { ink, amount, left, right, top, bottom };
}

const alike = (one: string, other: string) => Buffer.compare(drawn(one).ink, drawn(other).ink) === 0;
const same = (one: string, other: string) => assert.ok(alike(one, other), `${one} and ${other} differ`);
const apart = (one: string, other: string) => assert.ok(!alike(one, other), `${one} and ${other} look the same`);

test('a name stands bright in the middle of its tile; another name looks different; without one the tile is plain', () => {
  const ada = drawn('Ada Lovelace');
  assert.ok(ada.amount > 400, `${ada.amount} pixels`);
  assert.ok(Math.max(...ada.ink) > 140);
  assert.ok(Math.abs(ada.left + ada.right - width) <= 12, `from ${ada.left} to ${ada.right}`);
  assert.ok(Math.abs(ada.top + ada.bottom - height) <= 12, `from ${ada.top} to ${ada.bottom}`);
  apart('Ada Lovelace', 'Ada Lovelave');
  for (const nothing of ['', '   ', '\u200d', '\u0000\n\t', '\u202e']) assert.equal(drawn(nothing).amount, 0);
});

test('it is where its tile is, and as large as the tile lets it be', () => {
  const box = { x: 34, y: 18, width: 640, height: 480 };
  const large = drawn('Ada', box);
  const small = drawn('Ada', { x: 6, y: 8, width: 160, height: 120 });
  assert.ok(Math.abs(large.left + large.right - box.width) <= 12);
  const [most, least] = [large, small].map(({ top, bottom }) => bottom - top + 1) as [number, number];
  assert.ok(most > 2 * least && least >= 9, `${most} and ${least} rows`);
  assert.equal(drawn('Ada', { x: 0, y: 0, width: 64, height: 48 }).amount, 0);
});

test('a name that is too long is cut, with an ellipsis behind', () => {
  const long = 'Maximiliane Theodora von und zu Hohenstein-Wolkenburg';
  const cut = drawn(long);
  assert.ok(cut.left >= 12 && cut.right <= width - 12, `from ${cut.left} to ${cut.right}`);
  assert.ok(cut.right > width - 60);
  same(long, `${long} the Third`);
  apart(long, 'Maximiliane Theo');
  // As much as fits is not cut.
  apart('Maximiliane T', 'Maximiliane U');
});

test('accents, other scripts and emoji have their shapes; what no font has is a box', () => {
  same('Zo\u00eb', 'Zoe\u0308');
  apart('Zo\u00eb', 'Zoe');
  for (const name of ['Łukasz Żółć', 'Ελένη', 'Юрий', 'שלום', 'محمد', 'Nguyễn Thị Ánh']) {
    assert.ok(drawn(name).amount > 150, name);
    apart(name, '\u25a1'.repeat([...name].length));
  }
  apart('Ada \u{1f389}', 'Ada \u{1f3e5}');
  apart('Ada \u{1f389}', 'Ada \u25a1');
  same('\u{f0000}Ada', 'Ada');
  same('\u6f22', '\u25a1');
});

test('a name that is read from right to left has its parts in that order', () => {
  const [word, sign] = ['\u05d0\u05d1\u05d2', '\u{1f389}'];
  const both = drawn(`${word} ${sign}`);
  const alone = drawn(sign);
  const half = (side: (column: number) => boolean) =>
    both.ink.filter((each, at) => each > 40 && side(at % width)).length;
  // The sign has thin lines and comes last: on the left.
  const middle = both.left + (alone.right - alone.left) + 4;
  assert.ok(Math.abs(half((column) => column < middle) - alone.amount) < alone.amount / 4);
});

test('what is joined into one sign takes the room of one', () => {
  const family = drawn('\u{1f468}\u200d\u{1f469}\u200d\u{1f467}');
  const alone = drawn('\u{1f468}');
  assert.ok(family.right - family.left < 1.5 * (alone.right - alone.left));
});

test('a name is text and nothing else: neither the filter nor a turn of direction reads it as an order', () => {
  for (const name of ['%{pts}', "a':x=0:fontsize=99", '\\', '[in]', 'a,b;c', '%', '$(ls)', '<b>']) {
    assert.ok(drawn(name).amount > 10, name);
    apart(name, 'a');
  }
  same('\u202eAda\u202c', 'Ada');
  same('\u2067Ada\u2069', 'Ada');
  same('A\u0007da\ud800', 'Ada');
  same('Ada\r\n\tLovelace', 'Ada Lovelace');
});

test('of a name nameChars are read, however long it is', () => {
  const behind = (spaces: number) => drawn(`${' '.repeat(spaces)}A`).amount;
  assert.ok(behind(limits.nameChars - 1) > 0);
  assert.equal(behind(limits.nameChars), 0);
  const before = performance.now();
  for (const hostile of ['A'.repeat(2_000_000), `e${'\u0301'.repeat(1_000_000)}`, '\u{1f468}\u200d'.repeat(300_000)]) {
    const { amount, top, bottom } = drawn(hostile);
    assert.ok(amount > 0);
    assert.ok(bottom - top < height / 4, 'it stays in its line');
  }
  assert.ok(performance.now() - before < 5000);
});

test('property: whatever it is called, a tile is drawn and nothing beside it', () => {
  const strange = fc.string({
    unit: fc.constantFrom('\u202e', '\u200d', '\u0301', 'ش', '\u{1f468}', '\u0000', '%', ' ', '\ufe0f'),
  });
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), strange),
      fc.integer({ min: 1, max: 90 }),
      fc.integer({ min: 1, max: 60 }),
      (name, halfWidth, halfHeight) => {
        drawn(name, { x: 8, y: 8, width: 2 * halfWidth, height: 2 * halfHeight });
      },
    ),
    { seed, numRuns: 30 },
  );
});
