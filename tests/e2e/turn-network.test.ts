/**
 * Clients in two offices whose firewalls let less and less through, at the end of lines that lose 5 % each way. API, TURN and
 * media have an address each, all with port 443. What a call went through is read from the pair of candidates that its
 * browser chose.
 */
import { enterNetwork } from '../rig/network.ts';

enterNetwork(import.meta.filename);

import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import type { BrowserName, BrowserOptions, TestBrowser } from '../rig/browser.ts';
import { chromiumTrusting, firefoxTrusting, type SignedCertificate, signedCertificateFor } from '../rig/certificate.ts';
import type { IceConfig } from '../rig/in-page.ts';
import { addServerAddresses, letOfficesMeet, type Office, openOffice } from '../rig/office.ts';
import { Participant, type Site, serveSite, type Way } from '../rig/page.ts';
import type { Firewall } from '../rig/rough-line.ts';
import { Customer } from '../rig/sdk.ts';
import { type Server, startServer } from '../rig/server.ts';
import { credentialOf } from '../rig/turn-client.ts';
import { eventually } from '../rig/wait.ts';
import { full, sample } from '../sample.ts';
import { assertSeenAndHeard, small } from './calls.ts';

const API = '198.51.100.1';
const TURN = '198.51.100.2';
const MEDIA = '198.51.100.3';
/** Firefox goes by TLS to relays that have a name, and to no others. */
const TURN_NAME = 'turn.cloister.test';
/** How long a call has to go on once it stands. */
const CALL_MS = full ? 60_000 : 3_000;
/** How many frames are waited for at a time. */
const FRAMES = 30;

let certificate: SignedCertificate;
let server: Server;
let customer: Customer;
let site: Site;
let offices: [Office, Office];
const browsers = new Map<string, TestBrowser>();

before(async () => {
  addServerAddresses(API, TURN, MEDIA);
  certificate = signedCertificateFor(API, TURN_NAME);
  server = await startServer({
    production: certificate,
    env: {
      CLOISTER_HOST: API,
      CLOISTER_PORT: '443',
      CLOISTER_PUBLIC_URL: `https://${API}`,
      CLOISTER_MEDIA_LISTEN: MEDIA,
      CLOISTER_MEDIA_PORTS: '443-482',
      CLOISTER_MEDIA_WORKERS: '1',
      CLOISTER_TURN: 'require',
      CLOISTER_TURN_LISTEN: TURN,
      CLOISTER_TURN_TLS_PORT: '443',
      CLOISTER_TURN_TLS_HOST: TURN_NAME,
    },
  });
  customer = new Customer(server.credentials);
  site = await serveSite(server.url, API);
  const hosts = { [TURN_NAME]: TURN };
  offices = [await openOffice(0, { hosts }), await openOffice(1, { hosts, nat: true })];
});

after(async () => {
  await Promise.all([...browsers.values()].map((browser) => browser.close()));
  for (const each of offices ?? []) each.close();
  site?.close();
  await server?.stop();
});

/** A page of a browser in an office, loaded while the firewall lets everything through. */
async function open(place: 0 | 1, name: BrowserName): Promise<Participant> {
  const office = offices[place];
  await office.firewall('open');
  const trusting: BrowserOptions =
    name === 'chromium'
      ? { args: [chromiumTrusting(certificate)] }
      : { prepare: (profile) => firefoxTrusting(certificate, profile) };
  const key = `${name} ${place}`;
  const browser = browsers.get(key) ?? (await office.launch(name, { secureOrigins: [site.origin], ...trusting }));
  browsers.set(key, browser);
  return Participant.open(browser, site);
}

interface Case {
  readonly lets: Firewall;
  readonly mediaMode: 'routed' | 'relayed';
  /** What each page is given; asked for when the platform runs. */
  readonly iceConfig: () => IceConfig | null;
  /** How the pair of candidates in use must be. */
  readonly way: Pick<Way, 'type' | 'protocol'>;
  /** In the first office; a Chromium is in the second. */
  readonly name?: BrowserName;
}

const relays = (): IceConfig => ({ includeServers: 'all', transportPolicy: 'relay', customServers: [] });
const noServers = (): IceConfig => ({ includeServers: 'custom', transportPolicy: 'all', customServers: [] });

/** Of several ways that are open a browser takes whichever was there first; so it is given one. */
const relayBy = (transport: 'udp' | 'tcp') => (): IceConfig => {
  const urls = `turn:${TURN}:3478?transport=${transport}`;
  const customServers = [{ urls, ...credentialOf(server.dataDir, 'application') }];
  return { includeServers: 'custom', transportPolicy: 'relay', customServers };
};

/** A call between the two offices goes on for `CALL_MS`, both ways, in the way that it must. */
async function callGoesOn(t: TestContext, { lets, mediaMode, iceConfig, way, name = 'chromium' }: Case): Promise<void> {
  const pages = await Promise.all([open(0, name), open(1, 'chromium')]);
  const [alice, bob] = pages;
  await Promise.all(offices.map((office) => office.firewall(lets)));
  const sessionId = await customer.session({ mediaMode });
  await Promise.all(pages.map((page) => page.join(customer.ticket(sessionId), {}, iceConfig())));
  const [fromAlice, fromBob] = await Promise.all([alice.publish(small), bob.publish(small)]);
  await Promise.all([alice.subscribed(fromBob), bob.subscribed(fromAlice)]);
  const began = performance.now();
  await Promise.all([
    watch(alice, fromBob, began),
    watch(bob, fromAlice, began),
    ...pages.map((page) => goes(page, mediaMode === 'routed' ? 2 : 1, way)),
  ]);
  await assertSeenAndHeard(alice, fromBob, 'chromium');
  await assertSeenAndHeard(bob, fromAlice, name);
  for (const page of pages) await goes(page, mediaMode === 'routed' ? 2 : 1, way);
  const dropped = await Promise.all(offices.map((office) => office.firewall('open')));
  t.diagnostic(`kept back by the two firewalls: ${dropped.join(' and ')} packets`);
  if (lets.endsWith('443')) assert.ok(dropped.every((packets) => packets > 0));
  await Promise.all(pages.map((page) => page.close()));
}

/** Frames arrive until the call has lasted. On a line that loses so much a stream may be received anew, once: then its count is of the new one. */
async function watch(at: Participant, streamId: string, began: number): Promise<void> {
  let anew = 0;
  do {
    const before = await decodedOf(at, streamId);
    await at.look(streamId, FRAMES);
    const decoded = (await decodedOf(at, streamId)) - before;
    if (decoded < 0) anew += 1;
    else assert.ok(decoded >= FRAMES / 2, `${decoded} frames were decoded while ${FRAMES} were shown`);
    assert.ok(anew <= 1, `the stream was received anew ${anew} times`);
  } while (performance.now() - began < CALL_MS);
}

/** Browsers count none before the first. */
async function decodedOf(at: Participant, streamId: string): Promise<number> {
  return Number((await at.inbound(streamId, 'video')).framesDecoded ?? 0);
}

/** Waits until each transport of a page goes this way and no other. */
async function goes(at: Participant, transports: number, wanted: Case['way']): Promise<void> {
  await eventually(
    `${transports} transports by ${JSON.stringify(wanted)}`,
    () => at.ways(),
    (ways) =>
      ways.length === transports &&
      ways.every(({ type, protocol }) => type === wanted.type && protocol === wanted.protocol),
  );
}

const relayedWays = [
  { lets: 'open', iceConfig: relayBy('udp'), way: { type: 'relay', protocol: 'udp' } },
  { lets: 'no UDP', iceConfig: relayBy('tcp'), way: { type: 'relay', protocol: 'tcp' } },
  { lets: 'TCP 443', iceConfig: relays, way: { type: 'relay', protocol: 'tls' } },
  { lets: 'TLS 443', iceConfig: relays, way: { type: 'relay', protocol: 'tls' } },
] as const;
const cases = relayedWays.flatMap((each) =>
  (['routed', 'relayed'] as const).map((mediaMode) => ({ ...each, mediaMode })),
);

for (const each of sample('calls through a relay', cases, 1)) {
  const { lets, mediaMode, way } = each;
  test(`a ${mediaMode} call goes through the relay by ${way.protocol} where a firewall has: ${lets}`, (t) =>
    callGoesOn(t, each));
}

for (const each of sample('calls of Firefox through a relay', cases, 1)) {
  const { lets, mediaMode, way } = each;
  test(`a ${mediaMode} call of Firefox and Chromium goes through the relay by ${way.protocol} where a firewall has: ${lets}`, (t) =>
    callGoesOn(t, { ...each, name: 'firefox' }));
}

/** Nobody asks for a relay; some have none. */
const anyWay: readonly { readonly title: string; readonly how: Case }[] = [
  {
    title: 'where TCP 443 is all that there is, a routed call without any TURN server goes to media there',
    how: { lets: 'TCP 443', mediaMode: 'routed', iceConfig: noServers, way: { type: 'prflx', protocol: 'tcp' } },
  },
  {
    title: 'where a firewall looks for TLS on it, a call that asks for nothing goes through the relay by TLS',
    how: { lets: 'TLS 443', mediaMode: 'routed', iceConfig: () => null, way: { type: 'relay', protocol: 'tls' } },
  },
];
for (const { title, how } of sample('calls by any way', anyWay, 1)) test(title, (t) => callGoesOn(t, how));

test('a relayed call that asks for nothing goes from office to office, one of them behind a NAT', async () => {
  letOfficesMeet();
  const pages = await Promise.all([open(0, 'chromium'), open(1, 'chromium')]);
  const [alice, bob] = pages;
  const sessionId = await customer.session({ mediaMode: 'relayed' });
  await Promise.all(pages.map((page) => page.join(customer.ticket(sessionId))));
  const [fromAlice, fromBob] = await Promise.all([alice.publish(small), bob.publish(small)]);
  await Promise.all([alice.subscribed(fromBob), bob.subscribed(fromAlice)]);
  await assertSeenAndHeard(alice, fromBob, 'chromium');
  await assertSeenAndHeard(bob, fromAlice, 'chromium');
  // Bob knows no address of his but the private one; what Alice sends to is what STUN told him, which Chromium does not show.
  const seen = (await bob.stats('local-candidate')).filter(({ candidateType }) => candidateType === 'srflx');
  assert.deepEqual([...new Set(seen.map(({ address }) => address))], [offices[1].address]);
  const [[toBob], [toAlice]] = (await Promise.all(pages.map(otherEnds))) as [OtherEnd[], OtherEnd[]];
  assert.ok(toBob && ['srflx', 'prflx'].includes(toBob.type), JSON.stringify(toBob));
  assert.deepEqual(toAlice, { address: offices[0].address, type: 'host' });
  await Promise.all(pages.map((page) => page.close()));
});

interface OtherEnd {
  readonly address: string;
  readonly type: string;
}

/** Where the media of each transport of a page goes. */
async function otherEnds(at: Participant): Promise<OtherEnd[]> {
  const asked = ['transport', 'candidate-pair', 'remote-candidate'].map((type) => at.stats(type));
  const [transports = [], pairs = [], candidates = []] = await Promise.all(asked);
  return transports.map(({ selectedCandidatePairId }) => {
    const pair = pairs.find(({ id }) => id === selectedCandidatePairId);
    const remote = candidates.find(({ id }) => id === pair?.remoteCandidateId);
    return { address: String(remote?.address), type: String(remote?.candidateType) };
  });
}
