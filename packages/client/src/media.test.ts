import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import type { RequestName } from '@cloister/protocol';
import type { types } from 'mediasoup-client';
import { TestClock } from './clock.fixture.ts';
import { OtError } from './errors.ts';
import { Media, transportSecurity } from './media.ts';

type Report = { type: string; srtpCipher?: string; tlsVersion?: string } & Record<string, unknown>;

/** mediasoup-client's transport, as far as `Media` uses it. */
class FakeTransport extends EventEmitter {
  readonly id: string;
  closed = false;
  connectionState = 'new';
  restarts = 0;
  /** What it was made with, or told since. */
  iceServers: types.TransportOptions['iceServers'];
  policy: RTCIceTransportPolicy | undefined;
  reports: Report[] = [];
  /** Grows by this with each look at the statistics. */
  pace = 0;
  /** Its pairs of candidates, which are answered; the first is in use. */
  pairs: string[] = [];
  #received = 0;

  constructor(id: string) {
    super();
    this.id = id;
  }

  turn(state: string): void {
    this.connectionState = state;
    this.emit('connectionstatechange', state);
  }

  async restartIce(): Promise<void> {
    this.restarts++;
  }

  async updateIceServers({ iceServers }: Pick<types.TransportOptions, 'iceServers'>): Promise<void> {
    this.iceServers = iceServers;
  }

  async getStats(): Promise<Map<string, Report>> {
    this.#received += this.pace;
    const own = { type: 'transport', bytesReceived: this.#received, selectedCandidatePairId: this.pairs[0] };
    const pairs = this.pairs.map((id): [string, Report] => [id, { type: 'candidate-pair', state: 'succeeded' }]);
    return new Map([['t', this.reports.shift() ?? own], ...pairs]);
  }

  close(): void {
    this.closed = true;
  }
}

class Rig {
  readonly clock = new TestClock();
  readonly made: FakeTransport[] = [];
  readonly asked: { name: RequestName; data: Record<string, unknown> }[] = [];
  readonly told: unknown[] = [];
  stalls = 0;
  loads = 0;
  refuse: RequestName | null = null;
  readonly media = new Media({
    wire: { request: (name: RequestName, data: object) => this.#answer(name, data) } as never,
    clock: this.clock,
    rtpCapabilities: {},
    iceServers: [],
    transportPolicy: 'all',
    observer: {
      transportLost: (direction) => void this.told.push(['lost', direction]),
      stalled: () => {
        this.stalls += 1;
      },
      suiteReported: (direction, suite) => void this.told.push(['suite', direction, suite]),
    },
    loadDevice: async () => {
      this.loads += 1;
      const make = ({ id, iceServers, iceTransportPolicy }: types.TransportOptions) => {
        const transport = new FakeTransport(id);
        transport.iceServers = iceServers;
        transport.policy = iceTransportPolicy;
        this.made.push(transport);
        return transport;
      };
      return { createSendTransport: make, createRecvTransport: make } as unknown as types.Device;
    },
  });

  async #answer(name: RequestName, data: object): Promise<object> {
    this.asked.push({ name, data: data as Record<string, unknown> });
    if (name === this.refuse) throw new Error('refused');
    if (name === 'openTransport') return { transportId: `t${this.asked.length}` };
    return { iceParameters: {} };
  }

  async open(direction: 'send' | 'receive' = 'send'): Promise<FakeTransport> {
    await this.media.ready(direction);
    const transport = this.made.at(-1);
    assert.ok(transport);
    return transport;
  }

  /** Lets time pass in which the statistics are looked at. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 50) {
      this.clock.advance(50);
      await settled();
    }
  }

  names(): RequestName[] {
    return this.asked.map(({ name }) => name);
  }
}

/** Lets everything that is ready to run run. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test('one transport a direction, however many ask for it at once', async () => {
  const rig = new Rig();
  await Promise.all([rig.media.ready('send'), rig.media.ready('send'), rig.media.ready('receive')]);
  assert.equal(rig.made.length, 2);
});

test('a transport that could not be opened is asked for again the next time', async () => {
  const rig = new Rig();
  rig.refuse = 'openTransport';
  await assert.rejects(rig.media.ready('send'), /refused/);
  rig.refuse = null;
  await rig.media.ready('send');
  assert.equal(rig.made.length, 1);
});

test('the suite is reported once, when getStats has it', async () => {
  const rig = new Rig();
  const transport = await rig.open();
  transport.reports = [
    { type: 'transport' },
    { type: 'transport', srtpCipher: 'AEAD_AES_256_GCM', tlsVersion: 'FEFD' },
  ];
  transport.turn('connected');
  await settled();
  rig.clock.advance(50);
  await settled();
  transport.turn('connected');
  await settled();
  assert.deepEqual(rig.told, [['suite', 'send', 'AEAD_AES_256_GCM']]);
  const reports = rig.asked.filter(({ name }) => name === 'reportSuite');
  assert.deepEqual(
    reports.map(({ data }) => data),
    [{ transportId: transport.id, suite: 'AEAD_AES_256_GCM', dtlsVersion: 'DTLS 1.2' }],
  );
});

test('a browser that never names its suite reports unknown', async () => {
  const rig = new Rig();
  (await rig.open()).turn('connected');
  for (let tried = 0; tried < 20; tried++) {
    await settled();
    rig.clock.advance(50);
  }
  await settled();
  assert.deepEqual(rig.told, [['suite', 'send', 'unknown']]);
});

test('a second of disconnection restarts ICE, a shorter one does not', async () => {
  const rig = new Rig();
  const transport = await rig.open();
  transport.turn('disconnected');
  rig.clock.advance(999);
  transport.turn('connected');
  rig.clock.advance(1000);
  await settled();
  assert.equal(transport.restarts, 0);
  transport.turn('disconnected');
  rig.clock.advance(1000);
  await settled();
  assert.equal(transport.restarts, 1);
  transport.turn('connected');
  rig.clock.advance(10_000);
  assert.deepEqual(
    rig.told.filter((each) => Array.isArray(each) && each[0] === 'lost'),
    [],
  );
});

test('a restart that does not connect in five seconds loses the transport, and another is built', async () => {
  const rig = new Rig();
  const transport = await rig.open();
  transport.turn('connected');
  transport.turn('failed');
  await settled();
  assert.equal(transport.restarts, 1);
  transport.turn('connecting');
  rig.clock.advance(4999);
  await settled();
  assert.deepEqual(rig.told, []);
  rig.clock.advance(1);
  await settled();
  assert.deepEqual(rig.told, [['lost', 'send']]);
  assert.equal(transport.closed, true);
  await rig.media.ready('send');
  assert.equal(rig.made.length, 2);
});

test('failing again during a restart, or a server that does not know the transport, loses it at once', async () => {
  const rig = new Rig();
  const transport = await rig.open();
  transport.turn('failed');
  await settled();
  transport.turn('failed');
  assert.deepEqual(rig.told, [['lost', 'send']]);
  rig.refuse = 'restartIce';
  (await rig.open('receive')).turn('failed');
  await settled();
  assert.deepEqual(rig.told.at(-1), ['lost', 'receive']);
});

test('another network restarts every transport that was in use; repair only those that do not work', async () => {
  const rig = new Rig();
  const send = await rig.open('send');
  const receive = await rig.open('receive');
  send.connectionState = 'connected';
  rig.media.restartIce();
  await settled();
  assert.deepEqual([send.restarts, receive.restarts], [1, 0]);
  send.turn('connected');
  receive.connectionState = 'disconnected';
  await rig.media.repair();
  await settled();
  assert.deepEqual([send.restarts, receive.restarts], [1, 1]);
});

test('packets that stop are told; if the wire had to come back for it, every transport restarts', async () => {
  const rig = new Rig();
  const [send, receive] = [await rig.open('send'), await rig.open('receive')];
  send.turn('connected');
  receive.turn('connected');
  send.pace = 100;
  await rig.pass(2000);
  assert.equal(rig.stalls, 0);
  await rig.media.repair();
  await settled();
  assert.deepEqual([send.restarts, receive.restarts], [0, 0]);
  send.pace = 0;
  await rig.pass(600);
  assert.equal(rig.stalls, 1);
  await rig.media.repair();
  await settled();
  assert.deepEqual([send.restarts, receive.restarts], [1, 1]);
});

test('a transport that keeps to the old way after a restart is lost; one that takes the new way is not', async () => {
  for (const takes of [false, true]) {
    const rig = new Rig();
    const transport = await rig.open();
    transport.turn('connected');
    transport.pace = 100;
    transport.pairs = ['old'];
    await rig.pass(2000);
    transport.pace = 0;
    await rig.pass(600);
    await rig.media.repair();
    await settled();
    transport.pairs = takes ? ['new', 'old'] : ['old', 'new'];
    transport.pace = takes ? 100 : 0;
    await rig.pass(300);
    assert.equal(transport.closed, !takes);
    assert.deepEqual(
      rig.told.filter((each) => Array.isArray(each) && each[0] === 'lost'),
      takes ? [] : [['lost', 'send']],
    );
  }
});

test('where nothing is sent, what is received is watched', async () => {
  const rig = new Rig();
  const receive = await rig.open('receive');
  receive.turn('connected');
  receive.pace = 100;
  await rig.pass(2000);
  receive.pace = 0;
  await rig.pass(600);
  assert.equal(rig.stalls, 1);
  rig.media.drop('receive');
  await rig.pass(2000);
  assert.equal(rig.stalls, 1);
});

test('a transport that the browser calls disconnected puts the way to the server in doubt at once', async () => {
  const rig = new Rig();
  (await rig.open()).turn('disconnected');
  assert.equal(rig.stalls, 1);
});

test('a reset drops both transports and asks the browser anew; after closing there is none', async () => {
  const rig = new Rig();
  const [send, receive] = [await rig.open('send'), await rig.open('receive')];
  rig.media.reset({});
  await settled();
  assert.deepEqual([send.closed, receive.closed], [true, true]);
  await rig.open('send');
  assert.equal(rig.names().filter((name) => name === 'openTransport').length, 3);
  assert.equal(rig.loads, 1, 'the server can do the same, so the device stays');
  rig.media.reset({ codecs: [] });
  await rig.open('send');
  assert.equal(rig.loads, 2);
  rig.media.close();
  await assert.rejects(rig.media.ready('send'), { name: 'OT_NOT_CONNECTED' });
});

test('the suite is read from the transport entry in any spelling', () => {
  const stats = (entry: Report) => new Map([['t', entry]]) as unknown as RTCStatsReport;
  assert.deepEqual(transportSecurity(stats({ type: 'transport', srtpCipher: 'SRTP_AES128_CM_HMAC_SHA1_80' })), {
    suite: 'AES_CM_128_HMAC_SHA1_80',
    dtlsVersion: null,
  });
  assert.deepEqual(transportSecurity(stats({ type: 'transport', srtpCipher: 'X', tlsVersion: 'fefc' })), {
    suite: 'unknown',
    dtlsVersion: 'DTLS 1.3',
  });
  assert.equal(transportSecurity(stats({ type: 'candidate-pair', srtpCipher: 'X' })), null);
});

const served = (credential: string) => [{ urls: ['turn:t'], username: 'u', credential }];

test('renewed credentials leave a way alone that stands, and are there when it is looked for again', async () => {
  const rig = new Rig();
  const transport = await rig.open();
  transport.turn('connected');
  rig.media.setIceServers(served('new'));
  await settled();
  assert.equal(transport.restarts, 0);
  assert.deepEqual(transport.iceServers, []);
  assert.deepEqual((await rig.open('receive')).iceServers, served('new'));
  rig.media.restartIce();
  await settled();
  await settled();
  assert.equal(transport.restarts, 1);
  assert.deepEqual(transport.iceServers, served('new'));
});

test('other servers of the application restart ICE at once; the same ones do not', async () => {
  const rig = new Rig();
  const transport = await rig.open();
  transport.turn('connected');
  await rig.media.setIceConfig(served('mine'), 'all');
  assert.equal(transport.restarts, 1);
  assert.deepEqual(transport.iceServers, served('mine'));
  transport.turn('connected');
  await rig.media.setIceConfig(served('mine'), 'all');
  assert.equal(transport.restarts, 1);
  assert.deepEqual(
    rig.told
      .filter(Array.isArray)
      .map(([what]) => what)
      .includes('lost'),
    false,
  );
});

test('another transport policy builds every transport anew', async () => {
  const rig = new Rig();
  const send = await rig.open();
  const receive = await rig.open('receive');
  assert.equal(send.policy, 'all');
  await rig.media.setIceConfig(served('mine'), 'relay');
  assert.deepEqual([send.closed, receive.closed], [true, true]);
  assert.deepEqual(rig.told, [
    ['lost', 'send'],
    ['lost', 'receive'],
  ]);
  const again = await rig.open();
  assert.equal(again.policy, 'relay');
  assert.deepEqual(again.iceServers, served('mine'));
});

test('a transport whose candidates are outside the address list is not made', async () => {
  const made: string[] = [];
  const device = { createRecvTransport: () => made.push('transport') } as unknown as types.Device;
  const media = new Media({
    wire: { request: async () => ({ transportId: 't', iceCandidates: [{ address: '9.9.9.9' }] }) } as never,
    clock: new TestClock(),
    rtpCapabilities: {},
    iceServers: [],
    transportPolicy: 'all',
    hold: {
      requireOffer: ({ iceCandidates }) => {
        throw new OtError('OT_ADDRESS_NOT_LISTED', String(iceCandidates[0]?.address));
      },
    },
    observer: { transportLost() {}, stalled() {}, suiteReported() {} },
    loadDevice: async () => device,
  });
  await assert.rejects(media.ready('receive'), { name: 'OT_ADDRESS_NOT_LISTED', message: '9.9.9.9' });
  assert.deepEqual(made, []);
});
