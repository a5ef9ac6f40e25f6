/** Accounts: who has a plan, buys add-ons and owns projects. */
import { limits, PlatformError } from '@cloister/protocol';
import type { Account } from './entities.ts';
import type { Actor } from './event.ts';
import type { Foundation } from './foundation.ts';
import { type AddOns, entitled, type Feature, type PlanName, requireSold } from './plan.ts';
import { newKey, newSecret } from './project.ts';
import { sealedContext } from './sealed-context.ts';

export class Accounts {
  readonly #deps: Foundation;
  readonly #known = new Map<string, Account>();

  constructor(deps: Foundation) {
    this.#deps = deps;
  }

  /**
   * Creates an account. Its secret is in the answer and nowhere else in the clear.
   * @throws PlatformError `BadRequest` for a name that is too long, or an add-on that the plan does not sell.
   */
  async create(
    actor: Actor,
    wish: { name: string; plan: PlanName; addOns?: AddOns },
  ): Promise<{ account: Account; secret: string }> {
    const { keys, store, recorder, clock } = this.#deps;
    if (wish.name.length > limits.nameChars)
      throw new PlatformError('BadRequest', { why: `name is longer than ${limits.nameChars} characters` });
    requireSold({ plan: wish.plan, addOns: wish.addOns ?? [] });
    const secret = newSecret(this.#deps.ids);
    const id = await newKey(this.#deps.ids, async (key) => (await store.accounts.get(key)) !== null);
    const account: Account = {
      id,
      name: wish.name,
      secret: keys.seal(null, sealedContext.accountSecret(id), secret),
      plan: wish.plan,
      addOns: wish.addOns ?? [],
      createdAt: clock.now(),
    };
    await recorder.change(
      actor,
      { type: 'account.created', projectId: null, accountId: id, shown: ['account'] },
      (event) => store.accounts.create(account, event),
    );
    this.#known.set(id, account);
    return { account, secret };
  }

  /** @throws PlatformError `IssuerNotFound` */
  async get(id: string): Promise<Account> {
    const account = this.#known.get(id) ?? (await this.#deps.store.accounts.get(id));
    if (!account) throw new PlatformError('IssuerNotFound');
    this.#known.set(id, account);
    return account;
  }

  async list(): Promise<Account[]> {
    return this.#deps.store.accounts.list();
  }

  /** The account's secret in the clear, for checking a signature. */
  async secretOf(id: string): Promise<string> {
    const account = await this.get(id);
    return this.#deps.keys.open(null, sealedContext.accountSecret(id), account.secret);
  }

  /** Changes the plan and the add-ons, for what is asked of it from now on. @throws PlatformError `IssuerNotFound`, `BadRequest` for an add-on that the plan does not sell. */
  async changePlan(actor: Actor, id: string, terms: { plan: PlanName; addOns: AddOns }): Promise<void> {
    await this.get(id);
    requireSold(terms);
    const { recorder, store } = this.#deps;
    const { plan, addOns } = terms;
    await recorder.change(
      actor,
      { type: 'account.planChanged', projectId: null, accountId: id, plan, addOns },
      (event) => store.accounts.update(id, { plan, addOns }, event),
    );
    this.#known.delete(id);
  }

  /** Whether an account has a feature, by its plan or as an add-on. */
  async entitled(id: string, feature: Feature): Promise<boolean> {
    return entitled(await this.get(id), feature);
  }
}
