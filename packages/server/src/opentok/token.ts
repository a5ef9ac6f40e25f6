/**
 * Client tokens, in both of OpenTok's forms, to what they grant (SPEC: TOK1 and on). A token may be used again as long as
 * it has not expired.
 */
import { createHmac } from 'node:crypto';
import { parse as parseForm } from 'node:querystring';
import { limits, PlatformError } from '@cloister/protocol';
import { type ClearSecret, type Core, projectOfSessionId, type Role, roles, type TokenClaims } from '../core/index.ts';
import { type Claims, equalText, makeJwt, parseJwt, signedBy } from './jwt.ts';

const sentinel = 'T1==';

/** What a client shows: the token, and what it is for. */
export interface Shown {
  readonly apiKey: string;
  readonly sessionId: string;
  readonly token: string;
  /** Whether it wants the address list. */
  readonly ipWhitelist?: boolean | undefined;
}

/** A token whose signature is right, before its claims are judged. */
interface Signed {
  readonly claims: Claims;
  readonly secretId: string;
  readonly form: 'T1' | 'JWT';
}

/**
 * Verifies a client's token against the secrets that are valid now.
 * @throws PlatformError `SessionIdInvalid`, `TokenInvalid`, `TokenExpired`, `IssuerNotFound`
 */
export async function readClientToken(core: Core, { apiKey, sessionId, token }: Shown): Promise<TokenClaims> {
  if (Buffer.byteLength(token) > limits.tokenBytes) throw invalid(`it is longer than ${limits.tokenBytes} bytes`);
  if (projectOfSessionId(sessionId) !== apiKey) {
    throw new PlatformError('SessionIdInvalid', { sessionId: sessionId.slice(0, 128) });
  }
  const verify = token.startsWith(sentinel) ? openT1(token.slice(sentinel.length), apiKey) : openJwt(token, apiKey);
  const signed = verify(await core.projects.secretsOf(apiKey));
  return claimsOf(signed, { apiKey, sessionId }, core.clock.now() / 1000);
}

/** Makes a client token (JWT). `expiresAt` in seconds since 1970. */
export function makeClientToken(
  token: { apiKey: string; secret: string; sessionId: string; role: string; data: string; expiresAt: number },
  now = Date.now(),
): string {
  const created = Math.floor(now / 1000);
  const claims = {
    iss: token.apiKey,
    ist: 'project',
    iat: created,
    exp: token.expiresAt,
    session_id: token.sessionId,
    create_time: created,
    expire_time: token.expiresAt,
    role: token.role,
    connection_data: token.data,
    initial_layout_class_list: '',
    scope: 'session.connect',
  };
  return makeJwt(claims, token.secret);
}

type Verify = (secrets: readonly ClearSecret[]) => Signed;

/** `partner_id=<key>&sig=<hex HMAC-SHA1>:<data>`: what is signed are the bytes after the first colon, as they came. */
function openT1(encoded: string, apiKey: string): Verify {
  const whole = Buffer.from(encoded, 'base64');
  if (whole.toString('base64') !== encoded) throw invalid('it is not base64 after T1==');
  const colon = whole.indexOf(':');
  if (colon < 0) throw invalid('it has no colon after its signature');
  const { partner, signature } = headOf(whole.toString('latin1', 0, colon));
  const data = whole.subarray(colon + 1);
  if (partner !== apiKey) throw invalid('it belongs to another project');
  return (secrets) => {
    const signer = secrets.find(({ secret }) =>
      equalText(createHmac('sha1', secret).update(data).digest('hex'), signature),
    );
    if (!signer) throw invalid('its signature is not right');
    return { claims: fieldsOf(data.toString()), secretId: signer.id, form: 'T1' };
  };
}

/** What stands before the signed bytes is signed by nobody, so it has one spelling. Early SDKs named their version there. */
function headOf(text: string): { partner: string; signature: string } {
  const head = /^partner_id=(?<partner>\d+)(&sdk_version=[\w.-]+)?&sig=(?<signature>[0-9a-f]{40})$/.exec(text)?.groups;
  if (!head) throw invalid('what is before its colon is not partner_id=<key>&sig=<40 hex digits in lower case>');
  return { partner: head.partner!, signature: head.signature! };
}

function openJwt(token: string, apiKey: string): Verify {
  const jwt = parseJwt(token);
  if (typeof jwt === 'string') throw invalid(jwt);
  const { payload, header } = jwt;
  if (payload.iss !== apiKey && payload.iss !== Number(apiKey)) throw invalid('it belongs to another project');
  if ((payload.ist ?? header.ist ?? 'project') !== 'project') throw invalid('it is not signed by a project');
  return (secrets) => {
    const signer = secrets.find(({ secret }) => signedBy(jwt, secret));
    if (!signer) throw invalid('its signature is not right');
    return { claims: payload, secretId: signer.id, form: 'JWT' };
  };
}

/** A form whose every field is there once. */
function fieldsOf(text: string): Claims {
  const fields = parseForm(text);
  if (Object.values(fields).some(Array.isArray)) throw invalid('it has a field twice');
  return fields;
}

function claimsOf({ claims, secretId, form }: Signed, wanted: Omit<Shown, 'token'>, now: number): TokenClaims {
  if (!present(claims.session_id)) throw invalid('it is not a client token: it has no session_id');
  if (claims.session_id !== wanted.sessionId) throw invalid('it is for another session');
  if (present(claims.scope) && !String(claims.scope).split(/\s+/).includes('session.connect')) {
    throw invalid('its scope does not include session.connect');
  }
  checkLife(claims, now);
  return {
    projectId: wanted.apiKey,
    sessionId: wanted.sessionId,
    role: roleOf(claims.role),
    connectionData: dataOf(claims.connection_data),
    layoutClasses: classesOf(claims.initial_layout_class_list, form),
    secretId,
  };
}

/** All in seconds since 1970. A token without expiry lives a day; none outlives its creation by more than 30 days. */
function checkLife(claims: Claims, now: number): void {
  const created = timeOf(claims.create_time, 'create_time') ?? timeOf(claims.iat, 'iat');
  if (created === null) throw invalid('it has neither create_time nor iat');
  const begins = Math.max(created, timeOf(claims.nbf, 'nbf') ?? 0);
  if (begins > now + limits.clockSkewSeconds) throw invalid('it is from the future');
  const ends = [timeOf(claims.exp, 'exp'), timeOf(claims.expire_time, 'expire_time')].filter((each) => each !== null);
  const end = ends.length > 0 ? Math.min(...ends) : created + limits.clientTokenDefaultSeconds;
  if (end - created > limits.clientTokenLifetimeSeconds) {
    throw invalid(`it expires more than ${limits.clientTokenLifetimeSeconds / 86_400} days after its creation`);
  }
  if (end <= now) throw new PlatformError('TokenExpired', { expiredAt: new Date(end * 1000).toISOString() });
}

/** Whole seconds: SDKs send integers, floats, and text in T1. */
function timeOf(value: unknown, name: string): number | null {
  if (!present(value)) return null;
  const seconds = typeof value === 'string' && /^\d{1,12}(\.\d{1,9})?$/.test(value) ? Number(value) : value;
  if (typeof seconds !== 'number' || !(seconds >= 0 && seconds < 1e12)) throw invalid(`its ${name} is not a time`);
  return Math.floor(seconds);
}

function roleOf(value: unknown): Role {
  if (!present(value)) return 'publisher';
  const role = roles.find((each) => each === value);
  if (!role) throw invalid(`its role is none of ${roles.join(', ')}`);
  return role;
}

function dataOf(value: unknown): string {
  if (!present(value)) return '';
  if (typeof value !== 'string') throw invalid('its connection_data is not text');
  if (value.length > limits.connectionDataChars) {
    throw invalid(`its connection_data is longer than ${limits.connectionDataChars} characters`);
  }
  return value;
}

/** Words between spaces. The PHP SDK encodes them once more in a JWT. */
function classesOf(value: unknown, form: Signed['form']): string[] {
  if (!present(value)) return [];
  if (typeof value !== 'string') throw invalid('its initial_layout_class_list is not text');
  const text = form === 'JWT' && /[%+]/.test(value) ? decoded(value) : value;
  const classes = text.split(/\s+/).filter((each) => each !== '');
  if (classes.length > limits.layoutClasses) throw invalid(`it has more than ${limits.layoutClasses} layout classes`);
  if (classes.some((each) => each.length > limits.layoutClassChars)) {
    throw invalid(`it has a layout class of more than ${limits.layoutClassChars} characters`);
  }
  return classes;
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value.replaceAll('+', ' '));
  } catch {
    throw invalid('its initial_layout_class_list is not URL-encoded');
  }
}

/** What PHP leaves behind as null or empty counts as absent. */
function present(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}

function invalid(why: string): PlatformError {
  return new PlatformError('TokenInvalid', { why });
}
