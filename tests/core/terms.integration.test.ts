/** The terms of accounts: dated, previewed, never retroactive, and never taken from under a project unseen. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { limits } from '@cloister/protocol';
import {
  type Actor,
  type Event,
  features,
  firstTable,
  PlanBook,
  type PlanTable,
} from '../../packages/server/src/core/index.ts';
import { makeCertificate } from './certificates.ts';
import { type TestPlatform, testPlatform } from './platform.ts';

const operator: Actor = { kind: 'operator', via: 'cli' };
const day = 86_400_000;

/** For all tests that need no parts of their own; each has a new account in it. */
let own: TestPlatform;
let platform: TestPlatform;
let accountId: string;
let projectId: string;

async function use(plan: string, parts?: Parameters<typeof testPlatform>[1]) {
  if (parts) {
    platform = await testPlatform(plan, parts);
    ({ accountId, projectId } = platform);
    return;
  }
  const made = await platform.core.accounts.create(operator, { name: 'Test', plan });
  accountId = made.account.id;
  projectId = (await platform.core.projects.create(operator, accountId, { name: 'Test' })).project.id;
}
before(async () => {
  own = await testPlatform('standard');
});
after(() => own.close());
beforeEach(async () => {
  platform = own;
  await use('standard');
});
afterEach(async () => {
  if (platform !== own) await platform.close();
});

const change = (order: object, actor: Actor = operator) => platform.core.accounts.changePlan(actor, accountId, order);
const preview = (wish: object, actor: Actor = operator) => platform.core.accounts.preview(actor, accountId, wish);
const account = () => platform.core.accounts.get(accountId);
const itself = (): Actor => ({ kind: 'account', accountId });
const strict = () => platform.core.projects.setPolicy(operator, projectId, 'require-aes256');

/** The changes of terms in the outbox. */
async function told() {
  const found: Extract<Event, { type: 'account.planChanged' }>[] = [];
  for (const { event } of await platform.core.store.outbox.read('test', 1000)) {
    if (event?.type === 'account.planChanged' && event.accountId === accountId) found.push(event);
  }
  return found;
}

describe('a change of terms', () => {
  it('holds from its date on, by the clock alone', async () => {
    const { clock, core } = platform;
    const from = clock.now() + 30 * day;
    await change({ buy: ['media.aes256'], from });
    await assert.rejects(strict(), { code: 'NotEntitled' });
    clock.advance(30 * day - 1);
    await assert.rejects(strict(), { code: 'NotEntitled' });
    clock.advance(1);
    await strict();
    assert.deepEqual((await account()).addOns, ['media.aes256']);
    assert.deepEqual((await core.accounts.list()).find(({ id }) => id === accountId)?.addOns, ['media.aes256']);
  });

  it('goes beside one that waits, and each takes effect on its date', async () => {
    const { clock } = platform;
    await change({ plan: 'growth', from: clock.now() + 10 * day });
    await change({ buy: ['zone.de'] });
    const now = await account();
    assert.deepEqual([now.plan, now.addOns, now.version], ['standard', ['zone.de'], 3]);
    clock.advance(10 * day);
    const then = await account();
    assert.deepEqual([then.plan, then.addOns], ['growth', ['zone.de']]);
  });

  it('is kept as it was decided, after a restart too', async () => {
    const { core, clock } = platform;
    await change({ plan: 'growth', addOns: ['zone.de'], from: clock.now() + day });
    const { changes } = await core.accounts.history(accountId);
    assert.deepEqual(
      changes.map(({ version, plan, addOns, by }) => [version, plan, addOns, by]),
      [
        [1, 'standard', [], 'operator'],
        [2, 'growth', ['zone.de'], 'operator'],
      ],
    );
    assert.deepEqual((await core.store.accounts.get(accountId))?.changes, changes);
  });

  it('is one event, with what holds from when on', async () => {
    await change({ plan: 'growth', from: platform.clock.now() + day });
    const [event, ...more] = await told();
    assert.equal(more.length, 0);
    const { version, effectiveAt, plan, addOns, forced, lost } = event!;
    assert.deepEqual([version, plan, addOns, forced, lost], [2, 'growth', [], false, []]);
    assert.equal(effectiveAt, platform.clock.now() + day);
  });

  it('is never for a time that has passed, nor decided by a clock that went back', async () => {
    const { clock } = platform;
    await assert.rejects(change({ plan: 'growth', from: clock.now() - 1 }), { code: 'TermsRetroactive' });
    await change({ plan: 'growth', from: clock.now() });
    clock.advance(-1000);
    await assert.rejects(change({ plan: 'standard' }), {
      code: 'TermsRetroactive',
      message: /the clock of the server/,
    });
    clock.advance(1000);
    assert.equal((await told()).length, 1);
  });

  it('is refused whole where any part of it makes no sense', async () => {
    await assert.rejects(change({ plan: 'gold' }), { code: 'PlanUnknown', message: /gold.*standard, growth/ });
    await assert.rejects(change({ buy: ['ip.ranges'] }), { code: 'BadRequest', message: /does not sell/ });
    await assert.rejects(change({}), { code: 'BadRequest', message: /no plan and no add-on/ });
    await assert.rejects(change({ buy: ['zone.us'], drop: ['zone.us'] }), { code: 'BadRequest', message: /at once/ });
    await assert.rejects(change({ drop: ['zone.us'] }), { code: 'BadRequest', message: /not among the add-ons/ });
    assert.equal((await account()).version, 1);
  });

  it('that would make a later one senseless is refused', async () => {
    await use('enterprise');
    await change({ plan: 'growth', from: platform.clock.now() + day });
    await assert.rejects(change({ buy: ['ip.ranges'] }), { code: 'BadRequest', message: /growth does not sell/ });
  });

  it('is refused to the second of two operators who saw the same terms', async () => {
    const { version } = await preview({ plan: 'growth' });
    const both = await Promise.allSettled([change({ plan: 'growth', version }), change({ buy: ['zone.de'], version })]);
    assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    const refused = both.find((each) => each.status === 'rejected');
    assert.deepEqual([refused?.reason.code, refused?.reason.details], ['TermsChanged', { version: 2, expected: 1 }]);
    assert.equal((await told()).length, 1);
  });

  it('waits in bounded number and time: termsWaiting, termsAheadDays', async () => {
    const { clock } = platform;
    const ahead = limits.termsAheadDays * day;
    await assert.rejects(change({ plan: 'growth', from: clock.now() + ahead + 1 }), { code: 'BadRequest' });
    for (let count = 0; count < limits.termsWaiting; count += 1) {
      await change({ plan: 'growth', from: clock.now() + ahead - count });
    }
    const more = change({ plan: 'growth', from: clock.now() + day });
    await assert.rejects(more, {
      code: 'LimitReached',
      details: { limit: 'termsWaiting', value: limits.termsWaiting },
    });
    await change({ buy: ['zone.de'] });
  });
});

describe('a preview of a change of terms', () => {
  it('says what is won and lost, when, and changes nothing', async () => {
    const { clock } = platform;
    const from = clock.now() + day;
    const seen = await preview({ plan: 'growth', addOns: ['media.aes256'], from });
    assert.deepEqual(seen.before, { plan: 'standard', addOns: [] });
    assert.deepEqual(seen.after, { plan: 'growth', addOns: ['media.aes256'] });
    const names = ['zone.us', 'zone.eu', 'archive.encryption', 'media.aes256'];
    assert.deepEqual(
      seen.won,
      names.map((feature) => ({ feature, at: from })),
    );
    assert.deepEqual([seen.lost, seen.uses, seen.version], [[], [], 1]);
    assert.equal((await account()).version, 1);
  });

  it('looks past the date of the change: what a later one would have given is lost from then on', async () => {
    const { clock } = platform;
    const later = clock.now() + 10 * day;
    await change({ buy: ['zone.de'], from: later });
    const seen = await preview({ drop: ['zone.de'], from: later });
    assert.deepEqual(seen.lost, [{ feature: 'zone.de', at: later }]);
  });

  it('names each project that uses what is lost', async () => {
    await use('enterprise', {
      featureUses: { 'ip.ranges': async ({ name }) => (name === 'Test' ? 'fetches the list' : null) },
    });
    const { core } = platform;
    const us = await core.projects.create(operator, accountId, { zone: 'us' });
    const sealed = await core.projects.create(operator, accountId, {});
    const certificates = [await makeCertificate(limits.certificateRsaBitsMin)];
    await core.sealings.put(operator, sealed.project.id, { format: 'cloister', certificates });
    await strict();
    const seen = await preview({ plan: 'standard' });
    assert.deepEqual(
      seen.lost.map(({ feature }) => feature),
      features,
    );
    assert.deepEqual(seen.uses, [
      { feature: 'zone.us', projectId: us.project.id, what: 'is in the zone us' },
      { feature: 'archive.encryption', projectId: sealed.project.id, what: 'has an archive sealing' },
      { feature: 'media.aes256', projectId, what: 'has the media policy require-aes256' },
      { feature: 'ip.ranges', projectId, what: 'fetches the list' },
    ]);
  });

  it('finds the certificate of a storage too', async () => {
    await use('enterprise');
    const { core } = platform;
    const certificate = await makeCertificate(limits.certificateRsaBitsMin);
    const config = { accessKey: 'key', secretKey: 'secret', bucket: 'recordings' };
    await core.storages.put(operator, projectId, { type: 's3', config, certificate });
    const { uses } = await preview({ plan: 'standard' });
    assert.deepEqual(uses, [{ feature: 'archive.encryption', projectId, what: 'has a storage with a certificate' }]);
  });
});

describe('a change that takes away what a project uses', () => {
  it('is refused with the project, until that is resolved', async () => {
    await change({ buy: ['media.aes256'] });
    await strict();
    const refused = {
      code: 'FeatureInUse',
      message: new RegExp(`media.aes256: project ${projectId} has the`),
    };
    await assert.rejects(change({ drop: ['media.aes256'] }), refused);
    await assert.rejects(change({ drop: ['media.aes256'], from: platform.clock.now() + day }), refused);
    assert.deepEqual((await account()).addOns, ['media.aes256']);
    await platform.core.projects.setPolicy(operator, projectId, 'prefer-aes256');
    await change({ drop: ['media.aes256'] });
    await assert.rejects(strict(), { code: 'NotEntitled' });
  });

  it('can be forced by the operator, and its event says so', async () => {
    await change({ buy: ['media.aes256'] });
    await strict();
    await change({ drop: ['media.aes256'], force: true });
    const [, forced] = await told();
    assert.deepEqual([forced?.forced, forced?.lost], [true, ['media.aes256']]);
    assert.deepEqual((await account()).addOns, []);
  });

  it('is known to whoever reads the terms, when it is of a date to come', async () => {
    const { core, clock } = platform;
    await change({ buy: ['media.aes256'] });
    const at = clock.now() + day;
    await change({ drop: ['media.aes256'], from: at });
    await strict();
    const { ends } = await core.accounts.history(accountId);
    assert.deepEqual(ends, [{ feature: 'media.aes256', projectId, what: 'has the media policy require-aes256', at }]);
  });

  it('meets no use that begins meanwhile: one of the two is refused', async () => {
    await change({ buy: ['media.aes256'] });
    for (let round = 0; round < 10; round += 1) {
      const steps = [() => strict(), () => change({ drop: ['media.aes256'] })];
      if (round % 2) steps.reverse();
      const ends = await Promise.allSettled(steps.map((step) => step()));
      assert.equal(ends.filter(({ status }) => status === 'fulfilled').length, 1, `round ${round}`);
      const { addOns } = await account();
      const { policy } = await platform.core.projects.get(projectId);
      assert.equal(policy === 'require-aes256', addOns.includes('media.aes256'), `round ${round}`);
      await platform.core.projects.setPolicy(operator, projectId, 'prefer-aes256');
      if (addOns.length === 0) await change({ buy: ['media.aes256'] });
    }
  });

  it('names termsUsesNamed projects, and how many more there are', async () => {
    await use('growth');
    const { core } = platform;
    for (let count = 0; count <= limits.termsUsesNamed; count += 1) {
      if (count === limits.termsUsesNamed) {
        const exact = change({ plan: 'standard' });
        await assert.rejects(exact, (error: Error) => !/more/.test(error.message) && /zone\.eu/.test(error.message));
      }
      await core.projects.create(operator, accountId, { zone: 'eu' });
    }
    await assert.rejects(change({ plan: 'standard' }), { code: 'FeatureInUse', message: /zone eu; and 1 more$/ });
  });
});

describe('an account', () => {
  it('buys and drops add-ons itself, and nothing else', async () => {
    await change({ buy: ['media.aes256'] }, itself());
    await change({ drop: ['media.aes256'] }, itself());
    const by = (await platform.core.accounts.history(accountId)).changes.map((each) => each.by);
    assert.deepEqual(by, ['operator', 'account', 'account']);
    for (const order of [{ plan: 'growth' }, { addOns: ['zone.us'] }, { buy: ['zone.us'], force: true }]) {
      await assert.rejects(change(order, itself()), { code: 'OperatorOnly' });
    }
    await assert.rejects(preview({ plan: 'growth' }, itself()), { code: 'OperatorOnly' });
    for (const actor of [
      { kind: 'account', accountId: '1' },
      { kind: 'project', projectId: projectId },
    ] as const) {
      await assert.rejects(change({ buy: ['zone.us'] }, actor), { code: 'OperatorOnly', message: /another account/ });
    }
  });

  it('changes its terms termsChangesPerDay times a day; the operator is not kept from it', async () => {
    for (let count = 0; count < limits.termsChangesPerDay; count += 1) {
      await change(count % 2 ? { drop: ['zone.us'] } : { buy: ['zone.us'] }, itself());
    }
    await assert.rejects(change({ buy: ['zone.us'] }, itself()), {
      code: 'LimitReached',
      message: /termsChangesPerDay/,
    });
    await change({ buy: ['zone.us'] });
    platform.clock.advance(day);
    await change({ drop: ['zone.us'] }, itself());
  });
});

describe('a table of plans with several versions', () => {
  const from = Date.parse('2030-01-01');
  const poorer: PlanTable = {
    ...firstTable,
    version: 'poorer',
    effectiveAt: from,
    features: {
      ...firstTable.features,
      'zone.eu': { standard: 'not available', growth: 'add-on', enterprise: 'included' },
    },
  };

  it('takes over on its date, and what that ends is known before', async () => {
    await use('growth', { plans: new PlanBook([firstTable, poorer]), startAt: from - day });
    const { core, clock } = platform;
    const { project } = await core.projects.create(operator, accountId, { zone: 'eu' });
    const what = { feature: 'zone.eu', projectId: project.id, what: 'is in the zone eu' };
    assert.deepEqual((await core.accounts.history(accountId)).ends, [{ ...what, at: from }]);
    await change({ buy: ['zone.eu'], from });
    assert.deepEqual((await core.accounts.history(accountId)).ends, []);
    clock.advance(day);
    assert.equal(await core.accounts.entitled(accountId, 'zone.eu'), true);
    await assert.rejects(change({ plan: 'standard' }), {
      code: 'BadRequest',
      message: /standard does not sell.*zone.eu/,
    });
  });

  it('is refused at the start where an account would be on a plan that it has not', async () => {
    const plans = ['growth', 'enterprise'];
    const rest = Object.fromEntries(
      features.map((feature) => [feature, { growth: 'included', enterprise: 'included' }]),
    ) as unknown as PlanTable['features'];
    const without: PlanTable = { version: 'without', effectiveAt: from, plans, features: rest };
    await use('standard', { plans: new PlanBook([firstTable, without]), startAt: from - 10 * day });
    const { core } = platform;
    const message = new RegExp(`version without.*account ${accountId} is on the plan standard`);
    await assert.rejects(core.accounts.requireKnownPlans(), { code: 'PlansRefused', message });
    await change({ plan: 'growth', from: from - day });
    await core.accounts.requireKnownPlans();
  });
});
