/** Real sockets against the gateway; the rules behind it are real, media is the double of the platform for tests. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { limits, signallingVersion } from '@cloister/protocol';
import { WebSocket } from 'ws';
import { type TestPlatform, testPlatform } from '../../../../tests/core/platform.ts';
import { Feed } from '../../../../tests/rig/wait.ts';
import { createRateLimiter } from '../access/index.ts';
import type { Session } from '../core/index.ts';
import { systemIds } from '../lib/index.ts';
import { Gateway, signallingPath } from './index.ts';

interface Frame {
  readonly type: string;
  readonly event?: string;
  readonly seq?: number;
  readonly resumeKey?: string;
  readonly connection?: { readonly connectionId: string };
  readonly reason?: string;
  readonly error?: { readonly code: string };
}

let platform: TestPlatform;
let server: Server;
let gateway: Gateway;
let port: number;
let session: Session;
/** Of each client another, since an address may join only so often. */
let address = '';

before(async () => {
  platform = await testPlatform();
  session = await platform.session();
  const limiter = createRateLimiter({ clock: platform.clock, ids: systemIds });
  gateway = new Gateway({ core: platform.core, limiter, clientAddress: () => address || '192.0.2.1' });
  server = createServer((_request, response) => void response.end('up'));
  gateway.attach(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  port = (server.address() as AddressInfo).port;
});
after(async () => {
  gateway.close();
  server.close();
  await platform.close();
});

/** A client on a socket, with what it was told. */
class Guest {
  readonly socket = new WebSocket(`ws://127.0.0.1:${port}${signallingPath}`);
  readonly told = new Feed<Frame>();
  readonly closed = once(this.socket, 'close');
  welcome!: Frame;

  static async open(): Promise<Guest> {
    const guest = new Guest();
    guest.socket.on('message', (data) => guest.told.push(JSON.parse(String(data))));
    guest.socket.on('error', () => {});
    await once(guest.socket, 'open');
    return guest;
  }

  static async join(): Promise<Guest> {
    const guest = await Guest.open();
    const [secret] = await platform.core.projects.secretsOf(platform.projectId);
    const claims = {
      projectId: platform.projectId,
      sessionId: session.id,
      role: 'publisher' as const,
      connectionData: '',
      layoutClasses: [],
      secretId: secret!.id,
    };
    const { ticket } = await platform.core.calls.join(claims, 'ws://test');
    guest.say({ type: 'hello', version: signallingVersion, ticket });
    guest.welcome = await guest.told.next('a welcome', ({ type }) => type === 'welcome');
    return guest;
  }

  get connectionId(): string {
    return this.welcome.connection!.connectionId;
  }

  say(frame: object): void {
    this.socket.send(JSON.stringify(frame));
  }

  /** The server's last word. */
  async goodbye(): Promise<string | undefined> {
    const { error } = await this.told.next('a goodbye', ({ type }) => type === 'close');
    await this.closed;
    return error?.code;
  }

  /** Alive: what it asks is answered. */
  async answers(): Promise<void> {
    const since = this.told.items.length;
    this.say({ type: 'ping' });
    await this.told.next('a pong', ({ type }) => type === 'pong', { since });
  }
}

function ask(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => {
      const lines = ['Host: x', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
      socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\nSec-WebSocket-Key: ${'A'.repeat(22)}==\r\n\r\n`);
      resolve(socket);
    });
    socket.on('error', reject);
  });
}

/** Resolves when the server holds no more sockets than these. */
async function held(most: number): Promise<void> {
  for (;;) {
    const count = await new Promise<number>((resolve) => server.getConnections((_error, n) => resolve(n)));
    if (count <= most) return;
    await new Promise(setImmediate);
  }
}

describe('a refused upgrade', () => {
  it('does no harm when its peer resets the line at once', async () => {
    address = '192.0.2.2';
    for (let each = 0; each < 200; each += 1) {
      const socket = await ask('/elsewhere');
      socket.on('error', () => {});
      socket.resetAndDestroy();
    }
    await held(0);
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    assert.equal(await answer.text(), 'up');
    server.closeIdleConnections();
  });

  it('is not held open by a peer that does not close its side', async () => {
    address = '192.0.2.3';
    const sockets = await Promise.all(Array.from({ length: 20 }, () => ask('/elsewhere')));
    for (const socket of sockets) socket.on('error', () => {});
    const [head] = await once(sockets[0]!, 'data');
    assert.match(String(head), /^HTTP\/1.1 404 /);
    await held(0);
    for (const socket of sockets) socket.destroy();
  });

  it('comes past the rate of its address, whatever it asks for', async () => {
    address = '192.0.2.4';
    const statuses: string[] = [];
    for (let each = 0; each <= limits.joinsPerAddressBurst; each += 1) {
      const socket = await ask('/elsewhere');
      const [head] = await once(socket, 'data');
      statuses.push(String(head).split(' ')[1]!);
      socket.destroy();
    }
    assert.deepEqual([...new Set(statuses)], ['404', '429']);
    assert.equal(statuses.indexOf('429'), limits.joinsPerAddressBurst);
    address = '192.0.2.5';
  });
});

describe('a client that sends rubbish', () => {
  const rubbish: [string, string | Buffer][] = [
    ['text that is no JSON', 'hello?'],
    ['a binary frame', Buffer.from([1, 2, 3])],
    ['a frame of no type', '{"type":"dance"}'],
    ['a second hello', JSON.stringify({ type: 'hello', version: signallingVersion, ticket: 'x' })],
    ['a request out of turn', JSON.stringify({ type: 'request', id: 7, method: 'unpublish', data: {} })],
  ];
  for (const [what, frame] of rubbish) {
    it(`is told and dropped: ${what}; nobody else notices more than that it left`, async () => {
      const other = await Guest.join();
      const guest = await Guest.join();
      guest.socket.send(frame);
      assert.equal(await guest.goodbye(), 'FrameInvalid');
      await other.told.next('the end of the other', ({ event }) => event === 'connectionDestroyed');
      await other.answers();
      other.socket.close(1001);
    });
  }

  it('may send a frame as long as the limit, and not a byte more', async () => {
    const guest = await Guest.join();
    const frame = (bytes: number) => {
      const empty = JSON.stringify({ type: 'request', id: 1, method: 'none', data: { text: '' } });
      return empty.replace('""', `"${'x'.repeat(bytes - empty.length)}"`);
    };
    guest.socket.send(frame(limits.frameBytes));
    const answer = await guest.told.next('an answer', ({ type }) => type === 'answer');
    assert.equal(answer.error?.code, 'BadRequest');
    guest.socket.send(frame(limits.frameBytes + 1));
    const [code] = await guest.closed;
    assert.equal(code, 1009);
  });

  it('is dropped when it says nothing, at the limit', async () => {
    const guest = await Guest.open();
    platform.clock.advance(limits.helloSeconds * 1000 - 1);
    assert.equal(guest.told.items.length, 0);
    platform.clock.advance(1);
    assert.equal(await guest.goodbye(), 'FrameInvalid');
  });

  it('is dropped for a flood of signs of life, of either kind', async () => {
    for (const flood of [(guest: Guest) => guest.say({ type: 'ping' }), (guest: Guest) => guest.socket.ping()]) {
      const guest = await Guest.join();
      for (let each = 0; each <= limits.framesPerConnectionBurst; each += 1) flood(guest);
      assert.equal(await guest.goodbye(), 'RateLimited');
    }
  });
});

describe('a socket that comes back', () => {
  it('leaves the connection as it was when it is refused', async () => {
    const guest = await Guest.join();
    const other = await Guest.join();
    const stranger = await Guest.open();
    const { resumeKey } = guest.welcome;
    const { connectionId } = guest;
    stranger.say({ type: 'resume', version: signallingVersion, connectionId, resumeKey, lastSeq: 999 });
    assert.equal(await stranger.goodbye(), 'ResumeRefused');
    await guest.answers();
    guest.socket.close(1001);
    await other.told.next('the end of the first', ({ event }) => event === 'connectionDestroyed');
    other.socket.close(1001);
  });

  it('takes the place of the one before', async () => {
    const guest = await Guest.join();
    const again = await Guest.open();
    const { resumeKey } = guest.welcome;
    const { connectionId } = guest;
    again.say({ type: 'resume', version: signallingVersion, connectionId, resumeKey, lastSeq: 0 });
    await again.told.next('its return', ({ type }) => type === 'resumed');
    await guest.closed;
    await again.answers();
    again.socket.close(1001);
  });
});

it('a page whose timers sleep is asked for a sign of life, and stays', async () => {
  const guest = await Guest.join();
  const asked = once(guest.socket, 'ping');
  // The patrol, each second.
  for (let second = 0; second <= limits.heartbeatSeconds + 1; second += 1) platform.clock.advance(1000);
  await asked;
  await guest.answers();
  for (let second = 0; second < limits.heartbeatSeconds; second += 1) platform.clock.advance(1000);
  await guest.answers();
  guest.socket.close(1001);
});
