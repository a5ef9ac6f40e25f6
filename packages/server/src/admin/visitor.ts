/** Who is at the playground, and which project they make calls with. */
import { PlatformError } from '@cloister/protocol';
import type { FastifyRequest } from 'fastify';
import type { Core, Project } from '../core/index.ts';
import { type LoggedIn, loggedIn } from './login.ts';

export interface VisitorDeps {
  readonly core: Core;
  readonly mode: 'development' | 'production';
  /** The code of a start with `--lan`: then everybody has to type it. */
  readonly lanCode: string | null;
  /** The project of the first start, in development. */
  projectId(): string | null;
}

/** Who may come in by this request: an account in production, somebody with the code with `--lan`, otherwise anybody. */
export function visitor({ core, mode, lanCode }: VisitorDeps, request: FastifyRequest): LoggedIn | 'anybody' | null {
  if (mode === 'development' && lanCode === null) return 'anybody';
  const who = loggedIn(core, request);
  return mode === 'production' && who !== null && !('accountId' in who) ? null : who;
}

/** The project to make calls with: the account's first one that is active, in development rather that of the first start. */
export async function projectFor(deps: VisitorDeps, request: FastifyRequest): Promise<Project | null> {
  const { core } = deps;
  const who = visitor(deps, request);
  if (who === null) return null;
  const accounts =
    deps.mode === 'production' && who !== 'anybody' && 'accountId' in who
      ? [who.accountId]
      : (await core.accounts.list()).map(({ id }) => id);
  const lists = await Promise.all(accounts.map((id) => core.projects.list(id)));
  const active = lists.flat().filter(({ status }) => status === 'ACTIVE');
  return active.find(({ id }) => id === deps.projectId()) ?? active[0] ?? null;
}

/** @throws PlatformError `LogInRequired`, or `WrongState` where there is no project to use */
export async function requireProject(deps: VisitorDeps, request: FastifyRequest): Promise<Project> {
  const project = await projectFor(deps, request);
  if (project) return project;
  if (visitor(deps, request) === null) throw new PlatformError('LogInRequired');
  throw new PlatformError('WrongState', { why: 'there is no active project to make a call with' });
}
