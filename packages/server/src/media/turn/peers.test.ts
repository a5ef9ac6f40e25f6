import assert from 'node:assert/strict';
import { BlockList, isIPv6 } from 'node:net';
import { test } from 'node:test';
import { classesOf } from '../../access/index.ts';
import { allowedPeers, deniedPeers } from './peers.ts';

function listOf(ranges: readonly string[]): (address: string) => boolean {
  // Two lists: Node would hold an IPv4 address against the range of those that are mapped into IPv6.
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  const familyOf = (address: string) => (isIPv6(address) ? 'ipv6' : 'ipv4');
  for (const range of ranges) {
    const [first = '', last = first] = range.split('-');
    const family = familyOf(first);
    lists[family].addRange(first, last, family);
  }
  return (address) => lists[familyOf(address)].check(address, familyOf(address));
}

const denied = listOf(deniedPeers());

test('what is not public is denied, at both ends of each range', () => {
  const ends = deniedPeers().flatMap((range) => range.split('-'));
  for (const end of ends) assert.equal(denied(end), true, end);
  for (const address of [
    '10.1.2.3',
    '127.0.0.1',
    '169.254.169.254',
    '172.31.255.255',
    '192.168.0.1',
    '100.64.0.1',
    '100.100.100.200',
    '168.63.129.16',
    '198.19.255.255',
    '255.255.255.255',
    '224.0.0.1',
    '::1',
    'fe80::1',
    'fd00:ec2::254',
    'fd12::1',
    'ff02::1',
    '2002:7f00:1::1',
    '64:ff9b::a00:1',
    '64:ff9b:1::1',
    '2001::1',
    '2001:db8::1',
    '::ffff:0:10.0.0.1',
  ]) {
    assert.equal(denied(address), true, address);
  }
});

test('what is public is not denied: in a relayed session it is the other participant', () => {
  for (const address of [
    '8.8.8.8',
    '1.0.0.1',
    '172.32.0.1',
    '192.169.0.1',
    '100.128.0.1',
    '223.255.255.255',
    '2a00::1',
    '2600::1',
  ]) {
    assert.equal(denied(address), false, address);
  }
});

test('the list of denied addresses knows all that our own way out refuses', () => {
  // The neighbours of every end, judged by the rules for webhooks, which read another table.
  const samples = deniedPeers().flatMap((range) => range.split('-'));
  for (const address of samples) assert.notDeepEqual(classesOf(address), ['public'], address);
});

test('media, relays and the blocks of clients are allowed, and a metadata service within them is not', () => {
  const ranges = allowedPeers(
    ['10.0.0.5', 'fd00::5'],
    [
      { address: '100.64.0.0', bits: 10 },
      { address: '169.254.0.0', bits: 16 },
      { address: 'fd00::', bits: 8 },
      { address: '10.9.0.0', bits: 16 },
    ],
  );
  assert.deepEqual(ranges, [
    '10.0.0.5',
    'fd00::5',
    '100.64.0.0-100.100.100.199',
    '100.100.100.201-100.127.255.255',
    'fd00::-fd00:42::41',
    ...ranges.slice(5),
  ]);
  const allowed = listOf(ranges);
  for (const address of ['100.100.100.199', '100.100.100.201', '10.9.255.255', 'fd12::1', 'fd00:ec3::']) {
    assert.equal(allowed(address), true, address);
  }
  for (const address of [
    '100.100.100.200',
    '169.254.169.254',
    'fd00:ec2::254',
    'fd20:ce::254',
    'fd00:42::42',
    '10.10.0.0',
  ]) {
    assert.equal(allowed(address), false, address);
  }
});

test('a block is meant as a whole, whatever address of it is named', () => {
  assert.deepEqual(allowedPeers([], [{ address: '10.1.2.3', bits: 8 }]), ['10.0.0.0-10.255.255.255']);
  assert.deepEqual(allowedPeers([], [{ address: '10.1.2.3', bits: 32 }]), ['10.1.2.3']);
});

test('no range begins at the unspecified address, which coturn takes for no lower end', () => {
  const everything = [
    { address: '0.0.0.0', bits: 0 },
    { address: '::', bits: 0 },
  ];
  for (const range of [...deniedPeers(), ...allowedPeers([], everything)])
    assert.doesNotMatch(range, /^(0\.0\.0\.0|::)-/);
});
