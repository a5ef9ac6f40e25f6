import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseStylesheet, stylesOf } from './stylesheet.ts';

/** The places, from 1 on, of the streams that a selector means. */
function meant(selector: string, ...classes: string[]): number[] {
  const streams = classes.map((each) => ({ layoutClasses: each.split(' ').filter((name) => name !== '') }));
  const styles = stylesOf(parseStylesheet(`${selector} { z-index: 1 }`), streams);
  return styles.flatMap(({ zIndex }, index) => (zIndex === 1 ? [index + 1] : []));
}

const seven = ['', '', '', '', '', '', ''];

test('types, classes and compounds', () => {
  assert.deepEqual(meant('stream', 'a', ''), [1, 2]);
  assert.deepEqual(meant('.a', 'a', 'b', 'b a', 'A', 'aa'), [1, 3]);
  assert.deepEqual(meant('stream.a.b', 'a', 'b', 'b a'), [3]);
  assert.deepEqual(meant('.a, .b', 'a', 'c', 'b'), [1, 3]);
  assert.deepEqual(meant('.container', 'container', ''), [1], 'the container itself is no stream');
  assert.deepEqual(meant('.a\\:b, .\\31 st', 'a:b', 'ab', '1st'), [1, 3]);
});

test('places among the streams', () => {
  assert.deepEqual(meant(':first-child', ...seven), [1]);
  assert.deepEqual(meant('stream:LAST-child', ...seven), [7]);
  assert.deepEqual(meant(':first-child:last-child', ''), [1]);
  const places: Record<string, number[]> = {
    '3': [3],
    '0': [],
    '-1': [],
    odd: [1, 3, 5, 7],
    EVEN: [2, 4, 6],
    n: [1, 2, 3, 4, 5, 6, 7],
    '2n': [2, 4, 6],
    '2n+1': [1, 3, 5, 7],
    ' 3n - 1 ': [2, 5],
    '+3n-2': [1, 4, 7],
    '-n+3': [1, 2, 3],
    '-2n+5': [1, 3, 5],
    'n+6': [6, 7],
    '0n+4': [4],
    '-n-1': [],
    '99999999999999999999n+1': [1],
  };
  for (const [nth, expected] of Object.entries(places)) {
    assert.deepEqual(meant(`:nth-child(${nth})`, ...seven), expected, nth);
    const mirrored = expected.map((place) => 8 - place).reverse();
    assert.deepEqual(meant(`:nth-last-child(${nth})`, ...seven), mirrored, `last ${nth}`);
  }
});

test('the next one, and all that follow', () => {
  assert.deepEqual(meant('.a + stream', 'a', '', 'a', 'a', ''), [2, 4, 5]);
  assert.deepEqual(meant('.a ~ .b', 'b', 'a', '', 'b', 'b'), [4, 5]);
  assert.deepEqual(meant('.a + .b ~ .a', 'a', '', 'b', 'a', 'b', 'a'), [6]);
  assert.deepEqual(meant('.a ~ .a ~ .a', 'a', 'a', '', 'a', 'a'), [4, 5]);
  assert.deepEqual(meant('stream + .a + stream', 'a', '', ''), []);
  assert.deepEqual(meant(':nth-child(3) ~ .a', 'a', '', '', 'a', ''), [4]);
});

test('property: a chain of combinators means what trying every way through it means', () => {
  const names = ['a', 'b', 'c'];
  const classes = fc.array(fc.subarray(names), { maxLength: 7 });
  const chain = fc.array(fc.record({ how: fc.constantFrom('+', '~'), name: fc.constantFrom(...names) }), {
    maxLength: 4,
  });
  fc.assert(
    fc.property(classes, fc.constantFrom(...names), chain, (own, first, rest) => {
      const selector = `.${first}${rest.map(({ how, name }) => ` ${how} .${name}`).join('')}`;
      const all = [{ how: '', name: first }, ...rest];
      const reaches = (place: number, step: number): boolean => {
        if (!own[place]?.includes((all[step] as (typeof all)[number]).name)) return false;
        if (step === 0) return true;
        if (all[step]?.how === '+') return reaches(place - 1, step - 1);
        return Array.from({ length: place }, (_, before) => before).some((before) => reaches(before, step - 1));
      };
      const expected = own.flatMap((_, place) => (reaches(place, all.length - 1) ? [place + 1] : []));
      assert.deepEqual(meant(selector, ...own.map((each) => each.join(' '))), expected);
    }),
  );
});
