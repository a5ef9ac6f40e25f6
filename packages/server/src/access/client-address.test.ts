import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import fc from 'fast-check';
import { addressSet } from './cidr.ts';
import { clientAddress } from './client-address.ts';

const proxies = addressSet([
  { address: '10.0.0.0', bits: 8 },
  { address: '127.0.0.1', bits: 32 },
  { address: 'fd00::', bits: 8 },
]);
const none = addressSet([]);

function via(socketAddress: string | undefined, headers: Record<string, string | string[]> = {}): string {
  return clientAddress({ socketAddress, headers }, proxies);
}

test('without a trusted proxy the socket is the client, whatever the headers say', () => {
  const headers = { 'x-forwarded-for': '192.0.2.1', forwarded: 'for=192.0.2.1' };
  assert.equal(via('198.51.100.7', headers), '198.51.100.7');
  assert.equal(clientAddress({ socketAddress: '10.0.0.1', headers }, none), '10.0.0.1');
  assert.equal(via('::ffff:198.51.100.7', headers), '198.51.100.7');
  assert.equal(via(undefined, headers), 'unknown');
});

test('the rightmost address that is not a trusted proxy is the client', () => {
  assert.equal(via('10.0.0.1', { 'x-forwarded-for': '198.51.100.7' }), '198.51.100.7');
  assert.equal(via('10.0.0.1', { 'x-forwarded-for': '6.6.6.6, 198.51.100.7, 10.0.0.2' }), '198.51.100.7');
  assert.equal(via('10.0.0.1', { 'x-forwarded-for': ['6.6.6.6', '198.51.100.7'] }), '198.51.100.7');
  assert.equal(via('::ffff:10.0.0.1', { 'x-forwarded-for': '198.51.100.7' }), '198.51.100.7');
  assert.equal(via('10.0.0.1', { 'x-forwarded-for': '10.0.0.9, 10.0.0.8' }), '10.0.0.9', 'all of them trusted');
});

test('Forwarded is read as RFC 7239 writes it', () => {
  assert.equal(via('10.0.0.1', { forwarded: 'for=198.51.100.7;proto=https;by=10.0.0.1' }), '198.51.100.7');
  assert.equal(via('10.0.0.1', { forwarded: 'For="[2001:db8:cafe::17]:4711"' }), '2001:db8:cafe::17');
  assert.equal(via('10.0.0.1', { forwarded: 'for=6.6.6.6, for="198.51.100.7:80" , for=10.0.0.2' }), '198.51.100.7');
  assert.equal(via('10.0.0.1', { forwarded: 'host="a,b;for=6.6.6.6";for=198.51.100.7' }), '198.51.100.7');
  assert.equal(via('10.0.0.1', { forwarded: 'host="\\",for=6.6.6.6";for=198.51.100.7' }), '198.51.100.7');
});

test('a hop that is not an address ends the walk', () => {
  for (const hop of ['unknown', '_hidden', '', 'localhost', '0x7f000001', '1.2.3', '[1.2.3.4]', "'; drop table"]) {
    assert.equal(via('10.0.0.1', { 'x-forwarded-for': `6.6.6.6, ${hop}` }), '10.0.0.1', hop);
    assert.equal(via('10.0.0.1', { 'x-forwarded-for': `6.6.6.6, ${hop}, 10.0.0.2` }), '10.0.0.2', hop);
  }
  assert.equal(via('10.0.0.1', { forwarded: 'for=6.6.6.6, proto=https' }), '10.0.0.1');
});

test('two headers that disagree are both ignored', () => {
  assert.equal(via('10.0.0.1', { 'x-forwarded-for': '6.6.6.6', forwarded: 'for=198.51.100.7' }), '10.0.0.1');
  assert.equal(via('10.0.0.1', { 'x-forwarded-for': '198.51.100.7', forwarded: 'for=198.51.100.7' }), '198.51.100.7');
});

test('forwardedHops hops are followed, and one past them is not', () => {
  const chain = (trusted: number): string => ['198.51.100.7', ...Array(trusted).fill('10.0.0.2')].join(',');
  assert.equal(via('10.0.0.1', { 'x-forwarded-for': chain(limits.forwardedHops - 1) }), '198.51.100.7');
  assert.equal(via('10.0.0.1', { 'x-forwarded-for': chain(limits.forwardedHops) }), '10.0.0.2');
});

test('property: what a client puts in front changes nothing', () => {
  fc.assert(
    fc.property(fc.string(), fc.ipV4(), (forged, client) => {
      fc.pre(!proxies.has(client));
      assert.equal(via('10.0.0.1', { 'x-forwarded-for': `${forged}, ${client}` }), client);
    }),
  );
});

test('property: no header makes it throw', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      assert.equal(typeof via('10.0.0.1', { 'x-forwarded-for': a, forwarded: b }), 'string');
    }),
  );
});
