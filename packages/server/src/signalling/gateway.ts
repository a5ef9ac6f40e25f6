/** Takes WebSockets, reads frames, and hands them to the channel of their connection. Rubbish is told and dropped. */
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  asPlatformError,
  type ClientFrame,
  clientFrame,
  limits,
  PlatformError,
  signallingVersion,
} from '@cloister/protocol';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Core, RateLimiter } from '../core/index.ts';
import type { Cancel } from '../lib/index.ts';
import { Channel } from './channel.ts';

/** Path of the WebSocket. */
export const signallingPath = '/cloister/v1/signalling';

export interface GatewayDeps {
  readonly core: Core;
  readonly limiter: RateLimiter;
  /** Address of the client, for rate limits only. */
  clientAddress(request: IncomingMessage): string;
}

/** How often silent sockets are looked for. */
const patrolMs = 1000;

export class Gateway {
  readonly #deps: GatewayDeps;
  // Pings are answered below, where they are counted.
  readonly #wss = new WebSocketServer({
    noServer: true,
    maxPayload: limits.frameBytes,
    perMessageDeflate: false,
    autoPong: false,
  });
  readonly #channels = new Map<string, Channel>();
  readonly #sockets = new Map<Channel, WebSocket>();
  #patrol: Cancel = () => {};

  constructor(deps: GatewayDeps) {
    this.#deps = deps;
    this.#schedule();
  }

  /** Answers WebSocket upgrades on this HTTP server. */
  attach(server: Server): void {
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /** Stops taking sockets and drops those that remain; `core` has sent its goodbyes before. */
  close(): void {
    this.#patrol();
    for (const socket of this.#wss.clients) socket.terminate();
    this.#wss.close();
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Node hands the socket over without a listener, and an error without one ends the process.
    socket.on('error', () => socket.destroy());
    const refuse = (line: string) => {
      // An HTTP server allows half-open sockets, so one that is only ended stays as long as its peer likes.
      socket.once('finish', () => socket.destroy());
      socket.end(`HTTP/1.1 ${line}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    };
    if (!this.#deps.limiter.take('join', this.#deps.clientAddress(request)).ok)
      return void refuse('429 Too Many Requests');
    if (request.url?.split('?')[0] !== signallingPath) return void refuse('404 Not Found');
    this.#wss.handleUpgrade(request, socket, head, (ws) => this.#greet(ws));
  }

  /** Waits for the first frame: `hello` or `resume`. */
  #greet(ws: WebSocket): void {
    const tooLate = this.#deps.core.clock.after(limits.helloSeconds * 1000, () => {
      refuseSocket(ws, new PlatformError('FrameInvalid', { why: `no hello within ${limits.helloSeconds} s` }));
    });
    ws.on('error', () => ws.terminate());
    ws.once('close', tooLate);
    ws.once('message', (data, binary) => {
      tooLate();
      this.#begin(ws, readFrame(data, binary)).catch((thrown: unknown) => this.#turnAway(ws, thrown));
    });
  }

  async #begin(ws: WebSocket, frame: ClientFrame | PlatformError): Promise<void> {
    if (frame instanceof PlatformError) throw frame;
    if (frame.type !== 'hello' && frame.type !== 'resume') {
      throw new PlatformError('FrameInvalid', { why: `the first frame must be hello or resume, not ${frame.type}` });
    }
    if (frame.version !== signallingVersion) {
      throw new PlatformError('FrameInvalid', {
        why: `version ${frame.version} is not spoken here, ${signallingVersion} is`,
      });
    }
    if (frame.type === 'resume') {
      const channel = this.#resumable(frame.connectionId, frame.resumeKey);
      // A refusal leaves the socket that the channel has as it is.
      channel.resume(ws, frame.lastSeq);
      this.#listen(ws, channel);
      return;
    }
    const { clock, ids, journal, calls } = this.#deps.core;
    const channel = new Channel(ids.token(24), {
      clock,
      journal,
      limiter: this.#deps.limiter,
      onEnd: (ended) => this.#forget(ended),
    });
    const early: (() => void)[] = [];
    const gone = () => early.push(() => channel.detach(ws, true));
    ws.once('close', gone);
    const client = await calls.admit(frame.ticket, channel, { frames: frame.frames });
    ws.off('close', gone);
    this.#channels.set(client.connectionId, channel);
    this.#listen(ws, channel);
    channel.open(client, ws);
    for (const late of early) late();
  }

  #listen(ws: WebSocket, channel: Channel): void {
    this.#sockets.set(channel, ws);
    const hear = (handle: () => void) => {
      if (this.#sockets.get(channel) !== ws) return;
      try {
        channel.heard();
        handle();
      } catch (thrown) {
        channel.drop(asPlatformError(thrown));
      }
    };
    ws.on('message', (data, binary) => hear(() => channel.take(readFrame(data, binary))));
    ws.on('ping', (data) => hear(() => ws.pong(data)));
    // A browser answers pings also where it lets the page's own timers sleep.
    ws.on('pong', () => hear(() => {}));
    ws.on('close', (code) => channel.detach(ws, code === 1000 || code === 1001));
  }

  #resumable(connectionId: string, resumeKey: string): Channel {
    const channel = this.#channels.get(connectionId);
    const given = Buffer.from(resumeKey);
    const kept = Buffer.from(channel?.resumeKey ?? '');
    if (!channel || given.length !== kept.length || !timingSafeEqual(given, kept)) {
      throw new PlatformError('ResumeRefused', { why: 'there is no such connection to resume' });
    }
    return channel;
  }

  #turnAway(ws: WebSocket, thrown: unknown): void {
    const error = asPlatformError(thrown);
    if (error.code === 'Internal') {
      const cause = error.cause;
      this.#deps.core.journal.record('error', 'a client could not be admitted', {
        error: cause instanceof Error ? cause.message : 'unknown',
        stack: cause instanceof Error ? (cause.stack ?? null) : null,
      });
    }
    refuseSocket(ws, error);
  }

  #forget(channel: Channel): void {
    if (channel.connectionId !== null) this.#channels.delete(channel.connectionId);
    this.#sockets.delete(channel);
  }

  #schedule(): void {
    this.#patrol = this.#deps.core.clock.after(patrolMs, () => {
      for (const [channel, ws] of this.#sockets) {
        if (channel.silent) ws.terminate();
        else if (channel.quiet) ws.ping();
      }
      this.#schedule();
    });
  }
}

/** One frame as JSON text → checked, or the refusal. Never throws. */
export function readFrame(data: unknown, binary: boolean): ClientFrame | PlatformError {
  if (binary) return new PlatformError('FrameInvalid', { why: 'frames are text' });
  let json: unknown;
  try {
    json = JSON.parse(String(data));
  } catch {
    return new PlatformError('FrameInvalid', { why: 'it is not JSON' });
  }
  const parsed = clientFrame.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  return new PlatformError('FrameInvalid', { why: `${issue.path.join('.') || 'type'}: ${issue.message}` });
}

function refuseSocket(ws: WebSocket, error: PlatformError): void {
  if (ws.readyState !== ws.OPEN) return;
  ws.send(JSON.stringify({ type: 'close', epoch: 1, reason: 'refused', error: error.toBody() }));
  ws.close(1008);
}
