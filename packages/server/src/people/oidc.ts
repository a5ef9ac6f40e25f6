/**
 * Log-in services: OpenID Connect Core 1.0 by authorisation code with PKCE (RFC 7636), state and nonce. Requests go
 * through the platform's one way out, since the addresses are those that the service names of itself.
 */
import { limits, PlatformError } from '@cloister/protocol';
import * as client from 'openid-client';
import type { Identity, ProviderJourney } from '../core/index.ts';
import { assignedBy, type Provider } from './providers.ts';

/** The way out, as far as this needs it. */
export interface Wire {
  request(call: {
    readonly url: string;
    readonly method: 'GET' | 'POST';
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: string;
    readonly timeoutMs: number;
    readonly answerBytes: number;
  }): Promise<{ readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: Buffer }>;
}

const timeoutMs = 10_000;
const answerBytes = 256 * 1024;

export class LogInServices {
  readonly #providers: readonly Provider[];
  readonly #wire: Wire;
  /** What each said of itself; asked again where that failed. */
  readonly #known = new Map<string, Promise<client.Configuration>>();

  constructor(providers: readonly Provider[], wire: Wire) {
    this.#providers = providers;
    this.#wire = wire;
  }

  get listed(): { id: string; name: string }[] {
    return this.#providers.map(({ id, name }) => ({ id, name }));
  }

  /** @throws PlatformError `RouteNotFound`, `ProviderFailed` */
  async depart(id: string, redirectUri: string): Promise<{ url: string; journey: ProviderJourney }> {
    const provider = this.#find(id);
    const config = await this.#configuration(provider);
    const verifier = client.randomPKCECodeVerifier();
    const [state, nonce] = [client.randomState(), client.randomNonce()];
    const url = client.buildAuthorizationUrl(config, {
      redirect_uri: redirectUri,
      scope: provider.scopes.join(' '),
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    });
    return { url: url.href, journey: { provider: id, redirectUri, verifier, state, nonce } };
  }

  /** @throws PlatformError `ProviderFailed`, `LogInFailed` where the service or the person said no */
  async arrive(journey: ProviderJourney, url: string): Promise<Identity> {
    const provider = this.#find(journey.provider);
    const config = await this.#configuration(provider);
    const checks = {
      pkceCodeVerifier: journey.verifier,
      expectedState: journey.state,
      expectedNonce: journey.nonce,
      idTokenExpected: true,
    };
    const tokens = await client.authorizationCodeGrant(config, new URL(url), checks).catch((error: unknown) => {
      if (error instanceof client.AuthorizationResponseError)
        throw new PlatformError('LogInFailed', {}, { cause: error });
      throw failed(provider, error);
    });
    const claims = tokens.claims();
    if (!claims) throw failed(provider, new Error('no ID token'));
    const told = config.serverMetadata().userinfo_endpoint
      ? await client.fetchUserInfo(config, tokens.access_token, claims.sub).catch((error: unknown) => {
          throw failed(provider, error);
        })
      : {};
    return identityOf(provider, { ...told, ...claims });
  }

  #find(id: string): Provider {
    const provider = this.#providers.find((each) => each.id === id);
    if (!provider) throw new PlatformError('RouteNotFound', { path: `/cloister/v1/people/oidc/${id}` });
    return provider;
  }

  #configuration(provider: Provider): Promise<client.Configuration> {
    const known = this.#known.get(provider.id);
    if (known) return known;
    const { issuer, clientId, clientSecret } = provider;
    // Loopback in plain HTTP is for trying it out; the way out refuses it in production.
    const execute = issuer.startsWith('http:') ? [client.allowInsecureRequests] : [];
    const asked = client
      .discovery(
        new URL(issuer),
        clientId,
        undefined,
        clientSecret === undefined ? client.None() : client.ClientSecretBasic(clientSecret),
        { execute, [client.customFetch]: (address, options) => this.#fetch(address, options) },
      )
      .catch((error: unknown) => {
        this.#known.delete(provider.id);
        throw failed(provider, error);
      });
    this.#known.set(provider.id, asked);
    return asked;
  }

  async #fetch(url: string, { method, headers, body }: client.CustomFetchOptions): Promise<Response> {
    const answer = await this.#wire.request({
      url,
      method: method === 'POST' ? 'POST' : 'GET',
      headers: Object.fromEntries(new Headers(headers)),
      ...(body != null && { body: String(body) }),
      timeoutMs,
      answerBytes,
    });
    return new Response(new Uint8Array(answer.body), { status: answer.status, headers: answer.headers });
  }
}

function identityOf(provider: Provider, claims: Readonly<Record<string, unknown>>): Identity {
  const text = (name: string) => (typeof claims[name] === 'string' ? (claims[name] as string) : '');
  const given = claims[provider.groupsClaim];
  const groups = Array.isArray(given) ? given.filter((each): each is string => typeof each === 'string') : [];
  const email = text('email').slice(0, limits.emailChars);
  return {
    issuer: provider.issuer,
    subject: text('sub'),
    name: text('name') || text('preferred_username'),
    email,
    assigned: assignedBy(provider, groups),
  };
}

/** The service's own words may quote what was sent to it, so that only their kind is told. */
function failed({ id }: Provider, cause: unknown): PlatformError {
  const inner = (cause as { cause?: unknown })?.cause;
  const refusal = [cause, inner].find((each) => each instanceof PlatformError) as PlatformError | undefined;
  const code = (cause as { code?: unknown })?.code;
  const why = refusal?.message ?? (typeof code === 'string' ? code : 'it could not be reached or understood');
  return new PlatformError('ProviderFailed', { provider: id, why }, { cause });
}
