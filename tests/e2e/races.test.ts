/** Things that happen at the same moment, and pages that are closed in the middle of something. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import type { Happening } from '../rig/in-page.ts';
import type { Participant } from '../rig/page.ts';
import { eventually } from '../rig/wait.ts';
import { assertPicture, small } from './calls.ts';
import { useStage } from './stage.ts';

const stage = useStage();

/** What a page says to the server on its way into a call, in this order; `hello` is the first word of all. */
const STEPS = ['hello', 'publish', 'openTransport', 'connectTransport', 'produce', 'reportSuite'] as const;
/** Well before the time in which a page that lost its line might come back. */
const AT_ONCE_MS = (limits.resumeSeconds * 1000) / 2;

function streamsOf(happenings: readonly Happening[], type: string): unknown[] {
  return happenings
    .filter((each) => each.type === type && each.target === 'session')
    .map(({ detail }) => detail.stream);
}

/** A page was told once of each of these streams, and of no other. */
async function assertToldOnce(page: Participant, streams: readonly string[]): Promise<void> {
  for (const stream of streams) await page.event('session', 'streamCreated', { stream });
  const told = streamsOf(await page.happenings(), 'streamCreated');
  assert.deepEqual([...told].sort(), [...streams].sort());
}

test('two publishers of one page and one of another at the same moment: each stream comes once to everybody', async () => {
  const sessionId = await stage.customer.session();
  const [first, second, watcher] = await Promise.all([stage.open(), stage.open(), stage.open()]);
  await Promise.all([first, second, watcher].map((page) => page.join(stage.customer.ticket(sessionId))));
  const [one, two, three] = await Promise.all([first.publish(small), first.publish(small), second.publish(small)]);
  assert.equal(new Set([one, two, three]).size, 3);

  for (const stream of [one, two, three]) {
    await watcher.subscribed(stream);
    assertPicture(await watcher.look(stream), 'chromium');
  }
  await assertToldOnce(watcher, [one, two, three]);
  await assertToldOnce(second, [one, two]);
  await assertToldOnce(first, [three]);
  const path = `/v2/project/${stage.server.credentials.apiKey}/session/${sessionId}/stream`;
  const { items } = (await stage.customer.rest('GET', path, 'project')) as { items: { id: string }[] };
  assert.deepEqual(items.map(({ id }) => id).sort(), [one, two, three].sort());
  await Promise.all([first.close(), second.close(), watcher.close()]);
});

/** Joins and publishes, and closes the page as soon as it has said this to the server. */
async function closeAt(step: (typeof STEPS)[number], sessionId: string): Promise<void> {
  const leaver = await stage.open();
  const said = leaver.page.evaluate(
    (wanted) =>
      new Promise<void>((resolve) => {
        const send = WebSocket.prototype.send;
        WebSocket.prototype.send = function (text) {
          send.call(this, text);
          const { type, method } = JSON.parse(String(text));
          if (type === wanted || method === wanted) resolve();
        };
      }),
    step,
  );
  const as = stage.customer.ticket(sessionId);
  const arrives = leaver.join(as).then(() => leaver.publish(small));
  arrives.catch(() => {});
  await said;
  await leaver.close();
}

test('a page that is closed before it was told that it is in, is gone at once', async () => {
  const sessionId = await stage.customer.session();
  const [watcher, leaver] = await Promise.all([stage.open(), stage.open()]);
  await watcher.join(stage.customer.ticket(sessionId));
  await watcher.event('session', 'connectionCreated', { connection: watcher.connectionId });
  await leaver.page.evaluate(() => {
    Object.defineProperty(WebSocket.prototype, 'onmessage', { set() {} });
  });
  const since = await watcher.mark();
  leaver.join(stage.customer.ticket(sessionId)).catch(() => {});
  const { detail } = await watcher.event('session', 'connectionCreated', { since });
  await leaver.close();
  const { connection } = detail;
  await watcher.event('session', 'connectionDestroyed', { connection, reason: 'clientDisconnected', ms: AT_ONCE_MS });
  await watcher.close();
});

test('a page that is closed while it joins or publishes leaves nothing behind: no connection, no stream, no open leg', async () => {
  const sessionId = await stage.customer.session();
  const watcher = await stage.open();
  await watcher.join(stage.customer.ticket(sessionId));
  for (const step of STEPS) await closeAt(step, sessionId);

  const connections = async (type: string) => {
    const told = (await watcher.happenings()).filter((each) => each.type === type);
    return told.map(({ detail }) => detail.connection).filter((id) => id !== watcher.connectionId);
  };
  await eventually(
    'the others to be gone again',
    async () => ({ came: await connections('connectionCreated'), went: await connections('connectionDestroyed') }),
    // Who closes after the first word may never have come.
    ({ came, went }) => came.length >= STEPS.length - 1 && came.every((id) => went.includes(id)),
    // A browser that is busy takes the socket away without a word of closing: the server waits for who may come back.
    limits.resumeSeconds * 1000 + AT_ONCE_MS,
  );
  const told = await watcher.happenings();
  const [created, destroyed] = [streamsOf(told, 'streamCreated'), streamsOf(told, 'streamDestroyed')];
  assert.deepEqual(destroyed.sort(), created.sort());

  const path = `/v2/project/${stage.server.credentials.apiKey}/session/${sessionId}/stream`;
  assert.deepEqual(await stage.customer.rest('GET', path, 'project'), { count: 0, items: [] });
  const { legs } = await stage.customer.security(sessionId);
  assert.deepEqual(
    legs.filter(({ closedAt }) => closedAt === null),
    [],
  );
  // The session is as good as new.
  const late = await stage.open();
  await late.join(stage.customer.ticket(sessionId), null);
  const streamId = await late.publish(small);
  await watcher.subscribed(streamId);
  assertPicture(await watcher.look(streamId), 'chromium');
  await Promise.all([late.close(), watcher.close()]);
});
