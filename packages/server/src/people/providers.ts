/** The file of log-in services that operators write: who is asked, and which groups make somebody what. */
import { readFileSync } from 'node:fs';
import { PlatformError } from '@cloister/protocol';
import { z } from 'zod';
import { type Identity, isRoleOf, personRoles } from '../core/index.ts';

const rule = z
  .strictObject({
    group: z.string().min(1),
    /** An account key, or `operator` for the operator's own staff. */
    account: z.string().min(1),
    role: z.enum(personRoles),
  })
  .refine(({ account, role }) => isRoleOf(role, accountOf(account)), 'this role is not one of that account');

const provider = z.strictObject({
  id: z.string().regex(/^[a-z0-9-]{1,32}$/, 'expected lower-case letters, digits and -'),
  name: z.string().min(1),
  issuer: z.url(),
  clientId: z.string().min(1),
  clientSecretFile: z.string().optional(),
  scopes: z.array(z.string()).default(['openid', 'profile', 'email', 'groups']),
  /** Which claim has the groups: a list of names. */
  groupsClaim: z.string().default('groups'),
  /** The first whose group somebody is in counts. */
  roles: z.array(rule).min(1),
});

export type Provider = z.output<typeof provider> & { readonly clientSecret: string | undefined };

/** @throws PlatformError `ConfigInvalid` that names what is wrong in which entry */
export function readProviders(file: string | undefined): Provider[] {
  if (file === undefined) return [];
  const parsed = z.array(provider).safeParse(parseJson(file));
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    throw invalid(`${file}: ${path.join('.') || 'it'}: ${message}`);
  }
  const ids = parsed.data.map(({ id }) => id);
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice) throw invalid(`${file}: two entries have the id ${twice}`);
  return parsed.data.map((each) => ({
    ...each,
    clientSecret: each.clientSecretFile && readSecret(each.clientSecretFile),
  }));
}

/** What the groups of somebody make them; null: nothing. */
export function assignedBy({ roles }: Pick<Provider, 'roles'>, groups: readonly string[]): Identity['assigned'] {
  const found = roles.find(({ group }) => groups.includes(group));
  return found ? { accountId: accountOf(found.account), role: found.role } : null;
}

function accountOf(account: string): string | null {
  return account === 'operator' ? null : account;
}

function parseJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw invalid(
      `${file} ${error instanceof SyntaxError ? 'is not JSON' : `cannot be read: ${(error as NodeJS.ErrnoException).code}`}`,
    );
  }
}

function readSecret(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw invalid(`clientSecretFile ${file} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
}

function invalid(why: string): PlatformError {
  return new PlatformError('ConfigInvalid', { why: `logInProviders: ${why}` });
}
