/** What `cloister ip-ranges check` says of a list, towards doors that this test opens and shuts. */
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { limits } from '@cloister/protocol';
import { ManualClock, systemClock } from '../lib/index.ts';
import { addressesOf, type Checked, checkRangesCommand, readList } from './ip-ranges-check.ts';
import { reachTcp, reachUdp } from './reach.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cloister-check-'));
let tcp: Server;
let stun: Socket;
let silent: Socket;
const portOf = (of: Server | Socket) => (of.address() as AddressInfo).port;

before(async () => {
  tcp = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  stun = createSocket('udp4').bind(0, '127.0.0.1');
  silent = createSocket('udp4').bind(0, '127.0.0.1');
  await Promise.all([tcp, stun, silent].map((each) => once(each, 'listening')));
  stun.on('message', (asked, { address, port }) => {
    const answer = Buffer.from(asked.subarray(0, 20));
    answer.writeUInt16BE(0x0101, 0);
    stun.send(answer, port, address);
  });
});
after(() => {
  for (const each of [tcp, stun, silent]) each.close();
  rmSync(folder, { recursive: true, force: true });
});

const past = '2020-01-01T00:00:00.000Z';
const block = (component: string, port: number | string, protocols: string[], wish = {}) => ({
  ...{ prefix: '127.0.0.1/32', component, ports: [String(port)], protocols, effectiveAt: past, withdrawnAt: null },
  ...wish,
});

async function check(prefixes: object[], emergencies: object[] = []) {
  const source = path.join(folder, 'list.json');
  writeFileSync(source, JSON.stringify({ type: 'cloister-ip-ranges', version: '1-a', prefixes, emergencies }));
  return checkRangesCommand({ source }, { fetch, clock: systemClock });
}

const shown = ({ component, protocol, result, loses }: Checked) => [component, protocol, result, loses !== null];

test('what is open is reached, and what is shut is named with what a call loses', async () => {
  const shut = createServer().listen(0, '127.0.0.1');
  await once(shut, 'listening');
  const nowhere = portOf(shut);
  shut.close();
  const result = await check([
    block('api', portOf(tcp), ['tcp']),
    block('turn', portOf(stun), ['udp']),
    block('turn', nowhere, ['tcp']),
    block('media', nowhere, ['udp', 'tcp']),
  ]);
  assert.deepEqual(result.checked.map(shown), [
    ['api', 'tcp', 'reached', false],
    ['turn', 'udp', 'reached', false],
    ['turn', 'tcp', 'refused', true],
    ['media', 'udp', 'not tried', false],
    ['media', 'tcp', 'refused', true],
  ]);
  assert.equal(result.missing, 2);
  assert.match(String(result.note), /--api-key/);
  assert.match(String(result.checked[2]?.loses), /last way/);
});

test('without the API no call is possible, whatever else is open', async () => {
  const { calls, missing } = await check([block('turn', portOf(stun), ['udp'])]);
  assert.deepEqual([calls, missing], ['no call is possible', 0]);
});

test('what is announced or withdrawn is not tried', async () => {
  const later = { effectiveAt: '2999-01-01T00:00:00.000Z' };
  const { checked } = await check([block('api', 1, ['tcp'], later), block('api', 1, ['tcp'], { withdrawnAt: past })]);
  assert.deepEqual(checked.map(shown), [['api', 'tcp', 'not tried', false]]);
});

test('a range is open where one of its first ports answers', async () => {
  const port = portOf(tcp);
  const { checked } = await check([block('api', `${port - 1}-${port + 1}`, ['tcp'])]);
  assert.equal(checked[0]?.result, 'reached');
});

test('of a block addressProbes addresses are tried, or as many as it has', () => {
  assert.deepEqual(addressesOf('185.1.2.3/32'), ['185.1.2.3']);
  assert.equal(addressesOf('185.1.2.16/28').length, limits.addressProbes);
  const many = addressesOf('185.1.2.0/27');
  assert.deepEqual([many.length, many[0], many.at(-1)], [limits.addressProbes, '185.1.2.0', '185.1.2.15']);
  assert.equal(addressesOf('2a00::/32')[1], '2a00::1');
  assert.throws(() => addressesOf('x/1'), { code: 'BadRequest' });
});

test('what answers nothing is silent after addressProbeSeconds, not before', async () => {
  const clock = new ManualClock();
  let reach: string | null = null;
  const done = reachUdp('127.0.0.1', portOf(silent), clock).then((found) => (reach = found));
  await once(silent, 'message');
  const waitMs = limits.addressProbeSeconds * 1000;
  clock.advance(waitMs - 1);
  await new Promise(setImmediate);
  assert.equal(reach, null);
  clock.advance(1);
  await done;
  assert.equal(reach, 'silent');
});

test('an answer to another request is none', async () => {
  const clock = new ManualClock();
  const liar = createSocket('udp4').bind(0, '127.0.0.1');
  await once(liar, 'listening');
  const sent = new Promise<void>((resolve) => {
    liar.once('message', (asked, { address, port }) => {
      const answer = Buffer.from(asked.subarray(0, 20));
      answer.writeUInt16BE(0x0101, 0);
      answer[19] = answer[19]! ^ 1;
      liar.send(answer, port, address, () => resolve());
    });
  });
  const done = reachUdp('127.0.0.1', portOf(liar), clock);
  await sent;
  clock.advance(limits.addressProbeSeconds * 1000);
  assert.equal(await done, 'silent');
  liar.close();
});

test('a door that is shut is told from one that is silent', async () => {
  assert.equal(await reachTcp('127.0.0.1', portOf(tcp), systemClock), 'reached');
  assert.equal(await reachTcp('127.0.0.1', 1, systemClock), 'refused');
});

test('what is no list is refused in one clear word', () => {
  for (const text of ['', '[]', '{}', '{"type":"cloister-ip-ranges"}', 'x'.repeat(1000)]) {
    assert.throws(() => readList(text), { code: 'BadRequest', message: /no address list/ });
  }
});
