/** In a relayed call the address of a participant's machine changes: the pair finds another way, in the same session. */
import {
  enterNetwork,
  type FarSide,
  farAddress,
  nearAddress,
  openFarSide,
  otherFarAddress,
  thirdFarAddress,
} from '../rig/network.ts';

enterNetwork(import.meta.filename);

import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { launchBrowser, type TestBrowser } from '../rig/browser.ts';
import { Participant, type Site, serveSite } from '../rig/page.ts';
import { Customer } from '../rig/sdk.ts';
import { type Server, startServer } from '../rig/server.ts';
import { eventually } from '../rig/wait.ts';
import { type Call, small, startCallOf } from './calls.ts';

let server: Server;
let site: Site;
let far: FarSide;
let browsers: TestBrowser[] = [];
let stays: Participant;
let moves: Participant;
let call: Call;

before(async () => {
  server = await startServer({ lan: true });
  site = await serveSite(server.url, nearAddress);
  far = await openFarSide();
  const options = { secureOrigins: [site.origin] };
  const away = { ...options, executable: far.launcher('/usr/bin/chromium') };
  browsers = [await launchBrowser('chromium', options), await launchBrowser('chromium', away)];
  [stays, moves] = (await Promise.all(browsers.map((browser) => Participant.open(browser, site)))) as [
    Participant,
    Participant,
  ];
  call = await startCallOf(new Customer(server.credentials), [stays, moves], small, 'relayed');
});

after(async () => {
  await Promise.all(browsers.map((browser) => browser.close()));
  far?.close();
  site?.close();
  await server?.stop();
});

const addresses = (of: Participant): Promise<unknown[]> => of.page.evaluate(() => window.rig.ownAddresses());

/** Changes the network under the one that moves, and waits until both see the other move again. */
async function seenAgain(t: TestContext, change: () => void, address: string): Promise<void> {
  const [fromStays, fromMoves] = call.streams as [string, string];
  const started = performance.now();
  change();
  await eventually(
    'the new address',
    () => addresses(moves),
    (own) => own.length === 1 && own[0] === address,
  );
  const looks = await Promise.all([stays.look(fromMoves), moves.look(fromStays)]);
  t.diagnostic(`seen again after ${Math.round(performance.now() - started)} ms`);
  assert.ok(looks.every(({ moved }) => moved > 0));
}

test('the network under a pair goes, another is there: both see each other again', async (t) => {
  assert.deepEqual(await addresses(moves), [farAddress]);
  far.layOther();
  await eventually(
    'the browser to know its other address',
    () => moves.page.evaluate(() => window.rig.knownAddresses()),
    (known) => known.includes(otherFarAddress),
  );
  await seenAgain(t, () => far.pullFirst(), otherFarAddress);
});

test('the one address becomes another, and both see each other again', async (t) => {
  await seenAgain(t, () => far.readdress(), thirdFarAddress);
});

test('nobody was told that somebody left', async () => {
  for (const each of [stays, moves]) {
    const told = (await each.happenings()).map(({ type }) => type);
    const gone = ['streamDestroyed', 'connectionDestroyed', 'sessionDisconnected', 'destroyed'];
    assert.ok(!told.some((type) => gone.includes(type)), told.join(' '));
  }
});
