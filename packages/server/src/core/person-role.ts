/** Who may do what: the roles of people, the scopes of what there is to do, and which role has which. */

/** On the customer's side, and the operator's own. */
export const customerRoles = ['owner', 'engineer', 'auditor', 'support'] as const;
export const operatorRoles = ['operator', 'operatorSupport'] as const;
export const personRoles = [...customerRoles, ...operatorRoles] as const;
export type PersonRole = (typeof personRoles)[number];

export const scopes = [
  /** Settings of projects, sessions without names, security records. */
  'project.read',
  'project.write',
  /** What was recorded, and what says who is in it. */
  'content.read',
  'secret.read',
  'secret.write',
  'audit.read',
  /** Plan, add-ons, and what was used. */
  'terms.read',
  'terms.write',
  'people.read',
  'people.write',
  /** When, how and from which address people logged in. */
  'logIns.read',
  'apiKeys.write',
  /** Lets somebody in, or agrees to what another asked for. */
  'approve',
  /** Agrees in the account's name. */
  'sign',
] as const;
export type Scope = (typeof scopes)[number];

/** What a machine may have: an API key, or the account key. It can neither approve nor sign, nor make people or keys. */
export const machineScopes = [
  'project.read',
  'project.write',
  'content.read',
  'secret.read',
  'secret.write',
  'audit.read',
  'terms.read',
  'terms.write',
] as const satisfies readonly Scope[];

/** What support staff of the operator may be granted, and nothing else. */
export const grantScopes = [
  'project.read',
  'content.read',
  'audit.read',
  'people.read',
] as const satisfies readonly Scope[];
export type GrantScope = (typeof grantScopes)[number];

/** The operator's roles have these in the operator's own house; in an account they have what it granted. */
export const scopesOfRole: Readonly<Record<PersonRole, readonly Scope[]>> = {
  owner: scopes,
  engineer: [
    'project.read',
    'project.write',
    'content.read',
    'secret.read',
    'secret.write',
    'audit.read',
    'terms.read',
    'apiKeys.write',
  ],
  auditor: ['project.read', 'audit.read', 'terms.read', 'people.read', 'logIns.read'],
  support: ['project.read'],
  operator: ['people.read', 'people.write', 'logIns.read'],
  operatorSupport: [],
};

/** Whether a role is one of that side: an account's, or with null the operator's. */
export function isRoleOf(role: PersonRole, accountId: string | null): boolean {
  const own: readonly PersonRole[] = accountId === null ? operatorRoles : customerRoles;
  return own.includes(role);
}

/** Whether it may be granted to support staff. */
export function isGrantable(scope: Scope): scope is GrantScope {
  return grantScopes.some((each) => each === scope);
}
