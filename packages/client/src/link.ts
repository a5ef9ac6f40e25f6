/**
 * One running connection to a session: its wire and media, who and what is in the session, and what became of the
 * legs of this client. `Session` is its public face; streams going out and coming in hang on it.
 */
import type {
  Direction,
  EventData,
  EventName,
  JoinAnswer,
  FrameLayer as LayerName,
  StreamShape,
} from '@cloister/protocol';
import type { Suite } from '@cloister/protocol/suites';
import type { AddressHold } from './address-hold.ts';
import { browserClock, type Clock } from './clock.ts';
import { Connection } from './connection.ts';
import { checkSecret, Encryption } from './encryption.ts';
import { errorFromBody, OtError } from './errors.ts';
import type { SecurityLeg } from './events.ts';
import { FrameLayer } from './frames/frame-layer.ts';
import { SessionSecret } from './frames/secret.ts';
import { log } from './log.ts';
import { Media } from './media.ts';
import { Mesh } from './relayed/mesh.ts';
import type { SessionFrames } from './relayed/pair-frames.ts';
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
  /** Its frames can be understood, or cannot, since its publisher has another secret. */
  understood?(understood: boolean): void;
}

export interface LinkObserver {
  /** Events of the server, after the link has taken note of them. */
  event<Name extends EventName>(name: Name, data: EventData<Name>): void;
  legChanged(leg: SecurityLeg): void;
  down(): void;
  up(): void;
  closed(reason: CloseReason, error: OtError | null): void;
}

type Between = EventData<'leg'>['between'];

interface LegState {
  state: 'allowed' | 'refused';
  suite: Suite | null;
  frameLayer: LayerName | null;
  error: OtError | null;
  between?: Between;
}

export class Link {
  readonly wire: Wire;
  readonly connections = new Map<string, Connection>();
  readonly streams = new Map<string, Stream>();
  readonly outgoing = new Set<LinkedStream>();
  readonly incoming = new Set<LinkedStream>();
  readonly clock: Clock;
  /** null where the session is not end-to-end encrypted. */
  readonly encryption: Encryption | null;

  readonly joined: JoinAnswer;
  /** What it holds to with `ipWhitelist`; null without. */
  readonly hold: AddressHold | null;
  readonly #observer: LinkObserver;
  readonly #iceConfig: { servers: JoinAnswer['iceServers']; transportPolicy: RTCIceTransportPolicy };
  readonly #legs = new Map<string, LegState>();
  readonly #legWaiters = new Map<string, Set<(leg: LegState) => void>>();
  readonly #reported = new Map<Direction, Suite>();
  #offeredIceServers: JoinAnswer['iceServers'];
  #welcome: Welcome | null = null;
  readonly #sessionId: string;
  #pairSecret: string | undefined;
  #pairLayer: FrameLayer | null = null;
  #stretched: Promise<Uint8Array<ArrayBuffer> | null> = Promise.resolve(null);
  #media: Media | null = null;
  #mesh: Mesh | null = null;
  #closed: OtError | null = null;
  readonly #stopListening: () => void;

  constructor(deps: {
    joined: JoinAnswer;
    observer: LinkObserver;
    iceServers: JoinAnswer['iceServers'];
    transportPolicy: RTCIceTransportPolicy;
    sessionId: string;
    hold?: AddressHold | null;
    /** Of the application, for a session whose frames are encrypted. */
    encryptionSecret?: string;
    clock?: Clock;
  }) {
    this.joined = deps.joined;
    this.hold = deps.hold ?? null;
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
          this.#mesh?.repair();
          deps.observer.up();
        },
        closed: (reason, error) => this.#ended(reason, error),
      },
    });
    this.#sessionId = deps.sessionId;
    this.encryption = deps.joined.e2ee ? this.#encrypted(deps.encryptionSecret) : null;
    this.#pairSecret = deps.encryptionSecret;
    const stopNetwork = onNetworkChange(() => {
      this.wire.nudge();
      this.#media?.restartIce();
      this.#mesh?.restartIce();
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
      await this.#startPairLayer();
      this.#welcome = await this.wire.open(this.joined.ticket, this.#pairLayer !== null);
    } catch (error) {
      this.#release();
      throw error;
    }
    const welcome = this.#welcome;
    if (this.joined.mediaMode === 'relayed') {
      const { servers, transportPolicy } = this.#iceConfig;
      const ownId = welcome.connection.connectionId;
      this.#mesh = new Mesh({
        wire: this.wire,
        clock: this.clock,
        ownId,
        iceServers: servers,
        transportPolicy,
        frames: this.joined.frames ? this.#sessionFrames(ownId) : null,
        // As in `#makeMedia`: where the server answers, others have fallen silent.
        stalled: () => this.wire.nudge(),
      });
    } else this.#media = this.#makeMedia(welcome);
    for (const shape of [welcome.connection, ...welcome.connections]) this.#met(shape);
    for (const shape of welcome.streams) this.addStream(shape);
    for (const told of welcome.frameKeys) this.encryption?.heard(told);
    this.encryption?.ready().catch((error: unknown) => log.warn('The server did not take the key of frames', error));
    return welcome;
  }

  /** Whether frames can be encrypted is known before the server and other clients are told of it. */
  async #startPairLayer(): Promise<void> {
    if (!this.joined.frames || !FrameLayer.supportedBetweenPeers) return;
    const layer = new FrameLayer({ worn: () => this.#mesh?.agreeAgain() });
    try {
      await layer.ready;
      this.#pairLayer = layer;
    } catch (error) {
      layer.close();
      log.warn('Frames are not encrypted towards other clients', error);
    }
  }

  /** What the pairs of a relayed session encrypt frames with. */
  #sessionFrames(ownId: string): SessionFrames {
    this.#stretch();
    return {
      sessionId: this.#sessionId,
      ownId,
      layer: this.#pairLayer,
      clock: this.clock,
      required: this.joined.mediaPolicy === 'require-aes256' || this.#pairSecret !== undefined,
      secret: () => this.#stretched,
    };
  }

  #stretch(): void {
    const words = this.#pairSecret;
    this.#stretched =
      words === undefined
        ? Promise.resolve(null)
        : SessionSecret.stretch(words, this.#sessionId).then((secret) => secret.betweenPeers());
    this.#stretched.catch(() => undefined);
  }

  /** Another secret of the application. @throws OtError `OT_INVALID_ENCRYPTION_SECRET`, or the server's refusal */
  async changeSecret(encryptionSecret: string): Promise<void> {
    if (this.encryption) return this.encryption.change(encryptionSecret);
    this.#pairSecret = encryptionSecret;
    this.#stretch();
    await this.#stretched;
    this.#mesh?.agreeAgain();
  }

  /** Whether the application's secret is mixed into the keys of frames. */
  get usesSecret(): boolean {
    return this.encryption !== null || (this.joined.frames && this.#pairSecret !== undefined);
  }

  #makeMedia(welcome: Welcome): Media {
    const media = new Media({
      wire: this.wire,
      clock: this.clock,
      rtpCapabilities: welcome.rtpCapabilities,
      iceServers: this.#iceConfig.servers,
      transportPolicy: this.#iceConfig.transportPolicy,
      frames: this.encryption,
      hold: this.hold,
      observer: {
        transportLost: (direction) => this.#rebuild(direction),
        // Where the server answers, others have fallen silent; where it does not, the wire comes back by another way.
        stalled: () => this.wire.nudge(),
        suiteReported: (direction, suite) => this.#suiteReported(direction, suite),
      },
    });
    // Asking the browser what it can blocks the page for a while, so the application is told first that it is connected;
    // whoever publishes or subscribes later need not wait for it.
    this.clock.after(0, () => {
      if (!this.#closed) media.device().catch((error: unknown) => log.warn('This browser has no usable WebRTC', error));
    });
    return media;
  }

  get media(): Media {
    if (!this.#media || this.#closed)
      throw this.#closed ?? new OtError('OT_NOT_CONNECTED', 'The session is not connected');
    return this.#media;
  }

  /** The pairs of a relayed session; null in a routed one. */
  get mesh(): Mesh | null {
    if (this.#closed) throw this.#closed;
    return this.#mesh;
  }

  /** Servers with renewed credentials: for the next time that a way is looked for. */
  setIceServers(iceServers: JoinAnswer['iceServers']): void {
    this.#mesh?.setIceServers(iceServers);
    this.#media?.setIceServers(iceServers);
  }

  /** Other servers or another policy by the application's will, for connections that run and those to come. */
  async setIceConfig(iceServers: JoinAnswer['iceServers'], transportPolicy: RTCIceTransportPolicy): Promise<void> {
    this.#mesh?.setIceConfig(iceServers, transportPolicy);
    await this.#media?.setIceConfig(iceServers, transportPolicy);
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
      signal.addEventListener(
        'abort',
        () => settle({ state: 'refused', suite: 'unknown', frameLayer: null, error: null }),
        {
          once: true,
        },
      );
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
      else if (this.#closed) settle({ state: 'refused', suite: 'unknown', frameLayer: null, error: this.#closed });
    });
  }

  /** Every leg of this client so far, with both ends' suites. */
  security(): SecurityLeg[] {
    return [...this.#legs.keys()].map((name) => this.#securityLeg(name));
  }

  close(): void {
    this.wire.close();
  }

  #encrypted(encryptionSecret: string | undefined): Encryption {
    checkSecret(encryptionSecret);
    return new Encryption({
      sessionId: this.#sessionId,
      connectionId: this.joined.connectionId,
      secret: encryptionSecret,
      wire: this.wire,
      clock: this.clock,
      publisherOf: (streamId) => this.streams.get(streamId)?.connection.connectionId ?? null,
      changed: (streamId, understood) => {
        for (const stream of this.incoming) if (stream.streamId === streamId) stream.understood?.(understood);
      },
    });
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
    else if (told.name === 'frameKeyAnnounced') this.encryption?.heard(told.data);
    else if (told.name === 'leg') this.#legEvent(told.data);
    else if (told.name === 'mediaReset') this.#reset(told.data);
    else if (told.name === 'iceServers') this.#offeredIceServers = told.data.iceServers;
    this.#mesh?.event(name, data);
    if ('streamId' in told.data) {
      const { streamId } = told.data;
      for (const stream of [...this.outgoing, ...this.incoming]) {
        if (stream.streamId === streamId) stream.event(name, data);
      }
    }
    this.#observer.event(name, data);
    if (told.name === 'connectionDestroyed') {
      this.connections.delete(told.data.connectionId);
      this.encryption?.left(told.data.connectionId);
    }
    if (told.name === 'streamDestroyed') this.streams.delete(told.data.streamId);
  }

  #updated({ streamId, changed, newValue }: EventData<'streamUpdated'>): void {
    const stream = this.streams.get(streamId);
    if (!stream) return;
    if (changed === 'videoDimensions') {
      if (typeof newValue === 'object') stream.videoDimensions = newValue;
    } else stream[changed] = newValue === true;
  }

  #legEvent({ streamId, direction, state, suiteSeenByServer, frameLayer, error, between }: EventData<'leg'>): void {
    // Of an own stream in a relayed session there is a leg to each subscriber.
    const others = between && between.subscriberId !== this.self.connectionId ? ` ${between.subscriberId}` : '';
    const name = key(streamId, direction) + others;
    const refusal = error ? errorFromBody(error, 'OT_MEDIA_SUITE_REFUSED') : null;
    const leg: LegState = {
      state,
      suite: suiteSeenByServer,
      frameLayer,
      error: refusal,
      ...(between ? { between } : {}),
    };
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
    const { state, suite, frameLayer, between } = this.#legs.get(name) as LegState;
    const common = { streamId, direction, state, suiteSeenByServer: suite, frameLayer };
    if (between) return { ...common, ...this.#betweenClients(between) };
    return {
      ...common,
      connectionId: this.self.connectionId,
      observedBy: 'server',
      peerConnectionId: null,
      suiteReportedByClient: this.#reported.get(direction) ?? null,
      suiteReportedByPeer: null,
      securityCode: null,
      frameLayer: this.encryption ? frameLayer : null,
    };
  }

  /** What this browser said is taken from it, not from what the server says that it was told. */
  #betweenClients(between: NonNullable<Between>) {
    const { subscriberId, publisherId, suiteReportedBySubscriber, suiteReportedByPublisher } = between;
    const subscribes = subscriberId === this.self.connectionId;
    const otherId = subscribes ? publisherId : subscriberId;
    const own = this.#mesh?.suiteWith(otherId);
    return {
      connectionId: subscriberId,
      observedBy: 'clients' as const,
      peerConnectionId: publisherId,
      suiteReportedByClient: (subscribes ? own : null) ?? suiteReportedBySubscriber,
      suiteReportedByPeer: (subscribes ? null : own) ?? suiteReportedByPublisher,
      securityCode: this.#mesh?.securityCodeWith(otherId) ?? null,
      // This client knows it itself, whatever the server says.
      frameLayer: this.#mesh?.frameLayerWith(otherId) ?? null,
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
    this.#release();
    const refused: LegState = { state: 'refused', suite: 'unknown', frameLayer: null, error: this.#closed };
    for (const waiters of this.#legWaiters.values()) for (const settle of [...waiters]) settle(refused);
    this.#observer.closed(reason, error);
  }

  /** Whatever it holds of the browser. */
  #release(): void {
    this.#stopListening();
    this.#media?.close();
    this.encryption?.close();
    this.#mesh?.close();
    this.#pairLayer?.close();
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
