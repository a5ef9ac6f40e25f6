/** People in Chromium: an invitation taken up with password and authenticator and with a passkey, and a real log-in service. */
import { enterNetwork } from '../rig/network.ts';

enterNetwork(import.meta.filename);

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { Page } from 'puppeteer-core';
import { codeAt } from '../core/people.ts';
import { launchBrowser, type TestBrowser } from '../rig/browser.ts';
import { tempFolder } from '../rig/cleanup.ts';
import { command } from '../rig/command.ts';
import { type LogInService, startLogInService } from '../rig/log-in-service.ts';
import { Visitor } from '../rig/playground.ts';
import { type Server, startServer } from '../rig/server.ts';

const password = 'five words that go nowhere';
let server: Server;
let service: LogInService;
let browser: TestBrowser;
/** Passkeys are bound to a name, and an address is none. */
let url: string;

before(async () => {
  service = await startLogInService([]);
  const folder = tempFolder('people');
  const [file, clientSecretFile] = [path.join(folder, 'services.json'), path.join(folder, 'secret')];
  writeFileSync(clientSecretFile, service.clientSecret);
  const { issuer, clientId } = service;
  const roles = [{ group: 'night-shift', account: 'operator', role: 'operatorSupport' }];
  writeFileSync(file, JSON.stringify([{ id: 'company', name: 'Company', issuer, clientId, clientSecretFile, roles }]));
  server = await startServer({ mediaWorkers: 1, env: { CLOISTER_LOG_IN_PROVIDERS: file } });
  const { port } = new URL(server.url);
  url = `http://localhost:${port}`;
  service.allow(`${url}/cloister/v1/people/oidc/callback`);
  browser = await launchBrowser('chromium');
});

after(async () => {
  await browser?.close();
  await server?.stop();
  await service?.close();
});

interface Link {
  readonly personId: string;
  readonly link: string;
}

/** The link of a new invitation, at the name that passkeys are bound to. */
async function invite(email: string, role: string, ...words: string[]): Promise<Link> {
  const { accountKey } = server.credentials;
  const made = await command<Link>(
    server,
    'person',
    'invite',
    email,
    role,
    '--name',
    'Ada',
    '--account',
    accountKey,
    ...words,
  );
  return { ...made, link: made.link.replace(/^[^#]*\/account/, `${url}/account`) };
}

/** An authenticator of the platform, such as that of a telephone, which says yes. */
async function withAuthenticator(page: Page): Promise<void> {
  const session = await page.createCDPSession();
  await session.send('WebAuthn.enable');
  const options = {
    protocol: 'ctap2',
    transport: 'internal',
    hasResidentKey: true,
    hasUserVerification: true,
  } as const;
  const all = { ...options, isUserVerified: true, automaticPresenceSimulation: true };
  await session.send('WebAuthn.addVirtualAuthenticator', { options: all });
}

/** The secret that the page shows for typing into an authenticator. */
async function shownSecret({ page }: Visitor): Promise<string> {
  const element = await page.waitForSelector('.totp-secret');
  return element!.evaluate(({ textContent }) => textContent);
}

async function faultless(visitor: Visitor): Promise<void> {
  for (const look of [{ scheme: 'light' }, { scheme: 'dark', width: 360, height: 740 }] as const) {
    await visitor.show(look);
    assert.deepEqual(await visitor.faults(), [], JSON.stringify(look));
    assert.equal(await visitor.overflows(), false, JSON.stringify(look));
  }
  await visitor.show({});
}

/** The code of the step to come: it is taken already, and no log-in has used it. */
function freshCode(secret: string): string {
  return codeAt(secret, Date.now() + 30_000);
}

test('an invitation is taken up with password and authenticator; password and code let in; the page logs out', async () => {
  const { link } = await invite('ada@clinic.example', 'owner', '--password');
  const visitor = await Visitor.open(browser, link);
  await visitor.says('Welcome, Ada');
  assert.equal(new URL(visitor.page.url()).hash, '', 'the link is still in the address bar');
  await faultless(visitor);
  await visitor.fill('New password', password);
  await visitor.press('Set the password');
  await visitor.says('Your authenticator');
  await faultless(visitor);
  const secret = await shownSecret(visitor);
  await visitor.fill('Code that it shows', '000000');
  await visitor.press('Confirm');
  await visitor.says('That did not let you in');
  await visitor.fill('Code that it shows', codeAt(secret, Date.now()));
  await visitor.press('Confirm');
  await visitor.says('Keep your recovery codes');
  await faultless(visitor);
  const [recovery] = await visitor.page.$$eval('.recovery-codes code', (all) =>
    all.map(({ textContent }) => textContent),
  );
  await visitor.press('I have kept them');
  await visitor.says(`You are owner of account ${server.credentials.accountKey}, by a password.`);
  await faultless(visitor);

  const cookies = await visitor.page.browserContext().cookies();
  const cookie = cookies.find(({ name }) => name === '__Host-cloister-person')!;
  assert.deepEqual([cookie.httpOnly, cookie.secure, cookie.sameSite, cookie.path], [true, true, 'Strict', '/']);
  await visitor.press('Log out');
  await visitor.says('With a password');

  await visitor.fill('E-mail address', 'ada@clinic.example');
  await visitor.fill('Password', 'five words that go elsewhere');
  await visitor.fill('Code', freshCode(secret));
  await visitor.press('Log in');
  await visitor.says('That did not let you in');
  await faultless(visitor);
  await visitor.fill('Password', password);
  await visitor.press('Log in');
  await visitor.says('You are owner of account');
  await visitor.press('Log out');
  await visitor.fill('E-mail address', 'ada@clinic.example');
  await visitor.fill('Password', password);
  await visitor.fill('Code', recovery!);
  await visitor.press('Log in');
  await visitor.says('9 are left.');
  await visitor.press('Let support look for a day');
  await visitor.says('project.read, audit.read until');
  await visitor.press('Withdraw');
  await visitor.page.waitForFunction(() => !document.body.textContent.includes('project.read, audit.read until'));
  await visitor.close();

  const again = await Visitor.open(browser, link);
  await again.says('This link is not valid any more');
  await again.close();
});

test('an invitation is taken up with a passkey, which lets in again; a second one and recovery', async () => {
  const { link, personId } = await invite('ben@clinic.example', 'engineer');
  const visitor = await Visitor.open(browser, link, withAuthenticator);
  await visitor.says('Welcome, Ada');
  assert.ok(!(await visitor.page.evaluate(() => document.body.textContent)).includes('password for emergencies'));
  await visitor.press('Make a passkey');
  await visitor.says('by a passkey.');
  await visitor.press('Log out');
  await visitor.press('Use a passkey');
  await visitor.says('by a passkey.');
  await visitor.press('Add a passkey');
  await visitor.says('No passkey was used');
  await visitor.press('Remove this passkey');
  await visitor.says('this passkey is the only way in');

  await command(server, 'person', 'recover', personId);
  await visitor.page.reload();
  await visitor.says('With a password');
  await visitor.press('Use a passkey');
  await visitor.says('That did not let you in');
  await visitor.close();
});

test('sessions die when the operator rotates the log-in key', async () => {
  const { link } = await invite('cleo@clinic.example', 'auditor');
  const visitor = await Visitor.open(browser, link, withAuthenticator);
  await visitor.press('Make a passkey');
  await visitor.says('You are auditor of account');
  await command(server, 'keys', 'rotate', 'login');
  await visitor.page.reload();
  await visitor.says('With a password');
  await visitor.press('Use a passkey');
  await visitor.says('You are auditor of account');
  await visitor.close();
});

test('a log-in service lets in by its groups, and does not any more when they are gone', async () => {
  service.groups.set('grace', ['night-shift']);
  const visitor = await Visitor.open(browser, `${url}/account`);
  const through = async () => {
    await visitor.press('Log in with Company');
    const field = await visitor.page.waitForSelector('input[name="login"]');
    await field!.type('grace');
    await visitor.page.type('input[name="password"]', 'any');
    await Promise.all([visitor.page.waitForNavigation(), visitor.page.click('button[type="submit"]')]);
  };
  await through();
  await visitor.says('You are operatorSupport of the operator, by a log-in service.');
  await visitor.press('Log out');
  await visitor.says('With a password');
  service.groups.set('grace', []);
  await visitor.page.browserContext().deleteCookie(...(await visitor.page.browserContext().cookies()));
  await through();
  await visitor.says('That did not let you in');
  assert.equal(new URL(visitor.page.url()).hash, '');
  await visitor.close();
});

test('the audit log has what happened, and names nobody', async () => {
  const entries = await command<{ size: number }>(server, 'audit', 'show');
  assert.ok(entries.size > 0);
  const people = await command<{ email: string; id: string }[]>(
    server,
    'person',
    'list',
    '--account',
    server.credentials.accountKey,
  );
  assert.deepEqual(
    people.map(({ email }) => email).sort(),
    ['ada', 'ben', 'cleo'].map((name) => `${name}@clinic.example`),
  );
  assert.ok(!server.logs().includes('clinic.example'));
});

test('no page complained, but of what was refused', () => {
  // The log-in service's own pages ask for a font elsewhere and an icon.
  const known = /status of (40[01349]|429)|ERR_NAME_NOT_RESOLVED/;
  assert.deepEqual(
    browser.errors.filter((error) => !known.test(error)),
    [],
  );
});
