/**
 * Plans are data: which feature a plan includes, sells as an add-on, or does not have. Code asks
 * `entitled(terms, feature)` and never compares the names of plans.
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

/** As a table has it. */
export type PlanName = string;

export const offers = ['included', 'add-on', 'not available'] as const;
/** How a plan has a feature. */
export type Offer = (typeof offers)[number];
export type AddOns = readonly Feature[];

/** One version of the table: which plan has which feature how, from a moment on. */
export interface PlanTable {
  readonly version: string;
  /** Milliseconds since 1970, UTC. */
  readonly effectiveAt: number;
  readonly plans: readonly PlanName[];
  /** An offer for every plan. */
  readonly features: Readonly<Record<Feature, Readonly<Record<PlanName, Offer>>>>;
}

/** What holds where the operator names no file of plans. */
export const firstTable: PlanTable = {
  version: 'first',
  effectiveAt: 0,
  plans: ['standard', 'growth', 'enterprise'],
  features: {
    'hipaa.baa': { standard: 'add-on', growth: 'add-on', enterprise: 'included' },
    'zone.us': { standard: 'add-on', growth: 'included', enterprise: 'included' },
    'zone.eu': { standard: 'add-on', growth: 'included', enterprise: 'included' },
    'zone.de': { standard: 'add-on', growth: 'add-on', enterprise: 'included' },
    'archive.encryption': { standard: 'add-on', growth: 'included', enterprise: 'included' },
    'media.aes256': { standard: 'add-on', growth: 'add-on', enterprise: 'included' },
    'ip.ranges': { standard: 'not available', growth: 'not available', enterprise: 'included' },
  },
};

/** What decides: the plan of the account, the add-ons it has bought, and what the table says of them. */
export interface Terms {
  readonly plan: PlanName;
  readonly addOns: AddOns;
  readonly table: PlanTable;
}

/** How these terms have a feature; a plan that the table does not know has none. */
export function offerOf({ plan, table }: Pick<Terms, 'plan' | 'table'>, feature: Feature): Offer {
  return table.features[feature][plan] ?? 'not available';
}

/** Whether these terms include a feature. An add-on counts only where the plan sells it. */
export function entitled(terms: Terms, feature: Feature): boolean {
  const offer = offerOf(terms, feature);
  return offer === 'included' || (offer === 'add-on' && terms.addOns.includes(feature));
}

/** The feature that a zone is sold as; null for a zone that no plan is asked for. */
export function zoneFeature(zone: string): Feature | null {
  return features.find((feature) => feature === `zone.${zone}`) ?? null;
}

/**
 * Asked before terms are agreed: an add-on that the plan does not sell would be bought for nothing.
 * @throws PlatformError `PlanUnknown`, `BadRequest`
 */
export function requireSold({ plan, addOns, table }: Terms): void {
  if (!table.plans.includes(plan)) throw new PlatformError('PlanUnknown', { plan, plans: table.plans.join(', ') });
  const unsold = addOns.find((feature) => offerOf({ plan, table }, feature) === 'not available');
  if (unsold) throw new PlatformError('BadRequest', { why: `the plan ${plan} does not sell the add-on ${unsold}` });
}

/** @throws PlatformError `NotEntitled` that names the feature, the plan and the way to get it. */
export function requireEntitled(terms: Terms, feature: Feature): void {
  if (entitled(terms, feature)) return;
  const { plan, table } = terms;
  const including = table.plans.filter((each) => table.features[feature][each] === 'included');
  const ways = [
    ...(offerOf(terms, feature) === 'add-on' ? [`buy the add-on ${feature}`] : []),
    ...(including.length > 0 ? [`move to a plan that includes it: ${including.join(', ')}`] : []),
  ];
  const way = ways.join(', or ') || 'no plan includes it; ask the operator';
  throw new PlatformError('NotEntitled', { feature, plan, way: `${way[0]!.toUpperCase()}${way.slice(1)}.` });
}
