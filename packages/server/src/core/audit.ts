/** Which events are acts that an audit keeps, and on whom. Every type of event has its line: one without does not compile. */
import { asPlatformError } from '@cloister/protocol';
import type { Event, EventOf, EventType } from './event.ts';
import type { Act } from './ports.ts';

type Subject = Act['subject'];
type SubjectOf<Type extends EventType> = (event: EventOf<Type>) => Subject | null;

const account = ({ accountId }: { accountId: string }): Subject => ({ kind: 'account', id: accountId });
const project = ({ projectId }: { projectId: string }): Subject => ({ kind: 'project', id: projectId });
const key = ({ keyId }: { keyId: string }): Subject => ({ kind: 'key', id: keyId });
const callback = ({ callbackId }: { callbackId: string }): Subject => ({ kind: 'callback', id: callbackId });
const person = ({ personId }: { personId: string }): Subject => ({ kind: 'person', id: personId });
const apiKey = ({ apiKeyId }: { apiKeyId: string }): Subject => ({ kind: 'apiKey', id: apiKeyId });
const grant = ({ grantId }: { grantId: string }): Subject => ({ kind: 'supportGrant', id: grantId });
const archive = ({ archive: { id } }: { archive: { id: string } }): Subject => ({ kind: 'archive', id });
const archiveOf = ({ archiveId }: { archiveId: string }): Subject => ({ kind: 'archive', id: archiveId });
const addressBlock = ({ blockId }: { blockId: string }): Subject => ({ kind: 'addressBlock', id: blockId });
const stream = ({ streamId }: { streamId: string }): Subject => ({ kind: 'stream', id: streamId });
const platform = (id: string) => (): Subject => ({ kind: 'platform', id });
const refusedLeg = ({ legId, leg }: EventOf<'leg.connected' | 'leg.reported'>): Subject | null =>
  leg.state === 'refused' ? { kind: 'leg', id: legId } : null;

const subjects: { readonly [Type in EventType]: SubjectOf<Type> | null } = {
  'account.created': account,
  'account.planChanged': account,
  'addressList.changed': addressBlock,
  'addressList.proposed': ({ proposalId }) => ({ kind: 'addressBlock', id: proposalId }),
  'addressList.fetched': project,
  'addressList.acknowledged': project,
  'addressList.reminded': project,
  'addressList.emergencyUsed': addressBlock,
  'act.failed': ({ subject }) => subject,
  'key.rotated': key,
  'key.compromised': key,
  'keys.unwrapped': platform('keys'),
  'settings.changed': platform('settings'),
  'page.loggedIn': ({ accountId }) => (accountId === null ? platform('pages')() : account({ accountId })),
  'secret.shown': project,
  'person.invited': person,
  'person.provisioned': person,
  'person.roleChanged': person,
  'person.removed': person,
  'person.unlocked': person,
  'person.recovered': person,
  'person.credentialAdded': person,
  'person.credentialRemoved': person,
  'login.done': person,
  'login.failed': ({ personId }) => ({ kind: 'person', id: personId ?? 'unknown' }),
  'login.ended': person,
  'login.addressesShown': ({ accountId }) => ({ kind: 'account', id: accountId ?? 'operator' }),
  'apiKey.created': apiKey,
  'apiKey.firstUsed': apiKey,
  'apiKey.revoked': apiKey,
  'supportGrant.given': grant,
  'supportGrant.ended': grant,
  'project.created': project,
  'project.statusChanged': project,
  'project.secretRotated': project,
  'project.signatureSecretRotated': project,
  'project.policyChanged': project,
  'project.deleted': project,
  'callback.registered': callback,
  'callback.removed': callback,
  'storage.changed': project,
  'storage.encryptionSwitchedOff': project,
  'storage.removed': project,
  'sealing.changed': project,
  'sealing.removed': project,
  'session.created': null,
  'session.started': null,
  'session.ended': null,
  'connection.created': null,
  'connection.destroyed': ({ connection: { id }, reason }) =>
    reason === 'forceDisconnected' ? { kind: 'connection', id } : null,
  'stream.created': null,
  'stream.updated': null,
  'stream.destroyed': ({ stream: { id }, reason }) => (reason === 'forceUnpublished' ? { kind: 'stream', id } : null),
  'stream.layoutChanged': null,
  'stream.muted': stream,
  'session.muted': ({ sessionId }) => ({ kind: 'session', id: sessionId }),
  'signal.sent': null,
  'leg.connected': refusedLeg,
  'leg.reported': refusedLeg,
  'leg.closed': null,
  'media.lost': null,
  'archive.started': archive,
  'archive.paused': null,
  'archive.stopped': archive,
  'archive.available': archive,
  'archive.uploaded': archive,
  'archive.failed': archive,
  'archive.expired': archive,
  'archive.deleted': archive,
  'archive.layoutChanged': archiveOf,
  'archive.streamAdded': archiveOf,
  'archive.streamRemoved': archiveOf,
  'archive.streamLost': archiveOf,
  'archive.streamRecovered': archiveOf,
  'archive.packetsDropped': archiveOf,
  'archive.downloaded': archiveOf,
  'archive.opened': archiveOf,
};

/**
 * The act that an event stands for; null for one that no audit keeps.
 * @param failure why the change did not happen, where it did not
 */
export function actOf(event: Event, failure: { readonly thrown: unknown } | null = null): Act | null {
  const subject = (subjects[event.type] as SubjectOf<EventType> | null)?.(event);
  if (!subject) return null;
  const { at, actor, type, projectId } = event;
  if (event.type === 'act.failed') {
    return { at, actor, action: event.action, subject, projectId, outcome: 'failed', code: event.code };
  }
  const done = subject.kind === 'leg' || event.type === 'login.failed' ? 'refused' : 'done';
  return {
    at,
    actor,
    action: type,
    subject,
    projectId,
    outcome: failure ? 'failed' : done,
    code: failure ? asPlatformError(failure.thrown).code : null,
  };
}
