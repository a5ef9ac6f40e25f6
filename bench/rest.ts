/** REST: sessions created and streams listed a second, how long an answer takes, and how long the event loop is held up. */
import { figure, medianOf, quick, type Result, type Row, repeat, say } from './harness/figure.ts';
import { type Delay, Platform } from './harness/platform.ts';
import { freshCredential, type Load, load } from './harness/rest-load.ts';

const CONNECTIONS = 32;
const PROJECTS = 24;
const SECONDS = quick ? 2 : 5;
const WARM_SECONDS = 2;
const PER_SECOND = 1500;
const P99_MS = 50;
const DELAY_MS = 20;

interface Project {
  readonly apiKey: string;
  readonly secret: string;
}

type Taken = Load & { readonly delay: Delay };

/** Several projects: the rate limit of one lets it not take all that the server can do. */
async function projects(platform: Platform): Promise<Project[]> {
  const { apiKey, apiSecret } = platform.customer.credentials;
  const all = [{ apiKey, secret: apiSecret }];
  while (all.length < PROJECTS) all.push(await newProject(platform));
  return all;
}

async function newProject({ customer }: Platform): Promise<Project> {
  const made = (await customer.rest('POST', '/v2/project', 'account', { name: 'bench' })) as Record<string, unknown>;
  const { id, secret } = (await customer.rest('POST', `/v2/project/${made.id}/refreshSecret`, 'account', {})) as {
    id: number | string;
    secret: string;
  };
  return { apiKey: String(id), secret };
}

/** Takes the projects in turn and shows a credential of its own with each request. */
function requests(all: readonly Project[], text: (apiKey: string, credential: string) => string): () => string {
  let count = 0;
  return () => {
    const { apiKey, secret } = all[count++ % all.length] as Project;
    return text(apiKey, freshCredential(apiKey, secret));
  };
}

const CREATE_BODY = 'p2p.preference=disabled&archiveMode=manual';

function createText(_apiKey: string, credential: string): string {
  return [
    'POST /session/create HTTP/1.1',
    'host: 127.0.0.1',
    'accept: application/json',
    'content-type: application/x-www-form-urlencoded',
    `content-length: ${CREATE_BODY.length}`,
    `x-opentok-auth: ${credential}`,
    '',
    CREATE_BODY,
  ].join('\r\n');
}

function listText(sessions: ReadonlyMap<string, string>): (apiKey: string, credential: string) => string {
  return (apiKey, credential) =>
    [
      `GET /v2/project/${apiKey}/session/${sessions.get(apiKey)}/stream HTTP/1.1`,
      'host: 127.0.0.1',
      'accept: application/json',
      `x-opentok-auth: ${credential}`,
      '',
      '',
    ].join('\r\n');
}

async function sessionOf({ server }: Platform, { apiKey, secret }: Project): Promise<string> {
  const answer = await fetch(`${server.url}/session/create`, {
    method: 'POST',
    headers: { accept: 'application/json', 'x-opentok-auth': freshCredential(apiKey, secret) },
    body: new URLSearchParams(CREATE_BODY),
  });
  const [session] = (await answer.json()) as { session_id: string }[];
  if (!session) throw new Error('no session was made');
  return session.session_id;
}

async function take(platform: Platform, next: () => string): Promise<Taken> {
  await platform.delay();
  const taken = await load({ port: platform.port, connections: CONNECTIONS, seconds: SECONDS, next });
  return { ...taken, delay: await platform.delay() };
}

function rowsOf(what: string, taken: readonly Taken[]): Row[] {
  const perSecond = medianOf(taken, (each) => each.perSecond);
  const p50 = medianOf(taken, (each) => each.p50);
  const p99 = medianOf(taken, (each) => each.p99);
  const delay = medianOf(taken, (each) => each.delay.p99);
  return [
    {
      what: `${what}, a second`,
      ours: Math.round(perSecond).toLocaleString('en'),
      other: null,
      target: { text: `at least ${PER_SECOND.toLocaleString('en')}`, measured: perSecond, least: PER_SECOND },
    },
    {
      what: `${what}, time of the answer`,
      ours: `median ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`,
      other: null,
      target: { text: `p99 under ${P99_MS} ms`, measured: p99, most: P99_MS },
    },
    {
      what: `${what}, delay of the event loop`,
      ours: `p99 ${delay.toFixed(1)} ms`,
      other: null,
      target: { text: `p99 under ${DELAY_MS} ms`, measured: delay, most: DELAY_MS },
    },
  ];
}

async function onStore(name: string, store: 'pglite' | 'postgres'): Promise<Row[]> {
  say(`REST with ${name}`);
  process.env.CLOISTER_TEST_STORE = store;
  const platform = await Platform.start();
  const all = await projects(platform);
  const sessions = new Map<string, string>();
  for (const project of all) sessions.set(project.apiKey, await sessionOf(platform, project));
  const create = requests(all, createText);
  const list = requests(all, listText(sessions));
  await load({ port: platform.port, connections: CONNECTIONS, seconds: WARM_SECONDS, next: create });
  await platform.quiet();
  const created = await repeat(`session/create, ${name}`, () => take(platform, create));
  const listed = await repeat(`list of streams, ${name}`, () => take(platform, list));
  await platform.stop();
  return [...rowsOf(`session/create, ${name}`, created), ...rowsOf(`list of streams, ${name}`, listed)];
}

async function measure(): Promise<Result> {
  const rows = [...(await onStore('embedded store', 'pglite')), ...(await onStore('PostgreSQL', 'postgres'))];
  const notes = [
    `${CONNECTIONS} connections that are kept open, from a second process on the same machine, for ${SECONDS} seconds; each request shows a credential that is new.`,
    `${PROJECTS} projects in turn and many client addresses, since a project and an address have rate limits near the figure.`,
  ];
  return { rows, notes };
}

await figure(measure);
