/** Registers the table on the HTTP server: credential, then body, then the use case (SPEC: REST1 and on). */
import { limits, PlatformError } from '@cloister/protocol';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Core, NetworkClass, RateLimiter } from '../core/index.ts';
import { recordInternal, refusalOf, sendAnswer, sendRefusal } from './answer.ts';
import { createRestAuth, type RestAuth } from './auth.ts';
import { textOf } from './body.ts';
import { downloadRoute } from './download.ts';
import { type JoinDeps, joinRoute } from './join.ts';
import { type Route, routeTable } from './route-table.ts';

export interface RoutesDeps extends JoinDeps {
  readonly core: Core;
  readonly limiter: RateLimiter;
  /** Whether secrets of projects are shown in every answer, by the operator's setting. */
  readonly showSecrets: boolean;
  /** The address under which this caller reaches us, without a slash at the end. */
  baseUrl(request: FastifyRequest): string;
  /** From which class of network a request came. */
  network?(request: FastifyRequest): NetworkClass;
  /** The check of REST credentials, if somebody else uses it too; made here when it is not given. */
  readonly auth?: RestAuth;
}

/** Registers OpenTok's REST API and the route by which clients join. */
export async function opentokRoutes(app: FastifyInstance, deps: RoutesDeps): Promise<void> {
  await app.register(async (scope) => {
    takeAnyBody(scope);
    scope.setErrorHandler((thrown, request, reply) => {
      const error = refusalOf(thrown);
      recordInternal(deps.core.journal, error, request);
      return sendRefusal(request, reply, error);
    });
    const auth = deps.auth ?? createRestAuth(deps);
    for (const route of routeTable) register(scope, route, { ...deps, auth });
    scope.route({
      method: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
      url: '/v2/project/*',
      handler: unknownRoute,
    });
    scope.route({
      method: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
      url: '/v2/partner/*',
      handler: unknownRoute,
    });
  });
  await app.register(async (scope) => {
    takeAnyBody(scope);
    joinRoute(scope, deps);
  });
  await app.register(async (scope) => downloadRoute(scope, deps.core));
}

/** Whatever a body calls itself, it is bytes up to the limit; each route knows what it wants. */
function takeAnyBody(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers();
  const options = { parseAs: 'buffer', bodyLimit: limits.bodyBytes } as const;
  scope.addContentTypeParser('*', options, (_request, body, done) => done(null, body));
}

/** What the credential of a request was found to be. */
const issuers = new WeakMap<FastifyRequest, string>();

function register(scope: FastifyInstance, route: Route, deps: RoutesDeps & { auth: RestAuth }): void {
  const { core, showSecrets } = deps;
  const check = checkOf(route, deps.auth);
  const partner = route.path.replace('/v2/project', '/v2/partner');
  for (const url of new Set([route.path, partner])) {
    scope.route<{ Params: Record<string, string>; Body?: Buffer }>({
      method: route.method,
      url,
      bodyLimit: limits.bodyBytes,
      async onRequest(request) {
        issuers.set(request, await check(request));
      },
      async handler(request, reply) {
        if (!route.handle) throw new PlatformError('NotBuilt', { feature: route.feature! });
        const call = {
          core,
          showSecrets,
          issuer: issuers.get(request)!,
          params: request.params,
          query: new URLSearchParams(request.url.split('?')[1] ?? ''),
          baseUrl: () => deps.baseUrl(request),
          text: Buffer.isBuffer(request.body) ? textOf(request.body) : '',
          ...(deps.network && { network: deps.network(request) }),
          userAgent: request.headers['user-agent'] ?? '',
        };
        // Seen in live answers, and harmless: no page holds a REST credential.
        reply.header('access-control-allow-origin', '*');
        return sendAnswer(request, reply, await route.handle(call));
      },
    });
  }
}

/** The check of a route's credential → the project or account. It runs before a byte of the body is read. */
function checkOf({ by, path }: Route, auth: RestAuth): (request: FastifyRequest) => Promise<string> {
  if (by === 'account') return (request) => auth.account(request);
  if (!path.includes(':apiKey')) return (request) => auth.anyProject(request);
  return async (request) => {
    const { apiKey } = request.params as { apiKey: string };
    await auth.project(request, apiKey);
    return apiKey;
  };
}

async function unknownRoute(request: FastifyRequest): Promise<never> {
  const path = request.url.split('?')[0]!.slice(0, 256);
  throw new PlatformError('RouteNotFound', { path: `${request.method} ${path}` });
}
