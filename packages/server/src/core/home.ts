/**
 * The home of one live session: who is in it, what they publish, and the order in which everybody learns of it. It is
 * opened by the first connection and ended by the last. All of it runs on one thread and changes state synchronously
 * before it sends, so every client sees the same order.
 */
import type { ArchiveShape, EventData, EventName, StreamEndReason } from '@cloister/protocol';
import type { Clock } from '../lib/index.ts';
import { type CloseReason, type Connection, connectionFacts, connectionShape } from './connection.ts';
import type { Session } from './entities.ts';
import type { Actor } from './event.ts';
import { closeLegs } from './leg.ts';
import type { MediaRoom } from './media-plane.ts';
import type { NewEvent, Recorder } from './recorder.ts';
import { type Stream, streamFacts, streamShape } from './stream.ts';

type WithoutPlace<E> = E extends unknown ? Omit<E, 'projectId' | 'sessionId'> : never;
/** An event of a session, before its home fills in which one. */
export type SessionEvent = WithoutPlace<Extract<NewEvent, { sessionId: string }>>;

/** Who follows what is published in a session: its archives. Told after the change, in its order. */
export interface HomeWatcher {
  streamCreated(stream: Stream): void;
  streamChanged(stream: Stream): void;
  streamDestroyed(stream: Stream): void;
  /** Somebody is in the session now, or nobody is any more. */
  occupied(somebody: boolean): void;
  /** This home is closed; the session may find another. */
  closed(): void;
  /** Archives that are being recorded now. */
  archives(): ArchiveShape[];
}

export interface HomeDeps {
  readonly clock: Clock;
  readonly recorder: Recorder;
  /** Called when the last connection has gone. */
  onEmpty(home: Home): void;
}

export class Home {
  readonly session: Session;
  /** Raised each time the session finds a new home; in every frame, so that an older home is recognised. */
  readonly epoch: number;
  /** null in a relayed session: its media never comes here. */
  readonly room: MediaRoom | null;
  readonly connections = new Map<string, Connection>();
  readonly streams = new Map<string, Stream>();
  /** null where nothing can be recorded. */
  watcher: HomeWatcher | null = null;
  /** Force-mute of the session: who publishes later starts muted. */
  readonly mute = { active: false };
  readonly #deps: HomeDeps;

  constructor(session: Session, epoch: number, room: MediaRoom | null, deps: HomeDeps) {
    this.session = session;
    this.epoch = epoch;
    this.room = room;
    this.#deps = deps;
  }

  get now(): number {
    return this.#deps.clock.now();
  }

  /** Records an event of this session. */
  record(actor: Actor, event: SessionEvent): void {
    const whole = { ...event, projectId: this.session.projectId, sessionId: this.session.id } as NewEvent;
    this.#deps.recorder.record(actor, whole);
  }

  /** Asked before something new begins in it. @throws PlatformError `Overloaded` while too many events wait to be recorded */
  requireRoom(): void {
    this.#deps.recorder.requireRoom();
  }

  /** Sends an event to all connections but `except`. */
  broadcast<Name extends EventName>(event: Name, data: EventData<Name>, except?: Connection): void {
    for (const connection of this.connections.values()) {
      if (connection !== except) connection.link.send(event, data);
    }
  }

  /** Takes a connection in and tells the others. */
  enter(connection: Connection): void {
    const actor: Actor = { kind: 'connection', connectionId: connection.id };
    if (this.connections.size === 0) this.record(actor, { type: 'session.started' });
    this.connections.set(connection.id, connection);
    const { zone } = this.session;
    this.record(actor, { type: 'connection.created', connection: connectionFacts(connection), zone });
    this.broadcast('connectionCreated', { connection: connectionShape(connection) }, connection);
    if (this.connections.size === 1) this.watcher?.occupied(true);
  }

  /** Ends a connection: its streams first, then itself; the others learn of both in that order. */
  leave(
    connection: Connection,
    reason: 'clientDisconnected' | 'forceDisconnected' | 'networkDisconnected',
    actor: Actor,
  ): void {
    if (connection.closed) return;
    connection.closed = true;
    connection.stopIceRenewal();
    for (const stream of [...connection.streams.values()]) this.endStream(stream, reason, actor);
    closeLegs(connection);
    connection.peer?.close();
    this.connections.delete(connection.id);
    this.record(actor, { type: 'connection.destroyed', connection: connectionFacts(connection), reason });
    this.broadcast('connectionDestroyed', { connectionId: connection.id, reason });
    if (this.connections.size > 0) return;
    this.watcher?.occupied(false);
    this.record(actor, { type: 'session.ended' });
    this.#deps.onEmpty(this);
  }

  /** Sends a connection away and ends it. */
  expel(connection: Connection, reason: CloseReason, actor: Actor): void {
    if (connection.closed) return;
    connection.link.close(reason, null);
    this.leave(connection, reason === 'forceDisconnected' ? 'forceDisconnected' : 'networkDisconnected', actor);
  }

  /** Makes a stream known to the others: its first leg is allowed. */
  announce(stream: Stream): void {
    if (stream.announced) return;
    stream.announced = true;
    this.record(
      { kind: 'connection', connectionId: stream.connection.id },
      { type: 'stream.created', stream: streamFacts(stream) },
    );
    this.broadcast('streamCreated', { stream: streamShape(stream) });
    this.watcher?.streamCreated(stream);
  }

  /** Ends a stream for everybody. The publisher is told too, unless it is what ended. */
  endStream(stream: Stream, reason: StreamEndReason, actor: Actor): void {
    if (this.streams.get(stream.id) !== stream) return;
    this.streams.delete(stream.id);
    stream.connection.streams.delete(stream.id);
    closeLegs(stream.connection, stream.id);
    stream.connection.peer?.closeStream(stream.id);
    for (const other of this.connections.values()) {
      if (!other.subscriptions.delete(stream.id)) continue;
      closeLegs(other, stream.id);
      other.peer?.closeSubscription(stream.id);
    }
    if (!stream.announced) return;
    this.record(actor, { type: 'stream.destroyed', stream: streamFacts(stream), reason });
    this.broadcast('streamDestroyed', { streamId: stream.id, reason });
    this.watcher?.streamDestroyed(stream);
  }
}
