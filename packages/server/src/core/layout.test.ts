import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PlatformError } from '@cloister/protocol';
import { limits } from '@cloister/protocol/limits';
import fc from 'fast-check';
import { checkLayout, predefinedLayouts, requireShortStylesheet } from './layout.ts';

const anySheet = () => {};
const refused = (value: unknown, why: RegExp) =>
  assert.throws(
    () => checkLayout(value, anySheet),
    (error: unknown) => error instanceof PlatformError && error.code === 'LayoutInvalid' && why.test(error.message),
    JSON.stringify(value),
  );

test('each predefined layout is taken as it is, null and unknown properties aside', () => {
  for (const type of predefinedLayouts) {
    assert.deepEqual(checkLayout({ type }, anySheet), { type });
    assert.deepEqual(checkLayout({ type, stylesheet: null, screenshareType: null, more: 1 }, anySheet), { type });
  }
});

test('a type that is missing or not known is refused', () => {
  refused({}, /no type/);
  refused({ type: 'bestfit' }, /must be one of bestFit, pip/);
  refused({ type: 7 }, /must be one of/);
  refused({ type: 'toString' }, /must be one of/);
  for (const value of [null, undefined, 'bestFit', 1, ['bestFit']]) refused(value, /not an object/);
});

test('a stylesheet belongs to custom, which needs one, and is checked', () => {
  const seen: string[] = [];
  const layout = { type: 'custom', stylesheet: 'stream{}' };
  assert.deepEqual(
    checkLayout(layout, (css) => seen.push(css)),
    layout,
  );
  assert.deepEqual(seen, ['stream{}']);
  for (const type of predefinedLayouts) refused({ type, stylesheet: 'stream{}' }, /stylesheet goes with/);
  for (const stylesheet of [undefined, null, '', ' \n', 5])
    refused({ type: 'custom', stylesheet }, /needs a styleshee/);
  assert.throws(
    () =>
      checkLayout(layout, () => {
        throw new RangeError('not this one');
      }),
    /not this one/,
  );
});

test('screenshareType goes with bestFit, or with no type at all, and is a predefined one', () => {
  for (const screenshareType of predefinedLayouts) {
    const layout = { type: 'bestFit', screenshareType };
    assert.deepEqual(checkLayout(layout, anySheet), layout);
    assert.deepEqual(checkLayout({ screenshareType }, anySheet), layout);
    refused({ type: 'pip', screenshareType }, /bestFit only/);
    refused({ type: 'custom', stylesheet: 'stream{}', screenshareType }, /bestFit only/);
  }
  refused({ type: 'bestFit', screenshareType: 'custom' }, /screenshareType must be one of/);
  refused({ type: 'bestFit', screenshareType: {} }, /screenshareType must be one of/);
});

test('a stylesheet of stylesheetBytes is taken, one byte more is not, and nothing of it is parsed', () => {
  const full = 'x'.repeat(limits.stylesheetBytes);
  assert.doesNotThrow(() => requireShortStylesheet(full));
  const never = () => assert.fail('it was parsed');
  for (const stylesheet of [`${full}x`, `${full.slice(1)}é`, 'x'.repeat(1024 * 1024)]) {
    assert.throws(
      () => checkLayout({ type: 'custom', stylesheet }, never),
      (error: unknown) => error instanceof PlatformError && error.code === 'StylesheetTooLarge' && error.status === 400,
    );
  }
});

test('property: whatever JSON holds is a layout or a refusal that says why', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      try {
        assert.ok([...predefinedLayouts, 'custom'].includes(checkLayout(value, anySheet).type));
      } catch (error) {
        assert.ok(error instanceof PlatformError && /^(LayoutInvalid|StylesheetTooLarge)$/.test(error.code));
      }
    }),
  );
});
