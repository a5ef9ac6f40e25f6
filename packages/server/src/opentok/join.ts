/** How a client gets in: it shows its token, and learns the node, a ticket for it and the policy (SPEC: TOK1 and on). */
import { joinRequest, limits, PlatformError } from '@cloister/protocol';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Core, type RateLimiter, spend } from '../core/index.ts';
import { recordInternal, refusalOf } from './answer.ts';
import { bad, jsonFields, textOf } from './body.ts';
import { readClientToken, type Shown } from './token.ts';

export interface JoinDeps {
  readonly core: Core;
  readonly limiter: RateLimiter;
  clientAddress(request: FastifyRequest): string;
  /** The WebSocket address under which this client reaches us. */
  signallingUrl(request: FastifyRequest): string;
}

const path = '/cloister/v1/join';

/** Registers the route. It is ours, so its refusals have the protocol's body; any page may call it from any origin. */
export function joinRoute(scope: FastifyInstance, deps: JoinDeps): void {
  const { core, limiter } = deps;
  scope.setErrorHandler((thrown, request, reply) => {
    const error = refusalOf(thrown);
    recordInternal(core.journal, error, request);
    if (error.code === 'RateLimited') reply.header('retry-after', String(error.details.retryAfterSeconds));
    return allowAnyOrigin(reply).code(error.status).send(error.toBody());
  });
  scope.options(path, async (_request, reply) =>
    allowAnyOrigin(reply)
      .code(204)
      .header('access-control-allow-methods', 'POST')
      .header('access-control-allow-headers', 'content-type')
      .header('access-control-max-age', '86400')
      .send(),
  );
  scope.route<{ Body?: Buffer }>({
    method: 'POST',
    url: path,
    config: { ownRate: true },
    bodyLimit: limits.bodyBytes,
    async onRequest(request) {
      spend(limiter, 'join', deps.clientAddress(request));
    },
    async handler(request, reply) {
      const shown = shownOf(request.body);
      spend(limiter, 'token', shown.token);
      const claims = await readClientToken(core, shown);
      allowAnyOrigin(reply).header('cache-control', 'no-store');
      return core.calls.join(claims, deps.signallingUrl(request), { ipWhitelist: shown.ipWhitelist === true });
    },
  });
}

function shownOf(body: unknown): Shown {
  const fields = jsonFields(Buffer.isBuffer(body) ? textOf(body) : '');
  if (typeof fields.token === 'string' && Buffer.byteLength(fields.token) > limits.tokenBytes) {
    throw new PlatformError('TokenInvalid', { why: `it is longer than ${limits.tokenBytes} bytes` });
  }
  const parsed = joinRequest.safeParse(fields);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw bad(`${issue.path.join('.') || 'body'}: ${issue.message}`);
}

function allowAnyOrigin(reply: FastifyReply): FastifyReply {
  return reply.header('access-control-allow-origin', '*');
}
