/** The playground in a relayed session: two windows of Chromium, at an address where they find each other. */
import { enterNetwork } from '../rig/network.ts';

enterNetwork(import.meta.filename);

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launchBrowser, type TestBrowser } from '../rig/browser.ts';
import { Visitor } from '../rig/playground.ts';
import { type Server, startServer } from '../rig/server.ts';
import { eventually } from '../rig/wait.ts';

let server: Server;
let browser: TestBrowser;
let ana: Visitor;
let ben: Visitor;

before(async () => {
  [server, browser] = await Promise.all([startServer({ mediaWorkers: 1 }), launchBrowser('chromium')]);
  ana = await Visitor.open(browser, server.url);
  await ana.choose('A new one, relayed');
  const link = await ana.join('Ana');
  ben = await Visitor.open(browser, link);
  await ben.join('Ben');
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

test('who joins a relayed session sees the other move', async () => {
  await Promise.all([ana.sees('Ben'), ben.sees('Ana')]);
});

test('the panel says what both browsers say of each leg, and that the server takes no part', async () => {
  await ana.press('Encryption: AES-256, both ends');
  const legs = await eventually(
    'both legs agree',
    () => ana.legs(),
    (shown) => shown.length === 2 && shown.every((leg) => leg.verdict.startsWith('Both ends agree')),
  );
  for (const leg of legs) {
    assert.equal(leg.server, '');
    assert.equal(leg.sender, leg.browser);
    assert.equal(leg.verdict, 'Both ends agree, 256-bit key');
  }
  const ways = legs.map((leg) => `${leg.way}: ${leg.stream}`).sort();
  assert.deepEqual(ways, ['Ben → you: Ben’s camera', 'You → Ben: Your camera']);
  await ana.says('Between the two browsers; the server takes no part.');
  await ana.says('All 2 legs have AES-256, and both ends agree.');
  await ana.says('AES_256_GCM_SHA512_128');
});
