/** Our own HTTP API under `/cloister/v1`, the health check and the pages. */
import type { FastifyInstance } from 'fastify';
import type { Journal } from '../core/index.ts';
import { archiveRoutes } from './archives.ts';
import { answerErrors } from './errors.ts';
import { type LoginDeps, loginRoutes } from './login.ts';
import { type PageFolders, pageRoutes } from './pages.ts';
import { type PlaygroundDeps, playgroundRoutes } from './playground.ts';
import { projectRoutes, type RestAuth } from './projects.ts';

export { answerErrors } from './errors.ts';
export { type KeyAdmin, type OperatorDeps, openOperatorSocket, type Resealed } from './operator.ts';
export { inspect, type RestAuth } from './projects.ts';

export interface AdminDeps extends LoginDeps, PlaygroundDeps {
  readonly auth: RestAuth;
  readonly journal: Journal;
  readonly folders: PageFolders;
  /** Whether calls can be made. */
  healthy(): boolean;
}

/** Registers everything of this folder on the server, and says no in our own words wherever nobody else has others. */
export async function adminRoutes(app: FastifyInstance, deps: AdminDeps): Promise<void> {
  answerErrors(app, deps.journal);
  app.get('/health', async (_request, reply) =>
    deps.healthy() ? { status: 'ok' } : reply.code(503).send({ status: 'unavailable' }),
  );
  await app.register(
    async (api) => {
      loginRoutes(api, deps);
      await api.register(async (playground) => playgroundRoutes(playground, deps));
      projectRoutes(api, deps);
      archiveRoutes(api, deps);
    },
    { prefix: '/cloister/v1' },
  );
  await app.register(async (pages) => pageRoutes(pages, deps.folders));
}
