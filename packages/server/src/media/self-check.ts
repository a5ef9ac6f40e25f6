/**
 * Proves at start that a worker reports the suite of a transport: two transports of its own shake hands, one as DTLS
 * client and one as DTLS server, and both must be reported with the suite that two such ends choose, the strongest.
 */
import type { Suite } from '@cloister/protocol';
import type { WebRtcTransport, Worker } from 'mediasoup/types';
import { routerCodecs } from './codecs.ts';
import { openLoopback } from './loopback.ts';
import type { SuiteWatch } from './suite-watch.ts';

const handshakeMs = 10_000;

function suiteOfTransport(watch: SuiteWatch, transport: WebRtcTransport): Promise<Suite> {
  return new Promise((resolve) => {
    transport.on('dtlsstatechange', (state) => {
      if (state === 'connected') watch.ask(transport.id, resolve);
      else if (state !== 'connecting') resolve('unknown');
    });
  });
}

/**
 * Whether this worker was seen to report the suite.
 * @param ports where the two transports may listen, on loopback, for the moment.
 */
export async function reportsSuites(
  worker: Worker,
  watch: SuiteWatch,
  ports: { min: number; max: number },
): Promise<boolean> {
  const router = await worker.createRouter({ mediaCodecs: [...routerCodecs] });
  let giveUp: NodeJS.Timeout | undefined;
  try {
    const open = () =>
      router.createWebRtcTransport({ listenInfos: [{ protocol: 'udp', ip: '127.0.0.1', portRange: ports }] });
    const [client, server] = await Promise.all([open(), open()]);
    const seen = Promise.all([suiteOfTransport(watch, client), suiteOfTransport(watch, server)]);
    await client.connect({ dtlsParameters: { ...server.dtlsParameters, role: 'server' } });
    await server.connect({ dtlsParameters: { ...client.dtlsParameters, role: 'client' } });
    const loopback = await openLoopback(client, server);
    const late = new Promise<Suite[]>((resolve) => {
      giveUp = setTimeout(resolve, handshakeMs, []);
    });
    const suites = await Promise.race([seen, late]);
    loopback.close();
    return suites.length === 2 && suites.every((suite) => suite === 'AEAD_AES_256_GCM');
  } finally {
    clearTimeout(giveUp);
    router.close();
  }
}
