/**
 * A way to the server on which somebody reads and changes what two clients of a relayed session say to each other. All
 * else goes through as it is.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PeerMessage, ServerFrame } from '@cloister/protocol';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { FrameAgreeing, type FrameAgreement, type FrameEnd } from '../../packages/client/src/frames/agreement.ts';
import { fromBase64Url, toBase64Url } from '../../packages/client/src/frames/base64url.ts';
import { FrameOpener } from '../../packages/client/src/frames/seal-frames.ts';
import { FrameKey } from '../../packages/client/src/frames/sframe.ts';
import { atEnd } from './cleanup.ts';

/** What one client says to another; both are connection ids. */
export interface Said {
  readonly from: string;
  readonly to: string;
  readonly message: PeerMessage;
}

/** What the other is told instead. */
export type Meddle = (said: Said) => PeerMessage | Promise<PeerMessage>;

/** Codes with which an end may close a WebSocket (RFC 6455, section 7.4). */
const isSayable = (code: number) => code === 1000 || code >= 3000;

export class MeddledLine {
  readonly port: number;
  readonly #sockets = new WebSocketServer({ noServer: true });
  #target = 0;
  /** Of those who say something from now on. */
  meddle: Meddle = ({ message }) => message;

  /** Listens on a free port of loopback; `lead` says where to. */
  static async open(): Promise<MeddledLine> {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new MeddledLine(server);
  }

  private constructor(server: Server) {
    this.port = (server.address() as AddressInfo).port;
    server.unref();
    server.on('request', (asked, answer) => this.#pass(asked, answer));
    server.on('upgrade', (asked, socket, head) =>
      this.#sockets.handleUpgrade(asked, socket, head, (near) => this.#join(near, asked)),
    );
    atEnd(() => server.closeAllConnections());
  }

  /** Where the line leads: a port of loopback. */
  lead(port: number): void {
    this.#target = port;
  }

  #pass(asked: IncomingMessage, answer: ServerResponse): void {
    const { url: path, method, headers } = asked;
    const passed = request({ host: '127.0.0.1', port: this.#target, path, method, headers });
    passed.on('response', (got) => {
      answer.writeHead(got.statusCode ?? 502, got.headers);
      got.pipe(answer);
    });
    passed.on('error', () => answer.destroy());
    asked.pipe(passed);
  }

  #join(near: WebSocket, { url, headers: { origin } }: IncomingMessage): void {
    const far = new WebSocket(`ws://127.0.0.1:${this.#target}${url}`, origin ? { origin } : {});
    const opened = once(far, 'open');
    opened.catch(() => near.terminate());
    let who = '';
    // What is said stays in its order, however long it takes to change it.
    let saying: Promise<unknown> = opened;
    near.on('message', (data: RawData) => {
      saying = saying.then(async () => far.send(await this.#changed(who, String(data))));
      saying.catch(() => near.terminate());
    });
    far.on('message', (data: RawData) => {
      const frame = JSON.parse(String(data)) as ServerFrame;
      if (frame.type === 'welcome') who = frame.connection.connectionId;
      near.send(String(data));
    });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => one.terminate());
      one.on('close', (code) => (isSayable(code) ? other.close(code) : other.terminate()));
    }
  }

  async #changed(from: string, text: string): Promise<string> {
    const frame = JSON.parse(text) as { method?: string; data: { connectionId: string; message: PeerMessage } };
    if (frame.method !== 'peerMessage') return text;
    const { connectionId: to, message } = frame.data;
    return JSON.stringify({ ...frame, data: { connectionId: to, message: await this.meddle({ from, to, message }) } });
  }
}

/**
 * Stands between two clients: agrees on keys with each of them in the other's name, with the client's own code. Has no
 * secret of theirs, and leaves DTLS alone.
 */
export class Impostor {
  readonly #sessionId: string;
  /** By the client: what it said of itself, and who poses as it towards the other. */
  readonly #ends = new Map<string, { said: FrameEnd; posing: FrameAgreeing }>();
  /** By the client that was deceived. */
  readonly #agreed = new Map<string, FrameAgreement & { build: number }>();

  constructor(sessionId: string) {
    this.#sessionId = sessionId;
  }

  /** Reads the sealed frames of a client, in their order. @returns those that open. @throws when nothing was agreed on with it */
  async read(connectionId: string, frames: readonly Uint8Array<ArrayBuffer>[]): Promise<Buffer[]> {
    const agreed = this.#agreed.get(connectionId);
    if (!agreed) throw new Error(`nothing was agreed on with ${connectionId}`);
    const opener = new FrameOpener();
    opener.add(await FrameKey.derive(agreed.receiving, BigInt(agreed.build)));
    const read: Buffer[] = [];
    for (const frame of frames) {
      const tries = await Promise.allSettled((['vp8', 'opus'] as const).map((codec) => opener.open(codec, 1, frame)));
      for (const each of tries) if (each.status === 'fulfilled') read.push(Buffer.from(each.value));
    }
    return read;
  }

  readonly meddle: Meddle = async ({ from, to, message }) => {
    if (message.kind === 'frameKey' && message.publicKey !== null) {
      const { fingerprint, publicKey } = message;
      const said = { connectionId: from, fingerprint, publicKey: fromBase64Url(publicKey) };
      const posing = await FrameAgreeing.begin(from, fingerprint);
      this.#ends.set(from, { said, posing });
      return { ...message, publicKey: toBase64Url(posing.end.publicKey) };
    }
    if (message.kind === 'frameProof') {
      // It comes behind the keys of both.
      const [own, other] = [this.#ends.get(from), this.#ends.get(to)];
      if (!own || !other) throw new Error('a proof came before the keys that it is of');
      const agreed = await own.posing.with({ sessionId: this.#sessionId, other: other.said, secret: null });
      this.#agreed.set(to, { ...agreed, build: message.build });
      return { ...message, proof: toBase64Url(agreed.proof) };
    }
    return message;
  };
}
