/** Our own HTTP API under `/cloister/v1`, the health check and the pages. */
import type { FastifyInstance } from 'fastify';
import type { Journal } from '../core/index.ts';
import { prefix } from './access.ts';
import { archiveRoutes } from './archives.ts';
import { type AuditDoor, auditRoutes } from './audit.ts';
import { answerErrors } from './errors.ts';
import { ipRangeRoutes } from './ip-ranges.ts';
import { type LoginDeps, loginRoutes } from './login.ts';
import { type PageFolders, pageRoutes } from './pages.ts';
import { peopleRoutes } from './people.ts';
import { type LogInDeps, personLogInRoutes } from './person-log-in.ts';
import { personSelfRoutes } from './person-self.ts';
import { type PlaygroundDeps, playgroundRoutes } from './playground.ts';
import { guard, withPrincipals } from './principal.ts';
import { projectRoutes, type RestAuth } from './projects.ts';
import { termsRoutes } from './terms.ts';
import { type UsageDoor, usageRoutes } from './usage.ts';

export { type Access, accessTable } from './access.ts';
export type { AuditDoor, AuditForm } from './audit.ts';
export { answerErrors } from './errors.ts';
export { type KeyAdmin, type OperatorDeps, openOperatorSocket, type Resealed } from './operator.ts';
export { inspect, type RestAuth } from './projects.ts';
export type { UsageDoor } from './usage.ts';

export interface AdminDeps extends LoginDeps, PlaygroundDeps, LogInDeps {
  readonly auth: RestAuth;
  readonly journal: Journal;
  readonly folders: PageFolders;
  /** Without one nothing of an audit log is served. */
  readonly audit?: AuditDoor;
  /** Without one none is served. */
  readonly usage?: UsageDoor;
  /** Whether calls can be made. */
  healthy(): boolean;
}

/** Registers everything of this folder on the server, and says no in our own words wherever nobody else has others. */
export async function adminRoutes(app: FastifyInstance, deps: AdminDeps): Promise<void> {
  answerErrors(app, deps.journal);
  app.get('/health', async (_request, reply) =>
    deps.healthy()
      ? { status: 'ok', ...(deps.audit && { audit: deps.audit.status().state }) }
      : reply.code(503).send({ status: 'unavailable' }),
  );
  await app.register(
    async (api) => {
      guard(api, deps);
      const auth = withPrincipals(deps.auth, deps.core);
      const parts = { ...deps, auth };
      loginRoutes(api, deps);
      await api.register(async (playground) => playgroundRoutes(playground, deps));
      projectRoutes(api, parts);
      archiveRoutes(api, parts);
      ipRangeRoutes(api, parts);
      personLogInRoutes(api, deps);
      personSelfRoutes(api, deps);
      peopleRoutes(api, deps);
      termsRoutes(api, parts);
      const { audit, usage } = deps;
      if (audit) auditRoutes(api, { audit, auth });
      if (usage) usageRoutes(api, { usage, auth });
    },
    { prefix },
  );
  await app.register(async (pages) => pageRoutes(pages, deps.folders));
}
