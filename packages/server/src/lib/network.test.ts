import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLoopback, isWildcard, localAddresses, ofFamily, ownAddressesOf } from './network.ts';

test('loopback is 127.0.0.0/8, ::1 and the name localhost', () => {
  for (const host of ['127.0.0.1', '127.255.0.9', '::1', 'localhost']) assert.equal(isLoopback(host), true, host);
  for (const host of ['128.0.0.1', '0.0.0.0', '::', '::2', 'localhost.example.org', '']) {
    assert.equal(isLoopback(host), false, host);
  }
});

test('a wildcard stands for every address', () => {
  assert.deepEqual(['0.0.0.0', '::', '127.0.0.1'].map(isWildcard), [true, true, false]);
});

const entry = (address: string, family: 'IPv4' | 'IPv6', internal = false) =>
  ({ address, family, internal, netmask: '', mac: '', cidr: null, scopeid: 0 }) as never;

test('local addresses leave out loopback and link-local ones and put IPv4 first', () => {
  const addresses = localAddresses({
    lo: [entry('127.0.0.1', 'IPv4', true)],
    eth0: [
      entry('fe80::1', 'IPv6'),
      entry('2001:db8::5', 'IPv6'),
      entry('192.0.2.7', 'IPv4'),
      entry('169.254.1.1', 'IPv4'),
    ],
    none: undefined,
  });
  assert.deepEqual(addresses, ['192.0.2.7', '2001:db8::5']);
});

test('a name stands for IPv4, or for the only family there is', () => {
  const told = ['media.example.org', '2001:db8::9'];
  const both = ['0.0.0.0', '::'];
  assert.deepEqual(
    both.map((address) => ofFamily(address, both, told)),
    told,
  );
  assert.equal(ofFamily('::', ['::'], ['media.example.org']), 'media.example.org');
  assert.equal(ofFamily('::', both, ['192.0.2.1']), undefined);
});

test('a name leads to those of its addresses that this machine has', async () => {
  const own = (addresses: string[]) =>
    ownAddressesOf('name', {
      interfaces: { lo: [entry('127.0.0.1', 'IPv4', true)], eth0: [entry('2001:db8::5', 'IPv6')] },
      lookup: async () => addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    });
  assert.deepEqual(await own(['127.0.0.1', '::1', '127.0.0.1']), ['127.0.0.1']);
  assert.deepEqual(await own(['127.0.1.1', '2001:db8::5']), ['127.0.1.1', '2001:db8::5']);
  assert.deepEqual(await own(['192.0.2.1']), []);
  assert.deepEqual(await ownAddressesOf('name', { lookup: () => Promise.reject(new Error('ENOTFOUND')) }), []);
  assert.deepEqual(await ownAddressesOf('192.0.2.9'), ['192.0.2.9'], 'an address is itself');
});
