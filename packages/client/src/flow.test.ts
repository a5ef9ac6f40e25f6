import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Flow, hasOtherWay, receivedBytes } from './flow.ts';

/** Looks every 100 ms at counts; → the places at which the flow became quiet. */
function quietAt(counts: readonly number[]): number[] {
  const flow = new Flow();
  return counts.flatMap((count, index) => (flow.look(count, index * 100) ? [index] : []));
}

test('a steady flow that stops is quiet after 300 ms, and told once', () => {
  assert.deepEqual(quietAt([1, 2, 3, 4, 5, 5, 5, 5, 5, 5, 5]), [7]);
});

test('a pause that is shorter is none', () => {
  assert.deepEqual(quietAt([1, 2, 3, 4, 5, 5, 5, 6, 7, 7, 7, 8, 9]), []);
});

test('what came only now and then may pause', () => {
  assert.deepEqual(quietAt([0, 0, 0, 0, 1, 2, 3, 4, 4, 4, 4, 4, 5, 5, 5, 5, 5]), []);
});

test('a flow that has come back can become quiet again', () => {
  const flow = new Flow();
  const looks = [1, 2, 3, 4, 5, 5, 5, 5, 6, 7, 8, 9, 10, 10, 10, 10, 10];
  const seen = looks.map((count, index) => {
    const told = flow.look(count, index * 100);
    return `${told ? 'told ' : ''}${flow.quiet ? 'quiet' : 'flows'}`;
  });
  assert.deepEqual(seen.slice(6), [
    'flows',
    'told quiet',
    'flows',
    'flows',
    'flows',
    'flows',
    'flows',
    'flows',
    'flows',
    'told quiet',
    'quiet',
  ]);
});

const report = (entries: Record<string, object>) => new Map(Object.entries(entries)) as unknown as RTCStatsReport;

test('bytes are counted on transports and candidate pairs', () => {
  const stats = report({
    t: { type: 'transport', bytesReceived: 10 },
    a: { type: 'candidate-pair', bytesReceived: 7 },
    b: { type: 'candidate-pair' },
    r: { type: 'inbound-rtp', bytesReceived: 5 },
  });
  assert.equal(receivedBytes(stats), 17);
});

test('another way is a new pair that was answered, while an old one is in use', () => {
  const pair = (state: string) => ({ type: 'candidate-pair', state });
  const using = (id: string) => ({ type: 'transport', selectedCandidatePairId: id });
  const before = report({ t: using('a'), a: pair('succeeded'), b: pair('succeeded') });
  const after = (used: string, state: string) =>
    hasOtherWay(before, report({ t: using(used), a: pair('in-progress'), b: pair('succeeded'), c: pair(state) }));
  assert.equal(after('a', 'succeeded'), true);
  assert.equal(after('a', 'in-progress'), false);
  assert.equal(after('c', 'succeeded'), false);
});
