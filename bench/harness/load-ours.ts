/** Inside the page: a member of a session of ours, by mediasoup-client over our signalling. */
import {
  type Answer,
  type JoinAnswer,
  type RequestData,
  type RequestName,
  signallingVersion,
} from '@cloister/protocol';
import { Device, type types } from 'mediasoup-client';
import type { Joined } from './load-janus.ts';
import type { Place } from './load-page.ts';

type Direction = 'send' | 'receive';
interface Frame {
  readonly type: string;
  readonly id: number;
  readonly seq: number;
  readonly event: string;
  readonly data: Record<string, unknown>;
  readonly error?: { code: string; message: string };
}

class Member implements Joined {
  readonly #socket: WebSocket;
  readonly #device: types.Device;
  readonly #answers = new Map<number, (frame: Frame) => void>();
  readonly #allowed = new Map<string, () => void>();
  readonly #transports = new Map<Direction, Promise<types.Transport>>();
  #lastRequest = 0;

  constructor(socket: WebSocket, device: types.Device, heartbeatSeconds: number) {
    this.#socket = socket;
    this.#device = device;
    setInterval(() => this.#send({ type: 'ping' }), heartbeatSeconds * 1000);
    socket.addEventListener('message', ({ data }) => this.#frame(JSON.parse(data)));
  }

  async publish(track: MediaStreamTrack, encoding: RTCRtpEncodingParameters): Promise<string> {
    const { width = 0, height = 0 } = track.getSettings();
    const { stream } = await this.#request('publish', {
      videoType: 'camera',
      hasAudio: false,
      hasVideo: true,
      videoDimensions: { width, height },
      audioFallback: false,
    });
    const allowed = new Promise<void>((resolve) => this.#allowed.set(stream.streamId, resolve));
    const transport = await this.#transport('send');
    await transport.produce({ track, encodings: [encoding], appData: { streamId: stream.streamId } });
    await allowed;
    return stream.streamId;
  }

  async subscribe(streams: string[]): Promise<void> {
    const transport = await this.#transport('receive');
    await Promise.all(streams.map((streamId) => this.#consume(transport, streamId)));
  }

  async #consume(transport: types.Transport, streamId: string): Promise<void> {
    const rtpCapabilities = this.#device.rtpCapabilities as never;
    const { consumers } = await this.#request('subscribe', { streamId, rtpCapabilities });
    for (const { consumerId, producerId, kind, rtpParameters } of consumers) {
      await transport.consume({ id: consumerId, producerId, kind, rtpParameters: rtpParameters as never });
    }
    await this.#request('resumeSubscription', { streamId });
  }

  #transport(direction: Direction): Promise<types.Transport> {
    const made = this.#transports.get(direction) ?? this.#open(direction);
    this.#transports.set(direction, made);
    return made;
  }

  async #open(direction: Direction): Promise<types.Transport> {
    const { transportId, ...offer } = await this.#request('openTransport', { direction });
    const options = { ...offer, id: transportId } as unknown as types.TransportOptions;
    const device = this.#device;
    const transport = direction === 'send' ? device.createSendTransport(options) : device.createRecvTransport(options);
    transport.on('connect', ({ dtlsParameters }, done, failed) => {
      this.#request('connectTransport', { transportId, dtlsParameters }).then(() => done(), failed);
    });
    transport.on('produce', ({ kind, rtpParameters, appData }, done, failed) => {
      const track = { streamId: String(appData.streamId), kind, rtpParameters: rtpParameters as never };
      this.#request('produce', track).then(({ producerId }) => done({ id: producerId }), failed);
    });
    return transport;
  }

  async #request<Name extends RequestName>(method: Name, data: RequestData<Name>): Promise<Answer<Name>> {
    const id = ++this.#lastRequest;
    const answered = new Promise<Frame>((resolve) => this.#answers.set(id, resolve));
    this.#send({ type: 'request', id, method, data });
    const { data: answer, error } = await answered;
    if (error) throw new Error(`${method}: ${error.code}: ${error.message}`);
    return answer as Answer<Name>;
  }

  #frame(frame: Frame): void {
    if (frame.type === 'answer') {
      this.#answers.get(frame.id)?.(frame);
      this.#answers.delete(frame.id);
    } else if (frame.type === 'event') {
      this.#send({ type: 'ack', seq: frame.seq, answered: this.#lastRequest - this.#answers.size });
      const { streamId, state } = frame.data;
      if (frame.event === 'leg' && state === 'allowed') this.#allowed.get(String(streamId))?.();
    }
  }

  #send(frame: object): void {
    this.#socket.send(JSON.stringify(frame));
  }
}

export async function joinOurs({ url, apiKey, sessionId, token }: Extract<Place, { kind: 'ours' }>): Promise<Joined> {
  const answer = await fetch(`${url}/cloister/v1/join`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ apiKey, sessionId, token }),
  });
  if (!answer.ok) throw new Error(`join answered ${answer.status}: ${await answer.text()}`);
  const { signallingUrl, ticket } = (await answer.json()) as JoinAnswer;
  const socket = new WebSocket(signallingUrl);
  socket.addEventListener('open', () => {
    socket.send(JSON.stringify({ type: 'hello', version: signallingVersion, ticket }));
  });
  const welcome = await new Promise<Record<string, never>>((resolve, reject) => {
    socket.addEventListener('message', ({ data }) => resolve(JSON.parse(data)), { once: true });
    socket.addEventListener('error', () => reject(new Error(`no WebSocket to ${signallingUrl}`)), { once: true });
  });
  if (String(welcome.type) !== 'welcome') throw new Error(`instead of a welcome: ${JSON.stringify(welcome)}`);
  const device = await Device.factory();
  await device.load({ routerRtpCapabilities: welcome.rtpCapabilities as never });
  return new Member(socket, device, Number(welcome.heartbeatSeconds));
}
