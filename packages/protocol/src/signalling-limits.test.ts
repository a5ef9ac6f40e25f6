import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from './limits.ts';
import { clientFrame, requests, signallingVersion } from './signalling.ts';

test('a ticket has at most ticketBytes', () => {
  const fits = (length: number) =>
    clientFrame.safeParse({ type: 'hello', version: signallingVersion, ticket: 'x'.repeat(length) }).success;
  assert.deepEqual([fits(limits.ticketBytes), fits(limits.ticketBytes + 1)], [true, false]);
});

test('a force-mute excludes at most streamsPerSession streams', () => {
  const fits = (count: number) =>
    requests.forceMuteAll.data.safeParse({ active: true, excludedStreamIds: Array(count).fill('s') }).success;
  assert.deepEqual([fits(limits.streamsPerSession), fits(limits.streamsPerSession + 1)], [true, false]);
});
