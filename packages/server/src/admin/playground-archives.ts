/**
 * The archives of a session, for its moderator at the playground. Whoever may use the playground may give themselves a
 * moderator's token for a session whose id they know; these routes give them no more than that: each names the session.
 */
import { PlatformError, type PlaygroundArchive, type PlaygroundArchives } from '@cloister/protocol';
import { limits } from '@cloister/protocol/limits';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type Actor, type Archive, type Core, fileNameOf } from '../core/index.ts';
import { parseBody } from './body.ts';
import { requireProject, type VisitorDeps } from './visitor.ts';

const ofSession = z.object({ sessionId: z.string().max(512) });
/** What may be asked for beside these, the rules check. */
const startWish = ofSession.extend({
  resolution: z.string().max(32).optional(),
  layout: z.unknown().optional(),
  hasAudio: z.boolean().default(true),
  hasVideo: z.boolean().default(true),
});
const layoutWish = ofSession.extend({ layout: z.unknown().optional() });

interface Params {
  archiveId: string;
}

/** Routes under `/playground/archives`. */
export function archiveRoutes(app: FastifyInstance, deps: VisitorDeps): void {
  const { core } = deps;
  app.get('/playground/archives', async (request) => {
    const { id } = await requireProject(deps, request);
    const { sessionId } = parseBody(ofSession, request.query);
    await core.sessions.get(id, sessionId);
    const { items } = await core.archives.list(id, { sessionId, offset: 0, count: limits.archivesListedDefault });
    const known: PlaygroundArchives = {
      certificateSha256: await core.sealings.sealedTo(id),
      storage: await storageOf(core, id),
      archives: await Promise.all(items.map(({ archive }) => shown(core, archive))),
    };
    return known;
  });
  app.post('/playground/archives', async (request) => {
    const { id } = await requireProject(deps, request);
    const wish = parseBody(startWish, request.body);
    return shown(core, (await core.archives.start(projectActor(id), id, wish)).archive);
  });
  app.post<{ Params: Params }>('/playground/archives/:archiveId/stop', async (request) => {
    const { id, projectId } = (await named(deps, request, ofSession)).archive;
    return shown(core, await core.archives.stop(projectActor(projectId), projectId, id));
  });
  app.put<{ Params: Params }>('/playground/archives/:archiveId/layout', async (request) => {
    const { archive, wish } = await named(deps, request, layoutWish);
    const { id, projectId } = archive;
    return shown(core, (await core.archives.setLayout(projectActor(projectId), projectId, id, wish.layout)).archive);
  });
  app.post<{ Params: Params }>('/playground/archives/:archiveId/link', async (request, reply) => {
    const { archive } = await named(deps, request, ofSession);
    const path = core.archiveLinks.pathOf(archive);
    if (path === null) throw new PlatformError('WrongState', { why: `the archive is ${archive.status}` });
    reply.header('cache-control', 'no-store');
    return { path };
  });
}

/** The archive that a request names, of the session that its body names, with that body. */
async function named<Wish extends { readonly sessionId: string }>(
  deps: VisitorDeps,
  request: FastifyRequest<{ Params: Params }>,
  body: z.ZodType<Wish>,
): Promise<{ archive: Archive; wish: Wish }> {
  const project = await requireProject(deps, request);
  const wish = parseBody(body, request.body);
  const { archiveId } = request.params;
  const { archive } = await deps.core.archives.get(project.id, archiveId);
  if (archive.sessionId !== wish.sessionId) throw new PlatformError('ArchiveNotFound', { archiveId });
  return { archive, wish };
}

/** No more of it than a moderator has to know who is about to record: not its name, nor its credentials. */
async function storageOf(core: Core, projectId: string): Promise<PlaygroundArchives['storage']> {
  const set = await core.storages.get(projectId);
  if (!set) return null;
  const { target } = set;
  return { type: target.type, sse: target.type === 's3' && target.sse !== 'none' ? target.sse : null };
}

async function shown(core: Core, archive: Archive): Promise<PlaygroundArchive> {
  const { id, projectId, status, reason, resolution, hasAudio, hasVideo, automatic } = archive;
  const { createdAt, durationMs, sizeBytes, certificate, recipients, password, sha256 } = archive;
  const laidOut = archive.outputMode === 'composed' && (status === 'started' || status === 'paused');
  // It may stop in this very moment; then it has no layout any more.
  const layout = laidOut ? await core.archives.layout(projectId, id).catch(() => null) : null;
  return {
    archiveId: id,
    status,
    reason,
    resolution,
    hasAudio,
    hasVideo,
    layout: layout?.type ?? null,
    automatic,
    createdAt,
    durationMs,
    sizeBytes,
    fileName: fileNameOf(archive),
    sealed: certificate === null && recipients.length === 0 ? null : { password, sha256 },
    linked: core.archiveLinks.leadTo(archive),
  };
}

function projectActor(projectId: string): Actor {
  return { kind: 'project', projectId };
}
