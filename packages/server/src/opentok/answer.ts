/** What goes back: JSON as OpenTok's SDKs want it, and refusals in JSON or XML (SPEC: ERR1 and on). */
import { asPlatformError, errorTable, limits, PlatformError } from '@cloister/protocol';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Journal } from '../core/index.ts';

/** What a route gives back. */
export interface Answer {
  readonly status: number;
  readonly json?: unknown;
  /** Sent in the place of `json` to who does not ask for JSON; only session/create has it. */
  readonly xml?: string;
  /** Another spelling of `application/json`. */
  readonly type?: string;
}

/** The header with the name of a refusal, for those who read more than OpenTok's body. */
export const errorHeader = 'cloister-error';

/**
 * Sends an answer. The type is `application/json` to the letter: the Python SDK compares the whole header, and a
 * parameter would make it parse XML.
 */
export function sendAnswer(
  request: FastifyRequest,
  reply: FastifyReply,
  { status, json, xml, type = 'application/json' }: Answer,
): FastifyReply {
  reply.code(status);
  if (xml !== undefined && !asksForJson(request)) return reply.header('content-type', 'text/xml').send(xml);
  if (json === undefined) return reply.send();
  return reply.header('content-type', type).send(Buffer.from(JSON.stringify(json)));
}

/** Whether a request wants JSON: it says so, or sends JSON and does not say otherwise. */
export function asksForJson({ headers }: Pick<FastifyRequest, 'headers'>): boolean {
  const accept = headers.accept ?? '';
  if (accept.includes('json')) return true;
  return !accept.includes('xml') && (headers['content-type'] ?? '').includes('json');
}

/** Any thrown value as a refusal that can be named; only what is truly unexpected becomes `Internal`. */
export function refusalOf(thrown: unknown): PlatformError {
  if (thrown instanceof PlatformError) return thrown;
  const { code, statusCode } = thrown as { code?: unknown; statusCode?: unknown };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new PlatformError('BodyTooLarge', { limit: limits.bodyBytes });
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new PlatformError('BadRequest', { why: 'the Content-Type is not a media type' });
  }
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return new PlatformError('BadRequest', { why: 'the body did not arrive as its headers say' });
  }
  return asPlatformError(thrown);
}

/** Writes what was not expected to the journal; the caller gets the request id only. */
export function recordInternal(journal: Journal, error: PlatformError, request: FastifyRequest): void {
  if (error.code !== 'Internal') return;
  const { cause } = error;
  journal.record('error', 'a request failed', {
    requestId: request.id,
    method: request.method,
    route: request.routeOptions.url ?? null,
    error: cause instanceof Error ? cause.message : 'unknown',
    stack: cause instanceof Error ? (cause.stack ?? null) : null,
  });
}

/** Sends a refusal in OpenTok's form. */
export function sendRefusal(request: FastifyRequest, reply: FastifyReply, error: PlatformError): FastifyReply {
  reply.code(error.status).header(errorHeader, error.code);
  if (error.code === 'RateLimited') reply.header('retry-after', String(error.details.retryAfterSeconds));
  if (error.code === 'Internal') reply.header('x-request-id', request.id);
  const code = errorTable[error.code].opentok;
  // Recorded refusals of a credential repeat the message as the description; elsewhere it says what to do.
  const body = { code, message: error.message, description: code === -1 ? error.message : error.help };
  if (asksForJson(request)) {
    return reply.header('content-type', 'application/json').send(Buffer.from(JSON.stringify(body)));
  }
  return reply.header('content-type', 'text/xml').send(errorXml(body));
}

/**
 * The XML refusal that live answers have, with the element inside that the Python SDK looks for by name.
 */
function errorXml({ code, message, description }: { code: number; message: string; description: string }): string {
  const text = escapeXml(message);
  return (
    `${xmlHead}<errorPayload><code>${code}</code><message>${text}</message>` +
    `<description>${escapeXml(description)}</description>` +
    `<error code="${code}"><anyElement message="${text}"/></error></errorPayload>`
  );
}

export const xmlHead = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>';

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** Text for an element or an attribute; characters that XML 1.0 cannot carry become U+FFFD. */
export function escapeXml(text: string): string {
  return (
    text
      .toWellFormed()
      .replace(/[&<>"']/g, (each) => entities[each]!)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly the characters that XML 1.0 forbids
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
  );
}
