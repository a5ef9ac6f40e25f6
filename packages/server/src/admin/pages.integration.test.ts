import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { createHttpServer } from '../http.ts';
import { pageRoutes } from './pages.ts';

/** The routes over folders as the bundler makes them. */
async function served(t: TestContext) {
  const folder = mkdtempSync(path.join(tmpdir(), 'cloister-pages-'));
  const [client, console] = ['client', 'console'].map((name) => path.join(folder, name)) as [string, string];
  mkdirSync(path.join(console, 'assets'), { recursive: true });
  mkdirSync(client);
  writeFileSync(path.join(console, 'index.html'), '<!doctype html>');
  writeFileSync(path.join(console, 'assets/index-1a2b.js'), '0');
  writeFileSync(path.join(client, 'opentok.min.js'), '0');
  writeFileSync(path.join(client, 'opentok.min.js.map'), '{}');
  writeFileSync(path.join(client, 'integrity.json'), '{}');
  const app = createHttpServer(null);
  await app.register(async (pages) => pageRoutes(pages, { client, console }));
  t.after(async () => {
    await app.close();
    rmSync(folder, { recursive: true });
  });
  return app;
}

test('every static answer lets nothing else in, whatever its path', async (t) => {
  const app = await served(t);
  const answers = {
    '/playground': 200,
    '/playground/': 200,
    '/console/index.html': 200,
    '/console/assets/index-1a2b.js': 200,
    '/v2/js/opentok.min.js': 200,
    '/v2/js/opentok.js': 200,
    '/v2/js/integrity.json': 200,
    '/console/none.html': 404,
    '/v2/js/none.js': 404,
    '/v2/js/opentok.min.js.map': 404,
    '/': 302,
  };
  for (const [url, status] of Object.entries(answers)) {
    const { statusCode, headers } = await app.inject({ url });
    assert.equal(statusCode, status, url);
    const policy = String(headers['content-security-policy']);
    assert.match(policy, /^default-src 'none'; script-src 'self';.*frame-ancestors 'none'$/, url);
    assert.equal(headers['x-content-type-options'], 'nosniff', url);
    assert.equal(headers['referrer-policy'], 'no-referrer', url);
    assert.match(String(headers['permissions-policy']), /^camera=\(self\)/, url);
  }
});

test('assets are kept for ever, pages and the client script are asked for each time', async (t) => {
  const app = await served(t);
  const kept = async (url: string) => (await app.inject({ url })).headers['cache-control'];
  assert.match(String(await kept('/console/assets/index-1a2b.js')), /immutable/);
  for (const url of ['/console/index.html', '/v2/js/opentok.min.js', '/v2/js/integrity.json'])
    assert.equal(await kept(url), 'no-cache', url);
});

test('pages of every origin may load the client script and compare it with its hash', async (t) => {
  const app = await served(t);
  for (const url of ['/v2/js/opentok.min.js', '/v2/js/integrity.json']) {
    const { headers } = await app.inject({ url, headers: { origin: 'https://clinic.example' } });
    assert.equal(headers['access-control-allow-origin'], '*', url);
    assert.equal(headers['cross-origin-resource-policy'], 'cross-origin', url);
  }
});
