/**
 * The channel to one client, over one socket after another.
 *
 * Events are numbered without a gap and kept until the client has acknowledged them; answers are kept likewise. When a
 * socket goes, the channel waits `resumeSeconds` for the next; what was kept is sent again, and a request that comes
 * again under its number is answered again, not done again. Requests of one client are done one after the other, so
 * that they take effect in the order in which they were sent.
 */
import {
  asPlatformError,
  type ClientFrame,
  type ErrorBody,
  type EventData,
  type EventName,
  limits,
  PlatformError,
  type RequestName,
  requests,
} from '@cloister/protocol';
import {
  type Actions,
  type Client,
  type ClientLink,
  type CloseReason,
  type Journal,
  type RateLimiter,
  spend,
} from '../core/index.ts';
import type { Cancel, Clock } from '../lib/index.ts';

/** The part of a WebSocket that a channel uses. */
export interface Socket {
  /** Bytes that were sent and that the kernel has not taken yet, since the client does not read. */
  readonly bufferedAmount: number;
  send(text: string): void;
  /** Closes with a WebSocket status code (RFC 6455, 7.4). */
  close(code: number): void;
  /** Drops the connection without a word. */
  terminate(): void;
}

export interface ChannelDeps {
  readonly clock: Clock;
  readonly limiter: RateLimiter;
  readonly journal: Journal;
  /** The channel will not be resumed any more. */
  onEnd(channel: Channel): void;
}

interface Kept {
  readonly seq: number;
  readonly frame: string;
}

export class Channel implements ClientLink {
  readonly resumeKey: string;
  readonly #deps: ChannelDeps;
  #client: Client | null = null;
  #socket: Socket | null = null;
  #ended = false;
  #seq = 0;
  #kept: Kept[] = [];
  #keptBytes = 0;
  #lastRequest = 0;
  #unfinished = 0;
  #work: Promise<void> = Promise.resolve();
  readonly #answers = new Map<number, string>();
  #lastHeard: number;
  #giveUp: Cancel = () => {};

  constructor(resumeKey: string, deps: ChannelDeps) {
    this.resumeKey = resumeKey;
    this.#deps = deps;
    this.#lastHeard = deps.clock.now();
  }

  /** Id of the connection once it is admitted. */
  get connectionId(): string | null {
    return this.#client?.connectionId ?? null;
  }

  /** Whether a socket is attached that has said nothing for too long. */
  get silent(): boolean {
    return this.#socket !== null && this.#deps.clock.now() - this.#lastHeard > limits.heartbeatMissedSeconds * 1000;
  }

  /** Whether a socket is attached that should have given a sign of life by itself by now. */
  get quiet(): boolean {
    return this.#socket !== null && this.#deps.clock.now() - this.#lastHeard > limits.heartbeatSeconds * 1000;
  }

  /** Begins: says welcome, then everything that has happened since the client was admitted. */
  open(client: Client, socket: Socket): void {
    this.#client = client;
    if (this.#ended) return;
    this.#socket = socket;
    this.#lastHeard = this.#deps.clock.now();
    this.#write({
      type: 'welcome',
      ...client.welcome,
      resumeKey: this.resumeKey,
      heartbeatSeconds: limits.heartbeatSeconds,
      resumeSeconds: limits.resumeSeconds,
    });
    // They were written before the epoch was known.
    this.#kept = this.#kept.map(({ seq, frame }) => {
      return { seq, frame: JSON.stringify({ ...JSON.parse(frame), epoch: client.epoch }) };
    });
    this.#keptBytes = this.#kept.reduce((sum, { frame }) => sum + frame.length, 0);
    for (const { frame } of this.#kept) this.#push(frame);
  }

  /**
   * Takes a new socket after a cut and sends again what the client has not handled.
   * @throws PlatformError `ResumeRefused`
   */
  resume(socket: Socket, lastSeq: number): void {
    if (this.#ended || !this.#client) throw new PlatformError('ResumeRefused', { why: 'the connection has ended' });
    if (lastSeq > this.#seq || lastSeq < this.#seq - this.#kept.length) {
      throw new PlatformError('ResumeRefused', { why: `event ${lastSeq} is not one that can be resumed from` });
    }
    this.#giveUp();
    this.#socket?.terminate();
    this.#socket = socket;
    this.#lastHeard = this.#deps.clock.now();
    this.acknowledge(lastSeq);
    this.#write({ type: 'resumed', epoch: this.#client.epoch });
    for (const { frame } of this.#kept) this.#push(frame);
  }

  /** The socket is gone. `left`: by RFC 6455 codes 1000 and 1001 nobody will come back. */
  detach(socket: Socket, left: boolean): void {
    if (this.#socket !== socket) return;
    this.#socket = null;
    if (this.#ended) return;
    if (left) this.#leave('clientDisconnected');
    else this.#giveUp = this.#deps.clock.after(limits.resumeSeconds * 1000, () => this.#leave('networkDisconnected'));
  }

  /** Notes that the client is alive, and counts what it sends, whatever it is. @throws PlatformError `RateLimited` */
  heard(): void {
    this.#lastHeard = this.#deps.clock.now();
    spend(this.#deps.limiter, 'frame', this.connectionId ?? '');
    if ((this.#socket?.bufferedAmount ?? 0) > limits.socketBytes) this.#tooSlow();
  }

  /** One frame of the client, as it was read. @throws PlatformError for what ends the connection. */
  take(frame: ClientFrame | PlatformError): void {
    if (frame instanceof PlatformError) throw frame;
    if (frame.type === 'request') this.request(frame.id, frame.method, frame.data);
    else if (frame.type === 'ack') this.acknowledge(frame.seq, frame.answered);
    else if (frame.type === 'ping') this.pong();
    else throw new PlatformError('FrameInvalid', { why: `${frame.type} is the first frame only` });
  }

  pong(): void {
    this.#write({ type: 'pong', epoch: this.#client!.epoch });
  }

  /** Forgets events up to `seq` and answers up to `answered`. */
  acknowledge(seq: number, answered = 0): void {
    let done = 0;
    while (done < this.#kept.length && this.#kept[done]!.seq <= seq) {
      this.#keptBytes -= this.#kept[done]!.frame.length;
      done += 1;
    }
    if (done > 0) this.#kept.splice(0, done);
    for (const id of this.#answers.keys()) {
      if (id > answered) break;
      this.#answers.delete(id);
    }
  }

  send<Name extends EventName>(event: Name, data: EventData<Name>): void {
    if (this.#ended) return;
    this.#seq += 1;
    const frame = JSON.stringify({ type: 'event', epoch: this.#epoch, seq: this.#seq, event, data });
    this.#kept.push({ seq: this.#seq, frame });
    this.#keptBytes += frame.length;
    if (this.#kept.length > limits.outboundMessages || this.#keptBytes > limits.outboundBytes) {
      this.#tooSlow();
      return;
    }
    this.#push(frame);
  }

  close(reason: CloseReason, error: ErrorBody | null): void {
    if (this.#ended) return;
    this.#write({ type: 'close', epoch: this.#epoch, reason, error });
    this.#end();
  }

  /** Ends the connection for the client's own fault: it is told, and the others see it leave. */
  drop(error: PlatformError): void {
    this.close('refused', error.toBody());
    this.#client?.leave('networkDisconnected');
  }

  /** A request frame. @throws PlatformError `FrameInvalid` when numbers are skipped or too many have no answer. */
  request(id: number, method: string, data: unknown): void {
    if (id <= this.#lastRequest) {
      const answer = this.#answers.get(id);
      if (answer !== undefined) this.#push(answer);
      return;
    }
    if (id !== this.#lastRequest + 1)
      throw new PlatformError('FrameInvalid', { why: `request ${id} came after ${this.#lastRequest}` });
    if (this.#unfinished >= limits.requestsInFlight) {
      throw new PlatformError('FrameInvalid', {
        why: `more than ${limits.requestsInFlight} requests without an answer`,
      });
    }
    this.#lastRequest = id;
    this.#unfinished += 1;
    this.#work = this.#work.then(() => this.#answer(id, method, data));
  }

  async #answer(id: number, method: string, data: unknown): Promise<void> {
    let body: { data?: unknown; error?: ErrorBody };
    try {
      body = { data: await this.#do(method, data) };
    } catch (thrown) {
      const error = asPlatformError(thrown);
      if (error.code === 'Internal') {
        const cause = error.cause;
        this.#deps.journal.record('error', 'a signalling request failed', {
          connectionId: this.connectionId,
          method: method in requests ? method : 'unknown',
          error: cause instanceof Error ? cause.message : 'unknown',
          stack: cause instanceof Error ? (cause.stack ?? null) : null,
        });
      }
      body = { error: error.toBody() };
    }
    this.#unfinished -= 1;
    const frame = JSON.stringify({ type: 'answer', epoch: this.#epoch, id, ...body });
    this.#answers.set(id, frame);
    if (this.#answers.size > limits.answersKept) this.#answers.delete(this.#answers.keys().next().value!);
    this.#push(frame);
    if (method === 'disconnect' && !body.error) this.close('clientDisconnected', null);
  }

  async #do(method: string, data: unknown): Promise<unknown> {
    const client = this.#client;
    if (!client || this.#ended) throw new PlatformError('WrongState', { why: 'the connection has ended' });
    if (!Object.hasOwn(requests, method))
      throw new PlatformError('BadRequest', { why: `there is no request ${method}` });
    spend(this.#deps.limiter, 'connection', client.connectionId);
    const name = method as RequestName;
    const parsed = requests[name].data.safeParse(data);
    if (!parsed.success) {
      const issue = parsed.error.issues[0]!;
      throw new PlatformError('BadRequest', { why: `${[name, ...issue.path].join('.')}: ${issue.message}` });
    }
    return (client.actions[name] as (data: unknown) => ReturnType<Actions[RequestName]>)(parsed.data);
  }

  get #epoch(): number {
    return this.#client?.epoch ?? 1;
  }

  #leave(reason: 'clientDisconnected' | 'networkDisconnected'): void {
    this.#end();
    this.#client?.leave(reason);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#giveUp();
    this.#kept = [];
    this.#answers.clear();
    this.#socket?.close(1000);
    this.#deps.onEnd(this);
  }

  #write(frame: unknown): void {
    this.#push(JSON.stringify(frame));
  }

  /** Whatever it is, a client that does not read makes the server hold only so much. */
  #push(frame: string): void {
    this.#socket?.send(frame);
    if (!this.#ended && (this.#socket?.bufferedAmount ?? 0) > limits.socketBytes) this.#tooSlow();
  }

  #tooSlow(): void {
    // Not from within a broadcast: the others are told of the end after they were told of this event.
    queueMicrotask(() => {
      if (this.#ended) return;
      const socket = this.#socket;
      this.drop(new PlatformError('SlowConsumer', { seconds: limits.resumeSeconds }));
      // It would not read the goodbye either.
      socket?.terminate();
    });
  }
}
