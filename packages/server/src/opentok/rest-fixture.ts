/**
 * OpenTok's routes on a real HTTP server, in process, over the real rules, store and keys. Media is the double of the
 * rules' own tests: these tests are about the wire, and calls with media run end to end elsewhere.
 */
import type { FastifyInstance, FastifyRequest, InjectOptions, LightMyRequestResponse } from 'fastify';
import { type TestPlatform, testPlatform } from '../../../../tests/core/platform.ts';
import { createRateLimiter } from '../access/index.ts';
import type { Core, PlanName } from '../core/index.ts';
import { createHttpServer, limitAddresses } from '../http.ts';
import { systemIds } from '../lib/index.ts';
import { makeJwt } from './jwt.ts';
import { opentokRoutes } from './routes.ts';

/** Bodies of answers are looked at freely in tests. */
// biome-ignore lint/suspicious/noExplicitAny: the shape of an answer is what the tests are about
export type Body = any;

export interface Ask {
  /** JSON, unless it is text. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whose credential; the project's when it is left out, none for null. */
  readonly as?: 'project' | 'account' | string | null;
  readonly from?: string;
}

export interface RestFixture extends TestPlatform {
  readonly app: FastifyInstance;
  readonly secret: string;
  readonly accountSecret: string;
  /** Seconds since 1970 by the platform's clock. */
  now(): number;
  /** A REST credential; `claims` are laid over the usual ones. */
  credential(claims?: Readonly<Record<string, unknown>>, secret?: string): string;
  /** Calls a route. `{k}` in the path is the project's key. */
  call(method: string, path: string, ask?: Ask): Promise<LightMyRequestResponse>;
}

/** `change` puts something else in the place of a part of `core`. */
export async function restFixture(
  options: {
    showSecrets?: boolean;
    change?: (core: Core) => Core;
    plan?: PlanName;
    recorder?: boolean;
    checkAddress?: (url: string) => Promise<void>;
    /** Milliseconds since 1970, for who signs by the machine's clock. */
    startAt?: number;
  } = {},
): Promise<RestFixture> {
  const platform = await testPlatform(options.plan, options);
  const { core, clock, projectId, accountId } = platform;
  const app = createHttpServer(null);
  const from = new WeakMap<object, string>();
  const limiter = createRateLimiter({ clock, ids: systemIds });
  const clientAddress = (request: Pick<FastifyRequest, 'raw' | 'headers'>) =>
    from.get(request.raw) ?? String(request.headers['x-test-address'] ?? '192.0.2.1');
  limitAddresses(app, { limiter, clientAddress });
  await opentokRoutes(app, {
    core: options.change?.(core) ?? core,
    limiter,
    clientAddress,
    showSecrets: options.showSecrets ?? false,
    signallingUrl: () => 'ws://media.example/signalling',
    baseUrl: () => 'http://media.example',
  });
  const secret = (await core.projects.secretsOf(projectId))[0]!.secret;
  const accountSecret = await core.accounts.secretOf(accountId);
  const now = () => Math.floor(clock.now() / 1000);
  const credential = (claims: Readonly<Record<string, unknown>> = {}, by = secret) =>
    makeJwt({ iss: projectId, ist: 'project', iat: now(), exp: now() + 300, ...claims }, by);
  const credentialOf = (as: Ask['as'] = 'project'): Record<string, string> => {
    if (as === null) return {};
    if (as === 'project') return { 'x-opentok-auth': credential() };
    if (as === 'account') return { 'x-opentok-auth': credential({ iss: accountId, ist: 'account' }, accountSecret) };
    return { 'x-opentok-auth': as };
  };
  return {
    ...platform,
    app,
    secret,
    accountSecret,
    now,
    credential,
    call(method, path, ask = {}) {
      const text = typeof ask.body === 'string' ? ask.body : JSON.stringify(ask.body);
      return app.inject({
        method: method as InjectOptions['method'],
        url: path.replace('{k}', projectId),
        headers: {
          accept: 'application/json',
          ...(ask.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(ask.from ? { 'x-test-address': ask.from } : {}),
          ...credentialOf(ask.as),
          ...ask.headers,
        },
        payload: text,
      } as InjectOptions) as Promise<LightMyRequestResponse>;
    },
    async close() {
      await app.close();
      await platform.close();
    },
  };
}

/** Asks for an archive of a new session in which somebody publishes. */
export async function startArchive(rest: RestFixture, wish: object = {}): Promise<LightMyRequestResponse> {
  const session = await rest.session();
  await rest.publish(await rest.enter(session));
  return rest.call('POST', '/v2/project/{k}/archive', { body: { sessionId: session.id, ...wish } });
}
