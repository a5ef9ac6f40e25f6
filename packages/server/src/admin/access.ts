/**
 * Who may call which route of `/cloister/v1`: the one table. A route that has no row here is not registered, so that
 * nothing is open because somebody forgot it.
 */
import type { Scope } from '../core/index.ts';

/** A person or an API key with this scope may, and the named machine by its own credential. */
export interface Scoped {
  readonly scope: Scope;
  /** The account key or the project's secret, as OpenTok's SDKs send them. Null: people and API keys alone. */
  readonly machine: 'account' | 'project' | null;
  /** The operator's staff may ask about their own house, without a grant. */
  readonly house?: true;
}

/**
 * `everybody`: asks for nothing, or is the log-in itself. `playground`: whoever the playground lets in, see `visitor.ts`.
 * `bearer`: what is in the request opens it and nothing else: a token, the key in a link, an invitation, the secret of a project about itself. `person`: whoever is
 * logged in, about themselves.
 */
export type Access = 'everybody' | 'playground' | 'bearer' | 'person' | Scoped;

const account = (scope: Scope): Scoped => ({ scope, machine: 'account' });
const project = (scope: Scope): Scoped => ({ scope, machine: 'project' });
const people = (scope: Scope): Scoped => ({ scope, machine: null });
const house = (scope: Scope): Scoped => ({ scope, machine: null, house: true });

/** By method and pattern below `/cloister/v1`. */
export const accessTable: Readonly<Record<string, Access>> = {
  'POST /join': 'bearer',
  'GET /archive/:key/:fileName': 'bearer',

  'POST /login': 'everybody',
  'POST /logout': 'everybody',
  'GET /playground': 'everybody',
  'POST /playground/sessions': 'playground',
  'GET /playground/session': 'playground',
  'POST /playground/tokens': 'playground',
  'GET /playground/security': 'playground',
  'GET /playground/archives': 'playground',
  'POST /playground/archives': 'playground',
  'POST /playground/archives/:archiveId/stop': 'playground',
  'PUT /playground/archives/:archiveId/layout': 'playground',
  'POST /playground/archives/:archiveId/link': 'playground',

  'GET /projects/:apiKey': account('project.read'),
  'PATCH /projects/:apiKey': account('project.write'),
  'POST /projects/:apiKey/secret': account('secret.write'),
  'GET /projects/:apiKey/signature-secret': account('secret.read'),
  'POST /projects/:apiKey/signature-secret': account('secret.write'),
  'GET /projects/:apiKey/sessions/:sessionId': project('project.read'),
  'GET /projects/:apiKey/sessions/:sessionId/security': project('project.read'),
  'GET /projects/:apiKey/sessions/:sessionId/security/signed': project('project.read'),
  'GET /projects/:apiKey/archive-sealing': account('project.read'),
  'PUT /projects/:apiKey/archive-sealing': account('project.write'),
  'DELETE /projects/:apiKey/archive-sealing': account('project.write'),
  'GET /projects/:apiKey/archives/:archiveId/manifest': project('content.read'),
  'GET /manifest-keys': 'everybody',

  'GET /audit/checkpoint': 'everybody',
  'GET /audit/keys': 'everybody',
  'GET /audit/tile/*': 'everybody',
  'POST /audit/cosignatures': 'everybody',
  'GET /audit/entries': account('audit.read'),
  'POST /audit/export': account('audit.read'),

  'GET /ip-ranges': 'bearer',
  'GET /ip-ranges.sig': 'bearer',
  'GET /ip-ranges.txt': 'bearer',
  'GET /ip-ranges.nft': 'bearer',
  'GET /ip-ranges/history': 'bearer',
  'GET /ip-ranges/diff': 'bearer',
  'POST /ip-ranges/acknowledge': 'bearer',
  'GET /keys': 'everybody',

  'GET /account/terms': account('terms.read'),
  'POST /account/terms/preview': account('terms.read'),
  'POST /account/terms': account('terms.write'),
  'GET /usage': account('terms.read'),

  'GET /people/ways': 'everybody',
  'POST /people/log-in': 'everybody',
  'POST /people/log-in/passkey/question': 'everybody',
  'POST /people/log-in/passkey': 'everybody',
  'GET /people/oidc/:provider/start': 'everybody',
  'GET /people/oidc/callback': 'everybody',
  'POST /people/invitation': 'bearer',
  'POST /people/invitation/password': 'bearer',
  'POST /people/invitation/password/confirm': 'bearer',
  'POST /people/invitation/passkey/question': 'bearer',
  'POST /people/invitation/passkey': 'bearer',

  'GET /people/me': 'person',
  'POST /people/log-out': 'person',
  'POST /people/me/password': 'person',
  'POST /people/me/recovery-codes': 'person',
  'POST /people/me/passkeys/question': 'person',
  'POST /people/me/passkeys': 'person',
  'DELETE /people/me/passkeys/:passkeyId': 'person',

  'GET /people': house('people.read'),
  'POST /people': house('people.write'),
  'POST /people/:personId/role': house('people.write'),
  'DELETE /people/:personId': house('people.write'),
  'POST /people/:personId/unlock': house('people.write'),
  'POST /people/:personId/recover': house('people.write'),
  'GET /people/log-ins': house('logIns.read'),
  'GET /api-keys': people('apiKeys.write'),
  'POST /api-keys': people('apiKeys.write'),
  'DELETE /api-keys/:apiKeyId': people('apiKeys.write'),
  'GET /support-grants': people('people.read'),
  'POST /support-grants': people('approve'),
  'DELETE /support-grants/:grantId': people('approve'),
};

export const prefix = '/cloister/v1';

/** The row of a route; undefined where nobody has said who may. */
export function accessOf(method: string, url: string): Access | undefined {
  const path = url.startsWith(prefix) ? url.slice(prefix.length) : url;
  // What GET tells, HEAD tells without its body.
  return accessTable[`${method === 'HEAD' ? 'GET' : method} ${path}`];
}
