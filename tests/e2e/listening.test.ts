/** Where the server listens: a name for HTTP, addresses of both families for media. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { freePorts } from '../rig/ports.ts';
import { Customer } from '../rig/sdk.ts';
import { startServer } from '../rig/server.ts';

/** Whether somebody listens for UDP at an address and port of this machine. */
async function isTaken(address: string, port: number): Promise<boolean> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.bind(port, address);
  try {
    await once(socket, 'listening');
    return false;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return true;
    throw error;
  } finally {
    socket.close();
  }
}

test('a server on localhost starts, and media listens at an address that the name leads to', async (t) => {
  const port = await freePorts(40);
  const env = { CLOISTER_HOST: 'localhost', CLOISTER_MEDIA_PORTS: `${port}-${port + 39}` };
  const server = await startServer({ mediaWorkers: 1, env });
  t.after(() => server.stop());
  assert.equal(new URL(server.url).hostname, 'localhost');
  assert.ok(await new Customer(server.credentials).session());
  assert.equal(await isTaken('127.0.0.1', port), true);
});

test('media listens in both families while HTTP stays at one address', async (t) => {
  const port = await freePorts(40);
  const env = { CLOISTER_MEDIA_LISTEN: '127.0.0.1,::1', CLOISTER_MEDIA_PORTS: `${port}-${port + 39}` };
  const server = await startServer({ mediaWorkers: 1, env });
  t.after(() => server.stop());
  assert.equal(new URL(server.url).hostname, '127.0.0.1');
  assert.deepEqual(await Promise.all(['127.0.0.1', '::1'].map((address) => isTaken(address, port))), [true, true]);
});
