/** Every key is rotated under a live call: nobody notices, and everybody can still come in. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launchBrowser, type TestBrowser } from '../rig/browser.ts';
import { command } from '../rig/command.ts';
import { Participant, type Site, serveSite } from '../rig/page.ts';
import { Customer } from '../rig/sdk.ts';
import { type Server, startServer } from '../rig/server.ts';
import { assertPicture, type Call, startCall } from './calls.ts';

interface Key {
  readonly id: string;
  readonly purpose: string;
  readonly retiredAt: number | null;
}

let server: Server;
let customer: Customer;
let browser: TestBrowser;
let site: Site;
let alice: Participant;
let bob: Participant;
let call: Call;

before(async () => {
  [server, browser] = await Promise.all([startServer(), launchBrowser('chromium')]);
  customer = new Customer(server.credentials);
  site = await serveSite(server.url);
  [alice, bob] = await Promise.all([Participant.open(browser, site), Participant.open(browser, site)]);
  call = await startCall(customer, alice, bob);
});

after(async () => {
  await browser?.close();
  site?.close();
  await server?.stop();
});

test('every key has a successor, and the call goes on', async () => {
  const before = await command<Key[]>(server, 'keys', 'list');
  const current = before.filter((key) => key.retiredAt === null);
  assert.ok(current.some((key) => key.purpose === `project:${server.credentials.apiKey}`));
  assert.ok(current.some((key) => key.purpose === 'admission'));
  const mark = await bob.mark();
  // Customers have to know the next key of address lists for some time before it signs.
  const foretold = 'address-list';
  await assert.rejects(command(server, 'keys', 'rotate', foretold), /was published less than 30 days ago/);
  const rotated = current.filter(({ purpose }) => purpose !== foretold);
  for (const { purpose } of rotated) await command(server, 'keys', 'rotate', purpose);

  const after = await command<Key[]>(server, 'keys', 'list');
  for (const { id, purpose } of rotated) {
    assert.ok(after.find((key) => key.id === id)?.retiredAt, `${purpose} was not retired`);
    assert.equal(after.filter((key) => key.purpose === purpose && key.retiredAt === null).length, 1, purpose);
  }
  const [fromAlice = '', fromBob = ''] = call.streams;
  assertPicture(await bob.look(fromAlice), 'chromium');
  assertPicture(await alice.look(fromBob), 'chromium');
  const told = (await bob.happenings()).slice(mark).map((each) => each.type);
  for (const type of ['sessionReconnecting', 'sessionDisconnected', 'streamDestroyed'])
    assert.ok(!told.includes(type), type);
});

test('a third client comes in with keys that are new, and its data is opened by those that see it', async () => {
  const carol = await Participant.open(browser, site);
  await carol.join(customer.ticket(call.sessionId, 'publisher', 'carol'));
  const stream = await carol.publish();
  await alice.subscribed(stream);
  assertPicture(await alice.look(stream), 'chromium');
  assert.equal(
    (await customer.security(call.sessionId)).legs.filter(
      (leg) => leg.connectionId === carol.connectionId && leg.direction === 'send',
    ).length,
    1,
  );
});

test('what was sealed before opens after the restart, with the old keys retired', async () => {
  await server.kill();
  server = await server.restart();
  customer = new Customer(server.credentials);
  assert.ok((await customer.security(call.sessionId)).legs.length >= 4);
  assert.ok(await customer.session());
});
