/** The door of the keys: one root, one data key for each project, one signing key for each purpose. */

import { KeyRing, type KeyRingDeps } from './key-ring.ts';
import { assertRoot } from './wrap.ts';

export { type KeyChange, type KeyRing, type KeyRingDeps, ownerOf, platformData, signingPurposes } from './key-ring.ts';
export { loadRoot } from './root.ts';
export { keyIdOf } from './sealed-value.ts';
export {
  type VerifiedManifest,
  type VerifiedSecurityRecord,
  verifyManifest,
  verifySecurityRecord,
} from './statement.ts';
export type { KeyFacts } from './wrap.ts';

/**
 * Opens every key of the keyring with the root and makes those that are missing. The result fills the port `Keys` and
 * has what the operator does with keys: `list`, `rotate`, `compromise`, `reseal`, `refresh`.
 * @throws PlatformError `KeyUnavailable` when the root is not the one that the keyring was made with.
 */
export async function openKeys(deps: KeyRingDeps): Promise<KeyRing> {
  assertRoot(deps.root);
  const ring = new KeyRing(deps);
  await ring.refresh();
  return ring;
}
