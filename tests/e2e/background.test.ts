/** Pages that nobody looks at: browsers hold back their timers, and still they stay in their session and in their call. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import type { Participant } from '../rig/page.ts';
import { eventually } from '../rig/wait.ts';
import { full } from '../sample.ts';
import { assertSeenAndHeard, startCall } from './calls.ts';
import { useStage } from './stage.ts';

const stage = useStage({ options: async () => ({ browser: { throttled: true } }) });

/** For longer than the server bears a silent page. */
const ASLEEP_MS = (limits.heartbeatMissedSeconds + 3) * 1000;
/** Once a minute the timers run, so one such time comes within two minutes. */
const FALLS_ASLEEP_MS = 120_000;

/** Lays another tab over a page. */
async function hide({ page }: Participant): Promise<void> {
  const tab = await page.browserContext().newPage();
  await tab.bringToFront();
  assert.equal(await page.evaluate(() => document.visibilityState), 'hidden');
}

/** Notes from now on when a page says something to the server. */
async function noteWords({ page }: Participant): Promise<void> {
  await page.evaluate(() => {
    const send = WebSocket.prototype.send;
    WebSocket.prototype.send = function (text) {
      send.call(this, text);
      document.body.setAttribute('data-said', String(performance.now()));
    };
  });
}

/** Waits until the last word of a page is so many milliseconds ago. */
async function silentFor({ page }: Participant, wanted: (ms: number) => boolean): Promise<void> {
  const ago = () => page.evaluate(() => performance.now() - Number(document.body.getAttribute('data-said')));
  await eventually('the last word of the page', ago, wanted, FALLS_ASLEEP_MS);
}

/** Nothing came between a page and its session. */
async function assertStayed(page: Participant): Promise<void> {
  const told = (await page.happenings()).map(({ type }) => type);
  assert.ok(!told.some((each) => /^session(Reconnect|Disconnect)|^disconnected/.test(each)), told.join(' '));
}

test('a page in a call is seen and heard while it is in the background, and sees and hears at once when it is back', async () => {
  const [away, stays] = await Promise.all([stage.open(), stage.open()]);
  const { streams } = await startCall(stage.customer, away, stays);
  const [ofAway, ofStays] = streams as [string, string];
  await hide(away);
  await assertSeenAndHeard(stays, ofAway, 'chromium');
  assert.ok((await stays.hear(ofAway, 3)).peak > 0);
  await away.page.bringToFront();
  await assertSeenAndHeard(away, ofStays, 'chromium');
  await Promise.all([away, stays].map(assertStayed));
  await Promise.all([away.close(), stays.close()]);
});

// A browser holds back a chain of timers from its sixth link on: of beats every 5 s, that takes half a minute.
if (full) {
  test('a page whose timers sleep stays in its session, learns what happens, and sees and hears at once', async () => {
    const sessionId = await stage.customer.session();
    const [sleeper, speaker] = await Promise.all([stage.open(), stage.open()]);
    await noteWords(sleeper);
    await sleeper.join(stage.customer.ticket(sessionId));
    await speaker.join(stage.customer.ticket(sessionId));
    await hide(sleeper);
    await silentFor(sleeper, (ms) => ms > ASLEEP_MS);
    // Its late timers find the silence that they themselves made.
    await sleeper.page.bringToFront();
    await silentFor(sleeper, (ms) => ms < 1000);
    await assertStayed(sleeper);
    await hide(sleeper);
    const streamId = await speaker.publish();
    await sleeper.event('session', 'streamCreated', { stream: streamId });
    await sleeper.page.bringToFront();
    await sleeper.subscribed(streamId);
    await assertSeenAndHeard(sleeper, streamId, 'chromium');
    await assertStayed(sleeper);
    const destroyed = (await speaker.happenings()).filter(({ type }) => type === 'connectionDestroyed');
    assert.deepEqual(destroyed, []);
    await Promise.all([sleeper.close(), speaker.close()]);
  });
}
