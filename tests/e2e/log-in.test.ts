/** Into the playground from another device: by the code of `--lan`, and in production by an account's key and secret. */
import { enterNetwork, nearAddress } from '../rig/network.ts';

enterNetwork(import.meta.filename);

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launchBrowser, type TestBrowser } from '../rig/browser.ts';
import { type Look, Visitor } from '../rig/playground.ts';
import { type Server, startServer } from '../rig/server.ts';

let lan: Server;
let production: Server;
let browser: TestBrowser;
let code: string;

before(async () => {
  browser = await launchBrowser('chromium');
  lan = await startServer({ lan: true, mediaWorkers: 1 });
  production = await startServer({ production: true, mediaWorkers: 1 });
  code = /^ {2}code +(\d{8})\b/m.exec(lan.logs())?.[1] ?? '';
});

after(async () => {
  await browser?.close();
  await Promise.all([lan?.stop(), production?.stop()]);
});

const looks: Look[] = [
  { scheme: 'light' },
  { scheme: 'dark' },
  { scheme: 'light', width: 360, height: 740 },
  { scheme: 'dark', width: 360, height: 740 },
];

async function assertClean(visitor: Visitor): Promise<void> {
  for (const look of looks) {
    await visitor.show(look);
    assert.deepEqual(await visitor.faults(), [], JSON.stringify(look));
    assert.equal(await visitor.overflows(), false, JSON.stringify(look));
  }
  await visitor.show({});
}

/** A code of eight digits that is not this one. */
function otherThan(right: string): string {
  return `${right.slice(0, 7)}${(Number(right[7]) + 1) % 10}`;
}

test('with --lan a wrong code is refused in words, and the right one leads into a call', async () => {
  assert.equal(new URL(lan.url).hostname, nearAddress);
  assert.match(code, /^\d{8}$/);
  const visitor = await Visitor.open(browser, lan.url);
  await visitor.says('Enter the code');
  const field = await visitor.page.waitForSelector('aria/Code from the terminal[role="textbox"]');
  const [inputMode, autoComplete] = await field!.evaluate((element) => {
    const { inputMode, autocomplete } = element as HTMLInputElement;
    return [inputMode, autocomplete];
  });
  assert.deepEqual([inputMode, autoComplete], ['numeric', 'one-time-code']);
  assert.equal(await visitor.focused(), 'Code from the terminal');
  await assertClean(visitor);

  await visitor.page.keyboard.type(otherThan(code));
  await visitor.page.keyboard.press('Enter');
  await visitor.says('That is not the code');
  await assertClean(visitor);

  // It is marked, so typing on replaces it; in groups, as people read it out.
  await visitor.page.waitForFunction(() => document.activeElement instanceof HTMLInputElement);
  await visitor.page.keyboard.type(`${code.slice(0, 4)} ${code.slice(4)}`);
  await visitor.press('Log in');
  await visitor.says('Try a call on your own server');
  await visitor.join('Ana');
  await visitor.says('Nobody else is here yet.');
  await visitor.close();
});

test('the code opens a link to a session too, once for each device', async () => {
  const ana = await Visitor.open(browser, lan.url);
  await ana.fill('Code from the terminal', code);
  await ana.press('Log in');
  const link = await ana.join('Ana');
  await ana.page.reload();
  await ana.says('You are invited to a session');
  await ana.join('Ana');
  const ben = await Visitor.open(browser, link);
  await ben.fill('Code from the terminal', code);
  await ben.press('Log in');
  await ben.says('You are invited to a session');
  await ben.join('Ben');
  await ana.sees('Ben', 1);
  await Promise.all([ana.close(), ben.close()]);
});

test('who was logged in and is not any more is asked again, in the middle of joining', async () => {
  const visitor = await Visitor.open(browser, lan.url);
  await visitor.fill('Code from the terminal', code);
  await visitor.press('Log in');
  await visitor.ready();
  await visitor.page.browserContext().deleteCookie(...(await visitor.page.browserContext().cookies()));
  await visitor.fill('Your name', 'Ana');
  await visitor.press('Join');
  await visitor.fill('Code from the terminal', code);
  await visitor.press('Log in');
  await visitor.ready();
  await visitor.press('Join');
  await visitor.inCall();
  await visitor.close();
});

test('in production a wrong secret is refused in words, and the right one leads into a call', async () => {
  const { accountKey, accountSecret, url } = production.credentials;
  assert.match(url, /^https:/);
  const visitor = await Visitor.open(browser, url);
  await visitor.says('The playground of this server is for its account holders.');
  await assertClean(visitor);
  await visitor.fill('Account key', accountKey);
  await visitor.fill(
    'Account secret',
    accountSecret.replace(/^./, (first) => (first === '0' ? '1' : '0')),
  );
  await visitor.press('Log in');
  await visitor.says('That key and secret do not belong together');
  await assertClean(visitor);
  await visitor.fill('Account secret', accountSecret);
  await visitor.press('Log in');
  await visitor.join('Ana');
  await visitor.says('Nobody else is here yet.');
  await visitor.close();
});

test('no page complained, but of the log-ins that were refused', () => {
  assert.deepEqual(
    browser.errors.filter((error) => !/status of 40[13]/.test(error)),
    [],
  );
});
