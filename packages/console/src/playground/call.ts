/**
 * A call as a small state machine over OpenTok's objects: idle → joining → connected ⇄ reconnecting → ended. Components
 * read `state` and call the verbs; they never touch `OT`.
 */

import type { PlaygroundSecret } from '@cloister/protocol';
import { createStore } from '../kit/store.ts';
import type { Ticket } from './api.ts';
import { type CallState, idleCall, type RemoteTile } from './call-state.ts';
import type { Ot, OtConnection, OtError, OtPublisher, OtSession, OtStream } from './ot.ts';
import type { OwnMedia } from './own-media.ts';
import { nameOf } from './person.ts';
import { ScreenShare } from './screen-share.ts';
import { endWords, lostStream, problemOf, unshownWords } from './words.ts';

/** dBov from which on a person is shown as speaking (RFC 6464: 0 is loudest, -127 silence); a quiet room has less. */
const SPEAKING_DBOV = -60;

/** Chat lines kept on the page; older ones go. */
const CHAT_LINES = 500;

export class Call {
  readonly state = createStore<CallState>(idleCall);
  /** What the people of the session share; '' is none. It outlives the call, and is kept in memory alone. */
  readonly secret = createStore({ value: '' });
  /** Names and streams of everybody who was ever here, for the record of legs. */
  readonly seenPeople = new Map<string, string>();
  readonly seenStreams = new Map<string, { connectionId: string; kind: 'camera' | 'screen' }>();
  #ot: Ot;
  #media: OwnMedia;
  #session: OtSession | null = null;
  #streams = new Map<string, OtStream>();
  #connections = new Map<string, OtConnection>();
  #screen: ScreenShare;
  #count = 0;

  constructor(ot: Ot, media: OwnMedia) {
    this.#ot = ot;
    this.#media = media;
    this.#screen = new ScreenShare(
      ot,
      this.state,
      (stream) => this.#seen(stream),
      (error) => this.#complain(error),
    );
  }

  /** Joins, with the secret where there is one, and publishes what there is. The outcome is in `state`: never rejects. */
  async join({ apiKey, sessionId, token }: Ticket, secretUse: PlaygroundSecret): Promise<void> {
    this.state.set({ ...idleCall, phase: 'joining', sessionId, secretUse });
    this.#streams.clear();
    this.#connections.clear();
    const encryptionSecret = this.secret.get().value;
    const session = this.#ot.initSession(apiKey, sessionId, encryptionSecret ? { encryptionSecret } : {});
    this.#session = session;
    this.#listen(session);
    const error = await new Promise<OtError | undefined>((resolve) => session.connect(token, resolve));
    if (this.#session !== session) return;
    if (error) {
      this.#session = null;
      this.state.set({ phase: 'idle', problem: problemOf(error, 'Joining did not work') });
      return;
    }
    const { publish, forceMute, forceDisconnect } = session.capabilities;
    // OpenTok has no such capability: archives are the application's, which is this page here, and its moderators'.
    const archive = forceMute === 1;
    this.state.set({
      phase: 'connected',
      connectionId: session.connection?.connectionId ?? null,
      may: { publish: publish === 1, mute: forceMute === 1, disconnect: forceDisconnect === 1, archive },
    });
    if (session.connection) this.#arrive(session.connection);
    await this.publish();
  }

  /** Sends this person's camera and microphone, where the role and the devices allow it. */
  async publish(): Promise<void> {
    const session = this.#session;
    const publisher = this.#media.publisher;
    const { may, publishing } = this.state.get();
    if (!session || !publisher || !may.publish || publishing !== 'off') return;
    this.state.set({ publishing: 'starting' });
    publisher.on('streamDestroyed', ({ reason }) => this.#unpublished(publisher, reason));
    publisher.on('muteForced', () => this.#say('A moderator muted you. You can switch your microphone on again.'));
    const error = await new Promise<OtError | undefined>((resolve) => session.publish(publisher, resolve));
    if (this.#session !== session) return;
    if (error) {
      this.state.set({ publishing: 'off', ownStreamId: null });
      this.#media.release();
      this.#complain(error);
      return;
    }
    if (publisher.stream) this.#seen(publisher.stream);
    this.state.set({ publishing: 'on', ownStreamId: publisher.stream?.streamId ?? null });
  }

  #unpublished(publisher: OtPublisher, reason: string): void {
    if (this.#media.publisher !== publisher || this.state.get().publishing === 'off') return;
    this.state.set({ publishing: 'off', ownStreamId: null });
    this.#media.release();
    if (reason === 'forceUnpublished') this.#say('A moderator stopped your camera and microphone.');
  }

  #listen(session: OtSession): void {
    const current = () => this.#session === session;
    session.on('connectionCreated', ({ connection }) => current() && this.#arrive(connection));
    session.on('connectionDestroyed', ({ connection }) => current() && this.#depart(connection));
    session.on('streamCreated', ({ stream }) => current() && this.#subscribe(session, stream));
    session.on('streamDestroyed', ({ stream }) => current() && this.#remove(stream));
    session.on('streamPropertyChanged', ({ stream }) => {
      if (current()) this.#update(stream.streamId, { hasAudio: stream.hasAudio, hasVideo: stream.hasVideo });
    });
    session.on('sessionReconnecting', () => current() && this.state.set({ phase: 'reconnecting' }));
    session.on('sessionReconnected', () => {
      if (!current()) return;
      this.state.set({ phase: 'connected' });
      this.#say('The connection is back.');
    });
    session.on('sessionDisconnected', ({ reason }) => current() && this.#end(reason));
    session.on('archiveStarted', ({ id }) => current() && this.#archived(id, true));
    session.on('archiveStopped', ({ id }) => current() && this.#archived(id, false));
    session.on('signal', ({ type, data, from }) => {
      if (current() && /^(signal:)?chat$/.test(type ?? '')) this.#hear(from, data ?? '');
    });
    session.on('cloister:leg', ({ leg }) => {
      const others = this.state
        .get()
        .ownLegs.filter((each) => each.streamId !== leg.streamId || each.direction !== leg.direction);
      if (current()) this.state.set({ ownLegs: [...others, leg] });
    });
    session.on('cloister:speakers', ({ levels }) => {
      const loud = levels.filter(({ level }) => level >= SPEAKING_DBOV).map(({ streamId }) => streamId);
      if (current()) this.state.set({ speaking: new Set(loud) });
    });
  }

  #arrive(connection: OtConnection): void {
    const { connectionId } = connection;
    const own = connectionId === this.#session?.connection?.connectionId;
    this.#connections.set(connectionId, connection);
    this.seenPeople.set(connectionId, nameOf(connection));
    const { people, phase } = this.state.get();
    if (people.some((person) => person.connectionId === connectionId)) return;
    this.state.set({ people: [...people, { connectionId, name: nameOf(connection), own }] });
    if (!own && phase === 'connected') this.#say(`${nameOf(connection)} is here.`);
  }

  #depart(connection: OtConnection): void {
    this.#connections.delete(connection.connectionId);
    const people = this.state.get().people.filter((person) => person.connectionId !== connection.connectionId);
    this.state.set({ people });
    this.#say(`${nameOf(connection)} has left.`);
  }

  #seen(stream: OtStream): void {
    const kind = kindOf(stream);
    this.seenStreams.set(stream.streamId, { connectionId: stream.connection.connectionId, kind });
  }

  #subscribe(session: OtSession, stream: OtStream): void {
    const { streamId } = stream;
    const { connectionId } = stream.connection;
    if (this.#streams.has(streamId) || connectionId === session.connection?.connectionId) return;
    this.#streams.set(streamId, stream);
    this.#seen(stream);
    this.#arrive(stream.connection);
    const { width, height } = stream.videoDimensions;
    const tile: RemoteTile = {
      streamId,
      connectionId,
      kind: kindOf(stream),
      element: null,
      aspect: width > 0 && height > 0 ? width / height : 4 / 3,
      hasAudio: stream.hasAudio,
      hasVideo: stream.hasVideo,
      fallback: false,
      understood: true,
      problem: null,
    };
    this.state.set({ remote: [...this.state.get().remote, tile] });
    const subscriber = session.subscribe(stream, undefined, { insertDefaultUI: false }, (error) => {
      if (error) this.#update(streamId, { problem: unshownWords(error) });
    });
    subscriber.on('videoElementCreated', ({ element }) => this.#update(streamId, { element }));
    subscriber.on('videoDimensionsChanged', ({ newValue }) => {
      if (newValue.width > 0 && newValue.height > 0) {
        this.#update(streamId, { aspect: newValue.width / newValue.height });
      }
    });
    subscriber.on('videoDisabled', ({ reason }) => reason === 'quality' && this.#update(streamId, { fallback: true }));
    subscriber.on('videoEnabled', () => this.#update(streamId, { fallback: false }));
    subscriber.on('encryptionSecretMismatch', () => this.#update(streamId, { understood: false }));
    subscriber.on('encryptionSecretMatch', () => this.#update(streamId, { understood: true }));
    subscriber.on('destroyed', ({ reason }) => this.#lost(streamId, reason));
    subscriber.on('audioBlocked', () => this.state.set({ soundBlocked: true }));
    subscriber.on('audioUnblocked', () => this.state.set({ soundBlocked: false }));
  }

  /** A stream that stood and cannot be received any more, though its publisher goes on. A reason that is shown already stays. */
  #lost(streamId: string, reason: string): void {
    const tile = this.state.get().remote.find((each) => each.streamId === streamId);
    if (reason === 'networkDisconnected' && tile?.understood && !tile.problem)
      this.#update(streamId, { problem: lostStream });
  }

  #update(streamId: string, change: Partial<RemoteTile>): void {
    const { remote } = this.state.get();
    this.state.set({ remote: remote.map((tile) => (tile.streamId === streamId ? { ...tile, ...change } : tile)) });
  }

  #remove({ streamId }: OtStream): void {
    this.#streams.delete(streamId);
    const { remote, ownLegs } = this.state.get();
    this.state.set({
      remote: remote.filter((tile) => tile.streamId !== streamId),
      ownLegs: ownLegs.filter((leg) => leg.streamId !== streamId),
    });
  }

  /** The start is said by its sign, for as long as it lasts. */
  #archived(id: string, recorded: boolean): void {
    const others = this.state.get().archives.filter((each) => each !== id);
    this.state.set({ archives: recorded ? [...others, id] : others });
    if (!recorded && others.length === 0) this.#say('The recording has ended.');
  }

  #hear(from: OtConnection | null, text: string): void {
    const { chat, connectionId } = this.state.get();
    const line = {
      id: ++this.#count,
      name: from ? nameOf(from) : 'The server',
      own: from !== null && from.connectionId === connectionId,
      text,
      at: Date.now(),
    };
    this.state.set({ chat: [...chat, line].slice(-CHAT_LINES) });
  }

  /** Sends a chat line to everybody. @returns whether it went out */
  async say(text: string): Promise<boolean> {
    return this.#attempt((session) => session.signal({ type: 'chat', data: text }));
  }

  async mute(streamId: string): Promise<boolean> {
    const stream = this.#streams.get(streamId);
    return stream !== undefined && this.#attempt((session) => session.forceMuteStream(stream));
  }

  /** Mutes everybody but this person, and those who come later. */
  async muteOthers(): Promise<boolean> {
    const own = this.#media.publisher?.stream;
    return this.#attempt((session) => session.forceMuteAll(own ? [own] : []));
  }

  async disconnectPerson(connectionId: string): Promise<boolean> {
    const connection = this.#connections.get(connectionId);
    return connection !== undefined && this.#attempt((session) => session.forceDisconnect(connection));
  }

  /** Takes another secret for this session. The others have to do the same. @returns whether it was taken */
  async changeSecret(secret: string): Promise<boolean> {
    const taken = await this.#attempt((session) => session.setEncryptionSecret(secret));
    if (taken) {
      this.secret.set({ value: secret });
      this.#say('You have another secret now. The others need the same.');
    }
    return taken;
  }

  async shareScreen(): Promise<void> {
    if (this.#session) await this.#screen.start(this.#session);
  }

  stopScreen(): void {
    this.#screen.stop();
  }

  /** Back from the end of a call to before it. */
  reset(): void {
    if (this.state.get().phase === 'ended') this.state.set(idleCall);
  }

  /** Plays the sound that the browser held back until the person did something. */
  async allowSound(): Promise<void> {
    await this.#ot.unblockAudio();
    this.state.set({ soundBlocked: false });
  }

  /** Leaves. The state says `ended` at once; the server is told in the background. */
  leave(): void {
    const session = this.#session;
    if (!session) return;
    this.#end('left');
    session.disconnect().catch(() => undefined);
  }

  dismissNotice(id: number): void {
    if (this.state.get().notice?.id === id) this.state.set({ notice: null });
  }

  async #attempt(act: (session: OtSession) => Promise<void>): Promise<boolean> {
    if (!this.#session) return false;
    try {
      await act(this.#session);
      return true;
    } catch (error) {
      this.#complain(error);
      return false;
    }
  }

  #end(reason: string): void {
    this.#screen.stop();
    this.#session = null;
    this.#media.release();
    const { sessionId, chat } = this.state.get();
    this.state.set({ ...idleCall, phase: 'ended', sessionId, chat, problem: endWords(reason) });
  }

  #say(text: string): void {
    this.state.set({ notice: { id: ++this.#count, text, tone: 'info' } });
  }

  #complain(error: unknown): void {
    const { title, text } = problemOf(error);
    this.state.set({ notice: { id: ++this.#count, text: `${title}. ${text}`, tone: 'problem' } });
  }
}

function kindOf(stream: OtStream): 'camera' | 'screen' {
  return stream.videoType === 'screen' ? 'screen' : 'camera';
}
