/** How our own API says no: the protocol's error body under the status of the error table. */
import { asPlatformError } from '@cloister/protocol';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Journal } from '../core/index.ts';

/** Answers every error thrown below this instance with the protocol's body; what was not expected goes to the journal. */
export function answerErrors(app: FastifyInstance, journal: Journal): void {
  app.setErrorHandler((thrown: Error & { statusCode?: number }, request, reply) => {
    if (thrown.statusCode !== undefined && thrown.statusCode < 500 && thrown.name !== 'PlatformError') {
      return reply.code(thrown.statusCode).send({ code: 'BadRequest', message: thrown.message, help: '', details: {} });
    }
    return refuse(journal, thrown, request, reply);
  });
}

function refuse(journal: Journal, thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = asPlatformError(thrown);
  if (error.code === 'Internal') {
    const { cause } = error;
    journal.record('error', 'a request failed', {
      requestId: request.id,
      route: request.routeOptions.url ?? null,
      error: cause instanceof Error ? cause.message : 'unknown',
      stack: cause instanceof Error ? (cause.stack ?? null) : null,
    });
  }
  if (error.code === 'RateLimited') reply.header('retry-after', String(error.details.retryAfterSeconds));
  return reply.code(error.status).send(error.toBody());
}
