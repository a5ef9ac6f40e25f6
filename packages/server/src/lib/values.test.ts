import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearestName, parseDuration, parsePortRange, parsePrefix, parsePrefixPort, printDuration } from './values.ts';

test('durations need a unit', () => {
  assert.equal(parseDuration('250ms'), 250);
  assert.equal(parseDuration('30s'), 30_000);
  assert.equal(parseDuration('5m'), 300_000);
  assert.equal(parseDuration('2h'), 7_200_000);
  assert.equal(parseDuration('1d'), 86_400_000);
  for (const short of ['250ms', '90s', '5m', '12h', '3d']) assert.equal(printDuration(parseDuration(short)!), short);
  for (const wrong of ['', '30', 's', '-1s', '1.5s', '30 s', '30S', '9999999999s']) {
    assert.equal(parseDuration(wrong), undefined, wrong);
  }
});

test('a range of ports has both ends, in order, inside 1 to 65535', () => {
  assert.deepEqual(parsePortRange('1-65535'), { first: 1, last: 65_535 });
  assert.deepEqual(parsePortRange('40000 - 40000'), { first: 40_000, last: 40_000 });
  for (const wrong of ['', '40000', '0-10', '1-65536', '20-10', '1-2-3', 'a-b']) {
    assert.equal(parsePortRange(wrong), undefined, wrong);
  }
});

test('a prefix is an address and at most as many bits as it has', () => {
  assert.deepEqual(parsePrefix('10.0.0.0/8'), { address: '10.0.0.0', bits: 8 });
  assert.deepEqual(parsePrefix('10.0.0.1'), { address: '10.0.0.1', bits: 32 });
  assert.deepEqual(parsePrefix('fd00::/128'), { address: 'fd00::', bits: 128 });
  for (const wrong of [
    '',
    'host',
    '10.0.0.0/33',
    'fd00::/129',
    '10.0.0/8',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    'fe80::1%eth0',
  ]) {
    assert.equal(parsePrefix(wrong), undefined, wrong);
  }
});

test('a prefix with a port keeps the two apart in both families', () => {
  assert.deepEqual(parsePrefixPort('10.1.0.0/16:443'), { prefix: { address: '10.1.0.0', bits: 16 }, port: 443 });
  assert.deepEqual(parsePrefixPort('[fd00::/8]:8443'), { prefix: { address: 'fd00::', bits: 8 }, port: 8443 });
  for (const wrong of ['10.1.0.0/16', 'fd00::/8:443', '[fd00::/8]', '10.1.0.0/16:0', '10.1.0.0/16:65536', ':443']) {
    assert.equal(parsePrefixPort(wrong), undefined, wrong);
  }
});

test('the nearest name is offered only when it is near', () => {
  assert.equal(nearestName('prot', ['port', 'host']), 'port');
  assert.equal(nearestName('DATADIR', ['dataDir', 'host']), 'dataDir');
  assert.equal(nearestName('somethingElse', ['port', 'host']), undefined);
  assert.equal(nearestName('x', []), undefined);
});
