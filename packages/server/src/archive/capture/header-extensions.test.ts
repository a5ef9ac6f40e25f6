import assert from 'node:assert/strict';
import { test } from 'node:test';
import { captureTimeOf, extensionIdsOf, turnOf } from './header-extensions.ts';

test('a track has the ids of those extensions that it has', () => {
  const capture = { uri: 'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time', id: 10 };
  const orientation = { uri: 'urn:3gpp:video-orientation', id: 8 };
  const level = { uri: 'urn:ietf:params:rtp-hdrext:ssrc-audio-level', id: 6 };
  assert.deepEqual(extensionIdsOf([level, orientation, capture]), { captureTime: 10, orientation: 8 });
  assert.deepEqual(extensionIdsOf([level]), { captureTime: null, orientation: null });
});

test('a turn is in the last two bits, whatever the others say; without the extension there is none', () => {
  const turned = (...bytes: number[]) => turnOf(Buffer.from(bytes));
  assert.deepEqual(
    [0b00, 0b01, 0b10, 0b11].map((bits) => turned(bits)),
    [0, 90, 180, 270],
  );
  assert.deepEqual(
    [0b1100, 0b1001, 0b11111110].map((bits) => turned(bits)),
    [0, 90, 180],
  );
  assert.deepEqual([turnOf(undefined), turned(), turned(1, 2)], [0, 0, 90]);
});

test('a capture time is a fixed-point number of seconds, with the offset of a mixer or without', () => {
  const bytes = Buffer.from('0000000a80000000', 'hex');
  assert.equal(captureTimeOf(bytes), 10_500);
  assert.equal(captureTimeOf(Buffer.concat([bytes, Buffer.alloc(8, 0xff)])), 10_500);
  for (const length of [0, 7, 9, 15, 17]) assert.equal(captureTimeOf(Buffer.alloc(length)), null);
  assert.equal(captureTimeOf(undefined), null);
});
