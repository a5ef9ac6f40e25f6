/** OpenTok's `Session`: the public face of one connection to a session. */
import type {
  Answer,
  ArchiveShape,
  EventData,
  EventName,
  JoinAnswer,
  RequestData,
  RequestName,
} from '@cloister/protocol';
import { holdOf } from './address-hold.ts';
import type { Connection } from './connection.ts';
import { Emitter } from './emitter.ts';
import { checkSecret } from './encryption.ts';
import { asOtError, OtError } from './errors.ts';
import { type Event, makeEvent, type SecurityLeg, type SessionEvents } from './events.ts';
import { reportException } from './exceptions.ts';
import { FrameLayer } from './frames/frame-layer.ts';
import { SessionSecret } from './frames/secret.ts';
import { homeUrl, join } from './home.ts';
import { checkIceConfig, type IceConfig, iceFor } from './ice-config.ts';
import { Link } from './link.ts';
import { log } from './log.ts';
import { Publisher } from './publisher.ts';
import type { PublisherProperties } from './publisher-properties.ts';
import type { Stream } from './stream.ts';
import { Subscriber, type SubscriberProperties } from './subscriber.ts';
import { prepareViews } from './video-view.ts';
import type { CloseReason } from './wire.ts';

export interface SessionOptions {
  /** No `connectionCreated` and `connectionDestroyed` events. */
  connectionEventsSuppressed?: boolean;
  iceConfig?: IceConfig;
  /** What all participants of an end-to-end encrypted session know, and nobody else: 8 to 256 characters. */
  encryptionSecret?: string;
  /** Always so here: one connection for all subscribers. */
  singlePeerConnection?: boolean;
  /** Always so here: a session goes on when its media server is replaced. */
  sessionMigration?: boolean;
  /** Holds to the platform's address list: nothing is sent to an address outside it, and relayed sessions go by relays alone. */
  ipWhitelist?: boolean;
  /** Not OpenTok's: the platform's address, when it is not the one that served the script. */
  apiUrl?: string;
}

type Callback = (error?: OtError) => void;
type Target = string | HTMLElement;

export interface Capabilities {
  forceDisconnect: number;
  forceUnpublish: number;
  forceMute: number;
  publish: number;
  subscribe: number;
}

const noCapabilities: Capabilities = { forceDisconnect: 0, forceUnpublish: 0, forceMute: 0, publish: 0, subscribe: 0 };

export class Session extends Emitter<SessionEvents> {
  readonly sessionId: string;
  capabilities: Capabilities = noCapabilities;
  connection: Connection | undefined;

  /** Joins the session with a token of the application's server. */
  readonly connect: { (token: string, callback: Callback): Session; promise: (token: string) => Promise<Session> };
  /** Publishes a publisher, or makes one for an element of the page and publishes it. */
  readonly publish: {
    (publisher: Publisher, callback?: Callback): Publisher;
    (targetElement: Target, properties?: PublisherProperties, callback?: Callback): Publisher;
    promise: {
      (publisher: Publisher): Promise<Publisher>;
      (targetElement: Target, properties?: PublisherProperties): Promise<Publisher>;
    };
  };
  /** Receives a stream and shows it in an element of the page. */
  readonly subscribe: {
    (stream: Stream, targetElement?: Target, properties?: SubscriberProperties, callback?: Callback): Subscriber;
    promise: (stream: Stream, targetElement?: Target, properties?: SubscriberProperties) => Promise<Subscriber>;
  };

  readonly #apiKey: string;
  readonly #options: SessionOptions;
  readonly #publishers = new Set<Publisher>();
  readonly #subscribers = new Set<Subscriber>();
  #iceConfig: IceConfig | undefined;
  #encryptionSecret: string | undefined;
  #link: Link | null = null;
  #connecting = false;
  #opening: Link | null = null;
  #leaving = false;
  /** Archives that ran when this client came and that the application was not told of yet. */
  #untold: ArchiveShape[] = [];

  /** @internal Use `OT.initSession`. */
  constructor(apiKey: string, sessionId: string, options: SessionOptions) {
    super();
    this.#apiKey = apiKey;
    this.sessionId = sessionId;
    this.#options = options;
    this.#iceConfig = options.iceConfig;
    if (options.encryptionSecret !== undefined) checkSecret(options.encryptionSecret);
    this.#encryptionSecret = options.encryptionSecret;
    this.connect = Object.assign(
      (token: string, callback?: Callback) => {
        settle(this.#connect(token), callback);
        return this;
      },
      { promise: (token: string) => this.#connect(token).then(() => this) },
    );
    this.publish = Object.assign((first: Publisher | Target, ...rest: unknown[]) => this.#publishCall(first, rest), {
      promise: (first: Publisher | Target, properties?: PublisherProperties) =>
        new Promise<Publisher>((resolve, reject) => {
          const publisher = this.#publisherOf(first, properties, reject);
          this.#publish(publisher).then(() => resolve(publisher), reject);
        }),
    });
    this.subscribe = Object.assign(
      (stream: Stream, target?: Target, properties?: SubscriberProperties | Callback, callback?: Callback) => {
        const named = typeof properties === 'function' ? {} : (properties ?? {});
        const done = typeof properties === 'function' ? properties : callback;
        const [subscriber, work] = this.#subscribe(stream, target, named);
        settle(work, done);
        return subscriber;
      },
      {
        promise: async (stream: Stream, target?: Target, properties: SubscriberProperties = {}) => {
          const [subscriber, work] = this.#subscribe(stream, target, properties);
          await work;
          return subscriber;
        },
      },
    );
  }

  // ------------------------------------------------------------------------------------------------------- connecting

  async #connect(token: string): Promise<void> {
    if (this.#link || this.#connecting) return;
    if (typeof token !== 'string' || token === '') {
      throw new OtError(
        'OT_AUTHENTICATION_ERROR',
        'session.connect needs the token that your server made for this session',
      );
    }
    this.#connecting = true;
    this.#leaving = false;
    // It takes as long as everything else that has to be done before media flows.
    if (this.#encryptionSecret !== undefined && FrameLayer.supported) {
      SessionSecret.stretch(this.#encryptionSecret, this.sessionId).catch(() => undefined);
    }
    let link: Link;
    try {
      const home = homeUrl(this.#options.apiUrl);
      const { ipWhitelist = false } = this.#options;
      const joined = await join(home, {
        apiKey: this.#apiKey,
        sessionId: this.sessionId,
        token,
        ...(ipWhitelist && { ipWhitelist }),
      });
      this.#checkSecretFor(joined);
      const hold = ipWhitelist ? holdOf(joined, home) : null;
      link = new Link({
        joined,
        sessionId: this.sessionId,
        encryptionSecret: this.#encryptionSecret,
        hold,
        ...iceFor(this.#iceConfig, joined, hold),
        observer: {
          event: (name, data) => this.#event(link, name, data),
          legChanged: (leg) => this.dispatch(makeEvent('cloister:leg', this, { leg })),
          down: () => this.dispatch(makeEvent('sessionReconnecting', this)),
          up: () => this.dispatch(makeEvent('sessionReconnected', this)),
          closed: (reason, error) => this.#ended(reason, error),
        },
      });
      this.#opening = link;
      const { capabilities, archives } = await link.open();
      this.#untold = archives;
      if (this.#leaving) {
        link.close();
        throw new OtError('OT_DISCONNECTED', 'session.disconnect() was called while the session connected');
      }
      this.#link = link;
      this.connection = link.self;
      this.capabilities = capabilities;
    } finally {
      this.#opening = null;
      this.#connecting = false;
    }
    this.dispatch(makeEvent('sessionConnected', this));
    // Who is there already is told after the callback, which may still add handlers.
    const [connections, streams] = [[...link.connections.values()], [...link.streams.values()]];
    setTimeout(() => this.#announce(link, connections, streams));
    setTimeout(prepareViews);
  }

  /** Those that may not be used are left out: what runs keeps its way, and another connect is refused. */
  #renewIceServers(link: Link, offered: JoinAnswer['iceServers']): void {
    if (link.closedBy) return;
    try {
      link.setIceServers(iceFor(this.#iceConfig, { ...link.joined, iceServers: offered }, link.hold).iceServers);
    } catch (error) {
      reportException(asOtError(error, 'OT_ADDRESS_NOT_LISTED'), 'Session');
    }
  }

  #announce(link: Link, connections: Connection[], streams: Stream[]): void {
    if (this.#link !== link) return;
    for (const connection of this.#options.connectionEventsSuppressed ? [] : connections) {
      // Who left meanwhile was not told to anybody yet, and is not any more.
      if (link.connections.has(connection.connectionId)) {
        this.dispatch(makeEvent('connectionCreated', this, { connection }));
      }
    }
    for (const stream of streams) if (link.streams.has(stream.streamId)) this.#streamCreated(link, stream);
    for (const archive of this.#untold.splice(0)) this.#archiveEvent('archiveStarted', archive);
  }

  /** Leaves the session; publishers and subscribers go too unless `sessionDisconnected` is prevented. */
  async disconnect(): Promise<void> {
    this.#leaving = true;
    this.#link?.close();
  }

  #ended(reason: CloseReason, error: OtError | null): void {
    this.#link = null;
    this.connection = undefined;
    this.capabilities = noCapabilities;
    if (error) reportException(error, 'Session');
    const told = reason === 'stopping' || reason === 'refused' ? 'networkDisconnected' : reason;
    const publishers = [...this.#publishers];
    const subscribers = [...this.#subscribers];
    this.#publishers.clear();
    this.#subscribers.clear();
    const event = makeEvent('sessionDisconnected', this, { reason: told }, true);
    this.dispatch(event, () => {
      for (const subscriber of subscribers) subscriber.remove(told);
    });
    for (const publisher of publishers) publisher.detach(told, { keepView: event.isDefaultPrevented() });
  }

  // -------------------------------------------------------------------------------------------- publishing, subscribing

  #publishCall(first: Publisher | Target, rest: unknown[]): Publisher {
    const callback = rest.find((each): each is Callback => typeof each === 'function');
    const properties = rest.find((each): each is PublisherProperties => typeof each === 'object' && each !== null);
    const publisher = this.#publisherOf(first, properties, () => undefined);
    settle(this.#publish(publisher), callback);
    return publisher;
  }

  #publisherOf(
    first: Publisher | Target,
    properties: PublisherProperties | undefined,
    failed: (error: OtError) => void,
  ) {
    if (first instanceof Publisher) return first;
    return new Publisher(first, properties ?? {}, (error) => {
      if (error) failed(error);
    });
  }

  async #publish(publisher: Publisher): Promise<void> {
    const link = this.#connected();
    if (this.capabilities.publish !== 1) {
      throw new OtError(
        'OT_PERMISSION_DENIED',
        'The role of this token may not publish; make one with the role publisher',
      );
    }
    this.#publishers.add(publisher);
    await publisher.attach(this, link).catch((error: unknown) => {
      this.#publishers.delete(publisher);
      throw error;
    });
  }

  /** Stops publishing; the publisher's view goes unless its `streamDestroyed` is prevented. */
  unpublish(publisher: Publisher): void {
    if (!this.#publishers.delete(publisher)) {
      reportException(
        new OtError('OT_INVALID_PARAMETER', 'This publisher is not published in this session'),
        'Session',
      );
      return;
    }
    publisher.detach('clientDisconnected');
  }

  #subscribe(
    stream: Stream,
    target: Target | undefined,
    properties: SubscriberProperties,
  ): [Subscriber, Promise<void>] {
    const subscriber = new Subscriber(stream, target, properties);
    const work = async () => {
      const link = this.#connected();
      if (this.capabilities.subscribe !== 1) {
        throw new OtError('OT_PERMISSION_DENIED', 'The role of this token may not subscribe');
      }
      if (!link.streams.has(stream.streamId)) {
        throw new OtError('OT_STREAM_NOT_FOUND', `The stream ${stream.streamId} is not in this session any more`);
      }
      this.#subscribers.add(subscriber);
      // The caller has the subscriber first, and with it the chance to listen for `videoElementCreated`.
      await Promise.resolve();
      await subscriber.attach(link);
    };
    return [
      subscriber,
      work().catch((error: unknown) => {
        this.#subscribers.delete(subscriber);
        subscriber.remove('subscribeFailed');
        throw error;
      }),
    ];
  }

  /** Stops receiving and takes the subscriber's view off the page. */
  unsubscribe(subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber);
    subscriber.remove('unsubscribed');
  }

  getPublisherForStream(stream: Stream): Publisher | undefined {
    return [...this.#publishers].find((publisher) => publisher.stream?.streamId === stream.streamId);
  }

  getSubscribersForStream(stream: Stream): [Subscriber] {
    const found = [...this.#subscribers].filter((subscriber) => subscriber.stream?.streamId === stream.streamId);
    // OpenTok types a list of any length as a pair of brackets around one.
    return found as [Subscriber];
  }

  // ---------------------------------------------------------------------------------------------- signals, moderation

  /** Sends a signal to everybody, or to one connection. */
  async signal(
    signal: { type?: string; data?: string; to?: Connection; retryAfterReconnect?: boolean },
    callback?: Callback,
  ): Promise<void> {
    const { type, data, to, retryAfterReconnect } = signal ?? {};
    const message = {
      ...(type === undefined ? {} : { type }),
      ...(data === undefined ? {} : { data: typeof data === 'string' ? data : JSON.stringify(data) }),
      ...(to ? { to: to.connectionId } : {}),
    };
    const whileDown = retryAfterReconnect === false ? 'refuse' : 'wait';
    await this.#ask('signal', message, callback, whileDown);
  }

  /** A moderator ends another client's connection. */
  async forceDisconnect(connection: Connection, callback?: Callback): Promise<void> {
    await this.#ask(
      'forceDisconnect',
      () => ({ connectionId: needed(connection?.connectionId, 'a Connection') }),
      callback,
    );
  }

  /** A moderator ends a stream. */
  async forceUnpublish(stream: Stream, callback?: Callback): Promise<void> {
    await this.#ask('forceUnpublish', () => ({ streamId: needed(stream?.streamId, 'a Stream') }), callback);
  }

  /** A moderator turns off the sound of a stream. */
  async forceMuteStream(stream: Stream): Promise<void> {
    await this.#ask('forceMuteStream', () => ({ streamId: needed(stream?.streamId, 'a Stream') }));
  }

  /** A moderator turns off the sound of all streams but some, and of those that are published later. */
  async forceMuteAll(excludedStreams: Stream[] = []): Promise<void> {
    const excludedStreamIds = excludedStreams.map(({ streamId }) => streamId);
    await this.#ask('forceMuteAll', { active: true, excludedStreamIds });
  }

  /** Streams published from now on start with their sound as they like. */
  async disableForceMute(): Promise<void> {
    await this.#ask('forceMuteAll', { active: false });
  }

  async #ask<Name extends RequestName>(
    name: Name,
    data: RequestData<Name> | (() => RequestData<Name>),
    callback?: Callback,
    whileDown: 'wait' | 'refuse' = 'wait',
  ): Promise<Answer<Name> | undefined> {
    try {
      const link = this.#connected();
      const answer = await link.wire.request(name, typeof data === 'function' ? data() : data, { whileDown });
      callback?.();
      return answer;
    } catch (thrown) {
      const error = asOtError(thrown, 'OT_UNEXPECTED_SERVER_RESPONSE');
      reportException(error, 'Session');
      if (!callback) throw error;
      callback(error);
      return undefined;
    }
  }

  // ---------------------------------------------------------------------------------------------------------- the rest

  /** Other ICE servers or another transport policy, for transports that run and those to come. */
  async setIceConfig(iceConfig: IceConfig): Promise<void> {
    checkIceConfig(iceConfig);
    const link = this.#link;
    const ice = link && iceFor(iceConfig, { ...link.joined, iceServers: link.offeredIceServers }, link.hold);
    this.#iceConfig = iceConfig;
    if (ice) await link.setIceConfig(ice.iceServers, ice.transportPolicy);
  }

  /**
   * Sets the secret of an end-to-end encrypted session, before or after connecting. A change of it in a live session is told to the
   * others at once; who does not set the same within some seconds is neither understood any more, nor understands. In a relayed
   * session each pair is built anew with it.
   */
  async setEncryptionSecret(secret: string): Promise<void> {
    checkSecret(secret);
    // One that is being opened has taken the secret that there was.
    const link = this.#link ?? this.#opening;
    if (link && !link.usesSecret) throw notEncrypted();
    await link?.changeSecret(secret);
    this.#encryptionSecret = secret;
  }

  /**
   * Not OpenTok's, and for relayed sessions: sixty digits that this client and another see alike where nobody between them swapped
   * keys. Two people compare them by some other way. null where there is no connection with it, or frames are not encrypted.
   */
  securityCode(connection: Connection): string | null {
    return this.#link?.mesh?.securityCodeWith(connection.connectionId) ?? null;
  }

  /** An application that gave a secret must not go on without, nor a session that asks for one. */
  #checkSecretFor({ mediaMode, e2ee, frames }: JoinAnswer): void {
    const given = this.#encryptionSecret !== undefined;
    // What a server must not answer is no way past the secret either.
    const sealed = mediaMode === 'relayed' ? frames && !e2ee : e2ee;
    if (given && !sealed) throw notEncrypted();
    if (given || !e2ee) return;
    throw new OtError(
      'OT_ENCRYPTION_SECRET_MISSING',
      'This session is end-to-end encrypted; give OT.initSession its encryptionSecret',
    );
  }

  /** Not OpenTok's: every leg of this client with the SRTP suite that each end of it saw. */
  security(): SecurityLeg[] {
    return this.#link?.security() ?? [];
  }

  #connected(): Link {
    if (!this.#link) {
      throw new OtError(
        'OT_NOT_CONNECTED',
        'The session is not connected; call session.connect() and wait for its callback',
      );
    }
    return this.#link;
  }

  // ------------------------------------------------------------------------------------------------ the server's events

  #event<Name extends EventName>(link: Link, name: Name, data: EventData<Name>): void {
    const told = { name, data } as { [Each in EventName]: { name: Each; data: EventData<Each> } }[EventName];
    switch (told.name) {
      case 'connectionCreated':
      case 'connectionDestroyed':
        this.#connectionEvent(link, told);
        break;
      case 'streamCreated': {
        const stream = link.streams.get(told.data.stream.streamId);
        if (stream) this.#streamCreated(link, stream);
        break;
      }
      case 'streamDestroyed':
        this.#streamDestroyed(link, told.data);
        break;
      case 'streamUpdated':
        this.#streamUpdated(link, told.data);
        break;
      case 'signal':
        this.#signalled(link, told.data);
        break;
      case 'muteForced':
        this.#muteForced(told.data);
        break;
      case 'archiveStarted':
      case 'archiveStopped':
        this.#archiveEvent(told.name, told.data.archive);
        break;
      case 'iceServers':
        this.#renewIceServers(link, told.data.iceServers);
        break;
      case 'speakers':
        this.dispatch(makeEvent('cloister:speakers', this, { levels: told.data.levels }));
    }
  }

  #archiveEvent(name: 'archiveStarted' | 'archiveStopped', { archiveId, name: title }: ArchiveShape): void {
    const untold = this.#untold.findIndex((archive) => archive.archiveId === archiveId);
    if (untold !== -1) this.#untold.splice(untold, 1);
    else this.dispatch(makeEvent(name, this, { id: archiveId, name: title }));
  }

  #connectionEvent(
    link: Link,
    told:
      | { name: 'connectionCreated'; data: EventData<'connectionCreated'> }
      | { name: 'connectionDestroyed'; data: EventData<'connectionDestroyed'> },
  ): void {
    if (this.#options.connectionEventsSuppressed) return;
    const id = told.name === 'connectionCreated' ? told.data.connection.connectionId : told.data.connectionId;
    const connection = link.connections.get(id);
    if (!connection || connection === link.self) return;
    if (told.name === 'connectionCreated') this.dispatch(makeEvent('connectionCreated', this, { connection }));
    else this.dispatch(makeEvent('connectionDestroyed', this, { connection, reason: told.data.reason }));
  }

  #streamCreated(link: Link, stream: Stream): void {
    // One's own streams are told by their publisher.
    if (stream.connection.connectionId === link.self.connectionId) return;
    this.dispatch(makeEvent('streamCreated', this, { stream }));
  }

  #streamDestroyed(link: Link, { streamId, reason }: EventData<'streamDestroyed'>): void {
    const stream = link.streams.get(streamId);
    if (!stream) return;
    if (stream.connection.connectionId === link.self.connectionId) return;
    const subscribers = [...this.#subscribers].filter((subscriber) => subscriber.stream?.streamId === streamId);
    for (const subscriber of subscribers) this.#subscribers.delete(subscriber);
    this.dispatch(makeEvent('streamDestroyed', this, { stream, reason }, true), () => {
      for (const subscriber of subscribers) subscriber.remove(reason);
    });
  }

  /** A publisher's stream is over. @internal */
  forget(publisher: Publisher): void {
    this.#publishers.delete(publisher);
  }

  #streamUpdated(link: Link, update: EventData<'streamUpdated'>): void {
    const stream = link.streams.get(update.streamId);
    if (!stream) return;
    const { changed: changedProperty, oldValue, newValue } = update;
    const change = { stream, changedProperty, oldValue, newValue } as Omit<
      SessionEvents['streamPropertyChanged'],
      keyof Event<'streamPropertyChanged', Session>
    >;
    this.dispatch(makeEvent('streamPropertyChanged', this, change));
  }

  #signalled(link: Link, { type, data, from }: EventData<'signal'>): void {
    const sender = from ? (link.connections.get(from.connectionId) ?? null) : null;
    // Both handlers get the same event, and its type names the signal's: OpenTok's applications switch on it.
    const event = makeEvent(type ? `signal:${type}` : 'signal', this, { data, from: sender });
    this.dispatch(event, undefined, 'signal');
    if (type) this.dispatch(event);
  }

  #muteForced({ active, streamIds }: EventData<'muteForced'>): void {
    for (const publisher of this.#publishers) {
      if (publisher.stream && streamIds.includes(publisher.stream.streamId)) publisher.muteForced();
    }
    this.dispatch(makeEvent('muteForced', this, { active }));
  }
}

/** Calls back with the error or without; an error that nobody waits for is an `exception` event. */
function settle(work: Promise<unknown>, callback: Callback | undefined): void {
  work.then(
    () => callback?.(),
    (thrown: unknown) => {
      const error = asOtError(thrown, 'OT_UNEXPECTED_SERVER_RESPONSE');
      reportException(error, 'Session');
      if (callback) callback(error);
      else log.error(error.message);
    },
  );
}

function notEncrypted(): OtError {
  return new OtError(
    'OT_INVALID_PARAMETER',
    'There is an encryptionSecret, but this session is not end-to-end encrypted; create it with e2ee, or leave the secret out',
  );
}

function needed(id: string | undefined, what: string): string {
  if (!id) throw new OtError('OT_INVALID_PARAMETER', `This call needs ${what}`);
  return id;
}
