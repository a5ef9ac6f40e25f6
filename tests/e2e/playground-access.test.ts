/** The playground for everybody: by keyboard alone, to a screen reader, in light and dark, on a phone. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launchBrowser, type TestBrowser } from '../rig/browser.ts';
import { Visitor } from '../rig/playground.ts';
import { type Server, startServer } from '../rig/server.ts';
import { sample } from '../sample.ts';

let server: Server;
let browser: TestBrowser;

before(async () => {
  [server, browser] = await Promise.all([startServer({ mediaWorkers: 1 }), launchBrowser('chromium')]);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

test('joining, muting, chatting and leaving by keyboard alone', async () => {
  const visitor = await Visitor.open(browser, server.url);
  const { keyboard } = visitor.page;
  await visitor.ready();
  await visitor.tabTo('Your name');
  await keyboard.type('Ana');
  await visitor.tabTo('Join');
  await keyboard.press('Enter');
  await visitor.inCall();
  await visitor.says('Nobody else is here yet.');

  // The focus is in the toolbar when the call begins.
  assert.equal(await visitor.focused(), 'Mute');
  await keyboard.press('Space');
  await visitor.says('Unmute');
  assert.equal(await visitor.focused(), 'Unmute');
  await keyboard.press('Enter');
  await visitor.says('Mute');

  await visitor.arrowTo('Chat');
  await keyboard.press('Enter');
  assert.equal(await visitor.focused(), 'Chat');
  await visitor.tabTo('Message');
  await keyboard.type('Is anybody here?');
  await keyboard.press('Enter');
  await visitor.says('Is anybody here?');
  await keyboard.press('Escape');
  assert.equal(await visitor.focused(), 'Chat');

  await visitor.arrowTo('Leave');
  await keyboard.press('Enter');
  await visitor.says('You have left the session');
  assert.equal(await visitor.focused(), 'Join again');
  await visitor.close();
});

test('every focus can be seen', async () => {
  const visitor = await Visitor.open(browser, server.url);
  await visitor.ready();
  for (let count = 0; count < 12; count += 1) {
    await visitor.page.keyboard.press('Tab');
    const shown = await visitor.page.evaluate(() => {
      const focused = document.activeElement as HTMLElement;
      const marked = focused.closest('.choice') ?? focused;
      return focused === document.body || Number.parseFloat(getComputedStyle(marked).outlineWidth) >= 2;
    });
    assert.ok(shown, `focus ${count} on ${await visitor.focused()}`);
  }
  await visitor.close();
});

test('the join page has no fault, with a session to join and without', async () => {
  const visitor = await Visitor.open(browser, server.url);
  await visitor.ready();
  await visitor.assertClean('the join page');
  await visitor.choose('One that exists');
  await visitor.says('Session id or link');
  await visitor.press('Join');
  await visitor.assertClean('the join page with its fields refused');
  await visitor.close();
});

const STATES = [
  'the call of one',
  'the call of two',
  'the encryption panel',
  'the people panel',
  'the chat panel',
  'the call with the camera off',
  'the end of the call',
] as const;

test('the call has no fault, with each of its panels', async () => {
  const looked = sample('states of the call without a fault', STATES, 3);
  const clean = async (visitor: Visitor, state: (typeof STATES)[number]) => {
    if (looked.includes(state)) await visitor.assertClean(state);
  };
  const ana = await Visitor.open(browser, server.url);
  const link = await ana.join('Ana');
  await clean(ana, 'the call of one');
  const ben = await Visitor.open(browser, link);
  await ben.join('Ben');
  await ana.sees('Ben', 1);
  await clean(ana, 'the call of two');
  await ana.page.locator('#open-security').click();
  await ana.says('All 4 legs have AES-256');
  await clean(ana, 'the encryption panel');
  await ana.press('People 2');
  await clean(ana, 'the people panel');
  await ben.press('Chat');
  await ben.fill('Message', 'Hello');
  await ben.page.keyboard.press('Enter');
  await ben.says('Hello');
  await clean(ben, 'the chat panel');
  await ben.press('Stop camera');
  await clean(ben, 'the call with the camera off');
  await ben.press('Leave');
  await clean(ben, 'the end of the call');
  await Promise.all([ana.close(), ben.close()]);
});

test('who wants less motion gets none', async () => {
  const visitor = await Visitor.open(browser, server.url);
  await visitor.page.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: 'reduce' }]);
  await visitor.ready();
  const moving = await visitor.page.evaluate(() =>
    [...document.querySelectorAll('*')]
      .filter((element) => {
        const { transitionDuration, animationName } = getComputedStyle(element);
        return transitionDuration.split(', ').some((each) => Number.parseFloat(each) > 0) || animationName !== 'none';
      })
      .map((element) => element.className),
  );
  assert.deepEqual(moving, []);
  await visitor.close();
});

test('no page complained', () => {
  assert.deepEqual(browser.errors, []);
});
