/**
 * The log-in of the pages: in production the account key and secret, with `--lan` the code that the terminal shows, for
 * a cookie that is signed with the key of the purpose `login`. The cookie is `__Host-`, HttpOnly, Secure and SameSite=Strict, so no other site can send it.
 */
import { timingSafeEqual } from 'node:crypto';
import { asPlatformError, limits, PlatformError } from '@cloister/protocol';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Core, RateLimiter } from '../core/index.ts';
import { accountActor, type Origins, strangerActor } from './actor.ts';
import { parseBody } from './body.ts';
import { cookieOf } from './principal.ts';

const cookieName = '__Host-cloister';

const credentials = z.union([
  z.strictObject({ accountKey: z.string().max(16), accountSecret: z.string().max(128) }),
  z.strictObject({ code: z.string().max(32) }),
]);

/** Who is logged in: an account, or somebody in the room who has read the code off the terminal. */
export type LoggedIn = { readonly accountId: string } | { readonly lan: true };

export interface LoginDeps extends Origins {
  readonly core: Core;
  readonly limiter: RateLimiter;
  /** The code of a start with `--lan`, otherwise null. */
  readonly lanCode: string | null;
  clientAddress(request: FastifyRequest): string;
}

/** `POST /login` and `POST /logout`. */
export function loginRoutes(app: FastifyInstance, deps: LoginDeps): void {
  app.post('/login', async (request, reply) => {
    const wish = parseBody(credentials, request.body);
    const taken = deps.limiter.take('failure', deps.clientAddress(request));
    if (!taken.ok)
      throw new PlatformError('RateLimited', { scope: 'address', retryAfterSeconds: taken.retryAfterSeconds });
    const who = await checked(deps, request, wish);
    const exp = Math.floor(deps.core.clock.now() / 1000) + limits.loginSeconds;
    const value = deps.core.keys.sign('login', { ...who, exp });
    const cookie = `${cookieName}=${value}; Path=/; HttpOnly; Secure; SameSite=Strict; Max-Age=${limits.loginSeconds}`;
    return reply.header('set-cookie', cookie).code(204).send();
  });
  app.post('/logout', async (_request, reply) =>
    reply.header('set-cookie', `${cookieName}=; Path=/; HttpOnly; Secure; SameSite=Strict; Max-Age=0`).code(204).send(),
  );
}

/** Who is logged in by this request's cookie, or null. */
export function loggedIn(core: Core, request: FastifyRequest): LoggedIn | null {
  const value = cookieOf(request, cookieName);
  // A key that was rotated verifies for a while yet, and logs nobody in.
  const claims = value && keyIdOf(value) === currentKey(core) ? core.keys.verify('login', value) : null;
  if (!claims || typeof claims.exp !== 'number' || claims.exp * 1000 <= core.clock.now()) return null;
  if (claims.lan === true) return { lan: true };
  return typeof claims.accountId === 'string' ? { accountId: claims.accountId } : null;
}

/** Who shows these credentials; it is recorded, whether or not they are right, before anybody is let in. */
async function checked(
  deps: LoginDeps,
  request: FastifyRequest,
  wish: z.output<typeof credentials>,
): Promise<LoggedIn> {
  const { core, lanCode } = deps;
  const { accesses } = core;
  try {
    if ('code' in wish) {
      const who = checkCode(lanCode, wish.code);
      await accesses.loggedIn(strangerActor(deps, request), 'code', null);
      return who;
    }
    const who = await checkAccount(core, wish);
    await accesses.loggedIn(accountActor(deps, request, wish.accountKey), 'account', wish.accountKey);
    return who;
  } catch (error) {
    const { code } = asPlatformError(error);
    if (code === 'AuthenticationFailed') {
      const claimed = 'accountKey' in wish ? wish.accountKey : null;
      await accesses.refusedLogIn(strangerActor(deps, request), claimed, code);
    }
    throw error;
  }
}

function currentKey({ keys }: Core): string {
  return keys.signBytes('login', new Uint8Array()).key.kid;
}

/** The `kid` that a JWS names (RFC 7515, 4.1.4); null for what is none. */
function keyIdOf(jws: string): unknown {
  try {
    return JSON.parse(Buffer.from(jws.split('.')[0] as string, 'base64url').toString()).kid;
  } catch {
    return null;
  }
}

async function checkAccount(
  core: Core,
  { accountKey, accountSecret }: { accountKey: string; accountSecret: string },
): Promise<LoggedIn> {
  const secret = await core.accounts.secretOf(accountKey).catch(() => null);
  if (secret === null || !equal(secret, accountSecret)) {
    throw new PlatformError('AuthenticationFailed', { why: 'the account key or secret is wrong' });
  }
  return { accountId: accountKey };
}

function checkCode(expected: string | null, given: string): LoggedIn {
  if (expected === null || !equal(expected, given))
    throw new PlatformError('AuthenticationFailed', { why: 'the code is wrong' });
  return { lan: true };
}

function equal(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
