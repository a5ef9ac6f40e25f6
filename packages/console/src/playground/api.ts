/** The server's playground routes: one function a route, every failure an error with a name. */
import type {
  PlaygroundArchive,
  PlaygroundArchives,
  PlaygroundSession,
  PlaygroundTurn,
  SecurityRecord,
} from '@cloister/protocol';

/** What a new session is to be: whether media goes over the server or from browser to browser, and who can open it. */
export interface SessionWish {
  readonly mediaMode: 'routed' | 'relayed';
  /** End-to-end encrypted; for routed ones. */
  readonly e2ee: boolean;
}

export type Role = 'subscriber' | 'publisher' | 'moderator';

/** What the server asks for: nothing, the key and secret of an account, or the code that its terminal shows. */
export type LogIn = 'none' | 'account' | 'code';

export interface PlaygroundInfo {
  /** Null before the log-in, and where there is no active project to make calls with. */
  readonly apiKey: string | null;
  readonly mode: 'development' | 'production';
  /** Null before the log-in. */
  readonly turn: PlaygroundTurn | null;
  readonly logIn: LogIn;
  readonly loggedIn: boolean;
}

export interface Ticket {
  readonly token: string;
  readonly apiKey: string;
  readonly sessionId: string;
}

/** What an archive is started with. */
export interface ArchiveWish {
  readonly resolution: string;
  readonly layout: { readonly type: string };
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
}

/** A refusal of the server (`name` is its code), or `Unreachable` where there was no answer that could be read. */
export class ApiError extends Error {
  readonly status: number;

  constructor(name: string, message: string, status: number) {
    super(message);
    this.name = name;
    this.status = status;
  }
}

export interface Api {
  info(): Promise<PlaygroundInfo>;
  createSession(wish: SessionWish): Promise<PlaygroundSession>;
  session(sessionId: string): Promise<PlaygroundSession>;
  createToken(sessionId: string, role: Role, name: string): Promise<Ticket>;
  security(sessionId: string): Promise<SecurityRecord>;
  archives(sessionId: string): Promise<PlaygroundArchives>;
  startArchive(sessionId: string, wish: ArchiveWish): Promise<PlaygroundArchive>;
  stopArchive(sessionId: string, archiveId: string): Promise<PlaygroundArchive>;
  layOutArchive(sessionId: string, archiveId: string, type: string): Promise<PlaygroundArchive>;
  /** The path of a new link, which is good for some minutes. */
  archiveLink(sessionId: string, archiveId: string): Promise<string>;
  /** Where `logIn` is `account`. @throws `AuthenticationFailed` for a wrong key or secret, `RateLimited` */
  logIn(accountKey: string, accountSecret: string): Promise<void>;
  /** Where `logIn` is `code`; it may be typed in groups. @throws `AuthenticationFailed` for a wrong one, `RateLimited` */
  logInWithCode(code: string): Promise<void>;
}

export type Fetch = (path: string, init: RequestInit) => Promise<Response>;

export function createApi(fetch: Fetch): Api {
  const call = async <Answer>(method: 'GET' | 'POST' | 'PUT', path: string, body?: object): Promise<Answer> => {
    const response = await fetch(`/cloister/v1/${path}`, {
      method,
      credentials: 'same-origin',
      headers: body ? { 'content-type': 'application/json' } : {},
      ...(body && { body: JSON.stringify(body) }),
    }).catch(() => {
      throw new ApiError('Unreachable', 'The server did not answer', 0);
    });
    if (!response.ok) throw await errorOf(response);
    return (response.status === 204 ? undefined : await response.json()) as Answer;
  };
  const archive = (archiveId: string, what: string) => `playground/archives/${encodeURIComponent(archiveId)}/${what}`;
  return {
    info: () => call('GET', 'playground'),
    createSession: (wish) => call('POST', 'playground/sessions', wish),
    session: (sessionId) => call('GET', `playground/session?${new URLSearchParams({ sessionId })}`),
    createToken: (sessionId, role, name) => call('POST', 'playground/tokens', { sessionId, role, name }),
    security: (sessionId) => call('GET', `playground/security?${new URLSearchParams({ sessionId })}`),
    archives: (sessionId) => call('GET', `playground/archives?${new URLSearchParams({ sessionId })}`),
    startArchive: (sessionId, wish) => call('POST', 'playground/archives', { sessionId, ...wish }),
    stopArchive: (sessionId, id) => call('POST', archive(id, 'stop'), { sessionId }),
    layOutArchive: (sessionId, id, type) => call('PUT', archive(id, 'layout'), { sessionId, layout: { type } }),
    archiveLink: async (sessionId, id) =>
      (await call<{ path: string }>('POST', archive(id, 'link'), { sessionId })).path,
    logIn: (accountKey, accountSecret) => call('POST', 'login', { accountKey, accountSecret }),
    logInWithCode: (code) => call('POST', 'login', { code: ungrouped(code) }),
  };
}

/** People type a long number in groups, and what they copy has spaces around it. */
function ungrouped(code: string): string {
  return code.replace(/[\s\p{Dash}]/gu, '');
}

/** The error of an answer: our own body `{code, message, help}`, or the bare status of something in between. */
export async function errorOf(response: Response): Promise<ApiError> {
  const body = (await response.json().catch(() => ({}))) as { code?: unknown; message?: unknown; help?: unknown };
  if (typeof body.code !== 'string') {
    return new ApiError('Unreachable', `The server answered with status ${response.status}`, response.status);
  }
  const words = [body.message, body.help].filter((part) => typeof part === 'string' && part);
  return new ApiError(body.code, words.join('. '), response.status);
}
