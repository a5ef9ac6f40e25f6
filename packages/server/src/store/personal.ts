/**
 * Which fields of an event are personal. They are taken out of the event and sealed with the project's data key before
 * the event is written. Every type of event has its line here: one without does not compile.
 */
import { PlatformError } from '@cloister/protocol/errors';
import { type Event, type EventType, type Keys, type Sealed, sealedContext } from '../core/index.ts';

type Path = readonly string[];
const data: Path = ['connection', 'data'];
const streamFields: readonly Path[] = [
  ['stream', 'name'],
  ['stream', 'connection', 'data'],
];
const archiveName: readonly Path[] = [['archive', 'name']];
const none: readonly Path[] = [];

const personalPaths: Readonly<Record<EventType, readonly Path[]>> = {
  'account.created': none,
  'account.planChanged': none,
  'addressList.changed': none,
  'addressList.proposed': none,
  'addressList.fetched': none,
  'addressList.acknowledged': none,
  'addressList.reminded': none,
  'addressList.emergencyUsed': none,
  'act.failed': none,
  'key.rotated': none,
  'key.compromised': none,
  'keys.unwrapped': none,
  'settings.changed': none,
  'page.loggedIn': none,
  'secret.shown': none,
  'person.invited': none,
  'person.provisioned': none,
  'person.roleChanged': none,
  'person.removed': none,
  'person.unlocked': none,
  'person.recovered': none,
  'person.credentialAdded': none,
  'person.credentialRemoved': none,
  'login.done': none,
  'login.failed': none,
  'login.ended': none,
  'login.addressesShown': none,
  'apiKey.created': none,
  'apiKey.firstUsed': none,
  'apiKey.revoked': none,
  'supportGrant.given': none,
  'supportGrant.ended': none,
  'project.created': none,
  'project.statusChanged': none,
  'project.secretRotated': none,
  'project.signatureSecretRotated': none,
  'project.policyChanged': none,
  'project.deleted': none,
  'callback.registered': none,
  'callback.removed': none,
  'storage.changed': none,
  'storage.encryptionSwitchedOff': none,
  'storage.removed': none,
  'sealing.changed': none,
  'sealing.removed': none,
  'session.created': none,
  'session.started': none,
  'session.ended': none,
  'connection.created': [data],
  'connection.destroyed': [data],
  'stream.created': streamFields,
  'stream.updated': none,
  'stream.destroyed': streamFields,
  // Classes are words of the application, which may name people by them.
  'stream.layoutChanged': [['classes']],
  'stream.muted': none,
  'session.muted': none,
  'signal.sent': none,
  'leg.connected': none,
  'leg.reported': none,
  'leg.closed': none,
  'media.lost': none,
  'archive.started': archiveName,
  'archive.paused': archiveName,
  'archive.stopped': archiveName,
  'archive.available': archiveName,
  'archive.uploaded': archiveName,
  'archive.failed': archiveName,
  'archive.expired': archiveName,
  'archive.deleted': archiveName,
  'archive.layoutChanged': none,
  'archive.streamAdded': none,
  'archive.streamRemoved': none,
  'archive.streamLost': none,
  'archive.streamRecovered': none,
  'archive.packetsDropped': none,
  'archive.downloaded': none,
  'archive.opened': none,
};

type Tree = Record<string, unknown>;

/** The place of personal fields once their project is gone. */
export const erased = 'erased';

/** An event as it is written. */
export interface StoredEvent {
  readonly id: string;
  readonly projectId: string | null;
  /** JSON without the personal fields. */
  readonly event: string;
  /** Their values, sealed as one; null where the type has none. */
  readonly personal: string | null;
}

function parentOf(tree: Tree, path: Path): Tree {
  return path.slice(0, -1).reduce((branch, name) => branch[name] as Tree, tree);
}

/** @throws PlatformError `KeyUnavailable` when the project has no data key. */
export function storeEvent(seals: Pick<Keys, 'seal'>, event: Event): StoredEvent {
  const { id, projectId } = event;
  const paths = personalPaths[event.type];
  if (paths.length === 0) return { id, projectId, event: JSON.stringify(event), personal: null };
  const copy = structuredClone(event) as unknown as Tree;
  const values = paths.map((path) => {
    const parent = parentOf(copy, path);
    const name = path.at(-1) as string;
    const value = parent[name];
    delete parent[name];
    return value;
  });
  const personal = seals.seal(projectId, sealedContext.event(id), JSON.stringify(values));
  return { id, projectId, event: JSON.stringify(copy), personal };
}

/** The event of a project that is being or has been removed: without its personal fields. */
export function storeErased(event: Event): StoredEvent {
  const blank: Pick<Keys, 'seal'> = { seal: () => erased as Sealed };
  return storeEvent(blank, event);
}

/**
 * The event with its personal fields; empty ones where its project is gone.
 * @throws PlatformError `SealBroken` when they cannot be opened, or are missing.
 */
export function restoreEvent(seals: Pick<Keys, 'open'>, stored: Pick<StoredEvent, 'event' | 'personal'>): Event {
  const tree = JSON.parse(stored.event) as Tree;
  const event = tree as unknown as Event;
  const paths = personalPaths[event.type];
  if (paths.length === 0) return event;
  if (stored.personal === null) throw new PlatformError('SealBroken', { why: `event ${event.id} has lost its fields` });
  const values =
    stored.personal === erased
      ? paths.map((path) => (path.at(-1) === 'classes' ? [] : ''))
      : (JSON.parse(
          seals.open(event.projectId, sealedContext.event(event.id), stored.personal as Sealed),
        ) as unknown[]);
  paths.forEach((path, index) => {
    parentOf(tree, path)[path.at(-1) as string] = values[index];
  });
  return event;
}
