import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from './limits.ts';
import { peerMessage } from './peers.ts';

const fits = (message: object) => peerMessage.safeParse({ build: 1, ...message }).success;

test('a description has at most peerDescriptionChars, and names at most peerTracks', () => {
  const described = (chars: number, tracks: number) =>
    fits({
      kind: 'description',
      type: 'offer',
      sdp: 'x'.repeat(chars),
      tracks: Array(tracks).fill({ mid: '0', streamId: 's', kind: 'audio' }),
    });
  const { peerDescriptionChars, peerTracks } = limits;
  assert.deepEqual([described(peerDescriptionChars, 0), described(peerDescriptionChars + 1, 0)], [true, false]);
  assert.deepEqual([described(1, peerTracks), described(1, peerTracks + 1)], [true, false]);
});

test('a candidate has at most peerCandidateChars', () => {
  const candidate = (chars: number) =>
    fits({
      kind: 'candidate',
      candidate: 'x'.repeat(chars),
      sdpMid: '0',
      sdpMLineIndex: 0,
      usernameFragment: null,
    });
  assert.deepEqual([candidate(limits.peerCandidateChars), candidate(limits.peerCandidateChars + 1)], [true, false]);
});

test('a key has a fingerprint of at most peerFingerprintChars, and is a point or none', () => {
  const key = (chars: number, publicKey: string | null = null) =>
    fits({ kind: 'frameKey', fingerprint: 'x'.repeat(chars), publicKey });
  assert.deepEqual([key(limits.peerFingerprintChars), key(limits.peerFingerprintChars + 1)], [true, false]);
  assert.deepEqual([key(1, 'A'.repeat(130)), key(1, 'A'.repeat(129)), key(1, '+'.repeat(130))], [true, false, false]);
});

test('a message is of a connection that is counted from 1, and of a kind that there is', () => {
  assert.equal(fits({ kind: 'anew' }), true);
  assert.equal(fits({ kind: 'anew', build: 0 }), false);
  assert.equal(fits({ kind: 'data' }), false);
});
