/** What in a project uses a feature: what would break where the feature is lost. */
import type { Project } from './entities.ts';
import type { Feature } from './plan.ts';
import { zoneFeature } from './plan.ts';
import type { Store } from './ports.ts';

/** What of a project uses a feature, in words that go on from "project 1234"; null where nothing does. */
export type FeatureUse = (project: Project) => Promise<string | null>;
/** Each feature that something in a project can use. */
export type FeatureUses = { readonly [Each in Feature]?: FeatureUse };

/** One project that uses a feature. */
export interface Use {
  readonly feature: Feature;
  readonly projectId: string;
  /** Such as `has the media policy require-aes256`. */
  readonly what: string;
}

/** The uses that `core` itself knows, and those that others fill in. */
export function featureUses(store: Pick<Store, 'sealings' | 'storages'>, others: FeatureUses = {}): FeatureUses {
  const zone =
    (feature: Feature): FeatureUse =>
    async (project) =>
      zoneFeature(project.zone) === feature ? `is in the zone ${project.zone}` : null;
  return {
    'zone.us': zone('zone.us'),
    'zone.eu': zone('zone.eu'),
    'zone.de': zone('zone.de'),
    async 'archive.encryption'({ id }) {
      if (await store.sealings.get(id)) return 'has an archive sealing';
      return (await store.storages.get(id))?.certificate ? 'has a storage with a certificate' : null;
    },
    'media.aes256': async ({ policy }) => (policy === 'require-aes256' ? 'has the media policy require-aes256' : null),
    ...others,
  };
}

/** Everything in these projects that uses one of these features. */
export async function usesOf(
  uses: FeatureUses,
  projects: readonly Project[],
  features: readonly Feature[],
): Promise<Use[]> {
  const found: Use[] = [];
  for (const feature of features) {
    for (const project of projects) {
      const what = (await uses[feature]?.(project)) ?? null;
      if (what !== null) found.push({ feature, projectId: project.id, what });
    }
  }
  return found;
}
