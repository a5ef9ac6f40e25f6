/** `ipWhitelist`: what the client refuses by the list that it was given. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClientAddressList, JoinAnswer } from '@cloister/protocol';
import { AddressHold, holdOf } from './address-hold.ts';
import { iceFor } from './ice-config.ts';

const list: ClientAddressList = {
  version: '7-abc',
  blocks: [
    { prefix: '185.1.1.1/32', component: 'api', ports: [{ first: 443, last: 443 }], protocols: ['tcp'] },
    { prefix: '185.1.1.2/32', component: 'turn', ports: [{ first: 3478, last: 5349 }], protocols: ['udp', 'tcp'] },
    { prefix: '2a00:1450::/48', component: 'turn', ports: [{ first: 3478, last: 3478 }], protocols: ['udp'] },
    { prefix: '185.1.2.0/24', component: 'media', ports: [{ first: 40_000, last: 40_100 }], protocols: ['udp', 'tcp'] },
  ],
  names: { 'video.example': ['185.1.1.1'], 'turn.example': ['185.1.1.2', '185.9.9.9'], 'nowhere.example': [] },
};
const hold = new AddressHold(list);
const outside = { name: 'OT_ADDRESS_NOT_LISTED', message: /7-abc/ };

test('addresses of the API and of signalling are in the list, by number and by name', () => {
  for (const url of ['https://185.1.1.1', 'wss://video.example/signalling', 'https://video.example:443/x']) {
    hold.requireUrl(url);
  }
  for (const url of [
    'https://185.1.1.2',
    'http://185.1.1.1',
    'https://185.1.1.1:8443',
    'wss://other.example',
    'wss://nowhere.example',
    'wss://constructor',
  ]) {
    assert.throws(() => hold.requireUrl(url), outside, url);
  }
});

test('ICE servers are in the list with port and protocol, those of the application too', () => {
  const require = (...urls: string[]) => hold.requireServers([{ urls }]);
  require('stun:185.1.1.2', 'turn:185.1.1.2:3478?transport=tcp', 'turns:185.1.1.2', 'turn:[2a00:1450::1]:3478?transport=udp');
  for (const url of [
    'stun:185.1.1.2:80',
    'turn:185.1.1.3',
    'turn:[2a00:1450::1]?transport=tcp',
    'turn:[2a00:1451::1]',
    // One of its addresses is outside.
    'turn:turn.example',
    'stun:stun.l.google.com:19302',
    'http://185.1.1.2',
    'turn:185.1.1.2.:3478',
    'turn:0xb9.1.1.2',
  ]) {
    assert.throws(() => require('stun:185.1.1.2', url), outside, url);
  }
});

test('candidates are in the list', () => {
  const candidate = (address: string, port = 40_000, protocol = 'udp') => ({ address, ip: address, port, protocol });
  hold.requireOffer({ iceCandidates: [candidate('185.1.2.3'), candidate('::ffff:185.1.2.3', 40_100, 'tcp')] });
  for (const wrong of [
    candidate('185.1.3.3'),
    candidate('185.1.2.3', 40_101),
    candidate('185.1.1.1'),
    candidate('media'),
  ]) {
    assert.throws(() => hold.requireOffer({ iceCandidates: [candidate('185.1.2.3'), wrong] }), outside);
  }
});

test('a join is held to the list that came with it, and to one at all', () => {
  const joined = { signallingUrl: 'wss://video.example/', addressList: list } as unknown as JoinAnswer;
  holdOf(joined, 'https://video.example');
  assert.throws(() => holdOf(joined, 'https://elsewhere.example'), outside);
  assert.throws(
    () => holdOf({ ...joined, signallingUrl: 'wss://elsewhere.example' }, 'https://video.example'),
    outside,
  );
  const without = { signallingUrl: joined.signallingUrl } as unknown as JoinAnswer;
  assert.throws(() => holdOf(without, 'https://video.example'), { name: 'OT_ADDRESS_NOT_LISTED' });
});

test('a relayed session is held to relays, and a routed one is as the application wants', () => {
  const offered = { iceServers: [{ urls: ['turn:185.1.1.2'] }] };
  assert.equal(iceFor(undefined, { ...offered, mediaMode: 'relayed' }, hold).transportPolicy, 'relay');
  assert.equal(iceFor(undefined, { ...offered, mediaMode: 'relayed' }, null).transportPolicy, 'all');
  assert.equal(iceFor(undefined, { ...offered, mediaMode: 'routed' }, hold).transportPolicy, 'all');
  const custom = { includeServers: 'all', transportPolicy: 'all', customServers: [{ urls: 'turn:9.9.9.9' }] } as const;
  const config = { ...custom, customServers: [...custom.customServers] };
  assert.throws(() => iceFor(config, { ...offered, mediaMode: 'routed' }, hold), outside);
});
