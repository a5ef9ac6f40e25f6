/**
 * Calls whose media goes through coturn alone, as `iceConfig` wants it: over UDP and over TCP, beyond the life of the
 * credentials that they began with, and in the middle of a call.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { IceConfig } from '../rig/in-page.ts';
import type { Participant, Way } from '../rig/page.ts';
import { freePorts } from '../rig/ports.ts';
import { startServer } from '../rig/server.ts';
import { credentialOf, TurnClient, type TurnCredential } from '../rig/turn-client.ts';
import { eventually } from '../rig/wait.ts';
import { assertSeenAndHeard } from './calls.ts';
import { useStage } from './stage.ts';

const RELAYS = 100;
/** Seconds; renewed after half of it. */
const LIFE = 6;

let port = 0;
const stage = useStage({
  options: async () => {
    const env = await turnSettings();
    port = Number(env.CLOISTER_TURN_PORT);
    return { server: { env } };
  },
});

async function turnSettings() {
  const first = await freePorts(RELAYS + 1);
  return {
    CLOISTER_TURN: 'require',
    CLOISTER_TURN_PORT: String(first),
    CLOISTER_TURN_RELAY_PORTS: `${first + 1}-${first + RELAYS}`,
    CLOISTER_TURN_CREDENTIAL_LIFE: `${LIFE}s`,
  };
}

const relaysOfPlatform: IceConfig = { includeServers: 'all', transportPolicy: 'relay', customServers: [] };

/** Two pages that publish and subscribe to each other; → pages and streams. */
async function callWith(iceConfig: IceConfig | null) {
  const [alice, bob] = await Promise.all([stage.open(), stage.open()]);
  const sessionId = await stage.customer.session();
  for (const each of [alice, bob]) await each.join(stage.customer.ticket(sessionId), {}, iceConfig);
  const [fromAlice, fromBob] = await Promise.all([alice.publish(), bob.publish()]);
  await Promise.all([alice.subscribed(fromBob), bob.subscribed(fromAlice)]);
  const bothWays = async () => {
    await assertSeenAndHeard(alice, fromBob, 'chromium');
    await assertSeenAndHeard(bob, fromAlice, 'chromium');
  };
  return { alice, bob, fromAlice, fromBob, bothWays };
}

/** Waits until each transport of a page goes through a relay, over this protocol if one is given. */
function relayed(at: Participant, over?: 'udp' | 'tcp'): Promise<Way[]> {
  return eventually(
    `two ways through a relay ${over ?? ''}`,
    () => at.ways(),
    (ways) =>
      ways.length === 2 && ways.every(({ type, protocol }) => type === 'relay' && protocol === (over ?? protocol)),
  );
}

/** Whether coturn would still begin something by a credential. */
async function isGood(by: TurnCredential): Promise<boolean> {
  const asking = await TurnClient.open('127.0.0.1', port);
  const { code } = await asking.allocate(by);
  if (code === 200) await asking.refresh(by, 0);
  asking.close();
  return code === 200;
}

test('a call through the relay goes on beyond its credential, and finds new ways by renewed ones', async () => {
  const { alice, bob, bothWays } = await callWith(relaysOfPlatform);
  await bothWays();
  await relayed(alice);
  await relayed(bob);
  const [first] = await alice.page.evaluate(() => window.rig.turnCredentials());
  assert.ok(first);
  await eventually(
    'the end of the first credential',
    () => isGood(first),
    (good) => !good,
  );
  await bothWays();
  await relayed(alice);

  // As after a change of network: both transports look for a way again, which takes a credential that is good now.
  const ports = (await alice.stats('local-candidate')).map((each) => each.port);
  await alice.page.evaluate(() => dispatchEvent(new Event('online')));
  await eventually(
    'relays that were allocated after it',
    () => alice.ways(),
    (ways) => ways.length === 2 && ways.every((way) => way.type === 'relay' && !ports.includes(way.port)),
  );
  await bothWays();
  const [renewed] = await alice.page.evaluate(() => window.rig.turnCredentials());
  assert.equal(renewed?.username.split(':')[1], first.username.split(':')[1]);
  assert.ok(Number(renewed?.username.split(':')[0]) > Number(first.username.split(':')[0]));
  await Promise.all([alice.close(), bob.close()]);
});

for (const over of ['udp', 'tcp'] as const) {
  test(`a call through a relay of the application alone, over ${over}`, async () => {
    const urls = `turn:127.0.0.1:${port}?transport=${over}`;
    const customServers = [{ urls, ...credentialOf(stage.server.dataDir, 'application') }];
    const own: IceConfig = { includeServers: 'custom', transportPolicy: 'relay', customServers };
    const { alice, bob, bothWays } = await callWith(own);
    await bothWays();
    await relayed(alice, over);
    await relayed(bob, over);
    await Promise.all([alice.close(), bob.close()]);
  });
}

test('setIceConfig sends a call that runs through the relay, and lets it go direct again', async () => {
  const { alice, bob, bothWays } = await callWith(null);
  const direct = (await alice.ways()).map(({ type }) => type);
  assert.equal(direct.includes('relay'), false);
  await alice.page.evaluate((config) => window.rig.session().setIceConfig(config), relaysOfPlatform);
  await relayed(alice);
  await bothWays();
  assert.deepEqual((await bob.ways()).map(({ type }) => type).includes('relay'), false);
  const anyWay: IceConfig = { ...relaysOfPlatform, transportPolicy: 'all' };
  await alice.page.evaluate((config) => window.rig.session().setIceConfig(config), anyWay);
  await eventually(
    'ways without a relay',
    () => alice.ways(),
    (ways) => ways.length === 2 && ways.every(({ type }) => type !== 'relay'),
  );
  await bothWays();
  await Promise.all([alice.close(), bob.close()]);
});

test('relays only, where there is none, is refused at once', async () => {
  const page = await stage.open();
  const none: IceConfig = { includeServers: 'custom', transportPolicy: 'relay', customServers: [] };
  const sessionId = await stage.customer.session();
  await assert.rejects(page.join(stage.customer.ticket(sessionId), {}, none), /OT_INVALID_PARAMETER/);
  await page.close();
});

test('coturn ends with the platform, be it stopped or killed', async () => {
  for (const how of ['stop', 'kill'] as const) {
    const env = await turnSettings();
    const server = await startServer({ env });
    const pid = Number(readFileSync(path.join(server.dataDir, 'turn/turnserver.pid'), 'utf8'));
    process.kill(pid, 0);
    await server[how]();
    const lives = async () => {
      try {
        process.kill(pid, 0);
        return true;
      } catch {
        return false;
      }
    };
    await eventually(`the end of coturn after ${how}`, lives, (alive) => !alive);
  }
});

test('no address and no user is in the log', () => {
  const said = stage.server
    .logs()
    .split('\n')
    .filter((line) => line.includes('TURN server'));
  assert.ok(said.length > 0);
  for (const line of said) assert.doesNotMatch(line, /\d+\.\d+\.\d+\.\d+|\d{10}:[\w-]/, line);
});
