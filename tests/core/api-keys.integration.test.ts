/** Keys of programs, and what support staff of the operator is granted, over the real rules. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { limits } from '@cloister/protocol';
import type { Actor, Scope } from '../../packages/server/src/core/index.ts';
import { machineScopes, scopes } from '../../packages/server/src/core/index.ts';
import { enrol, operator, peoplePlatform, recorded, refusal } from './people.ts';
import type { TestPlatform } from './platform.ts';

let platform: TestPlatform;
let owner: Actor & { personId: string };
let engineer: Actor & { personId: string };

async function actor(email: string, role: 'owner' | 'engineer'): Promise<Actor & { kind: 'person'; personId: string }> {
  const { personId } = await enrol(platform, { email, role });
  return { kind: 'person', personId, accountId: platform.accountId };
}

before(async () => {
  platform = await peoplePlatform();
  owner = (await actor('owner@clinic.example', 'owner')) as typeof owner;
  engineer = (await actor('engineer@clinic.example', 'engineer')) as typeof engineer;
});
after(() => platform.close());

const wish = (given: object = {}) => ({
  accountId: platform.accountId,
  personId: null as string | null,
  label: 'nightly export',
  scopes: ['audit.read'] as readonly Scope[],
  seconds: 3600,
  ...given,
});

test('a key is shown once, kept as a hash, opens what it may until its end, and its first use is recorded', async () => {
  const { core, clock } = platform;
  const { key, token } = await core.apiKeys.create(owner, wish());
  assert.match(token, /^cloister_[0-9a-f]{18}_[\w-]{43}$/);
  const secret = token.slice(token.indexOf('_', 9) + 1);
  assert.ok(!JSON.stringify(await core.store.people.apiKey(key.id)).includes(secret));
  assert.ok(!JSON.stringify(await core.store.people.apiKey(key.id)).includes('nightly'));
  const together = await Promise.all([1, 2, 3].map(() => core.apiKeys.use(token, 'private')));
  assert.deepEqual(together[2]?.rights, ['audit.read']);
  await core.apiKeys.use(token, 'private');
  const used = (await recorded(platform, 'apiKey.firstUsed')).filter(({ apiKeyId }) => apiKeyId === key.id);
  assert.equal(used.length, 1);
  assert.equal(used[0]?.network, 'private');
  const [listed] = await core.apiKeys.list(platform.accountId);
  assert.equal(listed?.label, 'nightly export');
  assert.equal(listed?.lastUsedAt, clock.now());
  await assert.rejects(
    core.apiKeys.use(`${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`, 'public'),
    refusal('ApiKeyRefused'),
  );
  await assert.rejects(core.apiKeys.use('cloister_00_x', 'public'), refusal('ApiKeyRefused'));
  clock.advance(3600 * 1000 - 1);
  await core.apiKeys.use(token, 'private');
  clock.advance(1);
  await assert.rejects(core.apiKeys.use(token, 'private'), refusal('ApiKeyRefused'));
});

test('a key lives as long as the limit says at most, and an account has as many', async () => {
  const { core } = platform;
  await core.apiKeys.create(owner, wish({ seconds: limits.apiKeySeconds }));
  await assert.rejects(core.apiKeys.create(owner, wish({ seconds: limits.apiKeySeconds + 1 })), refusal('BadRequest'));
  for (let had = (await core.apiKeys.list(platform.accountId)).length; had < limits.apiKeysPerAccount; had += 1) {
    await core.apiKeys.create(owner, wish());
  }
  await assert.rejects(core.apiKeys.create(owner, wish()), refusal('LimitReached', /apiKeysPerAccount/));
  for (const { id } of await core.apiKeys.list(platform.accountId)) {
    await core.apiKeys.revoke(owner, platform.accountId, id);
  }
});

test('no key has a scope that is for people, whoever makes it', async () => {
  for (const scope of scopes) {
    const made = platform.core.apiKeys.create(owner, wish({ scopes: [scope] }));
    if (machineScopes.some((each) => each === scope)) await made;
    else await assert.rejects(made, refusal('NotAllowed', new RegExp(`${scope}, which a machine`)));
  }
});

test("a person's key does what they may and ends with them; the account's is for owners to make", async () => {
  const { core, accountId } = platform;
  const own = wish({ personId: engineer.personId, scopes: ['project.write', 'project.read'] });
  const { key, token } = await core.apiKeys.create(engineer, own);
  await assert.rejects(core.apiKeys.create(engineer, wish()), refusal('NotAllowed', /people\.write/));
  await assert.rejects(
    core.apiKeys.create(engineer, wish({ personId: owner.personId })),
    refusal('NotAllowed', /people\.write/),
  );
  assert.deepEqual((await core.apiKeys.use(token, 'public')).rights, ['project.write', 'project.read']);
  await core.people.setRole(operator, accountId, engineer.personId, 'support');
  assert.deepEqual((await core.apiKeys.use(token, 'public')).rights, ['project.read']);
  await core.people.remove(operator, accountId, engineer.personId);
  await assert.rejects(core.apiKeys.use(token, 'public'), refusal('ApiKeyRefused'));
  await assert.rejects(core.apiKeys.revoke(owner, accountId, key.id), refusal('ApiKeyNotFound'));
});

test('a grant opens what it names until it ends by itself, which is recorded; a machine cannot give one', async () => {
  const { core, clock, accountId } = platform;
  const need = () => core.supportGrants.require(accountId, 'project.read');
  await assert.rejects(need(), refusal('GrantNeeded'));
  const machine: Actor = { kind: 'account', accountId };
  const terms = { scopes: ['project.read'] as const, seconds: limits.supportGrantSeconds };
  await assert.rejects(core.supportGrants.give(machine, accountId, terms), refusal('NotAllowed', /approve/));
  const late = { ...terms, seconds: limits.supportGrantSeconds + 1 };
  await assert.rejects(core.supportGrants.give(owner, accountId, late), refusal('BadRequest'));
  const grant = await core.supportGrants.give(owner, accountId, terms);
  await need();
  await assert.rejects(core.supportGrants.require(accountId, 'content.read'), refusal('GrantNeeded'));
  await assert.rejects(core.supportGrants.require(accountId, 'secret.read'), refusal('NotAllowed'));
  clock.advance(limits.supportGrantSeconds * 1000 - 1);
  await need();
  clock.advance(1);
  await assert.rejects(need(), refusal('GrantNeeded'));
  await core.personSessions.sweep();
  const ended = (await recorded(platform, 'supportGrant.ended')).find(({ grantId }) => grantId === grant.id);
  assert.equal(ended?.why, 'expired');
  const second = await core.supportGrants.give(owner, accountId, terms);
  await core.supportGrants.withdraw(owner, accountId, second.id);
  await assert.rejects(need(), refusal('GrantNeeded'));
  await assert.rejects(core.supportGrants.withdraw(owner, accountId, second.id), refusal('GrantNotFound'));
});

test('an account has as many grants as the limit says', async () => {
  const { core, accountId } = platform;
  const give = () => core.supportGrants.give(owner, accountId, { scopes: ['audit.read'], seconds: 60 });
  for (let had = 0; had < limits.supportGrantsPerAccount; had += 1) await give();
  await assert.rejects(give(), refusal('LimitReached', /supportGrantsPerAccount/));
});

test('an account has as many people, a person as many passkeys, and one answer as many log-ins as the limits say', async () => {
  const { core, accountId } = platform;
  const [first] = await core.store.people.list(accountId);
  const event = (type: 'person.invited' | 'person.credentialAdded', more: object) =>
    core.recorder.stamp(operator, { type, projectId: null, accountId, personId: 'x', ...more } as never);
  const had = (await core.store.people.list(accountId)).length;
  const more = Array.from({ length: limits.peoplePerAccount - had - 1 }, (_, index) => {
    const person = { ...first!, id: `p${index}`, emailHash: `e${index}`, invitationHash: null, version: 0 };
    return core.store.people.create(person, event('person.invited', { role: 'support' }));
  });
  await Promise.all(more);
  const invite = (email: string) =>
    core.people.invite(operator, { accountId, name: '', email, role: 'support', passwordAllowed: false });
  await invite('last@clinic.example');
  await assert.rejects(invite('more@clinic.example'), refusal('LimitReached', /peoplePerAccount/));

  const page = { origin: 'https://media.example', host: 'media.example' };
  const add = (index: number) => {
    const passkey = {
      id: `k${index}`,
      personId: first!.id,
      publicKey: 'AA',
      counter: 0,
      createdAt: index,
      lastUsedAt: null,
    };
    return core.store.people.change(
      { addPasskey: passkey },
      event('person.credentialAdded', { credential: 'passkey' }),
    );
  };
  for (let index = 1; index < limits.passkeysPerPerson; index += 1) await add(index);
  await core.enrolments.askPasskey(page, first!);
  await add(limits.passkeysPerPerson);
  await assert.rejects(core.enrolments.askPasskey(page, first!), refusal('LimitReached', /passkeysPerPerson/));

  const record = (index: number) => ({
    ...{ id: `l${index}`, accountId, personId: first!.id, at: 1, method: 'passkey' as const, outcome: 'done' as const },
    ...{ network: 'public' as const, address: core.keys.seal(null, `login.address:l${index}`, 'x') },
  });
  const logIns = Array.from({ length: limits.logInsListed + 1 }, (_, index) =>
    core.store.people.change({ logIn: record(index) }, event('person.credentialAdded', { credential: 'passkey' })),
  );
  await Promise.all(logIns);
  assert.equal((await core.logIns.list(operator, accountId)).length, limits.logInsListed);
});
