/** End-to-end encrypted sessions between real browsers: who has the secret sees and hears, nobody else does. */
import { enterNetwork } from '../rig/network.ts';

enterNetwork(import.meta.filename);

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launchBrowser, type TestBrowser } from '../rig/browser.ts';
import { type JoinAs, Participant, type Site, serveSite } from '../rig/page.ts';
import { Customer } from '../rig/sdk.ts';
import { type Server, startServer } from '../rig/server.ts';
import { assertSeenAndHeard, reportedLegs } from './calls.ts';

const SECRET = 'what all of us know';

let server: Server;
let customer: Customer;
let chromium: TestBrowser;
let firefox: TestBrowser;
let site: Site;
let sessionId: string;
let ana: Participant;
let ben: Participant;
let streams: string[];

before(async () => {
  server = await startServer({ lan: true });
  customer = new Customer(server.credentials);
  site = await serveSite(server.url);
  [chromium, firefox] = await Promise.all([launchBrowser('chromium'), launchBrowser('firefox')]);
  [ana, ben] = await Promise.all([Participant.open(chromium, site), Participant.open(firefox, site)]);
  sessionId = await customer.session({ mediaMode: 'routed', e2ee: true });
  await Promise.all([ana, ben].map((each) => each.join(ticket())));
  streams = await Promise.all([ana, ben].map((each) => each.publish()));
  await Promise.all([ana.subscribed(streams[1] as string), ben.subscribed(streams[0] as string)]);
});

after(async () => {
  await Promise.all([chromium, firefox].map((browser) => browser?.close()));
  site?.close();
  await server?.stop();
});

function ticket(encryptionSecret = SECRET): JoinAs {
  return { ...customer.ticket(sessionId), encryptionSecret };
}

test('Chromium and Firefox see and hear each other', async () => {
  await assertSeenAndHeard(ben, streams[0] as string, 'chromium');
  await assertSeenAndHeard(ana, streams[1] as string, 'firefox');
});

test('the record names the frame layer of every leg', async () => {
  const legs = await reportedLegs(customer, sessionId, 4);
  assert.deepEqual(
    legs.map(({ frameLayer }) => frameLayer),
    Array(4).fill('AES_256_GCM_SHA512_128'),
  );
});
