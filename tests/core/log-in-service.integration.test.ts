/** Logging in by a real log-in service: authorisation code with PKCE, groups to roles, and what becomes of who loses them. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { createEgress } from '../../packages/server/src/access/index.ts';
import { parsePrefixPort, systemClock } from '../../packages/server/src/lib/index.ts';
import { openCredentials } from '../../packages/server/src/people/index.ts';
import { tempFolder } from '../rig/cleanup.ts';
import { type LogInService, startLogInService, throughForm } from '../rig/log-in-service.ts';
import { from, recorded, refusal } from './people.ts';
import { type TestPlatform, testPlatform } from './platform.ts';

const redirectUri = 'https://media.example/cloister/v1/people/oidc/callback';
const folder = tempFolder('log-in-service');
const file = path.join(folder, 'services.json');
let service: LogInService;
let platform: TestPlatform;

function write(change: object = {}): void {
  const secretFile = path.join(folder, 'secret');
  writeFileSync(secretFile, service.clientSecret);
  const roles = [
    { group: 'video-owners', account: '__account__', role: 'owner' },
    { group: 'video', account: '__account__', role: 'engineer' },
    { group: 'night-shift', account: 'operator', role: 'operatorSupport' },
  ];
  const { issuer, clientId } = service;
  const entry = { id: 'company', name: 'Company', issuer, clientId, clientSecretFile: secretFile, roles, ...change };
  writeFileSync(file, JSON.stringify([entry]));
}

function credentials(destinations: string[], mode: 'development' | 'production' = 'development') {
  const prefixes = destinations.map((text) => parsePrefixPort(text)!);
  const ownAddresses = () => [];
  const wire = createEgress({ mode, destinations: prefixes, ownAddresses, clock: systemClock });
  return openCredentials({ file, wire });
}

before(async () => {
  service = await startLogInService([redirectUri]);
  write();
  const { port } = new URL(service.issuer);
  platform = await testPlatform('enterprise', {
    startAt: Date.now(),
    credentials: credentials([`127.0.0.1/32:${port}`]),
  });
});
after(async () => {
  await platform.close();
  await service.close();
});

/** Logs in as somebody; → the value of the cookie. */
async function logIn(name: string): Promise<string> {
  const { url, journeyId } = await platform.core.logIns.depart('company', redirectUri);
  const back = new URL(await throughForm(url, name));
  return platform.core.logIns.arrive(journeyId, (uri) => `${uri}${back.search}`, from);
}

const who = async (cookie: string) => (await platform.core.personSessions.find(cookie))?.person ?? null;

test('the groups of somebody make them what they are, at each log-in anew; who has none any more loses role and sessions', async () => {
  service.groups.set('grace', ['staff', 'night-shift']);
  const first = await logIn('grace');
  const person = await who(first);
  assert.equal(person?.role, 'operatorSupport');
  assert.equal(person?.accountId, null);
  assert.deepEqual(platform.core.people.personalOf(person!), { name: 'grace', email: 'grace@company.example' });
  const again = await logIn('grace');
  assert.equal((await who(again))?.id, person?.id);

  service.groups.set('grace', ['staff']);
  await assert.rejects(logIn('grace'), refusal('LogInFailed'));
  assert.equal(await who(first), null);
  assert.equal(await who(again), null);
  const [, lost] = await recorded(platform, 'person.');
  assert.deepEqual([lost?.type, lost?.from, lost?.role], ['person.roleChanged', 'operatorSupport', null]);

  service.groups.set('grace', ['night-shift']);
  assert.equal((await who(await logIn('grace')))?.id, person?.id);
  const types = (await recorded(platform, 'person.', 'login.')).map(({ type }) => type);
  assert.deepEqual(types, [
    ...['person.provisioned', 'login.done', 'login.done', 'person.roleChanged', 'login.failed'],
    ...['person.roleChanged', 'login.done'],
  ]);
});

test('who has no group that counts is nobody here, and leaves nothing behind', async () => {
  service.groups.set('mallory', ['staff']);
  const had = (await platform.core.people.list(null)).length;
  await assert.rejects(logIn('mallory'), refusal('LogInFailed'));
  assert.equal((await platform.core.people.list(null)).length, had);
});

test('the request has PKCE with S256, a state and a nonce, each new', async () => {
  const [one, two] = service.asked.slice(-2) as [URLSearchParams, URLSearchParams];
  assert.equal(one.get('response_type'), 'code');
  assert.equal(one.get('code_challenge_method'), 'S256');
  for (const name of ['code_challenge', 'state', 'nonce']) {
    assert.match(one.get(name) ?? '', /^[\w-]{43}$/);
    assert.notEqual(one.get(name), two.get(name));
  }
});

test('an answer is taken once, under the state it was asked with, and by who asked', async () => {
  service.groups.set('grace', ['night-shift']);
  const { core } = platform;
  const ask = () => core.logIns.depart('company', redirectUri);
  const { url, journeyId } = await ask();
  const { search } = new URL(await throughForm(url, 'grace'));
  const other = await ask();
  await assert.rejects(
    core.logIns.arrive(other.journeyId, (uri) => `${uri}${search}`, from),
    refusal('ProviderFailed'),
  );
  const wrong = search.replace(/code=[^&]{4}/, 'code=AAAA');
  const third = await ask();
  const { search: fresh } = new URL(await throughForm(third.url, 'grace'));
  await assert.rejects(
    core.logIns.arrive(third.journeyId, (uri) => `${uri}${fresh.replace(/code=[^&]{4}/, 'code=AAAA')}`, from),
    refusal('ProviderFailed'),
  );
  assert.notEqual(wrong, search);
  await core.logIns.arrive(journeyId, (uri) => `${uri}${search}`, from);
  await assert.rejects(
    core.logIns.arrive(journeyId, (uri) => `${uri}${search}`, from),
    refusal('LogInFailed'),
  );
  assert.equal((await recorded(platform, 'login.failed')).at(-1)?.personId, null);
  const refused = await ask();
  const state = new URL(refused.url).searchParams.get('state');
  const no = `?error=access_denied&state=${state}&iss=${encodeURIComponent(service.issuer)}`;
  await assert.rejects(
    core.logIns.arrive(refused.journeyId, (uri) => `${uri}${no}`, from),
    refusal('LogInFailed'),
  );
});

test('a service whose address the rules of the way out do not allow is not asked', async () => {
  const before = service.asked.length;
  await assert.rejects(
    credentials([], 'production').depart('company', redirectUri),
    refusal('ProviderFailed', /not allowed/),
  );
  assert.equal(service.asked.length, before);
  await assert.rejects(platform.core.logIns.depart('nobody', redirectUri), refusal('RouteNotFound'));
});

test('a service with another secret, or another name of itself, lets nobody in', async () => {
  const { port } = new URL(service.issuer);
  write({ clientSecretFile: undefined });
  const open = credentials([`127.0.0.1/32:${port}`]);
  const { url, journey } = await open.depart('company', redirectUri);
  const back = await throughForm(url, 'grace');
  await assert.rejects(open.arrive(journey, back), refusal('ProviderFailed'));
  write({ issuer: `http://localhost:${port}` });
  await assert.rejects(credentials([`127.0.0.1/32:${port}`]).depart('company', redirectUri), refusal('ProviderFailed'));
});
