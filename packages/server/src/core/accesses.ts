/**
 * Accesses: nothing is changed, and all the same somebody has to be able to ask who did it. Each is recorded durably before it
 * happens; one that cannot be recorded does not happen.
 */
import { type ErrorCode, limits, PlatformError } from '@cloister/protocol';
import type { Accounts } from './account.ts';
import type { Actor } from './event.ts';
import type { Foundation } from './foundation.ts';
import type { Act } from './ports.ts';
import type { Projects } from './project.ts';
import type { NewEvent } from './recorder.ts';
import { sealedContext } from './sealed-context.ts';

/** A setting at a start. */
export interface SettingFact {
  readonly name: string;
  /** As it may be shown. */
  readonly value: string;
  /** Whether it is what nobody set. */
  readonly standard: boolean;
  /** Something that changes with it, where the value may not be shown: its hash. It is kept sealed and never told. */
  readonly mark?: string;
}

/** How somebody logs in to the pages. */
export type LogInWay = 'account' | 'code';

export class Accesses {
  readonly #deps: Foundation;
  readonly #parts: { accounts: Accounts; projects: Projects };

  constructor(deps: Foundation, parts: { accounts: Accounts; projects: Projects }) {
    this.#deps = deps;
    this.#parts = parts;
  }

  /** The secret of a project, for who may see it. @throws PlatformError `IssuerNotFound`, and why it could not be recorded */
  async showSecret(actor: Actor, projectId: string): Promise<string> {
    const [newest] = await this.#parts.projects.secretsOf(projectId);
    await this.#record(actor, { type: 'secret.shown', projectId, secret: 'api' });
    return newest!.secret;
  }

  /** The secret that signs a project's webhooks, for who may see it. @throws as `showSecret` */
  async showSignatureSecret(actor: Actor, projectId: string): Promise<string> {
    const secret = await this.#parts.projects.signatureSecretOf(projectId);
    await this.#record(actor, { type: 'secret.shown', projectId, secret: 'signature' });
    return secret;
  }

  /** Somebody has shown who they are, and is let into the pages when this resolves. @param accountId null: by the code of `--lan` */
  async loggedIn(actor: Actor, way: LogInWay, accountId: string | null): Promise<void> {
    await this.#record(actor, { type: 'page.loggedIn', projectId: null, way, accountId });
  }

  /**
   * Somebody was not let in.
   * @param claimed the account that they named: it is told where there is one of that key, since anything may be typed there
   */
  async refusedLogIn(actor: Actor, claimed: string | null, code: ErrorCode): Promise<void> {
    const known = claimed !== null && (await this.#parts.accounts.get(claimed).catch(() => null)) !== null;
    const subject: Act['subject'] = known ? { kind: 'account', id: claimed } : { kind: 'platform', id: 'pages' };
    this.#deps.recorder.record(actor, { type: 'act.failed', projectId: null, action: 'page.loggedIn', subject, code });
  }

  /**
   * What a server starts with: how many keys the root has opened, and which settings are not what they were at the last start.
   * @throws PlatformError where it cannot be recorded; the server does not start then
   */
  async started(settings: readonly SettingFact[], keys: number): Promise<void> {
    const { store, keys: ring } = this.#deps;
    const actor: Actor = { kind: 'operator', via: 'start' };
    await this.#record(actor, { type: 'keys.unwrapped', projectId: null, keys });
    const sealed = await store.settings.last();
    const last = sealed === null ? null : readSettings(ring.open(null, sealedContext.settings(), sealed));
    const changed = settings.flatMap((now) => {
      const before = last?.get(now.name);
      const same = before ? before.value === now.value && before.mark === now.mark : now.standard;
      return same ? [] : [{ setting: now.name, from: before ? cut(before.value) : null, to: cut(now.value) }];
    });
    if (last !== null && changed.length === 0) return;
    const next = ring.seal(null, sealedContext.settings(), JSON.stringify(settings));
    await this.#deps.recorder.change(actor, { type: 'settings.changed', projectId: null, changed }, (event) =>
      store.settings.put(next, event),
    );
  }

  async #record(actor: Actor, event: NewEvent): Promise<void> {
    await this.#deps.recorder.change(actor, event, (stamped) => this.#deps.store.outbox.append([stamped]));
  }
}

function cut(value: string): string {
  return value.length > limits.auditSettingChars ? `${value.slice(0, limits.auditSettingChars)}…` : value;
}

/** @throws PlatformError `SealBroken` for what no start has written */
function readSettings(text: string): Map<string, SettingFact> {
  const list = JSON.parse(text) as unknown;
  if (!Array.isArray(list))
    throw new PlatformError('SealBroken', { why: 'the settings of the last start are no list' });
  return new Map((list as SettingFact[]).map((each) => [each.name, each]));
}
