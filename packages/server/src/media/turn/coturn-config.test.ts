import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import { type CoturnSettings, coturnConfig } from './coturn-config.ts';

const settings: CoturnSettings = {
  listen: ['10.0.0.5'],
  announced: ['198.20.0.5'],
  media: ['198.20.0.5', 'media.example.org'],
  clients: [{ address: '10.7.0.0', bits: 16 }],
  port: 3478,
  tls: null,
  relayPorts: { first: 41_000, last: 41_999 },
  loopback: false,
  secret: 'c0ffee',
  folder: '/data/turn',
};

const linesOf = (changed: Partial<CoturnSettings> = {}) =>
  coturnConfig({ ...settings, ...changed })
    .trimEnd()
    .split('\n');
const valuesOf = (lines: readonly string[], key: string) =>
  lines.filter((line) => line.startsWith(`${key}=`)).map((line) => line.slice(key.length + 1));

test('behind a NAT it listens and relays at its own address and says the public one', () => {
  const lines = linesOf();
  assert.deepEqual(valuesOf(lines, 'listening-ip'), ['10.0.0.5']);
  assert.deepEqual(valuesOf(lines, 'relay-ip'), ['10.0.0.5']);
  assert.deepEqual(valuesOf(lines, 'external-ip'), ['198.20.0.5/10.0.0.5']);
  assert.deepEqual(valuesOf(linesOf({ announced: ['10.0.0.5'] }), 'external-ip'), []);
  assert.deepEqual(valuesOf(linesOf({ announced: ['2a00::5'] }), 'external-ip'), []);
});

test('credentials by the shared secret, quotas for each connection and for all', () => {
  const lines = linesOf();
  assert.ok(lines.includes('use-auth-secret'));
  assert.deepEqual(valuesOf(lines, 'static-auth-secret'), ['c0ffee']);
  assert.deepEqual(valuesOf(lines, 'user-quota'), [String(limits.turnAllocationsPerConnection)]);
  assert.deepEqual(valuesOf(lines, 'total-quota'), ['1000']);
  assert.deepEqual(valuesOf(lines, 'max-bps'), [String(limits.turnBytesPerSecond)]);
  assert.deepEqual(valuesOf(lines, 'stale-nonce'), [String(limits.turnCredentialSeconds)]);
});

test('peers are media, relays and the blocks of clients; names stand for nothing', () => {
  const lines = linesOf();
  assert.deepEqual(valuesOf(lines, 'allowed-peer-ip'), ['10.0.0.5', '198.20.0.5', '10.7.0.0-10.7.255.255']);
  assert.ok(valuesOf(lines, 'denied-peer-ip').includes('10.0.0.0-10.255.255.255'));
  assert.ok(lines.includes('no-multicast-peers'));
  assert.ok(lines.includes('no-tcp-relay'));
});

test('loopback is a peer only where that is asked for', () => {
  assert.equal(linesOf().includes('allow-loopback-peers'), false);
  const lines = linesOf({ loopback: true, listen: ['127.0.0.1'], announced: [], media: [], clients: [] });
  assert.ok(lines.includes('allow-loopback-peers'));
  assert.deepEqual(valuesOf(lines, 'allowed-peer-ip'), ['127.0.0.1']);
});

test('TLS 1.2 and later, where there is a certificate', () => {
  assert.ok(linesOf().includes('no-tls'));
  const lines = linesOf({ tls: { port: 443, cert: '/etc/cert.pem', key: '/etc/key.pem' } });
  assert.equal(lines.includes('no-tls'), false);
  for (const line of ['tls-listening-port=443', 'cert=/etc/cert.pem', 'pkey=/etc/key.pem', 'no-tlsv1', 'no-tlsv1_1']) {
    assert.ok(lines.includes(line), line);
  }
});

test('it writes to its folder and its standard output alone, and has no door for commands', () => {
  const lines = linesOf();
  for (const line of ['log-file=stdout', 'simple-log', 'no-cli', 'pidfile=/data/turn/turnserver.pid']) {
    assert.ok(lines.includes(line), line);
  }
  assert.deepEqual(valuesOf(lines, 'userdb'), ['/data/turn/turnserver.db']);
});
