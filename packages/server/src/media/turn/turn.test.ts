import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../lib/index.ts';
import { openTurn, type TurnOptions } from './turn.ts';

const said: string[] = [];
const options: TurnOptions = {
  mode: 'auto',
  bin: undefined,
  listen: ['127.0.0.1'],
  announced: ['127.0.0.1'],
  media: ['127.0.0.1'],
  clients: [],
  port: 3478,
  relayPorts: { first: 41_000, last: 41_999 },
  tls: null,
  development: true,
  credentialLife: 600_000,
  elsewhere: null,
  dataDir: '/nowhere',
  journal: { record: (_level, message) => void said.push(message) },
  clock: new ManualClock(1_800_000_000_000),
};

test('without coturn there is no server to tell of, and the log says so', async () => {
  const turn = await openTurn(options);
  assert.equal(turn.state, 'missing');
  assert.deepEqual(turn.iceServers('c'), []);
  assert.equal(turn.renewMs, null);
  assert.match(said.join(), /coturn is not installed/);
});

test('switched off it is not looked for', async () => {
  assert.equal((await openTurn({ ...options, mode: 'off' })).state, 'off');
});

test('required and not installed: no start', async () => {
  await assert.rejects(openTurn({ ...options, mode: 'require' }), {
    code: 'ConfigInvalid',
    message: /install the Debian package coturn/,
  });
});

test('one elsewhere gets credentials by the shared secret, for TURN alone', async () => {
  const urls = ['stun:t.example.org', 'turn:t.example.org:3478?transport=udp', 'turns:t.example.org:443?transport=tcp'];
  const turn = await openTurn({ ...options, elsewhere: { urls, secret: 'shared' } });
  assert.equal(turn.state, 'elsewhere');
  const [stun, relay] = turn.iceServers('c');
  assert.deepEqual(stun, { urls: urls.slice(0, 1) });
  assert.deepEqual(relay?.urls, urls.slice(1));
  assert.equal(relay?.username, '1800000600:c');
  assert.equal(turn.renewMs, 300_000);
});

test('STUN alone elsewhere needs no secret and no renewal', async () => {
  const turn = await openTurn({ ...options, elsewhere: { urls: ['stun:t.example.org'], secret: null } });
  assert.deepEqual(turn.iceServers('c'), [{ urls: ['stun:t.example.org'] }]);
  assert.equal(turn.renewMs, null);
});
