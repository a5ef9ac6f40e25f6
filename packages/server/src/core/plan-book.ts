/** The versions of the plan table, by date: which one holds when. */
import { limits, PlatformError } from '@cloister/protocol';
import { type Feature, features, firstTable, offers, type PlanTable } from './plan.ts';

const planName = /^[a-z][a-z0-9-]*$/;

export class PlanBook {
  /** Oldest first. */
  readonly versions: readonly PlanTable[];

  /**
   * @param versions in the order of their dates
   * @throws PlatformError `PlansRefused` that names the place of what is wrong
   */
  constructor(versions: readonly PlanTable[] = [firstTable]) {
    if (versions.length === 0 || versions.length > limits.planVersions) {
      throw refused('versions', `there must be 1 to ${limits.planVersions}, not ${versions.length}`);
    }
    for (const [index, table] of versions.entries()) checkTable(`versions[${index}]`, table);
    for (const [index, table] of versions.entries()) checkOrder(versions.slice(0, index), table, `versions[${index}]`);
    this.versions = versions;
  }

  /** The table that holds at a time: the last one that has begun; before the first, the first. */
  at(time: number): PlanTable {
    return this.versions.findLast(({ effectiveAt }) => effectiveAt <= time) ?? this.versions[0]!;
  }

  /** When tables take over after a time, in order. */
  turnsAfter(time: number): number[] {
    return this.versions.map(({ effectiveAt }) => effectiveAt).filter((at) => at > time);
  }
}

function checkTable(place: string, { version, plans, features: offered }: PlanTable): void {
  if (version.length > limits.planNameChars)
    throw refused(`${place}.version`, `it is longer than ${limits.planNameChars}`);
  if (plans.length === 0 || plans.length > limits.plansPerTable) {
    throw refused(`${place}.plans`, `there must be 1 to ${limits.plansPerTable}, not ${plans.length}`);
  }
  for (const [index, plan] of plans.entries()) {
    if (plan.length > limits.planNameChars || !planName.test(plan)) {
      const form = `small letters, digits and -, at most ${limits.planNameChars} of them`;
      throw refused(`${place}.plans[${index}]`, `a plan is named by ${form}`);
    }
    if (plans.indexOf(plan) !== index) throw refused(`${place}.plans[${index}]`, `the plan ${plan} stands there twice`);
  }
  for (const feature of features) checkFeature(`${place}.features["${feature}"]`, plans, offered[feature]);
}

function checkFeature(place: string, plans: readonly string[], offered: PlanTable['features'][Feature] | undefined) {
  if (!offered) throw refused(place, 'the feature is missing');
  const missing = plans.find((plan) => !Object.hasOwn(offered, plan));
  if (missing !== undefined) throw refused(place, `the plan ${missing} is missing`);
  for (const [plan, offer] of Object.entries(offered)) {
    if (!plans.includes(plan)) throw refused(place, `the plan ${plan} is not among the plans of this version`);
    if (!offers.includes(offer)) throw refused(`${place}.${plan}`, `it must be one of: ${offers.join(', ')}`);
  }
}

function checkOrder(before: readonly PlanTable[], { version, effectiveAt }: PlanTable, place: string): void {
  const last = before.at(-1);
  if (before.some((each) => each.version === version)) {
    throw refused(`${place}.version`, `the version ${version} stands there twice`);
  }
  if (last?.effectiveAt === effectiveAt) {
    throw refused(`${place}.effective`, `the version ${last.version} takes effect at the same time`);
  }
  if (last && last.effectiveAt > effectiveAt) {
    throw refused(`${place}.effective`, `it is before that of the version ${last.version}, which stands before it`);
  }
}

/** @param place such as `versions[1].plans` */
export function refused(place: string, why: string): PlatformError {
  return new PlatformError('PlansRefused', { place, why });
}
