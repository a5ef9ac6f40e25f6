import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol/limits';
import fc from 'fast-check';
import { inOrder, type LayoutStream, mixedVoices } from './priority.ts';

let clock = 0;
/** `ann`'s camera is `stream('ann')`; streams come in the order in which a test makes them. */
function stream(connectionId: string, more: Partial<LayoutStream> = {}): LayoutStream {
  clock += 1;
  const videoType = more.videoType === undefined ? 'camera' : more.videoType;
  const streamId = `${connectionId} ${videoType}`;
  return { streamId, connectionId, videoType, layoutClasses: [], addedAt: clock, hasVideo: true, ...more };
}
const ids = (streams: readonly LayoutStream[]) => inOrder(streams).map((each) => each.streamId);

test('without classes: screens, cameras of those who share, then the others, each by time', () => {
  const streams = [
    stream('ann'),
    stream('bob'),
    stream('cem'),
    stream('cem', { videoType: 'custom' }),
    stream('cem', { videoType: 'screen' }),
    stream('ann', { videoType: 'screen' }),
  ];
  const expected = ['cem screen', 'ann screen', 'ann camera', 'cem camera', 'bob camera', 'cem custom'];
  assert.deepEqual(ids(streams), expected);
  assert.deepEqual(ids([...streams].reverse()), expected, 'the order of the list does not matter');
});

test('with classes: those first, in the same order; then cameras of those who have one among them', () => {
  const focus = { layoutClasses: ['focus'] };
  const streams = [
    stream('ann'),
    stream('bob'),
    stream('bob', { videoType: 'custom', ...focus }),
    stream('cem', focus),
    stream('dee', { videoType: 'screen', ...focus }),
    stream('dee', { streamId: 'dee second', ...focus }),
    stream('dee'),
    stream('eve', { videoType: 'screen' }),
    stream('eve'),
  ];
  assert.deepEqual(ids(streams), [
    'dee screen',
    'dee second',
    'bob custom',
    'cem camera',
    'eve screen',
    'dee camera',
    'eve camera',
    'bob camera',
    'ann camera',
  ]);
});

test('a stream without video has no place, and makes nobody a sharer', () => {
  const streams = [stream('ann'), stream('bob'), stream('bob', { videoType: 'screen', hasVideo: false })];
  assert.deepEqual(ids(streams), ['ann camera', 'bob camera']);
  assert.deepEqual(ids([stream('cem', { videoType: null, hasVideo: false })]), []);
});

test('property: every stream with video is in the order once, whatever order they come in', () => {
  const one = fc.record({
    streamId: fc.uuid(),
    connectionId: fc.constantFrom('a', 'b', 'c'),
    videoType: fc.constantFrom('camera' as const, 'screen' as const, 'custom' as const, null),
    layoutClasses: fc.subarray(['focus', 'full']),
    addedAt: fc.nat(5),
    hasVideo: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.uniqueArray(one, { selector: (each) => each.streamId }), (streams) => {
      const shown = streams.filter((each) => each.hasVideo).map((each) => each.streamId);
      assert.deepEqual(ids(streams).sort(), shown.sort());
    }),
  );
});

test('the first archiveVoices that came are mixed, those without sound aside', () => {
  const voices = Array.from({ length: limits.archiveVoices + 1 }, (_, index) => ({
    streamId: `voice ${index}`,
    addedAt: 1000 - index,
    hasAudio: true,
  }));
  const all = mixedVoices(voices);
  assert.equal(all.length, limits.archiveVoices);
  assert.equal(all[0], `voice ${limits.archiveVoices}`, 'who came first is first');
  assert.ok(!all.includes('voice 0'), 'who came last is one too many');
  assert.equal(mixedVoices(voices.slice(1)).length, limits.archiveVoices);
  const [, muted, ...others] = voices;
  assert.ok(mixedVoices([voices[0]!, { ...muted!, hasAudio: false }, ...others]).includes('voice 0'));
});
