/** What people do about themselves: who they are, how they log in, and logging out. */
import { limits } from '@cloister/protocol';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { scopesOfRole } from '../core/index.ts';
import { parseBody } from './body.ts';
import { type LogInDeps, originOf } from './person-log-in.ts';
import { personCookie, selfOf } from './principal.ts';

const passwordChange = z.strictObject({ old: z.string().max(limits.passwordChars), password: z.string() });
const passkeyAnswer = z.strictObject({ challengeId: z.string().max(64), answer: z.looseObject({}) });

/** Routes under `/people/me`, and the way out. */
export function personSelfRoutes(app: FastifyInstance, deps: LogInDeps): void {
  const { core } = deps;
  app.get('/people/me', async (request, reply) => {
    const { person, session, csrf } = selfOf(request);
    const passkeys = await core.store.people.passkeysOf(person.id);
    const { confirmed, recovery } = core.people.secretsOf(person);
    reply.header('cache-control', 'no-store');
    return {
      ...core.people.view(person),
      accountKey: person.accountId,
      scopes: person.role === null ? [] : scopesOfRole[person.role],
      csrf,
      method: session.method,
      idleSeconds: limits.personIdleSeconds,
      endsAt: session.createdAt + limits.personSessionSeconds * 1000,
      hasPassword: confirmed,
      recoveryCodesLeft: recovery.length,
      passkeys: passkeys.map(({ id, createdAt, lastUsedAt }) => ({ id, createdAt, lastUsedAt })),
    };
  });
  app.post('/people/log-out', async (request, reply) => {
    await core.personSessions.logOut(selfOf(request));
    const gone = `${personCookie}=; Path=/; HttpOnly; Secure; SameSite=Strict; Max-Age=0`;
    return reply.header('set-cookie', gone).code(204).send();
  });
  app.post('/people/me/password', async (request, reply) => {
    const { old, password } = parseBody(passwordChange, request.body);
    await core.enrolments.changePassword(selfOf(request), old, password);
    return reply.code(204).send();
  });
  app.post('/people/me/recovery-codes', async (request, reply) => {
    const recoveryCodes = await core.enrolments.renewRecoveryCodes(selfOf(request));
    return reply.header('cache-control', 'no-store').send({ recoveryCodes });
  });
  app.post('/people/me/passkeys/question', async (request) =>
    core.enrolments.askPasskey(originOf(deps, request), selfOf(request).person),
  );
  app.post('/people/me/passkeys', async (request, reply) => {
    const { challengeId, answer } = parseBody(passkeyAnswer, request.body);
    await core.enrolments.addPasskey(originOf(deps, request), selfOf(request), challengeId, answer);
    return reply.code(204).send();
  });
  app.delete<{ Params: { passkeyId: string } }>('/people/me/passkeys/:passkeyId', async (request, reply) => {
    await core.enrolments.removePasskey(selfOf(request), request.params.passkeyId);
    return reply.code(204).send();
  });
}
