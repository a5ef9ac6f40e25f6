/**
 * What an account has agreed to, as a history of dated changes that is only ever added to. What holds at a time follows from the changes
 * and the clock alone, so that a change takes effect by itself, and nothing that has held is ever otherwise.
 */
import type { Actor } from './event.ts';
import type { AddOns, Feature, PlanName, Terms } from './plan.ts';
import { entitled, features } from './plan.ts';
import type { PlanBook } from './plan-book.ts';

/** One change of an account's terms. */
export interface TermsChange {
  /** From 1, without a gap: the terms of an account have the version of their last change. */
  readonly version: number;
  /** Milliseconds since 1970, UTC; never before `decidedAt`. */
  readonly effectiveAt: number;
  readonly decidedAt: number;
  readonly by: Actor['kind'];
  /** Null: the plan stays. */
  readonly plan: PlanName | null;
  /** All add-ons from then on; null: those that are there stay. */
  readonly addOns: AddOns | null;
  readonly buy: AddOns;
  readonly drop: AddOns;
  /** Made although projects used what was lost. */
  readonly forced: boolean;
}

/** Changes in the order in which they take effect: by date, and of one date as they were decided. */
export function inOrder(changes: readonly TermsChange[]): TermsChange[] {
  return [...changes].sort((one, other) => one.effectiveAt - other.effectiveAt || one.version - other.version);
}

/**
 * The terms that hold at a time.
 * @param changes of one account, in any order; before the first one takes effect, it holds already
 */
export function termsAt(changes: readonly TermsChange[], book: PlanBook, time: number): Terms {
  const ordered = inOrder(changes);
  const begun = ordered.filter((each, index) => index === 0 || each.effectiveAt <= time);
  let plan: PlanName = '';
  let addOns: AddOns = [];
  for (const change of begun) {
    plan = change.plan ?? plan;
    const kept = (change.addOns ?? addOns).filter((feature) => !change.drop.includes(feature));
    addOns = [...new Set([...kept, ...change.buy])];
  }
  return { plan, addOns, table: book.at(time) };
}

/** When terms may become others after a time, in order: changes that wait, and tables that take over. */
export function turnsAfter(changes: readonly TermsChange[], book: PlanBook, time: number): number[] {
  const waiting = changes.map(({ effectiveAt }) => effectiveAt).filter((at) => at > time);
  return [...new Set([...waiting, ...book.turnsAfter(time)])].sort((one, other) => one - other);
}

/** A feature, and from when on it is there, or not there any more. */
export interface Turn {
  readonly feature: Feature;
  readonly at: number;
}

/** What one more change makes of the terms from its date on, compared with the terms without it. */
export function compareTerms(
  changes: readonly TermsChange[],
  change: TermsChange,
  book: PlanBook,
): { readonly won: Turn[]; readonly lost: Turn[] } {
  const all = [...changes, change];
  const moments = [change.effectiveAt, ...turnsAfter(all, book, change.effectiveAt)];
  const states = moments.map((at) => ({ at, before: termsAt(changes, book, at), after: termsAt(all, book, at) }));
  const first = (differs: (before: boolean, after: boolean) => boolean): Turn[] =>
    features.flatMap((feature) => {
      const turn = states.find(({ before, after }) => differs(entitled(before, feature), entitled(after, feature)));
      return turn ? [{ feature, at: turn.at }] : [];
    });
  return { won: first((before, after) => !before && after), lost: first((before, after) => before && !after) };
}
