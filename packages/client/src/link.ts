/**
 * One running connection to a session: its wire and media, who and what is in the session, and what became of the
 * legs of this client. `Session` is its public face; streams going out and coming in hang on it.
 */
import type { Direction, EventData, EventName, JoinAnswer, StreamShape } from '@cloister/protocol';
import type { Suite } from '@cloister/protocol/suites';
import { browserClock, type Clock } from './clock.ts';
import { Connection } from './connection.ts';
import { errorFromBody, OtError } from './errors.ts';
import type { SecurityLeg } from './events.ts';
import { log } from './log.ts';
import { Media } from './media.ts';
import { Stream } from './stream.ts';
import { type CloseReason, type Socket, type Welcome, Wire } from './wire.ts';

const legMs = 15_000;

/** A stream that goes out or comes in, and follows the fate of its transport. */
export interface LinkedStream {
  readonly streamId: string | null;
  /** Events of the server that concern this stream alone. */
  event<Name extends EventName>(name: Name, data: EventData<Name>): void;
  /** Its transport is gone; build everything again. */
  rebuild(): void;
}

export interface LinkObserver {
  /** Events of the server, after the link has taken note of them. */
  event<Name extends EventName>(name: Name, data: EventData<Name>): void;
  legChanged(leg: SecurityLeg): void;
  down(): void;
  up(): void;
  closed(reason: CloseReason, error: OtError | null): void;
}

interface LegState {
  state: 'allowed' | 'refused';
  suite: Suite;
  error: OtError | null;
}

export class Link {
  readonly wire: Wire;
  readonly connections = new Map<string, Connection>();
  readonly streams = new Map<string, Stream>();
  readonly outgoing = new Set<LinkedStream>();
  readonly incoming = new Set<LinkedStream>();
  readonly clock: Clock;

  readonly #joined: JoinAnswer;
  readonly #observer: LinkObserver;
  readonly #iceConfig: { servers: JoinAnswer['iceServers']; transportPolicy: RTCIceTransportPolicy };
  readonly #legs = new Map<string, LegState>();
  readonly #legWaiters = new Map<string, Set<(leg: LegState) => void>>();
  readonly #reported = new Map<Direction, Suite>();
  #offeredIceServers: JoinAnswer['iceServers'];
  #welcome: Welcome | null = null;
  #media: Media | null = null;
  #closed: OtError | null = null;
  readonly #stopListening: () => void;

  constructor(deps: {
    joined: JoinAnswer;
    observer: LinkObserver;
    iceServers: JoinAnswer['iceServers'];
    transportPolicy: RTCIceTransportPolicy;
    clock?: Clock;
  }) {
    this.#joined = deps.joined;
    this.#offeredIceServers = deps.joined.iceServers;
    this.#observer = deps.observer;
    this.#iceConfig = { servers: deps.iceServers, transportPolicy: deps.transportPolicy };
    this.clock = deps.clock ?? browserClock;
    this.wire = new Wire({
      url: deps.joined.signallingUrl,
      openSocket: (url) => new WebSocket(url) as unknown as Socket,
      clock: this.clock,
      observer: {
        event: (name, data) => this.#event(name, data),
        down: () => deps.observer.down(),
        up: () => {
          void this.#media?.repair();
          deps.observer.up();
        },
        closed: (reason, error) => this.#ended(reason, error),
      },
    });
    const stopNetwork = onNetworkChange(() => {
      this.wire.nudge();
      this.#media?.restartIce();
    });
    // A page that is closed leaves at once, instead of after the time in which it could have come back.
    const leave = () => this.close();
    globalThis.addEventListener('pagehide', leave);
    this.#stopListening = () => {
      stopNetwork();
      globalThis.removeEventListener('pagehide', leave);
    };
  }

  /** Opens the wire and takes in who is there. */
  async open(): Promise<Welcome> {
    try {
      this.#welcome = await this.wire.open(this.#joined.ticket);
    } catch (error) {
      this.#stopListening();
      throw error;
    }
    const welcome = this.#welcome;
    this.#media = new Media({
      wire: this.wire,
      clock: this.clock,
      rtpCapabilities: welcome.rtpCapabilities,
      iceServers: this.#iceConfig.servers,
      transportPolicy: this.#iceConfig.transportPolicy,
      observer: {
        transportLost: (direction) => this.#rebuild(direction),
        // Where the server answers, others have fallen silent; where it does not, the wire comes back by another way.
        stalled: () => this.wire.nudge(),
        suiteReported: (direction, suite) => this.#suiteReported(direction, suite),
      },
    });
    // Asking the browser what it can blocks the page for a while, so the application is told first that it is connected;
    // whoever publishes or subscribes later need not wait for it.
    const media = this.#media;
    this.clock.after(0, () => {
      if (!this.#closed) media.device().catch((error: unknown) => log.warn('This browser has no usable WebRTC', error));
    });
    for (const shape of [welcome.connection, ...welcome.connections]) this.#met(shape);
    for (const shape of welcome.streams) this.addStream(shape);
    return welcome;
  }

  get media(): Media {
    if (!this.#media || this.#closed)
      throw this.#closed ?? new OtError('OT_NOT_CONNECTED', 'The session is not connected');
    return this.#media;
  }

  /** The platform's own ICE servers, with the credentials that were given last. */
  get offeredIceServers(): JoinAnswer['iceServers'] {
    return this.#offeredIceServers;
  }

  /** This client's own connection. */
  get self(): Connection {
    const connection = this.#welcome && this.connections.get(this.#welcome.connection.connectionId);
    if (!connection) throw new OtError('OT_NOT_CONNECTED', 'The session is not connected');
    return connection;
  }

  /** Why nothing can be asked any more; null while the link lives. */
  get closedBy(): OtError | null {
    return this.#closed;
  }

  /** The stream of a shape, taken into the list if it is new. */
  addStream(shape: StreamShape): Stream {
    const known = this.streams.get(shape.streamId);
    if (known) return known;
    const owner =
      this.connections.get(shape.connectionId) ??
      new Connection({ connectionId: shape.connectionId, creationTime: shape.creationTime, data: '' });
    const stream = new Stream(shape, owner);
    this.streams.set(shape.streamId, stream);
    return stream;
  }

  /** Forgets what was said of a leg, before it is built anew. */
  forgetLeg(streamId: string, direction: Direction): void {
    this.#legs.delete(key(streamId, direction));
  }

  /**
   * Resolves when the server lets media through on this leg; rejects with its typed refusal, or after 15 s without
   * either.
   */
  legAllowed(streamId: string, direction: Direction, signal: AbortSignal): Promise<void> {
    const name = key(streamId, direction);
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => settle({ state: 'refused', suite: 'unknown', error: null }), {
        once: true,
      });
      const waiters = this.#legWaiters.get(name) ?? new Set();
      this.#legWaiters.set(name, waiters);
      const cancel = this.clock.after(legMs, () => {
        waiters.delete(settle);
        reject(
          new OtError(
            'OT_ICE_WORKFLOW_FAILED',
            'The media connection was not made in time; check that UDP or TCP reaches the media node',
          ),
        );
      });
      const settle = (leg: LegState) => {
        cancel();
        waiters.delete(settle);
        if (leg.state === 'allowed') resolve();
        else reject(leg.error ?? new OtError('OT_MEDIA_SUITE_REFUSED', 'The server refused this media leg'));
      };
      waiters.add(settle);
      const known = this.#legs.get(name);
      if (known) settle(known);
      else if (this.#closed) settle({ state: 'refused', suite: 'unknown', error: this.#closed });
    });
  }

  /** Every leg of this client so far, with both ends' suites. */
  security(): SecurityLeg[] {
    return [...this.#legs.keys()].map((name) => this.#securityLeg(name));
  }

  close(): void {
    this.wire.close();
  }

  // ---------------------------------------------------------------------------------------------------------- events

  #met(shape: { connectionId: string; creationTime: number; data: string }): Connection {
    const known = this.connections.get(shape.connectionId);
    if (known) return known;
    const connection = new Connection(shape);
    this.connections.set(shape.connectionId, connection);
    return connection;
  }

  #event<Name extends EventName>(name: Name, data: EventData<Name>): void {
    const told = { name, data } as { [Each in EventName]: { name: Each; data: EventData<Each> } }[EventName];
    if (told.name === 'connectionCreated') this.#met(told.data.connection);
    else if (told.name === 'streamCreated') this.addStream(told.data.stream);
    else if (told.name === 'streamUpdated') this.#updated(told.data);
    else if (told.name === 'leg') this.#legEvent(told.data);
    else if (told.name === 'mediaReset') this.#reset(told.data);
    else if (told.name === 'iceServers') this.#offeredIceServers = told.data.iceServers;
    if ('streamId' in told.data) {
      const { streamId } = told.data;
      for (const stream of [...this.outgoing, ...this.incoming]) {
        if (stream.streamId === streamId) stream.event(name, data);
      }
    }
    this.#observer.event(name, data);
    if (told.name === 'connectionDestroyed') this.connections.delete(told.data.connectionId);
    else if (told.name === 'streamDestroyed') this.streams.delete(told.data.streamId);
  }

  #updated({ streamId, changed, newValue }: EventData<'streamUpdated'>): void {
    const stream = this.streams.get(streamId);
    if (!stream) return;
    if (changed === 'videoDimensions') {
      if (typeof newValue === 'object') stream.videoDimensions = newValue;
    } else stream[changed] = newValue === true;
  }

  #legEvent({ streamId, direction, state, suiteSeenByServer, error }: EventData<'leg'>): void {
    const name = key(streamId, direction);
    const refusal = error ? errorFromBody(error, 'OT_MEDIA_SUITE_REFUSED') : null;
    const leg: LegState = { state, suite: suiteSeenByServer, error: refusal };
    this.#legs.set(name, leg);
    for (const settle of [...(this.#legWaiters.get(name) ?? [])]) settle(leg);
    this.#observer.legChanged(this.#securityLeg(name));
  }

  #suiteReported(direction: Direction, suite: Suite): void {
    this.#reported.set(direction, suite);
    for (const name of this.#legs.keys()) {
      if (name.startsWith(`${direction} `)) this.#observer.legChanged(this.#securityLeg(name));
    }
  }

  #securityLeg(name: string): SecurityLeg {
    const [direction, streamId] = name.split(' ') as [Direction, string];
    const { state, suite } = this.#legs.get(name) as LegState;
    return {
      streamId,
      direction,
      state,
      suiteSeenByServer: suite,
      suiteReportedByClient: this.#reported.get(direction) ?? null,
    };
  }

  #reset({ rtpCapabilities }: EventData<'mediaReset'>): void {
    this.#media?.reset(rtpCapabilities);
    this.#rebuild('send');
    this.#rebuild('receive');
  }

  #rebuild(direction: Direction): void {
    this.#reported.delete(direction);
    for (const stream of direction === 'send' ? this.outgoing : this.incoming) stream.rebuild();
  }

  #ended(reason: CloseReason, error: OtError | null): void {
    this.#closed = error ?? new OtError('OT_DISCONNECTED', `The session was disconnected (${reason})`);
    this.#stopListening();
    this.#media?.close();
    const refused: LegState = { state: 'refused', suite: 'unknown', error: this.#closed };
    for (const waiters of this.#legWaiters.values()) for (const settle of [...waiters]) settle(refused);
    this.#observer.closed(reason, error);
  }
}

function key(streamId: string, direction: Direction): string {
  return `${direction} ${streamId}`;
}

interface NetworkInformation extends EventTarget {
  readonly type?: string;
}

/** Calls `changed` when the browser says that it is on another network; answers how to stop. */
function onNetworkChange(changed: () => void): () => void {
  const information = (navigator as Navigator & { connection?: NetworkInformation }).connection;
  // The event also comes for new estimates of speed; only another kind of network is a reason to look for a new way.
  let type = information?.type;
  const compare = () => {
    if (information?.type === type) return;
    type = information?.type;
    changed();
  };
  globalThis.addEventListener('online', changed);
  information?.addEventListener('change', compare);
  return () => {
    globalThis.removeEventListener('online', changed);
    information?.removeEventListener('change', compare);
  };
}
