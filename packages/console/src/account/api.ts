/** The server's routes about people: one function a route, every failure an `ApiError` with the server's code as its name. */
import { ApiError, errorOf, type Fetch } from '../playground/api.ts';

export interface Service {
  readonly id: string;
  readonly name: string;
}

/** Who is logged in, as the server shows them. */
export interface Me {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly role: string;
  /** Null: the operator's own staff. */
  readonly accountKey: string | null;
  readonly scopes: readonly string[];
  readonly csrf: string;
  readonly method: 'password' | 'passkey' | 'oidc';
  readonly idleSeconds: number;
  readonly hasPassword: boolean;
  readonly recoveryCodesLeft: number;
  readonly passkeys: readonly { readonly id: string; readonly createdAt: number; readonly lastUsedAt: number | null }[];
}

export interface Invited {
  readonly name: string;
  readonly email: string;
  readonly role: string;
  readonly passwordAllowed: boolean;
}

export interface Authenticator {
  readonly secret: string;
  /** An image as a data URL. */
  readonly picture: string;
}

export interface Grant {
  readonly id: string;
  readonly scopes: readonly string[];
  readonly expiresAt: number;
}

interface Question {
  readonly challengeId: string;
  readonly options: object;
}

export interface AccountApi {
  services(): Promise<readonly Service[]>;
  /** Null: nobody is logged in. */
  me(): Promise<Me | null>;
  logIn(given: { email: string; password: string; code: string }): Promise<void>;
  logInWithPasskey(): Promise<void>;
  logOut(): Promise<void>;
  invitation(token: string): Promise<Invited>;
  setPassword(token: string, password: string): Promise<Authenticator>;
  /** → recovery codes */
  confirm(token: string, code: string): Promise<readonly string[]>;
  takePasskey(token: string): Promise<void>;
  addPasskey(): Promise<void>;
  removePasskey(id: string): Promise<void>;
  renewRecoveryCodes(): Promise<readonly string[]>;
  grants(): Promise<readonly Grant[]>;
  giveGrant(scopes: readonly string[], seconds: number): Promise<void>;
  withdrawGrant(id: string): Promise<void>;
}

export function createAccountApi(fetch: Fetch): AccountApi {
  let csrf = '';
  const call = async <Answer>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<Answer> => {
    const response = await fetch(`/cloister/v1/${path}`, {
      method,
      credentials: 'same-origin',
      headers: { ...(body && { 'content-type': 'application/json' }), ...(csrf && { 'x-cloister-csrf': csrf }) },
      ...(body && { body: JSON.stringify(body) }),
    }).catch(() => {
      throw new ApiError('Unreachable', 'The server did not answer', 0);
    });
    if (!response.ok) throw await errorOf(response);
    return (response.status === 204 ? undefined : await response.json()) as Answer;
  };
  const post = <Answer = void>(path: string, body: object = {}) => call<Answer>('POST', path, body);
  const make = async (path: string, more: object = {}) => {
    const { challengeId, options } = await post<Question>(`${path}/question`, more);
    await post(path, { ...more, challengeId, answer: await createPasskey(options) });
  };
  return {
    services: async () => (await call<{ services: Service[] }>('GET', 'people/ways')).services,
    async me() {
      try {
        const me = await call<Me>('GET', 'people/me');
        csrf = me.csrf;
        return me;
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) return null;
        throw error;
      }
    },
    logIn: (given) => post('people/log-in', given),
    async logInWithPasskey() {
      const { challengeId, options } = await post<Question>('people/log-in/passkey/question');
      await post('people/log-in/passkey', { challengeId, answer: await answerByPasskey(options) });
    },
    logOut: () => post('people/log-out'),
    invitation: (token) => post('people/invitation', { token }),
    setPassword: (token, password) => post('people/invitation/password', { token, password }),
    confirm: async (token, code) =>
      (await post<{ recoveryCodes: string[] }>('people/invitation/password/confirm', { token, code })).recoveryCodes,
    takePasskey: (token) => make('people/invitation/passkey', { token }),
    addPasskey: () => make('people/me/passkeys'),
    removePasskey: (id) => call('DELETE', `people/me/passkeys/${encodeURIComponent(id)}`),
    renewRecoveryCodes: async () => (await post<{ recoveryCodes: string[] }>('people/me/recovery-codes')).recoveryCodes,
    grants: async () => (await call<{ grants: Grant[] }>('GET', 'support-grants')).grants,
    giveGrant: (scopes, seconds) => post('support-grants', { scopes, seconds }),
    withdrawGrant: (id) => call('DELETE', `support-grants/${encodeURIComponent(id)}`),
  };
}

async function createPasskey(options: object): Promise<object> {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options as PublicKeyCredentialCreationOptionsJSON);
  return answerOf(await navigator.credentials.create({ publicKey }));
}

async function answerByPasskey(options: object): Promise<object> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options as PublicKeyCredentialRequestOptionsJSON);
  return answerOf(await navigator.credentials.get({ publicKey }));
}

function answerOf(credential: Credential | null): object {
  if (credential === null) throw new ApiError('PasskeyRefused', 'The browser made no passkey', 0);
  return (credential as PublicKeyCredential).toJSON();
}
