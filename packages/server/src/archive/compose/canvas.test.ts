import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Frame } from 'node-av';
import { AV_PIX_FMT_YUV444P, AV_PIX_FMT_YUVJ420P } from 'node-av/constants';
import { seed } from '../seal/archive-fixtures.ts';
import { type Box, black, Canvas, type Colour, fitted, Painter, tile } from './canvas.ts';
import { frameOf, isColour, pixelsOf } from './codec-fixtures.ts';

const red: Colour = [81, 90, 240];
const green: Colour = [145, 54, 34];
const box = (x: number, y: number, width: number, height: number): Box => ({ x, y, width, height });
const inside = (inner: Box, outer: Box) =>
  inner.x >= outer.x &&
  inner.y >= outer.y &&
  inner.x + inner.width <= outer.x + outer.width &&
  inner.y + inner.height <= outer.y + outer.height;

/** Which places of a canvas are not of the colour that they should be: on every second pixel, as colour is. */
function wrong(canvas: Canvas, expected: (x: number, y: number) => Colour | null): string[] {
  const found: string[] = [];
  const pixels = pixelsOf(canvas.frame);
  for (let y = 0; y < canvas.height; y += 2) {
    for (let x = 0; x < canvas.width; x += 2) {
      const [is, should] = [pixels(x, y), expected(x, y)];
      if (should && !isColour(is, should)) found.push(`${x},${y} is ${is} and not ${should}`);
    }
  }
  return found;
}

const within = ({ x, y, width, height }: Box, atX: number, atY: number) =>
  atX >= x && atX < x + width && atY >= y && atY < y + height;

describe('fitting', () => {
  test('contain shows all of it, in the middle', () => {
    const source = { width: 640, height: 480 };
    assert.deepEqual(fitted(source, box(10, 20, 640, 480), 'contain'), {
      from: box(0, 0, 640, 480),
      to: box(10, 20, 640, 480),
    });
    assert.deepEqual(fitted(source, box(100, 0, 1280, 720), 'contain').to, box(260, 0, 960, 720));
    assert.deepEqual(fitted(source, box(0, 100, 320, 720), 'contain').to, box(0, 340, 320, 240));
  });

  test('cover fills the box and cuts as much from both sides', () => {
    const source = { width: 640, height: 480 };
    assert.deepEqual(fitted(source, box(10, 20, 1280, 720), 'cover'), {
      from: box(0, 60, 640, 360),
      to: box(10, 20, 1280, 720),
    });
    assert.deepEqual(fitted(source, box(0, 0, 240, 480), 'cover').from, box(200, 0, 240, 480));
  });

  test('property: always inside the source and the box, on even pixels, and of the shape that it had', () => {
    const side = fc.integer({ min: 2, max: 2000 });
    const evenSide = fc.integer({ min: 1, max: 1000 }).map((half) => half * 2);
    const place = fc.integer({ min: 0, max: 500 }).map((half) => half * 2);
    const boxes = fc.record({ x: place, y: place, width: evenSide, height: evenSide });
    fc.assert(
      fc.property(side, side, boxes, fc.constantFrom('contain', 'cover'), (width, height, into, fit) => {
        const { from, to } = fitted({ width, height }, into, fit as 'contain' | 'cover');
        assert.ok(inside(to, into) && inside(from, box(0, 0, width, height)));
        for (const value of Object.values(to)) assert.equal(value % 2, 0);
        for (const value of [from.x, from.y]) assert.equal(value % 2, 0);
        assert.ok(from.width >= 2 && from.height >= 2 && to.width >= 2 && to.height >= 2);
        if (fit === 'cover') {
          assert.deepEqual(to, into);
          assert.ok(from.width === width || from.height === height);
        } else {
          assert.deepEqual(from, box(0, 0, width, height));
          assert.ok(to.width === into.width || to.height === into.height);
        }
        // Of the same shape, but for whole even pixels and sides of nothing.
        const wanted = from.width * to.height;
        const slack = 2 * Math.max(from.width, from.height, to.width, to.height);
        assert.ok(Math.abs(wanted - to.width * from.height) <= slack);
        // In the middle.
        const [outer, inner] = fit === 'cover' ? [box(0, 0, width, height), from] : [into, to];
        const offX = 2 * (inner.x - outer.x) - (outer.width - inner.width);
        const offY = 2 * (inner.y - outer.y) - (outer.height - inner.height);
        assert.ok(Math.abs(offX) <= 4 && Math.abs(offY) <= 4);
      }),
      { seed, numRuns: 500 },
    );
  });
});

describe('a canvas', () => {
  test('begins black; a box is filled and nothing beside it', () => {
    const canvas = new Canvas(70, 50);
    assert.deepEqual(
      wrong(canvas, () => black),
      [],
    );
    const filled = box(10, 20, 34, 12);
    canvas.fill(filled, tile);
    assert.deepEqual(
      wrong(canvas, (x, y) => (within(filled, x, y) ? tile : black)),
      [],
    );
    canvas.free();
  });
});

/** Draws a frame of one colour and sees where it is. The outermost pixels of a scaled picture may be mixed. */
function drawn(
  canvas: Canvas,
  painter: Painter,
  source: { width: number; height: number },
  into: Box,
  fit: 'contain' | 'cover',
  colour: Colour,
) {
  const frame = frameOf(source.width, source.height, colour);
  assert.equal(painter.draw(frame, canvas, into, fit), true);
  frame.free();
  return fitted(source, into, fit).to;
}

describe('a painter', () => {
  test('draws each stream where it belongs and nothing beside it', () => {
    const canvas = new Canvas(320, 240);
    const [left, right] = [box(0, 0, 158, 240), box(160, 30, 100, 90)];
    const painters = [new Painter(), new Painter()] as const;
    const first = drawn(canvas, painters[0], { width: 640, height: 480 }, left, 'contain', red);
    const second = drawn(canvas, painters[1], { width: 321, height: 181 }, right, 'cover', green);
    assert.deepEqual(second, right);
    assert.deepEqual(
      wrong(canvas, (x, y) => (within(first, x, y) ? red : within(second, x, y) ? green : black)),
      [],
    );
    for (const painter of painters) painter.free();
    canvas.free();
  });

  test('beside a picture that changed its size the box is black', () => {
    const canvas = new Canvas(200, 160);
    const into = box(20, 20, 160, 120);
    const painter = new Painter();
    for (const [width, height, colour] of [
      [160, 120, red],
      [90, 160, green],
      [320, 90, red],
      [33, 35, green],
      [160, 120, red],
      [120, 160, green],
    ] as const) {
      const to = drawn(canvas, painter, { width, height }, into, 'contain', colour);
      assert.deepEqual(
        wrong(canvas, (x, y) => (within(to, x, y) ? colour : black)),
        [],
        `${width}x${height}`,
      );
    }
    painter.free();
    canvas.free();
  });

  test('cover shows the middle of the picture', () => {
    const canvas = new Canvas(100, 100);
    const frame = frameOf(300, 100, red);
    const luma = frame.data?.[0] as Buffer;
    const stride = frame.linesize[0] as number;
    // Green in the midst, red on both sides.
    for (let row = 0; row < 100; row += 1) luma.fill(green[0], row * stride + 100, row * stride + 200);
    for (const plane of [1, 2] as const) {
      const half = frame.linesize[plane] as number;
      for (let row = 0; row < 50; row += 1) frame.data?.[plane]?.fill(green[plane], row * half + 50, row * half + 100);
    }
    const painter = new Painter();
    painter.draw(frame, canvas, box(0, 0, 100, 100), 'cover');
    assert.deepEqual(
      wrong(canvas, (x) => (x >= 4 && x < 96 ? green : null)),
      [],
    );
    painter.free();
    frame.free();
    canvas.free();
  });

  test('turns a picture to the right on its way, whole or cut to fill', () => {
    const [width, height] = [128, 96];
    const frame = frameOf(width, height, black);
    // Its four quarters, from the upper left one on in the order of reading.
    const quarters: readonly Colour[] = [red, green, tile, [235, 128, 128]];
    for (const [index, colour] of quarters.entries()) {
      for (const [plane, value] of colour.entries()) {
        const shift = plane === 0 ? 0 : 1;
        const [wide, high, stride] = [(width >> shift) >> 1, (height >> shift) >> 1, frame.linesize[plane] as number];
        for (let row = 0; row < high; row += 1) {
          const from = (row + (index >> 1) * high) * stride + (index & 1) * wide;
          frame.data?.[plane]?.fill(value, from, from + wide);
        }
      }
    }
    const canvas = new Canvas(200, 160);
    const painter = new Painter();
    // Which quarter is where, once it is turned.
    const order = { 0: [0, 1, 2, 3], 90: [2, 0, 3, 1], 180: [3, 2, 1, 0], 270: [1, 3, 0, 2] } as const;
    for (const turn of [0, 90, 180, 270, 90, 0] as const) {
      for (const [fit, into] of [
        ['contain', box(20, 20, 160, 120)],
        ['contain', box(0, 0, 60, 150)],
        ['cover', box(20, 20, 100, 120)],
      ] as const) {
        canvas.fill(box(0, 0, 200, 160), tile);
        painter.draw(frame, canvas, into, fit, turn);
        const lying = turn % 180 === 90;
        const { to } = fitted(lying ? { width: height, height: width } : { width, height }, into, fit);
        const expected = (x: number, y: number) => {
          if (!within(to, x, y)) return within(into, x, y) ? null : tile;
          const [right, low] = [x - to.x - to.width / 2, y - to.y - to.height / 2];
          // Where quarters meet, their colours are mixed.
          if (Math.abs(right) < 6 || Math.abs(low) < 6) return null;
          return quarters[order[turn][(low > 0 ? 2 : 0) + (right > 0 ? 1 : 0)] as number] as Colour;
        };
        assert.deepEqual(wrong(canvas, expected), [], `${turn} degrees, ${fit}`);
      }
    }
    painter.free();
    frame.free();
    canvas.free();
  });

  test('the full range of some encoders becomes the limited one', () => {
    const canvas = new Canvas(64, 64);
    const painter = new Painter();
    const frame = frameOf(64, 64, [255, 128, 128], AV_PIX_FMT_YUVJ420P);
    assert.equal(painter.draw(frame, canvas, box(0, 0, 64, 64), 'contain'), true);
    assert.ok(isColour(pixelsOf(canvas.frame)(32, 32), [235, 128, 128]), `${pixelsOf(canvas.frame)(32, 32)}`);
    painter.free();
    frame.free();
    canvas.free();
  });

  test('what it cannot draw it does not touch', () => {
    const canvas = new Canvas(64, 64);
    const painter = new Painter();
    const empty = new Frame();
    empty.alloc();
    const frames = [empty, frameOf(64, 64, red, AV_PIX_FMT_YUV444P), frameOf(1, 64, red), frameOf(64, 1, red)];
    for (const frame of frames) assert.equal(painter.draw(frame, canvas, box(0, 0, 64, 64), 'contain'), false);
    assert.deepEqual(
      wrong(canvas, () => black),
      [],
    );
    for (const frame of frames) frame.free();
    painter.free();
    canvas.free();
  });

  test('property: of any size, into any box, nothing outside of the box changes', () => {
    const canvas = new Canvas(300, 200);
    const side = fc.integer({ min: 2, max: 400 });
    const boxes = fc
      .tuple(fc.nat(148), fc.nat(98), fc.integer({ min: 1, max: 150 }), fc.integer({ min: 1, max: 100 }))
      .map(([x, y, width, height]) => box(x * 2, y * 2, Math.min(width, 150 - x) * 2, Math.min(height, 100 - y) * 2));
    fc.assert(
      fc.property(side, side, boxes, fc.constantFrom('contain', 'cover'), (width, height, into, fit) => {
        canvas.fill(box(0, 0, 300, 200), tile);
        const painter = new Painter();
        const to = drawn(canvas, painter, { width, height }, into, fit as 'contain' | 'cover', red);
        painter.free();
        const expected = (x: number, y: number) => (within(to, x, y) ? red : within(into, x, y) ? black : tile);
        assert.deepEqual(wrong(canvas, expected), []);
      }),
      { seed, numRuns: 60 },
    );
    canvas.free();
  });
});
