/** The playground: two windows of Chromium in one session, through the page alone. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launchBrowser, type TestBrowser } from '../rig/browser.ts';
import { type Place, Visitor } from '../rig/playground.ts';
import { type Server, startServer } from '../rig/server.ts';
import { eventually } from '../rig/wait.ts';

const GAP = 8;

let server: Server;
let browser: TestBrowser;
let ana: Visitor;
let ben: Visitor;

before(async () => {
  [server, browser] = await Promise.all([startServer({ mediaWorkers: 1 }), launchBrowser('chromium')]);
  ana = await Visitor.open(browser, server.url);
  const link = await ana.join('Ana');
  ben = await Visitor.open(browser, link);
  await ben.says('You are invited to a session');
  await ben.join('Ben');
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

test('who opens the link joins the same session, and both see each other move', async () => {
  await Promise.all([ana.sees('Ben'), ben.sees('Ana')]);
  await Promise.all([ana.sees('Ana'), ben.sees('Ben')]);
});

test('the panel shows AES-256 from both ends for every leg, in words', async () => {
  await ana.press('Encryption: AES-256, both ends');
  const legs = await eventually(
    'all legs agree',
    () => ana.legs(),
    (shown) => shown.length === 4 && shown.every((leg) => leg.verdict.startsWith('Both ends agree')),
  );
  for (const leg of legs) {
    assert.equal(leg.server, 'AEAD_AES_256_GCM');
    assert.equal(leg.browser, 'AEAD_AES_256_GCM');
    assert.equal(leg.verdict, 'Both ends agree, 256-bit key');
  }
  const ways = legs.map((leg) => `${leg.way}: ${leg.stream}`).sort();
  assert.deepEqual(ways, [
    'Ben → server: Ben’s camera',
    'Server → Ben: Your camera',
    'Server → you: Ben’s camera',
    'You → server: Your camera',
  ]);
  await ana.says('All 4 legs have AES-256, and both ends agree.');
  await ana.says('AES-256 preferred.');
});

test('Escape closes the panel and puts the focus back on its button', async () => {
  await ana.page.keyboard.press('Escape');
  assert.match(await ana.focused(), /^Encryption/);
});

test('the tiles cover their area without white space, at every size', async () => {
  for (const [width, height] of [
    [1280, 800],
    [900, 500],
    [360, 740],
  ] as const) {
    await ana.show({ width, height });
    await eventually('the tiles to cover the area', () => ana.places(), isCovered);
    assert.equal(await ana.overflows(), false);
  }
  await ana.show({});
});

/** With half a gap around each tile, the tiles make up the whole area. */
function isCovered({ area, tiles }: { area: Place; tiles: Place[] }): boolean {
  const covered = tiles.reduce((sum, tile) => sum + (tile.width + GAP) * (tile.height + GAP), 0);
  // The area may have a fraction of a pixel that tiles on whole pixels leave.
  const slack = (area.width + area.height) * 1;
  return tiles.length === 2 && Math.abs((area.width + GAP) * (area.height + GAP) - covered) <= slack;
}

test('chat goes both ways and counts what is unread', async () => {
  await ana.press('Chat');
  await ana.fill('Message', 'Hello Ben');
  await ana.page.keyboard.press('Enter');
  await ben.says(/Chat\s*1 unread/);
  await ben.press('Chat 1 unread');
  await ben.says('Hello Ben');
  await ben.fill('Message', 'Hello Ana');
  await ben.press('Send');
  await ana.says('Hello Ana');
  await ana.press('Close Chat');
  await ben.press('Close Chat');
});

test('a microphone that is off is said in the other window', async () => {
  await ben.press('Mute');
  await ana.says('Ben, microphone off, camera on');
  await ben.press('Unmute');
  await ana.says('Ben, microphone on, camera on');
});

test('a camera that is off leaves the initials', async () => {
  await ben.press('Stop camera');
  await ana.page.waitForFunction(() => document.querySelector('.tile .avatar')?.textContent === 'B');
  await ben.press('Start camera');
  await ana.sees('Ben');
});

test('a shared screen is a tile of its own, until it is stopped', async () => {
  await ben.press('Share screen');
  await ana.says('Ben’s screen');
  await ana.page.waitForSelector('.tile[data-kind="screen"] video');
  await ben.press('Stop sharing');
  await ana.page.waitForFunction(() => !document.querySelector('.tile[data-kind="screen"]'));
});

test('a moderator mutes a person, who is told and may unmute', async () => {
  await ana.press('People 2');
  await ana.press('Mute Ben');
  await ben.says('A moderator muted you. You can switch your microphone on again.');
  await ana.says('Ben, microphone off');
  await ben.press('Unmute');
  await ana.says('Ben, microphone on');
});

test('a moderator disconnects a person, who is told and can come back', async () => {
  await ana.press('Disconnect Ben');
  await ben.says('A moderator ended your part in the session');
  await ana.says('Ben has left.');
  await ben.press('Join again');
  await ben.join('Ben');
  await ana.sees('Ben');
});

test('who leaves reads so, and the record keeps the legs of who left', async () => {
  await ben.press('Leave');
  await ben.says('You have left the session');
  await ana.press('Close People');
  await ana.page.locator('#open-security').click();
  await ana.says(/Earlier legs \(\d+\)/);
  await ana.says('The one leg has AES-256, and both ends agree.');
});

test('no page complained', () => {
  assert.deepEqual(browser.errors, []);
});
