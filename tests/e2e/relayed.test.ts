/** Relayed sessions: browsers that exchange media with each other, at addresses of their own. */
import { enterNetwork } from '../rig/network.ts';

enterNetwork(import.meta.filename);

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launchBrowser, type TestBrowser } from '../rig/browser.ts';
import { Participant, type Site, serveSite } from '../rig/page.ts';
import { Customer } from '../rig/sdk.ts';
import { type Server, startServer } from '../rig/server.ts';
import { assertSeenAndHeard, type Call, startRelayedCall } from './calls.ts';

let server: Server;
let customer: Customer;
let browsers: TestBrowser[] = [];
let site: Site;
let alice: Participant;
let bob: Participant;
let call: Call;

before(async () => {
  server = await startServer({ lan: true });
  customer = new Customer(server.credentials);
  site = await serveSite(server.url);
  browsers = [await launchBrowser('chromium')];
  const [chromium] = browsers as [TestBrowser];
  [alice, bob] = await Promise.all([Participant.open(chromium, site), Participant.open(chromium, site)]);
  call = await startRelayedCall(customer, alice, bob);
});

after(async () => {
  await Promise.all(browsers.map((browser) => browser.close()));
  site?.close();
  await server?.stop();
});

test('two Chromiums see and hear each other', async () => {
  await assertSeenAndHeard(alice, call.streams[1] as string, 'chromium');
  await assertSeenAndHeard(bob, call.streams[0] as string, 'chromium');
});

test('no page complained', () => {
  assert.deepEqual(
    browsers.flatMap((browser) => browser.errors),
    [],
  );
});
