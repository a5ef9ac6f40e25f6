/** A log-in service as a company has one: oidc-provider from npm on loopback, with people whose groups a test changes. */
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';

export interface LogInService {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Groups by the name that is typed into its form. Who is not in here has none. */
  readonly groups: Map<string, string[]>;
  /** Parameters of the requests for a log-in, in order. */
  readonly asked: URLSearchParams[];
  /** One more address that it may send people back to, before it is first asked. */
  allow(redirectUri: string): void;
  close(): Promise<void>;
}

/** @param redirectUris where it may send people back to */
export async function startLogInService(redirectUris: string[]): Promise<LogInService> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const groups = new Map<string, string[]>();
  const asked: URLSearchParams[] = [];
  const [clientId, clientSecret] = ['cloister', 'a secret of the client, for tests'];
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const uris = [...redirectUris];
  const make = () =>
    new Provider(issuer, {
      clients: [{ client_id: clientId, client_secret: clientSecret, redirect_uris: uris }],
      jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'test' }] },
      cookies: { keys: ['a key for tests'] },
      scopes: ['openid', 'profile', 'email', 'groups'],
      claims: { openid: ['sub'], profile: ['name'], email: ['email'], groups: ['groups'] },
      pkce: { required: () => true },
      findAccount: (_context, id) => ({
        accountId: id,
        claims: () => ({ sub: id, name: id, email: `${id}@company.example`, groups: groups.get(id) ?? [] }),
      }),
      // Whoever logs in has agreed.
      async loadExistingGrant({ oidc }) {
        const grant = new oidc.provider.Grant({ clientId: oidc.client!.clientId, accountId: oidc.session!.accountId! });
        grant.addOIDCScope('openid profile email groups');
        await grant.save();
        return grant;
      },
    });
  let handle: ReturnType<Provider['callback']> | null = null;
  server.on('request', (request, response) => {
    const url = new URL(request.url ?? '/', issuer);
    if (url.pathname === '/auth') asked.push(url.searchParams);
    handle ??= make().callback();
    void handle(request, response);
  });
  return {
    issuer,
    clientId,
    clientSecret,
    groups,
    asked,
    allow: (redirectUri) => void uris.push(redirectUri),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Logs in at its form as a browser would; → the address that it sends the browser back to. */
export async function throughForm(start: string, name: string): Promise<string> {
  const jar = new Map<string, string>();
  const visit = async (url: string, form?: URLSearchParams): Promise<Response> => {
    const cookie = [...jar].map(([key, value]) => `${key}=${value}`).join('; ');
    const answer = await fetch(url, {
      redirect: 'manual',
      headers: { cookie },
      ...(form && { method: 'POST', body: form }),
    });
    for (const each of answer.headers.getSetCookie()) {
      const [, key, value] = /^([^=]+)=([^;]*)/.exec(each) as unknown as [string, string, string];
      if (value === '') jar.delete(key);
      else jar.set(key, value);
    }
    return answer;
  };
  const issuer = new URL(start).origin;
  let answer = await visit(start);
  for (let hops = 0; hops < 10; hops += 1) {
    const location = answer.headers.get('location');
    if (location === null) throw new Error(`the log-in service said ${answer.status}: ${await answer.text()}`);
    const next = new URL(location, issuer);
    if (next.origin !== issuer) return next.href;
    const isForm = next.pathname.startsWith('/interaction/');
    const form = new URLSearchParams({ prompt: 'login', login: name, password: 'any' });
    answer = isForm ? await visit(next.href, form) : await visit(next.href);
  }
  throw new Error('the log-in service leads nowhere');
}
