/** One client in a session, from its admission to its end, whatever sockets it uses on the way. */
import type {
  Capabilities,
  ConnectionShape,
  Direction,
  ErrorBody,
  EventData,
  EventName,
  FrameKeyShape,
  PeerWanted,
  RtpCapabilities,
  Suite,
} from '@cloister/protocol';
import type { Cancel } from '../lib/index.ts';
import type { AddressHold } from './address-hold.ts';
import type { Home } from './home.ts';
import type { LegEntry } from './leg.ts';
import type { Words } from './leg-word.ts';
import type { MediaPeer } from './media-plane.ts';
import type { Role } from './role.ts';
import type { Stream } from './stream.ts';

/** Why a client is sent away for good. */
export type CloseReason = 'clientDisconnected' | 'forceDisconnected' | 'networkDisconnected' | 'stopping' | 'refused';

/** The way to the client; `signalling/` fills it, and keeps what cannot be sent during a cut. */
export interface ClientLink {
  send<Name extends EventName>(event: Name, data: EventData<Name>): void;
  /** Says goodbye and closes; nothing is sent after it. */
  close(reason: CloseReason, error: ErrorBody | null): void;
}

/** A transport as the server knows it. */
export interface TransportState {
  readonly id: string;
  readonly direction: Direction;
  /** null until its DTLS is up. */
  suite: Suite | null;
  reported: Suite | null;
  dtlsVersion: string | null;
  connectedAt: number;
  /** What the two ends said of its handshake. */
  words: Words;
  /** How many legs it had so far. */
  legs: number;
  /** Those of them that the policy did not let open: the client's next word on their handshake is noted too. */
  readonly refused: LegEntry[];
}

export interface Subscription {
  readonly rtpCapabilities: RtpCapabilities;
  /** In a relayed session: what its publisher sends. */
  readonly wanted?: PeerWanted;
  /** In a relayed session: how many legs it had so far. */
  readonly legs?: number;
}

export interface Connection {
  readonly id: string;
  readonly createdAt: number;
  readonly data: string;
  readonly role: Role;
  readonly capabilities: Capabilities;
  readonly layoutClasses: readonly string[];
  /** The secret that signed its token: closed with it when that secret is compromised. */
  readonly secretId: string;
  readonly home: Home;
  readonly link: ClientLink;
  /** null in a relayed session. */
  readonly peer: MediaPeer | null;
  readonly transports: Map<Direction, TransportState>;
  /** Streams that it publishes, announced or not. */
  readonly streams: Map<string, Stream>;
  /** Streams that it subscribes to. */
  readonly subscriptions: Map<string, Subscription>;
  /** Open legs, by `direction:streamId`; between clients, with the number of the pair's connection after it. */
  readonly legs: Map<string, LegEntry>;
  /** Holds what it is handed against the address list; null where its project uses none. */
  readonly hold: AddressHold | null;
  /** Whether its browser can encrypt frames towards other clients, as it says. */
  readonly frames: boolean;
  /** What it last told of the key of its frames; null before, and where frames are not encrypted. */
  frameKey: FrameKeyShape | null;
  /** Ends the renewal of its ICE servers. */
  stopIceRenewal: Cancel;
  closed: boolean;
}

/** How a connection appears to other clients. */
export function connectionShape(connection: Pick<Connection, 'id' | 'createdAt' | 'data'>): ConnectionShape {
  return { connectionId: connection.id, creationTime: connection.createdAt, data: connection.data };
}

/** How a connection appears in an event. */
export function connectionFacts(connection: Connection): { id: string; createdAt: number; data: string } {
  return { id: connection.id, createdAt: connection.createdAt, data: connection.data };
}
