import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol/limits';
import fc from 'fast-check';
import { type Layout, predefinedLayouts } from '../../core/index.ts';
import { type Placement, placeStreams } from './layout.ts';
import type { LayoutStream } from './priority.ts';

const SD = { width: 640, height: 480 };
const SD_PORTRAIT = { width: 480, height: 640 };
const HD = { width: 1280, height: 720 };
const HD_PORTRAIT = { width: 720, height: 1280 };
const FULL_HD = { width: 1920, height: 1080 };
const FULL_HD_PORTRAIT = { width: 1080, height: 1920 };
const CANVASES = [SD, SD_PORTRAIT, HD, HD_PORTRAIT, FULL_HD, FULL_HD_PORTRAIT];

function stream(place: number, more: Partial<LayoutStream> = {}): LayoutStream {
  const streamId = `s${place}`;
  return {
    streamId,
    connectionId: `c${place}`,
    videoType: 'camera',
    layoutClasses: [],
    addedAt: place,
    hasVideo: true,
    ...more,
  };
}
const many = (count: number) => Array.from({ length: count }, (_, index) => stream(index));
const screen = (place: number) => stream(place, { videoType: 'screen' });
const withClass = (place: number, name: string) => stream(place, { layoutClasses: [name] });

/** `s0 x,y width×height` of each place, in the order of painting. */
function seen(canvas: typeof SD, layout: Layout, streams: LayoutStream[]): string[] {
  return placeStreams(canvas, layout, streams).map(
    ({ streamId, x, y, width, height }) => `${streamId} ${x},${y} ${width}×${height}`,
  );
}

test('bestFit: a grid whose tiles shrink with their number, row by row', () => {
  const sizes: Record<number, string> = {
    1: '640×480',
    2: '320×480',
    3: '320×240',
    4: '320×240',
    5: '214×160',
    9: '214×160',
    10: '160×120',
    16: '160×120',
  };
  for (const [count, size] of Object.entries(sizes)) {
    const tiles = seen(SD, { type: 'bestFit' }, many(Number(count)));
    assert.equal(tiles.length, Number(count));
    assert.equal(tiles[0], `s0 0,0 ${size}`);
  }
  assert.deepEqual(seen(HD, { type: 'bestFit' }, many(3)), ['s0 0,0 640×360', 's1 640,0 640×360', 's2 0,360 640×360']);
  assert.deepEqual(seen(SD, { type: 'bestFit' }, [stream(0), withClass(1, 'focus')]), [
    's1 0,0 320×480',
    's0 320,0 320×480',
  ]);
});

test('bestFit shows archivePictures; the one past it has no place', () => {
  const shown = (count: number) => placeStreams(SD, { type: 'bestFit' }, many(count)).map((each) => each.streamId);
  const all = many(limits.archivePictures).map((each) => each.streamId);
  assert.deepEqual(shown(limits.archivePictures), all);
  assert.deepEqual(shown(limits.archivePictures + 1), all);
  const custom: Layout = { type: 'custom', stylesheet: 'stream { position: absolute; width: 100%; height: 100% }' };
  assert.equal(placeStreams(SD, custom, many(limits.archivePictures)).length, limits.archivePictures);
  assert.equal(placeStreams(SD, custom, many(limits.archivePictures + 1)).length, limits.archivePictures);
});

test('pip: the class full fills the picture, the first without it is in the corner, others are not seen', () => {
  const expected = ['s2 0,0 640×480', 's0 448,48 128×96'];
  const placed = placeStreams(SD, { type: 'pip' }, [stream(0), stream(1), withClass(2, 'full')]);
  assert.deepEqual(
    placed.map(({ streamId, zIndex, fit }) => [streamId, zIndex, fit]),
    [
      ['s2', 0, 'contain'],
      ['s0', 1, 'contain'],
    ],
  );
  assert.deepEqual(seen(SD, { type: 'pip' }, [stream(0), stream(1), withClass(2, 'full')]), expected);
  assert.deepEqual(seen(SD, { type: 'pip' }, [stream(0), withClass(2, 'full'), withClass(3, 'full')]), expected);
  assert.deepEqual(seen(SD, { type: 'pip' }, [stream(0), stream(1)]), ['s0 0,0 640×480', 's1 448,48 128×96']);
  assert.deepEqual(seen(SD, { type: 'pip' }, [withClass(0, 'full'), withClass(1, 'full')]), [
    's0 0,0 640×480',
    's1 448,48 128×96',
  ]);
  assert.deepEqual(seen(FULL_HD_PORTRAIT, { type: 'pip' }, many(2))[1], 's1 756,192 216×384');
});

test('verticalPresentation: focus at the right, the others in a column at the left', () => {
  assert.deepEqual(seen(SD, { type: 'verticalPresentation' }, [stream(0), stream(1), withClass(2, 'focus')]), [
    's0 0,0 128×96',
    's1 0,96 128×96',
    's2 128,0 512×480',
  ]);
});

test('horizontalPresentation: focus above, the others in a row that begins at 80 % of the height', () => {
  const layout: Layout = { type: 'horizontalPresentation' };
  const streams = [stream(0), stream(1), withClass(2, 'focus')];
  assert.deepEqual(seen(SD, layout, streams), ['s2 0,0 640×384', 's0 0,384 128×96', 's1 128,384 128×96']);
  assert.deepEqual(seen(HD, layout, streams), ['s2 0,0 1280×576', 's0 0,576 256×144', 's1 256,576 256×144']);
  assert.deepEqual(seen(SD_PORTRAIT, layout, streams), ['s2 0,0 480×512', 's0 0,512 160×128', 's1 160,512 160×128']);
});

test('the presentations have as many small places as the resolution has', () => {
  const small = (type: 'verticalPresentation' | 'horizontalPresentation') =>
    CANVASES.map((canvas) => placeStreams(canvas, { type }, many(20)).length - 1);
  assert.deepEqual(small('verticalPresentation'), [5, 8, 5, 8, 7, 10]);
  assert.deepEqual(small('horizontalPresentation'), [5, 3, 5, 3, 7, 3]);
});

test('the large place is never empty, and there is one', () => {
  for (const type of ['verticalPresentation', 'horizontalPresentation'] as const) {
    const large = (streams: LayoutStream[]) =>
      placeStreams(SD, { type }, streams)
        .filter(({ width, height }) => width > 320 && height > 240)
        .map((each) => each.streamId);
    assert.deepEqual(large([stream(0), stream(1)]), ['s0'], 'nobody has the class');
    assert.deepEqual(large([stream(0), withClass(1, 'focus'), withClass(2, 'focus')]), ['s1'], 'two have it');
    assert.deepEqual(large([stream(0), withClass(1, 'full')]), ['s1'], 'who has another class comes first');
    assert.deepEqual(placeStreams(SD, { type }, []), []);
  }
});

test('screenshareType holds while a screen is shared', () => {
  const streams = [stream(0), withClass(1, 'focus'), withClass(2, 'full'), screen(3), screen(4)];
  const without = streams.filter((each) => each.videoType !== 'screen');
  for (const screenshareType of predefinedLayouts) {
    const layout: Layout = { type: 'bestFit', screenshareType };
    assert.deepEqual(seen(SD, layout, without), seen(SD, { type: 'bestFit' }, without));
  }
  const shared = (screenshareType: (typeof predefinedLayouts)[number]) =>
    seen(SD, { type: 'bestFit', screenshareType }, streams);
  assert.deepEqual(shared('bestFit'), ['s3 0,0 320×480', 's4 320,0 320×480'], 'only screens');
  // In the order of priority: those with a class, the second screen, then the camera without one.
  assert.deepEqual(shared('pip'), ['s3 0,0 640×480', 's1 448,48 128×96']);
  assert.deepEqual(shared('verticalPresentation'), [
    's1 0,0 128×96',
    's2 0,96 128×96',
    's4 0,192 128×96',
    's0 0,288 128×96',
    's3 128,0 512×480',
  ]);
  assert.equal(shared('horizontalPresentation')[0], 's3 0,0 640×384');
  const off = [stream(0), stream(1, { videoType: 'screen', hasVideo: false })];
  assert.deepEqual(seen(SD, { type: 'bestFit', screenshareType: 'bestFit' }, off), ['s0 0,0 640×480']);
});

test('custom: the virtual DOM is in the order of priority, and what sticks out is cut', () => {
  const stylesheet = `stream { position: absolute; width: 50%; height: 50%; object-fit: cover }
    stream:first-child { left: -25%; top: 300px; z-index: 2 }
    stream:last-child { left: 700px }`;
  const placed = placeStreams(SD, { type: 'custom', stylesheet }, [stream(0), stream(1), screen(2)]);
  assert.deepEqual(placed, [
    {
      streamId: 's0',
      ...{ x: 0, y: 0, width: 320, height: 240 },
      zIndex: 0,
      fit: 'cover',
      whole: { x: 0, y: 0, width: 320, height: 240 },
    },
    {
      streamId: 's2',
      ...{ x: 0, y: 300, width: 160, height: 180 },
      zIndex: 2,
      fit: 'cover',
      whole: { x: -160, y: 300, width: 320, height: 240 },
    },
  ]);
});

test('custom: blocks lie under floats, floats under lines, and all under positioned ones', () => {
  const stylesheet = `stream { width: 10px; height: 10px }
    :nth-child(1) { position: relative }
    :nth-child(2) { display: inline-block; z-index: 9 }
    :nth-child(3) { float: left }
    :nth-child(5) { position: absolute; z-index: 0 }`;
  const order = placeStreams(SD, { type: 'custom', stylesheet }, many(5)).map((each) => each.streamId);
  assert.deepEqual(order, ['s3', 's2', 's1', 's0', 's4']);
});

test('property: every place is even, within the canvas, and nobody has two', () => {
  const layout = fc.oneof(
    fc.constantFrom(...predefinedLayouts).map((type): Layout => ({ type })),
    fc.constantFrom(...predefinedLayouts).map((screenshareType): Layout => ({ type: 'bestFit', screenshareType })),
    fc
      .tuple(fc.integer({ min: -400, max: 900 }), fc.double({ min: 0, max: 150, noNaN: true }))
      .map(([left, size]): Layout => {
        const stylesheet = `stream { float: left; margin-left: ${left}px; width: ${size.toFixed(3)}%; height: 33.33% }`;
        return { type: 'custom', stylesheet };
      }),
  );
  const streams = fc.array(
    fc.record({
      videoType: fc.constantFrom('camera' as const, 'screen' as const, null),
      layoutClasses: fc.subarray(['focus', 'full']),
      hasVideo: fc.boolean(),
    }),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(layout, fc.constantFrom(...CANVASES), streams, (asked, canvas, made) => {
      const placed = placeStreams(
        canvas,
        asked,
        made.map((more, place) => stream(place, more)),
      );
      assert.equal(new Set(placed.map((each) => each.streamId)).size, placed.length);
      for (const { x, y, width, height } of placed satisfies Placement[]) {
        for (const edge of [x, y, width, height]) assert.ok(Number.isInteger(edge / 2) && !Object.is(edge, -0));
        assert.ok(x >= 0 && y >= 0 && width > 0 && height > 0);
        assert.ok(x + width <= canvas.width && y + height <= canvas.height);
      }
    }),
  );
});
