import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Box, type Item, layout } from './layout.ts';

const GAP = 8;

function cameras(count: number, aspect = 4 / 3): Item[] {
  return Array.from({ length: count }, (_, index) => ({ key: `c${index}`, aspect, kind: 'camera' }));
}

const screen: Item = { key: 'screen', aspect: 16 / 9, kind: 'screen' };

/** Cells with half a gap around each cover the area, grown by half a gap, exactly once. */
function assertCovers(boxes: Iterable<Box>, width: number, height: number): void {
  const all = [...boxes];
  const covered = all.reduce((sum, box) => sum + (box.width + GAP) * (box.height + GAP), 0);
  assert.equal(covered, (width + GAP) * (height + GAP));
  for (const box of all) {
    assert.ok(box.left >= 0 && box.top >= 0 && box.left + box.width <= width && box.top + box.height <= height);
  }
  for (const [index, one] of all.entries()) {
    for (const other of all.slice(index + 1)) {
      const apart =
        one.left + one.width + GAP <= other.left ||
        other.left + other.width + GAP <= one.left ||
        one.top + one.height + GAP <= other.top ||
        other.top + other.height + GAP <= one.top;
      assert.ok(apart, `${JSON.stringify(one)} meets ${JSON.stringify(other)}`);
    }
  }
}

const areas = [
  [1440, 780],
  [1023, 611],
  [360, 560],
  [700, 700],
  [2560, 400],
] as const;

test('one to twenty-five people cover every area without white space', () => {
  for (const [width, height] of areas) {
    for (let count = 1; count <= 25; count++) {
      const boxes = layout({ width, height }, cameras(count), GAP);
      assert.equal(boxes.size, count);
      assertCovers(boxes.values(), width, height);
    }
  }
});

test('a shared screen and people cover every area without white space', () => {
  for (const [width, height] of areas) {
    for (let count = 0; count <= 12; count++) {
      const boxes = layout({ width, height }, [...cameras(count), screen], GAP);
      assertCovers(boxes.values(), width, height);
    }
  }
});

test('two people stand side by side on a desk and above each other on a phone', () => {
  const desk = layout({ width: 1200, height: 700 }, cameras(2), GAP);
  assert.equal(desk.get('c0')?.top, desk.get('c1')?.top);
  const phone = layout({ width: 360, height: 600 }, cameras(2), GAP);
  assert.equal(phone.get('c0')?.left, phone.get('c1')?.left);
});

test('four pictures of 4:3 make two rows of two', () => {
  const boxes = [...layout({ width: 1200, height: 800 }, cameras(4), GAP).values()];
  assert.deepEqual(new Set(boxes.map((box) => box.top)).size, 2);
  assert.deepEqual(new Set(boxes.map((box) => box.left)).size, 2);
});

test('where lines are uneven the first has the larger places', () => {
  const boxes = [...layout({ width: 900, height: 660 }, cameras(3), GAP).values()];
  const [first = 0, second = 0, third = 0] = boxes.map((box) => box.width * box.height);
  assert.ok(first > 1.9 * second && first > 1.9 * third);
});

test('upright pictures of phones stand next to each other', () => {
  const boxes = [...layout({ width: 1200, height: 700 }, cameras(3, 9 / 16), GAP).values()];
  assert.equal(new Set(boxes.map((box) => box.top)).size, 1);
});

test('a shared screen has most of the area and nearly its own shape', () => {
  const box = layout({ width: 1440, height: 640 }, [...cameras(3), screen], GAP).get('screen') as Box;
  assert.ok(box.width * box.height > 0.5 * 1440 * 640);
  assert.ok(Math.abs(box.width / box.height - 16 / 9) < 0.02, `${box.width}x${box.height}`);
});

test('no area and nobody give no places', () => {
  assert.equal(layout({ width: 0, height: 500 }, cameras(2), GAP).size, 0);
  assert.equal(layout({ width: 500, height: 500 }, [], GAP).size, 0);
});

test('the keys keep their order: the first person is at the top left', () => {
  const box = layout({ width: 1200, height: 800 }, cameras(7), GAP).get('c0') as Box;
  assert.equal(box.left, 0);
  assert.equal(box.top, 0);
});
