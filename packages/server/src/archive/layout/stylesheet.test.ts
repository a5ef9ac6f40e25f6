import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PlatformError } from '@cloister/protocol';
import { limits } from '@cloister/protocol/limits';
import fc from 'fast-check';
import { baseStyle } from './style.ts';
import { parseStylesheet, stylesOf } from './stylesheet.ts';

const streams = (...classes: string[]) =>
  classes.map((each) => ({ layoutClasses: each.split(' ').filter((name) => name !== '') }));

/** The widths in px that a stylesheet gives to streams with these classes; null where it gives none. */
function widths(css: string, ...classes: string[]): (number | null)[] {
  return stylesOf(parseStylesheet(css), streams(...classes)).map(({ width }) =>
    width !== 'auto' && 'px' in width ? width.px : null,
  );
}

function refusalOf(css: string): PlatformError {
  try {
    parseStylesheet(css);
  } catch (error) {
    if (error instanceof PlatformError) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: `it was accepted: ${css.slice(0, 200)}` });
}

test('every property of the subset is read', () => {
  const [style] = stylesOf(
    parseStylesheet(`/* all of them */
      STREAM {
        width: 50%; height: 25.5px; min-width: 1px; min-height: 0; max-width: 100%; max-height: none;
        left: -5%; right: auto; top: +3px; bottom: 0;
        margin-top: auto; margin-right: -1px; margin-bottom: 2px; margin-left: 3%;
        z-index: 7; position: Absolute; display: inline-block; float: left; clear: both;
        object-fit: cover; OVERFLOW: hidden;
      }`),
    streams(''),
  );
  assert.deepEqual(style, {
    width: { percent: 50 },
    height: { px: 25.5 },
    minWidth: { px: 1 },
    minHeight: { px: 0 },
    maxWidth: { percent: 100 },
    maxHeight: 'none',
    left: { percent: -5 },
    right: 'auto',
    top: { px: 3 },
    bottom: { px: 0 },
    marginTop: 'auto',
    marginRight: { px: -1 },
    marginBottom: { px: 2 },
    marginLeft: { percent: 3 },
    zIndex: 7,
    position: 'absolute',
    display: 'inline-block',
    float: 'left',
    clear: 'both',
    objectFit: 'cover',
    overflow: 'hidden',
  });
});

test('margin takes one to four values', () => {
  const sides = (css: string) => {
    const [style = baseStyle] = stylesOf(parseStylesheet(`stream { margin: ${css} }`), streams(''));
    return [style.marginTop, style.marginRight, style.marginBottom, style.marginLeft].map((each) =>
      each !== 'auto' && 'px' in each ? each.px : each,
    );
  };
  assert.deepEqual(sides('1px'), [1, 1, 1, 1]);
  assert.deepEqual(sides('1px auto'), [1, 'auto', 1, 'auto']);
  assert.deepEqual(sides('1px 2px 3px'), [1, 2, 3, 2]);
  assert.deepEqual(sides('1px 2px 3px 4px'), [1, 2, 3, 4]);
});

test('a stream of which no rule speaks has the base style', () => {
  const [focus, other] = stylesOf(parseStylesheet('.focus { float: left } .nobody { top: 0 }'), streams('focus', ''));
  assert.deepEqual(focus, { ...baseStyle, float: 'left' });
  assert.deepEqual(other, baseStyle);
  assert.deepEqual(stylesOf(parseStylesheet(''), streams('a')), [baseStyle]);
});

test('the more specific rule wins, wherever it stands; of equals the later one', () => {
  assert.deepEqual(widths('.a.b { width: 1px } .a { width: 2px } stream { width: 3px }', 'a b', 'a', ''), [1, 2, 3]);
  assert.deepEqual(widths('.a { width: 1px } .b { width: 2px }', 'a b', 'b a'), [2, 2]);
  assert.deepEqual(widths('stream.a { width: 1px } .a { width: 2px }', 'a'), [1]);
  assert.deepEqual(widths('stream:first-child { width: 1px } .a { width: 2px }', 'a', 'a'), [1, 2]);
  assert.deepEqual(widths('stream { width: 1px; width: 2px }', ''), [2]);
  const many = 'stream + stream + stream + stream';
  assert.deepEqual(widths(`.a { width: 1px } ${many} { width: 2px }`, '', '', '', 'a'), [null, null, null, 1]);
});

test('what is outside the subset is refused by line, column and construct', () => {
  const refusals: [css: string, place: string, why: RegExp][] = [
    ['archive { left: 0 }', '1:1', /container are fixed, so archive/],
    ['stream {}\n  broadcast.container { left: 0 }', '2:3', /container are fixed, so broadcast/],
    ['* { left: 0 }', '1:1', /type "\*" is not supported/],
    ['video { left: 0 }', '1:1', /type "video" is not supported; stream is/],
    ['svg|stream { left: 0 }', '1:1', /type "svg\|stream"/],
    ['stream .a { left: 0 }', '1:8', /descendant combinator/],
    ['stream>.a { left: 0 }', '1:7', /combinator ">"/],
    ['+ stream { left: 0 }', '1:1', /missing beside a combinator/],
    ['stream ~ { left: 0 }', '1:1', /missing beside a combinator/],
    ['stream,\n#one { left: 0 }', '2:1', /the id "#one"/],
    ['stream[name] { left: 0 }', '1:7', /the attribute "\[name\]"/],
    ['stream::before { left: 0 }', '1:7', /pseudo-element "::before"/],
    ['stream:hover { left: 0 }', '1:7', /pseudo-class ":hover"/],
    ['stream:first-child(1) { left: 0 }', '1:7', /pseudo-class ":first-child"/],
    ['stream:nth-child { left: 0 }', '1:7', /pseudo-class ":nth-child"/],
    ['stream:constructor { left: 0 }', '1:7', /pseudo-class ":constructor"/],
    [':nth-child(2 of .a) { left: 0 }', '1:12', /"of" is not supported/],
    ['@media screen { stream { left: 0 } }', '1:1', /at-rules such as "@media screen/],
    ['@import "https://example.com/a.css";', '1:1', /at-rules/],
    ['stream {\n  color: red }', '2:3', /property "color" is not supported/],
    ['stream {\n  widht: 1px }', '2:3', /"widht" is not supported; width is/],
    ['stream { --x: 1px }', '1:10', /property "--x"/],
    ['stream { *width: 1px }', '1:10', /property "\*width"/],
    ['stream { constructor: 1px }', '1:10', /property "constructor"/],
    ['stream { width: 1px !important }', '1:10', /!important/],
    ['stream { width: }', '1:10', /width has no value/],
    ['stream { width: 1px 2px }', '1:21', /width takes one value/],
    ['stream { width: 10em }', '1:17', /width cannot be "10em"; it takes px, %, auto/],
    ['stream { width: 10 }', '1:17', /width cannot be "10"/],
    ['stream { width: calc(1px + 1%) }', '1:17', /width cannot be "calc\(1px \+ 1%\)"/],
    ['stream { width: inherit }', '1:17', /width cannot be "inherit"/],
    ['stream { width: -1px }', '1:17', /width cannot be negative/],
    ['stream { margin: 1px 2px 3px 4px 5px }', '1:10', /one to four values/],
    ['stream { margin: 1px, 2px }', '1:21', /margin cannot be ","/],
    ['stream { z-index: -1 }', '1:19', /z-index cannot be "-1"; it takes a whole number from 0, auto/],
    ['stream { z-index: 1.5 }', '1:19', /z-index cannot be "1.5"/],
    ['stream { position: fixed }', '1:20', /position cannot be "fixed"; it takes static, relative, absolute/],
    ['stream { display: none }', '1:19', /display cannot be "none"/],
    ['stream { display: flex }', '1:19', /display cannot be "flex"/],
    ['stream { object-fit: fill }', '1:22', /object-fit cannot be "fill"/],
    ['stream { overflow: scroll }', '1:20', /overflow cannot be "scroll"/],
    ['stream { left: url(x) }', '1:16', /left cannot be "url\(x\)"/],
    ['stream { left 0 }', '1:15', /not understood/],
    ['stream { .a { left: 0 } }', '1:10', /not understood/],
    ['stream, { left: 0 }', '1:9', /not understood/],
    ['}', '1:1', /not understood/],
    ['stream', '1:7', /not understood/],
    ['<!-- stream {} -->', '1:1', /"<!--" is not a rule/],
  ];
  for (const [css, place, why] of refusals) {
    const { code, message, details, status } = refusalOf(css);
    assert.deepEqual([code, status, `${details.line}:${details.column}`], ['StylesheetInvalid', 400, place], css);
    assert.match(message, why, css);
  }
});

test('a message never has more than a little of the stylesheet in it', () => {
  assert.ok(refusalOf(`stream { ${'x'.repeat(20_000)}: 1px }`).message.length < 200);
  assert.ok(refusalOf(`stream { width: ${'x'.repeat(20_000)} }`).message.length < 250);
});

test('each size has its bound, and one past it is refused', () => {
  const rule = (selectors: string, declarations = 'top:0') => `${selectors}{${declarations}}`;
  const tooLarge = (css: string, unit: string) => {
    const { code, details } = refusalOf(css);
    assert.deepEqual([code, details.unit], ['StylesheetTooLarge', unit]);
  };
  const ofBytes = (bytes: number) => `${rule('.a')}${' '.repeat(bytes - rule('.a').length)}`;
  assert.equal(parseStylesheet(ofBytes(limits.stylesheetBytes)).rules.length, 1);
  tooLarge(ofBytes(limits.stylesheetBytes + 1), 'bytes');

  const list = (count: number) => rule(Array(count).fill('.a').join());
  assert.equal(parseStylesheet(list(limits.stylesheetSelectors)).rules.length, limits.stylesheetSelectors);
  tooLarge(list(limits.stylesheetSelectors + 1), 'selectors');
  tooLarge(list(limits.stylesheetSelectors) + rule('.b'), 'selectors');

  const declared = (count: number) => rule('.a', 'top:0;'.repeat(count));
  assert.equal(parseStylesheet(declared(limits.stylesheetDeclarations)).rules.length, 1);
  tooLarge(declared(limits.stylesheetDeclarations + 1), 'declarations');

  const parts = (count: number) => rule('.a'.repeat(count));
  assert.equal(parseStylesheet(parts(limits.selectorParts)).rules.length, 1);
  assert.match(refusalOf(parts(limits.selectorParts + 1)).message, /more than 32 parts/);

  const nested = (depth: number) => `stream { width: ${'('.repeat(depth - 1)}${')'.repeat(depth - 1)} }`;
  assert.match(refusalOf(nested(limits.stylesheetNesting)).message, /width cannot be/);
  assert.match(refusalOf(nested(limits.stylesheetNesting + 1)).message, /line 1, column 20: brackets are nested/);

  for (const sign of ['', '-']) {
    const left = (px: number) => rule('.a', `left:${sign}${px}px`);
    assert.equal(parseStylesheet(left(limits.stylesheetNumber)).rules.length, 1);
    assert.match(refusalOf(left(limits.stylesheetNumber + 1)).message, /left goes to 10000 at most/);
  }
  assert.match(refusalOf(rule('.a', 'z-index: 10001')).message, /z-index goes to 10000/);
  assert.match(refusalOf(rule('.a', 'top: 1e400%')).message, /top goes to 10000/);
});

test('the most that a stylesheet may hold is matched at once, however the selectors are made', () => {
  const chain = `.a${'~.a'.repeat(15)}`;
  const css = `${Array(limits.stylesheetSelectors).fill(chain).join()}{width:1px}`;
  const classes = Array.from({ length: limits.archivePictures }, () => 'a');
  const started = performance.now();
  assert.equal(widths(css, ...classes).at(-1), 1);
  // Tried one by one, the ways through such a selector are thousands for each of hundreds.
  assert.ok(performance.now() - started < 1000);
});

const FRAGMENTS = [
  ...['stream', '.a', '.b\\31', '#i', '*', 'archive', '[x]', '::before', ':first-child', ':last-child', ':hover', '&'],
  ...[':nth-child(', ':nth-last-child(', '2n+1', 'odd', '-n', ' of ', ')', '(', '[', ']', '{', '}', ';', ':', ',', '"'],
  ...['+', '~', '>', ' ', '\n', '||', '|', '/*', '*/', '/*! x */', '<!--', '-->', '@media', '@import', '\\', '\0', "'"],
  ...['width', 'margin', 'z-index', 'float', 'left', 'auto', '50%', '10px', '-3px', '0', '1e9', 'calc(', 'url(', '!'],
  ...['!important', 'important', '--x', '$', 'é', '\ud800', 'U+26', '#', '%', 'progid:', 'filter', '//', 'var(', '.5'],
];

test('property: whatever text comes in is a stylesheet, or refused with a place in it', () => {
  const text = fc.oneof(
    fc.array(fc.constantFrom(...FRAGMENTS), { maxLength: 40 }).map((parts) => parts.join('')),
    fc.array(fc.constantFrom(...FRAGMENTS), { maxLength: 8 }).map((parts) => `stream{${parts.join('')}}`),
    fc.array(fc.constantFrom(...FRAGMENTS), { maxLength: 6 }).map((parts) => `stream{left:${parts.join('')}}.a{}`),
    fc.string({ unit: 'binary', maxLength: 60 }),
  );
  fc.assert(
    fc.property(text, (css) => {
      try {
        stylesOf(parseStylesheet(css), streams('a', '', 'b1'));
      } catch (error) {
        assert.ok(error instanceof PlatformError, String((error as Error).stack));
        assert.equal(error.code, 'StylesheetInvalid');
        const { line, column } = error.details;
        const lines = css.split(/\r\n|[\n\r\f]/);
        assert.ok(Number(line) >= 1 && Number(line) <= lines.length, error.message);
        assert.ok(
          Number(column) >= 1 && Number(column) <= (lines[Number(line) - 1] as string).length + 1,
          error.message,
        );
        assert.doesNotMatch(error.message, /undefined|Cannot read/);
      }
    }),
    { numRuns: 3000 },
  );
});
