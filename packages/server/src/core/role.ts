/** Roles of a client token and what each may do (OpenTok; compat 5.4). */
import { type Capabilities, PlatformError } from '@cloister/protocol';

export const roles = ['publisher', 'subscriber', 'moderator', 'publisheronly'] as const;
export type Role = (typeof roles)[number];

const none = { publish: 0, subscribe: 0, signal: 0, forceDisconnect: 0, forceUnpublish: 0, forceMute: 0 } as const;

const table: Readonly<Record<Role, Capabilities>> = {
  subscriber: { ...none, subscribe: 1 },
  publisher: { ...none, publish: 1, subscribe: 1, signal: 1 },
  publisheronly: { ...none, publish: 1 },
  moderator: { publish: 1, subscribe: 1, signal: 1, forceDisconnect: 1, forceUnpublish: 1, forceMute: 1 },
};

/** Capabilities of a role, as the client SDK shows them. */
export function capabilitiesOf(role: Role): Capabilities {
  return table[role];
}

/** @throws PlatformError `PermissionDenied` naming the role and the action. */
export function requireCapability(role: Role, capability: keyof Capabilities, action: string): void {
  if (table[role][capability] !== 1) throw new PlatformError('PermissionDenied', { role, action });
}
