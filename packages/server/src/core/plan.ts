/**
 * Plans are data: which feature a plan includes, sells as an add-on, or does not have. Code asks
 * `entitled(account, feature)` and never compares the names of plans.
 */
import { PlatformError } from '@cloister/protocol';

export const features = [
  'hipaa.baa',
  'zone.us',
  'zone.eu',
  'zone.de',
  'archive.encryption',
  'media.aes256',
  'ip.ranges',
] as const;
export type Feature = (typeof features)[number];

export const planNames = ['standard', 'growth', 'enterprise'] as const;
export type PlanName = (typeof planNames)[number];

/** How a plan has a feature. */
export type Offer = 'included' | 'add-on' | 'not available';
export type AddOns = readonly Feature[];

/** Plan by feature. The first table; operators will edit a file of this shape. */
export const planTable: Readonly<Record<Feature, Readonly<Record<PlanName, Offer>>>> = {
  'hipaa.baa': { standard: 'add-on', growth: 'add-on', enterprise: 'included' },
  'zone.us': { standard: 'add-on', growth: 'included', enterprise: 'included' },
  'zone.eu': { standard: 'add-on', growth: 'included', enterprise: 'included' },
  'zone.de': { standard: 'add-on', growth: 'add-on', enterprise: 'included' },
  'archive.encryption': { standard: 'add-on', growth: 'included', enterprise: 'included' },
  'media.aes256': { standard: 'add-on', growth: 'add-on', enterprise: 'included' },
  'ip.ranges': { standard: 'not available', growth: 'not available', enterprise: 'included' },
};

/** What decides: the plan of the account and the add-ons it has bought. */
export interface Terms {
  readonly plan: PlanName;
  readonly addOns: AddOns;
}

/** Whether these terms include a feature. An add-on counts only where the plan sells it. */
export function entitled(terms: Terms, feature: Feature): boolean {
  const offer = planTable[feature][terms.plan];
  return offer === 'included' || (offer === 'add-on' && terms.addOns.includes(feature));
}

/** Asked before terms are agreed: an add-on that the plan does not sell would be bought for nothing. @throws PlatformError `BadRequest` */
export function requireSold({ plan, addOns }: Terms): void {
  const unsold = addOns.find((feature) => planTable[feature][plan] === 'not available');
  if (unsold) throw new PlatformError('BadRequest', { why: `the plan ${plan} does not sell the add-on ${unsold}` });
}

/** @throws PlatformError `NotEntitled` that names the feature, the plan and the way to get it. */
export function requireEntitled(terms: Terms, feature: Feature): void {
  if (entitled(terms, feature)) return;
  const including = planNames.filter((plan) => planTable[feature][plan] === 'included');
  const way =
    planTable[feature][terms.plan] === 'add-on'
      ? `Buy the add-on ${feature}, or move to a plan that includes it: ${including.join(', ')}.`
      : `Move to a plan that includes it: ${including.join(', ')}.`;
  throw new PlatformError('NotEntitled', { feature, plan: terms.plan, way });
}
