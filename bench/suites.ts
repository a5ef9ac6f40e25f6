/** What each SRTP suite costs our media worker: one sender to fifty receivers, encrypted for each of them. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { createWorker } from 'mediasoup';
import type { Consumer, PlainTransport, Router, SrtpCryptoSuite, Worker } from 'mediasoup/types';
import { workerLocation } from '../scripts/media-worker/location.mjs';
import { figure, medianOf, quick, type Result, repeat } from './harness/figure.ts';
import { cpuMicroseconds } from './harness/processes.ts';

const RECEIVERS = 50;
const PAYLOAD_BYTES = 1100;
/** What is sent: this many packets each time. */
const EVERY_MS = 10;
const AT_ONCE = 4;
const WINDOW_MS = quick ? 1500 : 3000;
const SSRC = 0x0c1015;
const PAYLOAD_TYPE = 100;
/** The worker is measured with each of these; null is RTP in the clear, what forwarding alone costs. */
const SUITES: readonly (SrtpCryptoSuite | null)[] = [
  null,
  'AES_CM_128_HMAC_SHA1_80',
  'AEAD_AES_128_GCM',
  'AEAD_AES_256_GCM',
];

const listenInfo = { protocol: 'udp', ip: '127.0.0.1' } as const;

/** A socket that takes what the worker sends; most of it is dropped, since nobody reads that fast. */
async function openSink(): Promise<{ port: number; close(): void }> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4096 });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { port: socket.address().port, close: () => void socket.close() };
}

async function addReceiver(router: Router, producerId: string, suite: SrtpCryptoSuite | null, port: number) {
  const transport = await router.createPlainTransport({
    listenInfo,
    rtcpMux: true,
    enableSrtp: suite !== null,
    ...(suite ? { srtpCryptoSuite: suite } : {}),
  });
  const { srtpParameters } = transport;
  await transport.connect({ ip: '127.0.0.1', port, ...(srtpParameters ? { srtpParameters } : {}) });
  const consumer = await transport.consume({ producerId, rtpCapabilities: router.rtpCapabilities });
  return consumer;
}

/** Sends packets as an application would that needs no encryption on its own leg, so that only ours is measured. */
async function openSender(transport: PlainTransport): Promise<() => void> {
  const socket = createSocket('udp4');
  socket.connect(transport.tuple.localPort, '127.0.0.1');
  await once(socket, 'connect');
  let sequence = 0;
  const timer = setInterval(() => {
    for (let count = 0; count < AT_ONCE; count += 1) {
      const packet = Buffer.alloc(12 + PAYLOAD_BYTES, 0x5a);
      packet.writeUInt8(0x80, 0);
      packet.writeUInt8(PAYLOAD_TYPE, 1);
      packet.writeUInt16BE(sequence & 0xffff, 2);
      packet.writeUInt32BE((sequence * 480) >>> 0, 4);
      packet.writeUInt32BE(SSRC, 8);
      sequence += 1;
      socket.send(packet);
    }
  }, EVERY_MS);
  return () => {
    clearInterval(timer);
    socket.close();
  };
}

/** → microseconds of the worker's CPU for each packet that it sent. */
async function cost(worker: Worker, suite: SrtpCryptoSuite | null): Promise<number> {
  const codec = { mimeType: 'audio/opus', clockRate: 48_000, channels: 2 };
  const router = await worker.createRouter({
    mediaCodecs: [{ ...codec, kind: 'audio', preferredPayloadType: PAYLOAD_TYPE }],
  });
  const incoming = await router.createPlainTransport({ listenInfo, rtcpMux: true, comedia: true });
  const producer = await incoming.produce({
    kind: 'audio',
    rtpParameters: { codecs: [{ ...codec, payloadType: PAYLOAD_TYPE }], encodings: [{ ssrc: SSRC }] },
  });
  const sink = await openSink();
  const consumers: Consumer[] = [];
  for (let count = 0; count < RECEIVERS; count += 1) {
    consumers.push(await addReceiver(router, producer.id, suite, sink.port));
  }
  const sent = async () => {
    const stats = await Promise.all(consumers.map((consumer) => consumer.getStats()));
    return stats.flat().reduce((sum, each) => sum + (each.type === 'outbound-rtp' ? each.packetCount : 0), 0);
  };
  const stop = await openSender(incoming);
  await delay(WINDOW_MS / 3);
  const [packetsBefore, cpuBefore] = [await sent(), cpuMicroseconds(worker.pid)];
  await delay(WINDOW_MS);
  const cpu = cpuMicroseconds(worker.pid) - cpuBefore;
  const packets = (await sent()) - packetsBefore;
  stop();
  sink.close();
  router.close();
  return cpu / packets;
}

async function measure(): Promise<Result> {
  const worker = await createWorker({ workerBin: workerLocation(process.env).path, logLevel: 'error' });
  const taken = await repeat('suites', async () => {
    const costs = new Map<SrtpCryptoSuite | null, number>();
    for (const suite of SUITES) costs.set(suite, await cost(worker, suite));
    return costs;
  });
  worker.close();
  const of = (suite: SrtpCryptoSuite | null) => medianOf(taken, (costs) => costs.get(suite) as number);
  const usual = of('AES_CM_128_HMAC_SHA1_80');
  return {
    rows: SUITES.map((suite) => ({
      what: `a packet with ${suite ?? 'no SRTP'}`,
      ours: `${of(suite).toFixed(1)} µs`,
      other: null,
      target: null,
    })),
    notes: [
      `One sender of packets of ${PAYLOAD_BYTES} bytes, ${(1000 / EVERY_MS) * AT_ONCE} a second, to ${RECEIVERS} plain transports (\`srtpCryptoSuite\`) of one worker; the CPU of the worker alone, the sender's own leg in the clear.`,
      `AES-256-GCM costs ${(of('AEAD_AES_256_GCM') / usual).toFixed(2)} of what AES-128-CM with HMAC-SHA1 costs, the usual default of browsers.`,
    ],
  };
}

await figure(measure);
