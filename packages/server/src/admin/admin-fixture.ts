/** Our own routes over the real rules, for the tests of this folder. */
import { PlatformError } from '@cloister/protocol';
import type { FastifyInstance } from 'fastify';
import { type TestPlatform, testPlatform } from '../../../../tests/core/platform.ts';
import { createHttpServer } from '../http.ts';
import { type AuditDoor, adminRoutes, type UsageDoor } from './index.ts';

function credentialOf({ headers }: { headers: Record<string, unknown> }): string {
  if (headers['x-account'] === undefined) throw new PlatformError('AuthenticationMissing');
  return String(headers['x-account']);
}

export interface Served {
  readonly platform: TestPlatform;
  readonly app: FastifyInstance;
  readonly accountSecret: string;
  call(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH',
    url: string,
    options?: { body?: unknown; cookie?: string; host?: string },
  ): Promise<{ status: number; body: Record<string, unknown>; cookie: string }>;
  close(): Promise<void>;
}

/** OpenTok's credential is checked elsewhere: here the header says who asks. */
export async function serve(
  mode: 'development' | 'production',
  lanCode: string | null = null,
  doors: { audit?: AuditDoor; usage?: UsageDoor } = {},
): Promise<Served> {
  const platform = await testPlatform();
  const app = createHttpServer(null);
  const attempts = new Map<string, number>();
  await adminRoutes(app, {
    core: platform.core,
    auth: {
      project: async (request) => void credentialOf(request),
      anyProject: async (request) => String(request.headers['x-project'] ?? platform.projectId),
      account: async (request) => credentialOf(request),
    },
    limiter: {
      take: (_scope, subject) => {
        attempts.set(subject, (attempts.get(subject) ?? 0) + 1);
        return (attempts.get(subject) ?? 0) > 5 ? { ok: false, retryAfterSeconds: 1 } : { ok: true };
      },
    },
    journal: { record() {} },
    clientAddress: () => '192.0.2.1',
    network: () => 'public',
    baseUrl: (request) => `http://${request.headers.host}`,
    mode,
    lanCode,
    projectId: () => platform.projectId,
    turn: () => 'off',
    makeToken: ({ sessionId, role }) => `token for ${sessionId} as ${role}`,
    folders: { client: import.meta.dirname, console: import.meta.dirname },
    healthy: () => true,
    ...doors,
  });
  return {
    platform,
    app,
    accountSecret: await platform.core.accounts.secretOf(platform.accountId),
    async call(method, url, { body, cookie, host = '127.0.0.1:8080' } = {}) {
      const headers = { host, 'x-account': platform.accountId, ...(cookie && { cookie }) };
      const answer = await app.inject({ method, url, headers, ...(body !== undefined && { payload: body as object }) });
      const text = answer.payload;
      return {
        status: answer.statusCode,
        body: text.startsWith('{') ? JSON.parse(text) : {},
        cookie: String(answer.headers['set-cookie'] ?? ''),
      };
    },
    async close() {
      await app.close();
      await platform.close();
    },
  };
}
