/** The real coturn on loopback, asked by a TURN client of our own. */
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { connect } from 'node:tls';
import { limits } from '@cloister/protocol';
import { certificateFor } from '../../../../../tests/rig/certificate.ts';
import { freePorts } from '../../../../../tests/rig/ports.ts';
import { TurnClient, type TurnCredential } from '../../../../../tests/rig/turn-client.ts';
import { eventually, Feed } from '../../../../../tests/rig/wait.ts';
import { systemClock } from '../../lib/index.ts';
import { createLogger, type LogLevel } from '../../log/index.ts';
import { openTurn, type Turn, type TurnOptions } from './turn.ts';

const bin = '/usr/bin/turnserver';
const relays = 120;
const lines = new Feed<string>();
const logger = createLogger({ write: (line) => lines.push(line) }, { level: 'debug' satisfies LogLevel });
const folders: string[] = [];
const clients: TurnClient[] = [];
const turns: Turn[] = [];
let peer: Socket;
let port = 0;
let turn: Turn;

async function optionsOf(changed: Partial<TurnOptions> = {}): Promise<TurnOptions> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'cloister-turn-'));
  folders.push(dataDir);
  const first = await freePorts(relays + 1);
  return {
    mode: 'auto',
    bin,
    listen: ['127.0.0.1'],
    announced: ['127.0.0.1'],
    media: ['127.0.0.1'],
    clients: [{ address: '10.9.0.0', bits: 16 }],
    port: first,
    relayPorts: { first: first + 1, last: first + relays },
    tls: null,
    development: true,
    credentialLife: 600_000,
    elsewhere: null,
    dataDir,
    journal: logger,
    clock: systemClock,
    ...changed,
  };
}

/** Opened, and closed after the tests where one of them has not. */
async function open(options: TurnOptions): Promise<Turn> {
  const opened = await openTurn(options);
  turns.push(opened);
  return opened;
}

async function client(at = port): Promise<TurnClient> {
  const made = await TurnClient.open('127.0.0.1', at);
  clients.push(made);
  return made;
}

function credentialOf(of: Turn, connectionId: string): TurnCredential {
  const { username = '', credential = '' } = of.iceServers(connectionId).find((each) => each.username) ?? {};
  return { username, credential };
}

/** How a coturn answers to peers of some addresses. */
async function permits(of: Turn, at: number, addresses: readonly string[]): Promise<number[]> {
  const by = credentialOf(of, `peers-${addresses[0]}`);
  const asking = await client(at);
  assert.equal((await asking.allocate(by)).code, 200);
  const codes: number[] = [];
  for (const address of addresses) codes.push(await asking.permit(by, address));
  return codes;
}

before(async () => {
  const options = await optionsOf();
  port = options.port;
  turn = await open(options);
  peer = createSocket('udp4');
  await once(peer.bind(0, '127.0.0.1'), 'listening');
});

after(async () => {
  for (const each of clients) each.close();
  peer.close();
  for (const each of turns) await each.close();
  for (const folder of folders) rmSync(folder, { recursive: true });
});

test('a valid credential gets a relay, and what is sent through it arrives from there', async () => {
  assert.equal(turn.state, 'running');
  const by = credentialOf(turn, 'valid');
  const sender = await client();
  const { code, relayed } = await sender.allocate(by);
  assert.equal(code, 200);
  assert.equal(await sender.permit(by, '127.0.0.1'), 200);
  const arrived = once(peer, 'message');
  sender.send({ address: '127.0.0.1', port: peer.address().port }, Buffer.from('through the relay'));
  const [data, from] = await arrived;
  assert.equal(String(data), 'through the relay');
  assert.equal(from.port, relayed?.port);
  assert.equal(await sender.refresh(by, 0), 200);
});

test('a relay of IPv6 reaches peers of IPv6, and none that are private there or carry IPv4', async () => {
  const options = await optionsOf({ listen: ['127.0.0.1', '::1'], announced: [] });
  const both = await open(options);
  const by = credentialOf(both, 'six');
  const sender = await client(options.port);
  const { code, relayed } = await sender.allocate(by, { six: true });
  assert.deepEqual([code, relayed?.address], [200, '::1']);
  assert.equal(await sender.permit(by, '::1'), 200);
  const far = createSocket('udp6');
  await once(far.bind(0, '::1'), 'listening');
  const arrived = once(far, 'message');
  sender.send({ address: '::1', port: far.address().port }, Buffer.from('through the relay'));
  const [data, from] = await arrived;
  far.close();
  assert.deepEqual([String(data), from.address, from.port], ['through the relay', '::1', relayed?.port]);
  for (const refused of ['fc00::1', 'fe80::1', 'fd00:ec2::254', '::ffff:10.0.0.1', '64:ff9b::a00:1', '2002:a00:1::1']) {
    assert.equal(await sender.permit(by, refused), 403, refused);
  }
  // A public one is the other participant of a relayed session.
  assert.equal(await sender.permit(by, '2606:4700::1111'), 200);
  await both.close();
});

test('what clients are told: STUN without a credential, TURN over UDP and TCP with one of ten minutes', () => {
  const [stun, relay] = turn.iceServers('told');
  assert.deepEqual(stun, { urls: [`stun:127.0.0.1:${port}`] });
  assert.deepEqual(relay?.urls, [`turn:127.0.0.1:${port}?transport=udp`, `turn:127.0.0.1:${port}?transport=tcp`]);
  const [end, id] = relay?.username?.split(':') ?? [];
  assert.equal(id, 'told');
  const seconds = Number(end) - Date.now() / 1000;
  assert.ok(seconds <= limits.turnCredentialSeconds && seconds > limits.turnCredentialSeconds - 5, String(seconds));
  assert.equal(turn.renewMs, 300_000);
});

test('a credential that another secret made is refused, and one without an end', async () => {
  const { username, credential } = credentialOf(turn, 'wrong');
  assert.equal((await (await client()).allocate({ username: `${username}0`, credential })).code, 401);
  assert.equal((await (await client()).allocate({ username, credential: 'AAAA' })).code, 401);
  assert.equal((await (await client()).allocate({ username: 'nobody', credential })).code, 401);
});

test('a credential that has ended begins nothing; an allocation that was there stays while it is refreshed', async () => {
  const options = await optionsOf({ credentialLife: 1000 });
  const brief = await open(options);
  const by = credentialOf(brief, 'brief');
  const early = await client(options.port);
  assert.equal((await early.allocate(by)).code, 200);
  const ask = async () => {
    const late = await client(options.port);
    const { code } = await late.allocate(by);
    if (code === 200) await late.refresh(by, 0);
    return code;
  };
  assert.equal(await eventually('the end of the credential', ask, (code) => code !== 200), 401);
  // As docs/guides/turn.md says: coturn looks at the end when an allocation is made, and at no other time.
  assert.equal(await early.refresh(by, 600), 200);
  await brief.close();
});

test('peers are media and the blocks of clients; other private addresses, loopback and metadata are forbidden', async () => {
  assert.deepEqual(
    await permits(turn, port, ['127.0.0.1', '10.9.0.1', '10.9.255.255', '9.9.9.9']),
    [200, 200, 200, 200],
  );
  const refused = ['10.8.255.255', '10.10.0.0', '127.0.0.2', '169.254.169.254', '168.63.129.16', '192.168.1.1'];
  refused.push('172.16.0.1', '100.100.100.200', '198.18.0.1', '224.0.0.251', '255.255.255.255', '0.0.0.0');
  assert.deepEqual(
    await permits(turn, port, refused),
    refused.map(() => 403),
  );
});

test('in production loopback is no peer, though media listens there', async () => {
  const options = await optionsOf({ development: false });
  const strict = await open(options);
  assert.deepEqual(await permits(strict, options.port, ['127.0.0.1', '10.9.0.1']), [403, 200]);
  await strict.close();
});

test('a connection has so many allocations and no more, under whichever of its credentials', async () => {
  for (let count = 0; count < limits.turnAllocationsPerConnection; count += 1) {
    assert.equal((await (await client()).allocate(credentialOf(turn, 'greedy'))).code, 200);
  }
  assert.equal((await (await client()).allocate(credentialOf(turn, 'greedy'))).code, 486);
  assert.equal((await (await client()).allocate(credentialOf(turn, 'modest'))).code, 200);
});

test('its secret is in a file of the owner alone and on no command line; it has no environment', () => {
  const { pid } = turn;
  const folder = path.join(folders[0] ?? '', 'turn');
  const file = path.join(folder, 'turnserver.conf');
  const secret = /^static-auth-secret=(.+)$/m.exec(readFileSync(file, 'utf8'))?.[1] ?? '';
  assert.equal(secret.length, 64);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean);
  assert.deepEqual(words, [bin, '-c', file]);
  assert.equal(readFileSync(`/proc/${pid}/environ`, 'utf8'), '');
  assert.deepEqual(readdirSync(folder).sort(), ['turnserver.conf', 'turnserver.db', 'turnserver.pid']);
});

test('after a kill it is started again', async () => {
  const since = lines.items.length;
  const { pid } = turn;
  process.kill(Number(pid), 'SIGKILL');
  await lines.next('the loss in the log', (line) => line.includes('The TURN server was lost'), { since });
  assert.equal(turn.state, 'failed');
  await lines.next('the new one in the log', (line) => line.includes('The TURN server runs'), { since });
  assert.equal(turn.state, 'running');
  assert.notEqual(turn.pid, pid);
  assert.equal((await (await client()).allocate(credentialOf(turn, 'again'))).code, 200);
});

test('no address, user or secret is in our log, though coturn says them', async () => {
  const said = lines.items.filter((line) => line.includes('The TURN server says'));
  assert.ok(said.some((line) => line.includes('denied in the range')));
  assert.ok(said.some((line) => line.includes('Cannot find credentials of user <…>')));
  for (const line of lines.items)
    assert.doesNotMatch(line, /\d+\.\d+\.\d+\.\d+|valid|wrong|greedy|nobody|[0-9a-f]{64}/, line);
});

test('over TLS it answers by TLS 1.2, and by nothing older', async () => {
  const { key, certificate } = certificateFor('127.0.0.1');
  const tlsPort = await freePorts(1);
  const options = await optionsOf({ tls: { port: tlsPort, cert: certificate, key, host: 'turn.example.org' } });
  const secure = await open(options);
  const warned = () => lines.items.some((line) => line.includes('by a host name only'));
  assert.ok(!warned());
  assert.ok(secure.iceServers('c')[1]?.urls.includes(`turns:turn.example.org:${tlsPort}?transport=tcp`));
  const ca = readFileSync(certificate);
  // Security level 0, so that it is not this end that refuses. coturn does not say no: it goes on listening.
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
  const early = connect({ host: '127.0.0.1', port: tlsPort, ca, ...old });
  let taken = false;
  early.once('secureConnect', () => {
    taken = true;
  });
  await once(early, 'connect');
  const socket = connect({ host: '127.0.0.1', port: tlsPort, ca });
  await once(socket, 'secureConnect');
  // coturn 4.6 has no TLS 1.3.
  assert.equal(socket.getProtocol(), 'TLSv1.2');
  socket.write(Buffer.from('000100002112a442000102030405060708090a0b', 'hex'));
  const [answer] = await once(socket, 'data');
  assert.equal(answer.readUInt16BE(0), 0x0101);
  assert.equal(taken, false, 'a handshake of an older version that was begun before was done before');
  for (const each of [early, socket]) each.destroy();
  await secure.close();
  // Firefox takes a name only, and says nothing of it.
  const named = { port: await freePorts(1), cert: certificate, key, host: '127.0.0.1' };
  await open(await optionsOf({ tls: named }));
  assert.ok(warned());
});

test('a port that is taken is said, and tried again until it is free', async () => {
  const options = await optionsOf();
  const other = createServer();
  await once(other.listen(options.port, '127.0.0.1'), 'listening');
  const since = lines.items.length;
  const waiting = await open(options);
  assert.equal(waiting.state, 'failed');
  const told = await lines.next('why it does not run', (line) => line.includes('does not run'), { since });
  assert.match(told, /port \d+ is taken; .*systemctl disable --now coturn.*set turnPort/);
  await once(other.close(), 'close');
  await lines.next('that it runs', (line) => line.includes('The TURN server runs'), { since });
  assert.equal(waiting.state, 'running');
  await waiting.close();
});

test('a program that is no coturn is given up', async () => {
  const options = await optionsOf({ bin: '/bin/false', mode: 'require' });
  await assert.rejects(open(options), { code: 'ConfigInvalid', message: /it ended with 1/ });
});

test('closed, it has ended and its port is free', async () => {
  const options = await optionsOf();
  const brief = await open(options);
  const { pid } = brief;
  await brief.close();
  assert.throws(() => process.kill(Number(pid), 0), { code: 'ESRCH' });
  const other = createServer();
  await once(other.listen(options.port, '127.0.0.1'), 'listening');
  await once(other.close(), 'close');
});
