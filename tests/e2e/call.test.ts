/** Two Chromiums in a call. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noteMeasured } from '../rig/measured.ts';
import type { Participant } from '../rig/page.ts';
import {
  assertSeenAndHeard,
  assertStrongAtClient,
  assertStrongRecord,
  type Call,
  STRONG,
  startCallOf,
} from './calls.ts';
import { useStage } from './stage.ts';

const stage = useStage({
  ready: async () => {
    [alice, bob] = await Promise.all([stage.open(), stage.open()]);
    // As an application publishes that asks for nothing.
    call = await startCallOf(stage.customer, [alice, bob], {});
  },
});
let alice: Participant;
let bob: Participant;
let call: Call;

test('both see and hear each other', async () => {
  const [fromAlice = '', fromBob = ''] = call.streams;
  await assertSeenAndHeard(alice, fromBob, 'chromium');
  await assertSeenAndHeard(bob, fromAlice, 'chromium');
});

test('the default view is drawn under a strict Content-Security-Policy', async () => {
  const view = await bob.page.evaluate((id) => {
    const root = window.rig.subscriber(id).element as HTMLElement;
    const bar = root.querySelector('.OT_bar');
    if (!bar) throw new Error('the view has no bar');
    return { overflow: getComputedStyle(root).overflow, width: root.clientWidth, bar: getComputedStyle(bar).position };
  }, call.streams[0]!);
  assert.deepEqual(view, { overflow: 'hidden', width: 264, bar: 'absolute' });
});

test('every leg has AES-256 by the word of the server and of both browsers', async () => {
  await assertStrongAtClient(alice, 2);
  await assertStrongAtClient(bob, 2);
  await assertStrongRecord(stage.customer, call.sessionId, 4);
  const { version } = stage.browser;
  noteMeasured('Chromium', { version, suites: { send: STRONG, receive: STRONG }, test: 'tests/e2e/call.test.ts' });
});

test('who leaves is gone for the other, and the record keeps the legs', async () => {
  const [fromAlice = ''] = call.streams;
  await alice.page.evaluate(() => window.rig.session().disconnect());
  await alice.event('session', 'sessionDisconnected', { reason: 'clientDisconnected' });
  await bob.event('session', 'streamDestroyed', { stream: fromAlice, reason: 'clientDisconnected' });
  await bob.event('session', 'connectionDestroyed', { connection: alice.connectionId, reason: 'clientDisconnected' });
  await bob.event(fromAlice, 'destroyed');
  const { legs } = await stage.customer.security(call.sessionId);
  assert.equal(legs.length, 4);
});

test('no page complained', () => {
  assert.deepEqual(stage.browser.errors, []);
});
