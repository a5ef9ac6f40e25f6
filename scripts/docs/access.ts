/** docs/reference/access.md, from the tables of roles, scopes and routes. */
import { type Access, accessTable } from '../../packages/server/src/admin/index.ts';
import {
  grantScopes,
  machineScopes,
  personRoles,
  type Scope,
  scopes,
  scopesOfRole,
} from '../../packages/server/src/core/index.ts';
import { type Generator, table } from './page.ts';

const mark = (there: boolean) => (there ? 'yes' : '');
const among = (all: readonly Scope[], scope: Scope) => mark(all.includes(scope));

const words: Readonly<Record<Exclude<Access, object>, string>> = {
  everybody: 'everybody',
  playground: 'whoever the playground lets in',
  bearer: 'whoever has the token, link or invitation in the request',
  person: 'whoever is logged in, about themselves',
};

function whoMay(access: Access): readonly [string, string] {
  if (typeof access === 'string') return [words[access], ''];
  return [`\`${access.scope}\``, access.machine === null ? '' : `the ${access.machine}'s credential`];
}

export const accessPage: Generator = {
  file: 'docs/reference/access.md',
  generate: () =>
    [
      '# Roles, scopes and routes',
      '',
      'Who may do what. [People](../concepts/people.md) explains the words.',
      '',
      '## Scopes',
      '',
      'A machine is an API key with that scope, or the account key. What support staff of the operator may be granted is in the last column.',
      '',
      table(
        ['Scope', ...personRoles.map((role) => `\`${role}\``), 'machine', 'by grant'],
        scopes.map((scope) => [
          `\`${scope}\``,
          ...personRoles.map((role) => among(scopesOfRole[role], scope)),
          among(machineScopes, scope),
          among(grantScopes, scope),
        ]),
      ),
      '',
      'The roles `operator` and `operatorSupport` have their scopes among the staff of the operator. In an account they have what it granted.',
      '',
      '## Routes of `/cloister/v1`',
      '',
      'A route that is not in this table is not served.',
      '',
      table(
        ['Route', 'Who', 'Also'],
        Object.entries(accessTable).map(([route, access]) => [
          `\`${route.replace(/:(\w+)/g, '{$1}')}\``,
          ...whoMay(access),
        ]),
      ),
    ].join('\n'),
};
