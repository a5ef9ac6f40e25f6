import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { entitled, features, firstTable, requireEntitled, requireSold } from './plan.ts';

const table = firstTable;

describe('plans', () => {
  for (const feature of features) {
    for (const plan of table.plans) {
      for (const bought of [false, true]) {
        const offer = table.features[feature][plan];
        const expected = offer === 'included' || (offer === 'add-on' && bought);
        it(`${plan} ${bought ? 'with' : 'without'} the add-on ${feature}: ${expected ? 'entitled' : 'refused'}`, () => {
          const terms = { plan, addOns: bought ? [feature] : [], table };
          assert.equal(entitled(terms, feature), expected);
          if (expected) return requireEntitled(terms, feature);
          assert.throws(
            () => requireEntitled(terms, feature),
            (error: Error & { code: string; help: string }) =>
              error.code === 'NotEntitled' &&
              error.message.includes(feature) &&
              error.message.includes(plan) &&
              error.help.includes('enterprise') &&
              error.help.includes('add-on') === (offer === 'add-on'),
          );
        });
      }
    }
  }

  it('sells an add-on where the table has it, and refuses one that would be bought for nothing', () => {
    requireSold({ plan: 'standard', addOns: features.filter((feature) => feature !== 'ip.ranges'), table });
    requireSold({ plan: 'enterprise', addOns: features, table });
    assert.throws(() => requireSold({ plan: 'growth', addOns: ['zone.de', 'ip.ranges'], table }), {
      code: 'BadRequest',
      message: /growth does not sell the add-on ip\.ranges/,
    });
    assert.throws(() => requireSold({ plan: 'gold', addOns: [], table }), {
      code: 'PlanUnknown',
      message: /gold.*standard, growth, enterprise/,
    });
  });

  it('has nothing for a plan that the table does not know, and names no way where there is none', () => {
    for (const feature of features) assert.equal(entitled({ plan: 'gold', addOns: [feature], table }, feature), false);
    const nobody = { ...table, features: { ...table.features, 'ip.ranges': { standard: 'not available' } as const } };
    assert.throws(() => requireEntitled({ plan: 'standard', addOns: [], table: nobody }, 'ip.ranges'), {
      code: 'NotEntitled',
      help: /No plan includes it/,
    });
  });

  it('holds the first table of the plans', () => {
    assert.equal(table.features['media.aes256'].standard, 'add-on');
    assert.equal(table.features['ip.ranges'].growth, 'not available');
    assert.equal(table.features['zone.de'].growth, 'add-on');
    assert.ok(features.every((feature) => table.features[feature].enterprise === 'included'));
  });
});
