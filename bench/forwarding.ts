/**
 * Forwarding: what one RTP packet costs the server, ours against Janus's VideoRoom, with the same clients, picture,
 * suite and loss. Runs in a network namespace of its own, in which packets are dropped at random.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { command } from '../tests/rig/cleanup.ts';
import { enterNetwork } from '../tests/rig/network.ts';
import { figure, medianOf, quick, type Result, type Row, repeat, say } from './harness/figure.ts';
import { type Janus, startJanus } from './harness/janus.ts';
import { LoadBrowser, type LoadPage } from './harness/load-browser.ts';
import type { Counts, Picture, Place } from './harness/load-page.ts';
import { Platform } from './harness/platform.ts';
import { cpuMicroseconds } from './harness/processes.ts';
import { inParallel } from './harness/seat.ts';

enterNetwork(import.meta.filename);

const PICTURE: Picture = { width: 320, height: 180, frameRate: 15, bitrate: 600_000 };
const SETTLE_MS = quick ? 1500 : 3000;
const WINDOW_MS = quick ? 3000 : 6000;
/** Members that come at the same time. */
const WIDTH = 5;
const LOSSES = [0, 2];
const SHAPES = [
  { what: '1 to 50', publishers: 1, subscribers: 50 },
  { what: '10 to 10', publishers: 10, subscribers: 10 },
];

type Shape = (typeof SHAPES)[number];

/** A server under load. */
interface Side {
  readonly name: 'ours' | 'janus';
  /** A place in a new room for each member. */
  places(): Promise<() => Place>;
  /** CPU time so far in microseconds: of the process that forwards, and of the one beside it. */
  cpu(): { media: number; beside: number };
  /** SRTP suites by the server's own word. */
  suites(): Promise<string[]>;
}

interface Taken {
  /** Percent. */
  readonly loss: number;
  /** Microseconds of CPU for a packet that reached a subscriber. */
  readonly media: number;
  readonly beside: number;
  readonly packetsPerSecond: number;
  readonly bytesPerPacket: number;
  readonly lost: number;
  readonly framesPerSecond: number;
}

function oursSide(platform: Platform): Side {
  let session = '';
  return {
    name: 'ours',
    async places() {
      session = await platform.customer.session();
      return () => ({ kind: 'ours', url: platform.server.url, ...platform.customer.ticket(session) });
    },
    cpu() {
      const { workers, node } = platform.cpu();
      return { media: workers, beside: node };
    },
    async suites() {
      const { legs } = await platform.customer.security(session);
      return [...new Set(legs.map(({ suiteSeenByServer }) => suiteSeenByServer ?? 'unknown'))];
    },
  };
}

function janusSide(janus: Janus): Side {
  return {
    name: 'janus',
    async places() {
      const room = await janus.room('vp8');
      return () => ({ kind: 'janus', url: janus.url, room });
    },
    cpu: () => ({ media: cpuMicroseconds(janus.pid), beside: 0 }),
    suites: async () => [...(await janus.suites()).keys()],
  };
}

/** Drops this share of all UDP packets, in percent, on each way. */
function lose(percent: number): void {
  command('iptables', '-F', 'INPUT');
  if (percent === 0) return;
  const chance = ['-m', 'statistic', '--mode', 'random', '--probability', String(percent / 100)];
  command('iptables', '-A', 'INPUT', '-p', 'udp', ...chance, '-j', 'DROP');
}

/** Fills a room and measures it at each loss. */
async function take(browser: LoadBrowser, side: Side, shape: Shape): Promise<{ taken: Taken[]; suites: string[] }> {
  lose(0);
  const place = await side.places();
  const senders = await browser.page();
  const receivers = await browser.page();
  const streams = await inParallel(Array.from({ length: shape.publishers }), WIDTH, async () =>
    senders.publish(await senders.join(place()), PICTURE),
  );
  await inParallel(Array.from({ length: shape.subscribers }), WIDTH, async () =>
    receivers.subscribe(await receivers.join(place()), streams),
  );
  const taken: Taken[] = [];
  for (const loss of LOSSES) {
    lose(loss);
    await delay(SETTLE_MS);
    taken.push({ loss, ...(await window(side, receivers)) });
  }
  const seen = [await senders.counts(), await receivers.counts()].flatMap(({ suites }) => Object.keys(suites));
  const suites = [...new Set([...(await side.suites()), ...seen])];
  lose(0);
  await Promise.all([senders.close(), receivers.close()]);
  return { taken, suites };
}

async function window(side: Side, receivers: LoadPage): Promise<Omit<Taken, 'loss'>> {
  const countsBefore = await receivers.counts();
  const cpuBefore = side.cpu();
  const began = performance.now();
  await delay(WINDOW_MS);
  const counts = await receivers.counts();
  const cpu = side.cpu();
  const seconds = (performance.now() - began) / 1000;
  const grew = (member: Exclude<keyof Counts, 'suites'>) => counts[member] - countsBefore[member];
  const packets = grew('receivedPackets');
  if (packets === 0) throw new Error(`${side.name}: no packet came within ${WINDOW_MS} ms`);
  return {
    media: (cpu.media - cpuBefore.media) / packets,
    beside: (cpu.beside - cpuBefore.beside) / packets,
    packetsPerSecond: packets / seconds,
    bytesPerPacket: grew('receivedBytes') / packets,
    lost: grew('lostPackets') / (packets + grew('lostPackets')),
    framesPerSecond: grew('decodedFrames') / seconds,
  };
}

interface Pair {
  readonly ours: Taken[];
  readonly janus: Taken[];
}

function rowOf(shape: Shape, loss: number, pairs: readonly Pair[]): Row {
  const at = (taken: readonly Taken[]) => taken.find((each) => each.loss === loss) as Taken;
  const ours = pairs.map((pair) => at(pair.ours));
  const janus = pairs.map((pair) => at(pair.janus));
  const media = medianOf(ours, (each) => each.media);
  const beside = medianOf(ours, (each) => each.beside);
  const both = medianOf(ours, (each) => each.media + each.beside);
  const theirs = medianOf(janus, (each) => each.media);
  const ratio = both / theirs;
  return {
    what: `${shape.what}, ${loss} % loss: CPU of a packet`,
    ours: `${both.toFixed(1)} µs (worker ${media.toFixed(1)}, Node ${beside.toFixed(1)})`,
    other: `${theirs.toFixed(1)} µs`,
    target: { text: `at most 1.00 of the peer; is ${ratio.toFixed(2)}`, measured: ratio, most: 1 },
  };
}

function trafficOf(shape: Shape, loss: number, pairs: readonly Pair[]): string {
  const describe = (side: keyof Pair) => {
    const all = pairs.map((pair) => pair[side].find((each) => each.loss === loss) as Taken);
    const of = (member: keyof Taken) => medianOf(all, (each) => each[member]);
    const [packets, bytes, frames] = [of('packetsPerSecond'), of('bytesPerPacket'), of('framesPerSecond')];
    return `${Math.round(packets).toLocaleString('en')} packets a second of ${Math.round(bytes)} bytes, ${Math.round(frames)} frames decoded, ${(of('lost') * 100).toFixed(1)} % never came`;
  };
  return `${shape.what}, ${loss} % loss: ours ${describe('ours')}; Janus ${describe('janus')}.`;
}

async function measure(): Promise<Result> {
  const browser = await LoadBrowser.start();
  const [platform, janus] = [await Platform.start(), await startJanus()];
  await platform.customer.session();
  await platform.quiet();
  const sides = { ours: oursSide(platform), janus: janusSide(janus) };
  const suites = { ours: new Set<string>(), janus: new Set<string>() };
  const rows: Row[] = [];
  const traffic: string[] = [];
  for (const shape of SHAPES) {
    const pairs = await repeat(`forwarding ${shape.what}`, async () => {
      const ours = await take(browser, sides.ours, shape);
      const theirs = await take(browser, sides.janus, shape);
      for (const suite of ours.suites) suites.ours.add(suite);
      for (const suite of theirs.suites) suites.janus.add(suite);
      return { ours: ours.taken, janus: theirs.taken };
    });
    for (const loss of LOSSES) {
      rows.push(rowOf(shape, loss, pairs));
      traffic.push(trafficOf(shape, loss, pairs));
    }
  }
  if (browser.errors.length > 0) say(`the browser complained: ${[...new Set(browser.errors)].join(' | ')}`);
  const { version } = janus;
  await Promise.all([browser.close(), platform.stop(), janus.stop()]);
  const { width, height, frameRate, bitrate } = PICTURE;
  return {
    rows,
    notes: [
      `The peer is ${version}, VideoRoom plugin. Suites of all legs, by the servers and by the browser: ours ${[...suites.ours].join(', ')}; Janus ${[...suites.janus].join(', ')}.`,
      `Clients on both sides: ${browser.version}, one page that sends and one that receives, VP8 ${width}x${height} at ${frameRate} frames and ${bitrate / 1000} kbit/s, no simulcast, no sound; loss at random on each way, in a network namespace.`,
      'A packet is one that reached a subscriber, by the browser’s own count on both sides; the ratio has our Node process in it.',
      ...traffic,
    ],
  };
}

await figure(measure);
