/** What a node hands to a project that uses the address list is in effect in it, or is not handed out. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { limits } from '@cloister/protocol';
import type { Actor, AddressLine, BlockWish } from '../../packages/server/src/core/index.ts';
import { iceRenewMs, settled, type TestPlatform, testPlatform } from './platform.ts';

const actor: Actor = { kind: 'operator', via: 'cli' };
const dayMs = 86_400_000;
const port = (first: number, last = first) => ({ first, last });
const base = { zone: 'eu', line: 'enterprise', effectiveAt: null } as const;
const blocks = {
  api: { ...base, prefix: '185.1.1.1/32', component: 'api', ports: [port(443)], protocols: ['tcp'] },
  turn: { ...base, prefix: '185.1.1.2/32', component: 'turn', ports: [port(3478)], protocols: ['udp', 'tcp'] },
  media: {
    ...base,
    prefix: '185.1.2.0/24',
    component: 'media',
    ports: [port(40_000, 40_100)],
    protocols: ['udp', 'tcp'],
  },
} as const satisfies Record<string, BlockWish>;
const names: Record<string, string[]> = { 'video.example': ['185.1.1.1'] };

function open(line: AddressLine = 'enterprise', signallingUrl = 'wss://video.example/signalling') {
  const turnUrls = ['stun:185.1.1.2:3478', 'turn:185.1.1.2:3478?transport=udp', 'turn:185.1.1.2?transport=tcp'];
  const addresses = { line, addressesOf: (host: string) => names[host] ?? [] };
  return testPlatform('enterprise', { addresses, turnUrls, signallingUrl });
}

const candidate = (address: string, at = 40_001, protocol = 'udp') => ({ address, ip: address, port: at, protocol });

async function join(platform: TestPlatform, mediaMode: 'routed' | 'relayed' = 'routed', wish = {}) {
  const { projects, calls } = platform.core;
  const [secret] = await projects.secretsOf(platform.projectId);
  const session = await platform.session({ mediaMode });
  const who = { projectId: platform.projectId, sessionId: session.id, secretId: secret!.id };
  const claims = { ...who, role: 'publisher', connectionData: '', layoutClasses: [] } as const;
  return calls.join(claims, 'wss://elsewhere.example/signalling', wish);
}

const refused = (what: RegExp) => ({ code: 'AddressNotListed', message: what });

describe('on the enterprise line', () => {
  let platform: TestPlatform;
  const lists = () => platform.core.addressLists;
  before(async () => {
    platform = await open();
  });
  after(() => platform.close());

  it('nobody joins before the list has the addresses, each of which is named', async () => {
    await assert.rejects(join(platform), refused(/signalling address video\.example/));
    await lists().announce(actor, blocks.api, { first: true });
    await assert.rejects(join(platform), refused(/ICE server 185\.1\.1\.2 .*\(turn, udp 3478\)/));
    await lists().announce(actor, { ...blocks.turn, protocols: ['udp'] }, { first: true });
    await assert.rejects(join(platform), refused(/ICE server 185\.1\.1\.2 .*\(turn, tcp 3478\)/));
    await lists().announce(actor, { ...blocks.turn, prefix: '185.1.1.3/32' }, { first: true });
    await assert.rejects(join(platform), refused(/185\.1\.1\.2/));
  });

  it('a block that is only announced does not count', async () => {
    const { blocks: now } = (await lists().last())!;
    const udp = now.find(({ prefix }) => prefix === '185.1.1.2/32')!;
    const change = { kind: 'withdraw', blockId: udp.id, at: null } as const;
    const { id } = await lists().propose(actor, { change, reason: 'wrong protocols', by: 'Ada' });
    await lists().approve(actor, id, 'Grace');
    await lists().announce(actor, blocks.turn);
    await assert.rejects(join(platform), refused(/185\.1\.1\.2/));
    platform.clock.advance(limits.addressNoticeDays * dayMs - 1);
    await assert.rejects(join(platform), refused(/185\.1\.1\.2/));
    platform.clock.advance(1);
    assert.equal((await join(platform)).signallingUrl, 'wss://video.example/signalling');
  });

  it('a transport is offered at addresses in effect alone', async () => {
    await lists().announce(actor, blocks.media, { first: true });
    const alice = await platform.enter(await platform.session());
    const ask = () => alice.client.actions.openTransport({ direction: 'send' });
    platform.offered.candidates = [candidate('185.1.2.9'), candidate('185.1.2.9', 40_100, 'tcp')];
    await ask();
    for (const wrong of [
      candidate('185.1.3.9'),
      candidate('185.1.2.9', 40_101),
      candidate('185.1.1.1'),
      candidate('::1'),
    ]) {
      platform.offered.candidates = [candidate('185.1.2.9'), wrong];
      await assert.rejects(ask(), refused(new RegExp(`media address ${wrong.address} `)));
    }
    platform.offered.candidates = [];
  });

  it('TOK14 a client that holds to the list by itself gets it with its answer', async () => {
    assert.equal((await join(platform)).addressList, undefined);
    const { addressList } = await join(platform, 'routed', { ipWhitelist: true });
    assert.equal(addressList?.version, (await lists().last())!.token);
    const shown = addressList?.blocks.map(({ prefix, component }) => `${component} ${prefix}`).sort();
    assert.deepEqual(shown, ['api 185.1.1.1/32', 'media 185.1.2.0/24', 'turn 185.1.1.2/32', 'turn 185.1.1.3/32']);
    assert.deepEqual(addressList?.names, names);
  });

  it('a project without the entitlement joins anywhere, and gets no list', async () => {
    names['video.example'] = ['185.7.7.7'];
    await assert.rejects(join(platform), refused(/185\.7\.7\.7/));
    await platform.core.accounts.changePlan(actor, platform.accountId, { plan: 'growth', addOns: [] });
    await join(platform);
    await assert.rejects(join(platform, 'routed', { ipWhitelist: true }), { code: 'AddressListMissing' });
    await platform.core.accounts.changePlan(actor, platform.accountId, { plan: 'enterprise', addOns: [] });
    names['video.example'] = ['185.1.1.1'];
    await join(platform);
  });

  it('a name with one address outside is refused, and so is one that leads nowhere', async () => {
    names['video.example'] = ['185.1.1.1', '185.1.1.9'];
    await assert.rejects(join(platform), refused(/185\.1\.1\.9/));
    names['video.example'] = [];
    await assert.rejects(join(platform), refused(/video\.example/));
    names['video.example'] = ['185.1.1.1'];
  });

  it('relays that are withdrawn are not handed out again to who is there', async () => {
    const alice = await platform.enter(await platform.session());
    platform.clock.advance(iceRenewMs);
    await settled();
    assert.equal(alice.data('iceServers').length, 1);
    const last = (await lists().last())!;
    const turn = last.blocks.find(({ prefix, withdrawnAt }) => prefix === '185.1.1.2/32' && withdrawnAt === null)!;
    const change = { kind: 'withdraw', blockId: turn.id, at: null } as const;
    const { id } = await lists().propose(actor, { change, reason: 'hijacked', by: 'Ada' });
    await lists().approve(actor, id, 'Grace');
    platform.clock.advance(iceRenewMs);
    await settled();
    assert.equal(alice.data('iceServers').length, 1);
  });
});

describe('an emergency', () => {
  it('is used for those alone who acknowledged it, and each use is in the record', async () => {
    const platform = await open();
    const { addressLists, recorder, store } = platform.core;
    await addressLists.announce(actor, blocks.api, { first: true });
    const change = { kind: 'announce', ...blocks.turn } as const;
    const { id } = await addressLists.propose(actor, { change, reason: 'a provider fails', by: 'Ada' });
    const version = await addressLists.approve(actor, id, 'Grace');
    await assert.rejects(join(platform), refused(/185\.1\.1\.2/));
    await addressLists.fetch(platform.projectId, null);
    await assert.rejects(join(platform), refused(/185\.1\.1\.2/), 'to have fetched it is not enough');
    await addressLists.acknowledge(platform.projectId, version.token);
    const answers = [await join(platform), await join(platform)];
    const used = async () => {
      await recorder.flush();
      return (await store.outbox.read('test', 1000)).flatMap(({ event }) =>
        event?.type === 'addressList.emergencyUsed' ? [event] : [],
      );
    };
    const seen = (await used()).map(({ connectionId, blockId, reason }) => [connectionId, blockId, reason]);
    assert.deepEqual(
      seen,
      answers.map(({ connectionId }) => [connectionId, version.blockId, 'a provider fails']),
    );
    assert.deepEqual(platform.acts.at(-1)?.subject, { kind: 'addressBlock', id: version.blockId });
    platform.clock.advance(limits.addressNoticeDays * dayMs);
    await join(platform);
    assert.equal((await used()).length, 2, 'it is none any more');
    await platform.close();
  });
});

describe('elsewhere', () => {
  it('on the standard line a project that uses the list is refused', async () => {
    const platform = await open('standard');
    await assert.rejects(join(platform), { code: 'AddressLineRefused' });
    await platform.close();
  });

  it('on no line nothing is held to a list, and there is none to hold to', async () => {
    const platform = await testPlatform();
    await join(platform);
    await assert.rejects(join(platform, 'routed', { ipWhitelist: true }), { code: 'AddressListMissing' });
    await platform.close();
  });
});
