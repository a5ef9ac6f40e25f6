/** The pages and the client script: files that the bundler made, with headers that let nothing else in. */
import path from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "media-src 'self' blob: mediastream:",
  // The client's script starts its worker from a text of its own.
  'worker-src blob:',
  "connect-src 'self' ws: wss:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** On every file, so that none of them is a page with more rights than `/playground`, under whatever path it is asked for. */
const headers = {
  'content-security-policy': contentSecurityPolicy,
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'permissions-policy': 'camera=(self), microphone=(self), display-capture=(self)',
};

/** What pages of other origins load: the client as a script, by both of its names, and as a module, and their hashes. */
const clientFiles = ['opentok.min.js', 'opentok.js', 'cloister-client.mjs', 'integrity.json'];

export interface PageFolders {
  /** Where `opentok.min.js` and `integrity.json` are. */
  readonly client: string;
  /** Where the built pages are. */
  readonly console: string;
}

/** `/v2/js/opentok.min.js` and its hash, `/playground`, `/account` and the files of the pages under `/console/`. */
export async function pageRoutes(app: FastifyInstance, folders: PageFolders): Promise<void> {
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers(headers);
  });
  await app.register(fastifyStatic, {
    root: path.resolve(folders.console),
    prefix: '/console/',
    cacheControl: false,
    setHeaders(reply, file) {
      // Asset names carry a hash of their content; the page itself is asked for each time.
      const hashed = file.includes(`${path.sep}assets${path.sep}`);
      reply.header('cache-control', hashed ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  });
  app.get('/v2/js/:file', async (request, reply) => {
    const { file } = request.params as { file: string };
    if (!clientFiles.includes(file)) return reply.callNotFound();
    reply
      .header('access-control-allow-origin', '*')
      .header('cache-control', 'no-cache')
      .header('cross-origin-resource-policy', 'cross-origin');
    return reply.sendFile(file === 'opentok.js' ? 'opentok.min.js' : file, path.resolve(folders.client), {
      cacheControl: false,
    });
  });
  app.get('/playground', async (_request, reply) => reply.sendFile('index.html', path.resolve(folders.console)));
  app.get('/account', async (_request, reply) => reply.sendFile('account.html', path.resolve(folders.console)));
  app.get('/', async (_request, reply) => reply.redirect('/playground', 302));
}
