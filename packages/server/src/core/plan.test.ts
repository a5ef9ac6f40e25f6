import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { entitled, features, planNames, planTable, requireEntitled, requireSold } from './plan.ts';

describe('plans', () => {
  for (const feature of features) {
    for (const plan of planNames) {
      for (const bought of [false, true]) {
        const offer = planTable[feature][plan];
        const expected = offer === 'included' || (offer === 'add-on' && bought);
        it(`${plan} ${bought ? 'with' : 'without'} the add-on ${feature}: ${expected ? 'entitled' : 'refused'}`, () => {
          const terms = { plan, addOns: bought ? [feature] : [] };
          assert.equal(entitled(terms, feature), expected);
          if (expected) return requireEntitled(terms, feature);
          assert.throws(
            () => requireEntitled(terms, feature),
            (error: Error & { code: string; help: string }) =>
              error.code === 'NotEntitled' &&
              error.message.includes(feature) &&
              error.message.includes(plan) &&
              error.help.length > 0,
          );
        });
      }
    }
  }

  it('sells an add-on where the table has it, and refuses one that would be bought for nothing', () => {
    requireSold({ plan: 'standard', addOns: features.filter((feature) => feature !== 'ip.ranges') });
    requireSold({ plan: 'enterprise', addOns: features });
    assert.throws(() => requireSold({ plan: 'growth', addOns: ['zone.de', 'ip.ranges'] }), {
      code: 'BadRequest',
      message: /growth does not sell the add-on ip\.ranges/,
    });
  });

  it('holds the first table of the plans', () => {
    assert.equal(planTable['media.aes256'].standard, 'add-on');
    assert.equal(planTable['ip.ranges'].growth, 'not available');
    assert.equal(planTable['zone.de'].growth, 'add-on');
    assert.ok(features.every((feature) => planTable[feature].enterprise === 'included'));
  });
});
