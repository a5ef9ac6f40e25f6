/** How people come in: by password, passkey or log-in service, and by the link of an invitation. */
import { limits, PlatformError } from '@cloister/protocol';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { PageOrigin } from '../core/index.ts';
import { parseBody } from './body.ts';
import { cookieOf, type GuardDeps, personCookie, whence } from './principal.ts';

/** The way to a log-in service and back. It is Lax, since the way back begins at another site. */
const journeyCookie = '__Host-cloister-journey';

const word = z.string().max(limits.passwordChars);
const passwordLogIn = z.strictObject({
  email: z.string().max(limits.emailChars),
  password: word,
  code: z.string().max(64),
});
const answered = { challengeId: z.string().max(64), answer: z.looseObject({}) };
const passkeyLogIn = z.strictObject(answered);
const link = { token: z.string().max(64) };

export interface LogInDeps extends GuardDeps {
  /** Our own address as this client reaches us, without a slash at the end. */
  baseUrl(request: FastifyRequest): string;
}

/** Routes under `/people` that need no log-in. */
export function personLogInRoutes(app: FastifyInstance, deps: LogInDeps): void {
  const { core } = deps;
  app.get('/people/ways', async () => ({ services: core.logIns.providers }));
  app.post('/people/log-in', async (request, reply) => {
    const cookie = await core.logIns.byPassword(parseBody(passwordLogIn, request.body), whence(deps, request));
    return loggedIn(reply, cookie).code(204).send();
  });
  app.post('/people/log-in/passkey/question', async (request) => core.logIns.askPasskey(originOf(deps, request)));
  app.post('/people/log-in/passkey', async (request, reply) => {
    const { challengeId, answer } = parseBody(passkeyLogIn, request.body);
    const from = whence(deps, request);
    const cookie = await core.logIns.byPasskey(originOf(deps, request), challengeId, answer, from);
    return loggedIn(reply, cookie).code(204).send();
  });
  invitations(app, deps);
  services(app, deps);
}

function invitations(app: FastifyInstance, deps: LogInDeps): void {
  const { core } = deps;
  app.post('/people/invitation', async (request) => {
    const person = await core.people.invited(parseBody(z.strictObject(link), request.body).token);
    const { name, email, role, passwordAllowed } = core.people.view(person);
    return { name, email, role, passwordAllowed };
  });
  app.post('/people/invitation/password', async (request, reply) => {
    const { token, password } = parseBody(z.strictObject({ ...link, password: z.string() }), request.body);
    reply.header('cache-control', 'no-store');
    return core.enrolments.setPassword(token, password);
  });
  app.post('/people/invitation/password/confirm', async (request, reply) => {
    const { token, code } = parseBody(z.strictObject({ ...link, code: z.string().max(64) }), request.body);
    const { cookie, recoveryCodes } = await core.enrolments.confirm(token, code, whence(deps, request));
    return loggedIn(reply, cookie).send({ recoveryCodes });
  });
  app.post('/people/invitation/passkey/question', async (request) => {
    const { token } = parseBody(z.strictObject(link), request.body);
    return core.enrolments.askPasskey(originOf(deps, request), await core.people.invited(token));
  });
  app.post('/people/invitation/passkey', async (request, reply) => {
    const { token, ...given } = parseBody(z.strictObject({ ...link, ...answered }), request.body);
    const from = whence(deps, request);
    const cookie = await core.enrolments.takePasskey(originOf(deps, request), token, given, from);
    return loggedIn(reply, cookie).code(204).send();
  });
}

function services(app: FastifyInstance, deps: LogInDeps): void {
  const { core } = deps;
  app.get<{ Params: { provider: string } }>('/people/oidc/:provider/start', async (request, reply) => {
    const redirectUri = `${deps.baseUrl(request)}/cloister/v1/people/oidc/callback`;
    const { url, journeyId } = await core.logIns.depart(request.params.provider, redirectUri);
    const terms = `Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=${limits.logInChallengeSeconds}`;
    return reply.header('set-cookie', `${journeyCookie}=${journeyId}; ${terms}`).redirect(url, 303);
  });
  app.get('/people/oidc/callback', async (request, reply) => {
    const search = new URL(request.url, 'http://here').search;
    const journeyId = cookieOf(request, journeyCookie) ?? '';
    try {
      const cookie = await core.logIns.arrive(journeyId, (uri) => `${uri}${search}`, whence(deps, request));
      return loggedIn(reply, cookie).redirect('/account', 303);
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      // A person is looking at this, and the page says it in words.
      return reply.redirect(`/account#refused=${error.code}`, 303);
    }
  });
}

/** The page's own address, which passkeys are bound to. */
export function originOf(deps: LogInDeps, request: FastifyRequest): PageOrigin {
  const { origin, hostname } = new URL(deps.baseUrl(request));
  return { origin, host: hostname };
}

function loggedIn(reply: FastifyReply, value: string): FastifyReply {
  const terms = `Path=/; HttpOnly; Secure; SameSite=Strict; Max-Age=${limits.personSessionSeconds}`;
  return reply.header('set-cookie', `${personCookie}=${value}; ${terms}`).header('cache-control', 'no-store');
}
