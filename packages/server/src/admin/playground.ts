/** What the playground asks of the server: a session and what it is, a token for it, the security record, and its archives. */
import { isIP } from 'node:net';
import { PlatformError, type PlaygroundSession, type PlaygroundTurn } from '@cloister/protocol';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { roles, type Session } from '../core/index.ts';
import { parseBody } from './body.ts';
import { archiveRoutes } from './playground-archives.ts';
import { projectFor, requireProject, type VisitorDeps, visitor } from './visitor.ts';

const sessionWish = z.object({
  mediaMode: z.enum(['routed', 'relayed']).default('routed'),
  e2ee: z.boolean().default(false),
});
const sessionQuery = z.object({ sessionId: z.string().max(512) });
const tokenWish = z.object({
  sessionId: z.string().max(512),
  role: z.enum(roles).default('publisher'),
  name: z.string().max(64).default(''),
});

/** How long a token of the playground lives. */
const tokenSeconds = 3600;

export interface PlaygroundDeps extends VisitorDeps {
  /** What becomes of clients that reach media by no other way. */
  turn(): PlaygroundTurn;
  makeToken(token: {
    apiKey: string;
    secret: string;
    sessionId: string;
    role: string;
    data: string;
    expiresAt: number;
  }): string;
}

/**
 * Routes under `/playground`. In production and with `--lan` every one but the first needs a log-in. The first says which,
 * and whether it is done; `apiKey` is null until then, and where there is no project to make calls with.
 */
export function playgroundRoutes(app: FastifyInstance, deps: PlaygroundDeps): void {
  if (deps.mode === 'development') app.addHook('onRequest', async (request) => refuseForeignName(request));
  app.get('/playground', async (request) => {
    const project = await projectFor(deps, request);
    const logIn = deps.mode === 'production' ? 'account' : deps.lanCode === null ? 'none' : 'code';
    const loggedIn = visitor(deps, request) !== null;
    return { apiKey: project?.id ?? null, mode: deps.mode, turn: loggedIn ? deps.turn() : null, logIn, loggedIn };
  });
  app.post('/playground/sessions', async (request) => {
    const project = await requireProject(deps, request);
    const wish = parseBody(sessionWish, request.body);
    const actor = { kind: 'project', projectId: project.id } as const;
    return shown(deps, await deps.core.sessions.create(actor, project.id, { ...wish, archiveMode: 'manual' }));
  });
  app.get('/playground/session', async (request) => {
    const project = await requireProject(deps, request);
    return shown(deps, await deps.core.sessions.get(project.id, parseBody(sessionQuery, request.query).sessionId));
  });
  app.post('/playground/tokens', async (request) => {
    const project = await requireProject(deps, request);
    const { sessionId, role, name } = parseBody(tokenWish, request.body);
    await deps.core.sessions.get(project.id, sessionId);
    const [secret] = await deps.core.projects.secretsOf(project.id);
    const expiresAt = Math.floor(deps.core.clock.now() / 1000) + tokenSeconds;
    const data = JSON.stringify({ name });
    const token = deps.makeToken({ apiKey: project.id, secret: secret!.secret, sessionId, role, data, expiresAt });
    return { token, apiKey: project.id, sessionId };
  });
  app.get('/playground/security', async (request) => {
    const project = await requireProject(deps, request);
    return deps.core.calls.security(project.id, parseBody(sessionQuery, request.query).sessionId);
  });
  archiveRoutes(app, deps);
}

async function shown({ core }: VisitorDeps, { id, projectId, mediaMode, e2ee }: Session): Promise<PlaygroundSession> {
  if (e2ee) return { sessionId: id, secret: 'needed' };
  const sealed = mediaMode === 'relayed' && (await core.projects.entitled(projectId, 'media.aes256'));
  return { sessionId: id, secret: sealed ? 'possible' : 'none' };
}

/**
 * In development nobody logs in, so a page of another site must not get here under a name of its own that it points at
 * this machine (DNS rebinding). Whoever is meant to be here typed an address, or localhost.
 */
function refuseForeignName(request: FastifyRequest): void {
  const name = request.hostname.replace(/^\[|\]$/g, '');
  if (name === 'localhost' || isIP(name) !== 0) return;
  throw new PlatformError('BadRequest', {
    why: `in development the playground answers under an address or localhost, not under ${name}`,
  });
}
