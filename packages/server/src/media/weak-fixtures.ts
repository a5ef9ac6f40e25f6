/**
 * Clients that offer nothing above AES-128: `@roamhq/wrtc` under mediasoup-client. They live in a process of their own,
 * which is killed at the end, since that library now and then crashes a process that ends in order.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { DtlsParameters, RtpCapabilities, TransportOffer } from '@cloister/protocol';
import type { types } from 'mediasoup-client';

type ToChild =
  | { type: 'load'; rtpCapabilities: RtpCapabilities }
  | { type: 'open'; offer: TransportOffer }
  | { type: 'connected'; transportId: string }
  | { type: 'close'; transportId: string };
type ToParent = { type: 'ready' } | { type: 'connect'; transportId: string; dtlsParameters: DtlsParameters };

/** The process with all weak clients of a test. */
export class WeakClients {
  readonly #child: ChildProcess;
  readonly #connects = new Map<string, (dtlsParameters: DtlsParameters) => void>();

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (message: ToParent) => {
      if (message.type === 'connect') this.#connects.get(message.transportId)?.(message.dtlsParameters);
    });
  }

  static async start(rtpCapabilities: RtpCapabilities): Promise<WeakClients> {
    const child = fork(import.meta.filename, ['weak'], { execArgv: [] });
    const ready = once(child, 'message');
    child.send({ type: 'load', rtpCapabilities } satisfies ToChild);
    await ready;
    return new WeakClients(child);
  }

  /** Builds the client's end of a send transport, calls `connect` with its DTLS parameters and lets it shake hands. */
  async open(offer: TransportOffer, connect: (dtlsParameters: DtlsParameters) => Promise<void>): Promise<void> {
    const { transportId } = offer;
    const asked = new Promise<DtlsParameters>((resolve) => this.#connects.set(transportId, resolve));
    this.#child.send({ type: 'open', offer } satisfies ToChild);
    await connect(await asked);
    this.#child.send({ type: 'connected', transportId } satisfies ToChild);
  }

  close(transportId: string): void {
    this.#child.send({ type: 'close', transportId } satisfies ToChild);
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }
}

/** The other side: what the process does. */
async function serve(): Promise<void> {
  const { default: wrtc } = await import('@roamhq/wrtc');
  const { Device } = await import('mediasoup-client');
  // mediasoup-client looks for the browser's classes where a browser has them.
  const { MediaStream, MediaStreamTrack, RTCPeerConnection, RTCSessionDescription, RTCIceCandidate } = wrtc;
  const { RTCRtpReceiver, RTCRtpSender, RTCRtpTransceiver } = wrtc;
  Object.assign(globalThis, { MediaStream, MediaStreamTrack, RTCPeerConnection, RTCSessionDescription });
  Object.assign(globalThis, { RTCIceCandidate, RTCRtpReceiver, RTCRtpSender, RTCRtpTransceiver });
  const device = new Device({ handlerName: 'Chrome74' });
  const transports = new Map<string, types.Transport>();
  const answers = new Map<string, () => void>();
  const tell = (message: ToParent) => process.send?.(message);

  const open = async (offer: TransportOffer): Promise<void> => {
    const id = offer.transportId;
    const { iceParameters, iceCandidates, dtlsParameters } = offer as unknown as types.TransportOptions;
    const transport = device.createSendTransport({ id, iceParameters, iceCandidates, dtlsParameters });
    transports.set(id, transport);
    transport.on('connect', (own, done) => {
      answers.set(id, done);
      tell({ type: 'connect', transportId: id, dtlsParameters: own.dtlsParameters as DtlsParameters });
    });
    // What it would send does not matter: the handshake does.
    transport.on('produce', (_, done) => done({ id: 'none' }));
    const track = new wrtc.nonstandard.RTCAudioSource().createTrack() as unknown as MediaStreamTrack;
    await transport.produce({ track });
  };

  process.on('message', async (message: ToChild) => {
    if (message.type === 'load') {
      await device.load({ routerRtpCapabilities: message.rtpCapabilities as types.RtpCapabilities });
      tell({ type: 'ready' });
    } else if (message.type === 'open') {
      // One that is closed while it shakes hands has nobody left to tell.
      await open(message.offer).catch(() => undefined);
    } else if (message.type === 'connected') {
      answers.get(message.transportId)?.();
    } else {
      transports.get(message.transportId)?.close();
    }
  });
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
}

if (process.argv[2] === 'weak') await serve();
