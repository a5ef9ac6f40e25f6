/** Every route of `/cloister/v1` × everybody who may ask: each role, the operator's staff, machines with each scope, nobody. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fastify from 'fastify';
import { enrol, operator } from '../../../../tests/core/people.ts';
import { machineScopes, type PersonRole, type Scope, scopes } from '../core/index.ts';
import { type Access, accessTable, prefix, type Scoped } from './access.ts';
import { type Served, serve } from './admin-fixture.ts';
import type { AuditDoor } from './audit.ts';
import { guard } from './principal.ts';

/** What each role may, written out a second time: the code's own table is what is tested. */
const rights: Readonly<Record<PersonRole, readonly Scope[]>> = {
  owner: [
    ...(['project.read', 'project.write', 'content.read', 'secret.read', 'secret.write', 'audit.read'] as const),
    ...(['terms.read', 'terms.write'] as const),
    ...(['people.read', 'people.write', 'logIns.read', 'apiKeys.write', 'approve', 'sign'] as const),
  ],
  engineer: [
    'project.read',
    'project.write',
    'content.read',
    'secret.read',
    'secret.write',
    'audit.read',
    'terms.read',
    'apiKeys.write',
  ],
  auditor: ['project.read', 'audit.read', 'terms.read', 'people.read', 'logIns.read'],
  support: ['project.read'],
  operator: ['people.read', 'people.write', 'logIns.read'],
  operatorSupport: [],
};
/** And what can be granted. */
const grantable: readonly Scope[] = ['project.read', 'content.read', 'audit.read', 'people.read'];
const forPeopleAlone: readonly Scope[] = [
  'people.read',
  'people.write',
  'logIns.read',
  'apiKeys.write',
  'approve',
  'sign',
];
const customers = ['owner', 'engineer', 'auditor', 'support'] as const;

/** An audit log with nothing in it. */
const audit: AuditDoor = {
  status: () => ({ origin: 'test', size: 0, state: 'ok', why: null, checkpoint: '' }),
  checkpoint: () => '',
  keys: () => [],
  file: async () => Buffer.alloc(0),
  search: async () => [],
  async *export() {
    yield '';
  },
  cosign: async () => ({ witness: 'test', size: 0 }),
  repair: async () => {},
};

interface Asker {
  readonly name: string;
  readonly headers: Readonly<Record<string, string>>;
  may(access: Scoped, route: string): boolean;
  readonly isPerson: boolean;
}

let served: Served;
const askers: Asker[] = [];
/** These routes are OpenTok's folder's, and of its tests. */
const elsewhere = ['POST /join', 'GET /archive/:key/:fileName'];
const refusals = [
  'SessionRequired',
  'NotAllowed',
  'GrantNeeded',
  'AuthenticationMissing',
  'RequestForged',
  'ApiKeyRefused',
];

async function headersOf(cookie: string): Promise<Record<string, string>> {
  const { csrf } = (await served.platform.core.personSessions.find(cookie))!;
  return { cookie: `__Host-cloister-person=${cookie}`, 'x-cloister-csrf': csrf };
}

async function person(
  role: PersonRole,
  account: boolean,
  email = `${role}@example.org`,
): Promise<Record<string, string>> {
  return headersOf((await enrol(served.platform, { email, role, account })).cookie);
}

async function keyWith(scope: Scope): Promise<Record<string, string>> {
  const { core, accountId } = served.platform;
  const owner = (await core.people.list(accountId)).find(({ role }) => role === 'owner')!;
  const actor = { kind: 'person', personId: owner.id, accountId } as const;
  const wish = { accountId, personId: null, label: '', scopes: [scope], seconds: 3600 };
  return { authorization: `Bearer ${(await core.apiKeys.create(actor, wish)).token}` };
}

before(async () => {
  served = await serve('production', null, { audit, usage: { export: async () => '' } });
  const { core, accountId } = served.platform;
  for (const role of customers) {
    const headers = await person(role, true);
    askers.push({ name: role, headers, isPerson: true, may: ({ scope }) => rights[role].includes(scope) });
  }
  for (const role of ['operator', 'operatorSupport'] as const) {
    const own = await person(role, false);
    // A project leads to its account, which has granted what can be granted.
    const atHome = ({ scope, house }: Scoped, route: string) =>
      house ? rights[role].includes(scope) : route.includes(':apiKey') && grantable.includes(scope);
    askers.push({ name: `${role} at home`, headers: own, isPerson: true, may: atHome });
    const there = { ...(await person(role, false, `${role}2@example.org`)), 'x-cloister-account': '99' };
    askers.push({
      name: `${role} in an account that granted nothing`,
      headers: there,
      isPerson: true,
      may: () => false,
    });
    const granted = { ...(await person(role, false, `${role}3@example.org`)), 'x-cloister-account': accountId };
    const may = ({ scope }: Scoped) => grantable.includes(scope);
    askers.push({ name: `${role} with a grant`, headers: granted, isPerson: true, may });
  }
  for (const scope of machineScopes) {
    const may = (access: Scoped) => access.scope === scope;
    askers.push({ name: `API key with ${scope}`, headers: await keyWith(scope), isPerson: false, may });
  }
  const machine = { 'x-account': accountId, 'x-opentok-auth': 'a credential' };
  const may = ({ scope }: Scoped) => !forPeopleAlone.includes(scope);
  askers.push({ name: 'the account key', headers: machine, isPerson: false, may });
  askers.push({ name: 'nobody', headers: {}, isPerson: false, may: () => false });
  const owner = (await core.people.list(accountId)).find(({ role }) => role === 'owner')!;
  const giver = { kind: 'person', personId: owner.id, accountId } as const;
  await core.supportGrants.give(giver, accountId, { scopes: grantable as never, seconds: 3600 });
});
after(() => served.close());

/** What a route said: the code of its refusal, or `open` where it let in and said anything else. */
async function ask(route: string, headers: Record<string, string>): Promise<string> {
  const [method, pattern] = route.split(' ') as ['GET', string];
  const { projectId } = served.platform;
  const path = pattern.replace(':apiKey', projectId).replace(/:\w+/g, 'nobody').replace('*', '0/000');
  const body = method === 'GET' || (method as string) === 'DELETE' ? {} : { payload: {} };
  const answer = await served.app.inject({ method, url: `${prefix}${path}`, headers, ...body });
  const { code, message } = answer.payload.startsWith('{') ? JSON.parse(answer.payload) : { code: '', message: '' };
  return refusals.includes(code) || /name the account/.test(message) ? code : 'open';
}

function wanted(access: Access, asker: Asker, route: string): boolean {
  if (access === 'everybody' || access === 'bearer') return true;
  if (access === 'person') return asker.isPerson;
  return access !== 'playground' && asker.may(access, route);
}

test('each route lets in whom it should and nobody else', async () => {
  // Whoever has logged out is nobody any more.
  const routes = Object.keys(accessTable).sort((a, b) => Number(a.endsWith('log-out')) - Number(b.endsWith('log-out')));
  const wrong: string[] = [];
  let asked = 0;
  for (const route of routes.filter((each) => !elsewhere.includes(each))) {
    const access = accessTable[route] as Access;
    // The playground has a log-in of its own and is tested with it.
    if (access === 'playground') continue;
    for (const asker of askers) {
      const said = await ask(route, { ...asker.headers });
      asked += 1;
      if ((said === 'open') !== wanted(access, asker, route)) wrong.push(`${route}: ${asker.name} got ${said}`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(asked > 700, `${asked} were asked`);
});

test('all scopes have a role, and no machine may approve or sign', () => {
  assert.deepEqual([...rights.owner].sort(), [...scopes].sort());
  for (const scope of forPeopleAlone) assert.ok(!machineScopes.some((each) => each === scope), scope);
});

test('every row is a route that there is, and a route without a row is not registered', async () => {
  const routes = Object.keys(accessTable).filter((each) => !elsewhere.includes(each));
  for (const route of routes) {
    const [method, pattern] = route.split(' ') as ['GET', string];
    const isThere = served.app.hasRoute({ method, url: `${prefix}${pattern}` });
    assert.ok(isThere, route);
  }
  const app = fastify();
  const open = app.register(
    async (api) => {
      guard(api, { core: served.platform.core, clientAddress: () => '', network: () => 'public' });
      api.get('/forgotten', async () => ({}));
    },
    { prefix },
  );
  await assert.rejects(async () => open, /GET \/cloister\/v1\/forgotten: say in admin\/access\.ts who may call it/);
});

test('a change needs the token of its own log-in, a look does not', async () => {
  const { cookie, 'x-cloister-csrf': csrf } = await person('owner', true, 'a@example.org');
  const second = (await headersOf((await enrol(served.platform, { email: 'b@example.org' })).cookie))[
    'x-cloister-csrf'
  ]!;
  for (const token of [undefined, '', second, `${csrf}x`]) {
    const headers = { cookie: cookie!, ...(token !== undefined && { 'x-cloister-csrf': token }) };
    assert.equal(await ask('POST /people', headers), 'RequestForged', String(token));
  }
  assert.equal(await ask('GET /people', { cookie: cookie! }), 'open');
  assert.equal(await ask('POST /people', { cookie: cookie!, 'x-cloister-csrf': csrf! }), 'open');
});

test('the operator looks at one account by its grant and at no other, and a project leads to its account', async () => {
  const { core } = served.platform;
  const { account } = await core.accounts.create(operator, { name: 'Other', plan: 'standard' });
  const { project } = await core.projects.create(operator, account.id, { name: 'Other' });
  const staff = await person('operatorSupport', false, 'c@example.org');
  const look = async (apiKey: string, headers: Readonly<Record<string, string>>) => {
    const answer = await served.app.inject({ method: 'GET', url: `${prefix}/projects/${apiKey}`, headers });
    return answer.statusCode === 200 ? 'seen' : JSON.parse(answer.payload).code;
  };
  assert.equal(await look(served.platform.projectId, staff), 'seen');
  assert.equal(await look(project.id, staff), 'GrantNeeded');
  // By naming an account that granted, nobody gets at a project of another.
  const lying = { ...staff, 'x-cloister-account': served.platform.accountId };
  assert.equal(await look(project.id, lying), 'ProjectNotFound');
  const owner = await person('owner', true, 'd@example.org');
  assert.equal(await look(project.id, owner), 'ProjectNotFound');
  const people = {
    method: 'GET',
    url: `${prefix}/people`,
    headers: { ...staff, 'x-cloister-account': account.id },
  } as const;
  assert.equal(JSON.parse((await served.app.inject(people)).payload).code, 'GrantNeeded');
});

test('what a person changes is recorded as theirs, not as the account key', async () => {
  const { core, projectId } = served.platform;
  const headers = await person('engineer', true, 'e@example.org');
  const url = `${prefix}/projects/${projectId}`;
  await served.app.inject({ method: 'PATCH', url, headers, payload: { policy: 'require-aes256' } });
  const events = await core.store.outbox.read('test-actors', 1000);
  const changed = events.find(({ event }) => event?.type === 'project.policyChanged');
  assert.equal(changed?.event?.actor.kind, 'person');
});
