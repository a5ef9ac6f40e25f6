/**
 * What the tests of this folder stand on: a media plane on loopback with the real worker, and clients. A client is a
 * mediasoup transport in another worker that is DTLS client towards the plane, reached through a loopback; what it sends
 * is written packet by packet, what it gets is counted by its worker.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, isIP } from 'node:net';
import type { ConsumerOffer, Direction, MediaKind, RtpCapabilities, RtpParameters, Suite } from '@cloister/protocol';
import * as mediasoup from 'mediasoup';
import type { Consumer, DirectTransport, Producer, Router, WebRtcTransport, Worker } from 'mediasoup/types';
import type { Journal, MediaPeer, MediaRoom, PeerObserver } from '../core/index.ts';
import { systemClock } from '../lib/index.ts';
import { routerCodecs } from './codecs.ts';
import { type Loopback, openLoopback, type Shape } from './loopback.ts';
import { createMediaPlane, type MediaPlaneOptions, type Plane } from './plane.ts';

/** The worker under test; the project's preparation names it. */
export function workerBin(): string {
  const bin = process.env.MEDIASOUP_WORKER_BIN;
  if (!bin) throw new Error('MEDIASOUP_WORKER_BIN does not name a media worker: run the tests through npm');
  return bin;
}

export const silentJournal: Journal = { record: () => undefined };

async function isFree(port: number): Promise<boolean> {
  const udp = createSocket('udp4');
  const tcp = createServer();
  try {
    udp.bind(port, '127.0.0.1');
    await once(udp, 'listening');
    tcp.listen(port, '127.0.0.1');
    await once(tcp, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    udp.close();
    tcp.close();
  }
}

/** A range of ports on loopback whose first ones are free; test files run side by side, so each looks for its own. */
export async function freePorts(count: number, first: number): Promise<{ min: number; max: number }> {
  for (;;) {
    const min = 20_000 + Math.floor(Math.random() * 10_000);
    const wanted = Array.from({ length: first }, (_, index) => min + index);
    if ((await Promise.all(wanted.map(isFree))).every(Boolean)) return { min, max: min + count - 1 };
  }
}

export async function startPlane(options: Partial<MediaPlaneOptions> = {}): Promise<Plane> {
  const workers = options.workers ?? 1;
  return createMediaPlane({
    workerBin: workerBin(),
    workers,
    address: { listen: ['127.0.0.1'] },
    ports: await freePorts(workers + 64, workers),
    journal: silentJournal,
    clock: systemClock,
    ...options,
  });
}

/** Waits until `look` gives something else than undefined or false; looks often, and fails after `seconds`. */
export async function until<Value>(
  look: () => Value | undefined | false | Promise<Value | undefined | false>,
  what: string,
  seconds = 15,
): Promise<Value> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await look();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > end) throw new Error(`it did not happen within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
}

export type Told = {
  [Name in keyof PeerObserver]: { name: Name; values: Parameters<PeerObserver[Name]> };
}[keyof PeerObserver];

/** An observer that keeps what it was told. */
export class Notes implements PeerObserver {
  readonly told: Told[] = [];

  #note<Name extends keyof PeerObserver>(name: Name, values: Parameters<PeerObserver[Name]>): void {
    this.told.push({ name, values } as Told);
  }

  /** The values of every call of one kind so far. */
  of<Name extends keyof PeerObserver>(name: Name): Parameters<PeerObserver[Name]>[] {
    return this.told.filter((each) => each.name === name).map((each) => each.values as Parameters<PeerObserver[Name]>);
  }

  transportConnected(...values: Parameters<PeerObserver['transportConnected']>): void {
    this.#note('transportConnected', values);
  }
  transportLost(...values: Parameters<PeerObserver['transportLost']>): void {
    this.#note('transportLost', values);
  }
  mediaLost(...values: Parameters<PeerObserver['mediaLost']>): void {
    this.#note('mediaLost', values);
  }
  consumersAdded(...values: Parameters<PeerObserver['consumersAdded']>): void {
    this.#note('consumersAdded', values);
  }
  codecNotSupported(...values: Parameters<PeerObserver['codecNotSupported']>): void {
    this.#note('codecNotSupported', values);
  }
  codecWanted(...values: Parameters<PeerObserver['codecWanted']>): void {
    this.#note('codecWanted', values);
  }
  subscriptionQuality(...values: Parameters<PeerObserver['subscriptionQuality']>): void {
    this.#note('subscriptionQuality', values);
  }
  layersChanged(...values: Parameters<PeerObserver['layersChanged']>): void {
    this.#note('layersChanged', values);
  }
  streamWanted(...values: Parameters<PeerObserver['streamWanted']>): void {
    this.#note('streamWanted', values);
  }
  speakers(...values: Parameters<PeerObserver['speakers']>): void {
    this.#note('speakers', values);
  }
}

/** One encoding of a source. */
interface Encoding {
  readonly ssrc: number;
  readonly rid?: string;
  readonly scalabilityMode?: string;
}

/** Each simulcast layer counts its timestamps from a start of its own, as encoders do. */
const layerTimestampGap = 10_000_000;

/** The number that a source wrote into a packet. */
export function numberOf(packet: Uint8Array): number {
  return Buffer.from(packet).readUInt32BE(packet.length - 4);
}

/** Header extensions that a source may write, under the ids that mediasoup prefers. */
export const extensionIds = { level: 6, orientation: 8, captureTime: 10 } as const;

const sourceExtensions = {
  audio: [
    { uri: 'urn:ietf:params:rtp-hdrext:ssrc-audio-level', id: extensionIds.level },
    { uri: 'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time', id: extensionIds.captureTime },
  ],
  video: [
    { uri: 'urn:3gpp:video-orientation', id: extensionIds.orientation },
    { uri: 'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time', id: extensionIds.captureTime },
  ],
} as const;

/** RFC 8285, 4.2: one byte before each, filled up to words. */
function extended(extensions: readonly (readonly [id: number, data: Uint8Array])[]): Buffer[] {
  if (extensions.length === 0) return [];
  const elements = Buffer.concat(extensions.flatMap(([id, data]) => [Buffer.of((id << 4) | (data.length - 1)), data]));
  const words = Math.ceil(elements.length / 4);
  return [Buffer.of(0xbe, 0xde, 0, words), elements, Buffer.alloc(words * 4 - elements.length)];
}

/** Where packets of one track are written. */
export class Source {
  readonly producer: Producer;
  readonly #encodings: readonly Encoding[];
  readonly #payloadType: number;
  #sequence = 100;

  constructor(producer: Producer, payloadType: number, encodings: readonly Encoding[]) {
    this.producer = producer;
    this.#payloadType = payloadType;
    this.#encodings = encodings;
  }

  /**
   * Writes one packet on each encoding; `bytes` by encoding, lowest first. A picture's packet is a whole frame.
   * @returns the packets, which end with a number that is their own; `numberOf` reads it.
   */
  write({
    bytes = [80],
    keyFrame = true,
    extensions = [],
  }: {
    bytes?: number[];
    keyFrame?: boolean;
    extensions?: readonly (readonly [id: number, data: Uint8Array])[];
  } = {}): Buffer[] {
    this.#sequence += 1;
    return this.#encodings.map(({ ssrc }, index) => {
      const header = Buffer.alloc(12);
      header[0] = extensions.length === 0 ? 0x80 : 0x90;
      header[1] = 0x80 | this.#payloadType;
      header.writeUInt16BE(this.#sequence & 0xffff, 2);
      const timestamp = this.#sequence * (this.producer.kind === 'audio' ? 960 : 3000);
      header.writeUInt32BE(timestamp + index * layerTimestampGap, 4);
      header.writeUInt32BE(ssrc, 8);
      const payload = this.#payload(bytes[index] ?? bytes[0] ?? 80, keyFrame);
      const packet = Buffer.concat([header, ...extended(extensions), payload]);
      this.producer.send(packet);
      return packet;
    });
  }

  #payload(bytes: number, keyFrame: boolean): Buffer {
    // RFC 7741: descriptor with S set, then a frame tag whose first bit is 0 in a key frame.
    const picture = [0x10, keyFrame ? 0x10 : 0x11, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x00];
    const start = this.producer.kind === 'audio' ? [] : picture;
    const number = Buffer.alloc(4);
    number.writeUInt32BE(this.#sequence);
    const filling = Buffer.alloc(Math.max(0, bytes - start.length - number.length), 1);
    return Buffer.concat([Buffer.from(start), filling, number]);
  }

  /** Writes every `everyMs` until it is stopped. */
  run(everyMs: number, packet: Parameters<Source['write']>[0] = {}): () => void {
    const timer = setInterval(() => {
      if (this.producer.closed) clearInterval(timer);
      else this.write(packet);
    }, everyMs);
    return () => clearInterval(timer);
  }
}

/** The worker in which the far ends of all clients of a test live. */
export class FarWorker {
  readonly worker: Worker;
  readonly router: Router;
  /** The clients whose far ends are here. */
  readonly clients = new Set<FarClient>();
  readonly #direct: DirectTransport;

  private constructor(worker: Worker, router: Router, direct: DirectTransport) {
    this.worker = worker;
    this.router = router;
    this.#direct = direct;
  }

  static async start(): Promise<FarWorker> {
    const worker = await mediasoup.createWorker({ workerBin: workerBin(), logLevel: 'none' });
    const router = await worker.createRouter({ mediaCodecs: [...routerCodecs] });
    return new FarWorker(worker, router, await router.createDirectTransport());
  }

  get rtpCapabilities(): RtpCapabilities {
    return this.router.rtpCapabilities as RtpCapabilities;
  }

  transport(): Promise<WebRtcTransport> {
    return this.router.createWebRtcTransport({
      listenInfos: [{ protocol: 'udp', ip: '127.0.0.1', portRange: { min: 33_000, max: 60_000 } }],
      initialAvailableOutgoingBitrate: 10_000_000,
    });
  }

  /** A source of packets; of pictures with `layers` simulcast layers. */
  async source(kind: MediaKind, layers = 1): Promise<Source> {
    const mimeType = kind === 'audio' ? 'audio/opus' : 'video/VP8';
    const codec = this.router.rtpCapabilities.codecs?.find((each) => each.mimeType === mimeType);
    if (!codec) throw new Error(`the router has no ${mimeType}`);
    const payloadType = codec.preferredPayloadType ?? 0;
    const base = 1 + Math.floor(Math.random() * 0x7fffff00);
    const encodings = Array.from({ length: layers }, (_, index) => ({
      ssrc: base + index,
      ...(layers > 1 ? { rid: `r${index}`, scalabilityMode: 'L1T1' } : {}),
    }));
    const producer = await this.#direct.produce({
      kind,
      rtpParameters: {
        mid: `${base}`,
        codecs: [{ ...codec, payloadType, parameters: codec.parameters ?? {} }],
        headerExtensions: sourceExtensions[kind].map((each) => ({ ...each, parameters: {} })),
        encodings,
        rtcp: { cname: 'far' },
      },
    });
    return new Source(producer, payloadType, encodings);
  }

  close(): void {
    for (const client of [...this.clients]) client.close();
    this.worker.close();
  }
}

/** A client of a room: its peer in the plane, and its far ends. */
export class FarClient {
  readonly notes: Notes;
  readonly peer: MediaPeer;
  readonly #far: FarWorker;
  readonly #transports = new Map<Direction, WebRtcTransport>();
  readonly #loopbacks: Loopback[] = [];
  /** What the far end gets, by stream and kind. */
  readonly received = new Map<string, Producer>();

  private constructor(far: FarWorker, notes: Notes, peer: MediaPeer) {
    this.#far = far;
    this.notes = notes;
    this.peer = peer;
  }

  static async join(room: MediaRoom, far: FarWorker, name: string): Promise<FarClient> {
    const notes = new Notes();
    const client = new FarClient(far, notes, await room.join(name, notes));
    far.clients.add(client);
    return client;
  }

  /** Opens and connects a transport. @returns the suite that the plane saw. */
  async connect(direction: Direction, { shape, family = 4 }: { shape?: Shape; family?: 4 | 6 } = {}): Promise<Suite> {
    const offer = await this.peer.openTransport(direction);
    const transport = await this.#far.transport();
    this.#transports.set(direction, transport);
    const remote = offer as unknown as WebRtcTransport;
    await transport.connect({ dtlsParameters: { ...remote.dtlsParameters, role: 'server' } });
    await this.peer.connectTransport(offer.transportId, { ...transport.dtlsParameters, role: 'client' });
    const iceCandidates = remote.iceCandidates.filter(({ address }) => isIP(address) === family);
    this.#loopbacks.push(await openLoopback(transport, { ...remote, iceCandidates }, shape));
    try {
      return await until(
        () => this.notes.of('transportConnected').find(([transportId]) => transportId === offer.transportId)?.[2],
        'the transport is reported',
      );
    } catch (error) {
      const told = this.notes.told.map(({ name, values }) => `${name} ${values[0]}`).join(', ');
      throw new Error(`far end: ICE ${transport.iceState}, DTLS ${transport.dtlsState}; told: ${told}`, {
        cause: error,
      });
    }
  }

  transport(direction: Direction): WebRtcTransport {
    const transport = this.#transports.get(direction);
    if (!transport) throw new Error(`the client has no ${direction} transport`);
    return transport;
  }

  /** Sends a source to the plane as a track of a stream. The consumer is the far end's sender. */
  async publish(
    streamId: string,
    source: Source,
    more: Partial<Parameters<MediaPeer['produce']>[0]> = {},
  ): Promise<{ producerId: string; sender: Consumer }> {
    const sender = await this.transport('send').consume({
      producerId: source.producer.id,
      rtpCapabilities: this.#far.router.rtpCapabilities,
      pipe: source.producer.type === 'simulcast',
    });
    const { producerId } = await this.peer.produce({
      streamId,
      kind: source.producer.kind,
      rtpParameters: sender.rtpParameters as RtpParameters,
      paused: false,
      audioFallback: true,
      dimensions: { width: 1280, height: 720 },
      frameRate: 30,
      ...more,
    });
    return { producerId, sender };
  }

  /** Subscribes and builds receivers; nothing runs before `allow`. */
  async subscribe(
    streamId: string,
    more: Partial<Parameters<MediaPeer['subscribe']>[0]> = {},
  ): Promise<ConsumerOffer[]> {
    const wish = { streamId, rtpCapabilities: this.#far.rtpCapabilities, audio: true, video: true, ...more };
    const offers = await this.peer.subscribe(wish);
    await this.receive(streamId, offers);
    return offers;
  }

  /** Builds receivers for consumers and says so. */
  async receive(streamId: string, offers: readonly ConsumerOffer[]): Promise<void> {
    for (const { kind, rtpParameters } of offers) {
      const producer = await this.transport('receive').produce({
        kind,
        rtpParameters: rtpParameters as Producer['rtpParameters'],
      });
      this.received.set(`${streamId} ${kind}`, producer);
    }
    await this.peer.resumeSubscription(streamId);
  }

  /** Packets and bytes that arrived at this far end of one track. */
  async got(streamId: string, kind: MediaKind): Promise<{ packets: number; bytes: number }> {
    const stats = (await this.received.get(`${streamId} ${kind}`)?.getStats()) ?? [];
    return stats.reduce(
      (sum, stat) => ({ packets: sum.packets + stat.packetCount, bytes: sum.bytes + stat.byteCount }),
      {
        packets: 0,
        bytes: 0,
      },
    );
  }

  close(): void {
    if (!this.#far.clients.delete(this)) return;
    this.peer.close();
    for (const loopback of this.#loopbacks) loopback.close();
    for (const transport of this.#transports.values()) transport.close();
  }
}
