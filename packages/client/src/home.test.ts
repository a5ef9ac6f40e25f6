import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { join } from './home.ts';

const request = { apiKey: '1', sessionId: '2', token: 'T1==' };

/** A platform that drops the line `drops` times, then answers. */
async function platform(drops: number, status: number, body: object) {
  let asked = 0;
  const server = createServer((incoming, response) => {
    asked += 1;
    if (asked <= drops) return void incoming.socket.destroy();
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: () => asked,
    [Symbol.dispose]: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

test('a line that breaks while the token is shown is tried again', async () => {
  using server = await platform(2, 200, { ticket: 'a' });
  assert.deepEqual(await join(server.url, request), { ticket: 'a' });
  assert.equal(server.asked(), 3);
});

test('a line that stays broken fails by name, with the address', async () => {
  using server = await platform(99, 200, {});
  await assert.rejects(join(server.url, request), (error: Error) => {
    assert.equal(error.name, 'OT_CONNECT_FAILED');
    assert.match(error.message, new RegExp(`${server.url} could not be reached`));
    return true;
  });
  assert.equal(server.asked(), 3);
});

test('a refusal is final', async () => {
  const body = { code: 'TokenExpired', message: 'The token has expired', help: 'Make a new one.' };
  using server = await platform(0, 403, body);
  await assert.rejects(join(server.url, request), { name: 'OT_AUTHENTICATION_ERROR' });
  assert.equal(server.asked(), 1);
});
