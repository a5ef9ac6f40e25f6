import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { PlatformError } from '@cloister/protocol/errors';
import { limits } from '@cloister/protocol/limits';
import fc from 'fast-check';
import { tempFolder } from '../../../tests/rig/cleanup.ts';
import { features, firstTable } from './core/index.ts';
import { parsePlans, readPlans } from './plans-file.ts';

const now = Date.parse('2026-06-01T00:00:00Z');
const { plans, features: offered } = firstTable;
const first = { version: '2026', effective: '2026-01-01', plans, features: offered };
const second = { ...first, version: '2027', effective: '2027-01-01T02:00:00+02:00' };

type Change = (file: { versions: Record<string, unknown>[] }) => void;

/** The file of two versions with something changed in it. */
function changed(change: Change): string {
  // By JSON, so that the versions have no object in common.
  const file = JSON.parse(JSON.stringify({ versions: [first, second] })) as Parameters<Change>[0];
  change(file);
  return JSON.stringify(file);
}

const offersOf = (version: Record<string, unknown> | undefined) =>
  version?.features as Record<string, Record<string, unknown>>;

const wrong: readonly [what: string, text: string, place: string, why: RegExp][] = [
  ['no JSON', '{ "versions": [', 'its end', /not JSON/],
  ['another member', changed((file) => Object.assign(file, { plan: 1 })), 'the file', /plan/],
  ['no versions', '{}', 'versions', /./],
  ['no date', changed(({ versions }) => delete versions[0]!.effective), 'versions[0].effective', /2027-01-31/],
  [
    'a date that is none',
    changed(({ versions }) => Object.assign(versions[1]!, { effective: '2027-02-30' })),
    'versions[1].effective',
    /2027-01-31/,
  ],
  [
    'a time without an offset',
    changed(({ versions }) => Object.assign(versions[1]!, { effective: '2027-01-01T00:00:00' })),
    'versions[1].effective',
    /2027-01-31/,
  ],
  [
    'two versions of one date, though written in two ways',
    changed(({ versions }) => Object.assign(versions[1]!, { effective: '2026-01-01T01:00:00+01:00' })),
    'versions[1].effective',
    /version 2026 takes effect at the same time/,
  ],
  [
    'dates that go backwards',
    changed(({ versions }) => versions.reverse()),
    'versions[1].effective',
    /before that of the version 2027/,
  ],
  [
    'a feature that is none',
    changed(({ versions }) => Object.assign(offersOf(versions[1]), { 'zone.fr': offersOf(versions[1])['zone.eu'] })),
    'versions[1].features["zone.fr"]',
    /no such feature; did you mean zone\./,
  ],
  [
    'a feature that is missing',
    changed(({ versions }) => delete offersOf(versions[1])['ip.ranges']),
    'versions[1].features["ip.ranges"]',
    /the feature is missing/,
  ],
  [
    'a plan that is missing',
    changed(({ versions }) => delete offersOf(versions[1])['zone.de']!.growth),
    'versions[1].features["zone.de"]',
    /the plan growth is missing/,
  ],
  [
    'an offer that is none',
    changed(({ versions }) => Object.assign(offersOf(versions[0])['zone.de']!, { growth: 'free' })),
    'versions[0].features["zone.de"].growth',
    /included, add-on, not available/,
  ],
  [
    'versions that all are to come',
    changed(({ versions }) => versions.shift()),
    'versions[0].effective',
    /no version holds yet/,
  ],
];

describe('the file of plans', () => {
  it('has versions by date, a day being its beginning in UTC', () => {
    const book = parsePlans(JSON.stringify({ versions: [first, second] }), now);
    assert.deepEqual(
      book.versions.map(({ version, effectiveAt }) => [version, new Date(effectiveAt).toISOString()]),
      [
        ['2026', '2026-01-01T00:00:00.000Z'],
        ['2027', '2027-01-01T00:00:00.000Z'],
      ],
    );
    assert.deepEqual(book.at(now).features, offered);
  });

  for (const [what, text, place, why] of wrong) {
    it(`is refused with its place for ${what}`, () => {
      assert.throws(
        () => parsePlans(text, now),
        (error: PlatformError) => {
          assert.deepEqual([error.code, error.details.place], ['PlansRefused', place]);
          assert.match(String(error.details.why), why);
          return true;
        },
      );
    });
  }

  it('has at most plansFileBytes, and has to be there', () => {
    const file = path.join(tempFolder('plans'), 'plans.json');
    const text = JSON.stringify({ versions: [first] });
    writeFileSync(file, text.padEnd(limits.plansFileBytes));
    assert.equal(readPlans(file, now).versions.length, 1);
    writeFileSync(file, text.padEnd(limits.plansFileBytes + 1));
    assert.throws(() => readPlans(file, now), { code: 'PlansRefused', message: /larger than/ });
    assert.throws(() => readPlans(`${file}.not`, now), { code: 'PlansRefused', message: /plans\.json\.not.*ENOENT/ });
  });

  it('of any content is a whole table or a refusal', () => {
    const odd = fc.oneof(
      fc.json(),
      fc.string(),
      fc
        .tuple(fc.constantFrom(...mutations), fc.jsonValue())
        .map(([mutate, value]) => changed(({ versions }) => mutate(versions[0]!, value))),
    );
    const ends = { whole: 0, refused: 0 };
    fc.assert(
      fc.property(odd, (text) => {
        try {
          for (const table of parsePlans(text, now).versions) {
            for (const feature of features)
              assert.deepEqual(Object.keys(table.features[feature]).length, table.plans.length);
          }
          ends.whole += 1;
        } catch (error) {
          assert.ok(error instanceof PlatformError && error.code === 'PlansRefused', String(error));
          assert.ok(error.message.length < 400, error.message);
          ends.refused += 1;
        }
      }),
      { numRuns: 2000 },
    );
    assert.ok(ends.refused > 0);
  });
});

/** One place of a version, filled with anything. */
const mutations: readonly ((version: Record<string, unknown>, value: unknown) => void)[] = [
  (version, value) => Object.assign(version, { version: value }),
  (version, value) => Object.assign(version, { effective: value }),
  (version, value) => Object.assign(version, { plans: value }),
  (version, value) => Object.assign(version, { plans: [value] }),
  (version, value) => Object.assign(version, { features: value }),
  (version, value) => Object.assign(offersOf(version), { 'zone.us': value }),
  (version, value) => Object.assign(offersOf(version)['zone.us']!, { growth: value }),
  (version, value) => Object.assign(offersOf(version), JSON.parse('{"__proto__": {}}'), { constructor: value }),
];
