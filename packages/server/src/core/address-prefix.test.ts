import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, limits } from '@cloister/protocol';
import { overlap, readAddress, readListedPrefix, storedPrefix, within } from './address-prefix.ts';

const publicOnly = { anyAddress: false };

for (const prefix of ['185.1.2.0/24', '185.1.2.3/32', '2a00:1450:4001::/48', '2a00:1450:4001::1/128']) {
  test(`${prefix} is a prefix of a list`, () => assert.equal(readListedPrefix(prefix, publicOnly).text, prefix));
}

const refused: readonly [prefix: string, code: ErrorCode][] = [
  ['', 'AddressPrefixMalformed'],
  ['185.1.2.3', 'AddressPrefixMalformed'],
  ['185.1.2.0/33', 'AddressPrefixMalformed'],
  ['185.1.2.0/-1', 'AddressPrefixMalformed'],
  ['185.1.2.0/24/8', 'AddressPrefixMalformed'],
  ['185.1.2/24', 'AddressPrefixMalformed'],
  ['0xb9.1.2.0/24', 'AddressPrefixMalformed'],
  ['0271.1.2.0/24', 'AddressPrefixMalformed'],
  ['2a00::/129', 'AddressPrefixMalformed'],
  ['fe80::%eth0/64', 'AddressPrefixMalformed'],
  ['example.org/24', 'AddressPrefixMalformed'],
  [`${'1'.repeat(100_000)}/24`, 'AddressPrefixMalformed'],
  ['185.1.2.3/24', 'AddressPrefixHostBits'],
  ['185.1.2.0/024', 'AddressPrefixHostBits'],
  ['2A00:1450:4001::/48', 'AddressPrefixHostBits'],
  ['2a00:1450:4001:0::/48', 'AddressPrefixHostBits'],
  ['2a00:1450:4001::1/48', 'AddressPrefixHostBits'],
  ['::ffff:185.1.2.0/120', 'AddressPrefixMapped'],
  ['::ffff:b901:200/120', 'AddressPrefixMapped'],
  ['10.1.2.0/24', 'AddressPrefixNotPublic'],
  ['100.64.0.0/16', 'AddressPrefixNotPublic'],
  ['127.0.0.1/32', 'AddressPrefixNotPublic'],
  ['169.254.1.0/24', 'AddressPrefixNotPublic'],
  ['224.0.1.0/24', 'AddressPrefixNotPublic'],
  ['192.0.2.0/24', 'AddressPrefixNotPublic'],
  ['198.51.100.7/32', 'AddressPrefixNotPublic'],
  // It is public but for what is inside.
  ['192.0.0.0/16', 'AddressPrefixNotPublic'],
  ['::1/128', 'AddressPrefixNotPublic'],
  ['fe80::/64', 'AddressPrefixNotPublic'],
  ['fd00::/48', 'AddressPrefixNotPublic'],
  ['ff02::/32', 'AddressPrefixNotPublic'],
  ['2001:db8::/48', 'AddressPrefixNotPublic'],
  ['64:ff9b::/96', 'AddressPrefixNotPublic'],
  ['5000::/32', 'AddressPrefixNotPublic'],
  ['0.0.0.0/0', 'AddressPrefixTooLarge'],
  ['::/0', 'AddressPrefixTooLarge'],
];
for (const [prefix, code] of refused) {
  test(`${prefix.slice(0, 40)} is refused with ${code}`, () => {
    assert.throws(() => readListedPrefix(prefix, publicOnly), { code });
  });
}

test('a prefix has addressPrefixBitsV4 or addressPrefixBitsV6 bits, and none fewer', () => {
  const [v4, v6] = [limits.addressPrefixBitsV4, limits.addressPrefixBitsV6];
  readListedPrefix(`185.0.0.0/${v4}`, publicOnly);
  readListedPrefix(`2a00::/${v6}`, publicOnly);
  assert.throws(() => readListedPrefix(`184.0.0.0/${v4 - 1}`, publicOnly), { code: 'AddressPrefixTooLarge' });
  assert.throws(() => readListedPrefix(`2a00::/${v6 - 1}`, publicOnly), { code: 'AddressPrefixTooLarge' });
});

test('what is not public may be listed where that is set, and then in its one form too', () => {
  assert.equal(readListedPrefix('127.0.0.1/32', { anyAddress: true }).text, '127.0.0.1/32');
  assert.throws(() => readListedPrefix('127.0.0.1/8', { anyAddress: true }), { code: 'AddressPrefixHostBits' });
  assert.throws(() => readListedPrefix('::ffff:127.0.0.1/128', { anyAddress: true }), { code: 'AddressPrefixMapped' });
});

test('an address lies in a prefix in every spelling, and beside it in none', () => {
  const prefix = storedPrefix('185.1.2.0/24');
  for (const inside of ['185.1.2.0', '185.1.2.255', '::ffff:185.1.2.7']) {
    assert.ok(within(readAddress(inside)!, prefix), inside);
  }
  for (const outside of ['185.1.1.255', '185.1.3.0', '2a00::1']) assert.ok(!within(readAddress(outside)!, prefix));
  for (const none of ['video.example', '185.1.2', '', '185.1.2.0/24']) assert.equal(readAddress(none), null);
});

test('prefixes overlap where one holds the other', () => {
  const [wide, narrow, beside, six] = ['185.1.0.0/16', '185.1.2.0/24', '185.2.0.0/16', '2a00::/32'].map(storedPrefix);
  assert.ok(overlap(wide!, narrow!) && overlap(narrow!, wide!) && overlap(wide!, wide!));
  assert.ok(!overlap(wide!, beside!) && !overlap(wide!, six!));
});
