/** What the playground says when something is missing, refused, cut or not there. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { HTTPRequest, Page } from 'puppeteer-core';
import { launchBrowser, type TestBrowser } from '../rig/browser.ts';
import { CuttableLine } from '../rig/cut.ts';
import { Visitor } from '../rig/playground.ts';
import { type Server, startServer } from '../rig/server.ts';

let server: Server;
let browser: TestBrowser;

before(async () => {
  [server, browser] = await Promise.all([startServer({ mediaWorkers: 1 }), launchBrowser('chromium')]);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

async function assertNoFaults(visitor: Visitor): Promise<void> {
  for (const scheme of ['light', 'dark'] as const) {
    await visitor.show({ scheme });
    assert.deepEqual(await visitor.faults(), []);
  }
}

test('without a camera one joins to be heard, and the page says so', async () => {
  const bare = await launchBrowser('chromium', { args: ['--use-fake-device-for-media-stream=device-count=0'] });
  const visitor = await Visitor.open(bare, server.url);
  await visitor.says('No camera found');
  await assertNoFaults(visitor);
  await visitor.join('Ana');
  await visitor.says('No camera');
  await visitor.says('Ana (you), microphone on, camera off');
  await visitor.press('Mute');
  await visitor.says('Ana (you), microphone off, camera off');
  await bare.close();
});

test('a refused permission is explained, and one can join all the same', async () => {
  const strict = await launchBrowser('chromium', { args: ['--use-fake-ui-for-media-stream=deny'] });
  const visitor = await Visitor.open(strict, server.url);
  await visitor.says('Your browser did not allow the camera or microphone');
  await visitor.says('Allow them for this page with the button in the address bar');
  await assertNoFaults(visitor);
  await visitor.fill('Your name', 'Ana');
  await visitor.press('Join');
  await visitor.inCall();
  await visitor.says('Nobody sends a picture or sound yet.');
  await visitor.says('Send camera');
  await assertNoFaults(visitor);
  await strict.close();
});

test('a network that is cut is said until it is back, and the call goes on', async () => {
  const line = await CuttableLine.open();
  line.lead(Number(new URL(server.url).port));
  const visitor = await Visitor.open(browser, `http://127.0.0.1:${line.port}`);
  await visitor.join('Ana');
  line.cut();
  await visitor.says('The network is gone. Reconnecting; stay on this page.');
  await assertNoFaults(visitor);
  line.mend();
  await visitor.says('The connection is back.');
  await visitor.press('Chat');
  await visitor.fill('Message', 'Still here');
  await visitor.page.keyboard.press('Enter');
  await visitor.says('Still here');
  await visitor.close();
  line.close();
});

test('a session that does not exist is refused on the join page', async () => {
  const visitor = await Visitor.open(browser, `${server.url}/playground?session=1_nothing`);
  await visitor.ready();
  await visitor.fill('Your name', 'Ana');
  await visitor.press('Join');
  await visitor.says('There is no such session here');
  await visitor.press('Start a new one');
  await visitor.press('Join');
  await visitor.inCall();
  await visitor.close();
});

test('a name is asked for before joining', async () => {
  const visitor = await Visitor.open(browser, server.url);
  await visitor.ready();
  await visitor.press('Join');
  await visitor.page.waitForSelector('.field-error');
  assert.equal(await visitor.focused(), 'Your name');
  await visitor.close();
});

test('a subscriber sends nothing and can switch nothing on', async () => {
  const visitor = await Visitor.open(browser, server.url);
  await visitor.join('Ana', 'Subscriber');
  await visitor.says('You watch and listen');
  await visitor.says('Nobody sends a picture or sound yet.');
  await visitor.close();
});

test('a browser that cannot make calls is told so', async () => {
  const visitor = await Visitor.open(browser, server.url, (page) =>
    page.evaluateOnNewDocument(() => Reflect.deleteProperty(window, 'RTCPeerConnection')),
  );
  await visitor.says('This browser cannot make calls here');
  await assertNoFaults(visitor);
  await visitor.close();
});

/** Answers some requests of a page in the server's place. */
async function answer(page: Page, by: (request: HTTPRequest) => Promise<void> | undefined): Promise<void> {
  await page.setRequestInterception(true);
  page.on('request', (request) => void (by(request) ?? request.continue()));
}

const json = (status: number, body: object) => ({
  status,
  contentType: 'application/json',
  body: JSON.stringify(body),
});

test('in production the playground asks for a log-in, refuses a wrong one and takes the right one', async () => {
  let loggedIn = false;
  const refusal = { code: 'AuthenticationFailed', message: 'Invalid token', help: '', details: {} };
  const visitor = await Visitor.open(browser, server.url, (page) =>
    answer(page, (request) => {
      const { pathname } = new URL(request.url());
      if (pathname === '/cloister/v1/playground') {
        const apiKey = loggedIn ? '1' : null;
        return request.respond(json(200, { apiKey, mode: 'production', logIn: 'account', loggedIn }));
      }
      if (pathname !== '/cloister/v1/login') return undefined;
      loggedIn = JSON.parse(request.postData() ?? '{}').accountSecret === 'right';
      return request.respond(loggedIn ? { status: 204 } : json(403, refusal));
    }),
  );
  await visitor.says('The playground of this server is for its account holders.');
  await assertNoFaults(visitor);
  await visitor.fill('Account key', '12345');
  await visitor.fill('Account secret', 'wrong');
  await visitor.press('Log in');
  await visitor.says('That key and secret do not belong together');
  await assertNoFaults(visitor);
  await visitor.fill('Account secret', 'right');
  await visitor.press('Log in');
  await visitor.says('Try a call on your own server');
  await visitor.close();
});

test('too many tries and a project that is missing are said, and trying again is enough', async () => {
  let state: 'out' | 'projectless' | 'ready' = 'out';
  const limited = { code: 'RateLimited', message: 'Too many requests by this address', help: '', details: {} };
  const visitor = await Visitor.open(browser, server.url, (page) =>
    answer(page, (request) => {
      const { pathname } = new URL(request.url());
      if (pathname === '/cloister/v1/login') return request.respond(json(429, limited));
      if (pathname !== '/cloister/v1/playground') return undefined;
      const info = { apiKey: state === 'ready' ? '1' : null, mode: 'development', logIn: 'code' };
      return request.respond(json(200, { ...info, loggedIn: state !== 'out' }));
    }),
  );
  await visitor.fill('Code from the terminal', '12345678');
  await visitor.press('Log in');
  await visitor.says('Too many tries');
  await assertNoFaults(visitor);
  state = 'projectless';
  await visitor.page.reload();
  await visitor.says('There is no project to make a call with');
  await assertNoFaults(visitor);
  state = 'ready';
  await visitor.press('Try again');
  await visitor.says('Try a call on your own server');
  await visitor.close();
});

test('without a TURN server it says who cannot join and what to install; to who was invited it does not', async () => {
  const info = { apiKey: '1', mode: 'development', turn: 'missing', logIn: 'none', loggedIn: true };
  const prepared = (page: Page) =>
    answer(page, (request) =>
      new URL(request.url()).pathname === '/cloister/v1/playground' ? request.respond(json(200, info)) : undefined,
    );
  const visitor = await Visitor.open(browser, server.url, prepared);
  await visitor.says('No TURN server is installed');
  await visitor.says('apt install coturn');
  await assertNoFaults(visitor);
  await visitor.close();
  const guest = await Visitor.open(browser, `${server.url}/playground?session=1_x`, prepared);
  await guest.says('You are invited to a session');
  assert.equal(await guest.page.evaluate(() => document.body.textContent.includes('TURN')), false);
  await guest.close();
});

test('a server that is away is said, and trying again is enough', async () => {
  let away = true;
  const visitor = await Visitor.open(browser, server.url, (page) =>
    answer(page, (request) =>
      away && request.url().endsWith('/cloister/v1/playground') ? request.abort('connectionrefused') : undefined,
    ),
  );
  await visitor.says('The server cannot be reached');
  away = false;
  await visitor.press('Try again');
  await visitor.says('Try a call on your own server');
  await visitor.close();
});
