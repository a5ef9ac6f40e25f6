/**
 * Who asks, before anything else is done for them: a person by the cookie of their log-in, a program by an API key; or
 * nobody that is known here, who is left to the REST credential where the route takes one.
 */
import { timingSafeEqual } from 'node:crypto';
import { PlatformError } from '@cloister/protocol';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import {
  type Actor,
  type ApiKey,
  type Core,
  isGrantable,
  type LoggedInPerson,
  type NetworkClass,
  type Scope,
  scopesOfRole,
  type Whence,
} from '../core/index.ts';
import { accessOf, type Scoped } from './access.ts';
import { networkOf, type Origins } from './actor.ts';
import type { RestAuth } from './projects.ts';

export const personCookie = '__Host-cloister-person';
export const csrfHeader = 'x-cloister-csrf';
/** The account that the operator's staff asks about. */
export const accountHeader = 'x-cloister-account';

type Principal =
  | ({ readonly kind: 'person' } & LoggedInPerson)
  | { readonly kind: 'apiKey'; readonly key: ApiKey; readonly rights: readonly Scope[] };

declare module 'fastify' {
  interface FastifyRequest {
    principal: Principal | null;
    /** The account that is asked about; null for the operator's own house, and until it is known who asks. */
    house: string | null;
  }
}

export interface GuardDeps {
  readonly core: Core;
  clientAddress(request: FastifyRequest): string;
  network(request: FastifyRequest): NetworkClass;
}

/** Has every route of this instance declared, and every request looked at. To be called before routes are registered. */
export function guard(app: FastifyInstance, deps: GuardDeps): void {
  app.decorateRequest('principal', null);
  app.decorateRequest('house', null);
  app.addHook('onRoute', ({ method, url }) => {
    for (const each of [method].flat()) {
      if (!accessOf(each, url)) throw new Error(`${each} ${url}: say in admin/access.ts who may call it`);
    }
  });
  app.addHook('onRequest', async (request) => {
    const { url, method } = request.routeOptions;
    const access = url === undefined ? undefined : accessOf(String(method), url);
    if (access === undefined || access === 'everybody' || access === 'playground' || access === 'bearer') return;
    request.principal = await principalOf(deps, request);
    if (request.principal?.kind === 'person') requireOwnPage(request, request.principal);
    if (access === 'person') selfOf(request);
    else request.house = await houseFor(deps.core, request, access);
  });
}

/** Where a request came from, for log-ins and first uses. */
export function whence(deps: GuardDeps, request: FastifyRequest): Whence {
  return { address: deps.clientAddress(request), network: deps.network(request) };
}

/** Who is logged in. @throws PlatformError `SessionRequired` */
export function selfOf({ principal }: FastifyRequest): LoggedInPerson {
  if (principal?.kind !== 'person') throw new PlatformError('SessionRequired');
  return principal;
}

/** Who did it, as events name them. @param accountId whose credential it was, where nobody logged in */
export function actorOf(origins: Origins, request: FastifyRequest, accountId: string): Actor {
  const { principal } = request;
  const network = networkOf(origins, request);
  if (principal?.kind === 'person') {
    const { id, accountId: own } = principal.person;
    // Staff of the operator act in an account for it.
    const onBehalfOf =
      own === null && accountId !== '' ? { onBehalfOf: { kind: 'account', id: accountId } as const } : {};
    return { kind: 'person', personId: id, accountId: own, ...network, ...onBehalfOf };
  }
  if (principal?.kind === 'apiKey') {
    return { kind: 'apiKey', apiKeyId: principal.key.id, accountId: principal.key.accountId, ...network };
  }
  return { kind: 'account', accountId, ...network };
}

/** The REST credential, or instead of it who was found by `guard`. */
export function withPrincipals(auth: RestAuth, core: Core): RestAuth {
  return {
    async project(request, apiKey) {
      if (!request.principal) return auth.project(request, apiKey);
      await core.projects.ofAccount(request.house ?? '', apiKey);
    },
    // The list is a project's own: what it has had is kept for it.
    anyProject: (request) => auth.anyProject(request),
    account: async (request) => (request.principal ? (request.house ?? '') : auth.account(request)),
  };
}

async function principalOf(deps: GuardDeps, request: FastifyRequest): Promise<Principal | null> {
  const { core } = deps;
  const [, token] = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
  if (token) {
    const { rights, ...key } = await core.apiKeys.use(token, whence(deps, request).network);
    return { kind: 'apiKey', key, rights };
  }
  const value = cookieOf(request, personCookie);
  const found = value === null ? null : await core.personSessions.find(value);
  return found && { kind: 'person', ...found };
}

/** The value of a cookie; null where it is not there. */
export function cookieOf({ headers }: FastifyRequest, name: string): string | null {
  const pairs = (headers.cookie ?? '').split(';').map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1) || null;
}

/** Each change comes from a page that could read the token of this very log-in. @throws PlatformError `RequestForged` */
function requireOwnPage({ method, headers }: FastifyRequest, { csrf }: LoggedInPerson): void {
  if (method === 'GET' || method === 'HEAD') return;
  const [given, wanted] = [Buffer.from(String(headers[csrfHeader] ?? '')), Buffer.from(csrf)];
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) throw new PlatformError('RequestForged');
}

/** @throws PlatformError `SessionRequired`, `NotAllowed`, `GrantNeeded`, `BadRequest` */
async function houseFor(core: Core, request: FastifyRequest, access: Scoped): Promise<string | null> {
  const { principal } = request;
  const { scope, machine } = access;
  if (principal === null) {
    if (machine !== null) return null;
    if (request.headers['x-opentok-auth'] === undefined) throw new PlatformError('SessionRequired');
    throw new PlatformError('NotAllowed', { scope, who: 'a machine' });
  }
  if (principal.kind === 'apiKey') {
    if (!principal.rights.includes(scope)) throw new PlatformError('NotAllowed', { scope, who: 'this API key' });
    return principal.key.accountId;
  }
  const { accountId, role } = principal.person;
  if (accountId === null) return staffHouse(core, request, access);
  if (role === null || !scopesOfRole[role].includes(scope)) {
    throw new PlatformError('NotAllowed', { scope, who: `the role ${role}` });
  }
  return accountId;
}

/** The operator's staff: in their own house by their role, in an account by what it granted. */
async function staffHouse(core: Core, request: FastifyRequest, { scope, house }: Scoped): Promise<string | null> {
  const { role } = selfOf(request).person;
  const named = request.headers[accountHeader];
  if (house && named === undefined) {
    if (role !== null && scopesOfRole[role].includes(scope)) return null;
    throw new PlatformError('NotAllowed', { scope, who: `the role ${role}` });
  }
  if (!isGrantable(scope)) throw new PlatformError('NotAllowed', { scope, who: 'the staff of the operator' });
  const { apiKey } = request.params as { apiKey?: string };
  const accountId = named ?? (apiKey === undefined ? undefined : (await core.projects.get(apiKey)).accountId);
  if (accountId === undefined) {
    throw new PlatformError('BadRequest', { why: `name the account in the header ${accountHeader}` });
  }
  await core.supportGrants.require(String(accountId), scope);
  return String(accountId);
}
