/** Who is behind the address list, and reminding them before a change takes effect. */
import { limits } from '@cloister/protocol';
import type { Cancel } from '../lib/index.ts';
import type { Accounts } from './account.ts';
import type { AddressVersion } from './address-block.ts';
import { ofCustomers } from './address-document.ts';
import type { AddressLists } from './address-list.ts';
import type { Foundation } from './foundation.ts';
import { entitled } from './plan.ts';

/** Days before a change takes effect, the last first. */
const reminderDays = [
  limits.addressReminderDaysLast,
  limits.addressReminderDaysSecond,
  limits.addressReminderDaysFirst,
];
const dayMs = 86_400_000;
/** How often is looked: a reminder comes at most so much late. */
const lookMs = 3_600_000;

/** A project that has not acknowledged the last version. */
export interface Behind {
  readonly projectId: string;
  readonly accountId: string;
  /** Numbers of versions; 0: none. */
  readonly fetched: number;
  readonly acknowledged: number;
  /** When the next change takes effect that it has not acknowledged; null: none is to come. */
  readonly nextAt: number | null;
}

export class AddressReminders {
  readonly #deps: Foundation;
  readonly #parts: { lists: AddressLists; accounts: Accounts };
  #cancel: Cancel = () => {};
  #looking: Promise<void> = Promise.resolve();
  #stopped = true;

  constructor(deps: Foundation, parts: { lists: AddressLists; accounts: Accounts }) {
    this.#deps = deps;
    this.#parts = parts;
  }

  /** Projects with the entitlement. */
  async readers(): Promise<{ projectId: string; accountId: string }[]> {
    const accounts = (await this.#parts.accounts.list()).filter((account) => entitled(account, 'ip.ranges'));
    const lists = await Promise.all(accounts.map(({ id }) => this.#deps.store.projects.list(id)));
    return lists.flat().map(({ id, accountId }) => ({ projectId: id, accountId }));
  }

  /** Those who have not acknowledged the last version, in order of their accounts. */
  async behind(): Promise<Behind[]> {
    const last = await this.#parts.lists.last();
    if (!last) return [];
    const receipts = new Map((await this.#deps.store.addresses.receipts()).map((each) => [each.projectId, each]));
    const now = this.#parts.lists.now();
    return (await this.readers()).flatMap(({ projectId, accountId }) => {
      const { fetched = 0, acknowledged = 0 } = receipts.get(projectId) ?? {};
      if (acknowledged >= last.number) return [];
      const nextAt = pending(last, now, acknowledged)[0] ?? null;
      return [{ projectId, accountId, fetched, acknowledged, nextAt }];
    });
  }

  start(): void {
    this.#stopped = false;
    this.#schedule(0);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#looking;
  }

  #schedule(ms: number): void {
    this.#cancel = this.#deps.clock.after(ms, () => {
      this.#looking = this.remind().catch(() => {
        this.#deps.journal.record('error', 'those behind the address list could not be reminded; it is tried again');
      });
      void this.#looking.then(() => this.#stopped || this.#schedule(lookMs));
    });
  }

  /** Reminds whoever is due, once for each change and day; who was not for a while gets the latest alone. */
  async remind(): Promise<void> {
    const { recorder, store } = this.#deps;
    const last = await this.#parts.lists.last();
    const now = this.#parts.lists.now();
    if (!last) return;
    const told = new Set((await store.addresses.reminders()).map(nameOf));
    for (const { projectId, acknowledged } of await this.behind()) {
      for (const takesEffectAt of pending(last, now, acknowledged)) {
        const days = reminderDays.find((each) => now >= takesEffectAt - each * dayMs);
        const reminder = days === undefined ? null : { projectId, takesEffectAt, days };
        if (!reminder || told.has(nameOf(reminder))) continue;
        const event = { type: 'addressList.reminded', ...reminder, version: last.token } as const;
        await recorder.change({ kind: 'system' }, event, (stamped) => store.addresses.remind(reminder, stamped));
      }
    }
  }
}

function nameOf({
  projectId,
  takesEffectAt,
  days,
}: {
  projectId: string;
  takesEffectAt: number;
  days: number;
}): string {
  return `${projectId} ${takesEffectAt} ${days}`;
}

/** Times at which something changes that was announced in a later version than the acknowledged one; ascending. */
function pending(last: AddressVersion, now: number, acknowledged: number): number[] {
  const times = ofCustomers(last).flatMap(({ effectiveAt, announcedIn, withdrawnAt, withdrawalIn }) => [
    ...(announcedIn > acknowledged ? [effectiveAt] : []),
    ...(withdrawnAt !== null && withdrawalIn! > acknowledged ? [withdrawnAt] : []),
  ]);
  return [...new Set(times.filter((at) => at > now))].sort((a, b) => a - b);
}
