/** What holds for every route, whoever registered it: OpenTok's routes, our own and the pages on one server. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { type TestPlatform, testPlatform } from '../../../tests/core/platform.ts';
import { createRateLimiter, type RateLimiter, rates } from './access/index.ts';
import { adminRoutes } from './admin/index.ts';
import { createHttpServer, limitAddresses } from './http.ts';
import { systemIds } from './lib/index.ts';
import { createRestAuth, makeClientToken, opentokRoutes } from './opentok/index.ts';

interface Registered {
  readonly method: string;
  readonly url: string;
  readonly ownRate: boolean;
}

const clientAddress = ({ headers }: { headers: Record<string, unknown> }) => String(headers['x-test-address']);

/** Every way in over HTTP, as main.ts puts them together, with the list of what was registered. */
async function everyRoute(platform: TestPlatform, limiter: RateLimiter) {
  const { core } = platform;
  const app = createHttpServer(null);
  const routes: Registered[] = [];
  app.addHook('onRoute', ({ method, url, config }) => {
    for (const each of [method].flat()) routes.push({ method: each, url, ownRate: config?.ownRate === true });
  });
  limitAddresses(app, { limiter, clientAddress });
  const auth = createRestAuth({ core, limiter, clientAddress });
  await opentokRoutes(app, {
    core,
    limiter,
    auth,
    clientAddress,
    showSecrets: false,
    signallingUrl: () => 'ws://test',
    baseUrl: () => 'http://media.example',
  });
  await adminRoutes(app, {
    core,
    auth,
    limiter,
    journal: { record() {} },
    clientAddress,
    mode: 'development',
    turn: () => 'off',
    lanCode: null,
    projectId: () => platform.projectId,
    network: () => 'public',
    baseUrl: () => 'http://media.example',
    makeToken: makeClientToken,
    folders: { client: import.meta.dirname, console: import.meta.dirname },
    healthy: () => true,
  });
  return { app, routes };
}

describe('limits by address', () => {
  let platform: TestPlatform;
  let app: FastifyInstance;
  let routes: Registered[];
  let limiter: RateLimiter;
  before(async () => {
    platform = await testPlatform();
    limiter = createRateLimiter({ clock: platform.clock, ids: systemIds });
    ({ app, routes } = await everyRoute(platform, limiter));
  });
  after(async () => {
    await app.close();
    await platform.close();
  });

  let callers = 0;
  /** One request at the bound of the burst and one past it, from an address of its own. */
  async function atTheBound({ method, url, ownRate }: Registered) {
    callers += 1;
    const address = `198.51.${callers >> 8}.${callers & 255}`;
    const scope = ownRate ? 'join' : 'address';
    limiter.require(scope, address, rates[scope].burst - 1);
    const ask = () =>
      app.inject({
        method: method as InjectOptions['method'],
        url: url.replace(/:\w+/g, 'x').replace('*', 'x'),
        headers: { host: 'localhost', 'x-test-address': address },
      } as InjectOptions);
    return [await ask(), await ask()] as const;
  }

  it('let the burst through and refuse one past it with Retry-After, on every route and where there is none', async () => {
    assert.ok(routes.length > 60, `${routes.length} routes`);
    const unknown = ['/nowhere', '/cloister/v1/nowhere', '/console/nowhere.js', '/v2/js/nowhere.js', '/v2/project/1/x'];
    const nowhere = unknown.map((url) => ({ method: 'GET', url, ownRate: false }));
    for (const route of [...routes, ...nowhere]) {
      const [within, past] = await atTheBound(route);
      const name = `${route.method} ${route.url}`;
      assert.notEqual(within.statusCode, 429, name);
      assert.equal(past.statusCode, 429, name);
      assert.equal(past.headers['retry-after'], '1', name);
    }
  });

  it('are counted in a scope of its own by the join alone', () => {
    const own = routes.filter(({ ownRate }) => ownRate).map(({ method, url }) => `${method} ${url}`);
    assert.deepEqual(own, ['POST /cloister/v1/join']);
  });
});
