/** Live sessions: joining, admitting, and what an application's server sees and moderates. */
import { type IceServer, type JoinAnswer, limits, PlatformError, type SecurityRecord } from '@cloister/protocol';
import { type AddressCheck, AddressHold, type NodeAddresses } from './address-hold.ts';
import type { AddressLists } from './address-list.ts';
import { AdmissionDesk, type TokenClaims } from './admission.ts';
import { type Client, clientOf } from './client.ts';
import type { ClientLink, Connection } from './connection.ts';
import type { Session } from './entities.ts';
import type { Actor } from './event.ts';
import type { Foundation } from './foundation.ts';
import { Home, type HomeWatcher } from './home.ts';
import { renewIceServers } from './ice-renewal.ts';
import type { MediaPeer, MediaPlane } from './media-plane.ts';
import { forceDisconnect, forceMuteAll, forceMuteStream } from './moderation.ts';
import type { RecordedLeg } from './ports.ts';
import type { Projects } from './project.ts';
import { capabilitiesOf } from './role.ts';
import { signSecurityRecord } from './security-record.ts';
import type { Sessions } from './session.ts';
import { checkSignal, deliverSignal, type Signal } from './signal.ts';
import type { Stream } from './stream.ts';
import { observePeer } from './transport.ts';

/** Where this node is, and how clients reach it. */
export interface Site {
  /** Name of this node, bound into its tickets. */
  readonly node: string;
  /** Zones that it may carry; a session of the zone `any` may be anywhere. */
  readonly zones: readonly string[];
  /** Absolute WebSocket address, or null when clients use the address by which they reached the API. */
  readonly signallingUrl: string | null;
  /** STUN and TURN servers for one connection, with credentials that end. */
  iceServers(connectionId: string): IceServer[];
  /** After how many milliseconds a connection needs them anew; null: never. */
  readonly iceRenewMs: number | null;
  /** Where it stands in address lists; without it none holds here. */
  readonly addresses?: NodeAddresses;
}

interface CallsParts {
  readonly projects: Projects;
  readonly sessions: Sessions;
  readonly media: MediaPlane;
  readonly site: Site;
  readonly addressLists: AddressLists;
  readonly addressCheck: AddressCheck;
}

interface Slot {
  readonly home: Promise<Home>;
  /** Clients that are on their way in: a home with one of these is not closed. */
  entering: number;
}

export class Calls {
  readonly #deps: Foundation;
  readonly #projects: Projects;
  readonly #sessions: Sessions;
  readonly #media: MediaPlane;
  readonly #site: Site;
  readonly #desk: AdmissionDesk;
  readonly #addresses: { lists: AddressLists; check: AddressCheck };
  readonly #slots = new Map<string, Slot>();
  readonly #live = new Map<string, Home>();
  /** Who follows the session of a new home. */
  watcherOf: (home: Home) => HomeWatcher | null = () => null;
  #lastEpoch = 0;
  #stopping = false;

  constructor(deps: Foundation, parts: CallsParts) {
    this.#deps = deps;
    this.#projects = parts.projects;
    this.#sessions = parts.sessions;
    this.#media = parts.media;
    this.#site = parts.site;
    this.#desk = new AdmissionDesk(deps, parts.site.node);
    this.#addresses = { lists: parts.addressLists, check: parts.addressCheck };
    parts.projects.onCompromised = (projectId, secretIds) =>
      this.#expelWhere(projectId, (connection) => secretIds.includes(connection.secretId));
    parts.projects.onSuspended = (projectId) => this.#expelWhere(projectId, () => true);
  }

  /**
   * Answers a client whose token was verified: the node, a ticket for it and the session's policy.
   * @param signallingUrl where the client reaches this node when the site names no address of its own.
   * @param wish `ipWhitelist`: it wants the address list, to hold to it by itself.
   * @throws PlatformError `AddressNotListed`, `AddressLineRefused`, `AddressListMissing`, `ProjectSuspended`, `SessionNotFound`, `ZoneUnavailable`, `SuiteUnprovable`, `Stopping`, `Overloaded`
   */
  async join(claims: TokenClaims, signallingUrl: string, wish: { ipWhitelist?: boolean } = {}): Promise<JoinAnswer> {
    if (this.#stopping) throw new PlatformError('Stopping');
    this.#deps.recorder.requireRoom();
    await this.#projects.active(claims.projectId);
    const session = await this.#sessions.get(claims.projectId, claims.sessionId);
    this.#assertPlace(session);
    const connectionId = this.#deps.ids.uuid();
    const ways = {
      signallingUrl: this.#site.signallingUrl ?? signallingUrl,
      iceServers: this.#site.iceServers(connectionId),
    };
    const hold = await this.#holdOf(claims.projectId, connectionId);
    await hold?.requireJoin(ways);
    if (wish.ipWhitelist && !hold) {
      throw new PlatformError('AddressListMissing', { why: 'the project, or this node, uses none' });
    }
    return {
      connectionId,
      ...ways,
      ...(wish.ipWhitelist && hold && { addressList: await hold.forClient(ways) }),
      ticket: this.#desk.issue(claims, connectionId),
      mediaPolicy: session.policy,
      mediaMode: session.mediaMode,
      e2ee: session.e2ee,
      frames: session.mediaMode === 'relayed' && (await this.#projects.entitled(claims.projectId, 'media.aes256')),
      epoch: this.#live.get(session.id)?.epoch ?? this.#nextEpoch(),
    };
  }

  /**
   * Takes a client in by its ticket.
   * @param says of itself: whether it can encrypt frames towards other clients
   * @throws PlatformError `AdmissionRefused`, `LimitReached`, `CapacityReached`, and all that `join` refuses.
   */
  async admit(ticket: string, link: ClientLink, { frames }: { frames: boolean } = { frames: false }): Promise<Client> {
    if (this.#stopping) throw new PlatformError('Stopping');
    this.#deps.recorder.requireRoom();
    const admission = this.#desk.admit(ticket);
    const session = await this.#sessions.get(admission.projectId, admission.sessionId);
    this.#assertPlace(session);
    const secrets = await this.#projects.secretsOf(admission.projectId);
    await this.#projects.active(admission.projectId);
    if (!secrets.some((secret) => secret.id === admission.secretId)) {
      throw new PlatformError('AdmissionRefused', { why: 'the secret that signed its token is not valid any more' });
    }
    const slot = this.#slot(session);
    slot.entering += 1;
    let home: Home | null = null;
    try {
      home = await slot.home;
      if (home.connections.size >= limits.connectionsPerSession) {
        throw new PlatformError('LimitReached', {
          limit: 'connectionsPerSession',
          value: limits.connectionsPerSession,
        });
      }
      let self: Connection | null = null;
      const { projectId } = admission;
      const hold = await this.#holdOf(projectId, admission.connectionId);
      const peer = home.room
        ? await home.room.join(
            admission.connectionId,
            observePeer(() => self!),
          )
        : null;
      this.#requireStaying(projectId, peer);
      self = {
        id: admission.connectionId,
        createdAt: this.#deps.clock.now(),
        data: admission.connectionData,
        role: admission.role,
        capabilities: { ...capabilitiesOf(admission.role), ...(home.room ? {} : { forceMute: 0 as const }) },
        layoutClasses: admission.layoutClasses,
        secretId: admission.secretId,
        home,
        link,
        peer,
        transports: new Map(),
        streams: new Map(),
        subscriptions: new Map(),
        legs: new Map(),
        hold,
        frames,
        frameKey: null,
        stopIceRenewal: () => {},
        closed: false,
      };
      home.enter(self);
      renewIceServers(self, this.#site, this.#deps.clock);
      return clientOf(self, this.#deps.ids);
    } finally {
      slot.entering -= 1;
      if (home && home.connections.size === 0) this.#closeIfEmpty(home);
    }
  }

  /** The live home of a session, or null while nobody is connected. @throws PlatformError `SessionNotFound` */
  async home(projectId: string, sessionId: string): Promise<Home | null> {
    const session = await this.#sessions.get(projectId, sessionId);
    return this.#live.get(session.id) ?? null;
  }

  /** Streams that are published now. */
  async streams(projectId: string, sessionId: string): Promise<Stream[]> {
    const home = await this.home(projectId, sessionId);
    return home ? [...home.streams.values()].filter((stream) => stream.announced) : [];
  }

  /** Connections that are in the session now. */
  async connections(projectId: string, sessionId: string): Promise<Connection[]> {
    const home = await this.home(projectId, sessionId);
    return home ? [...home.connections.values()] : [];
  }

  /** Sets layout classes of streams, all or none. @throws PlatformError `StreamNotFound`, `BadRequest` */
  async setLayoutClasses(
    actor: Actor,
    projectId: string,
    sessionId: string,
    items: readonly { id: string; classes: readonly string[] }[],
  ): Promise<Stream[]> {
    const home = await this.#connected(projectId, sessionId);
    home.requireRoom();
    for (const { classes } of items) checkClasses(classes);
    const streams = items.map(({ id }) => {
      const stream = home.streams.get(id);
      if (!stream?.announced) throw new PlatformError('StreamNotFound', { streamId: id });
      return stream;
    });
    streams.forEach((stream, index) => {
      stream.layoutClasses = items[index]!.classes;
      home.record(actor, { type: 'stream.layoutChanged', streamId: stream.id, classes: stream.layoutClasses });
      home.watcher?.streamChanged(stream);
    });
    return streams;
  }

  /** Sends a signal from the application's server. @throws PlatformError `NobodyConnected`, `ConnectionNotFound`, and those of the signal itself */
  async signal(projectId: string, sessionId: string, signal: Signal, to: string | null): Promise<void> {
    checkSignal(signal, true);
    const home = await this.#connected(projectId, sessionId);
    home.requireRoom();
    deliverSignal(home, signal, to, null);
  }

  async forceDisconnect(actor: Actor, projectId: string, sessionId: string, connectionId: string): Promise<void> {
    const home = await this.home(projectId, sessionId);
    if (!home) throw new PlatformError('ConnectionNotFound', { connectionId });
    forceDisconnect(home, connectionId, actor);
  }

  async forceMuteStream(actor: Actor, projectId: string, sessionId: string, streamId: string): Promise<void> {
    const home = await this.home(projectId, sessionId);
    if (!home) throw new PlatformError('StreamNotFound', { streamId });
    await forceMuteStream(home, streamId, actor);
  }

  async forceMuteAll(
    actor: Actor,
    projectId: string,
    sessionId: string,
    active: boolean,
    excludedStreamIds: readonly string[],
  ): Promise<void> {
    await forceMuteAll(await this.#connected(projectId, sessionId), active, excludedStreamIds, actor);
  }

  /**
   * Every leg that the session ever had, with the suite seen from both ends.
   * @throws PlatformError `SessionNotFound`; `StoreUnavailable` when what was seen so far is not durable in time.
   */
  async security(projectId: string, sessionId: string): Promise<SecurityRecord> {
    const { session, legs } = await this.#recorded(projectId, sessionId);
    return { policy: session.policy, legs: legs.map(({ leg }) => leg) };
  }

  /**
   * The same with every word that was said of each leg, signed: a compact JWS (RFC 7515), whose claims are a
   * `SignedSecurityRecord`.
   * @throws PlatformError as `security` does
   */
  async signedSecurity(projectId: string, sessionId: string): Promise<string> {
    const { session, legs } = await this.#recorded(projectId, sessionId);
    return signSecurityRecord(this.#deps.keys, session, legs, this.#deps.clock.now());
  }

  /** Live sessions and what is in them, for the start page and the inspector. */
  overview(): { sessionId: string; connections: number; streams: number }[] {
    return [...this.#live.values()].map((home) => ({
      sessionId: home.session.id,
      connections: home.connections.size,
      streams: home.streams.size,
    }));
  }

  /** Sends everybody away, in order, and waits until the record of it is durable. @throws PlatformError as `Recorder.flush` */
  async close(): Promise<void> {
    this.#stopping = true;
    for (const home of [...this.#live.values()]) {
      for (const connection of [...home.connections.values()]) home.expel(connection, 'stopping', { kind: 'system' });
    }
    await this.#deps.recorder.flush();
  }

  async #recorded(projectId: string, sessionId: string): Promise<{ session: Session; legs: RecordedLeg[] }> {
    const session = await this.#sessions.get(projectId, sessionId);
    await this.#deps.recorder.flush();
    return { session, legs: await this.#deps.store.legs.list(session.id) };
  }

  /**
   * What a connection of a project is held to; null where no list holds: the project has none, or this node.
   * @throws PlatformError `AddressLineRefused`
   */
  async #holdOf(projectId: string, connectionId: string): Promise<AddressHold | null> {
    const { check, lists } = this.#addresses;
    if (check.line === null || !(await this.#projects.entitled(projectId, 'ip.ranges'))) return null;
    if (check.line !== 'enterprise') throw new PlatformError('AddressLineRefused', { line: check.line });
    return new AddressHold({ check, lists, recorder: this.#deps.recorder }, { projectId, connectionId });
  }

  /** Everybody may have been sent away while somebody came in. @throws PlatformError `IssuerNotFound` */
  #requireStaying(projectId: string, peer: MediaPeer | null): void {
    try {
      this.#projects.requireStaying(projectId);
    } catch (error) {
      peer?.close();
      throw error;
    }
  }

  #assertPlace(session: Session): void {
    if (session.zone !== 'any' && !this.#site.zones.includes(session.zone)) {
      throw new PlatformError('ZoneUnavailable', { zone: session.zone });
    }
    if (session.policy === 'require-aes256' && !this.#media.reportsSuites) throw new PlatformError('SuiteUnprovable');
  }

  async #connected(projectId: string, sessionId: string): Promise<Home> {
    const home = await this.home(projectId, sessionId);
    if (!home) throw new PlatformError('NobodyConnected');
    return home;
  }

  #slot(session: Session): Slot {
    const open = this.#slots.get(session.id);
    if (open) return open;
    const slot: Slot = { home: this.#open(session), entering: 0 };
    this.#slots.set(session.id, slot);
    slot.home.catch(() => this.#slots.delete(session.id));
    return slot;
  }

  async #open(session: Session): Promise<Home> {
    const room = session.mediaMode === 'routed' ? await this.#media.openRoom(session.id) : null;
    const home = new Home(session, this.#nextEpoch(), room, {
      clock: this.#deps.clock,
      recorder: this.#deps.recorder,
      onEmpty: (empty) => this.#closeIfEmpty(empty),
    });
    home.watcher = this.watcherOf(home);
    this.#live.set(session.id, home);
    return home;
  }

  #closeIfEmpty(home: Home): void {
    const { id } = home.session;
    if (this.#live.get(id) !== home || home.connections.size > 0 || this.#slots.get(id)!.entering > 0) return;
    this.#slots.delete(id);
    this.#live.delete(id);
    home.room?.close();
    home.watcher?.closed();
  }

  /** Ascending across restarts too, since it never falls behind the time in seconds. */
  #nextEpoch(): number {
    this.#lastEpoch = Math.max(this.#lastEpoch + 1, Math.floor(this.#deps.clock.now() / 1000));
    return this.#lastEpoch;
  }

  #expelWhere(projectId: string, chosen: (connection: Connection) => boolean): void {
    for (const home of [...this.#live.values()]) {
      if (home.session.projectId !== projectId) continue;
      for (const connection of [...home.connections.values()].filter(chosen)) {
        home.expel(connection, 'forceDisconnected', { kind: 'project', projectId });
      }
    }
  }
}

function checkClasses(classes: readonly string[]): void {
  if (classes.length > limits.layoutClasses)
    throw new PlatformError('BadRequest', { why: `more than ${limits.layoutClasses} layout classes` });
  if (classes.some((each) => each.length > limits.layoutClassChars)) {
    throw new PlatformError('BadRequest', {
      why: `a layout class is longer than ${limits.layoutClassChars} characters`,
    });
  }
}
