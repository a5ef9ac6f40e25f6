/** The customer's server: OpenTok's own Node SDK, unmodified, and our API beside it. */
import { createHmac } from 'node:crypto';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import type { MediaPolicy, SecurityRecord, SignedSecurityRecord } from '@cloister/protocol';
import { verifySecurityRecord } from '../../packages/server/src/keys/index.ts';
import type { JoinAs } from './page.ts';
import type { Credentials } from './server.ts';

export type Role = 'subscriber' | 'publisher' | 'moderator' | 'publisheronly';

/** What a customer's server asks of a session. */
export interface SessionOptions {
  readonly mediaMode: 'routed' | 'relayed';
  readonly e2ee?: boolean;
}

type Done<T> = (error: Error | null, value: T) => void;

/** The part of the SDK that tests use; it comes without types. */
interface OpenTok {
  createSession(options: SessionOptions, done: Done<{ sessionId: string }>): void;
  generateToken(sessionId: string, options?: { role?: Role; data?: string; expireTime?: number }): string;
  signal(
    sessionId: string,
    connectionId: string | null,
    payload: { type?: string; data: string },
    done: (error: Error | null) => void,
  ): void;
  forceDisconnect(sessionId: string, connectionId: string, done: (error: Error | null) => void): void;
  forceMuteStream(sessionId: string, streamId: string, done: (error: Error | null) => void): void;
  forceMuteAll(sessionId: string, options: { excludedStreams?: string[] }, done: (error: Error | null) => void): void;
  disableForceMute(sessionId: string, done: (error: Error | null) => void): void;
  listStreams(sessionId: string, done: Done<{ id: string; name: string }[]>): void;
}

const Sdk = createRequire(import.meta.url)('opentok') as new (
  apiKey: string,
  apiSecret: string,
  apiUrl: string,
) => OpenTok;

/** A customer of the platform with its project. */
export class Customer {
  readonly credentials: Credentials;
  readonly sdk: OpenTok;

  constructor(credentials: Credentials) {
    this.credentials = credentials;
    this.sdk = new Sdk(credentials.apiKey, credentials.apiSecret, credentials.url);
  }

  /** Makes a session, a routed one unless it is said; → its id. */
  async session(options: SessionOptions = { mediaMode: 'routed' }): Promise<string> {
    const create = promisify(this.sdk.createSession.bind(this.sdk)) as (
      options: SessionOptions,
    ) => Promise<{ sessionId: string }>;
    return (await create(options)).sessionId;
  }

  /** What a page needs to join. */
  ticket(sessionId: string, role: Role = 'publisher', data = ''): JoinAs {
    const token = this.sdk.generateToken(sessionId, { role, ...(data ? { data } : {}) });
    return { apiKey: this.credentials.apiKey, sessionId, token };
  }

  /** The security record of a session. */
  async security(sessionId: string): Promise<SecurityRecord> {
    const path = `/cloister/v1/projects/${this.credentials.apiKey}/sessions/${sessionId}/security`;
    return (await this.rest('GET', path, 'project')) as SecurityRecord;
  }

  /** The same, signed by the platform, and checked with the keys that it publishes. */
  async signedSecurity(sessionId: string): Promise<SignedSecurityRecord> {
    const { url, apiKey } = this.credentials;
    const path = `/cloister/v1/projects/${apiKey}/sessions/${sessionId}/security/signed`;
    const keys = await (await fetch(`${url}/cloister/v1/manifest-keys`)).text();
    return verifySecurityRecord((await this.rest('GET', path, 'project')) as string, keys).record;
  }

  async setPolicy(policy: MediaPolicy): Promise<void> {
    await this.rest('PATCH', `/cloister/v1/projects/${this.credentials.apiKey}`, 'account', { policy });
  }

  /** Asks the platform with the credential of the project or of the account; → JSON, or the text of anything else. @throws on any status but 2xx */
  async rest(method: string, path: string, as: 'project' | 'account', body?: unknown): Promise<unknown> {
    const { url, apiKey, apiSecret, accountKey, accountSecret } = this.credentials;
    const token = as === 'project' ? restToken(apiKey, apiSecret, as) : restToken(accountKey, accountSecret, as);
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: { 'x-opentok-auth': token, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`);
    const isJson = answer.headers.get('content-type')?.includes('json') ?? false;
    return isJson ? JSON.parse(text) : text || null;
  }
}

function restToken(issuer: string, secret: string, kind: 'project' | 'account'): string {
  const now = Math.floor(Date.now() / 1000);
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ iss: issuer, ist: kind, iat: now, exp: now + 180 })}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}
