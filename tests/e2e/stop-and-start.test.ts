/** An operator stops the platform in the middle of a call, and starts it again on the same data. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { eventually, Feed } from '../rig/wait.ts';
import { full } from '../sample.ts';
import { archiveCalls, download } from './archives.ts';
import { reportedLegs, startCall } from './calls.ts';
import { useStage } from './stage.ts';

/** From the start of the program until calls can be made. The promise is 5 s; a sample runs on whatever machine there is. */
const SECOND_START_MS = full ? 5000 : 20_000;
const RECORDED_BYTES = 100_000;
/** The next try of a webhook that failed while the platform ended. */
const WEBHOOKS_MS = 60_000;

interface Hook {
  readonly event: string;
  readonly sessionId: string;
  readonly connection?: { id: string };
  readonly stream?: { id: string; connection: { id: string } };
}

const hooks = new Feed<Hook>();
const stage = useStage({ ready: receiveWebhooks });

/** Registers a receiver for the ends of streams and connections. */
async function receiveWebhooks(): Promise<void> {
  const receiver = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    hooks.push(JSON.parse(Buffer.concat(chunks).toString()));
    response.end();
  });
  await once(receiver.listen(0, '127.0.0.1'), 'listening');
  receiver.unref();
  const { port } = receiver.address() as AddressInfo;
  for (const group of ['connection', 'stream']) {
    const callback = { group, event: 'destroyed', url: `http://127.0.0.1:${port}/hook` };
    await stage.customer.rest('POST', `/v2/project/${stage.server.credentials.apiKey}/callback`, 'project', callback);
  }
}

test('Ctrl-C ends a call in order: pages are told, webhooks go out, no leg stays open; the second start is fast', async (t) => {
  const pages = await Promise.all([stage.open(), stage.open()]);
  const { sessionId, streams } = await startCall(stage.customer, ...pages);
  await reportedLegs(stage.customer, sessionId, 4);
  const archive = await archiveCalls(stage.customer).start(sessionId, {});
  const file = path.join(stage.server.dataDir, 'archives', archive.id, 'archive');
  const written = async () => (await stat(file).catch(() => null))?.size ?? 0;
  await eventually('something is recorded', written, (bytes) => bytes > RECORDED_BYTES);
  // As in a terminal, the signal reaches every process of the server's group.
  await stage.server.interrupt();
  assert.doesNotMatch(stage.server.logs(), /worker was lost|recording failed|are lost/);
  for (const page of pages) {
    await page.event('session', 'sessionDisconnected', { reason: 'networkDisconnected' });
    const told = (await page.happenings()).map(({ type }) => type);
    assert.ok(!told.includes('sessionReconnecting'), told.join(' '));
  }

  const began = performance.now();
  stage.server = await stage.server.restart();
  const took = performance.now() - began;
  t.diagnostic(`the second start took ${Math.round(took)} ms`);
  assert.ok(took < SECOND_START_MS, `the second start took ${Math.round(took)} ms`);

  for (const [index, { connectionId }] of pages.entries()) {
    const own = (each: Hook) => each.event === 'connectionDestroyed' && each.connection?.id === connectionId;
    await hooks.next(`the webhook of connection ${index}`, own, { ms: WEBHOOKS_MS });
    const ended = hooks.items.findIndex(
      ({ event, stream }) => event === 'streamDestroyed' && stream?.id === streams[index],
    );
    assert.ok(ended >= 0 && ended < hooks.items.findIndex(own), 'the stream ends before its connection');
  }
  assert.equal(hooks.items.filter((each) => each.sessionId === sessionId).length, 4, JSON.stringify(hooks.items));
  const { legs } = await stage.customer.security(sessionId);
  assert.deepEqual(
    legs.map(({ closedAt }) => typeof closedAt),
    ['number', 'number', 'number', 'number'],
  );
  // What was recorded until then is a whole archive.
  const kept = await archiveCalls(stage.customer).available(archive.id);
  assert.equal(kept.reason, 'the server stopped');
  assert.ok((await download(kept)).length > RECORDED_BYTES);
  // The same pages come back into the same session.
  await Promise.all(pages.map((page) => page.close()));
  const again = await stage.open();
  await again.join(stage.customer.ticket(sessionId));
  await again.close();
});
