/**
 * Bodies of REST calls: forms, JSON with odd fields, damaged JSON and bytes, on every route that takes one, with right
 * credentials and odd types. Each answer is a success or a refusal in OpenTok's form that names what is wrong.
 */
import fc from 'fast-check';
import { createHttpServer } from '../../packages/server/src/http.ts';
import { makeJwt, opentokRoutes, routeTable } from '../../packages/server/src/opentok/index.ts';
import { damaged, liveRoom, oddText, oddValue, Tally } from './opentok.ts';

export const name = 'REST bodies';

const fieldNames = [
  'p2p.preference',
  'archiveMode',
  'archiveName',
  'archiveResolution',
  'location',
  'e2ee',
  'items',
  'id',
  'layoutClassList',
  'type',
  'data',
  'active',
  'excludedStreams',
  'digits',
  'group',
  'event',
  'url',
  'name',
  'status',
];
const words = [
  'enabled',
  'disabled',
  'manual',
  'always',
  'true',
  'false',
  'connection',
  'created',
  'ACTIVE',
  '1234*#p',
];
const value = fc.oneof(
  oddValue,
  fc.constantFrom(...words),
  fc.array(fc.record({ id: oddValue, layoutClassList: oddValue }), { maxLength: 3 }),
);
const key = fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...fieldNames) }, { weight: 1, arbitrary: oddText });
/** A body that every route can do something with; odd fields are laid over it. */
const right = {
  data: 'x',
  type: 'chat',
  active: true,
  digits: '1',
  items: [],
  layoutClassList: ['focus'],
  group: 'stream',
  event: 'created',
  url: 'https://app.example/',
  status: 'ACTIVE',
};
const json = fc
  .tuple(fc.boolean(), fc.dictionary(key, value, { maxKeys: 5 }))
  .map(([whole, fields]) => JSON.stringify(whole ? { ...right, ...fields } : fields));
const form = fc
  .array(fc.tuple(key, fc.oneof(oddText, fc.constantFrom(...words))), { maxLength: 6 })
  .map((pairs) => new URLSearchParams(pairs).toString());
const body = fc.oneof(
  { weight: 4, arbitrary: json.map((text) => Buffer.from(text)) },
  { weight: 2, arbitrary: form.map((text) => Buffer.from(text)) },
  { weight: 2, arbitrary: damaged(fc.oneof(json, form)).map((text) => Buffer.from(text)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 1, arbitrary: fc.json().map((text) => Buffer.from(text)) },
);
const contentType = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('application/json', 'application/x-www-form-urlencoded', '') },
  {
    weight: 1,
    arbitrary: fc.constantFrom('text/plain', 'application/json; charset=utf-16', 'multipart/form-data', 'x', '/'),
  },
);
const accept = fc.constantFrom('application/json', '*/*', 'text/xml', '');

/** Routes that take a body, by name; one that rotates a secret or removes the project would end the run. */
const routes = new Map(
  routeTable
    .filter(({ method, handle }) => handle && method !== 'GET')
    .filter(
      ({ method, path }) => !path.endsWith('/refreshSecret') && !(method === 'DELETE' && path.endsWith(':apiKey')),
    )
    .map((route) => [`${route.method} ${route.path}`, route]),
);

/** Calls that are under way together: their changes share transactions, as those of a busy server do. */
const atOnce = 100;
/** Each project is listed when the next one is made, so a long run makes no more than these. */
const projectsMax = 200;

type Room = Awaited<ReturnType<typeof liveRoom>>;

/** Ids for a path: those that are there, and odd ones. */
function ids(room: Room): fc.Arbitrary<Record<string, string>> {
  const or = (real: string) =>
    fc.oneof(
      { weight: 5, arbitrary: fc.constant(real) },
      { weight: 1, arbitrary: oddText.filter((text) => text !== '' && text.length < 200) },
    );
  return fc.record({
    sessionId: or(room.sessionId),
    streamId: or(room.streamId),
    // Only damaged ones where the route would send the client away.
    connectionId: or(room.connectionId),
    callbackId: oddText.filter((text) => text !== '' && text.length < 200),
    archiveId: or(room.archiveId),
  });
}

/** Throws when an answer is not what it may be. */
function judge(status: number, type: string, text: string): void {
  // 501 names what is not built.
  if (status >= 500 && status !== 501) throw new Error(`answered ${status}: ${text}`);
  if (status === 204 ? text !== '' : !/^(application\/json|text\/xml)$/.test(type))
    throw new Error(`${status} ${type} ${text}`);
  if (status < 400) return;
  const message = type === 'text/xml' ? /<message>([^<]+)<\/message>/.exec(text)?.[1] : JSON.parse(text).message;
  if (!message) throw new Error(`unclear: ${text}`);
}

/**
 * @param seed of the generator
 * @param cases how many
 * @returns how many answers had which status
 * @throws when an answer is a 500 or says nothing
 */
export async function run(seed: number, cases: number): Promise<Record<string, number>> {
  const room = await liveRoom();
  const { core, clock, projectId, accountId, secret } = room;
  const accountSecret = await core.accounts.secretOf(accountId);
  const app = createHttpServer(null);
  await opentokRoutes(app, {
    core,
    limiter: { take: () => ({ ok: true }) },
    clientAddress: () => '192.0.2.1',
    showSecrets: false,
    signallingUrl: () => 'ws://media.example/signalling',
    baseUrl: () => 'http://fuzz.example',
  });
  const now = Math.floor(clock.now() / 1000);
  const times = { iat: now, exp: now + 300 };
  const credentials = {
    project: makeJwt({ iss: projectId, ist: 'project', ...times }, secret),
    account: makeJwt({ iss: accountId, ist: 'account', ...times }, accountSecret),
  };
  const tally = new Tally();
  const call = async (
    routeName: string,
    inPath: Record<string, string>,
    sent: { body: Buffer; contentType: string; accept: string },
  ) => {
    const drawn = routes.get(routeName)!;
    const removes = drawn.method === 'DELETE' && inPath.connectionId === room.connectionId;
    const suspends = drawn.by === 'account' && sent.body.includes('SUSPENDED');
    const crowds = drawn.path === '/v2/project' && (await core.projects.list(accountId)).length >= projectsMax;
    // What would end the run for the others goes to session/create instead.
    const { method, path, by } = removes || suspends || crowds ? routes.get('POST /session/create')! : drawn;
    const url = path
      .replace(':apiKey', projectId)
      .replace(/:(\w+)/g, (_, id: string) => encodeURIComponent(inPath[id]!.toWellFormed()));
    const answer = await app.inject({
      method,
      url,
      headers: {
        'x-opentok-auth': credentials[by],
        accept: sent.accept,
        ...(sent.contentType ? { 'content-type': sent.contentType } : {}),
      },
      payload: sent.body,
    });
    judge(answer.statusCode, String(answer.headers['content-type'] ?? ''), answer.body);
    tally.add(String(answer.statusCode));
    // What was told to the client is not kept, or a long run would fill the memory.
    room.client.told.length = 0;
  };
  try {
    const one = fc.tuple(fc.constantFrom(...routes.keys()), ids(room), fc.record({ body, contentType, accept }));
    const some = fc.array(one, { minLength: atOnce, maxLength: atOnce, size: 'max' });
    await fc.assert(
      fc.asyncProperty(some, async (calls) => {
        await Promise.all(calls.map((each) => call(...each)));
      }),
      { seed, numRuns: Math.ceil(cases / atOnce) },
    );
  } finally {
    await app.close();
    await room.close();
  }
  return tally.counts;
}
