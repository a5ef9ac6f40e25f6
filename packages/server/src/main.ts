/**
 * The platform, put together: the one place that knows every folder. It opens what the settings name, connects the
 * folders through `core`'s ports, and closes everything again in the order in which nothing is lost.
 */
import { mkdirSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { asPlatformError, PlatformError } from '@cloister/protocol';
import type { FastifyInstance } from 'fastify';
import { type Egress as AccessEgress, createEgress, createRateLimiter, type OwnAddress } from './access/index.ts';
import { adminRoutes, type KeyAdmin, openOperatorSocket, type Resealed } from './admin/index.ts';
import {
  archiveFolder,
  archivesOf,
  memoryIsLimited,
  openRecordings,
  resealArchives,
  SandboxTrial,
} from './archive/index.ts';
import { type Config, settingFacts } from './config.ts';
import {
  type ArchiveTimes,
  type Audit,
  type Core,
  closeFormerArchives,
  closeFormerRun,
  createCore,
  type Egress,
  type Journal,
  type MediaPlane,
  type NodeAddresses,
  PlanBook,
  removeUnknownRecordings,
  type Site,
  unfinishedArchives,
} from './core/index.ts';
import { type DevCredentials, devCredentials } from './first-start.ts';
import { createHttpServer, limitAddresses, requestFacts, type Tls, tlsOf } from './http.ts';
import { type KeyRing, keyIdOf, loadRoot, openKeys, ownerOf } from './keys/index.ts';
import { isWildcard, ownAddressesOf, systemClock, systemIds } from './lib/index.ts';
import { createMediaPlane, openTurn, type Turn } from './media/index.ts';
import { openAddressList, openNames } from './open-addresses.ts';
import { type OpenedAudit, openAudit } from './open-audit.ts';
import { createRestAuth, createWebhooks, makeClientToken, opentokRoutes } from './opentok/index.ts';
import { operatorSocket } from './operator-socket.ts';
import { openCredentials } from './people/index.ts';
import { readPlans } from './plans-file.ts';
import { Gateway, signallingPath } from './signalling/index.ts';
import { openUploads, type ResealedUploads } from './storage/index.ts';
import { type OpenedStore, openPgliteStore, openPostgresStore } from './store/index.ts';
import { openUsage, type Usage } from './usage/index.ts';

export interface Platform {
  /** Where clients reach it. */
  readonly url: string;
  readonly core: Core;
  readonly keys: KeyRing;
  readonly media: MediaPlane;
  /** What becomes of clients that reach media by no other way. */
  readonly turn: Turn;
  /** Whether recorders are shut in, and whether the kernel bounds their memory. */
  readonly recorders: { readonly shutIn: boolean; readonly memoryLimited: boolean };
  readonly dev: { made: boolean; credentials: DevCredentials } | null;
  close(): Promise<void>;
}

export interface StartOptions {
  readonly journal: Journal;
  /** Called with each step, for the progress lines. */
  progress(step: string): void;
  /** Certificate and code of `--lan`, which the settings do not name. */
  readonly lan?: Tls & { readonly code: string };
}

type Closer = () => Promise<void> | void;

interface Ground extends Pick<Platform, 'core' | 'keys' | 'media' | 'recorders' | 'turn'> {
  readonly egress: Egress;
  readonly store: OpenedStore;
  readonly uploads: ResealedUploads;
  readonly audit: OpenedAudit;
  readonly usage: Usage;
}

/** What is known only once the server listens. */
interface State {
  ready: boolean;
  projectId: string | null;
  /** Where clients reach it. */
  url: string | null;
}

interface DoorParts {
  readonly config: Config;
  readonly options: StartOptions;
  readonly closers: Closer[];
  readonly ground: Ground;
  readonly state: State;
  readonly tls: boolean;
}

/** What was not done is in the log of the server as well, where alarms are made from it. */
function alarmed(journal: Journal): Audit {
  return {
    note({ action, outcome, projectId, code }) {
      if (outcome === 'done') return;
      journal.record('info', 'an act was refused or failed', { event: action, state: outcome, projectId, code });
    },
  };
}

const packages = path.resolve(import.meta.dirname, '../..');

/** Starts everything. @throws PlatformError that says what is missing and what to do; what was opened is closed again. */
export async function startPlatform(config: Config, options: StartOptions): Promise<Platform> {
  const closers: Closer[] = [];
  const close = async () => {
    const failures: unknown[] = [];
    // What cannot be closed in order does not keep the rest open, the database and the workers above all.
    for (const each of closers.splice(0).reverse()) {
      try {
        await each();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  };
  try {
    return await assemble(config, options, closers, close);
  } catch (error) {
    await close().catch(() => {});
    throw error;
  }
}

async function assemble(
  config: Config,
  options: StartOptions,
  closers: Closer[],
  close: () => Promise<void>,
): Promise<Platform> {
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
  const bound = { address: config.host, port: config.port };
  const ground = await openGround(config, options, closers, bound);
  const { core, keys, media, recorders, turn } = ground;
  const tls = options.lan ?? tlsOf(config);
  const app = createHttpServer(tls);
  const state: State = { ready: false, projectId: null, url: null };
  await openDoors(app, { config, options, closers, ground, state, tls: tls !== null });

  options.progress('listening');
  await app.listen({ host: config.host, port: config.port });
  Object.assign(bound, app.server.address() as AddressInfo);
  const url = config.publicUrl ?? addressOf(config, bound.port, tls !== null);
  state.url = url;
  const dev = config.mode === 'development' ? await devCredentials(core, config.dataDir, url) : null;
  state.projectId = dev?.credentials.apiKey ?? null;
  // Clients are sent away first, while everything that records it still runs.
  closers.push(async () => {
    state.ready = false;
    await core.calls.close();
    await core.archives.close();
  });
  state.ready = true;
  return { url, core, keys, media, recorders, turn, dev, close };
}

/** What the rules stand on, opened: database, keys and media workers; then the rules themselves. */
async function openGround(
  config: Config,
  { journal, progress }: StartOptions,
  closers: Closer[],
  bound: { address: string; port: number },
): Promise<Ground> {
  const clock = systemClock;
  const ids = systemIds;
  const plans = config.plansFile === undefined ? new PlanBook() : readPlans(config.plansFile, clock.now());
  progress(config.databaseUrl ? 'connecting to PostgreSQL' : 'opening the embedded database');
  const root = await loadRoot(config.rootKeyFile, { create: config.mode === 'development', outside: config.dataDir });
  // The media workers start while the database opens; both take a second or two.
  const listen = await mediaListen(config);
  const starting = startMedia(config, listen, journal);
  starting.catch(() => {});
  const startingTurn = startTurn(config, config.turnListen ?? listen, journal);
  startingTurn.catch(() => {});
  const sandbox = new SandboxTrial(config.recorderSandbox, journal);
  const shutIn = sandbox.here();
  closers.push(async () => (await starting.catch(() => null))?.close());
  closers.push(async () => (await startingTurn.catch(() => null))?.close());
  const store = await openStore(config, journal);
  closers.push(() => store.close());
  await store.lease('server');
  const keys = await openKeys({ root, keyring: store.keyring, clock, ids, journal });
  store.useKeys(keys);
  const audit = await openAudit(config, { store, keys, journal });
  closers.push(() => audit.stop());
  const usage = openUsage({ store, clock, journal });
  closers.push(() => usage.stop());
  progress(`starting ${config.mediaWorkers} media workers`);
  const media = await starting;
  const turn = await startingTurn;
  const egress = openEgress(config, listen, bound);
  audit.sendBy(egress);
  const names = await openNames(config, turn, { clock });
  closers.push(() => names?.stop());
  const site = siteOf(config, turn, names);
  const archiving = openArchiving(config, { egress, keys, journal, sandbox });
  const core = createCore({
    clock,
    ids,
    store,
    keys,
    media,
    egress,
    journal,
    audit: alarmed(journal),
    site,
    plans,
    anyAddress: config.addressListPrivate,
    credentials: openCredentials({ file: config.logInProviders, wire: egress }),
    ...archiving,
  });
  await core.accounts.requireKnownPlans();
  core.personSessions.start();
  closers.push(() => core.personSessions.stop());
  closers.push(() => core.recorder.flush());
  await core.accesses.started(settingFacts(config), keys.list().length);
  closers.push(await openAddressList(config, core, turn));
  await closeFormerRun(core);
  const former = await leftArchives(core, archiving);
  closers.push(async () => void (await former.done));
  core.archives.begin();
  usage.start();
  const recorders = { shutIn: (await shutIn) === 'bubblewrap', memoryLimited: memoryIsLimited() };
  return { core, keys, media, recorders, turn, egress, store, uploads: archiving.uploads, audit, usage };
}

/** What goes out goes nowhere that this server itself listens. */
function openEgress(config: Config, listen: readonly string[], bound: { address: string; port: number }): AccessEgress {
  return createEgress({
    mode: config.mode,
    destinations: config.destinations,
    ownAddresses: () => [
      { address: bound.address, ports: { first: bound.port, last: bound.port } },
      ...[...listen, ...config.mediaAddress].map((address) => ({ address, ports: config.mediaPorts })),
      ...turnDoors(config, config.turnListen ?? listen),
      ...(config.publicUrl ? [ownDoor(new URL(config.publicUrl))] : []),
    ],
    clock: systemClock,
  });
}

/** Where this node is, as clients are told. */
function siteOf({ publicUrl }: Config, { iceServers, renewMs }: Turn, addresses: NodeAddresses | null): Site {
  const signallingUrl = publicUrl ? `${publicUrl.replace(/^http/, 'ws')}${signallingPath}` : null;
  return { node: 'local', zones: [], signallingUrl, iceServers, iceRenewMs: renewMs, ...(addresses && { addresses }) };
}

/** Closes archives of a former run, and removes what no row knows of; both are read before anything of this run begins. */
async function leftArchives(
  core: Core,
  archiving: ReturnType<typeof openArchiving>,
): Promise<{ done: Promise<unknown> }> {
  const unfinished = await unfinishedArchives(core);
  const stored = await archiving.recordings.stored();
  const removed = removeUnknownRecordings(core, archiving, stored).catch((error: unknown) => {
    const { code } = asPlatformError(error);
    core.journal.record('error', 'archives that no row knows could not be looked for', { code });
  });
  return { done: Promise.all([removed, closeFormerArchives(core, archiving.recordings, unfinished)]) };
}

/** What records archives, and what takes them into buckets: both know an archive by its folder. And their times. */
function openArchiving(
  config: Config,
  parts: { egress: AccessEgress; keys: KeyRing; journal: Journal; sandbox: SandboxTrial },
) {
  const { dataDir } = config;
  const { egress, keys, journal, sandbox } = parts;
  const clock = systemClock;
  const recordings = openRecordings({ dataDir, clock, monotonic: () => performance.now(), keys, journal, sandbox });
  const folderOf = (archiveId: string) => archiveFolder(dataDir, archiveId);
  const uploads = openUploads({ folderOf, spool: recordings, wire: egress, keys, clock, ids: systemIds, journal });
  return { recordings, uploads, archiveTimes: archiveTimesOf(config) };
}

function archiveTimesOf(config: Config): ArchiveTimes {
  return {
    recordedMs: config.archiveRecorded,
    wallMs: config.archiveWall,
    pausedMs: config.archivePaused,
    leftMs: config.archiveLeft,
    beginMs: config.archiveBegin,
    keptMs: config.archiveKept,
    linkMs: config.archiveLink,
  };
}

/** The ways in: OpenTok's routes, our own, the pages, signalling, the operator's socket; and the webhooks out. */
async function openDoors(
  app: FastifyInstance,
  { config, options, closers, ground, state, tls }: DoorParts,
): Promise<void> {
  const { core, egress } = ground;
  const { journal } = options;
  const limiter = createRateLimiter({ clock: systemClock, ids: systemIds });
  const facts = requestFacts(config, tls);
  const clientAddress = (request: { raw: IncomingMessage }) => facts.clientAddress(request.raw);
  limitAddresses(app, { limiter, clientAddress });
  const auth = createRestAuth({ core, limiter, clientAddress });
  const { showSecrets } = config;
  const signallingUrl = (request: { raw: IncomingMessage }) => facts.signallingUrl(request.raw);
  const baseUrl = (request: { raw: IncomingMessage }) => facts.baseUrl(request.raw);
  const network = (request: { raw: IncomingMessage }) => facts.network(request.raw);
  await opentokRoutes(app, { core, limiter, auth, clientAddress, showSecrets, signallingUrl, baseUrl, network });
  await adminRoutes(app, {
    core,
    auth,
    limiter,
    journal,
    clientAddress,
    network,
    mode: config.mode,
    lanCode: options.lan?.code ?? null,
    projectId: () => state.projectId,
    baseUrl,
    turn: () => ground.turn.state,
    makeToken: makeClientToken,
    folders: { client: path.join(packages, 'client/dist'), console: path.join(packages, 'console/dist') },
    healthy: () => state.ready,
    audit: ground.audit.door,
    usage: ground.usage,
  });
  const gateway = new Gateway({ core, limiter, clientAddress: facts.clientAddress });
  gateway.attach(app.server);
  closers.push(
    () => app.close(),
    () => gateway.close(),
  );
  const ownUrl = () => state.url;
  const webhooks = createWebhooks({ core, egress, journal, clock: systemClock, baseUrl: ownUrl });
  closers.push(() => webhooks.stop());
  closers.push(
    await openOperatorSocket(operatorSocket(config.dataDir), {
      core,
      journal,
      keys: keyAdmin(ground, config.dataDir),
      audit: ground.audit.door,
      url: ownUrl,
      usage: ground.usage,
      makeToken: makeClientToken,
    }),
  );
  webhooks.start();
}

/** Where our TURN server listens. */
function turnDoors({ turnPort, turnTlsPort, turnAddress }: Config, listen: readonly string[]): OwnAddress[] {
  const ports = [turnPort, turnTlsPort].map((port) => ({ first: port, last: port }));
  return [...listen, ...turnAddress].flatMap((address) => ports.map((range) => ({ address, ports: range })));
}

/** The door that a proxy opens for clients. */
function ownDoor({ hostname, port, protocol }: URL): OwnAddress {
  const number = Number(port || (protocol === 'https:' ? 443 : 80));
  return { address: hostname.replace(/^\[|\]$/g, ''), ports: { first: number, last: number } };
}

function addressOf(config: Config, port: number, tls: boolean): string {
  // A server on every address of the machine is reached at the one that clients send media to.
  const host = isWildcard(config.host) ? (config.mediaAddress[0] ?? config.host) : config.host;
  return `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function keyAdmin(ground: Ground, dataDir: string): KeyAdmin {
  const { keys, store, audit } = ground;
  return {
    list: () => keys.list(),
    async rotate(purpose, eventOf) {
      const change = await keys.rotate(purpose, eventOf);
      if (purpose === 'audit') await audit.log.resign();
      return change;
    },
    async compromise(keyId, eventOf) {
      const change = await keys.compromise(keyId, eventOf);
      if (change.purpose === 'audit') await audit.log.resign();
      return change;
    },
    async reseal(purpose, keyId) {
      const owner = ownerOf(purpose);
      const resealed = owner === undefined ? 0 : await store.reseal(owner);
      if (!owner) return { resealed, replace: [], archives: [] };
      const files = await resealFiles(ground, dataDir, { projectId: owner, keyId });
      return { ...files, resealed: resealed + files.resealed };
    },
  };
}

/** What a project has sealed beside the database, and what new seals do not mend. */
async function resealFiles(
  { core, keys, uploads }: Ground,
  dataDir: string,
  { projectId, keyId }: { projectId: string; keyId: string },
): Promise<Resealed> {
  const isRecorded = async (archiveId: string) => {
    const archive = await core.store.archives.get(archiveId);
    return archive?.status === 'started' || archive?.status === 'paused';
  };
  const archives = await resealArchives({ dataDir, keys, keyIdOf, isRecorded }, projectId, keyId);
  const replace = [
    { secret: 'the API secret', how: `cloister project rotate-secret ${projectId} --compromised` },
    { secret: 'the secret that signs webhooks', how: `cloister project signature-secret ${projectId} --rotate` },
  ];
  const storage = await core.storages.get(projectId);
  if (storage) {
    const secret = `the credentials of its storage (${storage.target.type})`;
    replace.push({ secret, how: 'withdraw them there, and set new ones: PUT …/archive/storage' });
  }
  let { resealed } = archives;
  for (const archiveId of await archivesOf(dataDir, projectId)) {
    const upload = await uploads.reseal(archiveId);
    if (upload?.resealed) resealed += 1;
    if (!upload) continue;
    const secret = `the credentials that archive ${archiveId} goes up with (${upload.storage})`;
    replace.push({ secret, how: 'withdraw them there; if it is not up by then, its fallback decides' });
  }
  return { resealed, replace, archives: archives.opened.map((archiveId) => ({ archiveId })) };
}

/** The addresses for media. The worker knows no names, so one is looked up, once. */
async function mediaListen({ mediaListen: listen, host }: Config): Promise<readonly string[]> {
  if (listen) return listen;
  const found = await ownAddressesOf(host);
  if (found.length > 0) return found;
  throw new PlatformError('ConfigInvalid', {
    why: `host ${host} leads to no address of this machine; set mediaListen`,
  });
}

function startMedia(config: Config, listen: readonly string[], journal: Journal): Promise<MediaPlane> {
  return createMediaPlane({
    workerBin: config.mediaWorkerBin,
    workers: config.mediaWorkers,
    address: { listen, announced: config.mediaAddress },
    ports: { min: config.mediaPorts.first, max: config.mediaPorts.last },
    journal,
    clock: systemClock,
    ...(config.mediaCapacity === undefined ? {} : { capacityStreams: config.mediaCapacity }),
  });
}

function startTurn(config: Config, listen: readonly string[], journal: Journal): Promise<Turn> {
  const { turnTlsCert: cert, turnTlsKey: key, turnTlsHost: host, turnTlsPort: port, turnUrls: urls } = config;
  return openTurn({
    mode: config.turn,
    bin: config.turnServerBin,
    listen,
    announced: config.turnAddress,
    media: config.mediaAddress,
    clients: config.turnClients,
    port: config.turnPort,
    relayPorts: config.turnRelayPorts,
    tls: cert && key && host ? { port, cert, key, host } : null,
    development: config.mode === 'development',
    credentialLife: config.turnCredentialLife,
    elsewhere: urls.length > 0 ? { urls, secret: config.turnSecret ?? null } : null,
    dataDir: config.dataDir,
    journal,
    clock: systemClock,
  });
}

function openStore(config: Config, journal: Journal): Promise<OpenedStore> {
  return config.databaseUrl
    ? openPostgresStore({ url: config.databaseUrl, clock: systemClock, journal })
    : openPgliteStore({ dataDir: config.dataDir, clock: systemClock, journal });
}
