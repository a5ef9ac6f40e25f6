/**
 * In mid-call the address of a participant's machine changes. It stays in the session by the same connection, and both
 * sides see and hear each other again, in a full run within 2 s.
 */
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
import type { Followed } from '../rig/in-page.ts';
import { Participant, type Site, serveSite } from '../rig/page.ts';
import { Customer } from '../rig/sdk.ts';
import { type Server, startServer } from '../rig/server.ts';
import { toneFile } from '../rig/tone-file.ts';
import { eventually } from '../rig/wait.ts';
import { full } from '../sample.ts';
import { type Call, small, startCallOf } from './calls.ts';

/** The promise is 2 s. A sample runs on whatever machine there is. */
const BACK_MS = full ? 2000 : 5000;
/** Chromium on Linux may take two seconds to look at the addresses of its machine again; till then it can use no new one. */
const BLIND_MS = 2000;
/** More than lies between two frames or two beats of the ear while all goes on. */
const PAUSE_MS = 400;

let server: Server;
let customer: Customer;
let site: Site;
let far: FarSide;
let browsers: TestBrowser[] = [];
let stays: Participant;
let moves: Participant;
let call: Call;

before(async () => {
  server = await startServer({ lan: true });
  customer = new Customer(server.credentials);
  site = await serveSite(server.url, nearAddress);
  far = await openFarSide();
  const options = { secureOrigins: [site.origin], audioFile: toneFile() };
  const away = { ...options, executable: far.launcher('/usr/bin/chromium') };
  browsers = [await launchBrowser('chromium', options), await launchBrowser('chromium', away)];
  [stays, moves] = (await Promise.all(browsers.map((browser) => Participant.open(browser, site)))) as [
    Participant,
    Participant,
  ];
  // Small, so that a slow machine has time for the rest.
  call = await startCallOf(customer, [stays, moves], small);
});

after(async () => {
  await Promise.all(browsers.map((browser) => browser.close()));
  far?.close();
  site?.close();
  await server?.stop();
});

function clock(of: Participant): Promise<number> {
  return of.page.evaluate(() => performance.now());
}

function follow(at: Participant, streamId: string): Promise<void> {
  return at.page.evaluate((id) => window.rig.follow(id), streamId);
}

function followed(at: Participant, streamId: string): Promise<Followed> {
  return at.page.evaluate((id) => window.rig.whenFollowed(id), streamId);
}

function addresses(of: Participant): Promise<unknown[]> {
  return of.page.evaluate(() => window.rig.ownAddresses());
}

/** Milliseconds from a moment to the end of the last pause after it; 0 without a pause. */
function backAfter(times: readonly number[], from: number, until: number): number {
  const rest = [from, ...times.filter((at) => at > from), until];
  const ends = rest.filter((at, index) => index > 0 && at - (rest[index - 1] as number) > PAUSE_MS);
  return Math.round((ends.at(-1) ?? from) - from);
}

/** Waits until a page has seen and heard a stream for some time without a pause. */
function untilSteady(at: Participant, streamId: string): Promise<Followed> {
  const runs = (times: readonly number[], now: number) => backAfter(times, now - 4 * PAUSE_MS, now) === 0;
  return eventually(
    'a picture and a sound without a pause',
    () => followed(at, streamId),
    ({ seen, heard, at: now }) => runs(seen, now) && runs(heard, now),
  );
}

/** Changes the network under the one that moves; → how long each picture and sound was away, in milliseconds. */
async function timesAway(t: TestContext, change: () => void, address: string): Promise<number[]> {
  const [fromStays, fromMoves] = call.streams as [string, string];
  const ways = [
    { at: stays, streamId: fromMoves },
    { at: moves, streamId: fromStays },
  ];
  await Promise.all(ways.map(({ at, streamId }) => follow(at, streamId)));
  await Promise.all(ways.map(({ at, streamId }) => untilSteady(at, streamId)));
  const changed = await Promise.all(ways.map(({ at }) => clock(at)));
  change();
  await eventually(
    'the new address on both transports',
    () => addresses(moves),
    (own) => own.length === 2 && own.every((each) => each === address),
  );
  const times = await Promise.all(ways.map(({ at, streamId }) => untilSteady(at, streamId)));
  const away = times.flatMap(({ seen, heard, at: now }, index) => {
    const from = changed[index] as number;
    return [backAfter(seen, from, now), backAfter(heard, from, now)];
  });
  t.diagnostic(`seen and heard again after ${away.join(' ')} ms`);
  return away;
}

/** All are back in time. A pause too short to be one counts as 0, but not everywhere, or nothing was cut. */
function assertBack(away: readonly number[], bound: number): void {
  const [longest, said] = [Math.max(...away), `seen and heard again after ${away.join(' ')} ms`];
  assert.ok(longest > 0 && longest <= bound, said);
}

test('the network under a call goes, another is there: both see and hear again in the same session', async (t) => {
  assert.deepEqual(await addresses(moves), [farAddress, farAddress]);
  far.layOther();
  await eventually(
    'the browser to know its other address',
    () => moves.page.evaluate(() => window.rig.knownAddresses()),
    (known) => known.includes(otherFarAddress),
  );
  assert.deepEqual(await addresses(moves), [farAddress, farAddress]);
  assertBack(await timesAway(t, () => far.pullFirst(), otherFarAddress), BACK_MS);
});

test('the one address becomes another: ICE restarts on the transports that there are', async (t) => {
  const since = await moves.mark();
  assertBack(await timesAway(t, () => far.readdress(), thirdFarAddress), BLIND_MS + BACK_MS);
  const told = (await moves.happenings()).slice(since).map(({ type }) => type);
  assert.deepEqual(told, ['sessionReconnecting', 'sessionReconnected']);
});

test('nobody was told that somebody left or came', async () => {
  const connectionIds = new Set([stays.connectionId, moves.connectionId]);
  for (const each of [stays, moves]) {
    const told = await each.happenings();
    const gone = ['streamDestroyed', 'connectionDestroyed', 'sessionDisconnected', 'destroyed', 'mediaStopped'];
    assert.deepEqual(
      told.filter(({ type }) => gone.includes(type)),
      [],
    );
    for (const { type, detail } of told) {
      if (type === 'connectionCreated') assert.ok(connectionIds.has(String(detail.connection)), 'a new connection');
    }
    assert.equal(told.filter(({ target, type }) => target === 'session' && type === 'streamCreated').length, 1);
  }
});
