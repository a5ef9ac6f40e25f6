/**
 * The signalling WebSocket: numbered requests and their answers, events in order, heartbeats, and coming back after a
 * cut of the network.
 *
 * Invariants: a request is answered once, whatever happens in between (it is sent again under its number after a cut,
 * and the server does not do it twice); an event is handed over once, in the order of its number, with no gap.
 */
import type {
  Answer,
  ClientFrame,
  ErrorBody,
  EventData,
  EventName,
  RequestData,
  RequestName,
  ServerFrame,
} from '@cloister/protocol';
import { limits } from '@cloister/protocol/limits';
import type { Clock } from './clock.ts';
import { errorFromBody, OtError } from './errors.ts';
import { log } from './log.ts';

/** The part of WebSocket that is used; tests fill it with a fake. */
export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((message: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

export type Welcome = Extract<ServerFrame, { type: 'welcome' }>;
type CloseFrame = Extract<ServerFrame, { type: 'close' }>;
export type CloseReason = CloseFrame['reason'];

/** Who is told. Called in order, never after `closed`. */
export interface WireObserver {
  event<Name extends EventName>(name: Name, data: EventData<Name>): void;
  /** The network was cut; coming back is being tried. */
  down(): void;
  /** Back in the same session; nothing was lost. */
  up(): void;
  /** For good. `error` says why when the server did. */
  closed(reason: CloseReason, error: OtError | null): void;
}

interface Pending {
  readonly id: number;
  readonly method: RequestName;
  readonly data: unknown;
  sent: boolean;
  resolve(data: unknown): void;
  reject(error: OtError): void;
}

const signallingVersion = 1;
const firstRetryMs = 250;
const longestRetryMs = 4000;
const ackDelayMs = 50;
const ackEvery = 32;
const rivalAfterMs = 100;
const rivalAgainMs = 250;
const probeMs = 2000;
/** RFC 6455, section 7.4.1: nobody will come back. Without a code the server waits for that. */
const goodbye = 1000;

export class Wire {
  readonly #url: string;
  readonly #openSocket: (url: string) => Socket;
  readonly #clock: Clock;
  readonly #observer: WireObserver;

  #state: 'new' | 'opening' | 'up' | 'down' | 'closed' = 'new';
  #socket: Socket | null = null;
  #resume: { connectionId: string; resumeKey: string; seconds: number } | null = null;
  #heartbeatMs: number = limits.heartbeatSeconds * 1000;
  #epoch = 0;

  #nextId = 1;
  /** In the order of their numbers; those past `requestsInFlight` wait unsent. */
  readonly #pending = new Map<number, Pending>();
  #inFlight = 0;
  #answeredTo = 0;
  readonly #answeredAhead = new Set<number>();

  #lastSeq = 0;
  #ackedSeq = 0;
  #ackedAnswers = 0;
  #cancelAck: (() => void) | null = null;

  #heardAt = 0;
  #cutAt = 0;
  #attempt = 0;
  #cancelBeat: (() => void) | null = null;
  #cancelTry: (() => void) | null = null;
  /** While it is in doubt whether the server hears: a socket that may take the place of the one there is. */
  #rival: Socket | null = null;
  #cancelDoubt: (() => void)[] = [];
  #opened: { resolve(welcome: Welcome): void; reject(error: OtError): void } | null = null;

  /** `deps.url` is absolute, `ws:` or `wss:`. Nothing is opened until `open`. */
  constructor(deps: { url: string; openSocket(url: string): Socket; clock: Clock; observer: WireObserver }) {
    this.#url = deps.url;
    this.#openSocket = deps.openSocket;
    this.#clock = deps.clock;
    this.#observer = deps.observer;
  }

  /** The epoch of the session's home, as the last frame of the server had it. */
  get epoch(): number {
    return this.#epoch;
  }

  get up(): boolean {
    return this.#state === 'up';
  }

  /**
   * Opens the socket and shows the ticket, which is good for one use. Rejects with an `OtError`.
   * @param frames whether this client can encrypt frames towards others
   */
  open(ticket: string, frames = false): Promise<Welcome> {
    this.#state = 'opening';
    return new Promise((resolve, reject) => {
      this.#opened = { resolve, reject };
      this.#cancelTry = this.#clock.after(limits.helloSeconds * 1000, () =>
        this.#end('refused', new OtError('OT_CONNECT_FAILED', 'The media node did not answer in time; connect again')),
      );
      this.#attach({ type: 'hello', version: signallingVersion, ticket, frames });
    });
  }

  /**
   * Sends a request; resolves with its answer, rejects with an `OtError`. While the network is cut it waits for its
   * return, unless `whileDown` is `refuse`.
   */
  request<Name extends RequestName>(
    method: Name,
    data: RequestData<Name>,
    options: { whileDown?: 'wait' | 'refuse' } = {},
  ): Promise<Answer<Name>> {
    if (this.#state === 'closed' || this.#state === 'new') return Promise.reject(notConnected());
    if (this.#state === 'down' && options.whileDown === 'refuse') return Promise.reject(notConnected());
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      const settle = resolve as (data: unknown) => void;
      this.#pending.set(id, { id, method, data, sent: false, resolve: settle, reject });
      this.#pump();
    });
  }

  /** Leaves for good: tells the server, and closes without waiting for long. */
  close(reason: CloseReason = 'clientDisconnected'): void {
    if (this.#state === 'up') {
      const id = this.#nextId++;
      this.#send({ type: 'request', id, method: 'disconnect', data: {} });
    }
    this.#end(reason, null);
  }

  /**
   * The way to the server may be gone: asks for a sign of life, or tries to come back at once. Where the sign does not
   * come soon, another socket is opened beside; if it opens before anything is heard, it leads where the old one does not.
   */
  nudge(): void {
    if (this.#state === 'down') {
      this.#attempt = 0;
      this.#try();
    } else if (this.#state === 'up' && this.#cancelDoubt.length === 0) {
      this.#send({ type: 'ping' });
      this.#doubt(probeMs, () => this.#cut());
      this.#doubt(rivalAfterMs, () => this.#challenge());
    }
  }

  #doubt(ms: number, task: () => void): void {
    this.#cancelDoubt.push(this.#clock.after(ms, task));
  }

  #challenge(): void {
    const rival = this.#openSocket(this.#url);
    this.#rival = rival;
    rival.onopen = () => {
      this.#rival = null;
      this.#cut(rival);
    };
    rival.onclose = () => {
      this.#rival = null;
      this.#doubt(rivalAgainMs, () => this.#challenge());
    };
  }

  /** The server was heard, or is given up. */
  #endDoubt(): void {
    for (const cancel of this.#cancelDoubt) cancel();
    this.#cancelDoubt = [];
    const rival = this.#rival;
    this.#rival = null;
    if (rival) discard(rival);
  }

  // --------------------------------------------------------------------------------------------------------- sockets

  #attach(greeting: ClientFrame, open?: Socket): void {
    const socket = open ?? this.#openSocket(this.#url);
    this.#socket = socket;
    const greet = () => socket.send(JSON.stringify(greeting));
    if (open) greet();
    else socket.onopen = greet;
    socket.onmessage = ({ data }) => {
      if (this.#socket === socket) this.#read(String(data));
    };
    socket.onclose = () => {
      if (this.#socket === socket) this.#lost();
    };
  }

  #detach(code?: number): void {
    const socket = this.#socket;
    this.#socket = null;
    if (socket) discard(socket, code);
  }

  #lost(): void {
    if (this.#state === 'opening') {
      this.#end(
        'refused',
        new OtError('OT_CONNECT_FAILED', 'The media node closed the signalling connection; connect again'),
      );
    } else if (this.#state === 'up') this.#cut();
    else if (this.#state === 'down') this.#retry();
  }

  /** @param open a socket that is open already, to come back by */
  #cut(open?: Socket): void {
    this.#state = 'down';
    this.#cutAt = this.#clock.now();
    this.#attempt = 0;
    this.#stopTimers();
    this.#detach();
    for (const pending of this.#pending.values()) pending.sent = false;
    this.#inFlight = 0;
    this.#observer.down();
    if (this.#state === 'down') this.#try(open);
    else if (open) discard(open);
  }

  #try(open?: Socket): void {
    this.#cancelTry?.();
    this.#detach();
    const resume = this.#resume;
    if (!resume || this.#clock.now() - this.#cutAt >= resume.seconds * 1000) {
      this.#giveUp();
      return;
    }
    // An attempt that hangs is given up for the next one.
    this.#cancelTry = this.#clock.after(limits.helloSeconds * 1000, () => this.#retry());
    const { connectionId, resumeKey } = resume;
    this.#attach({ type: 'resume', version: signallingVersion, connectionId, resumeKey, lastSeq: this.#lastSeq }, open);
  }

  /** Exponential back-off with full jitter below half, so that a node that comes back is not stormed. */
  #retry(): void {
    this.#cancelTry?.();
    this.#detach();
    const resume = this.#resume;
    const left = resume ? this.#cutAt + resume.seconds * 1000 - this.#clock.now() : 0;
    if (left <= 0) {
      this.#giveUp();
      return;
    }
    const step = Math.min(longestRetryMs, firstRetryMs * 2 ** this.#attempt++);
    const wait = Math.min(left, step / 2 + (this.#clock.random() * step) / 2);
    this.#cancelTry = this.#clock.after(wait, () => this.#try());
  }

  #giveUp(): void {
    this.#end('networkDisconnected', null);
  }

  #stopTimers(): void {
    this.#endDoubt();
    this.#cancelBeat?.();
    this.#cancelTry?.();
    this.#cancelAck?.();
    this.#cancelBeat = null;
    this.#cancelTry = null;
    this.#cancelAck = null;
  }

  #end(reason: CloseReason, error: OtError | null): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#stopTimers();
    this.#detach(goodbye);
    const opened = this.#opened;
    this.#opened = null;
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of waiting) reject(error ?? new OtError('OT_DISCONNECTED', 'The session was disconnected'));
    if (opened) opened.reject(error ?? notConnected());
    else this.#observer.closed(reason, error);
  }

  // ---------------------------------------------------------------------------------------------------------- frames

  #send(frame: ClientFrame): void {
    this.#socket?.send(JSON.stringify(frame));
  }

  #pump(): void {
    if (this.#state !== 'up') return;
    for (const pending of this.#pending.values()) {
      if (this.#inFlight >= limits.requestsInFlight) return;
      if (pending.sent) continue;
      pending.sent = true;
      this.#inFlight++;
      this.#send({ type: 'request', id: pending.id, method: pending.method, data: pending.data });
    }
  }

  #read(text: string): void {
    const frame = parse(text);
    if (!frame) return;
    this.#heardAt = this.#clock.now();
    this.#endDoubt();
    this.#epoch = frame.epoch;
    switch (frame.type) {
      case 'welcome':
        this.#welcomed(frame);
        break;
      case 'resumed':
        this.#resumed();
        break;
      case 'answer':
        this.#answered(frame.id, frame.data, frame.error);
        break;
      case 'event':
        this.#happened(frame.seq, frame.event, frame.data);
        break;
      case 'close':
        this.#end(frame.reason, frame.error ? errorFromBody(frame.error, 'OT_CONNECT_FAILED') : null);
        break;
      case 'pong':
    }
  }

  #welcomed(frame: Welcome): void {
    if (this.#state !== 'opening') return;
    const { resumeKey, resumeSeconds, heartbeatSeconds } = frame;
    this.#resume = { connectionId: frame.connection.connectionId, resumeKey, seconds: resumeSeconds };
    this.#heartbeatMs = heartbeatSeconds * 1000;
    this.#nowUp();
    const opened = this.#opened;
    this.#opened = null;
    opened?.resolve(frame);
  }

  #resumed(): void {
    if (this.#state !== 'down') return;
    this.#nowUp();
    this.#observer.up();
  }

  #nowUp(): void {
    this.#cancelTry?.();
    this.#cancelTry = null;
    this.#state = 'up';
    this.#heardAt = this.#clock.now();
    this.#beat();
    this.#pump();
  }

  /**
   * Browsers hold back the timers of a page that nobody looks at, down to one a minute, and none runs while the machine
   * sleeps. What was not asked for meanwhile could not be heard: such silence is no sign of a cut, and is asked about.
   */
  #beat(): void {
    const due = this.#clock.now() + this.#heartbeatMs;
    this.#cancelBeat = this.#clock.after(this.#heartbeatMs, () => {
      const now = this.#clock.now();
      const [silent, late] = [now - this.#heardAt, now - due];
      const missed = limits.heartbeatMissedSeconds * 1000;
      if (silent - late > missed) return this.#cut();
      this.#beat();
      if (silent > missed) this.nudge();
      else this.#send({ type: 'ping' });
    });
  }

  #answered(id: number, data: unknown, error: (Omit<ErrorBody, 'code'> & { code: string }) | undefined): void {
    this.#answeredAhead.add(id);
    while (this.#answeredAhead.delete(this.#answeredTo + 1)) this.#answeredTo++;
    this.#ackSoon();
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    if (pending.sent) this.#inFlight--;
    if (error) pending.reject(errorFromBody(error, 'OT_UNEXPECTED_SERVER_RESPONSE'));
    else pending.resolve(data ?? {});
    this.#pump();
  }

  #happened(seq: number, event: string, data: unknown): void {
    if (seq <= this.#lastSeq) return;
    // A gap cannot be filled from here; the server keeps what was not acknowledged and sends it again on resume.
    if (seq > this.#lastSeq + 1) {
      this.#cut();
      return;
    }
    this.#lastSeq = seq;
    this.#ackSoon();
    try {
      this.#observer.event(event as EventName, data as EventData<EventName>);
    } catch (error) {
      log.error(`The event ${event} could not be handled`, error);
    }
  }

  #ackSoon(): void {
    const owed = this.#lastSeq - this.#ackedSeq + (this.#answeredTo - this.#ackedAnswers);
    if (owed >= ackEvery) this.#ack();
    else this.#cancelAck ??= this.#clock.after(ackDelayMs, () => this.#ack());
  }

  #ack(): void {
    this.#cancelAck?.();
    this.#cancelAck = null;
    if (this.#state !== 'up') return;
    this.#ackedSeq = this.#lastSeq;
    this.#ackedAnswers = this.#answeredTo;
    this.#send({ type: 'ack', seq: this.#ackedSeq, answered: this.#ackedAnswers });
  }
}

function discard(socket: Socket, code?: number): void {
  socket.onopen = null;
  socket.onmessage = null;
  socket.onclose = null;
  try {
    socket.close(code);
  } catch (error) {
    log.debug('The socket did not close', error);
  }
}

function parse(text: string): ServerFrame | null {
  try {
    return JSON.parse(text) as ServerFrame;
  } catch (error) {
    log.error('A frame of the server was not JSON', error);
    return null;
  }
}

function notConnected(): OtError {
  return new OtError(
    'OT_NOT_CONNECTED',
    'The session is not connected; call session.connect() and wait for its callback',
  );
}
