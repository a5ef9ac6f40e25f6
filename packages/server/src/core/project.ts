/** Projects: an API key, its secrets, its media policy and zone. */
import { limits, type MediaPolicy, PlatformError } from '@cloister/protocol';
import type { Ids } from '../lib/index.ts';
import type { Accounts } from './account.ts';
import type { Project, ProjectSecret } from './entities.ts';
import type { Actor } from './event.ts';
import type { Foundation } from './foundation.ts';
import { type Feature, zoneFeature } from './plan.ts';
import { sealedContext } from './sealed-context.ts';

/** OpenTok's secrets are 40 hexadecimal digits; ours carry 160 random bits in the same form. */
export function newSecret(ids: Ids): string {
  return ids.hex(20);
}

/** A free API key: eight to ten digits, below 2^31, since the PHP and Java SDKs hold keys as ints. */
export async function newKey(ids: Ids, taken: (key: string) => Promise<boolean>): Promise<string> {
  for (;;) {
    const key = String(ids.integer(10_000_000, 2 ** 31));
    if (!(await taken(key))) return key;
  }
}

/** How a secret is replaced: `at once` refuses the old one's tokens, `grace` keeps both for a time, `compromised` also closes the connections it opened. */
export type Rotation =
  | { readonly how: 'at once' }
  | { readonly how: 'grace'; readonly seconds: number }
  | { readonly how: 'compromised' };

/** A secret of a project in the clear, for checking a signature. */
export interface ClearSecret {
  readonly id: string;
  readonly secret: string;
}

export class Projects {
  readonly #deps: Foundation;
  readonly #accounts: Accounts;
  readonly #reportsSuites: () => boolean;
  readonly #known = new Map<string, { project: Project; clear: ClearSecret[] }>();
  /** Raised by every change: what was read before it is not remembered after it. */
  #generation = 0;
  /** Those that are being removed: nothing new begins in them. */
  readonly #going = new Set<string>();
  /** Called after a rotation that names the old secret as known to others. */
  onCompromised: (projectId: string, secretIds: readonly string[]) => void = () => {};
  /** Called when a project may not be used any more. */
  onSuspended: (projectId: string) => void = () => {};
  /** Waited for before a project is removed: what belongs to it outside the store goes first. */
  beforeRemoved: (projectId: string) => Promise<void> = async () => {};

  constructor(deps: Foundation, accounts: Accounts, reportsSuites: () => boolean) {
    this.#deps = deps;
    this.#accounts = accounts;
    this.#reportsSuites = reportsSuites;
  }

  /**
   * Creates a project. Its secrets are in the answer and nowhere else in the clear.
   * @throws PlatformError `LimitReached`; `NotEntitled` for a zone that the account has not
   */
  async create(
    actor: Actor,
    accountId: string,
    wish: { name?: string; zone?: string },
  ): Promise<{ project: Project; secret: string; signatureSecret: string }> {
    const { ids, keys, store, recorder, clock } = this.#deps;
    await this.#accounts.get(accountId);
    const name = wish.name ?? '';
    if (name.length > limits.nameChars)
      throw new PlatformError('BadRequest', { why: `name is longer than ${limits.nameChars} characters` });
    const siblings = await store.projects.list(accountId);
    if (siblings.length >= limits.projectsPerAccount) {
      throw new PlatformError('LimitReached', { limit: 'projectsPerAccount', value: limits.projectsPerAccount });
    }
    const id = await newKey(
      ids,
      async (key) => (await store.projects.get(key)) !== null || (await store.accounts.get(key)) !== null,
    );
    await keys.createDataKey(id);
    const [secret, signatureSecret] = [newSecret(ids), newSecret(ids)];
    const project: Project = {
      id,
      accountId,
      name,
      status: 'ACTIVE',
      secrets: [this.#seal(id, secret)],
      signatureSecret: keys.seal(id, sealedContext.signatureSecret(), signatureSecret),
      policy: 'prefer-aes256',
      zone: wish.zone ?? 'any',
      createdAt: clock.now(),
    };
    const created = { type: 'project.created', projectId: id, accountId, shown: ['api', 'signature'] } as const;
    await this.#accounts.whileEntitled(accountId, zoneFeature(project.zone), () =>
      recorder.change(actor, created, (event) => store.projects.create(project, event)),
    );
    return { project, secret, signatureSecret };
  }

  /** @throws PlatformError `IssuerNotFound` */
  async get(id: string): Promise<Project> {
    return (await this.#load(id)).project;
  }

  /** @throws PlatformError `ProjectNotFound` when the project is not this account's. */
  async ofAccount(accountId: string, id: string): Promise<Project> {
    const project = await this.#deps.store.projects.get(id);
    if (!project || project.accountId !== accountId) throw new PlatformError('ProjectNotFound', { projectId: id });
    return project;
  }

  async list(accountId: string): Promise<Project[]> {
    return this.#deps.store.projects.list(accountId);
  }

  /** Whether the plan of a project's account has a feature. @throws PlatformError as `active` */
  async entitled(projectId: string, feature: Feature): Promise<boolean> {
    return this.#accounts.entitled((await this.active(projectId)).accountId, feature);
  }

  /** @throws PlatformError `IssuerNotFound`, `ProjectSuspended` */
  async active(id: string): Promise<Project> {
    const project = await this.get(id);
    this.requireStaying(id);
    if (project.status !== 'ACTIVE') throw new PlatformError('ProjectSuspended', { projectId: id });
    return project;
  }

  /** Whether it is being removed. */
  isGoing(id: string): boolean {
    return this.#going.has(id);
  }

  /** Asked before something new begins in a project. @throws PlatformError `IssuerNotFound` while it is being removed */
  requireStaying(id: string): void {
    if (this.isGoing(id)) throw new PlatformError('IssuerNotFound');
  }

  /** Secrets that are valid now, newest first. @throws PlatformError `IssuerNotFound` */
  async secretsOf(id: string): Promise<readonly ClearSecret[]> {
    const { project, clear } = await this.#load(id);
    const now = this.#deps.clock.now();
    const expired = project.secrets.filter((secret) => secret.expiresAt !== null && secret.expiresAt <= now);
    return expired.length === 0
      ? clear
      : clear.filter(({ id: secretId }) => !expired.some((old) => old.id === secretId));
  }

  /** Secret that signs this project's webhooks. */
  async signatureSecretOf(id: string): Promise<string> {
    const { project } = await this.#load(id);
    return this.#deps.keys.open(id, sealedContext.signatureSecret(), project.signatureSecret);
  }

  /** Replaces the secret; the new one is in the answer. @throws PlatformError `BadRequest` for a grace out of bounds. */
  async rotateSecret(actor: Actor, id: string, rotation: Rotation): Promise<string> {
    const { ids, clock, recorder, store } = this.#deps;
    const { project } = await this.#load(id);
    const old = project.secrets[0]!;
    const kept: ProjectSecret[] = [];
    if (rotation.how === 'grace') {
      if (!(rotation.seconds > 0 && rotation.seconds <= limits.secretGraceSecondsMax)) {
        throw new PlatformError('BadRequest', { why: `grace must be 1 to ${limits.secretGraceSecondsMax} seconds` });
      }
      kept.push({ ...old, expiresAt: clock.now() + rotation.seconds * 1000 });
    }
    const secret = newSecret(ids);
    const sealed = this.#seal(id, secret);
    await recorder.change(
      actor,
      { type: 'project.secretRotated', projectId: id, secretId: sealed.id, how: rotation.how, shown: ['api'] },
      (event) => store.projects.update(id, { secrets: [sealed, ...kept] }, event),
    );
    this.forget(id);
    if (rotation.how === 'compromised') {
      this.onCompromised(
        id,
        project.secrets.map((each) => each.id),
      );
    }
    return secret;
  }

  /** Replaces the secret that signs webhooks: calls have the new one from now on, those that are tried again too. */
  async rotateSignatureSecret(actor: Actor, id: string): Promise<string> {
    const { ids, keys, recorder, store } = this.#deps;
    await this.#load(id);
    const secret = newSecret(ids);
    const signatureSecret = keys.seal(id, sealedContext.signatureSecret(), secret);
    const shown = ['signature'] as const;
    await recorder.change(actor, { type: 'project.signatureSecretRotated', projectId: id, shown }, (event) =>
      store.projects.update(id, { signatureSecret }, event),
    );
    this.forget(id);
    return secret;
  }

  async setStatus(actor: Actor, id: string, status: Project['status']): Promise<Project> {
    await this.#load(id);
    const { recorder, store } = this.#deps;
    await recorder.change(actor, { type: 'project.statusChanged', projectId: id, status }, (event) =>
      store.projects.update(id, { status }, event),
    );
    this.forget(id);
    if (status === 'SUSPENDED') this.onSuspended(id);
    return this.get(id);
  }

  /**
   * Sets the media policy for sessions created from now on.
   * @throws PlatformError `NotEntitled`; `SuiteUnprovable` where the worker does not report suites.
   */
  async setPolicy(actor: Actor, id: string, policy: MediaPolicy): Promise<Project> {
    const { project } = await this.#load(id);
    const { recorder, store } = this.#deps;
    const needed = policy === 'require-aes256' ? 'media.aes256' : null;
    await this.#accounts.whileEntitled(project.accountId, needed, async () => {
      if (needed !== null && !this.#reportsSuites()) throw new PlatformError('SuiteUnprovable');
      await recorder.change(actor, { type: 'project.policyChanged', projectId: id, policy }, (event) =>
        store.projects.update(id, { policy }, event),
      );
    });
    this.forget(id);
    return this.get(id);
  }

  /**
   * Removes a project and all that belongs to it. Its stored data keys go in the same transaction, so that a crash leaves
   * no project whose values cannot be opened; those in memory go right after it. From its beginning on nobody joins it and
   * nothing begins in it; where it fails, the project is as it was, but for those who were in it and the files that are gone.
   * @throws PlatformError `IssuerNotFound`, also while it is being removed already; and what kept its files from being removed
   */
  async remove(actor: Actor, id: string): Promise<void> {
    await this.#load(id);
    this.requireStaying(id);
    this.#going.add(id);
    try {
      this.onSuspended(id);
      await this.beforeRemoved(id);
      const { recorder, store } = this.#deps;
      await recorder.change(actor, { type: 'project.deleted', projectId: id }, (event) =>
        store.projects.remove(id, event),
      );
      await this.#deps.keys.destroyDataKey(id);
    } finally {
      // After it, not before: whoever asked meanwhile has read it once more.
      this.forget(id);
      this.#going.delete(id);
    }
  }

  /** Forgets what is cached, after a change that did not come through here (another node, a rotated key). */
  forget(id: string): void {
    this.#generation += 1;
    this.#known.delete(id);
  }

  async #load(id: string): Promise<{ project: Project; clear: ClearSecret[] }> {
    const known = this.#known.get(id);
    if (known) return known;
    const generation = this.#generation;
    const project = /^\d{1,10}$/.test(id) ? await this.#deps.store.projects.get(id) : null;
    if (!project) throw new PlatformError('IssuerNotFound');
    const clear = project.secrets.map((secret) => ({
      id: secret.id,
      secret: this.#deps.keys.open(id, sealedContext.projectSecret(secret.id), secret.sealed),
    }));
    const loaded = { project, clear };
    if (generation === this.#generation) this.#known.set(id, loaded);
    return loaded;
  }

  #seal(projectId: string, secret: string): ProjectSecret {
    const id = this.#deps.ids.uuid();
    return { id, sealed: this.#deps.keys.seal(projectId, sealedContext.projectSecret(id), secret), expiresAt: null };
  }
}
