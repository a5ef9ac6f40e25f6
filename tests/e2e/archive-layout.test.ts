/** A browser is the judge of archive layouts: the same streams with the same stylesheet, box for box. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import type { Page } from 'puppeteer-core';
import { type Box, placeBoxes } from '../../packages/server/src/archive/layout/boxes.ts';
import { placeStreams } from '../../packages/server/src/archive/layout/layout.ts';
import { predefined } from '../../packages/server/src/archive/layout/predefined.ts';
import type { Style } from '../../packages/server/src/archive/layout/style.ts';
import { parseStylesheet, stylesOf } from '../../packages/server/src/archive/layout/stylesheet.ts';
import { shrunk } from '../../packages/server/src/archive/layout/used-size.ts';
import { predefinedLayouts } from '../../packages/server/src/core/index.ts';
import { launchBrowser, type TestBrowser } from '../rig/browser.ts';
import { sample } from '../sample.ts';

/** One virtual DOM with its stylesheet. */
interface Case {
  readonly width: number;
  readonly height: number;
  readonly css: string;
  /** The layout classes of each stream, between spaces. */
  readonly classes: readonly string[];
}

const CANVASES = [
  [640, 480],
  [480, 640],
  [1280, 720],
  [720, 1280],
  [1920, 1080],
  [1080, 1920],
] as const;
const BATCH = 200;

let browser: TestBrowser;
let page: Page;

before(async () => {
  browser = await launchBrowser('chromium');
  page = await browser.newPage();
  await page.setViewport({ width: 1920, height: 1920 });
  // Without a doctype a browser lays lines out as in 1998.
  await page.setContent('<!doctype html><title>Streams</title>');
});
after(() => browser.close());

/** What the browser makes of cases: the box of each stream, and which stream is seen at the middle of each. */
interface Drawn {
  readonly boxes: Box[];
  readonly seen: (number | null)[];
}

/** The rules of the container cannot be overridden; there are no letters, so lines have no height of their own. */
function containerRules({ width, height }: Case): string {
  return `archive { all: initial !important; display: block !important; position: relative !important;
    overflow: hidden !important; width: ${width}px !important; height: ${height}px !important;
    font-size: 0 !important; line-height: 0 !important; }
    stream { display: block; margin: 0 }`;
}

/** A picture has a size in a line too: for an empty element that is called inline-block. */
function forBrowser(css: string): string {
  return css.replaceAll('display: inline;', 'display: inline-block;');
}

async function drawn(cases: readonly Case[]): Promise<Drawn[]> {
  const all: Drawn[] = [];
  for (let first = 0; first < cases.length; first += BATCH) {
    const batch = cases.slice(first, first + BATCH);
    const asked = batch.map((each) => ({
      base: containerRules(each),
      css: forBrowser(each.css),
      classes: [...each.classes],
    }));
    all.push(...(await page.evaluate(drawInPage, asked)));
  }
  return all;
}

/** Runs in the page, so it knows nothing of this file. */
function drawInPage(asked: { base: string; css: string; classes: string[] }[]): Drawn[] {
  document.body.style.margin = '0';
  return asked.map(({ base, css, classes }) => {
    const host = document.createElement('div');
    document.body.replaceChildren(host);
    const shadow = host.attachShadow({ mode: 'open' });
    shadow.adoptedStyleSheets = [base, css].map((text) => {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(text);
      return sheet;
    });
    const archive = document.createElement('archive');
    archive.className = 'container';
    const streams = classes.map((name) => {
      const stream = document.createElement('stream');
      stream.className = name;
      return stream;
    });
    archive.append(...streams);
    shadow.append(archive);
    const rectangles = streams.map((stream) => stream.getBoundingClientRect());
    return {
      boxes: rectangles.map(({ x, y, width, height }) => ({ x, y, width, height })),
      seen: rectangles.map(({ x, y, width, height }) => {
        const top = shadow.elementFromPoint(x + width / 2, y + height / 2);
        const index = streams.indexOf(top as HTMLElement);
        return index < 0 ? null : index;
      }),
    };
  });
}

function stylesFor({ css, classes }: Case): Style[] {
  const streams = classes.map((names) => ({ layoutClasses: names.split(' ').filter((name) => name !== '') }));
  return stylesOf(parseStylesheet(css), streams);
}

/**
 * Four things that no layout of pictures needs and in which we do not follow the browser to the last: a float whose negative margins
 * are wider than itself, a float in a line that comes after another one with a positioned box between them, a positioned box
 * in a line without left and right, and overflow hidden without a width beside floats, which may leave it nothing.
 */
function leftOpen(each: Case): boolean {
  const styles = stylesFor(each);
  const floats = styles.filter(({ float, position }) => float !== 'none' && position !== 'absolute');
  const negative = floats.some((style) => {
    const { marginLeft, width, marginRight } = shrunk(style, each);
    return marginLeft + width + marginRight < 0;
  });
  const lines = styles.some(({ display, float }) => display !== 'block' && float === 'none');
  const absolute = styles.filter(({ position }) => position === 'absolute');
  const adrift = absolute.some(
    ({ display, left, right }) => display !== 'block' && left === 'auto' && right === 'auto',
  );
  const squeezed = styles.some(
    ({ overflow, width, display }) => overflow === 'hidden' && width === 'auto' && display === 'block',
  );
  if (squeezed && floats.length > 0) return true;
  return negative || (lines && (adrift || (floats.length > 1 && absolute.length > 0)));
}

/** What of a case the browser and we do not agree on: empty boxes aside, which nobody sees. */
function differences(each: Case, { boxes }: Drawn): string[] {
  const ours = placeBoxes(each, stylesFor(each));
  return boxes.flatMap((theirs, index) => {
    const own = ours[index] as Box;
    if (theirs.width * theirs.height === 0 && own.width * own.height === 0) return [];
    const off = (['x', 'y', 'width', 'height'] as const).some((key) => Math.abs(theirs[key] - own[key]) > 1);
    return off ? [`stream ${index + 1}: ${line(own)} instead of ${line(theirs)}`] : [];
  });
}

function line({ x, y, width, height }: Box): string {
  return `${x.toFixed(2)},${y.toFixed(2)} ${width.toFixed(2)}×${height.toFixed(2)}`;
}

async function agree(cases: readonly Case[]): Promise<void> {
  const results = await drawn(cases);
  const wrong = cases.flatMap((each, index) => {
    const found = differences(each, results[index] as Drawn);
    const { width, height, css, classes } = each;
    return found.length > 0 ? [`${width}×${height} ${JSON.stringify(classes)}\n${css}\n  ${found.join('\n  ')}`] : [];
  });
  const shown = wrong.sort((a, b) => a.length - b.length).slice(0, 5);
  assert.equal(wrong.length, 0, `${wrong.length} of ${cases.length} differ:\n${shown.join('\n\n')}`);
}

test('the predefined layouts, as stylesheets, come out as in a browser on every resolution', async () => {
  for (const [width, height] of CANVASES) {
    const canvas = { width, height };
    const asked = predefinedLayouts.flatMap((type) =>
      Array.from({ length: 17 }, (_, count) => ({ type, count: count + 1 })),
    );
    const cases = asked.map(({ type, count }): Case => {
      const { large = '', places, stylesheet } = predefined(type, canvas);
      const shown = Math.min(count, places + (large ? 1 : 0));
      const classes = Array.from({ length: shown }, (_, index) => (index === 0 ? large : ''));
      return { ...canvas, css: stylesheet(shown), classes };
    });
    await agree(cases);
    const results = await drawn(cases);
    for (const [index, { type, count }] of asked.entries()) {
      const streams = Array.from({ length: count }, (_, place) => ({
        ...{ streamId: String(place), connectionId: String(place), videoType: 'camera' as const },
        ...{ layoutClasses: [], addedAt: place, hasVideo: true },
      }));
      const placed = placeStreams(canvas, { type }, streams);
      const { boxes } = results[index] as Drawn;
      assert.equal(placed.length, boxes.length, `${type} of ${count}`);
      for (const { streamId, whole } of placed) {
        const box = boxes[Number(streamId)] as Box;
        for (const [own, theirs] of [
          [whole.x, box.x],
          [whole.y, box.y],
          [whole.x + whole.width, box.x + box.width],
          [whole.y + whole.height, box.y + box.height],
        ] as const) {
          assert.ok(Math.abs(own - theirs) <= 1, `${type} of ${count}: stream ${streamId} ${own} for ${theirs}`);
        }
      }
    }
  }
});

const lengths = [
  '0',
  '10px',
  '50px',
  '120px',
  '33.33px',
  '5%',
  '20%',
  '25%',
  '33.3333%',
  '33.34%',
  '50%',
  '80%',
  '100%',
];
const signed = [...lengths, '-10px', '-7%', '-50px'];
const one = (name: string, values: readonly string[]) => fc.constantFrom(...values).map((each) => `${name}: ${each};`);

const declaration = fc.oneof(
  { arbitrary: one('width', [...lengths, 'auto']), weight: 3 },
  { arbitrary: one('height', [...lengths, 'auto']), weight: 3 },
  ...['min-width', 'min-height'].map((name) => one(name, lengths)),
  ...['max-width', 'max-height'].map((name) => one(name, [...lengths, 'none'])),
  ...['left', 'right', 'top', 'bottom'].map((name) => one(name, [...signed, 'auto'])),
  ...['margin-top', 'margin-right', 'margin-bottom', 'margin-left'].map((name) => one(name, [...signed, 'auto'])),
  one('margin', ['10px', '0 auto', '5% 10px', '-10px 0 20px', '1% 2% 3% 4%', '10px auto 0']),
  one('z-index', ['0', '1', '5', 'auto']),
  { arbitrary: one('position', ['relative', 'absolute', 'static']), weight: 2 },
  { arbitrary: one('display', ['inline', 'block', 'inline-block']), weight: 2 },
  { arbitrary: one('float', ['left', 'right', 'none']), weight: 3 },
  one('clear', ['left', 'right', 'both', 'none']),
  one('overflow', ['hidden', 'visible']),
  one('object-fit', ['contain', 'cover']),
);
const compound = fc.constantFrom(
  ...['stream', '.a', '.b', 'stream.a', '.a.b', ':first-child', ':last-child', ':nth-child(2)', ':nth-child(2n+1)'],
  ...[':nth-child(-n+3)', ':nth-child(3n)', ':nth-last-child(2)', 'stream:nth-last-child(2n)', '.container'],
);
const selector = fc.oneof(
  { arbitrary: compound, weight: 4 },
  fc.tuple(compound, fc.constantFrom(' + ', ' ~ ', ', '), compound).map((parts) => parts.join('')),
);
const rule = fc
  .tuple(selector, fc.array(declaration, { minLength: 1, maxLength: 5 }))
  .map(([meant, declarations]) => `${meant} { ${declarations.join(' ')} }`);
const generated: fc.Arbitrary<Case> = fc
  .record({
    canvas: fc.constantFrom(...CANVASES),
    size: fc.tuple(fc.constantFrom(...lengths.slice(1)), fc.constantFrom(...lengths.slice(1))),
    rules: fc.array(rule, { minLength: 1, maxLength: 5 }),
    classes: fc.array(fc.constantFrom('', 'a', 'b', 'a b'), { minLength: 1, maxLength: 9 }),
  })
  .map(({ canvas: [width, height], size: [across, down], rules, classes }) => ({
    ...{ width, height, classes },
    css: [`stream { width: ${across}; height: ${down}; }`, ...rules].join('\n'),
  }))
  .filter((each) => !leftOpen(each));

test('generated stylesheets of the subset come out as in a browser', async () => {
  const all = fc.sample(generated, { seed: 1, numRuns: 20_000 });
  await agree(sample('archive layouts', all, 400));
});

test('what covers what comes out as in a browser', async () => {
  const all = fc.sample(generated, { seed: 2, numRuns: 4000 });
  const cases = sample('archive layers', all, 200);
  const results = await drawn(cases);
  let judged = 0;
  for (const [index, each] of cases.entries()) {
    const streams = each.classes.map((names, place) => ({
      ...{ streamId: String(place), connectionId: String(place), videoType: 'custom' as const, hasVideo: true },
      // A class for all, so that the order of the virtual DOM is the order of time.
      ...{ layoutClasses: [...names.split(' '), 'all'], addedAt: place },
    }));
    const placed = placeStreams(each, { type: 'custom', stylesheet: each.css }, streams);
    const { boxes, seen } = results[index] as Drawn;
    for (const [middle, box] of boxes.entries()) {
      const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
      const edges = boxes.flatMap((one) => [
        Math.min(Math.abs(one.x - x), Math.abs(one.x + one.width - x)),
        Math.min(Math.abs(one.y - y), Math.abs(one.y + one.height - y)),
      ]);
      // Where a block lies under a line, a browser names the container: a pointer meets the line first.
      if (seen[middle] === null) continue;
      if (Math.min(...edges) < 3 || x < 3 || y < 3 || x > each.width - 3 || y > each.height - 3) continue;
      const there = placed.filter((one) => x > one.x && x < one.x + one.width && y > one.y && y < one.y + one.height);
      assert.equal(there.at(-1)?.streamId, String(seen[middle]), `at ${x},${y} of ${each.css} ${each.classes}`);
      judged += 1;
    }
  }
  assert.ok(judged > cases.length, `only ${judged} places were far enough from every edge`);
});
