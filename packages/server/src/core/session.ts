/** Sessions: created by an application's server, joined by clients later. */
import { limits, PlatformError } from '@cloister/protocol';
import type { Session } from './entities.ts';
import type { Actor } from './event.ts';
import type { Foundation } from './foundation.ts';
import type { Projects } from './project.ts';
import { sealedContext } from './sealed-context.ts';
import { newSessionId, projectOfSessionId } from './session-id.ts';

export const archiveResolutions = ['640x480', '480x640', '1280x720', '720x1280', '1920x1080', '1080x1920'] as const;

/** What session/create may ask for; checked here, since the rules are ours and not the wire's. */
export interface SessionWish {
  readonly mediaMode: 'routed' | 'relayed';
  readonly archiveMode: 'manual' | 'always';
  readonly archiveName?: string;
  readonly archiveResolution?: string;
  readonly e2ee: boolean;
}

const cacheSize = 10_000;

export class Sessions {
  readonly #deps: Foundation;
  readonly #projects: Projects;
  readonly #known = new Map<string, Session>();

  constructor(deps: Foundation, projects: Projects) {
    this.#deps = deps;
    this.#projects = projects;
  }

  /**
   * Creates a session; it is durable when this resolves. Zone and policy are copied from the project and never change.
   * @throws PlatformError `BadRequest` for a combination that OpenTok refuses.
   */
  async create(actor: Actor, projectId: string, wish: SessionWish): Promise<Session> {
    const project = await this.#projects.active(projectId);
    checkWish(wish);
    const { clock, keys, store, recorder } = this.#deps;
    const id = newSessionId(projectId, this.#deps);
    const session: Session = {
      id,
      projectId,
      mediaMode: wish.mediaMode,
      archiveMode: wish.archiveMode,
      archiveName:
        wish.archiveName === undefined ? null : keys.seal(projectId, sealedContext.archiveName(), wish.archiveName),
      archiveResolution: wish.archiveResolution ?? null,
      e2ee: wish.e2ee,
      zone: project.zone,
      policy: project.policy,
      createdAt: clock.now(),
    };
    await recorder.change(actor, { type: 'session.created', projectId, sessionId: id }, (event) =>
      store.sessions.create(session, event),
    );
    return session;
  }

  /** @throws PlatformError `SessionNotFound` when this project has no such session. */
  async get(projectId: string, id: string): Promise<Session> {
    if (projectOfSessionId(id) !== projectId) throw new PlatformError('SessionNotFound');
    const session = this.#known.get(id) ?? (await this.#deps.store.sessions.get(id));
    if (!session || session.projectId !== projectId) throw new PlatformError('SessionNotFound');
    this.#known.delete(id);
    this.#known.set(id, session);
    if (this.#known.size > cacheSize) this.#known.delete(this.#known.keys().next().value!);
    return session;
  }
}

function checkWish(wish: SessionWish): void {
  const refuse = (why: string): never => {
    throw new PlatformError('BadRequest', { why });
  };
  const archived = wish.archiveMode === 'always';
  if (archived && wish.mediaMode !== 'routed')
    refuse('archiveMode "always" needs a routed session (p2p.preference "disabled")');
  if (wish.e2ee && wish.mediaMode !== 'routed') refuse('e2ee needs a routed session (p2p.preference "disabled")');
  if (wish.e2ee && archived) refuse('an end-to-end encrypted session cannot be archived');
  if (wish.archiveName !== undefined) {
    if (!archived) refuse('archiveName needs archiveMode "always"');
    if (wish.archiveName.length < 1 || wish.archiveName.length > limits.archiveNameChars) {
      refuse(`archiveName must have 1 to ${limits.archiveNameChars} characters`);
    }
  }
  if (wish.archiveResolution !== undefined) {
    if (!archived) refuse('archiveResolution needs archiveMode "always"');
    if (!archiveResolutions.some((each) => each === wish.archiveResolution)) {
      refuse(`archiveResolution must be one of ${archiveResolutions.join(', ')}`);
    }
  }
}
