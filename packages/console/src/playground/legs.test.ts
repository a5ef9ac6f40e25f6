import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Leg } from '@cloister/protocol';
import { type Directory, legRows, policyWords, summaryOf } from './legs.ts';

const directory: Directory = {
  ownConnectionId: 'me',
  people: new Map([
    ['me', 'Ana'],
    ['ben', 'Ben'],
  ]),
  streams: new Map([
    ['mine', { connectionId: 'me', kind: 'camera' }],
    ['his', { connectionId: 'ben', kind: 'screen' }],
  ]),
};

function leg(change: Partial<Leg>): Leg {
  return {
    connectionId: 'ben',
    streamId: 'his',
    direction: 'send',
    observedBy: 'server',
    peerConnectionId: null,
    suiteReportedByPeer: null,
    suiteSeenByServer: 'AEAD_AES_256_GCM',
    suiteReportedByClient: 'AEAD_AES_256_GCM',
    agree: true,
    dtlsVersion: 'DTLS 1.2',
    zone: 'local',
    state: 'allowed',
    frameLayer: null,
    framesSaidByClient: null,
    framesSaidByPeer: null,
    connectedAt: 1,
    closedAt: null,
    ...change,
  };
}

function rowsOf(...legs: Leg[]) {
  return legRows({ policy: 'prefer-aes256', legs }, [], directory);
}

test('a leg is told by its stream, its way and whose browser it is', () => {
  const [own, other] = rowsOf(leg({}), leg({ connectionId: 'me', direction: 'receive' }));
  assert.equal(own?.way, 'Server → you');
  assert.equal(own?.stream, 'Ben’s screen');
  assert.equal(own?.browser, 'Your browser');
  assert.equal(other?.way, 'Ben → server');
  assert.equal(other?.browser, 'Their browser');
});

test('own legs come first, and somebody who is unknown is someone who left', () => {
  const rows = rowsOf(leg({ connectionId: 'gone', streamId: 'gone' }), leg({ connectionId: 'me', streamId: 'mine' }));
  assert.deepEqual(
    rows.map((row) => row.stream),
    ['Your camera', 'The stream of someone who left'],
  );
});

test('for own open legs this browser’s word to the page goes before the server’s account of it', () => {
  const record = { policy: 'prefer-aes256' as const, legs: [leg({ connectionId: 'me', streamId: 'mine' })] };
  const said = {
    streamId: 'mine',
    direction: 'send' as const,
    state: 'allowed' as const,
    suiteSeenByServer: 'AEAD_AES_256_GCM' as const,
    suiteReportedByClient: 'AES_CM_128_HMAC_SHA1_80' as const,
    frameLayer: null,
    connectionId: 'me',
    observedBy: 'server' as const,
    peerConnectionId: null,
    suiteReportedByPeer: null,
    securityCode: null,
  };
  const [row] = legRows(record, [said], directory);
  assert.equal(row?.suiteReportedByClient, 'AES_CM_128_HMAC_SHA1_80');
  assert.equal(row?.verdict, 'differ');
});

test('verdicts: agree, differ, waiting, refused; two unknowns are no agreement', () => {
  const verdicts = [
    leg({}),
    leg({ suiteReportedByClient: 'AEAD_AES_128_GCM' }),
    leg({ suiteReportedByClient: null }),
    leg({ state: 'refused', suiteReportedByClient: null }),
    leg({ suiteSeenByServer: 'unknown', suiteReportedByClient: 'unknown' }),
  ].map((each) => rowsOf(each)[0]?.verdict);
  assert.deepEqual(verdicts, ['agree', 'differ', 'waiting', 'refused', 'differ']);
});

test('a leg between two browsers has their names, their two words and the shorter key, and nothing of the server', () => {
  const between = leg({
    connectionId: 'me',
    direction: 'receive',
    observedBy: 'clients',
    peerConnectionId: 'ben',
    suiteSeenByServer: null,
    suiteReportedByClient: 'AEAD_AES_128_GCM',
    suiteReportedByPeer: 'AEAD_AES_128_GCM',
  });
  const [row] = rowsOf(between);
  assert.equal(row?.way, 'Ben → you');
  assert.equal(row?.stream, 'Ben’s screen');
  assert.equal(row?.direction, 'receive');
  assert.deepEqual(row?.sender, { browser: 'Their browser', suite: 'AEAD_AES_128_GCM' });
  assert.deepEqual([row?.verdict, row?.bits, row?.own], ['agree', 128, true]);
  const sent = rowsOf({ ...between, connectionId: 'ben', peerConnectionId: 'me', streamId: 'mine' })[0];
  assert.deepEqual([sent?.way, sent?.direction, sent?.own], ['You → Ben', 'send', true]);
  const verdicts = [
    { ...between, suiteReportedByPeer: null },
    { ...between, suiteReportedByPeer: 'AES_CM_128_HMAC_SHA1_80' as const },
    { ...between, state: 'refused' as const, suiteReportedByPeer: null, suiteReportedByClient: null },
  ].map((each) => rowsOf(each)[0]?.verdict);
  assert.deepEqual(verdicts, ['waiting', 'differ', 'refused']);
  assert.equal(summaryOf(rowsOf(between)).standing, 'weak');
  const sealed = { ...between, agree: true, frameLayer: 'AES_256_GCM_SHA512_128' as const };
  assert.deepEqual([rowsOf(sealed)[0]?.bits, summaryOf(rowsOf(sealed)).standing], [256, 'strong']);
  // Each was told something else of the other's frames.
  assert.equal(rowsOf({ ...sealed, agree: false })[0]?.verdict, 'differ');
});

test('of a leg that it sends over, this browser’s word to the page goes before the server’s account of it', () => {
  const between = leg({
    direction: 'receive',
    observedBy: 'clients',
    peerConnectionId: 'me',
    streamId: 'mine',
    suiteSeenByServer: null,
    suiteReportedByPeer: 'AEAD_AES_128_GCM',
    suiteReportedByClient: 'AEAD_AES_128_GCM',
  });
  const said = { ...between, suiteReportedByPeer: 'AES_CM_128_HMAC_SHA1_80' as const, securityCode: '12345 67890' };
  const [row] = legRows({ policy: 'prefer-aes256', legs: [between] }, [said], directory);
  assert.equal(row?.sender?.suite, 'AES_CM_128_HMAC_SHA1_80');
  assert.equal(row?.verdict, 'differ');
});

test('the summary speaks of open legs, the worst first', () => {
  const strong = leg({});
  const weak = leg({
    suiteSeenByServer: 'AES_CM_128_HMAC_SHA1_80',
    suiteReportedByClient: 'AES_CM_128_HMAC_SHA1_80',
  });
  const waiting = leg({ suiteReportedByClient: null });
  const differs = leg({ suiteReportedByClient: 'AEAD_AES_128_GCM' });
  const standing = (...legs: Leg[]) => summaryOf(rowsOf(...legs)).standing;
  assert.equal(standing(), 'none');
  assert.equal(standing({ ...weak, closedAt: 2 }), 'none');
  assert.equal(standing({ ...weak, state: 'refused' }), 'none');
  assert.equal(standing(strong, strong), 'strong');
  assert.equal(standing(strong, waiting), 'waiting');
  assert.equal(standing(strong, waiting, weak), 'weak');
  assert.equal(standing(strong, weak, differs), 'differ');
});

test('a number of legs is written as people write it', () => {
  assert.equal(summaryOf(rowsOf(leg({}))).text, 'The one leg has AES-256, and both ends agree.');
  assert.equal(summaryOf(rowsOf(leg({}), leg({}))).text, 'All 2 legs have AES-256, and both ends agree.');
});

test('each policy has words', () => {
  assert.equal(policyWords('require-aes256').name, 'AES-256 required');
  assert.equal(policyWords('prefer-aes256').name, 'AES-256 preferred');
});

test('somebody with another secret counts more than any suite', () => {
  assert.deepEqual(summaryOf([], 1), {
    standing: 'differ',
    short: 'Secrets differ',
    text: 'One person here has another secret than you.',
  });
  assert.equal(summaryOf([], 2).text, '2 people here have another secret than you.');
});
