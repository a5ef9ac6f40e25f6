/** A client's requests: each name of the protocol is one function here; signalling only parses and passes on. */
import type {
  Answer,
  ArchiveShape,
  ConnectionShape,
  EventData,
  ParsedRequest,
  RequestName,
  RtpCapabilities,
  StreamShape,
} from '@cloister/protocol';
import type { Ids } from '../lib/index.ts';
import { type Connection, connectionShape } from './connection.ts';
import type { Actor } from './event.ts';
import { announceFrameKey, toldKey } from './frame-key.ts';
import { forceDisconnect, forceMuteAll, forceMuteStream, forceUnpublish } from './moderation.ts';
import { produce, publish, unpublish, updateStream } from './publishing.ts';
import { reportPeerSuite, tellPeer } from './relayed.ts';
import { requireCapability } from './role.ts';
import { checkSignal, deliverSignal } from './signal.ts';
import { streamShape } from './stream.ts';
import { resumeSubscription, subscribe, unsubscribe, updateSubscription } from './subscribing.ts';
import { connectTransport, openTransport, reportSuite, restartIce } from './transport.ts';

/** One function for each request. */
export type Actions = { readonly [Name in RequestName]: (data: ParsedRequest<Name>) => Promise<Answer<Name>> };

/** What a client learns when it is admitted. */
export interface Welcome {
  readonly epoch: number;
  readonly connection: ConnectionShape;
  readonly capabilities: Connection['capabilities'];
  readonly rtpCapabilities: RtpCapabilities;
  readonly mediaPolicy: Connection['home']['session']['policy'];
  readonly connections: ConnectionShape[];
  readonly streams: StreamShape[];
  readonly frameKeys: EventData<'frameKeyAnnounced'>[];
  readonly forceMuted: boolean;
  readonly archives: ArchiveShape[];
}

/** A client as signalling holds it. */
export interface Client {
  readonly connectionId: string;
  readonly projectId: string;
  readonly epoch: number;
  readonly welcome: Welcome;
  readonly actions: Actions;
  /** Ends the connection; idempotent. */
  leave(reason: 'clientDisconnected' | 'networkDisconnected'): void;
}

export function clientOf(connection: Connection, ids: Ids): Client {
  const { home } = connection;
  return {
    connectionId: connection.id,
    projectId: home.session.projectId,
    epoch: home.epoch,
    welcome: welcomeOf(connection),
    actions: actionsOf(connection, ids),
    leave(reason) {
      home.leave(connection, reason, { kind: 'connection', connectionId: connection.id });
    },
  };
}

function welcomeOf(connection: Connection): Welcome {
  const { home } = connection;
  return {
    epoch: home.epoch,
    connection: connectionShape(connection),
    capabilities: connection.capabilities,
    rtpCapabilities: home.room?.rtpCapabilities ?? {},
    mediaPolicy: home.session.policy,
    connections: [...home.connections.values()].filter((other) => other !== connection).map(connectionShape),
    streams: [...home.streams.values()].filter((stream) => stream.announced).map(streamShape),
    frameKeys: [...home.connections.values()].flatMap((other) => (other === connection ? [] : (toldKey(other) ?? []))),
    forceMuted: home.mute.active,
    archives: home.watcher?.archives() ?? [],
  };
}

function actionsOf(connection: Connection, ids: Ids): Actions {
  const { home, role } = connection;
  const actor: Actor = { kind: 'connection', connectionId: connection.id };
  // What begins something is refused while its record would have to wait too long; what changes or ends something is not.
  const begins =
    <Data, Result>(action: (data: Data) => Promise<Result>) =>
    async (data: Data): Promise<Result> => {
      home.requireRoom();
      return action(data);
    };
  return {
    openTransport: begins((data) => openTransport(connection, data)),
    connectTransport: (data) => connectTransport(connection, data),
    restartIce: (data) => restartIce(connection, data),
    reportSuite: (data) => reportSuite(connection, data),
    announceFrameKey: (data) => announceFrameKey(connection, data),
    publish: begins((data) => publish(connection, data, ids)),
    produce: (data) => produce(connection, data),
    updateStream: (data) => updateStream(connection, data),
    unpublish: (data) => unpublish(connection, data),
    subscribe: begins((data) => subscribe(connection, data, ids)),
    resumeSubscription: (data) => resumeSubscription(connection, data),
    updateSubscription: (data) => updateSubscription(connection, data),
    unsubscribe: (data) => unsubscribe(connection, data),
    peerMessage: (data) => tellPeer(connection, data),
    reportPeerSuite: (data) => reportPeerSuite(connection, data, ids),
    signal: begins(async ({ to, ...signal }) => {
      requireCapability(role, 'signal', 'send signals');
      checkSignal(signal, false);
      deliverSignal(home, signal, to ?? null, connection);
      return {};
    }),
    async forceDisconnect({ connectionId }) {
      requireCapability(role, 'forceDisconnect', 'disconnect others');
      forceDisconnect(home, connectionId, actor);
      return {};
    },
    async forceUnpublish({ streamId }) {
      requireCapability(role, 'forceUnpublish', 'unpublish the streams of others');
      forceUnpublish(home, streamId, actor);
      return {};
    },
    async forceMuteStream({ streamId }) {
      requireCapability(role, 'forceMute', 'mute others');
      await forceMuteStream(home, streamId, actor);
      return {};
    },
    async forceMuteAll({ active, excludedStreamIds }) {
      requireCapability(role, 'forceMute', 'mute others');
      await forceMuteAll(home, active, excludedStreamIds, actor);
      return {};
    },
    async disconnect() {
      home.leave(connection, 'clientDisconnected', actor);
      return {};
    },
  };
}
