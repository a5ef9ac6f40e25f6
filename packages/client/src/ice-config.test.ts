import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkIceConfig, type IceConfig, iceServersOf, transportPolicyOf } from './ice-config.ts';

const offered = [{ urls: ['turn:platform'], username: 'u', credential: 'c' }];
const own: IceConfig = {
  includeServers: 'all',
  transportPolicy: 'all',
  customServers: [{ urls: 'turn:mine', username: 'me', credential: 'x' }],
};

test("the platform's servers, the application's beside them, or its alone", () => {
  assert.deepEqual(iceServersOf(undefined, offered), offered);
  const mine = { urls: ['turn:mine'], username: 'me', credential: 'x' };
  assert.deepEqual(iceServersOf(own, offered), [mine, ...offered]);
  assert.deepEqual(iceServersOf({ ...own, includeServers: 'custom' }, offered), [mine]);
});

test('relays only, but none named, is refused', () => {
  const none: IceConfig = { includeServers: 'custom', transportPolicy: 'relay', customServers: [] };
  assert.throws(() => iceServersOf(none, offered), { name: 'OT_INVALID_PARAMETER' });
  assert.throws(() => checkIceConfig(none), { name: 'OT_INVALID_PARAMETER' });
  assert.equal(transportPolicyOf(none), 'relay');
  assert.equal(transportPolicyOf(undefined), 'all');
});

test('relays only, and the platform has none either, is refused; one of either is enough', () => {
  const relays: IceConfig = { includeServers: 'all', transportPolicy: 'relay', customServers: [] };
  const stun = [{ urls: ['stun:platform'] }];
  assert.doesNotThrow(() => checkIceConfig(relays));
  assert.throws(() => iceServersOf(relays, []), { name: 'OT_INVALID_PARAMETER' });
  assert.throws(() => iceServersOf(relays, stun), { name: 'OT_INVALID_PARAMETER' });
  assert.deepEqual(iceServersOf(relays, offered), offered);
  const [mine] = iceServersOf({ ...own, transportPolicy: 'relay' }, stun);
  assert.deepEqual(mine?.urls, ['turn:mine']);
});
