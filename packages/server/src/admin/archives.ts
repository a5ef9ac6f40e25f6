/** Our own routes about archives: what a project's are sealed to, their signed manifests, and the keys to check those with. */
import { PlatformError } from '@cloister/protocol';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { type Archive, type Core, fingerprintOf, type Sealing } from '../core/index.ts';
import type { Origins } from './actor.ts';
import { parseBody } from './body.ts';
import { actorOf } from './principal.ts';
import { jose, owned, type RestAuth } from './projects.ts';

interface Params {
  apiKey: string;
  archiveId: string;
}

/** How long others may keep the platform's public keys. Whoever meets one that is not among them asks again. */
const keysSeconds = 300;

/** The body that sets what archives are sealed to. How many certificates there may be, and what is in them, the rules say. */
export const sealingWish = z.strictObject({
  format: z.enum(['opentok', 'cloister']),
  certificates: z.array(z.string()),
});

/** Routes under `/projects/{apiKey}`, and `/manifest-keys`, which asks for no credential. */
export function archiveRoutes(app: FastifyInstance, deps: Origins & { core: Core; auth: RestAuth }): void {
  const { core, auth } = deps;
  const route = '/projects/:apiKey/archive-sealing';
  app.get<{ Params: Params }>(route, async (request) => {
    const { id } = await owned(core, auth, request, request.params.apiKey);
    return sealingView(await core.sealings.get(id));
  });
  app.put<{ Params: Params }>(route, async (request) => {
    const { id, accountId } = await owned(core, auth, request, request.params.apiKey);
    const wish = parseBody(sealingWish, request.body);
    return sealingView(await core.sealings.put(actorOf(deps, request, accountId), id, wish));
  });
  app.delete<{ Params: Params }>(route, async (request, reply) => {
    const { id, accountId } = await owned(core, auth, request, request.params.apiKey);
    await core.sealings.remove(actorOf(deps, request, accountId), id);
    return reply.code(204).send();
  });
  app.get<{ Params: Params }>('/projects/:apiKey/archives/:archiveId/manifest', async (request, reply) => {
    const { apiKey, archiveId } = request.params;
    await auth.project(request, apiKey);
    const { archive } = await core.archives.get(apiKey, archiveId);
    return reply.type(jose).header('cache-control', 'no-store').send(manifestOf(archive));
  });
  app.get('/manifest-keys', async (_request, reply) => {
    const keys = core.keys.publicKeys('manifest').map((key) => ({ ...key, use: 'sig', alg: 'EdDSA' }));
    // RFC 7517, 8.5.2.
    return reply
      .type('application/jwk-set+json')
      .header('cache-control', `max-age=${keysSeconds}`)
      .header('access-control-allow-origin', '*')
      .send(JSON.stringify({ keys }));
  });
}

/** What is shown of it. @throws PlatformError `SealingNotFound` */
export function sealingView(sealing: Sealing | null): Record<string, unknown> {
  if (!sealing) throw new PlatformError('SealingNotFound');
  const { format, certificates, updatedAt } = sealing;
  return { format, certificates, certificateSha256: certificates.map(fingerprintOf), updatedAt };
}

function manifestOf({ id, status, manifest }: Archive): string {
  if (manifest !== '') return manifest;
  const why = ['started', 'paused', 'stopped'].includes(status)
    ? `the archive is ${status}, and it is signed once it has ended`
    : 'nothing of it was kept when it ended';
  throw new PlatformError('ManifestNotFound', { archiveId: id, why });
}
