/** The address list: its life under a moved clock, emergencies, versions, who has had which, and reminders. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { limits } from '@cloister/protocol';
import {
  type Actor,
  type AddressBlock,
  type AddressVersion,
  type BlockWish,
  type Event,
  publishedList,
  stateOf,
} from '../../packages/server/src/core/index.ts';
import { type TestPlatform, testPlatform } from './platform.ts';

const actor: Actor = { kind: 'operator', via: 'cli' };
const dayMs = 86_400_000;
const noticeMs = limits.addressNoticeDays * dayMs;
const media: BlockWish = {
  ...{ prefix: '185.1.2.0/24', component: 'media', zone: 'eu', line: 'enterprise' },
  ...{ ports: [{ first: 40_000, last: 40_100 }], protocols: ['udp', 'tcp'], effectiveAt: null },
};

let platform: TestPlatform;
beforeEach(async () => {
  platform = await testPlatform();
});
afterEach(() => platform.close());

const lists = () => platform.core.addressLists;
const announce = (wish: Partial<BlockWish> = {}, options = {}) =>
  lists().announce(actor, { ...media, ...wish }, options);
const blockOf = ({ blocks, blockId }: AddressVersion) => blocks.find(({ id }) => id === blockId)!;
const days = (count: number) => platform.clock.advance(count * dayMs);
const acknowledge = async (version: AddressVersion) => lists().acknowledge(platform.projectId, version.token);

/** Events of the list that were recorded so far, in order. */
async function recorded(): Promise<Event[]> {
  await platform.core.recorder.flush();
  const records = await platform.core.store.outbox.read('test', 1000);
  return records.flatMap(({ event }) => (event?.type.startsWith('addressList.') ? [event] : []));
}

describe('a block', () => {
  it('is announced 90 days before it takes effect, to the millisecond', async () => {
    const at = platform.clock.now() + noticeMs;
    for (const early of [at - 1, at - dayMs, platform.clock.now()]) {
      await assert.rejects(announce({ effectiveAt: early }), { code: 'AddressNoticeTooShort', message: /90 days/ });
    }
    assert.equal(await lists().last(), null);
    const version = await announce({ effectiveAt: at });
    assert.equal(blockOf(version).effectiveAt, at);
    assert.equal(limits.addressNoticeDays, 90);
  });

  it('goes from announced to effective to withdrawn as time passes', async () => {
    const announced = await announce();
    const { id } = blockOf(announced);
    const state = async () => stateOf((await lists().last())!.blocks[0]!, lists().now());
    assert.equal(await state(), 'announced');
    platform.clock.advance(noticeMs - 1);
    assert.equal(await state(), 'announced');
    platform.clock.advance(1);
    assert.equal(await state(), 'effective');
    const soon = platform.clock.now() + noticeMs - 1;
    await assert.rejects(lists().withdraw(actor, id, soon), { code: 'AddressNoticeTooShort' });
    await lists().withdraw(actor, id, soon + 1);
    days(89);
    assert.equal(await state(), 'effective');
    days(1);
    assert.equal(await state(), 'withdrawn');
    await assert.rejects(lists().withdraw(actor, id, null), { code: 'AddressBlockUnknown' });
  });

  it('overlaps no other, but for the same prefix with another component or other doors on the same line', async () => {
    await announce();
    const code = 'AddressPrefixOverlaps';
    await assert.rejects(announce(), { code });
    await assert.rejects(announce({ prefix: '185.1.0.0/16' }), { code });
    await assert.rejects(announce({ prefix: '185.1.2.9/32', component: 'turn' }), { code });
    await assert.rejects(announce({ component: 'turn', line: 'standard' }), { code });
    await announce({ component: 'turn' });
    await assert.rejects(announce({ ports: [{ first: 443, last: 40_000 }], protocols: ['tcp'] }), { code });
    await announce({ ports: [{ first: 443, last: 39_999 }], protocols: ['tcp'] });
    await announce({ ports: [{ first: 443, last: 39_999 }], protocols: ['udp'] });
    await announce({ prefix: '185.1.3.0/24' });
  });

  it('leaves its addresses free once it is withdrawn', async () => {
    const { id } = blockOf(await announce());
    days(90);
    await lists().withdraw(actor, id, null);
    const then = platform.clock.now() + noticeMs;
    await announce({ component: 'api', line: 'standard', effectiveAt: then });
  });

  it('has ports, protocols and a zone', async () => {
    const range = (first: number, last = first) => ({ first, last });
    const most = Array.from({ length: limits.addressPortRanges }, (_, index) => range(index + 1));
    await announce({ ports: most });
    const bad = [
      { ports: [...most, range(99)] },
      { ports: [] },
      { ports: [range(0)] },
      { ports: [range(2, 1)] },
      { ports: [range(65_536)] },
      { protocols: [] },
      { protocols: ['udp', 'udp'] as const },
      { zone: '' },
      { zone: 'a b' },
    ];
    for (const wrong of bad)
      await assert.rejects(announce({ prefix: '185.9.0.0/24', ...wrong }), { code: 'BadRequest' });
  });

  it('may be one of addressBlocks, and not one more', async () => {
    const blocks = Array.from({ length: limits.addressBlocks }, (_, index) => ({
      ...inEffect,
      id: `b${index}`,
      prefix: `185.${Math.floor(index / 250)}.${index % 250}.0/24`,
    }));
    const event = platform.core.recorder.stamp(actor, {
      ...{ type: 'addressList.changed', projectId: null, version: 'x', change: 'announced', blockId: 'b0' },
      ...{ prefix: '', line: 'enterprise', emergency: null },
    });
    const version = { number: 1, token: 'x', createdAt: 0, change: 'announced', blockId: 'b0' } as const;
    await platform.core.store.addresses.add({ ...version, blocks: blocks.slice(1) }, event, null);
    await announce({ prefix: '186.0.0.0/24' });
    await assert.rejects(announce({ prefix: '186.0.1.0/24' }), { code: 'LimitReached' });
  });
});

const inEffect: AddressBlock = {
  id: 'b0',
  ...{ prefix: '185.0.0.0/24', component: 'media', zone: 'eu', line: 'enterprise', ports: [], protocols: [] },
  ...{ announcedAt: 0, announcedIn: 1, effectiveAt: 0, emergency: null },
  ...{ withdrawalAnnouncedAt: null, withdrawalIn: null, withdrawnAt: null, withdrawalEmergency: null },
};

describe('the clock', () => {
  it('that is behind the last change lets nothing be announced or withdrawn', async () => {
    const first = await announce();
    platform.clock.advance(-1);
    const code = 'AddressClockTurnedBack';
    await assert.rejects(announce({ prefix: '185.1.3.0/24' }), { code });
    await assert.rejects(lists().withdraw(actor, first.blockId, null), { code });
    assert.equal((await lists().last())?.token, first.token);
    platform.clock.advance(1);
    await announce({ prefix: '185.1.3.0/24' });
  });

  it('turned back takes nothing out of effect', async () => {
    const version = await announce();
    days(90);
    assert.equal(stateOf(blockOf(version), lists().now()), 'effective');
    days(-30);
    assert.equal(stateOf(blockOf(version), lists().now()), 'effective');
  });
});

describe('the first blocks', () => {
  it('may be in effect at once while no project has fetched a list, and never after', async () => {
    const first = await announce({}, { first: true });
    assert.equal(stateOf(blockOf(first), lists().now()), 'effective');
    await announce({ prefix: '185.1.3.0/24' }, { first: true });
    await lists().fetch(platform.projectId, null);
    await assert.rejects(announce({ prefix: '185.1.4.0/24' }, { first: true }), { code: 'BadRequest' });
  });
});

describe('an emergency', () => {
  const propose = (by = 'Ada', reason = 'a provider fails', wish: Partial<BlockWish> = {}) =>
    lists().propose(actor, { change: { kind: 'announce', ...media, ...wish }, reason, by });

  it('needs a reason and two people', async () => {
    await assert.rejects(propose('Ada', ' '), { code: 'BadRequest', message: /reason/ });
    await assert.rejects(propose(' '), { code: 'BadRequest', message: /by/ });
    await assert.rejects(propose('Ada', 'x'.repeat(limits.addressReasonChars + 1)), { code: 'BadRequest' });
    await propose('Ada', 'x'.repeat(limits.addressReasonChars), { prefix: '185.9.9.0/24' });
    const { id } = await propose();
    assert.equal(await lists().last(), null, 'a proposal changes nothing');
    for (const same of ['Ada', ' ada ', 'ＡＤＡ']) {
      await assert.rejects(lists().approve(actor, id, same), {
        code: 'AddressApprovalRefused',
        message: /proposed it/,
      });
    }
    const version = await lists().approve(actor, id, 'Grace');
    const { emergency, effectiveAt } = blockOf(version);
    assert.deepEqual(emergency, { reason: 'a provider fails', proposedBy: 'Ada', approvedBy: 'Grace' });
    assert.equal(effectiveAt, platform.clock.now());
    await assert.rejects(lists().approve(actor, id, 'Linus'), { code: 'AddressApprovalRefused' });
  });

  it('that nobody approves for a day is none', async () => {
    const { id } = await propose();
    platform.clock.advance(limits.addressProposalHours * 3_600_000);
    assert.equal((await lists().proposals()).length, 1);
    platform.clock.advance(1);
    assert.deepEqual(await lists().proposals(), []);
    await assert.rejects(lists().approve(actor, id, 'Grace'), { code: 'AddressApprovalRefused' });
  });

  it('that could not be carried out is refused when it is proposed', async () => {
    await assert.rejects(propose('Ada', 'why', { prefix: '10.0.0.0/24' }), { code: 'AddressPrefixNotPublic' });
  });

  it('stands apart in the list that customers get, until its notice would have passed', async () => {
    const version = await lists().approve(actor, (await propose()).id, 'Grace');
    assert.deepEqual(publishedList(version).prefixes, []);
    assert.equal(publishedList(version).emergencies[0]?.emergency, 'a provider fails');
    assert.doesNotMatch(JSON.stringify(publishedList(version)), /Ada|Grace/);
    days(90);
    const later = await announce({ prefix: '185.1.3.0/24' });
    assert.deepEqual(publishedList(later).emergencies, []);
    assert.equal(publishedList(later).prefixes.length, 2);
  });

  it('can take a block out at once', async () => {
    const { id } = blockOf(await announce({}, { first: true }));
    const change = { kind: 'withdraw', blockId: id, at: null } as const;
    const proposal = await lists().propose(actor, { change, reason: 'hijacked', by: 'Ada' });
    const version = await lists().approve(actor, proposal.id, 'Grace');
    assert.equal(stateOf(blockOf(version), lists().now()), 'withdrawn');
  });
});

describe('versions', () => {
  it('are kept whole, with a history and what differs between any two', async () => {
    const one = await announce();
    days(1);
    const two = await announce({ prefix: '185.1.3.0/24' });
    days(1);
    const three = await lists().withdraw(actor, one.blockId, null);
    const history = await lists().history();
    assert.deepEqual(
      history.map(({ token, change }) => [token, change]),
      [three, two, one].map(({ token, change }) => [token, change]),
    );
    assert.deepEqual(await lists().version(one.token), one);
    const { added, changed, removed } = await lists().diff(one.token, null);
    assert.deepEqual(
      added.map(({ prefix }) => prefix),
      ['185.1.3.0/24'],
    );
    assert.deepEqual(
      changed.map(({ before, after }) => [before.withdrawnAt, after.withdrawnAt !== null]),
      [[null, true]],
    );
    assert.deepEqual(removed, []);
    const back = await lists().diff(two.token, one.token);
    assert.deepEqual(
      back.removed.map(({ prefix }) => prefix),
      ['185.1.3.0/24'],
    );
    await assert.rejects(lists().version('9-0000'), { code: 'AddressVersionUnknown' });
  });

  it('show addressHistory of the last ones', async () => {
    const { addresses } = platform.core.store;
    await announce();
    const { token } = await announce({ prefix: '185.1.3.0/24' });
    const asked: number[] = [];
    const { history } = addresses;
    const spy = (limit: number) => {
      asked.push(limit);
      return history(limit);
    };
    Object.assign(addresses, { history: spy });
    assert.equal((await lists().history()).length, 2);
    assert.deepEqual(asked, [limits.addressHistory]);
    assert.deepEqual(
      (await history(1)).map((each) => each.token),
      [token],
      'the newest ones',
    );
  });

  it('are made by one of two who change the list at once', async () => {
    const both = await Promise.allSettled([announce(), announce({ prefix: '185.1.3.0/24' })]);
    assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    const lost = both.find((each) => each.status === 'rejected');
    assert.equal(lost?.reason.code, 'AddressListChanged');
    assert.equal((await lists().last())?.blocks.length, 1);
  });

  it('hold the standard line apart from what customers get', async () => {
    const version = await announce({ line: 'standard' });
    assert.deepEqual(publishedList(version).prefixes, []);
  });

  it('have one event each, with who decided an emergency', async () => {
    const { token, blockId } = await announce();
    const [event, ...others] = await recorded();
    assert.deepEqual(others, []);
    assert.ok(event?.type === 'addressList.changed');
    assert.deepEqual([event.version, event.blockId, event.emergency], [token, blockId, null]);
    assert.equal(platform.acts.at(-1)?.subject.id, blockId);
  });
});

describe('a project', () => {
  it('without the entitlement gets nothing', async () => {
    await announce();
    await platform.core.accounts.changePlan(actor, platform.accountId, { plan: 'growth', addOns: [] });
    const code = 'NotEntitled';
    await assert.rejects(lists().fetch(platform.projectId, null), { code, message: /ip\.ranges/ });
    await assert.rejects(lists().acknowledge(platform.projectId, 'x'), { code });
    assert.deepEqual(await platform.core.addressReminders.behind(), []);
  });

  it('is behind until it has acknowledged the last version', async () => {
    const one = await announce();
    const behind = () => platform.core.addressReminders.behind();
    assert.deepEqual(
      (await behind()).map(({ fetched, acknowledged }) => [fetched, acknowledged]),
      [[0, 0]],
    );
    await lists().fetch(platform.projectId, null);
    assert.deepEqual(
      (await behind()).map(({ fetched, acknowledged }) => [fetched, acknowledged]),
      [[1, 0]],
    );
    await acknowledge(one);
    assert.deepEqual(await behind(), []);
    const two = await announce({ prefix: '185.1.3.0/24' });
    assert.deepEqual(
      (await behind()).map(({ acknowledged, nextAt }) => [acknowledged, nextAt]),
      [[1, blockOf(two).effectiveAt]],
    );
    await lists().fetch(platform.projectId, null);
    await lists().fetch(platform.projectId, null);
    const types = (await recorded()).map(({ type }) => type.split('.')[1]);
    assert.deepEqual(types, ['changed', 'fetched', 'acknowledged', 'changed', 'fetched'], 'each counts once');
  });

  it('that is removed leaves nothing of its receipts', async () => {
    await acknowledge(await announce());
    await platform.core.projects.remove(actor, platform.projectId);
    assert.deepEqual(await platform.core.store.addresses.receipts(), []);
  });
});

describe('reminders', () => {
  const reminded = async () =>
    (await recorded()).flatMap((event) => (event.type === 'addressList.reminded' ? [event.days] : []));
  const remind = () => platform.core.addressReminders.remind();

  it('go to who is behind, 30, 7 and 1 days before a change, once each', async () => {
    assert.deepEqual(
      [limits.addressReminderDaysFirst, limits.addressReminderDaysSecond, limits.addressReminderDaysLast],
      [30, 7, 1],
    );
    await announce();
    platform.clock.advance(60 * dayMs - 1);
    await remind();
    assert.deepEqual(await reminded(), []);
    platform.clock.advance(1);
    await remind();
    await remind();
    assert.deepEqual(await reminded(), [30]);
    days(23);
    await remind();
    days(6);
    await remind();
    await remind();
    assert.deepEqual(await reminded(), [30, 7, 1]);
    days(1);
    await remind();
    assert.deepEqual(await reminded(), [30, 7, 1]);
  });

  it('do not go to who has acknowledged the change', async () => {
    await acknowledge(await announce());
    days(85);
    await remind();
    assert.deepEqual(await reminded(), []);
  });

  it('come of themselves while the platform runs', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    await announce();
    days(61);
    platform.core.store.outbox.watch(resolve);
    platform.core.addressReminders.start();
    platform.clock.advance(0);
    await promise;
    assert.deepEqual(await reminded(), [30]);
    await platform.core.addressReminders.stop();
  });
});
