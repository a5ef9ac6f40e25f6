/** The server is killed in the middle of its work: all that it had acknowledged is there after the restart. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { freePorts } from '../rig/ports.ts';
import { Customer } from '../rig/sdk.ts';
import { type Server, startServer } from '../rig/server.ts';
import { eventually, Feed } from '../rig/wait.ts';
import { WeakClient } from '../rig/weak-client.ts';
import { times } from '../sample.ts';

const ROUNDS = times(1, 5);
const CREATORS = 8;
const LAST_CHECKED = 10;
/** The next try is due at most twice as long after the last one as the receiver was away. */
const RETRIES_MS = 120_000;

interface Delivered {
  readonly event: string;
  readonly reason: string | undefined;
  readonly connectionId: string;
}

interface Project {
  readonly id: string;
  readonly secret: string;
}

let server: Server;
let customer: Customer;
let receiverPort: number;

before(async () => {
  server = await startServer();
  customer = new Customer(server.credentials);
  receiverPort = await freePorts(1);
});

after(async () => {
  await server?.stop();
});

/** Makes sessions on end until the server is gone; → those whose creation was answered. */
async function createUntilGone(): Promise<string[]> {
  const made: string[] = [];
  for (;;) {
    try {
      made.push(await customer.session());
    } catch {
      return made;
    }
  }
}

async function registerCallbacks(): Promise<void> {
  for (const event of ['created', 'destroyed']) {
    const callback = { group: 'connection', event, url: `http://127.0.0.1:${receiverPort}/hook` };
    await customer.rest('POST', `/v2/project/${server.credentials.apiKey}/callback`, 'project', callback);
  }
}

test('sessions and projects that were acknowledged outlive kill -9', async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const project = (await customer.rest('POST', '/v2/project', 'account', { name: `round ${round}` })) as Project;
    const making = Promise.all(Array.from({ length: CREATORS }, createUntilGone));
    await customer.session();
    await server.kill();
    // The last ones of each are those that a write too late would lose.
    const sessions = (await making).flatMap((made) => made.slice(-LAST_CHECKED));
    assert.ok(sessions.length > 0, 'no session was made before the kill');
    server = await server.restart();
    const projects = (await customer.rest('GET', '/v2/project', 'account')) as Project[];
    assert.ok(projects.some(({ id }) => String(id) === String(project.id)));
    for (const sessionId of sessions) {
      const path = `/v2/project/${server.credentials.apiKey}/session/${sessionId}/stream`;
      assert.deepEqual(await customer.rest('GET', path, 'project'), { count: 0, items: [] });
    }
    const client = await WeakClient.join(server.url, customer.ticket(sessions.at(-1) as string));
    client.close();
  }
});

test('after the restart the record has an end for everything, and webhooks that were not delivered go out in order', async () => {
  await registerCallbacks();
  const sessionId = await customer.session();
  // Nobody listens at the receiver's port yet.
  const clients = [];
  for (let count = 0; count < 3; count += 1) {
    clients.push(await WeakClient.join(server.url, customer.ticket(sessionId)));
  }
  const expected = clients.map(({ connectionId }) => connectionId);
  await clients[0]?.publishAllowed();
  // The leg is there once its transport is connected; the record comes after all events before it.
  const open = await eventually(
    'a leg',
    () => customer.security(sessionId),
    ({ legs }) => legs.length > 0,
  );
  assert.deepEqual(
    open.legs.map(({ closedAt }) => closedAt),
    [null],
  );
  const killedAt = Date.now();
  await server.kill();
  for (const client of clients) client.close();

  const delivered = new Feed<Delivered>();
  const receiver = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = JSON.parse(Buffer.concat(chunks).toString());
    const { event, reason, connection } = body;
    if (body.sessionId === sessionId) delivered.push({ event, reason, connectionId: connection.id });
    response.end();
  });
  await once(receiver.listen(receiverPort, '127.0.0.1'), 'listening');
  receiver.unref();
  server = await server.restart();
  const { legs } = await customer.security(sessionId);
  assert.deepEqual(
    legs.map(({ closedAt }) => closedAt !== null && closedAt >= killedAt),
    [true],
  );
  const last = expected.at(-1);
  const isLast = (each: Delivered) => each.connectionId === last && each.event === 'connectionDestroyed';
  await delivered.next('the last webhook', isLast, { ms: RETRIES_MS });
  assert.deepEqual(delivered.items, [
    ...expected.map((connectionId) => ({ event: 'connectionCreated', reason: undefined, connectionId })),
    ...expected.map((connectionId) => ({ event: 'connectionDestroyed', reason: 'networkDisconnected', connectionId })),
  ]);
  receiver.close();
});
