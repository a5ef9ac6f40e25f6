// What a browser makes of the same stylesheets is in tests/e2e/archive-layout.test.ts; here is each rule by itself.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { placeBoxes } from './boxes.ts';
import { parseStylesheet, stylesOf } from './stylesheet.ts';

const CONTAINER = { width: 600, height: 400 };

/** `x,y width×height` of streams with the classes a, b, c … */
function boxes(css: string, count = 2): string[] {
  const streams = Array.from({ length: count }, (_, index) => ({ layoutClasses: ['abcdefgh'[index] as string] }));
  return placeBoxes(CONTAINER, stylesOf(parseStylesheet(css), streams)).map(
    ({ x, y, width, height }) => `${x},${y} ${width}×${height}`,
  );
}

test('blocks stand under each other and are as wide as they can be', () => {
  assert.deepEqual(boxes('stream { height: 25% }'), ['0,0 600×100', '0,100 600×100']);
  assert.deepEqual(boxes('stream { height: 50px; margin-left: 10%; margin-right: 20px }', 1), ['60,0 520×50']);
});

test('automatic margins of a block share what is free', () => {
  assert.deepEqual(boxes('stream { height: 50px; width: 100px; margin: 0 auto }', 1), ['250,0 100×50']);
  assert.deepEqual(boxes('stream { height: 50px; width: 100px; margin: 0 0 0 auto }', 1), ['500,0 100×50']);
  assert.deepEqual(boxes('stream { height: 50px; max-width: 25%; margin: 0 auto }', 1), ['225,0 150×50']);
  assert.deepEqual(boxes('stream { height: 50px; width: 700px; margin: 0 auto }', 1), ['0,0 700×50']);
});

test('of margins that meet the larger counts, a negative one is taken off', () => {
  const stacked = (bottom: string, top: string) =>
    boxes(`stream { height: 100px } .a { margin-bottom: ${bottom} } .b { margin-top: ${top} }`)[1];
  assert.equal(stacked('20px', '30px'), '0,130 600×100');
  assert.equal(stacked('20px', '-30px'), '0,90 600×100');
  assert.equal(stacked('-20px', '-30px'), '0,70 600×100');
  assert.equal(boxes('stream { height: 10px; margin-top: 10% }', 1)[0], '0,60 600×10', 'percent of the width');
  const through = '.a, .c { height: 10px } .a { margin-bottom: 5px } .b { margin: 30px 0 20px }';
  assert.equal(boxes(through, 3)[2], '0,40 600×10', 'margins meet through an empty block');
});

test('the least size is stronger than the most', () => {
  assert.equal(boxes('stream { width: 10px; max-width: 50px; min-width: 80px; height: 9px }', 1)[0], '0,0 80×9');
  assert.equal(boxes('stream { height: 100%; max-height: 50%; width: 1px }', 1)[0], '0,0 1×200');
});

test('floats go to their side, and down when there is no room', () => {
  const third = 'stream { float: left; width: 33.3333%; height: 100px }';
  assert.deepEqual(
    boxes(third, 4).map((each) => each.split(' ')[0]?.split(',')[1]),
    ['0', '0', '0', '100'],
  );
  const sides = 'stream { float: left; width: 250px; height: 100px } .b { float: right; height: 40px }';
  assert.deepEqual(boxes(sides, 3), ['0,0 250×100', '350,0 250×40', '250,40 250×100']);
  assert.deepEqual(boxes('stream { float: left; width: 700px; height: 9px }'), ['0,0 700×9', '0,9 700×9']);
  assert.deepEqual(boxes('stream { float: left; clear: left; width: 20%; height: 20% }'), [
    '0,0 120×80',
    '0,80 120×80',
  ]);
});

test('a block ignores floats, unless it clears them or has a room of its own', () => {
  const float = '.a { float: left; width: 100px; height: 80px }';
  assert.equal(boxes(`${float} .b { height: 50px }`)[1], '0,0 600×50');
  assert.equal(boxes(`${float} .b { height: 50px; clear: both }`)[1], '0,80 600×50');
  assert.equal(boxes(`${float} .b { height: 50px; clear: right }`)[1], '0,0 600×50');
  assert.equal(boxes(`${float} .b { height: 50px; overflow: hidden }`)[1], '100,0 500×50');
  assert.equal(boxes(`${float} .b { height: 50px; width: 550px; overflow: hidden }`)[1], '0,80 550×50');
});

test('boxes in a line stand on it, beside floats, and wrap', () => {
  const line = 'stream { display: inline-block; width: 250px; height: 50px } .b { height: 80px; margin: 5px }';
  assert.deepEqual(boxes(line, 3), ['0,40 250×50', '255,5 250×80', '0,90 250×50']);
  const beside = 'stream { display: inline; width: 200px; height: 50px } .a { float: left }';
  assert.deepEqual(boxes(beside, 4), ['0,0 200×50', '200,0 200×50', '400,0 200×50', '0,50 200×50']);
  const after = 'stream { display: inline-block; width: 250px; height: 50px } .b, .c { float: left; width: 200px }';
  assert.deepEqual(boxes(after, 3), ['200,0 250×50', '0,0 200×50', '0,50 200×50']);
});

test('a relative box is moved, and its room stays', () => {
  const css = 'stream { height: 100px } .a { position: relative; left: 10%; right: 5px; top: 25%; bottom: 7px }';
  assert.deepEqual(boxes(css), ['60,100 600×100', '0,100 600×100']);
  assert.equal(boxes('stream { height: 9px; position: relative; right: 5px; bottom: -7px }', 1)[0], '-5,7 600×9');
});

test('an absolute box is where its edges say, else where it would be', () => {
  const absolute = (css: string) =>
    boxes(`.a { height: 100px; margin-bottom: 10px } .b { position: absolute; ${css} }`)[1];
  assert.equal(absolute('left: 10%; top: 10%; width: 50%; height: 50%'), '60,40 300×200');
  assert.equal(absolute('right: 10px; bottom: 20px; width: 100px; height: 50px'), '490,330 100×50');
  assert.equal(absolute('left: 10px; right: 20px; top: 0; bottom: 0'), '10,0 570×400');
  assert.equal(
    absolute('left: 0; right: 0; top: 0; bottom: 0; margin: auto; width: 100px; height: 50px'),
    '250,175 100×50',
  );
  assert.equal(absolute('width: 100px; height: 50px'), '0,110 100×50');
  assert.equal(absolute('float: right; width: 100px; height: 50px'), '0,110 100×50');
  assert.equal(absolute('left: 0; right: 0; width: 700px; height: 1px; margin: 0 auto; top: 0'), '0,0 700×1');
});

test('what the comparison with a browser has taught', () => {
  const thirds = 'stream { display: inline-block; height: 9px; width: 33.3333% } .b { width: 33.335% }';
  const wide = { width: 720, height: 400 };
  const [, , last] = placeBoxes(
    wide,
    stylesOf(
      parseStylesheet(thirds),
      [...'abc'].map((name) => ({ layoutClasses: [name] })),
    ),
  );
  assert.equal(last?.y, 0, 'a line forgives a sixty-fourth of a pixel');

  const passed =
    'stream { position: absolute; top: 0; height: 9px; left: 400px; right: 300px; width: 100px; margin-left: auto }';
  assert.equal(boxes(passed, 1)[0], '300,0 100×9', 'edges that pass each other leave nothing');

  const parted =
    '.a { float: left; width: 9px; height: 50px } .b { clear: left; margin: 10px 0 } .c { height: 9px; margin: 5px 0 }';
  assert.equal(boxes(parted, 3)[2], '0,50 600×9', 'the margins of an empty block that clears floats meet below them');

  const band = `stream { display: inline-block; width: 200px; height: 100px } .a, .b { float: right; height: 50px }
    .b { clear: right; width: 300px }`;
  assert.deepEqual(boxes(band, 4).slice(2), ['0,0 200×100', '0,100 200×100'], 'a line takes less before it goes down');

  const beyond =
    '.a { float: left; width: 100px; height: 50px } .b { overflow: hidden; margin-left: 400px; width: 300px; height: 9px }';
  assert.equal(boxes(beyond)[1], '400,0 300×9', 'a room of its own sticks out where no float is');
});
