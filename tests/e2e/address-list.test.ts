/**
 * Clients in two offices whose firewall is nft with the published address list and nothing else, towards a node on the
 * enterprise line. API, TURN and media have an address each.
 */
import { enterNetwork } from '../rig/network.ts';

enterNetwork(import.meta.filename);

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { TestBrowser } from '../rig/browser.ts';
import { chromiumTrusting, type SignedCertificate, signedCertificateFor } from '../rig/certificate.ts';
import { tempFolder } from '../rig/cleanup.ts';
import { command } from '../rig/command.ts';
import { addServerAddresses, type Office, openOffice } from '../rig/office.ts';
import { Participant, type Site, serveSite } from '../rig/page.ts';
import { Customer } from '../rig/sdk.ts';
import { type Server, startServer } from '../rig/server.ts';
import { eventually } from '../rig/wait.ts';
import { assertSeenAndHeard, small } from './calls.ts';

/** Public ones: no list takes those for documentation. They exist in the network of this test alone. */
const API = '185.70.1.1';
const TURN = '185.70.1.2';
const MEDIA = '185.70.1.3';
const TABLE = ['inet', 'cloister_ip_ranges'] as const;
const folder = tempFolder('address-list');

let certificate: SignedCertificate;
let server: Server;
let customer: Customer;
let site: Site;
let offices: readonly [Office, Office];
const browsers: TestBrowser[] = [];

const announce = (address: string, component: string, port: string, ...protocols: string[]) =>
  command(
    server,
    ...['ip-ranges', 'announce', `${address}/32`, '--component', component, '--zone', 'eu', '--first'],
    ...['--port', port],
    ...protocols.flatMap((protocol) => ['--protocol', protocol]),
  );

before(async () => {
  addServerAddresses(API, TURN, MEDIA);
  certificate = signedCertificateFor(API, TURN);
  server = await startServer({
    production: certificate,
    env: {
      CLOISTER_HOST: API,
      CLOISTER_PORT: '443',
      CLOISTER_PUBLIC_URL: `https://${API}`,
      CLOISTER_MEDIA_LISTEN: MEDIA,
      CLOISTER_MEDIA_PORTS: '40000-40039',
      CLOISTER_MEDIA_WORKERS: '1',
      CLOISTER_TURN: 'require',
      CLOISTER_TURN_LISTEN: TURN,
      CLOISTER_TURN_TLS_PORT: '443',
      CLOISTER_TURN_TLS_HOST: TURN,
    },
  });
  customer = new Customer(server.credentials);
  site = await serveSite(server.url, API);
  offices = [await openOffice(0), await openOffice(1)];
});

after(async () => {
  await Promise.all(browsers.map((browser) => browser.close()));
  for (const each of offices ?? []) each.close();
  site?.close();
  await server?.stop();
});

/** The list as an office's firewall takes it. */
async function published(): Promise<string> {
  return (await customer.rest('GET', '/cloister/v1/ip-ranges.nft', 'project')) as string;
}

/** From now on an office lets out what is in the list, and nothing else. */
function shut(office: Office, rules: string): void {
  const file = path.join(folder, 'list.nft');
  writeFileSync(file, rules);
  office.run('nft', '-f', file);
  const chain = '{ type filter hook output priority 0; policy drop; }';
  office.run('nft', 'add', 'chain', ...TABLE, 'output', chain);
  office.run('nft', 'flush', 'chain', ...TABLE, 'output');
  // Its browser is driven over loopback.
  office.run('nft', 'add', 'rule', ...TABLE, 'output', 'oifname', 'lo', 'accept');
  office.run('nft', 'add', 'rule', ...TABLE, 'output', 'jump', 'allow');
}

function open(office: Office): void {
  office.run('nft', 'add', 'table', ...TABLE);
  office.run('nft', 'delete', 'table', ...TABLE);
}

interface Found {
  missing: number;
  calls: string;
  note: string | null;
  checked: {
    prefix: string;
    component: string;
    port: string;
    protocol: string;
    result: string;
    loses: string | null;
  }[];
}

/** `cloister ip-ranges check` as somebody in an office runs it. */
async function checkIn(office: Office, source: string): Promise<Found & { code: number }> {
  const secret = path.join(folder, 'secret');
  writeFileSync(secret, server.credentials.apiSecret);
  const program = path.resolve(import.meta.dirname, '../../packages/server/src/cli/main.ts');
  const who = ['--api-key', server.credentials.apiKey, '--secret-file', secret, '--platform', server.url];
  const words = [program, 'ip-ranges', 'check', source, ...who, '--json'];
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: certificate.authority };
  const ended = await promisify(execFile)(office.launcher(process.execPath), words, { env }).then(
    ({ stdout }) => ({ stdout, code: 0 }),
    (error: { stdout: string; stderr: string; code: number }) => {
      if (error.stdout === '') throw new Error(error.stderr);
      return error;
    },
  );
  return { ...(JSON.parse(ended.stdout) as Found), code: ended.code };
}

test('a node whose addresses are not all in effect does not start, and names the first that is not', async () => {
  await announce(API, 'api', '443', 'tcp');
  await announce(TURN, 'turn', '3478', 'udp', 'tcp');
  await announce(TURN, 'turn', '443', 'tcp');
  await announce(MEDIA, 'media', '40001-40039', 'udp', 'tcp');
  await server.interrupt();
  const line = { CLOISTER_ADDRESS_LINE: 'enterprise' };
  await assert.rejects(server.restart(line), /mediaAddress 185\.70\.1\.3 is not in effect .*\(media, udp 40000\)/);
  server = await server.restart();
  await command(server, 'ip-ranges', 'show');
  const shown = await command<{ blocks: { id: string; component: string }[] }>(server, 'ip-ranges', 'show');
  const media = shown.blocks.find(({ component }) => component === 'media')!;
  const emergency = ['--emergency', '--reason', 'one port was left out', '--by', 'Ada'];
  const withdraw = ['ip-ranges', 'withdraw', media.id, ...emergency];
  const { proposalId } = await command<{ proposalId: string }>(server, ...withdraw);
  await command(server, 'ip-ranges', 'approve', proposalId, '--by', 'Grace');
  await announce(MEDIA, 'media', '40000-40039', 'udp', 'tcp');
  await server.interrupt();
  server = await server.restart(line);
});

test('from an office whose firewall has the list alone, all of it is reached', async () => {
  const list = path.join(folder, 'list.json');
  writeFileSync(list, JSON.stringify(await customer.rest('GET', '/cloister/v1/ip-ranges', 'project')));
  shut(offices[0], await published());
  const { missing, calls, note, checked, code } = await checkIn(offices[0], list);
  assert.deepEqual([missing, calls, note, code], [0, 'calls go directly', null, 0], JSON.stringify(checked));
  const shown = checked.map(({ component, port, protocol, result }) => `${component} ${protocol} ${port} ${result}`);
  assert.deepEqual(shown.sort(), [
    'api tcp 443 reached',
    'media tcp 40000-40039 reached',
    'media udp 40000-40039 reached',
    'turn tcp 3478 reached',
    'turn tcp 443 reached',
    'turn udp 3478 reached',
  ]);
});

test('where one prefix is taken out of the firewall, the check names it and what a call loses', async () => {
  const list = path.join(folder, 'list.json');
  const rules = (await published()).split('\n').filter((line) => !line.includes(`{ ${MEDIA}/32 `));
  shut(offices[0], rules.join('\n'));
  const { missing, calls, checked, code } = await checkIn(offices[0], list);
  assert.deepEqual([missing, calls, code], [2, 'calls go through a relay', 1]);
  const lost = checked.filter(({ loses }) => loses !== null);
  assert.deepEqual(lost.map(({ prefix, protocol, result }) => [prefix, protocol, result]).sort(), [
    [`${MEDIA}/32`, 'tcp', 'silent'],
    [`${MEDIA}/32`, 'udp', 'silent'],
  ]);
  for (const { loses } of lost) assert.match(String(loses), /relay/);
  open(offices[0]);
});

for (const mediaMode of ['routed', 'relayed'] as const) {
  test(`a ${mediaMode} call between two offices whose firewalls have the list alone works, with ipWhitelist`, async () => {
    const pages = await Promise.all(
      offices.map(async (office) => {
        open(office);
        const args = [chromiumTrusting(certificate)];
        const browser = await office.launch('chromium', { secureOrigins: [site.origin], args });
        browsers.push(browser);
        return Participant.open(browser, site);
      }),
    );
    const [alice, bob] = pages as [Participant, Participant];
    const rules = await published();
    for (const office of offices) shut(office, rules);
    const sessionId = await customer.session({ mediaMode });
    await Promise.all(pages.map((page) => page.join({ ...customer.ticket(sessionId), ipWhitelist: true })));
    const [fromAlice, fromBob] = await Promise.all([alice.publish(small), bob.publish(small)]);
    await Promise.all([alice.subscribed(fromBob), bob.subscribed(fromAlice)]);
    await assertSeenAndHeard(alice, fromBob, 'chromium');
    await assertSeenAndHeard(bob, fromAlice, 'chromium');
    if (mediaMode === 'relayed') {
      for (const page of pages) {
        await eventually(
          'a way through a relay',
          () => page.ways(),
          (ways) => ways.length > 0 && ways.every(({ type }) => type === 'relay'),
        );
      }
    }
    await Promise.all(pages.map((page) => page.close()));
  });
}

test('a page with ipWhitelist refuses a TURN server of the application that is outside the list', async () => {
  for (const office of offices) open(office);
  const page = await Participant.open(browsers[0]!, site);
  const customServers = [{ urls: 'turn:185.70.9.9:3478', username: 'u', credential: 'c' }];
  const iceConfig = { includeServers: 'all', transportPolicy: 'all', customServers } as const;
  const sessionId = await customer.session();
  const joining = page.join({ ...customer.ticket(sessionId), ipWhitelist: true }, {}, { ...iceConfig, customServers });
  await assert.rejects(joining, /OT_ADDRESS_NOT_LISTED.*185\.70\.9\.9/);
  await page.close();
});
