/**
 * Inside the page: a member of a room of Janus's VideoRoom plugin, by the browser's peer connections. Janus is made the
 * DTLS server on every leg, as ours is, and then it chooses AES-256-GCM: a publisher offers `a=setup:active`, and to
 * subscribers Janus makes the offer.
 */
import type { Place } from './load-page.ts';

/** What both sides' members can do. */
export interface Joined {
  /** → what others subscribe by. */
  publish(track: MediaStreamTrack, encoding: RTCRtpEncodingParameters): Promise<string>;
  /** Over one peer connection. */
  subscribe(streams: string[]): Promise<void>;
}

interface Message {
  readonly janus: string;
  readonly transaction?: string;
  readonly sender?: number;
  readonly data?: { id: number };
  readonly error?: { code: number; reason: string };
  readonly plugindata?: { data: Record<string, unknown> };
  readonly jsep?: RTCSessionDescriptionInit;
}

class Member implements Joined {
  readonly #socket: WebSocket;
  readonly #room: number;
  readonly #waiting = new Map<string, (message: Message) => void>();
  #session = 0;
  #count = 0;

  constructor(socket: WebSocket, room: number) {
    this.#socket = socket;
    this.#room = room;
    socket.addEventListener('message', ({ data }) => {
      const message = JSON.parse(data) as Message;
      // An `ack` says that the answer comes later, as an event.
      if (message.janus !== 'ack') this.#waiting.get(message.transaction ?? '')?.(message);
    });
  }

  async open(): Promise<void> {
    this.#session = (await this.#ask({ janus: 'create' })).data?.id ?? 0;
  }

  async publish(track: MediaStreamTrack, encoding: RTCRtpEncodingParameters): Promise<string> {
    const handle = await this.#attach();
    const joined = await this.#plugin(handle, { request: 'join', ptype: 'publisher', room: this.#room });
    const peer = new RTCPeerConnection();
    peer.addTransceiver(track, { direction: 'sendonly', sendEncodings: [encoding] });
    const offer = await peer.createOffer();
    await peer.setLocalDescription(offer);
    await gathered(peer);
    const jsep = { type: 'offer', sdp: peer.localDescription?.sdp.replaceAll('a=setup:actpass', 'a=setup:active') };
    const answer = await this.#plugin(handle, { request: 'publish' }, jsep as RTCSessionDescriptionInit);
    if (!answer.jsep) throw new Error(`no answer: ${JSON.stringify(answer)}`);
    await peer.setRemoteDescription(answer.jsep);
    await connected(peer);
    return String(joined.plugindata?.data.id);
  }

  async subscribe(streams: string[]): Promise<void> {
    const handle = await this.#attach();
    const wanted = streams.map((feed) => ({ feed: Number(feed) }));
    const join = { request: 'join', ptype: 'subscriber', room: this.#room, streams: wanted };
    const { jsep } = await this.#plugin(handle, join);
    if (!jsep) throw new Error('Janus made no offer');
    const peer = new RTCPeerConnection();
    await peer.setRemoteDescription(jsep);
    await peer.setLocalDescription(await peer.createAnswer());
    await gathered(peer);
    await this.#plugin(handle, { request: 'start' }, peer.localDescription?.toJSON());
    await connected(peer);
  }

  async #attach(): Promise<number> {
    return (await this.#ask({ janus: 'attach', plugin: 'janus.plugin.videoroom' })).data?.id ?? 0;
  }

  async #plugin(handle: number, body: object, jsep?: RTCSessionDescriptionInit): Promise<Message> {
    const answer = await this.#ask({ janus: 'message', handle_id: handle, body, ...(jsep ? { jsep } : {}) });
    if (answer.plugindata?.data.error) throw new Error(`Janus: ${JSON.stringify(answer.plugindata.data)}`);
    return answer;
  }

  async #ask(message: object): Promise<Message> {
    const transaction = String(++this.#count);
    const answered = new Promise<Message>((resolve) => this.#waiting.set(transaction, resolve));
    this.#socket.send(JSON.stringify({ ...message, session_id: this.#session || undefined, transaction }));
    const answer = await answered;
    this.#waiting.delete(transaction);
    if (answer.janus === 'error') throw new Error(`Janus: ${JSON.stringify(answer)}`);
    return answer;
  }
}

/** Janus is told all candidates at once. */
async function gathered(peer: RTCPeerConnection): Promise<void> {
  while (peer.iceGatheringState !== 'complete') await changed(peer, 'icegatheringstatechange');
}

async function connected(peer: RTCPeerConnection): Promise<void> {
  while (peer.connectionState !== 'connected') {
    if (peer.connectionState === 'failed') throw new Error('the peer connection failed');
    await changed(peer, 'connectionstatechange');
  }
}

function changed(peer: RTCPeerConnection, event: string): Promise<void> {
  return new Promise((resolve) => peer.addEventListener(event, () => resolve(), { once: true }));
}

export async function joinJanus({ url, room }: Extract<Place, { kind: 'janus' }>): Promise<Joined> {
  const socket = new WebSocket(url, 'janus-protocol');
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve(), { once: true });
    socket.addEventListener('error', () => reject(new Error(`no WebSocket to ${url}`)), { once: true });
  });
  const member = new Member(socket, room);
  await member.open();
  return member;
}
