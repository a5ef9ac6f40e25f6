import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClientFrame, EventName, ServerFrame } from '@cloister/protocol';
import { limits } from '@cloister/protocol/limits';
import { TestClock } from './clock.fixture.ts';
import type { OtError } from './errors.ts';
import { type Socket, Wire } from './wire.ts';

/** The server's end of one socket. */
class FakeSocket implements Socket {
  onopen: (() => void) | null = null;
  onmessage: ((message: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  readonly sent: ClientFrame[] = [];
  closed = false;
  code: number | undefined;

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(code?: number): void {
    this.closed = true;
    this.code = code;
  }

  say(frame: object): void {
    this.onmessage?.({ data: JSON.stringify({ epoch: 7, ...frame }) });
  }

  cut(): void {
    this.onclose?.({ code: 1006 });
  }

  requests(): Extract<ClientFrame, { type: 'request' }>[] {
    return this.sent.filter((frame) => frame.type === 'request');
  }
}

const none = { publish: 0, subscribe: 0, signal: 0, forceDisconnect: 0, forceUnpublish: 0, forceMute: 0 };
const welcome: Partial<ServerFrame> & object = {
  type: 'welcome',
  connection: { connectionId: 'me', creationTime: 1, data: '' },
  capabilities: none as never,
  resumeKey: 'key',
  rtpCapabilities: {},
  mediaPolicy: 'prefer-aes256',
  connections: [],
  streams: [],
  forceMuted: false,
  archives: [],
  heartbeatSeconds: 5,
  resumeSeconds: 30,
};

class Rig {
  readonly clock = new TestClock();
  readonly sockets: FakeSocket[] = [];
  readonly told: unknown[] = [];
  readonly wire = new Wire({
    url: 'wss://node.test/',
    clock: this.clock,
    openSocket: () => {
      const socket = new FakeSocket();
      this.sockets.push(socket);
      return socket;
    },
    observer: {
      event: (name: EventName, data: unknown) => void this.told.push([name, data]),
      down: () => void this.told.push('down'),
      up: () => void this.told.push('up'),
      closed: (reason, error) => void this.told.push(['closed', reason, error?.name ?? null]),
    },
  });

  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    assert.ok(socket);
    return socket;
  }

  async open(): Promise<void> {
    const opened = this.wire.open('ticket');
    this.socket.onopen?.();
    this.socket.say(welcome);
    await opened;
  }

  /** The newest socket opens and the server takes the connection up again. */
  resume(): ClientFrame {
    this.socket.onopen?.();
    const [greeting] = this.socket.sent;
    assert.ok(greeting);
    this.socket.say({ type: 'resumed' });
    return greeting;
  }

  event(seq: number): void {
    this.socket.say({ type: 'event', seq, event: 'signal', data: { type: '', data: String(seq), from: null } });
  }

  seen(): string[] {
    return this.told.filter(Array.isArray).map(([, data]) => (data as { data: string }).data);
  }
}

async function failure(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'none',
    (error: OtError) => error.name,
  );
}

test('the ticket is shown first, and the welcome is the answer', async () => {
  const rig = new Rig();
  await rig.open();
  assert.deepEqual(rig.socket.sent[0], { type: 'hello', version: 1, ticket: 'ticket', frames: false });
  assert.equal(rig.wire.up, true);
  assert.equal(rig.wire.epoch, 7);
});

test('a server that refuses the ticket gives its typed error', async () => {
  const rig = new Rig();
  const opened = rig.wire.open('ticket');
  rig.socket.onopen?.();
  const error = { code: 'AdmissionRefused', message: 'no', help: 'again', details: {} };
  rig.socket.say({ type: 'close', reason: 'refused', error });
  assert.equal(await failure(opened), 'OT_AUTHENTICATION_ERROR');
});

test('a node that says nothing is a failure to connect after helloSeconds', async () => {
  const rig = new Rig();
  const opened = failure(rig.wire.open('ticket'));
  rig.clock.advance(limits.helloSeconds * 1000);
  assert.equal(await opened, 'OT_CONNECT_FAILED');
  assert.deepEqual(rig.told, []);
});

test('answers find their request in any order, errors keep their name', async () => {
  const rig = new Rig();
  await rig.open();
  const first = rig.wire.request('signal', { data: 'a' });
  const second = failure(rig.wire.request('forceDisconnect', { connectionId: 'x' }));
  const error = { code: 'PermissionDenied', message: 'm', help: '', details: {} };
  rig.socket.say({ type: 'answer', id: 2, error });
  rig.socket.say({ type: 'answer', id: 1, data: {} });
  assert.deepEqual(await first, {});
  assert.equal(await second, 'OT_PERMISSION_DENIED');
});

test('no more than requestsInFlight are unanswered at a time, and all are sent in order', async () => {
  const rig = new Rig();
  await rig.open();
  const all = Array.from({ length: limits.requestsInFlight + 2 }, (_, index) =>
    rig.wire.request('signal', { data: String(index) }),
  );
  assert.equal(rig.socket.requests().length, limits.requestsInFlight);
  rig.socket.say({ type: 'answer', id: 1, data: {} });
  assert.equal(rig.socket.requests().length, limits.requestsInFlight + 1);
  for (let id = 2; id <= all.length; id++) rig.socket.say({ type: 'answer', id, data: {} });
  await Promise.all(all);
  const ids = rig.socket.requests().map(({ id }) => id);
  assert.deepEqual(
    ids,
    Array.from({ length: all.length }, (_, index) => index + 1),
  );
});

test('after a cut the connection resumes from the last event and repeats unanswered requests under their numbers', async () => {
  const rig = new Rig();
  await rig.open();
  rig.event(1);
  const answered = rig.wire.request('signal', { data: 'a' });
  const lost = rig.wire.request('signal', { data: 'b' });
  rig.socket.say({ type: 'answer', id: 1, data: {} });
  await answered;
  rig.socket.cut();
  assert.deepEqual(rig.told.slice(1), ['down']);
  const late = rig.wire.request('signal', { data: 'c' });
  assert.equal(rig.sockets.length, 2);
  assert.deepEqual(rig.resume(), { type: 'resume', version: 1, connectionId: 'me', resumeKey: 'key', lastSeq: 1 });
  assert.deepEqual(
    rig.socket.requests().map(({ id }) => id),
    [2, 3],
  );
  rig.socket.say({ type: 'answer', id: 2, data: {} });
  rig.socket.say({ type: 'answer', id: 3, data: {} });
  await Promise.all([lost, late]);
  assert.equal(rig.told.at(-1), 'up');
});

test('events that come again after a cut are handed over once', async () => {
  const rig = new Rig();
  await rig.open();
  rig.event(1);
  rig.event(2);
  rig.socket.cut();
  rig.resume();
  rig.event(2);
  rig.event(3);
  assert.deepEqual(rig.seen(), ['1', '2', '3']);
});

test('a gap in the events is closed by resuming, not skipped', async () => {
  const rig = new Rig();
  await rig.open();
  rig.event(1);
  rig.event(3);
  assert.deepEqual(rig.seen(), ['1']);
  assert.equal(rig.told.at(-1), 'down');
  const greeting = rig.resume();
  assert.equal(greeting.type === 'resume' && greeting.lastSeq, 1);
  rig.event(2);
  rig.event(3);
  assert.deepEqual(rig.seen(), ['1', '2', '3']);
});

test('attempts back off with jitter up to four seconds and end with resumeSeconds', async () => {
  const rig = new Rig();
  rig.clock.chance = 1 - Number.EPSILON;
  await rig.open();
  const waiting = failure(rig.wire.request('signal', { data: 'x' }));
  rig.socket.cut();
  const at: number[] = [];
  const start = rig.clock.now();
  for (let count = rig.sockets.length; rig.told.at(-1) === 'down'; ) {
    rig.socket.cut();
    while (rig.sockets.length === count && rig.told.at(-1) === 'down') rig.clock.advance(50);
    if (rig.sockets.length > count) at.push(rig.clock.now() - start);
    count = rig.sockets.length;
  }
  assert.deepEqual(at.slice(0, 6), [250, 750, 1750, 3750, 7750, 11750]);
  assert.ok(rig.clock.now() - start <= 30_050);
  assert.deepEqual(rig.told.at(-1), ['closed', 'networkDisconnected', null]);
  assert.equal(await waiting, 'OT_DISCONNECTED');
});

test('with no chance at all the waits are half as long', async () => {
  const rig = new Rig();
  await rig.open();
  rig.socket.cut();
  rig.socket.cut();
  rig.clock.advance(124);
  assert.equal(rig.sockets.length, 2);
  rig.clock.advance(1);
  assert.equal(rig.sockets.length, 3);
});

test('a resume that the server refuses ends the connection at once, with its error', async () => {
  const rig = new Rig();
  await rig.open();
  rig.socket.cut();
  rig.socket.onopen?.();
  rig.socket.say({
    type: 'close',
    reason: 'networkDisconnected',
    error: { code: 'ResumeRefused', message: 'late', help: '', details: {} },
  });
  assert.deepEqual(rig.told.at(-1), ['closed', 'networkDisconnected', 'OT_CONNECT_FAILED']);
});

test('silence longer than heartbeatMissedSeconds is a cut; a pong in time is none', async () => {
  const rig = new Rig();
  await rig.open();
  rig.clock.advance(5000);
  assert.equal(rig.socket.sent.at(-1)?.type, 'ping');
  rig.socket.say({ type: 'pong' });
  rig.clock.advance(limits.heartbeatMissedSeconds * 1000 - 100);
  assert.deepEqual(rig.told, []);
  rig.clock.advance(5000);
  assert.deepEqual(rig.told, ['down']);
});

test('a page whose timer fires late asks for a sign of life, and stays when it comes', async () => {
  const rig = new Rig();
  await rig.open();
  const [first] = rig.sockets;
  for (let minutes = 0; minutes < 3; minutes++) {
    rig.clock.oversleep(60_000);
    assert.equal(first?.sent.at(-1)?.type, 'ping');
    first?.say({ type: 'pong' });
  }
  assert.deepEqual([rig.told, rig.sockets.length], [[], 1]);
});

test('a page whose timer fires late is cut when no sign of life comes', async () => {
  const rig = new Rig();
  await rig.open();
  rig.clock.oversleep(60_000);
  assert.deepEqual(rig.told, []);
  rig.clock.advance(1999);
  assert.deepEqual(rig.told, []);
  rig.clock.advance(1);
  assert.deepEqual(rig.told, ['down']);
});

test('silence that was long before the timer was late is a cut all the same', async () => {
  const rig = new Rig();
  await rig.open();
  rig.clock.advance(10_000);
  rig.clock.oversleep(8000);
  assert.deepEqual(rig.told, ['down']);
});

test('what arrived is acknowledged soon, and at once when it is much', async () => {
  const rig = new Rig();
  await rig.open();
  rig.event(1);
  assert.equal(rig.socket.sent.filter(({ type }) => type === 'ack').length, 0);
  rig.clock.advance(50);
  assert.deepEqual(rig.socket.sent.at(-1), { type: 'ack', seq: 1, answered: 0 });
  for (let seq = 2; seq <= 33; seq++) rig.event(seq);
  assert.deepEqual(rig.socket.sent.at(-1), { type: 'ack', seq: 33, answered: 0 });
});

test('only answers without a gap are acknowledged', async () => {
  const rig = new Rig();
  await rig.open();
  const work = [1, 2, 3].map((each) => rig.wire.request('signal', { data: String(each) }));
  rig.socket.say({ type: 'answer', id: 3, data: {} });
  rig.socket.say({ type: 'answer', id: 1, data: {} });
  rig.clock.advance(50);
  assert.deepEqual(rig.socket.sent.at(-1), { type: 'ack', seq: 0, answered: 1 });
  rig.socket.say({ type: 'answer', id: 2, data: {} });
  rig.clock.advance(50);
  assert.deepEqual(rig.socket.sent.at(-1), { type: 'ack', seq: 0, answered: 3 });
  await Promise.all(work);
});

test('a request that must not wait is refused during a cut; others wait', async () => {
  const rig = new Rig();
  await rig.open();
  rig.socket.cut();
  assert.equal(await failure(rig.wire.request('signal', {}, { whileDown: 'refuse' })), 'OT_NOT_CONNECTED');
});

test('a nudge asks for a sign of life and cuts when none comes', async () => {
  const rig = new Rig();
  await rig.open();
  rig.clock.advance(1);
  rig.wire.nudge();
  assert.equal(rig.socket.sent.at(-1)?.type, 'ping');
  rig.clock.advance(2000);
  assert.deepEqual(rig.told, ['down']);
  const before = rig.sockets.length;
  rig.wire.nudge();
  assert.equal(rig.sockets.length, before + 1);
});

test('a nudge that is answered changes nothing, not even for a socket that was opened beside', async () => {
  const rig = new Rig();
  await rig.open();
  const [first] = rig.sockets;
  rig.wire.nudge();
  rig.clock.advance(99);
  assert.equal(rig.sockets.length, 1);
  rig.clock.advance(1);
  assert.equal(rig.sockets.length, 2);
  first?.say({ type: 'pong' });
  assert.equal(rig.socket.closed, true);
  rig.socket.onopen?.();
  rig.clock.advance(4000);
  assert.deepEqual([rig.told, rig.sockets.length], [[], 2]);
});

test('a socket that opens while the old one is silent takes the connection over', async () => {
  const rig = new Rig();
  await rig.open();
  const [first] = rig.sockets;
  rig.wire.nudge();
  rig.clock.advance(100);
  // There is no way at first.
  rig.socket.cut();
  rig.clock.advance(250);
  assert.equal(rig.sockets.length, 3);
  rig.socket.onopen?.();
  assert.deepEqual(rig.told, ['down']);
  assert.deepEqual([first?.closed, rig.socket.closed], [true, false]);
  assert.deepEqual(
    rig.socket.sent.map(({ type }) => type),
    ['resume'],
  );
  rig.socket.say({ type: 'resumed' });
  rig.clock.advance(4000);
  assert.deepEqual([rig.told, rig.sockets.length], [['down', 'up'], 3]);
});

test('leaving tells the server and fails what is unanswered', async () => {
  const rig = new Rig();
  await rig.open();
  const waiting = failure(rig.wire.request('signal', {}));
  const { socket } = rig;
  rig.wire.close();
  assert.equal(socket.requests().at(-1)?.method, 'disconnect');
  assert.equal(socket.closed, true);
  assert.equal(await waiting, 'OT_DISCONNECTED');
  assert.deepEqual(rig.told, [['closed', 'clientDisconnected', null]]);
  assert.equal(await failure(rig.wire.request('signal', {})), 'OT_NOT_CONNECTED');
});

test('leaving before the welcome came closes for good, a cut does not', async () => {
  const leaving = new Rig();
  const refused = failure(leaving.wire.open('ticket'));
  leaving.socket.onopen?.();
  leaving.wire.close();
  assert.equal(leaving.socket.code, 1000);
  assert.equal(await refused, 'OT_NOT_CONNECTED');

  const cut = new Rig();
  await cut.open();
  const [first] = cut.sockets;
  cut.clock.advance(limits.heartbeatMissedSeconds * 1000 + 5000);
  assert.deepEqual([cut.told, first?.closed, first?.code], [['down'], true, undefined]);
});

test('a handler that throws does not stop the events after it', async () => {
  const rig = new Rig();
  await rig.open();
  rig.socket.say({ type: 'event', seq: 1, event: 'signal', data: null });
  rig.socket.onmessage?.({ data: 'not JSON' });
  rig.event(2);
  assert.equal(rig.told.length, 2);
});
