/** What owners do about others: people and their roles, log-ins, API keys, and grants to support staff. */
import { limits } from '@cloister/protocol';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type Core, grantScopes, type Invitation, personRoles, scopes } from '../core/index.ts';
import { parseBody } from './body.ts';
import type { LogInDeps } from './person-log-in.ts';
import { actorOf, selfOf } from './principal.ts';

interface Params {
  personId: string;
  apiKeyId: string;
  grantId: string;
}

export const personWish = z.strictObject({
  name: z.string(),
  email: z.string(),
  role: z.enum(personRoles),
  /** A password is for emergencies; without it there are passkeys. */
  password: z.boolean().default(false),
});
export const roleWish = z.strictObject({ role: z.enum(personRoles) });
const apiKeyWish = z.strictObject({
  label: z.string(),
  scopes: z.array(z.enum(scopes)),
  seconds: z.number().int(),
  /** Whose it is: it ends with who has it, or belongs to the account. */
  owner: z.enum(['me', 'account']).default('me'),
});
const grantWish = z.strictObject({ scopes: z.array(z.enum(grantScopes)), seconds: z.number().int() });

/** Routes under `/people`, `/api-keys` and `/support-grants`. */
export function peopleRoutes(app: FastifyInstance, deps: LogInDeps): void {
  const { core } = deps;
  const actor = (request: FastifyRequest) => actorOf(deps, request, request.house ?? '');
  app.get('/people', async (request) => ({ people: await core.people.list(request.house) }));
  app.post('/people', async (request, reply) => {
    const { password: passwordAllowed, ...wish } = parseBody(personWish, request.body);
    const whole = { ...wish, accountId: request.house, passwordAllowed };
    reply.header('cache-control', 'no-store');
    return invitationView(core, await core.people.invite(actor(request), whole), deps.baseUrl(request));
  });
  app.post<{ Params: Params }>('/people/:personId/role', async (request, reply) => {
    const { role } = parseBody(roleWish, request.body);
    await core.people.setRole(actor(request), request.house, request.params.personId, role);
    return reply.code(204).send();
  });
  app.delete<{ Params: Params }>('/people/:personId', async (request, reply) => {
    await core.people.remove(actor(request), request.house, request.params.personId);
    return reply.code(204).send();
  });
  app.post<{ Params: Params }>('/people/:personId/unlock', async (request, reply) => {
    await core.people.unlock(actor(request), request.house, request.params.personId);
    return reply.code(204).send();
  });
  app.post<{ Params: Params }>('/people/:personId/recover', async (request, reply) => {
    const invitation = await core.people.recover(actor(request), request.house, request.params.personId);
    reply.header('cache-control', 'no-store');
    return invitationView(core, invitation, deps.baseUrl(request));
  });
  app.get('/people/log-ins', async (request, reply) => {
    reply.header('cache-control', 'no-store');
    return { logIns: await core.logIns.list(actor(request), request.house) };
  });
  apiKeyRoutes(app, deps);
  grantRoutes(app, deps);
}

function apiKeyRoutes(app: FastifyInstance, deps: LogInDeps): void {
  const { core } = deps;
  app.get('/api-keys', async ({ house }) => ({ apiKeys: await core.apiKeys.list(house ?? '') }));
  app.post('/api-keys', async (request, reply) => {
    const { owner, ...wish } = parseBody(apiKeyWish, request.body);
    const { id } = selfOf(request).person;
    const accountId = request.house ?? '';
    const whole = { ...wish, accountId, personId: owner === 'me' ? id : null };
    const { key, token } = await core.apiKeys.create(actorOf(deps, request, accountId), whole);
    return reply.header('cache-control', 'no-store').send({ ...key, token });
  });
  app.delete<{ Params: Params }>('/api-keys/:apiKeyId', async (request, reply) => {
    const accountId = request.house ?? '';
    await core.apiKeys.revoke(actorOf(deps, request, accountId), accountId, request.params.apiKeyId);
    return reply.code(204).send();
  });
}

function grantRoutes(app: FastifyInstance, deps: LogInDeps): void {
  const { core } = deps;
  app.get('/support-grants', async ({ house }) => ({ grants: await core.supportGrants.list(house ?? '') }));
  app.post('/support-grants', async (request) => {
    const accountId = request.house ?? '';
    return core.supportGrants.give(actorOf(deps, request, accountId), accountId, parseBody(grantWish, request.body));
  });
  app.delete<{ Params: Params }>('/support-grants/:grantId', async (request, reply) => {
    const accountId = request.house ?? '';
    await core.supportGrants.withdraw(actorOf(deps, request, accountId), accountId, request.params.grantId);
    return reply.code(204).send();
  });
}

/** The link is in the fragment, which no server and no log sees. */
export function invitationView(core: Core, { person, token, expiresAt }: Invitation, baseUrl: string) {
  const { id, name, email, role } = core.people.view(person);
  const days = limits.invitationSeconds / 86_400;
  return { personId: id, name, email, role, link: `${baseUrl}/account#invitation=${token}`, expiresAt, days };
}
