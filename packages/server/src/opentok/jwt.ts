/** JSON Web Tokens signed with HS256 (RFC 7519, RFC 7515), as OpenTok's SDKs make them: the one algorithm, nothing else. */
import { createHmac, timingSafeEqual } from 'node:crypto';

export type Claims = Readonly<Record<string, unknown>>;

/** A token taken apart. Nothing in it is to be believed before `signedBy` is true. */
export interface Jwt {
  readonly header: Claims;
  readonly payload: Claims;
  /** The part that is signed: the first two segments. */
  readonly signed: string;
  readonly signature: string;
}

const segments = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;
/** An SDK sends the same header each time, so a few of them are all that are ever parsed. */
const headers = new Map<string, Claims | string>();
const headersKept = 64;

/** Takes a token apart, or says in constant words why it is none. */
export function parseJwt(token: string): Jwt | string {
  const match = segments.exec(token);
  if (!match) return 'it is not a JSON Web Token';
  const [, head = '', body = '', signature = ''] = match;
  const header = headerOf(head);
  if (typeof header === 'string') return header;
  const payload = objectOf(body);
  if (!payload) return 'its payload is not a JSON object';
  return { header, payload, signed: token.slice(0, head.length + 1 + body.length), signature };
}

/** Whether this secret made the signature. Compared as text, so that no second spelling of it passes; in constant time. */
export function signedBy(jwt: Jwt, secret: string): boolean {
  const expected = createHmac('sha256', secret).update(jwt.signed).digest('base64url');
  return equalText(expected, jwt.signature);
}

/** Makes a token with this payload. */
export function makeJwt(payload: Claims, secret: string): string {
  const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(payload)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

/** Compares two texts in a time that depends on their lengths only. */
export function equalText(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}

function headerOf(segment: string): Claims | string {
  const known = headers.get(segment);
  if (known !== undefined) return known;
  const parsed = objectOf(segment);
  let header: Claims | string = parsed ?? 'its header is not a JSON object';
  if (parsed && parsed.alg !== 'HS256') header = 'its algorithm is not HS256';
  // RFC 7515, 4.1.11: what `crit` names must be understood, and nothing is.
  else if (parsed && parsed.crit !== undefined) header = 'its header has critical extensions';
  if (headers.size >= headersKept) headers.clear();
  headers.set(segment, header);
  return header;
}

function objectOf(segment: string): Claims | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(segment, 'base64url').toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Claims) : null;
  } catch {
    return null;
  }
}
