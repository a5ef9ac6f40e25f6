/** Our own routes of a project: its security record, a look into a session, its media policy and its secrets. */
import { mediaPolicy } from '@cloister/protocol';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Core, Project } from '../core/index.ts';
import type { Origins } from './actor.ts';
import { parseBody } from './body.ts';
import { actorOf } from './principal.ts';

interface Params {
  apiKey: string;
  sessionId: string;
}

const projectChange = z.strictObject({ policy: mediaPolicy });
const rotation = z.discriminatedUnion('how', [
  z.strictObject({ how: z.literal('at once') }),
  z.strictObject({ how: z.literal('grace'), seconds: z.number().int().positive() }),
  z.strictObject({ how: z.literal('compromised') }),
]);

/** A JWS in its compact form: RFC 7515, section 9.2.1. */
export const jose = 'application/jose';

/** Who may ask; OpenTok's REST credential, checked by the folder that knows its form. */
export interface RestAuth {
  /** The REST credential of a project. @throws PlatformError */
  project(request: FastifyRequest, apiKey: string): Promise<void>;
  /** The REST credential of any project → its API key. @throws PlatformError */
  anyProject(request: FastifyRequest): Promise<string>;
  /** The REST credential of an account → its key. @throws PlatformError */
  account(request: FastifyRequest): Promise<string>;
}

/** Routes under `/projects/{apiKey}`. */
export function projectRoutes(app: FastifyInstance, deps: Origins & { core: Core; auth: RestAuth }): void {
  const { core, auth } = deps;
  app.get<{ Params: Params }>('/projects/:apiKey/sessions/:sessionId/security', async (request) => {
    const { apiKey, sessionId } = request.params;
    await auth.project(request, apiKey);
    return core.calls.security(apiKey, sessionId);
  });
  app.get<{ Params: Params }>('/projects/:apiKey/sessions/:sessionId/security/signed', async (request, reply) => {
    const { apiKey, sessionId } = request.params;
    await auth.project(request, apiKey);
    const jws = await core.calls.signedSecurity(apiKey, sessionId);
    return reply.type(jose).header('cache-control', 'no-store').send(jws);
  });
  app.get<{ Params: Params }>('/projects/:apiKey/sessions/:sessionId', async (request) => {
    const { apiKey, sessionId } = request.params;
    await auth.project(request, apiKey);
    return inspect(core, apiKey, sessionId);
  });
  app.get<{ Params: Params }>('/projects/:apiKey', async (request) =>
    view(await owned(core, auth, request, request.params.apiKey)),
  );
  app.patch<{ Params: Params }>('/projects/:apiKey', async (request) => {
    const { id, accountId } = await owned(core, auth, request, request.params.apiKey);
    const { policy } = parseBody(projectChange, request.body);
    return view(await core.projects.setPolicy(actorOf(deps, request, accountId), id, policy));
  });
  app.post<{ Params: Params }>('/projects/:apiKey/secret', async (request) => {
    const { id, accountId } = await owned(core, auth, request, request.params.apiKey);
    return {
      secret: await core.projects.rotateSecret(
        actorOf(deps, request, accountId),
        id,
        parseBody(rotation, request.body),
      ),
    };
  });
  app.get<{ Params: Params }>('/projects/:apiKey/signature-secret', async (request, reply) => {
    const { id, accountId } = await owned(core, auth, request, request.params.apiKey);
    reply.header('cache-control', 'no-store');
    return { signatureSecret: await core.accesses.showSignatureSecret(actorOf(deps, request, accountId), id) };
  });
  app.post<{ Params: Params }>('/projects/:apiKey/signature-secret', async (request) => {
    const { id, accountId } = await owned(core, auth, request, request.params.apiKey);
    return { signatureSecret: await core.projects.rotateSignatureSecret(actorOf(deps, request, accountId), id) };
  });
}

/** A live look into a session, without names or data of its participants. */
export async function inspect(core: Core, apiKey: string, sessionId: string): Promise<Record<string, unknown>> {
  const session = await core.sessions.get(apiKey, sessionId);
  const [connections, streams, security] = await Promise.all([
    core.calls.connections(apiKey, sessionId),
    core.calls.streams(apiKey, sessionId),
    core.calls.security(apiKey, sessionId),
  ]);
  return {
    sessionId: session.id,
    projectId: session.projectId,
    mediaMode: session.mediaMode,
    zone: session.zone,
    policy: session.policy,
    createdAt: session.createdAt,
    connections: await Promise.all(
      connections.map(async ({ id, role, createdAt, peer }) => ({
        connectionId: id,
        role,
        createdAt,
        /** RTP packets that the media worker forwarded from and to this client. */
        packets: (await peer?.packets()) ?? null,
      })),
    ),
    streams: streams.map(({ id, connection, videoType, hasAudio, hasVideo }) => ({
      streamId: id,
      connectionId: connection.id,
      videoType,
      hasAudio,
      hasVideo,
    })),
    legs: security.legs,
  };
}

/** The project of the account that asks. @throws PlatformError `ProjectNotFound` */
export async function owned(core: Core, auth: RestAuth, request: FastifyRequest, apiKey: string): Promise<Project> {
  return core.projects.ofAccount(await auth.account(request), apiKey);
}

function view({ id, name, status, policy, zone, createdAt }: Project): Record<string, unknown> {
  return { apiKey: id, name, status, policy, zone, createdAt };
}
