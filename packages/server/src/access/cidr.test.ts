import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type AddressClass, addressSet, canonicalAddress, classesOf, isMetadataName } from './cidr.ts';

const worst = (address: string): AddressClass | undefined => classesOf(address)?.[0];

test('plain addresses have the class that the IANA registries give them', () => {
  const expected: [string, AddressClass][] = [
    ['0.0.0.0', 'unspecified'],
    ['0.1.2.3', 'unspecified'],
    ['::', 'unspecified'],
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['::1', 'loopback'],
    ['10.0.0.0', 'private'],
    ['10.255.255.255', 'private'],
    ['172.15.255.255', 'public'],
    ['172.16.0.0', 'private'],
    ['172.31.255.255', 'private'],
    ['172.32.0.0', 'public'],
    ['192.168.1.1', 'private'],
    ['100.64.0.1', 'private'],
    ['100.128.0.1', 'public'],
    ['fc00::1', 'private'],
    ['fdff::1', 'private'],
    ['fec0::1', 'private'],
    ['169.254.1.1', 'link-local'],
    ['fe80::1', 'link-local'],
    ['fe80::1%eth0', 'link-local'],
    ['224.0.0.1', 'multicast'],
    ['ff02::1', 'multicast'],
    ['255.255.255.255', 'reserved'],
    ['240.0.0.1', 'reserved'],
    ['192.0.2.1', 'reserved'],
    ['198.18.0.1', 'reserved'],
    ['2001:db8::1', 'reserved'],
    ['100::1', 'reserved'],
    ['8.8.8.8', 'public'],
    ['2606:4700::1111', 'public'],
  ];
  for (const [address, kind] of expected) assert.equal(worst(address), kind, address);
});

test('metadata services are a class of their own', () => {
  for (const address of ['169.254.169.254', '100.100.100.200', '168.63.129.16', '169.254.170.2', 'fd00:ec2::254']) {
    assert.equal(worst(address), 'metadata', address);
  }
  assert.equal(worst('FD00:0EC2:0:0:0:0:0:254'), 'metadata');
  assert.equal(worst('169.254.169.252'), 'link-local', 'its neighbour is not one');
  for (const name of ['metadata.google.internal', 'METADATA.google.internal.', 'metadata', 'instance-data..']) {
    assert.equal(isMetadataName(name), true, name);
  }
  assert.equal(isMetadataName('metadata.google.internal.example.org'), false);
});

test('an IPv4 address is found in every form that carries it', () => {
  const forms = [
    '::ffff:169.254.169.254',
    '::FFFF:a9fe:a9fe',
    '[::ffff:169.254.169.254]',
    '64:ff9b::169.254.169.254',
    '64:ff9b:0:0::a9fe:a9fe',
    '64:ff9b:1::a9fe:a9fe',
    '64:ff9b:1:a9fe:a9:fe00::',
    '64:ff9b:1:aaa9:fe:a9fe::',
    '64:ff9b:1:aaaa:a9:fea9:fe00:0',
    '2002:a9fe:a9fe::1',
    '2001:0:a9fe:a9fe::1',
    '2001:0:808:808:0:0:5601:5601',
    '::169.254.169.254',
    '::ffff:0:169.254.169.254',
    '2606:4700::5efe:169.254.169.254',
    '2606:4700::200:5efe:169.254.169.254',
  ];
  for (const form of forms) assert.equal(worst(form), 'metadata', form);
});

test('a translated public address stays public where the form itself is a public one', () => {
  assert.deepEqual(classesOf('::ffff:8.8.8.8'), ['public']);
  assert.deepEqual(classesOf('64:ff9b::8.8.8.8'), ['public']);
  assert.deepEqual(classesOf('64:ff9b:1::8.8.8.8')?.includes('private'), true, 'local-use NAT64 reaches a private net');
  assert.deepEqual(classesOf('2002:808:808::1'), ['reserved', 'public'], '6to4 is given up');
});

test('a tunnel to loopback is more than loopback, so that allowing loopback does not allow it', () => {
  assert.deepEqual(classesOf('127.0.0.1'), ['loopback']);
  assert.deepEqual(classesOf('::ffff:127.0.0.1'), ['loopback']);
  assert.deepEqual(classesOf('2002:7f00:1::'), ['loopback', 'reserved']);
  assert.deepEqual(classesOf('::127.0.0.1'), ['loopback', 'reserved']);
  assert.deepEqual(classesOf('::7f00:1'), ['loopback', 'reserved']);
  assert.deepEqual(classesOf('64:ff9b::127.0.0.1'), ['loopback', 'public']);
});

test('what is not an address has no class', () => {
  for (const text of [
    '',
    'localhost',
    '1',
    '127.1',
    '0x7f000001',
    '0177.0.0.1',
    '1.2.3.4.5',
    '256.0.0.1',
    ':::',
    '1.2.3.4:80',
  ]) {
    assert.equal(classesOf(text), undefined, text);
    assert.equal(canonicalAddress(text), undefined, text);
  }
});

test('one address has one canonical form', () => {
  assert.equal(canonicalAddress('2001:0DB8:0:0:0:0:0:0001'), '2001:db8::1');
  assert.equal(canonicalAddress('[2001:db8::1%eth0]'), '2001:db8::1');
  assert.equal(canonicalAddress('::ffff:c000:201'), '192.0.2.1');
});

test('a set knows its members in every spelling, and the addresses next to its ends are outside', () => {
  const set = addressSet([
    { address: '10.1.0.0', bits: 16 },
    { address: '2001:db8::', bits: 32 },
    { address: '::ffff:192.0.2.0', bits: 120 },
  ]);
  for (const inside of ['10.1.0.0', '10.1.255.255', '::ffff:10.1.2.3', '2001:db8:ffff::1', '192.0.2.255']) {
    assert.equal(set.has(inside), true, inside);
  }
  for (const outside of ['10.0.255.255', '10.2.0.0', '2001:db9::', '192.0.3.0', '64:ff9b::10.1.2.3', 'host', '']) {
    assert.equal(set.has(outside), false, outside);
  }
  assert.throws(() => addressSet([{ address: 'host', bits: 8 }]), TypeError);
  assert.throws(() => addressSet([{ address: '::ffff:10.0.0.0', bits: 95 }]), TypeError);
  assert.throws(() => addressSet([{ address: '10.0.0.0', bits: 33 }]), TypeError);
});

test('property: every mapped and NAT64 form of an address is judged at least as strictly as the address', () => {
  fc.assert(
    fc.property(fc.ipV4(), (four) => {
      const plain = classesOf(four);
      assert.ok(plain);
      assert.deepEqual(classesOf(`::ffff:${four}`), plain);
      for (const form of [`64:ff9b::${four}`, `64:ff9b:1::${four}`, `::ffff:0:${four}`]) {
        const kinds = classesOf(form);
        assert.ok(kinds && plain.every((kind) => kinds.includes(kind)), form);
      }
    }),
  );
});

test('property: the canonical form is stable', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => {
      const once = canonicalAddress(address);
      assert.ok(once !== undefined);
      assert.equal(canonicalAddress(once), once);
      assert.deepEqual(classesOf(once), classesOf(address));
    }),
  );
});
