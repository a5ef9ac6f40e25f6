/**
 * The REST credential: a JWT in X-OPENTOK-AUTH, signed by a project's or an account's secret (SPEC: AUTH1 and on).
 * Nothing that was verified is kept: each call is checked against the secrets that are valid at that moment, so a
 * rotation counts from the next call on.
 */
import { limits, PlatformError } from '@cloister/protocol';
import type { FastifyRequest } from 'fastify';
import { type Core, type RateLimiter, spend } from '../core/index.ts';
import { type Jwt, parseJwt, signedBy } from './jwt.ts';

export interface RestAuthDeps {
  readonly core: Core;
  readonly limiter: RateLimiter;
  clientAddress(request: FastifyRequest): string;
}

/** Each method counts a project's call against its project, and wrong credentials against their address. */
export interface RestAuth {
  /** The credential of the project that the path names. @throws PlatformError that is answered with 403 or 429 */
  project(request: FastifyRequest, apiKey: string): Promise<void>;
  /** The credential of any project → its API key. @throws PlatformError */
  anyProject(request: FastifyRequest): Promise<string>;
  /** The credential of an account → its key. @throws PlatformError */
  account(request: FastifyRequest): Promise<string>;
}

type IssuerType = 'project' | 'account';

/** Makes the check. */
export function createRestAuth(deps: RestAuthDeps): RestAuth {
  const desk = new CredentialDesk(deps);
  return {
    async project(request, apiKey) {
      const issuer = await desk.check(request, 'project');
      if (issuer !== apiKey) throw new PlatformError('KeyMismatch');
      await desk.admitProject(issuer);
    },
    async anyProject(request) {
      const issuer = await desk.check(request, 'project');
      await desk.admitProject(issuer);
      return issuer;
    },
    account: (request) => desk.check(request, 'account'),
  };
}

class CredentialDesk {
  readonly #deps: RestAuthDeps;
  /**
   * Issuers that have shown a right credential to this process. They are checked even for an address that has failed too
   * often, since that costs no look-up: whoever floods behind the same address does not shut them out.
   */
  readonly #proven = new Set<string>();

  constructor(deps: RestAuthDeps) {
    this.#deps = deps;
  }

  /** @returns the issuer of a credential that is right and of the wanted type. */
  async check(request: FastifyRequest, wanted: IssuerType): Promise<string> {
    const { limiter } = this.#deps;
    const address = this.#deps.clientAddress(request);
    try {
      return await this.#verify(request, wanted, address);
    } catch (error) {
      if (error instanceof PlatformError && failures.has(error.code)) spend(limiter, 'failure', address);
      throw error;
    }
  }

  async admitProject(apiKey: string): Promise<void> {
    spend(this.#deps.limiter, 'project', apiKey);
    await this.#deps.core.projects.active(apiKey);
  }

  async #verify(request: FastifyRequest, wanted: IssuerType, address: string): Promise<string> {
    const credential = request.headers['x-opentok-auth'];
    if (typeof credential !== 'string' || credential === '') throw new PlatformError('AuthenticationMissing');
    if (credential.length > limits.credentialBytes) throw failed(`it is longer than ${limits.credentialBytes} bytes`);
    const jwt = parseJwt(credential);
    if (typeof jwt === 'string') throw failed(jwt);
    const type = typeOf(jwt);
    const issuer = issuerOf(jwt);
    const name = `${type}:${issuer}`;
    if (!this.#proven.has(name)) spend(this.#deps.limiter, 'failure', address, 0);
    const secrets = await this.#secrets(name, type, issuer);
    if (!secrets.some((secret) => signedBy(jwt, secret))) throw failed('its signature is not right');
    checkTimes(jwt, Math.floor(this.#deps.core.clock.now() / 1000));
    if (isClientToken(jwt)) throw failed('a client token is no REST credential');
    if (type !== wanted) throw failed(`this route needs a token with ist "${wanted}"`);
    this.#prove(name);
    return issuer;
  }

  async #secrets(name: string, type: IssuerType, issuer: string): Promise<string[]> {
    const { projects, accounts } = this.#deps.core;
    try {
      if (type === 'account') return [await accounts.secretOf(issuer)];
      return (await projects.secretsOf(issuer)).map(({ secret }) => secret);
    } catch (error) {
      if (error instanceof PlatformError && error.code === 'IssuerNotFound') this.#proven.delete(name);
      throw error;
    }
  }

  #prove(name: string): void {
    if (this.#proven.has(name)) return;
    if (this.#proven.size >= limits.provenIssuers) this.#proven.delete(this.#proven.values().next().value!);
    this.#proven.add(name);
  }
}

/** Refusals that look like guessing. */
const failures = new Set<string>(['AuthenticationMissing', 'AuthenticationFailed', 'IssuerNotFound']);

function failed(why: string): PlatformError {
  return new PlatformError('AuthenticationFailed', { why });
}

/** `ist` stands in the payload, or in the header as the Ruby SDK has it; a project's without it. */
function typeOf({ header, payload }: Jwt): IssuerType {
  const type = payload.ist ?? header.ist ?? 'project';
  if (payload.ist !== undefined && header.ist !== undefined && payload.ist !== header.ist) {
    throw failed('its header and payload name different issuer types');
  }
  if (type !== 'project' && type !== 'account') throw failed('its ist is neither "project" nor "account"');
  return type;
}

function issuerOf({ payload }: Jwt): string {
  const issuer = typeof payload.iss === 'number' ? String(payload.iss) : payload.iss;
  if (typeof issuer !== 'string' || !/^\d{1,10}$/.test(issuer)) throw new PlatformError('IssuerNotFound');
  return issuer;
}

/** All in seconds since 1970. */
function checkTimes({ payload: { iat, exp, nbf } }: Jwt, now: number): void {
  if (!isTime(iat) || !isTime(exp)) throw failed('it has no iat or no exp');
  const latest = now + limits.clockSkewSeconds;
  if (iat > latest || (nbf !== undefined && (!isTime(nbf) || nbf > latest))) throw failed('it is from the future');
  if (exp <= now) throw failed('it has expired');
  if (exp - iat > limits.restTokenLifetimeSeconds) {
    throw failed(`it lives longer than ${limits.restTokenLifetimeSeconds} seconds`);
  }
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** The same secret signs both kinds, so the claims decide (compat 5.3). */
function isClientToken({ payload }: Jwt): boolean {
  return payload.session_id !== undefined || payload.scope !== undefined || payload.sub === 'video';
}
