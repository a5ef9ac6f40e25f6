/** What a relay lets through: packets as fast as they go, and a call, against the same without it. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay, setImmediate } from 'node:timers/promises';
import { limits } from '@cloister/protocol';
import { launchBrowser, type TestBrowser } from '../tests/rig/browser.ts';
import type { IceConfig } from '../tests/rig/in-page.ts';
import { Participant, type Site, serveSite } from '../tests/rig/page.ts';
import { freePorts } from '../tests/rig/ports.ts';
import { credentialOf, indicationTo, TurnClient } from '../tests/rig/turn-client.ts';
import { figure, medianOf, quick, type Result, repeat } from './harness/figure.ts';
import { Platform } from './harness/platform.ts';
import { cpuMicroseconds } from './harness/processes.ts';
import { openSink } from './harness/sink.ts';

const RELAYS = 100;
const PACKET_BYTES = 1200;
const WINDOW_MS = quick ? 1000 : 4000;
const WARM_MS = quick ? 1000 : 8000;
const MANY = 20;
/** So many packets are with the kernel at a time, from each sender. */
const UNDER_WAY = 16;
const BROWSER_SHARE = 0.95;

interface Flow {
  /** Megabytes of payload a second that arrive. */
  readonly rate: number;
  /** CPU time of the relay for a packet that arrives, in microseconds. */
  readonly cpu: number;
}

class Relay {
  readonly platform: Platform;
  readonly port: number;
  readonly #folder: string;

  private constructor(platform: Platform, port: number) {
    this.platform = platform;
    this.port = port;
    this.#folder = path.join(platform.server.dataDir, 'turn');
  }

  static async start(): Promise<Relay> {
    const port = await freePorts(RELAYS + 1);
    const env = {
      CLOISTER_TURN: 'require',
      CLOISTER_TURN_PORT: String(port),
      CLOISTER_TURN_RELAY_PORTS: `${port + 1}-${port + RELAYS}`,
    };
    return new Relay(await Platform.start({ env }), port);
  }

  get cpu(): number {
    return cpuMicroseconds(Number(readFileSync(path.join(this.#folder, 'turnserver.pid'), 'utf8')));
  }
}

/** Sends as fast as the kernel takes it, by each of the ways, and counts what arrives. */
async function flow(relay: Relay, senders: number, through: boolean): Promise<Flow> {
  const sink = await openSink();
  const peer = { address: '127.0.0.1', port: sink.port };
  const payload = Buffer.alloc(PACKET_BYTES, 0x5a);
  const ways = await Promise.all(
    Array.from({ length: senders }, (_, index) =>
      through ? relayedWay(relay, `bench-${index}`, peer, payload) : directWay(peer, payload),
    ),
  );
  let going = true;
  const sending = ways.map(async ({ send }) => {
    while (going) {
      await Promise.all(Array.from({ length: UNDER_WAY }, send));
      // Sends are done before they are waited for: without this nothing else of the process would have its turn.
      await setImmediate();
    }
  });
  await delay(WINDOW_MS / 4);
  const before = { bytes: await sink.bytes(), cpu: relay.cpu, at: performance.now() };
  await delay(WINDOW_MS);
  const bytes = (await sink.bytes()) - before.bytes;
  const seconds = (performance.now() - before.at) / 1000;
  const cpu = relay.cpu - before.cpu;
  going = false;
  await Promise.all(sending);
  for (const way of ways) way.close();
  await sink.close();
  return { rate: bytes / seconds / 1e6, cpu: cpu / (bytes / PACKET_BYTES) };
}

interface SendingWay {
  send(): Promise<unknown>;
  close(): void;
}

async function relayedWay(
  relay: Relay,
  connection: string,
  peer: { address: string; port: number },
  payload: Buffer,
): Promise<SendingWay> {
  const by = credentialOf(relay.platform.server.dataDir, connection);
  const client = await TurnClient.open('127.0.0.1', relay.port);
  const codes = [(await client.allocate(by)).code, await client.permit(by, peer.address)];
  if (codes.some((code) => code !== 200)) throw new Error(`the relay answered ${codes}`);
  const message = indicationTo(peer, payload);
  return {
    send: () => client.pass(message),
    close: () => void client.refresh(by, 0).finally(() => client.close()),
  };
}

async function directWay(peer: { address: string; port: number }, payload: Buffer): Promise<SendingWay> {
  const socket = createSocket('udp4');
  await once(socket.bind(0, '127.0.0.1'), 'listening');
  return {
    send: () => new Promise((resolve) => socket.send(payload, peer.port, peer.address, resolve)),
    close: () => socket.close(),
  };
}

const relaysOnly: IceConfig = { includeServers: 'all', transportPolicy: 'relay', customServers: [] };

interface Call {
  /** Of the picture, in kilobits a second. */
  readonly kbps: number;
  readonly framesPerSecond: number;
  /** Between the subscriber and the media server, in milliseconds. */
  readonly roundTripMs: number;
}

/** A call of two pages at 1280x720; what arrives at the one that watches. */
async function callOf(relay: Relay, browser: TestBrowser, site: Site, through: boolean): Promise<Call> {
  const { customer } = relay.platform;
  const session = await customer.session();
  const [publisher, watching] = await Promise.all([Participant.open(browser, site), Participant.open(browser, site)]);
  const iceConfig = through ? relaysOnly : null;
  await publisher.join(customer.ticket(session), null, iceConfig);
  await watching.join(customer.ticket(session), {}, iceConfig);
  const stream = await publisher.publish({ resolution: '1280x720', frameRate: 30, scalableVideo: false } as never);
  await watching.subscribed(stream);
  await delay(WARM_MS);
  const ways = await watching.ways();
  const wanted = ways.every(({ type }) => (type === 'relay') === through);
  if (!wanted) throw new Error(`the call goes by ${JSON.stringify(ways)}`);
  const before = await watching.inbound(stream, 'video');
  await delay(WINDOW_MS);
  const now = await watching.inbound(stream, 'video');
  const pairs = await watching.stats('candidate-pair');
  const pair = pairs.find((each) => each.nominated === true && each.currentRoundTripTime !== undefined);
  await Promise.all([publisher.close(), watching.close()]);
  const grown = (member: string) => Number(now[member]) - Number(before[member]);
  const seconds = (Number(now.timestamp) - Number(before.timestamp)) / 1000;
  return {
    kbps: (grown('bytesReceived') * 8) / 1000 / seconds,
    framesPerSecond: grown('framesDecoded') / seconds,
    roundTripMs: Number(pair?.currentRoundTripTime) * 1000,
  };
}

async function measure(): Promise<Result> {
  const relay = await Relay.start();
  const site = await serveSite(relay.platform.server.url);
  const flows = await repeat('packets through a relay', async () => ({
    one: await flow(relay, 1, true),
    oneDirect: await flow(relay, 1, false),
    many: await flow(relay, MANY, true),
    manyDirect: await flow(relay, MANY, false),
  }));
  const browser = await launchBrowser('chromium');
  const calls = await repeat('a call through a relay', async () => ({
    relayed: await callOf(relay, browser, site, true),
    direct: await callOf(relay, browser, site, false),
  }));
  await browser.close();
  site.close();
  await relay.platform.stop();
  const bound = limits.turnBytesPerSecond / 1e6;
  const rate = (member: 'one' | 'oneDirect' | 'many' | 'manyDirect') =>
    `${medianOf(flows, (each) => each[member].rate).toFixed(1)} MB/s`;
  const call = (member: keyof Call, digits: number, unit: string) => ({
    ours: `${medianOf(calls, ({ relayed }) => relayed[member]).toFixed(digits)} ${unit}`,
    other: `${medianOf(calls, ({ direct }) => direct[member]).toFixed(digits)} ${unit}`,
  });
  const share = medianOf(calls, ({ relayed, direct }) => relayed.kbps / direct.kbps);
  return {
    rows: [
      { what: 'one leg, packets as fast as they go', ours: rate('one'), other: rate('oneDirect'), target: null },
      { what: `${MANY} legs, together`, ours: rate('many'), other: rate('manyDirect'), target: null },
      {
        what: 'CPU of the relay for a packet',
        ours: `${medianOf(flows, ({ many }) => many.cpu).toFixed(1)} µs`,
        other: null,
        target: null,
      },
      {
        what: 'picture of a call at 1280x720 and 30 frames a second',
        ...call('kbps', 0, 'kbit/s'),
        target: { text: `at least ${BROWSER_SHARE} of it`, measured: share, least: BROWSER_SHARE },
      },
      { what: 'frames of it decoded', ...call('framesPerSecond', 1, 'a second'), target: null },
      { what: 'round trip between client and media server', ...call('roundTripMs', 1, 'ms'), target: null },
    ],
    notes: [
      `The other side is the same leg without the relay, on loopback. Packets have ${PACKET_BYTES} bytes; sender, relay and receiver share two cores. A relay lets ${bound} MB/s of a leg through (turnBytesPerSecond), ${MANY} legs ${bound * MANY} MB/s at most.`,
      `Calls are those of ${browser.version}, both legs through the relay over UDP. The share of the picture is a target of ours: a relay may not be what bounds a call.`,
    ],
  };
}

await figure(measure);
