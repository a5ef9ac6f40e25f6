/**
 * The rules over the real embedded store and real keys. Media is a double here and only here: these tests are about who
 * may do what and in which order it is told, and the real worker has its own tests and the end-to-end ones.
 */
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { type EventName, limits, type RtpParameters, type Suite, type TransportOffer } from '@cloister/protocol';
import {
  type Act,
  type ArchiveTimes,
  type Client,
  type ClientLink,
  type Core,
  type Credentials,
  createCore,
  type FeatureUses,
  type MediaPeer,
  type MediaPlane,
  type NodeAddresses,
  type PeerObserver,
  type PlanBook,
  type Role,
  type Session,
  type SessionWish,
  type Site,
  type StreamTap,
  type Uploads,
} from '../../packages/server/src/core/index.ts';
import { openKeys } from '../../packages/server/src/keys/index.ts';
import { ManualClock, systemIds } from '../../packages/server/src/lib/index.ts';
import { openCredentials } from '../../packages/server/src/people/index.ts';
import { openPgliteStore } from '../../packages/server/src/store/index.ts';
import { newDataFolder } from '../rig/embedded.ts';
import { RecordingsDouble } from './recordings.ts';

export interface Told {
  readonly event: EventName | 'close';
  readonly data: Record<string, unknown>;
}

/** When a connection is given new ICE servers. */
export const iceRenewMs = 300_000;

/** How long the recorder waits before it tries again. */
const recorderRetryMs = 500;

/** A client with all that it was told. */
export interface TestClient {
  readonly client: Client;
  readonly told: Told[];
  /** What the double of the media plane was asked for this client, in order. */
  readonly media: string[];
  readonly observer: PeerObserver;
  /** Names of the events, or the data of those with this name. */
  events(): string[];
  data(name: string): Record<string, unknown>[];
}

export const rtpParameters = {
  codecs: [{ mimeType: 'audio/opus', payloadType: 100, clockRate: 48000 }],
  encodings: [{ ssrc: 1 }],
} as RtpParameters;

/** A stream as a client announces it. */
export const camera = {
  name: 'camera',
  initials: '',
  videoType: 'camera',
  hasAudio: true,
  hasVideo: true,
  videoDimensions: { width: 640, height: 480 },
  frameRate: 30,
  audioFallback: true,
} as const;

/** What was begun by an event, such as the tap of a stream, is done. */
export const settled = () => new Promise(setImmediate);

export interface TestPlatform {
  readonly core: Core;
  readonly clock: ManualClock;
  /** What the audit was told, in order. */
  readonly acts: readonly Act[];
  readonly accountId: string;
  readonly projectId: string;
  reportsSuites: boolean;
  /** What happens in the media plane while a transport is being opened. */
  whileOpening: () => void;
  /** What the media plane says of the next transports. */
  readonly offered: { candidates: TransportOffer['iceCandidates'] };
  readonly recordings: RecordingsDouble;
  session(wish?: Partial<SessionWish>): Promise<Session>;
  /** @param says what the client says of itself */
  enter(session: Session, role?: Role, data?: string, says?: { frames: boolean }): Promise<TestClient>;
  /** Publishes a stream whose DTLS gives this suite; resolves with its id. */
  publish(from: TestClient, suite?: Suite): Promise<string>;
  /** Time passes; what falls due then is done. */
  passes(seconds: number): Promise<void>;
  close(): Promise<void>;
}

export interface TestParts {
  /** `false` leaves the recorder out. */
  recorder?: boolean;
  /** Without them archives stay with the server. */
  uploads?: Uploads;
  archiveTimes?: ArchiveTimes;
  checkAddress?: (url: string) => Promise<void>;
  startAt?: number;
  /** Where this node stands in address lists. */
  addresses?: NodeAddresses;
  signallingUrl?: string | null;
  turnUrls?: string[];
  credentials?: Credentials;
  plans?: PlanBook;
  featureUses?: FeatureUses;
}

export async function testPlatform(plan = 'enterprise', parts: TestParts = {}): Promise<TestPlatform> {
  const clock = new ManualClock(parts.startAt);
  const journal = { record() {} };
  const dataDir = await newDataFolder();
  const store = await openPgliteStore({ dataDir, clock, journal });
  const keys = await openKeys({ root: randomBytes(32), keyring: store.keyring, clock, ids: systemIds });
  store.useKeys(keys);
  const media = new MediaDouble();
  const egress = { check: parts.checkAddress ?? (async () => {}), request: async () => ({ status: 200 }) };
  const site = siteOf(clock, parts);
  const acts: Act[] = [];
  const audit = { note: (act: Act) => void acts.push(act) };
  const recordings = new RecordingsDouble();
  const { recorder = true, uploads, archiveTimes, plans, featureUses } = parts;
  const given = { recordings: recorder ? recordings : undefined, uploads, archiveTimes, plans, featureUses };
  const doors = { media, egress, journal, audit, site, credentials: parts.credentials ?? ownCredentials() };
  const core = createCore({ clock, ids: systemIds, store, keys, ...doors, ...given });
  const actor = { kind: 'operator', via: 'start' } as const;
  const { account } = await core.accounts.create(actor, { name: 'Test', plan });
  const { project } = await core.projects.create(actor, account.id, { name: 'Test' });
  return {
    core,
    clock,
    acts,
    accountId: account.id,
    projectId: project.id,
    recordings,
    get reportsSuites() {
      return media.reportsSuites;
    },
    set reportsSuites(value) {
      media.reportsSuites = value;
    },
    offered: media.offered,
    get whileOpening() {
      return media.whileOpening;
    },
    set whileOpening(happens) {
      media.whileOpening = happens;
    },
    session: (wish = {}) =>
      core.sessions.create(actor, project.id, {
        mediaMode: 'routed',
        archiveMode: 'manual',
        e2ee: false,
        ...wish,
      }),
    enter: (session, role = 'publisher', data = '', says = undefined) => enter(core, media, session, role, data, says),
    publish,
    async passes(seconds) {
      clock.advance(seconds * 1000);
      await settled();
    },
    async close() {
      // What was refused while its project went away is tried again after a time that passes only here.
      await clock.passing(recorderRetryMs, () => core.calls.close());
      await clock.passing(limits.archiveStopSeconds * 1000, () => core.archives.close());
      await store.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Passwords, authenticators and passkeys as they are; no log-in service. */
function ownCredentials(): Credentials {
  const wire = { request: () => Promise.reject(new Error('no log-in service is asked here')) };
  return openCredentials({ file: undefined, wire });
}

async function enter(
  core: Core,
  media: MediaDouble,
  session: Session,
  role: Role,
  connectionData: string,
  says?: { frames: boolean },
): Promise<TestClient> {
  const [secret] = await core.projects.secretsOf(session.projectId);
  const claims = {
    projectId: session.projectId,
    sessionId: session.id,
    role,
    connectionData,
    layoutClasses: [],
    secretId: secret!.id,
  };
  const { ticket, connectionId } = await core.calls.join(claims, 'ws://test');
  const told: Told[] = [];
  const link: ClientLink = {
    send: (event, data) => told.push({ event, data }),
    close: (reason, error) => told.push({ event: 'close', data: { reason, error } }),
  };
  const client = await core.calls.admit(ticket, link, says);
  const peer = media.peers.get(connectionId);
  return {
    client,
    told,
    media: peer?.asked ?? [],
    observer: peer?.observer as PeerObserver,
    events: () => told.map((each) => each.event),
    data: (name) => told.filter((each) => each.event === name).map((each) => each.data),
  };
}

async function publish(from: TestClient, suite: Suite = 'AEAD_AES_256_GCM'): Promise<string> {
  const { actions } = from.client;
  const { transportId } = await actions.openTransport({ direction: 'send' });
  const { stream } = await actions.publish(camera);
  await actions.produce({ streamId: stream.streamId, kind: 'audio', rtpParameters, paused: false });
  from.observer.transportConnected(transportId, 'send', suite);
  await settled();
  return stream.streamId;
}

/** Its TURN credentials say when they were made, and for whom. */
function siteOf(clock: ManualClock, { signallingUrl = null, turnUrls = ['turn:test'], addresses }: TestParts): Site {
  const iceServers = (connectionId: string) => [{ urls: turnUrls, username: `${clock.now()}:${connectionId}` }];
  return { node: 'test', zones: [], signallingUrl, iceServers, iceRenewMs, ...(addresses && { addresses }) };
}

class MediaDouble implements MediaPlane {
  reportsSuites = true;
  whileOpening = () => {};
  readonly offered: { candidates: TransportOffer['iceCandidates'] } = { candidates: [] };
  tap = async (streamId: string): Promise<StreamTap> => ({
    streamId,
    start: async () => {},
    show() {},
    requestKeyFrame() {},
    close() {},
  });
  readonly versions = { worker: 'double', openssl: 'none' };
  readonly peers = new Map<string, { asked: string[]; observer: PeerObserver }>();
  #transports = 0;

  async openRoom() {
    return {
      rtpCapabilities: {},
      join: async (connectionId: string, observer: PeerObserver) => this.#peer(connectionId, observer),
      tap: async (streamId: string) => this.tap(streamId),
      close() {},
    };
  }
  capacity() {
    return { used: 0, limit: 1 };
  }
  async close() {}

  #peer(connectionId: string, observer: PeerObserver): MediaPeer {
    const asked: string[] = [];
    this.peers.set(connectionId, { asked, observer });
    const note = (what: string) => asked.push(what);
    return {
      openTransport: async (direction) => {
        this.#transports += 1;
        this.whileOpening();
        return {
          transportId: `t${this.#transports}`,
          direction,
          iceParameters: { usernameFragment: '', password: '' },
          iceCandidates: this.offered.candidates,
          dtlsParameters: {},
        };
      },
      connectTransport: async () => void note('connect'),
      restartIce: async () => ({ usernameFragment: 'u', password: 'p' }),
      produce: async ({ kind, paused }) => {
        note(`produce ${kind}${paused ? ' paused' : ''}`);
        return { producerId: 'p' };
      },
      pauseTrack: async (_stream, kind, paused) => void note(`${paused ? 'pause' : 'resume'} ${kind}`),
      allowStream: async () => void note('allow stream'),
      closeStream: () => void note('close stream'),
      subscribe: async ({ streamId }) => {
        note('subscribe');
        return [{ consumerId: `c-${streamId}`, producerId: 'p', kind: 'audio', rtpParameters, type: 'simple' }];
      },
      resumeSubscription: async () => void note('resume subscription'),
      allowSubscription: async () => void note('allow subscription'),
      updateSubscription: async () => void note('update subscription'),
      closeSubscription: () => void note('close subscription'),
      packets: async () => ({ received: 0, sent: 0 }),
      close: () => void note('close'),
    };
  }
}
