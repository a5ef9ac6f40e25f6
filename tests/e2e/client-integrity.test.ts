/** The client script under its hash, and from its customer's own server: what a real browser takes and what it refuses. */
import { enterNetwork } from '../rig/network.ts';

enterNetwork(import.meta.filename);

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { type ClientIntegrity, scriptElement } from '@cloister/protocol/client-integrity';
import { launchBrowser, type TestBrowser } from '../rig/browser.ts';
import { command } from '../rig/command.ts';
import { Participant, pageScript } from '../rig/page.ts';
import { Customer } from '../rig/sdk.ts';
import { type Server, startServer } from '../rig/server.ts';
import { assertSeenAndHeard } from './calls.ts';

let server: Server;
let browser: TestBrowser;
/** The client as the platform hands it out, and what the platform says that its hash is. */
let client: Buffer;
let integrity: string;
const sites: (() => void)[] = [];

before(async () => {
  [server, browser] = await Promise.all([startServer({ mediaWorkers: 1 }), launchBrowser('chromium')]);
  const file = (name: string) => fetch(`${server.url}/v2/js/${name}`);
  client = Buffer.from(await (await file('opentok.min.js')).arrayBuffer());
  const said = (await (await file('integrity.json')).json()) as ClientIntegrity;
  integrity = said.files.find((each) => each.file === 'opentok.min.js')?.integrity ?? '';
});

after(async () => {
  await browser?.close();
  for (const close of sites) close();
  await server?.stop();
});

/** Serves these texts by their paths, at an origin of its own. */
async function serve(texts: Readonly<Record<string, string | Buffer>>, policy = ''): Promise<string> {
  const site = createServer((request, response) => {
    const text = texts[request.url ?? ''];
    const type = request.url?.endsWith('.js') ? 'text/javascript' : 'text/html';
    response.writeHead(text === undefined ? 404 : 200, {
      'content-type': type,
      'access-control-allow-origin': '*',
      ...(policy && { 'content-security-policy': policy }),
    });
    response.end(text);
  });
  await once(site.listen(0, '127.0.0.1'), 'listening');
  site.unref();
  sites.push(() => {
    site.close();
    site.closeAllConnections();
  });
  return `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
}

function page(...elements: string[]): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A call</title><link rel="icon" href="data:,">${elements.join('')}</head><body></body></html>`;
}

/** What a page with this element in its head has as `OT`, and what the browser complained of. */
async function loaded(element: string): Promise<{ ot: string; errors: readonly string[] }> {
  const before = browser.errors.length;
  const opened = await browser.newPage();
  await opened.goto(await serve({ '/': page(element) }));
  const ot = await opened.evaluate(() => typeof (window as { OT?: unknown }).OT);
  await opened.close();
  return { ot, errors: browser.errors.slice(before) };
}

test('the line that the command shows loads the script of the platform on a page of another origin', async () => {
  const { script } = await command<{ script: string }>(server, 'client', 'integrity', '--url', server.url);
  assert.equal(script, scriptElement(`${server.url}/v2/js/opentok.min.js`, integrity));
  assert.deepEqual(await loaded(script), { ot: 'object', errors: [] });
});

test('a script that differs in one byte is refused, and OT is not there', async () => {
  const altered = Buffer.from(client);
  // In the name of the map, so that the script still does all that it did.
  altered[altered.length - 2] = (altered.at(-2) as number) ^ 1;
  const url = `${await serve({ '/opentok.min.js': altered })}/opentok.min.js`;
  const without = await loaded(`<script src="${url}" crossorigin="anonymous"></script>`);
  assert.equal(without.ot, 'object', 'the altered script runs where no hash is asked of it');
  const { ot, errors } = await loaded(scriptElement(url, integrity));
  assert.equal(ot, 'undefined');
  assert.match(errors.join('\n'), /Failed to find a valid digest in the 'integrity' attribute/);
});

test('a page that names the hashes of two versions takes either, so that the platform can be upgraded under it', async () => {
  const next = Buffer.concat([client, Buffer.from('\n')]);
  const url = `${await serve({ '/opentok.min.js': next })}/opentok.min.js`;
  const hash = Buffer.from(await crypto.subtle.digest('SHA-384', next)).toString('base64');
  const both = `${integrity} sha384-${hash}`;
  assert.equal((await loaded(scriptElement(url, both))).ot, 'object');
  assert.equal((await loaded(scriptElement(`${server.url}/v2/js/opentok.min.js`, both))).ot, 'object');
});

test('a copy on the customer’s own server makes an end-to-end encrypted call, under the policy that the guide gives', async () => {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    'img-src data:',
    'worker-src blob:',
    `connect-src ${server.url} ${server.url.replace(/^http/, 'ws')}`,
  ].join('; ');
  const own = await serve(
    {
      '/': page(scriptElement('/opentok.min.js', integrity), '<script src="/in-page.js"></script>'),
      '/opentok.min.js': client,
      '/in-page.js': pageScript('in-page.ts'),
    },
    policy,
  );
  const site = { origin: own, close() {} };
  const customer = new Customer(server.credentials);
  const sessionId = await customer.session({ mediaMode: 'routed', e2ee: true });
  const before = browser.errors.length;
  const [ana, ben] = (await Promise.all([0, 1].map(() => Participant.open(browser, site)))) as [
    Participant,
    Participant,
  ];
  for (const each of [ana, ben]) {
    await each.page.evaluate((platform) => window.OT.setProxyUrl(platform), server.url);
    await each.join({ ...customer.ticket(sessionId), encryptionSecret: 'what both of us know' });
  }
  const stream = await ana.publish({ resolution: '640x480' });
  await ben.subscribed(stream);
  await assertSeenAndHeard(ben, stream, 'chromium');
  const { legs } = await customer.security(sessionId);
  assert.ok(legs.length >= 2 && legs.every(({ frameLayer }) => frameLayer === 'AES_256_GCM_SHA512_128'));
  assert.deepEqual(browser.errors.slice(before), []);
  await Promise.all([ana, ben].map((each) => each.close()));
});
