/** What the tests of the store share: keys over a store, rows and events to put into it. */

import { randomBytes } from 'node:crypto';
import type { Leg, LegWord } from '@cloister/protocol';
import { limits } from '@cloister/protocol/limits';
import type {
  Account,
  Archive,
  Callback,
  Delivery,
  Event,
  EventOf,
  EventType,
  Journal,
  Keys,
  Project,
  Recorded,
  Session,
  Storage,
  Store,
  TermsChange,
} from '../core/index.ts';
import { sealedContext } from '../core/index.ts';
import { openKeys } from '../keys/index.ts';
import { ManualClock, systemIds } from '../lib/index.ts';
import type { OpenedStore } from './index.ts';

export const silent: Journal = { record() {} };
export const clock = new ManualClock();
export const root = randomBytes(32);
/** The root where two processes need the same one. */
export const fixedRoot = Buffer.alloc(32, 1);

/** Opens the keys over a store and gives them to it. */
export async function withKeys(store: OpenedStore): Promise<Keys> {
  const keys = await openKeys({ root, keyring: store.keyring, clock, ids: systemIds });
  store.useKeys(keys);
  return keys;
}

type Fields<Type extends EventType> = Omit<EventOf<Type>, 'id' | 'at' | 'actor' | 'type'>;

export function event<Type extends EventType>(type: Type, fields: Fields<Type>): Event {
  const stamp = { id: systemIds.uuid(), at: clock.now(), actor: { kind: 'system' } as const, type };
  return { ...stamp, ...fields } as unknown as Event;
}

/** An API key that no other test has. */
export function newKey(): string {
  return String(systemIds.integer(10_000_000, 2 ** 31));
}

/** What an account agrees to when it is made. */
export function firstTerms(facts: Partial<TermsChange> = {}): TermsChange {
  const dated = { version: 1, effectiveAt: clock.now(), decidedAt: clock.now(), by: 'operator' } as const;
  return { ...dated, plan: 'growth', addOns: ['zone.de'], buy: [], drop: [], forced: false, ...facts };
}

export async function newAccount(store: Store, keys: Keys, name = 'Clinic'): Promise<Account> {
  const id = newKey();
  const secret = keys.seal(null, sealedContext.accountSecret(id), 'secret');
  const account: Account = { id, name, secret, changes: [firstTerms()], createdAt: clock.now() };
  await store.accounts.create(account, event('account.created', { projectId: null, accountId: id }));
  return account;
}

export async function makeProject(keys: Keys, accountId: string, name = 'Ward'): Promise<Project> {
  const id = newKey();
  await keys.createDataKey(id);
  return {
    id,
    accountId,
    name,
    status: 'ACTIVE',
    secrets: [{ id: 's1', sealed: keys.seal(id, 'project.secret:s1', 'secret'), expiresAt: null }],
    signatureSecret: keys.seal(id, sealedContext.signatureSecret(), 'secret'),
    policy: 'prefer-aes256',
    zone: 'any',
    createdAt: clock.now(),
  };
}

export async function newProject(store: Store, keys: Keys, name?: string): Promise<Project> {
  const account = await newAccount(store, keys);
  const project = await makeProject(keys, account.id, name);
  await store.projects.create(project, event('project.created', { projectId: project.id }));
  return project;
}

export function makeSession(projectId: string): Session {
  return {
    id: `1_${systemIds.token(24)}`,
    projectId,
    mediaMode: 'routed',
    archiveMode: 'manual',
    archiveName: null,
    archiveResolution: null,
    e2ee: false,
    zone: 'any',
    policy: 'prefer-aes256',
    createdAt: clock.now(),
  };
}

export async function newSession(store: Store, projectId: string): Promise<Session> {
  const session = makeSession(projectId);
  await store.sessions.create(session, event('session.created', { projectId, sessionId: session.id }));
  return session;
}

export function makeCallback(keys: Keys, projectId: string, url = 'https://example.org/hook'): Callback {
  const id = systemIds.uuid();
  const sealed = keys.seal(projectId, sealedContext.callbackUrl(id), url);
  return { id, projectId, group: 'connection', event: 'created', url: sealed, createdAt: clock.now() };
}

export function makeDelivery(keys: Keys, projectId: string, facts: Partial<Delivery> = {}): Delivery {
  const id = systemIds.uuid();
  const url = keys.seal(projectId, sealedContext.deliveryUrl(id), 'https://example.org/hook');
  const body = keys.seal(projectId, sealedContext.deliveryBody(id), '{}');
  return { id, projectId, orderKey: 'session', url, body, attempts: 0, dueAt: 1000, createdAt: 1000, ...facts };
}

export function makeArchive(session: Session, facts: Partial<Archive> = {}): Archive {
  return {
    id: systemIds.uuid(),
    projectId: session.projectId,
    sessionId: session.id,
    status: 'started',
    name: 'Visit',
    reason: '',
    outputMode: 'composed',
    hasAudio: true,
    hasVideo: true,
    resolution: '640x480',
    streamMode: 'auto',
    automatic: false,
    maxBitrate: null,
    quantizationParameter: null,
    certificate: null,
    recipients: [],
    createdAt: 1000,
    beganAt: null,
    updatedAt: 1000,
    sizeBytes: 0,
    durationMs: 0,
    sha256: '',
    password: '',
    kept: false,
    manifest: '',
    sandbox: 'bubblewrap',
    ...facts,
  };
}

export async function newArchive(store: Store, session: Session, facts: Partial<Archive> = {}): Promise<Archive> {
  const archive = makeArchive(session, facts);
  const { projectId, sessionId } = archive;
  await store.archives.create(archive, event('archive.started', { projectId, sessionId, archive }));
  return archive;
}

export function makeStorage(keys: Keys, projectId: string, facts: Partial<Storage> = {}): Storage {
  const target = keys.seal(projectId, sealedContext.storageTarget(projectId), '{"type":"s3"}');
  return { projectId, target, fallback: 'none', certificate: null, updatedAt: 1000, ...facts };
}

/** Sets a storage for a project that has none. */
export async function newStorage(store: Store, keys: Keys, projectId: string, facts?: Partial<Storage>) {
  const storage = makeStorage(keys, projectId, facts);
  const changed = { projectId, storage: 's3', fallback: 'none', certificateSha256: null } as const;
  await store.storages.put(storage, event('storage.changed', changed));
  return storage;
}

export function makeLeg(facts: Partial<Leg> = {}): Leg {
  return {
    connectionId: 'c',
    streamId: 's',
    direction: 'send',
    observedBy: 'server',
    peerConnectionId: null,
    suiteSeenByServer: 'AEAD_AES_256_GCM',
    suiteReportedByPeer: null,
    framesSaidByClient: null,
    framesSaidByPeer: null,
    suiteReportedByClient: null,
    agree: null,
    dtlsVersion: null,
    zone: 'any',
    state: 'allowed',
    frameLayer: null,
    connectedAt: 1000,
    closedAt: null,
    ...facts,
  };
}

export function makeWord(facts: Partial<LegWord> = {}): LegWord {
  const silent = { build: null, dtlsVersion: null, frameLayer: null, frames: null, leftOut: 0 };
  return { at: 1000, end: 'server', connectionId: null, suite: 'AEAD_AES_256_GCM', ...silent, ...facts };
}

export function connected(session: Session, data: string): Event {
  const connection = { id: systemIds.uuid(), createdAt: clock.now(), data };
  return event('connection.created', { projectId: session.projectId, sessionId: session.id, connection });
}

export interface Engine {
  open(): Promise<OpenedStore>;
  /** The folder with every file of the database, write-ahead log included. */
  readonly folder: string;
  stop(): Promise<void>;
}

/** What the rules of the contract are given. */
export interface Given {
  readonly engine: Engine;
  readonly store: OpenedStore;
  readonly keys: Keys;
}

/** Reads everything that a new reader gets, but for what does not open. */
export async function readAll(store: Store, reader: string): Promise<Recorded[]> {
  const all: Recorded[] = [];
  for (;;) {
    const some = await store.outbox.read(reader, limits.outboxReadRows);
    if (some.length === 0) return all;
    all.push(...some.filter((each) => each.event !== null));
    await store.outbox.advance(reader, some.at(-1)?.position ?? 0);
  }
}

/** A reader that has passed everything there is. */
export async function readerAtEnd(store: Store): Promise<string> {
  const reader = `reader-${systemIds.uuid()}`;
  await readAll(store, reader);
  return reader;
}
