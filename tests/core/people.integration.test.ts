/** People over the real rules and the embedded store: invitations, log-ins, lock-out, recovery, and how log-ins end. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { limits } from '@cloister/protocol';
import type { Actor } from '../../packages/server/src/core/index.ts';
import { People } from '../../packages/server/src/core/person.ts';
import type { KeyRing } from '../../packages/server/src/keys/index.ts';
import type { OpenedStore } from '../../packages/server/src/store/index.ts';
import { codeAt, enrol, from, nextCode, operator, password, peoplePlatform, recorded, refusal } from './people.ts';
import type { TestPlatform } from './platform.ts';

let platform: TestPlatform;
let count = 0;
let email: string;

before(async () => {
  platform = await peoplePlatform();
});
beforeEach(() => {
  count += 1;
  email = `ada${count}@clinic.example`;
});
after(() => platform.close());

const wish = (given: object = {}) => ({
  accountId: platform.accountId,
  name: 'Ada',
  email,
  role: 'engineer' as const,
  passwordAllowed: true,
  ...given,
});
const find = (cookie: string) => platform.core.personSessions.find(cookie);
const logIn = (given: { email: string; password?: string; code: string }, address = from.address) =>
  platform.core.logIns.byPassword({ password, ...given }, { ...from, address });

test('an invitation lives until its bound and not past it, and works once', async () => {
  const { core, clock } = platform;
  const first = await core.people.invite(operator, wish());
  clock.advance(limits.invitationSeconds * 1000);
  assert.equal((await core.people.invited(first.token)).id, first.person.id);
  clock.advance(1);
  await assert.rejects(core.people.invited(first.token), refusal('InvitationInvalid'));

  const { token } = await core.people.recover(operator, platform.accountId, first.person.id);
  const { secret } = await core.enrolments.setPassword(token, password);
  const code = codeAt(secret, clock.now());
  const { cookie } = await core.enrolments.confirm(token, code, from);
  assert.equal((await find(cookie))?.person.id, first.person.id);
  await assert.rejects(core.enrolments.confirm(token, code, from), refusal('InvitationInvalid'));
  await assert.rejects(core.people.invited('nobody has this'), refusal('InvitationInvalid'));
});

test('somebody is invited into a side that has the role, with an address nobody has, of a length that mail has', async () => {
  const { core } = platform;
  await assert.rejects(
    core.people.invite(operator, wish({ role: 'operator' })),
    refusal('BadRequest', /no role of an account/),
  );
  const staff = wish({ accountId: null });
  await assert.rejects(core.people.invite(operator, staff), refusal('BadRequest', /no role of the operator/));
  await assert.rejects(core.people.invite(operator, wish({ accountId: '1' })), refusal('IssuerNotFound'));
  await core.people.invite(operator, wish());
  await assert.rejects(
    core.people.invite(operator, wish({ email: ` ${email.toUpperCase()}` })),
    refusal('WrongState', /taken/),
  );
  const long = `${'a'.repeat(limits.emailChars - 8)}@b.local`;
  await core.people.invite(operator, wish({ email: long }));
  await assert.rejects(core.people.invite(operator, wish({ email: `a${long}` })), refusal('BadRequest', /254/));
});

test('a password has the length that the limits say, and is for who may have one', async () => {
  const { core } = platform;
  const { token } = await core.people.invite(operator, wish());
  for (const length of [limits.passwordCharsLeast - 1, limits.passwordChars + 1]) {
    await assert.rejects(core.enrolments.setPassword(token, 'x'.repeat(length)), refusal('PasswordRefused'));
  }
  for (const length of [limits.passwordCharsLeast, limits.passwordChars]) {
    await core.enrolments.setPassword(token, 'x'.repeat(length));
  }
  const passkeys = await core.people.invite(operator, wish({ email: `p${email}`, passwordAllowed: false }));
  await assert.rejects(
    core.enrolments.setPassword(passkeys.token, password),
    refusal('PasswordRefused', /emergencies/),
  );
});

test('password and code let somebody in; a code does so once, and no half of it alone', async () => {
  const { secret } = await enrol(platform, { email });
  const code = nextCode(platform, secret);
  const cookie = await logIn({ email: ` ${email.toUpperCase()} `, code });
  const found = await find(cookie);
  assert.equal(found?.session.method, 'password');
  await assert.rejects(logIn({ email, code }), refusal('LogInFailed'));
  await assert.rejects(logIn({ email, code: '' }), refusal('LogInFailed'));
  await assert.rejects(
    logIn({ email, code: nextCode(platform, secret), password: `${password}!` }),
    refusal('LogInFailed'),
  );
  await logIn({ email, code: nextCode(platform, secret) });
});

test('a password without a confirmed authenticator opens nothing', async () => {
  const { core, clock } = platform;
  const { token } = await core.people.invite(operator, wish());
  const { secret } = await core.enrolments.setPassword(token, password);
  await assert.rejects(logIn({ email, code: codeAt(secret, clock.now()) }), refusal('LogInFailed'));
});

test('who does not exist is refused as who does: the same answer, and the same wait after as many failures', async () => {
  const { secret } = await enrol(platform, { email });
  const answers = async (name: string, address: string) => {
    const said: string[] = [];
    for (let tries = 0; tries <= limits.logInFailures; tries += 1) {
      await logIn({ email: name, code: '000000', password: 'some other password' }, address).catch((error) =>
        said.push(JSON.stringify(error.toBody())),
      );
    }
    return said;
  };
  const [known, unknown] = [await answers(email, 'a1'), await answers(`nobody-${email}`, 'a2')];
  assert.deepEqual(known, unknown);
  assert.equal(known.filter((each) => each.includes('LogInFailed')).length, limits.logInFailures);
  assert.equal(known.filter((each) => each.includes('LogInLocked')).length, 1);
  // Even the right password waits, and is not looked at.
  await assert.rejects(logIn({ email, code: nextCode(platform, secret) }, 'a3'), refusal('LogInLocked'));
});

test('the wait begins with its first length, doubles with each further failure, and has an end', async () => {
  const { secret, personId } = await enrol(platform, { email });
  const { clock, core } = platform;
  const fail = (n: number) => logIn({ email, code: '000000', password: 'some other password' }, `b${n}`);
  for (let tries = 0; tries < limits.logInFailures; tries += 1)
    await assert.rejects(fail(tries), refusal('LogInFailed'));
  for (let wait = limits.logInLockSeconds; ; wait = Math.min(wait * 2, limits.logInLockSecondsMost)) {
    clock.advance(wait * 1000 - 1);
    await assert.rejects(fail(wait), refusal('LogInLocked'));
    clock.advance(1);
    await assert.rejects(fail(wait), refusal('LogInFailed'));
    if (wait === limits.logInLockSecondsMost) break;
  }
  await core.people.unlock(operator, platform.accountId, personId);
  await logIn({ email, code: nextCode(platform, secret) });
  const failures = await recorded(platform, 'login.failed', 'person.unlocked');
  const own = failures.filter((each) => each.personId === personId);
  assert.equal(own.filter(({ locked }) => locked === true).length, own.length - limits.logInFailures);
  assert.equal(own.at(-1)?.type, 'person.unlocked');
});

test('guesses that come together are counted one after the other', async () => {
  await enrol(platform, { email });
  const guesses = Array.from({ length: limits.logInFailures * 3 }, (_, index) =>
    logIn({ email, code: '000000', password: 'some other password' }, `c${index}`).catch(({ code }) => code),
  );
  const codes = await Promise.all(guesses);
  assert.equal(codes.filter((code) => code === 'LogInFailed').length, limits.logInFailures);
});

test('failures are forgotten a day after the last, not before', async () => {
  await enrol(platform, { email });
  const { clock } = platform;
  const fail = () => logIn({ email, code: '000000', password: 'some other password' }, `d${clock.now()}`);
  for (let tries = 0; tries < limits.logInFailures; tries += 1) await assert.rejects(fail(), refusal('LogInFailed'));
  clock.advance(limits.logInFailuresKeptSeconds * 1000);
  await assert.rejects(fail(), refusal('LogInFailed'));
  await assert.rejects(fail(), refusal('LogInLocked'));
  clock.advance(limits.logInFailuresKeptSeconds * 1000 + 1);
  for (let tries = 0; tries < limits.logInFailures; tries += 1) await assert.rejects(fail(), refusal('LogInFailed'));
});

test('an address from which log-ins fail has to wait, whoever is named', async () => {
  const { secret } = await enrol(platform, { email });
  const bad = (n: number) => logIn({ email: `x${n}-${email}`, code: '1', password: 'some other password' }, 'busy');
  for (let tries = 0; tries < limits.logInAddressFailures; tries += 1) {
    await assert.rejects(bad(tries), refusal('LogInFailed'));
  }
  await assert.rejects(bad(99), refusal('LogInLocked', /address/));
  await assert.rejects(logIn({ email, code: nextCode(platform, secret) }, 'busy'), refusal('LogInLocked'));
  await logIn({ email, code: nextCode(platform, secret) }, 'another');
});

test('each recovery code stands once for an authenticator; recovery takes every way in away', async () => {
  const { recoveryCodes, cookie, personId } = await enrol(platform, { email });
  assert.equal(new Set(recoveryCodes).size, limits.recoveryCodes);
  const [code] = recoveryCodes as [string];
  await logIn({ email, code: code.toUpperCase() });
  await assert.rejects(logIn({ email, code }), refusal('LogInFailed'));
  const done = await recorded(platform, 'login.done');
  assert.equal(done.at(-1)?.recoveryCode, true);

  const { core } = platform;
  const link = await core.people.recover(operator, platform.accountId, personId);
  assert.equal(await find(cookie), null);
  await assert.rejects(logIn({ email, code: recoveryCodes[1] as string }), refusal('LogInFailed'));
  const { secret } = await core.enrolments.setPassword(link.token, password);
  await core.enrolments.confirm(link.token, codeAt(secret, platform.clock.now()), from);
  await logIn({ email, code: nextCode(platform, secret) });
});

test('new recovery codes put those before out of use', async () => {
  const { recoveryCodes, cookie } = await enrol(platform, { email });
  const fresh = await platform.core.enrolments.renewRecoveryCodes((await find(cookie))!);
  await assert.rejects(logIn({ email, code: recoveryCodes[0] as string }), refusal('LogInFailed'));
  await logIn({ email, code: fresh[0] as string });
});

test('a log-in ends after its rest, and after its day however it is used', async () => {
  const { clock } = platform;
  const { cookie } = await enrol(platform, { email });
  clock.advance(limits.personIdleSeconds * 1000 - 1);
  assert.ok(await find(cookie));
  clock.advance(limits.personIdleSeconds * 1000 - 1);
  assert.ok(await find(cookie));
  clock.advance(limits.personIdleSeconds * 1000);
  assert.equal(await find(cookie), null);
  await platform.core.personSessions.sweep();
  assert.ok((await recorded(platform, 'login.ended')).some(({ why }) => why === 'idle'));

  const long = (await enrol(platform, { email: `l${email}` })).cookie;
  const step = (limits.personIdleSeconds * 1000) / 2;
  for (let passed = step; passed < limits.personSessionSeconds * 1000; passed += step) {
    clock.advance(step);
    assert.ok(await find(long), `after ${passed} ms`);
  }
  clock.advance(step - 1);
  assert.ok(await find(long));
  clock.advance(1);
  assert.equal(await find(long), null);
  await platform.core.personSessions.sweep();
  assert.ok((await recorded(platform, 'login.ended')).some(({ why }) => why === 'too long'));
});

test('the oldest log-in of a person ends where there are too many', async () => {
  const { cookie, secret } = await enrol(platform, { email });
  for (let others = 1; others < limits.sessionsPerPerson; others += 1) {
    await logIn({ email, code: nextCode(platform, secret) });
    assert.ok(await find(cookie));
  }
  await logIn({ email, code: nextCode(platform, secret) });
  assert.equal(await find(cookie), null);
});

test('sessions die when the log-in key is rotated, and when it is compromised', async () => {
  const keys = platform.core.keys as unknown as {
    rotate(purpose: string): Promise<{ keyId: string }>;
    compromise(id: string): Promise<unknown>;
  };
  const { cookie, secret } = await enrol(platform, { email });
  const { keyId } = await keys.rotate('login');
  assert.equal(await find(cookie), null);
  const again = await logIn({ email, code: nextCode(platform, secret) });
  assert.ok(await find(again));
  await keys.compromise(keyId);
  assert.equal(await find(again), null);
  await platform.core.personSessions.sweep();
  assert.ok((await recorded(platform, 'login.ended')).some(({ why }) => why === 'key rotated'));
});

test('sessions die with a change of role and of password, but for the one that changed it', async () => {
  const { core, accountId } = platform;
  const boss = await enrol(platform, { email: `boss-${email}` });
  const { cookie, secret, personId } = await enrol(platform, { email, role: 'engineer' });
  await core.people.setRole(operator, accountId, personId, 'auditor');
  assert.equal(await find(cookie), null);
  const [one, two] = [
    await logIn({ email, code: nextCode(platform, secret) }),
    await logIn({ email, code: nextCode(platform, secret) }),
  ];
  const other = 'another five words that go nowhere';
  await assert.rejects(
    core.enrolments.changePassword((await find(one!))!, 'not the old one', other),
    refusal('LogInFailed'),
  );
  await core.enrolments.changePassword((await find(one!))!, password, other);
  assert.ok(await find(one!));
  assert.equal(await find(two!), null);
  await assert.rejects(logIn({ email, code: nextCode(platform, secret) }), refusal('LogInFailed'));
  assert.ok(await find(boss.cookie));
  await core.people.remove(operator, accountId, personId);
  assert.equal(await find(one!), null);
});

test('an account keeps its last owner, also when two owners are demoted at once', async () => {
  const { core } = platform;
  const { account } = await core.accounts.create(operator, { name: 'Other', plan: 'standard' });
  const invite = (name: string) =>
    core.people.invite(operator, wish({ accountId: account.id, email: name, role: 'owner' }));
  const [one, two] = [await invite(`1${email}`), await invite(`2${email}`)];
  const demote = (id: string) => core.people.setRole(operator, account.id, id, 'support').catch(({ code }) => code);
  assert.deepEqual((await Promise.all([demote(one.person.id), demote(two.person.id)])).sort(), [
    'LastOwner',
    undefined,
  ]);
  await assert.rejects(core.people.get(account.id, platform.accountId), refusal('PersonNotFound'));
  await assert.rejects(core.people.get(platform.accountId, one.person.id), refusal('PersonNotFound'));
});

test('addresses of log-ins stay sealed for their time; who looks is recorded; no event and no row has one', async () => {
  const { core, clock, accountId } = platform;
  const { secret, personId } = await enrol(platform, { email });
  await logIn({ email, code: nextCode(platform, secret) }, '203.0.113.99');
  const at = clock.now();
  const [newest] = await core.logIns.list(operator, accountId);
  assert.equal(newest?.address, '203.0.113.99');
  assert.equal(newest?.personId, personId);
  assert.equal(newest?.network, 'public');
  const [row] = await core.store.people.logIns(accountId, 1);
  assert.ok(!JSON.stringify(row).includes('203.0.113'));
  const events = await recorded(platform, 'login', 'person');
  assert.ok(events.some(({ type }) => type === 'login.addressesShown'));
  assert.ok(!JSON.stringify(events).includes('203.0.113'));
  assert.ok(!JSON.stringify(events).includes(email));
  clock.advance(at + limits.logInAddressSeconds * 1000 - clock.now());
  await core.personSessions.sweep();
  assert.ok((await core.logIns.list(operator, accountId)).some((each) => each.id === newest?.id));
  clock.advance(1);
  await core.personSessions.sweep();
  assert.ok(!(await core.logIns.list(operator, accountId)).some((each) => each.id === newest?.id));
});

test('once the key that seals people has leaked, all of them are sealed anew and open without it', async () => {
  const { core } = platform;
  const store = core.store as OpenedStore;
  const keys = core.keys as KeyRing;
  const { secret, personId } = await enrol(platform, { email });
  const maker: Actor = { kind: 'person', personId, accountId: platform.accountId };
  const wished = {
    personId,
    accountId: platform.accountId,
    label: 'a label',
    scopes: ['audit.read'] as const,
    seconds: 60,
  };
  await core.apiKeys.create(maker, wished);
  const leaked = keys.list().find(({ purpose, retiredAt }) => purpose === 'platform:data' && retiredAt === null)!.id;
  await keys.compromise(leaked);
  assert.ok((await store.reseal(null)) >= 5);
  await store.keyring.remove(leaked);
  await keys.refresh();
  await logIn({ email, code: nextCode(platform, secret) });
  assert.ok((await core.people.list(platform.accountId)).some((each) => each.email === email));
  assert.equal((await core.apiKeys.list(platform.accountId))[0]?.label, 'a label');
  assert.equal((await core.logIns.list(operator, platform.accountId))[0]?.address, from.address);
  const anew = new People(core, core.accounts);
  assert.equal(await anew.hashOf('email', email), await core.people.hashOf('email', email));
});
