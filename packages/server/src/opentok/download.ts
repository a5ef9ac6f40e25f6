/** Where an archive's `url` leads: bytes for whoever holds the link, as a whole or a range (SPEC: DOWN1 and on). */
import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { Core } from '../core/index.ts';
import { recordInternal, refusalOf } from './answer.ts';

const types: Readonly<Record<string, string>> = {
  mp4: 'video/mp4',
  // Sealed to a certificate: no player can do anything with it.
  ts: 'application/octet-stream',
  cloister: 'application/octet-stream',
  zip: 'application/zip',
};

/** Registers the route. It is ours, so its refusals have the protocol's body; a page of any origin may play what it gives. */
export function downloadRoute(scope: FastifyInstance, core: Core): void {
  scope.setErrorHandler((thrown, request, reply) => {
    const error = refusalOf(thrown);
    recordInternal(core.journal, error, request);
    if (error.code === 'RateLimited') reply.header('retry-after', String(error.details.retryAfterSeconds));
    if (error.code === 'RangeInvalid') reply.header('content-range', `bytes */${error.details.size}`);
    return reply.code(error.status).header('access-control-allow-origin', '*').send(error.toBody());
  });
  scope.route<{ Params: { key: string; fileName: string } }>({
    method: 'GET',
    url: '/cloister/v1/archive/:key/:fileName',
    exposeHeadRoute: false,
    async handler(request, reply) {
      const { fileName, sizeBytes, range, stream } = await core.archiveLinks.open(
        request.params.key,
        request.headers.range,
      );
      reply
        .code(range ? 206 : 200)
        .header('content-type', types[fileName.split('.')[1]!])
        .header('content-length', range ? range.end - range.start + 1 : sizeBytes)
        .header('content-disposition', `attachment; filename="${fileName}"`)
        .header('accept-ranges', 'bytes')
        .header('cache-control', 'no-store')
        .header('referrer-policy', 'no-referrer')
        .header('access-control-allow-origin', '*');
      if (range) reply.header('content-range', `bytes ${range.start}-${range.end}/${sizeBytes}`);
      return reply.send(Readable.from(stream, { objectMode: false }));
    },
  });
}
