/** Every feature under every plan, with and without its add-on: what the rule says, and what the door to the feature does. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { limits } from '@cloister/protocol';
import {
  entitled,
  type Feature,
  features,
  firstTable,
  type Offer,
  offerOf,
} from '../../packages/server/src/core/index.ts';
import { makeCertificate } from './certificates.ts';
import { type TestPlatform, testPlatform } from './platform.ts';

const actor = { kind: 'operator', via: 'cli' } as const;
let certificate: string;

/** What needs a feature, tried for real. */
const gates: Partial<Record<Feature, (platform: TestPlatform) => Promise<unknown>>> = {
  'zone.us': ({ core, accountId }) => core.projects.create(actor, accountId, { zone: 'us' }),
  'zone.eu': ({ core, accountId }) => core.projects.create(actor, accountId, { zone: 'eu' }),
  'zone.de': ({ core, accountId }) => core.projects.create(actor, accountId, { zone: 'de' }),
  'archive.encryption': ({ core, projectId }) =>
    core.sealings.put(actor, projectId, { format: 'cloister', certificates: [certificate] }),
  'media.aes256': ({ core, projectId }) => core.projects.setPolicy(actor, projectId, 'require-aes256'),
};

/** As design and prices have it, written down a second time. */
const expected: Record<Feature, readonly [standard: Offer, growth: Offer, enterprise: Offer]> = {
  'hipaa.baa': ['add-on', 'add-on', 'included'],
  'zone.us': ['add-on', 'included', 'included'],
  'zone.eu': ['add-on', 'included', 'included'],
  'zone.de': ['add-on', 'add-on', 'included'],
  'archive.encryption': ['add-on', 'included', 'included'],
  'media.aes256': ['add-on', 'add-on', 'included'],
  'ip.ranges': ['not available', 'not available', 'included'],
};

describe('every feature, plan and add-on', () => {
  let platform: TestPlatform;
  before(async () => {
    platform = await testPlatform();
    certificate = await makeCertificate(limits.certificateRsaBitsMin);
  });
  after(() => platform.close());

  for (const feature of features) {
    for (const [at, plan] of firstTable.plans.entries()) {
      for (const bought of [false, true]) {
        const offer = expected[feature][at]!;
        if (bought && offer === 'not available') {
          it(`${plan} does not sell ${feature}`, async () => {
            const wish = { plan, addOns: [feature], force: true };
            const change = platform.core.accounts.changePlan(actor, platform.accountId, wish);
            await assert.rejects(change, {
              code: 'BadRequest',
              message: new RegExp(`${plan} does not sell.*${feature}`),
            });
          });
          continue;
        }
        const has = offer === 'included' || (offer === 'add-on' && bought);
        it(`${plan} ${bought ? 'with' : 'without'} ${feature}: ${has ? 'let in' : 'refused with the way in'}`, async () => {
          const { core, accountId } = platform;
          const addOns = bought ? [feature] : [];
          await core.accounts.changePlan(actor, accountId, { plan, addOns, force: true });
          const account = await core.accounts.get(accountId);
          assert.equal(offerOf(account, feature), offer);
          assert.equal(entitled(account, feature), has);
          assert.equal(await core.accounts.entitled(accountId, feature), has);
          const gate = gates[feature]?.(platform);
          if (!gate || has) return void (await gate);
          await assert.rejects(gate, (error: Error & { code: string; help: string }) => {
            assert.equal(error.code, 'NotEntitled');
            assert.ok(error.message.includes(feature) && error.message.includes(plan), error.message);
            assert.equal(error.help.includes(`Buy the add-on ${feature}`), offer === 'add-on');
            assert.match(error.help, /move to a plan that includes it: (growth, )?enterprise/i);
            return true;
          });
        });
      }
    }
  }
});
