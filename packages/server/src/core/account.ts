/** Accounts: who has a plan, buys add-ons and owns projects. */
import { limits, PlatformError } from '@cloister/protocol';
import type { Account } from './entities.ts';
import type { Actor } from './event.ts';
import { type FeatureUses, type Use, usesOf } from './feature-use.ts';
import type { Foundation } from './foundation.ts';
import {
  type AddOns,
  entitled,
  type Feature,
  features,
  type PlanName,
  requireEntitled,
  requireSold,
  type Terms,
} from './plan.ts';
import { PlanBook, refused } from './plan-book.ts';
import { newKey, newSecret } from './project.ts';
import { sealedContext } from './sealed-context.ts';
import { compareTerms, inOrder, type TermsChange, type Turn, termsAt, turnsAfter } from './terms.ts';

/** An account with the terms that hold now. */
export interface CurrentAccount extends Account, Terms {
  /** Of its terms: how often they were changed. */
  readonly version: number;
}

/** A change of terms, as it is asked for. What is left out stays. */
export interface TermsWish {
  readonly plan?: PlanName | undefined;
  /** All add-ons, instead of those before. */
  readonly addOns?: AddOns | undefined;
  readonly buy?: AddOns | undefined;
  readonly drop?: AddOns | undefined;
  /** Milliseconds since 1970; now where it is left out. */
  readonly from?: number | undefined;
}

/** How a change of terms is made. */
export interface TermsOrder extends TermsWish {
  /** The version that the change was previewed at; any where it is left out. */
  readonly version?: number | undefined;
  /** Made although projects use what is lost. */
  readonly force?: boolean | undefined;
}

/** What a change would do, and to whom. */
export interface TermsPreview {
  /** Of the terms that it was made from. */
  readonly version: number;
  readonly effectiveAt: number;
  readonly before: Pick<Terms, 'plan' | 'addOns'>;
  readonly after: Pick<Terms, 'plan' | 'addOns'>;
  readonly won: readonly Turn[];
  readonly lost: readonly Turn[];
  /** What now uses something that is lost. */
  readonly uses: readonly Use[];
}

interface Known {
  readonly account: CurrentAccount;
  /** Of the terms in it, in milliseconds since 1970: from, and up to. */
  readonly from: number;
  readonly until: number;
}

const dayMs = 86_400_000;

export class Accounts {
  readonly #deps: Foundation;
  readonly #plans: PlanBook;
  readonly #uses: FeatureUses;
  readonly #known = new Map<string, Known>();
  /** Raised by every change: what was read before it is not remembered after it. */
  #generation = 0;
  /** The last change of each account that is under way. */
  readonly #turns = new Map<string, Promise<void>>();

  constructor(
    deps: Foundation,
    { plans = new PlanBook(), uses = {} }: { plans?: PlanBook | undefined; uses?: FeatureUses } = {},
  ) {
    this.#deps = deps;
    this.#plans = plans;
    this.#uses = uses;
  }

  /** The table of plans in all its versions. */
  get plans(): PlanBook {
    return this.#plans;
  }

  /**
   * Creates an account. Its secret is in the answer and nowhere else in the clear.
   * @throws PlatformError `PlanUnknown`; `BadRequest` for a name that is too long, or an add-on that the plan does not sell.
   */
  async create(
    actor: Actor,
    wish: { name: string; plan: PlanName; addOns?: AddOns },
  ): Promise<{ account: CurrentAccount; secret: string }> {
    const { keys, store, recorder, clock } = this.#deps;
    if (wish.name.length > limits.nameChars)
      throw new PlatformError('BadRequest', { why: `name is longer than ${limits.nameChars} characters` });
    const { plan, addOns = [] } = wish;
    const now = clock.now();
    requireSold({ plan, addOns, table: this.#plans.at(now) });
    const secret = newSecret(this.#deps.ids);
    const id = await newKey(this.#deps.ids, async (key) => (await store.accounts.get(key)) !== null);
    const dated = { version: 1, effectiveAt: now, decidedAt: now, by: actor.kind };
    const account: Account = {
      id,
      name: wish.name,
      secret: keys.seal(null, sealedContext.accountSecret(id), secret),
      changes: [{ ...dated, plan, addOns, buy: [], drop: [], forced: false }],
      createdAt: now,
    };
    await recorder.change(
      actor,
      { type: 'account.created', projectId: null, accountId: id, plan, addOns, shown: ['account'] },
      (event) => store.accounts.create(account, event),
    );
    return { account: this.#remember(account), secret };
  }

  /** @throws PlatformError `IssuerNotFound` */
  async get(id: string): Promise<CurrentAccount> {
    const known = this.#known.get(id);
    const now = this.#deps.clock.now();
    if (known && known.from <= now && now < known.until) return known.account;
    if (known) return this.#remember(known.account);
    const generation = this.#generation;
    const account = await this.#deps.store.accounts.get(id);
    if (!account) throw new PlatformError('IssuerNotFound');
    return generation === this.#generation ? this.#remember(account) : this.#current(account).account;
  }

  async list(): Promise<CurrentAccount[]> {
    return (await this.#deps.store.accounts.list()).map((account) => this.#current(account).account);
  }

  /** The account's secret in the clear, for checking a signature. */
  async secretOf(id: string): Promise<string> {
    const account = await this.get(id);
    return this.#deps.keys.open(null, sealedContext.accountSecret(id), account.secret);
  }

  /** What a change of terms would do. @throws PlatformError as `changePlan`, but for what is used and for versions */
  async preview(actor: Actor, id: string, wish: TermsWish): Promise<TermsPreview> {
    requireAllowed(actor, id, wish);
    const account = await this.get(id);
    return this.#preview(account, this.#changeOf(actor, account, wish));
  }

  /**
   * Changes plan or add-ons from a date on; what has held stays as it was.
   * @throws PlatformError `IssuerNotFound`, `PlanUnknown`; `BadRequest` for an add-on that the plan does not sell then;
   *   `FeatureInUse` where projects use what is lost and it is not forced; `TermsChanged` where the version is another by now;
   *   `TermsRetroactive`; `OperatorOnly` for what an account may not do itself; `LimitReached`
   */
  changePlan(actor: Actor, id: string, order: TermsOrder): Promise<TermsPreview> {
    return this.#inTurn(id, () => this.#changePlan(actor, id, order));
  }

  /**
   * Makes a change that needs a feature. No change of terms comes between the check and the change, so that none is made without
   * knowing of this use.
   * @param feature null for a change that needs none
   * @throws PlatformError `NotEntitled`, and what the change throws
   */
  async whileEntitled<Result>(id: string, feature: Feature | null, change: () => Promise<Result>): Promise<Result> {
    if (feature === null) return change();
    return this.#inTurn(id, async () => {
      requireEntitled(await this.get(id), feature);
      return change();
    });
  }

  /** Whether an account has a feature, by its plan or as an add-on. */
  async entitled(id: string, feature: Feature): Promise<boolean> {
    return entitled(await this.get(id), feature);
  }

  /** What is agreed: changes in the order in which they take effect, and what uses a feature that one to come takes away. */
  async history(id: string): Promise<{ account: CurrentAccount; changes: TermsChange[]; ends: (Turn & Use)[] }> {
    const account = await this.get(id);
    const { changes } = account;
    const ends: Turn[] = [];
    for (const at of turnsAfter(changes, this.#plans, this.#deps.clock.now())) {
      const [before, after] = [at - 1, at].map((time) => termsAt(changes, this.#plans, time)) as [Terms, Terms];
      for (const feature of features) {
        if (entitled(before, feature) && !entitled(after, feature)) ends.push({ feature, at });
      }
    }
    const uses = await this.#usesOf(id, ends);
    const named = ends.flatMap((end) =>
      uses.filter(({ feature }) => feature === end.feature).map((use) => ({ ...use, ...end })),
    );
    return { account, changes: inOrder(changes), ends: named };
  }

  /**
   * Asked at the start: an account whose plan the table does not have, now or from a date on, would lose everything unseen.
   * @throws PlatformError `PlansRefused` that names account, plan and version
   */
  async requireKnownPlans(): Promise<void> {
    const now = this.#deps.clock.now();
    for (const { id, changes } of await this.#deps.store.accounts.list()) {
      for (const at of [now, ...turnsAfter(changes, this.#plans, now)]) {
        const { plan, table } = termsAt(changes, this.#plans, at);
        if (!table.plans.includes(plan)) {
          const place = `the version ${table.version}`;
          throw refused(place, `account ${id} is on the plan ${plan} while it holds, and it has no such plan`);
        }
      }
    }
  }

  async #changePlan(actor: Actor, id: string, order: TermsOrder): Promise<TermsPreview> {
    requireAllowed(actor, id, order);
    const { recorder, store } = this.#deps;
    const account = await this.get(id);
    const { version = account.version, force = false } = order;
    const moved = () => new PlatformError('TermsChanged', { version: account.version, expected: version });
    if (version !== account.version) throw moved();
    const wanted = this.#changeOf(actor, account, order);
    requireRoom(account.changes, wanted);
    const preview = await this.#preview(account, wanted);
    if (preview.uses.length > 0 && !force) throw new PlatformError('FeatureInUse', { uses: named(preview.uses) });
    const change = { ...wanted, forced: preview.uses.length > 0 };
    const { effectiveAt, forced } = change;
    const lost = preview.lost.map(({ feature }) => feature);
    const facts = { ...preview.after, version: change.version, effectiveAt, lost, forced };
    await recorder
      .change(actor, { type: 'account.planChanged', projectId: null, accountId: id, ...facts }, (event) =>
        store.accounts.changeTerms(id, change, event),
      )
      .finally(() => {
        this.#generation += 1;
        this.#known.delete(id);
      });
    return preview;
  }

  /** @throws PlatformError `TermsRetroactive`, `BadRequest` */
  #changeOf(actor: Actor, { changes, version }: CurrentAccount, wish: TermsWish): TermsChange {
    const now = this.#deps.clock.now();
    const { plan = null, addOns = null, buy = [], drop = [], from = now } = wish;
    const iso = (time: number) => new Date(time).toISOString();
    const last = Math.max(...changes.map(({ decidedAt }) => decidedAt));
    if (last > now) {
      const why = `they were last changed at ${iso(last)}, and the clock of the server says ${iso(now)}`;
      throw new PlatformError('TermsRetroactive', { why });
    }
    if (from < now) throw new PlatformError('TermsRetroactive', { why: `${iso(from)} is before ${iso(now)}` });
    if (from > now + limits.termsAheadDays * dayMs) {
      throw new PlatformError('BadRequest', { why: `from is more than ${limits.termsAheadDays} days ahead` });
    }
    if (plan === null && addOns === null && buy.length + drop.length === 0) {
      throw new PlatformError('BadRequest', { why: 'it names no plan and no add-on' });
    }
    const both = buy.find((feature) => drop.includes(feature));
    if (both) throw new PlatformError('BadRequest', { why: `${both} is bought and dropped at once` });
    const dated = { version: version + 1, effectiveAt: from, decidedAt: now, by: actor.kind };
    return { ...dated, plan, addOns, buy, drop, forced: false };
  }

  /** @throws PlatformError `PlanUnknown`, `BadRequest` */
  async #preview({ id, changes, version }: CurrentAccount, change: TermsChange): Promise<TermsPreview> {
    const all = [...changes, change];
    const { effectiveAt } = change;
    const moments = all.map((each) => each.effectiveAt).filter((at) => at >= effectiveAt);
    for (const at of moments) requireSold(termsAt(all, this.#plans, at));
    const absent = change.drop.find((feature) => !termsAt(changes, this.#plans, effectiveAt).addOns.includes(feature));
    if (absent)
      throw new PlatformError('BadRequest', { why: `${absent} is not among the add-ons of the account then` });
    const shown = ({ plan, addOns }: Terms) => ({ plan, addOns });
    const { won, lost } = compareTerms(changes, change, this.#plans);
    return {
      version,
      effectiveAt,
      before: shown(termsAt(changes, this.#plans, effectiveAt)),
      after: shown(termsAt(all, this.#plans, effectiveAt)),
      won,
      lost,
      uses: await this.#usesOf(id, lost),
    };
  }

  async #usesOf(id: string, turns: readonly Turn[]): Promise<Use[]> {
    if (turns.length === 0) return [];
    const lost = [...new Set(turns.map(({ feature }) => feature))];
    return usesOf(this.#uses, await this.#deps.store.projects.list(id), lost);
  }

  #remember(account: Account): CurrentAccount {
    const known = this.#current(account);
    this.#known.set(account.id, known);
    return known.account;
  }

  #current(account: Account): Known {
    const now = this.#deps.clock.now();
    const terms = termsAt(account.changes, this.#plans, now);
    const [until = Number.POSITIVE_INFINITY] = turnsAfter(account.changes, this.#plans, now);
    const { id, name, secret, changes, createdAt } = account;
    const version = changes.length;
    return { account: { id, name, secret, changes, createdAt, ...terms, version }, from: now, until };
  }

  /** One change of an account after the other, so that each is checked against what the one before has left. */
  async #inTurn<Result>(id: string, change: () => Promise<Result>): Promise<Result> {
    const turn = (this.#turns.get(id) ?? Promise.resolve()).then(change);
    const over = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#turns.set(id, over);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(id) === over) this.#turns.delete(id);
    }
  }
}

/** What an account may do to its own terms. @throws PlatformError `OperatorOnly` */
function requireAllowed(actor: Actor, id: string, { plan, addOns, force }: TermsOrder): void {
  if (actor.kind === 'operator' || actor.kind === 'system') return;
  if (!('accountId' in actor) || actor.accountId !== id) {
    throw new PlatformError('OperatorOnly', { action: 'change the terms of another account' });
  }
  if (plan !== undefined) throw new PlatformError('OperatorOnly', { action: 'change the plan of an account' });
  if (addOns !== undefined) throw new PlatformError('OperatorOnly', { action: 'replace all add-ons of an account' });
  if (force) throw new PlatformError('OperatorOnly', { action: 'force a change that takes away what is used' });
}

/** @throws PlatformError `LimitReached` */
function requireRoom(changes: readonly TermsChange[], { effectiveAt, decidedAt, by }: TermsChange): void {
  const waiting = changes.filter((each) => each.effectiveAt > decidedAt).length;
  if (effectiveAt > decidedAt && waiting >= limits.termsWaiting) {
    throw new PlatformError('LimitReached', { limit: 'termsWaiting', value: limits.termsWaiting });
  }
  const today = changes.filter((each) => each.by === 'account' && each.decidedAt > decidedAt - dayMs).length;
  if (by === 'account' && today >= limits.termsChangesPerDay) {
    throw new PlatformError('LimitReached', { limit: 'termsChangesPerDay', value: limits.termsChangesPerDay });
  }
}

function named(uses: readonly Use[]): string {
  const some = uses.slice(0, limits.termsUsesNamed);
  const words = some.map(({ feature, projectId, what }) => `${feature}: project ${projectId} ${what}`);
  const rest = uses.length - some.length;
  return [...words, ...(rest > 0 ? [`and ${rest} more`] : [])].join('; ');
}
