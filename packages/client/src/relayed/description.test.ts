import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fingerprintOf, withOneIdEach, withOpusWishes, withoutStrayCodecs } from './description.ts';

const lines = (...all: string[]) => all.map((line) => `${line}\r\n`).join('');
const head = ['v=0', 'a=fingerprint:sha-256 AB:CD'];
const video = ['m=video 9 UDP/TLS/RTP/SAVPF 120 124', 'a=mid:0', 'a=rtpmap:120 VP8/90000', 'a=rtcp-fb:120 nack'];
const audio = ['m=audio 9 UDP/TLS/RTP/SAVPF 109', 'a=mid:1', 'a=rtpmap:109 opus/48000/2'];

test('what is said of payload types that an m-section does not have is left out, section by section', () => {
  const stray = ['a=rtcp-fb:99 nack pli', 'a=fmtp:109 x=1'];
  assert.equal(withoutStrayCodecs(lines(...head, ...video, ...stray, ...audio)), lines(...head, ...video, ...audio));
  assert.equal(withoutStrayCodecs(lines(...head, ...audio)), lines(...head, ...audio));
  assert.equal(withoutStrayCodecs('nonsense'), 'nonsense');
});

test('wishes for Opus take the place of what is said of them, at the tracks that they are for', () => {
  const given = lines(...head, ...audio, 'a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1');
  assert.equal(
    withOpusWishes(given, new Map([['1', { dtx: true, stereo: false }]])),
    lines(...head, ...audio, 'a=fmtp:109 maxplaybackrate=48000;useinbandfec=1;usedtx=1;stereo=0'),
  );
  assert.equal(withOpusWishes(given, new Map([['0', { stereo: false }]])), given);
  const bare = lines(...head, ...video, ...audio);
  const wished = withOpusWishes(
    bare,
    new Map([
      ['0', { stereo: true }],
      ['1', { stereo: true }],
    ]),
  );
  assert.equal(wished, lines(...head, ...video, ...audio, 'a=fmtp:109 stereo=1'));
});

test('a header extension has one id in all m-sections, that which was agreed on where there is one', () => {
  const [level, mid, rotation] = [
    'urn:ietf:params:rtp-hdrext:ssrc-audio-level',
    'urn:ietf:params:rtp-hdrext:sdes:mid',
    'urn:3gpp:video-orientation',
  ];
  const agreed = lines(...head, ...video, `a=extmap:3 ${mid}`, `a=extmap:6/recvonly ${rotation}`);
  const colliding = lines(
    ...head,
    ...video,
    `a=extmap:3 ${mid}`,
    `a=extmap:6 ${rotation}`,
    ...audio,
    `a=extmap:6/sendonly ${level}`,
    `a=extmap:4 ${mid}`,
  );
  assert.equal(
    withOneIdEach(colliding, agreed),
    lines(
      ...head,
      ...video,
      `a=extmap:3 ${mid}`,
      `a=extmap:6 ${rotation}`,
      ...audio,
      `a=extmap:1/sendonly ${level}`,
      `a=extmap:3 ${mid}`,
    ),
  );
  // What is in force counts also where a new section stands before it.
  assert.equal(
    withOneIdEach(lines(`a=extmap:6 ${level}`, `a=extmap:6 ${rotation}`), agreed),
    lines(`a=extmap:1 ${level}`, `a=extmap:6 ${rotation}`),
  );
  assert.equal(withOneIdEach(agreed, ''), agreed);
});

test('a description has a fingerprint, or none', () => {
  assert.equal(fingerprintOf(lines(...head, ...video)), 'sha-256 AB:CD');
  assert.equal(fingerprintOf(lines('v=0')), null);
  assert.equal(fingerprintOf(lines(...head, ...video, 'a=fingerprint:sha-256 AB:CD')), 'sha-256 AB:CD');
  for (const other of ['a=fingerprint:sha-256 AB:CE', 's=\u2028a=fingerprint:sha-256 EF:EF'])
    assert.equal(fingerprintOf(lines(other, ...head)), other.startsWith('a') ? null : 'sha-256 AB:CD');
});
