/** What the application of a session is told of its archives, and of a secret. The browser is a double here; end-to-end tests have a real one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Session } from './session.ts';

const connection = { connectionId: 'c', creationTime: 1, data: '' };
const welcome = {
  type: 'welcome',
  epoch: 1,
  connection,
  capabilities: { publish: 1, subscribe: 1, signal: 1, forceDisconnect: 0, forceUnpublish: 0, forceMute: 0 },
  resumeKey: 'key',
  rtpCapabilities: {},
  mediaPolicy: 'prefer-aes256',
  connections: [],
  streams: [],
  frameKeys: [],
  forceMuted: false,
  archives: [{ archiveId: 'running', name: 'Before' }],
  heartbeatSeconds: 5,
  resumeSeconds: 30,
};
const joined = {
  connectionId: 'c',
  signallingUrl: 'ws://node.test/',
  ticket: 't',
  iceServers: [],
  mediaMode: 'routed',
};

/** What the server answers to the token beside that. */
let answer: object = {};

/** The server's end of the one socket. */
class Socket {
  static last: Socket;
  onopen: () => void = () => {};
  onmessage: (message: { data: string }) => void = () => {};
  readyState = 1;
  bufferedAmount = 0;

  constructor() {
    Socket.last = this;
    queueMicrotask(() => this.onopen());
  }

  send(text: string): void {
    if (JSON.parse(text).type === 'hello') this.say(welcome);
  }

  say(frame: object): void {
    queueMicrotask(() => this.onmessage({ data: JSON.stringify({ epoch: 1, ...frame }) }));
  }

  close(): void {}
}

/** The parts of a browser that a session touches. Each test file is a process of its own: nothing is put back. */
Object.assign(globalThis, {
  WebSocket: Socket,
  fetch: async () => new Response(JSON.stringify({ ...joined, ...answer, mediaPolicy: 'prefer-aes256', epoch: 1 })),
  addEventListener() {},
  removeEventListener() {},
  CSSStyleSheet: class {
    replaceSync() {}
  },
  document: { createElement: () => ({}), adoptedStyleSheets: [] },
});

/** A session that is connected, with what its application is told of archives. */
async function connected() {
  const session = new Session('1', 's', { apiUrl: 'http://node.test' });
  const told: string[] = [];
  let next = Promise.withResolvers<void>();
  for (const name of ['archiveStarted', 'archiveStopped'] as const) {
    session.on(name, ({ type, id, name: title }) => {
      told.push(`${type} ${id} ${title}`);
      next.resolve();
      next = Promise.withResolvers<void>();
    });
  }
  await session.connect.promise('token');
  let seq = 0;
  const say = (event: 'archiveStarted' | 'archiveStopped', archiveId: string, name: string) => {
    seq += 1;
    Socket.last.say({ type: 'event', seq, event, data: { archive: { archiveId, name } } });
  };
  return { session, told, say, next: () => next.promise };
}

test('archives are told as they start and stop, also those that ran before this client came', async () => {
  const { session, told, say, next } = await connected();
  await next();
  say('archiveStarted', 'second', 'Visit');
  await next();
  say('archiveStopped', 'running', 'Before');
  await next();
  assert.deepEqual(told, [
    'archiveStarted running Before',
    'archiveStarted second Visit',
    'archiveStopped running Before',
  ]);
  await session.disconnect();
});

test('an archive that stops before it was told of is not told of', async () => {
  const { session, told, say, next } = await connected();
  say('archiveStopped', 'running', 'Before');
  say('archiveStarted', 'second', 'Visit');
  await next();
  say('archiveStopped', 'second', 'Visit');
  await next();
  assert.deepEqual(told, ['archiveStarted second Visit', 'archiveStopped second Visit']);
  await session.disconnect();
});

test('an application that gave a secret goes on in no session whose frames are not encrypted, whatever the server answers', async () => {
  for (const said of [
    {},
    { e2ee: false, frames: false },
    { mediaMode: 'routed', e2ee: false, frames: true },
    { mediaMode: 'relayed', e2ee: false, frames: false },
    { mediaMode: 'relayed', e2ee: true, frames: false },
    { mediaMode: 'relayed', e2ee: true, frames: true },
  ]) {
    answer = said;
    const session = new Session('1', 's', { apiUrl: 'http://node.test', encryptionSecret: 'what we know' });
    await assert.rejects(session.connect.promise('token'), { name: 'OT_INVALID_PARAMETER' }, JSON.stringify(said));
  }
  answer = {};
});

test('a secret that is set while the session connects is refused where it has no use, and not kept in silence', async () => {
  const session = new Session('1', 's', { apiUrl: 'http://node.test' });
  const connecting = session.connect.promise('token');
  // The token was answered: the socket is being opened.
  await new Promise<void>((resolve) => {
    const { send } = Socket.prototype;
    Socket.prototype.send = function (text: string) {
      Socket.prototype.send = send;
      resolve();
      setTimeout(() => send.call(this, text));
    };
  });
  await assert.rejects(session.setEncryptionSecret('what we know'), { name: 'OT_INVALID_PARAMETER' });
  await connecting;
  await session.disconnect();
});

test('a session with ipWhitelist asks for the list, and does not open a socket to an address outside it', async () => {
  const block = { prefix: '185.1.1.1/32', component: 'api', ports: [{ first: 80, last: 80 }], protocols: ['tcp'] };
  const addressList = { version: '1-a', blocks: [block], names: { 'node.test': ['185.1.1.1'] } };
  const { fetch } = globalThis;
  const asked: unknown[] = [];
  const sockets: string[] = [];
  const { WebSocket } = globalThis;
  Object.assign(globalThis, {
    fetch: async (_url: string, { body }: RequestInit) => {
      asked.push(JSON.parse(String(body)).ipWhitelist);
      return fetch('');
    },
    WebSocket: class extends Socket {
      constructor(url: string) {
        super();
        sockets.push(url);
      }
    },
  });
  const connect = async (said: object) => {
    answer = said;
    const session = new Session('1', 's', { apiUrl: 'http://node.test', ipWhitelist: true });
    await session.connect.promise('token');
    await session.disconnect();
  };
  await connect({ addressList });
  const outside = { name: 'OT_ADDRESS_NOT_LISTED' };
  await assert.rejects(connect({}), outside);
  await assert.rejects(connect({ addressList, signallingUrl: 'ws://other.test/' }), outside);
  await assert.rejects(connect({ addressList, iceServers: [{ urls: ['stun:9.9.9.9'] }] }), outside);
  assert.deepEqual(sockets, [joined.signallingUrl]);
  assert.deepEqual(asked, [true, true, true, true]);
  answer = {};
  Object.assign(globalThis, { fetch, WebSocket });
});
