/**
 * A client in Node over our signalling: `@roamhq/wrtc` under mediasoup-client. Its WebRTC offers no suite above AES-128,
 * so it is the weak one of the tests; and it is light, so it is also the many clients of a load.
 *
 * It sends a tone and hears others. After `mediaReset` it builds its media again, as the SDK does.
 */
import {
  type Answer,
  type ConsumerOffer,
  type EventData,
  type EventName,
  type JoinAnswer,
  type RequestData,
  type RequestName,
  type RtpCapabilities,
  type ServerFrame,
  signallingVersion,
} from '@cloister/protocol';
import { suiteOf } from '@cloister/protocol/suites';
import wrtc from '@roamhq/wrtc';
import { Device, type types } from 'mediasoup-client';
import type { JoinAs } from './page.ts';
import { startTone } from './tone.ts';
import { Feed, within } from './wait.ts';

const ANSWER_MS = 20_000;
/** Of 32767; the tone is far above, what a decoder makes up for lost packets fades below. */
const AUDIBLE = 1000;

// mediasoup-client looks for the browser's classes where a browser has them.
Object.assign(globalThis, {
  MediaStream: wrtc.MediaStream,
  MediaStreamTrack: wrtc.MediaStreamTrack,
  RTCPeerConnection: wrtc.RTCPeerConnection,
  RTCSessionDescription: wrtc.RTCSessionDescription,
  RTCIceCandidate: wrtc.RTCIceCandidate,
  RTCRtpReceiver: wrtc.RTCRtpReceiver,
  RTCRtpSender: wrtc.RTCRtpSender,
  RTCRtpTransceiver: wrtc.RTCRtpTransceiver,
});

/**
 * wrtc aborts the process when Node takes its environment down at the end (a check in a finalizer). So the process ends
 * without that, once everything else that waits for the end has run.
 */
let endingQuietly = false;
function endQuietly(): void {
  if (endingQuietly) return;
  endingQuietly = true;
  process.once('exit', (code) => (process as unknown as { reallyExit(code: number): void }).reallyExit(code));
}

// wrtc crashes when Node takes its objects down one by one at the end; leaving at once spares it that.
process.once('exit', (code) => process.exit(code));

type Welcome = Extract<ServerFrame, { type: 'welcome' }>;
type Close = Extract<ServerFrame, { type: 'close' }>;
type Direction = 'send' | 'receive';

/** An event of the server with its name. */
export interface Told {
  readonly event: string;
  readonly data: unknown;
  /** `performance.now()` when it came. */
  readonly at: number;
}

/** What the server answered a request with instead of its answer. */
export class Refused extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}

interface Subscription {
  readonly stop: () => void;
}

export class WeakClient {
  readonly told = new Feed<Told>();
  /** Times (`performance.now()`) at which a track of a stream was first heard after it was (re)built. */
  readonly heard = new Feed<{ streamId: string; at: number }>();
  readonly welcome: Welcome;
  /** Resolves with the server's last frame, or null when the socket just broke. */
  readonly closed: Promise<Close | null>;
  readonly #socket: WebSocket;
  readonly #answers = new Map<number, (frame: Extract<ServerFrame, { type: 'answer' }>) => void>();
  readonly #transports = new Map<Direction, Promise<types.Transport>>();
  readonly #wanted = new Set<string>();
  readonly #subscriptions = new Map<string, Subscription[]>();
  #rtpCapabilities: RtpCapabilities;
  #device: Promise<types.Device> | null = null;
  #published: string | null = null;
  #nextRequest = 1;

  /**
   * Shows the token, opens the WebSocket and says hello.
   * @throws Refused with the code with which the server closes instead of welcoming
   */
  static async join(serverUrl: string, as: JoinAs): Promise<WeakClient> {
    endQuietly();
    const answer = await fetch(`${serverUrl}/cloister/v1/join`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(as),
    });
    if (!answer.ok) throw new Error(`join answered ${answer.status}: ${await answer.text()}`);
    const { signallingUrl, ticket } = (await answer.json()) as JoinAnswer;
    const socket = new WebSocket(signallingUrl);
    const first = new Promise<ServerFrame>((resolve, reject) => {
      socket.addEventListener('message', ({ data }) => resolve(JSON.parse(String(data))), { once: true });
      socket.addEventListener('error', () => reject(new Error(`no WebSocket to ${signallingUrl}`)), { once: true });
    });
    socket.addEventListener('open', () => {
      socket.send(JSON.stringify({ type: 'hello', version: signallingVersion, ticket }));
    });
    const welcome = await within(ANSWER_MS, 'the welcome', first);
    if (welcome.type === 'close' && welcome.error) throw new Refused(welcome.error.code, welcome.error.message);
    if (welcome.type !== 'welcome') throw new Error(`instead of a welcome: ${JSON.stringify(welcome)}`);
    return new WeakClient(socket, welcome);
  }

  private constructor(socket: WebSocket, welcome: Welcome) {
    this.#socket = socket;
    this.welcome = welcome;
    this.#rtpCapabilities = welcome.rtpCapabilities;
    const heartbeat = setInterval(() => this.#send({ type: 'ping' }), welcome.heartbeatSeconds * 1000);
    this.closed = new Promise((resolve) => {
      socket.addEventListener('message', ({ data }) => {
        const frame = JSON.parse(String(data)) as ServerFrame;
        if (frame.type === 'close') resolve(frame);
        else this.#frame(frame);
      });
      socket.addEventListener('close', () => {
        clearInterval(heartbeat);
        resolve(null);
      });
    });
  }

  get connectionId(): string {
    return this.welcome.connection.connectionId;
  }

  /** @throws Refused with the server's code */
  async request<Name extends RequestName>(method: Name, data: RequestData<Name>): Promise<Answer<Name>> {
    const id = this.#nextRequest++;
    const answered = new Promise<Extract<ServerFrame, { type: 'answer' }>>((resolve) => this.#answers.set(id, resolve));
    this.#send({ type: 'request', id, method, data });
    const frame = await within(ANSWER_MS, `the answer to ${method}`, answered);
    if (frame.error) throw new Refused(frame.error.code, frame.error.message);
    return frame.data as Answer<Name>;
  }

  /** The next event of a name, from place `since` of `told` on, whose data `wanted` accepts. */
  async event<Name extends EventName>(
    name: Name,
    wanted: (data: EventData<Name>) => boolean = () => true,
    options: { since?: number; ms?: number } = {},
  ): Promise<EventData<Name>> {
    const match = (each: Told) => each.event === name && wanted(each.data as EventData<Name>);
    return (await this.told.next(name, match, options)).data as EventData<Name>;
  }

  /** Sends a tone; → the stream's id. Does not wait for the leg's fate, which comes as the event `leg`. */
  async publish(): Promise<string> {
    const { stream } = await this.request('publish', {
      ...(this.#published ? { streamId: this.#published } : {}),
      videoType: null,
      hasAudio: true,
      hasVideo: false,
    });
    this.#published = stream.streamId;
    const transport = await this.#transport('send');
    await transport.produce({ track: startTone(), appData: { streamId: stream.streamId } });
    return stream.streamId;
  }

  /** Publishes, and waits until the server has told everybody: the leg is proven and allowed. */
  async publishAllowed(): Promise<string> {
    const streamId = await this.publish();
    await this.event('streamCreated', ({ stream }) => stream.streamId === streamId);
    return streamId;
  }

  /** Receives a stream's sound; whatever is heard of it comes in `heard`. */
  async subscribe(streamId: string): Promise<void> {
    this.#wanted.add(streamId);
    const device = await this.#loaded();
    await this.#transport('receive');
    const { consumers } = await this.request('subscribe', {
      streamId,
      rtpCapabilities: device.rtpCapabilities as unknown as RtpCapabilities,
    });
    await this.#consume(streamId, consumers);
  }

  /**
   * RTP packets of media that this end sent, received and missed so far. What the server sends to probe the line (mediasoup's
   * `probator`) is padding of its own making, not media.
   */
  async packets(): Promise<{ sent: number; received: number; lost: number }> {
    const counts = { sent: 0, received: 0, lost: 0 };
    for (const made of this.#transports.values()) {
      const transport = await made;
      for (const each of (await transport.getStats()).values()) {
        if (each.type === 'outbound-rtp') counts.sent += each.packetsSent;
        if (each.type !== 'inbound-rtp' || each.mid === 'probator') continue;
        counts.received += each.packetsReceived;
        counts.lost += each.packetsLost;
      }
    }
    return counts;
  }

  close(): void {
    this.#dropMedia();
    this.#socket.close();
  }

  #send(frame: unknown): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #frame(frame: ServerFrame): void {
    if (frame.type === 'answer') {
      this.#answers.get(frame.id)?.(frame);
      this.#answers.delete(frame.id);
    }
    if (frame.type !== 'event') return;
    this.#send({ type: 'ack', seq: frame.seq });
    this.told.push({ event: frame.event, data: frame.data, at: performance.now() });
    if (frame.event === 'mediaReset') {
      const { rtpCapabilities } = frame.data as EventData<'mediaReset'>;
      if (JSON.stringify(rtpCapabilities) !== JSON.stringify(this.#rtpCapabilities)) this.#device = null;
      this.#rtpCapabilities = rtpCapabilities;
      this.rebuild().catch(() => {});
    }
    if (frame.event === 'consumersAdded') {
      const { streamId, consumers } = frame.data as EventData<'consumersAdded'>;
      this.#consume(streamId, consumers).catch(() => {});
    }
  }

  /** Drops its media and builds it anew, as after a `mediaReset`. */
  async rebuild(): Promise<void> {
    this.#dropMedia();
    const again = [...this.#wanted].map((streamId) => this.subscribe(streamId));
    if (this.#published) again.push(this.publish().then(() => undefined));
    await Promise.all(again);
  }

  #dropMedia(): void {
    for (const made of this.#transports.values()) {
      made.then((transport) => transport.close()).catch(() => {});
    }
    this.#transports.clear();
    for (const subscription of [...this.#subscriptions.values()].flat()) subscription.stop();
    this.#subscriptions.clear();
  }

  #loaded(): Promise<types.Device> {
    this.#device ??= (async () => {
      const device = new Device({ handlerName: 'Chrome74' });
      await device.load({ routerRtpCapabilities: this.#rtpCapabilities as unknown as types.RtpCapabilities });
      return device;
    })();
    return this.#device;
  }

  #transport(direction: Direction): Promise<types.Transport> {
    let made = this.#transports.get(direction);
    if (!made) {
      made = this.#open(direction);
      this.#transports.set(direction, made);
    }
    return made;
  }

  async #open(direction: Direction): Promise<types.Transport> {
    const [device, offer] = await Promise.all([this.#loaded(), this.request('openTransport', { direction })]);
    const options = { ...offer, id: offer.transportId } as unknown as types.TransportOptions;
    const transport = direction === 'send' ? device.createSendTransport(options) : device.createRecvTransport(options);
    transport.on('connect', ({ dtlsParameters }, done, failed) => {
      this.request('connectTransport', { transportId: offer.transportId, dtlsParameters }).then(() => done(), failed);
    });
    transport.on('connectionstatechange', (state) => {
      if (state === 'connected') this.#report(transport).catch(() => {});
    });
    transport.on('produce', ({ kind, rtpParameters, appData }, done, failed) => {
      const track = { streamId: String(appData.streamId), kind, rtpParameters: rtpParameters as never };
      this.request('produce', track).then(({ producerId }) => done({ id: producerId }), failed);
    });
    return transport;
  }

  /** Tells the server what this end says of the transport. */
  async #report(transport: types.Transport): Promise<void> {
    const reports = [...(await transport.getStats()).values()];
    const own = reports.find((each) => each.type === 'transport');
    const suite = suiteOf(String(own?.srtpCipher ?? 'unknown'));
    await this.request('reportSuite', { transportId: transport.id, suite, dtlsVersion: own?.tlsVersion ?? null });
  }

  async #consume(streamId: string, offers: readonly ConsumerOffer[]): Promise<void> {
    if (offers.length === 0) return;
    const transport = await this.#transport('receive');
    for (const offer of offers) {
      const consumer = await transport.consume({
        id: offer.consumerId,
        producerId: offer.producerId,
        kind: offer.kind,
        rtpParameters: offer.rtpParameters as types.RtpParameters,
      });
      if (offer.kind === 'audio') this.#listen(streamId, consumer.track);
    }
    await this.request('resumeSubscription', { streamId });
  }

  #listen(streamId: string, track: MediaStreamTrack): void {
    const sink = new wrtc.nonstandard.RTCAudioSink(track);
    const stop = () => sink.stop();
    this.#subscriptions.set(streamId, [...(this.#subscriptions.get(streamId) ?? []), { stop }]);
    sink.ondata = ({ samples }: { samples: Int16Array }) => {
      if (!samples.some((sample) => Math.abs(sample) > AUDIBLE)) return;
      sink.ondata = null;
      this.heard.push({ streamId, at: performance.now() });
    };
  }
}
