import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '@cloister/protocol';
import { features, firstTable, type Offer, type PlanTable } from './plan.ts';
import { PlanBook } from './plan-book.ts';

/** A table in which all plans include everything. */
function table(plans: readonly string[], version = '1', effectiveAt = 0): PlanTable {
  const offered = Object.fromEntries(plans.map((plan): [string, Offer] => [plan, 'included']));
  const all = Object.fromEntries(features.map((feature) => [feature, offered])) as PlanTable['features'];
  return { version, effectiveAt, plans, features: all };
}

const refusal = (place: string, why: RegExp) => (error: Error & { code: string; details: Record<string, string> }) => {
  assert.deepEqual([error.code, error.details.place], ['PlansRefused', place]);
  assert.match(String(error.details.why), why);
  return true;
};

describe('the versions of the table of plans', () => {
  it('hold from their date on, the first one before it too', () => {
    const book = new PlanBook([table(['a'], '1', 1000), table(['a'], '2', 2000)]);
    const at = (time: number) => book.at(time).version;
    assert.deepEqual([at(0), at(1000), at(1999), at(2000), at(9000)], ['1', '1', '1', '2', '2']);
    assert.deepEqual([book.turnsAfter(0), book.turnsAfter(1000), book.turnsAfter(2000)], [[1000, 2000], [2000], []]);
    assert.equal(new PlanBook().at(0), firstTable);
  });

  it('have one name and one date each, in order', () => {
    assert.throws(
      () => new PlanBook([table(['a'], '1', 5), table(['a'], '2', 5)]),
      refusal('versions[1].effective', /version 1 takes effect at the same time/),
    );
    assert.throws(
      () => new PlanBook([table(['a'], '1', 5), table(['a'], '2', 4)]),
      refusal('versions[1].effective', /before that of the version 1/),
    );
    assert.throws(
      () => new PlanBook([table(['a'], '1', 5), table(['a'], '2', 6), table(['a'], '1', 7)]),
      refusal('versions[2].version', /1 stands there twice/),
    );
  });

  it('say of every feature how every plan has it', () => {
    const whole = table(['a', 'b']);
    const without = (change: object): PlanTable => ({ ...whole, features: { ...whole.features, ...change } });
    const place = 'versions[0].features["zone.eu"]';
    assert.throws(() => new PlanBook([without({ 'zone.eu': undefined })]), refusal(place, /the feature is missing/));
    assert.throws(() => new PlanBook([without({ 'zone.eu': { a: 'included' } })]), refusal(place, /plan b is missing/));
    const more = { a: 'included', b: 'included', c: 'included' };
    assert.throws(() => new PlanBook([without({ 'zone.eu': more })]), refusal(place, /plan c is not among/));
    const free = { a: 'included', b: 'free' };
    assert.throws(() => new PlanBook([without({ 'zone.eu': free })]), refusal(`${place}.b`, /included, add-on/));
  });

  it('are bounded: planVersions, plansPerTable, planNameChars', () => {
    const versions = (count: number) => Array.from({ length: count }, (_, index) => table(['a'], `v${index}`, index));
    assert.equal(new PlanBook(versions(limits.planVersions)).versions.length, limits.planVersions);
    assert.throws(() => new PlanBook(versions(limits.planVersions + 1)), refusal('versions', /1 to 100, not 101/));
    assert.throws(() => new PlanBook([]), refusal('versions', /not 0/));
    const plans = (count: number) => [table(Array.from({ length: count }, (_, index) => `plan-${index}`))];
    new PlanBook(plans(limits.plansPerTable));
    assert.throws(() => new PlanBook(plans(limits.plansPerTable + 1)), refusal('versions[0].plans', /1 to 50, not 51/));
    assert.throws(() => new PlanBook(plans(0)), refusal('versions[0].plans', /not 0/));
    const name = 'x'.repeat(limits.planNameChars);
    new PlanBook([table([name], name)]);
    assert.throws(() => new PlanBook([table([`${name}x`])]), refusal('versions[0].plans[0]', /at most 32/));
    assert.throws(() => new PlanBook([table(['a'], `${name}x`)]), refusal('versions[0].version', /longer than 32/));
    for (const wrong of ['', 'Gold', '1st', 'a b', '-'])
      assert.throws(() => new PlanBook([table([wrong])]), refusal('versions[0].plans[0]', /small letters/));
    assert.throws(
      () => new PlanBook([table(['a', 'b', 'a'])]),
      refusal('versions[0].plans[2]', /a stands there twice/),
    );
  });
});
