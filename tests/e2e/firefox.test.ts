/** Chromium and Firefox in a call, at addresses of their own: Firefox meets nobody on loopback. */
import { enterNetwork, nearAddress } from '../rig/network.ts';

enterNetwork(import.meta.filename);

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launchBrowser, type TestBrowser } from '../rig/browser.ts';
import { noteMeasured } from '../rig/measured.ts';
import { Participant, type Site, serveSite } from '../rig/page.ts';
import { Customer } from '../rig/sdk.ts';
import { type Server, startServer } from '../rig/server.ts';
import { assertSeenAndHeard, assertStrongAtClient, assertStrongRecord, type Call, STRONG, startCall } from './calls.ts';

let server: Server;
let customer: Customer;
let browsers: TestBrowser[] = [];
let site: Site;
let chromium: Participant;
let firefox: Participant;
let call: Call;

before(async () => {
  server = await startServer({ lan: true });
  assert.equal(new URL(server.url).hostname, nearAddress);
  customer = new Customer(server.credentials);
  site = await serveSite(server.url);
  browsers = await Promise.all([launchBrowser('chromium'), launchBrowser('firefox')]);
  const pages = await Promise.all(browsers.map((browser) => Participant.open(browser, site)));
  [chromium, firefox] = pages as [Participant, Participant];
  call = await startCall(customer, chromium, firefox);
});

after(async () => {
  await Promise.all(browsers.map((browser) => browser.close()));
  site?.close();
  await server?.stop();
});

test('Firefox sees and hears Chromium', async () => {
  await assertSeenAndHeard(firefox, call.streams[0] as string, 'chromium');
});

test('Chromium sees and hears Firefox', async () => {
  await assertSeenAndHeard(chromium, call.streams[1] as string, 'firefox');
});

test('every leg has AES-256 by the word of the server and of both browsers', async () => {
  await assertStrongAtClient(chromium, 2);
  await assertStrongAtClient(firefox, 2);
  await assertStrongRecord(customer, call.sessionId, 4);
  const version = browsers.find((each) => each.name === 'firefox')?.version ?? '';
  noteMeasured('Firefox', { version, suites: { send: STRONG, receive: STRONG }, test: 'tests/e2e/firefox.test.ts' });
});

test('no page complained', () => {
  assert.deepEqual(
    browsers.flatMap((browser) => browser.errors),
    [],
  );
});
