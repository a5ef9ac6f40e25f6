/** OpenTok's event objects, and which events each object of the SDK has. */
import type { Direction, FrameLayer, Suite } from '@cloister/protocol';
import type { Connection } from './connection.ts';
import type { Publisher } from './publisher.ts';
import type { Session } from './session.ts';
import type { PublisherStatContainer, SubscriberStats, VideoQualityReason } from './stats.ts';
import type { Stream } from './stream.ts';
import type { Subscriber } from './subscriber.ts';

export interface Dimensions {
  width: number;
  height: number;
}

/** What a handler gets; more members by type. */
export type Event<Type, Target> = {
  type: Type;
  /** Whether `preventDefault` has an effect. */
  cancelable: boolean;
  target: Target;
  isDefaultPrevented(): boolean;
  preventDefault(): void;
};

/** Makes an event with OpenTok's members and those of `more`. */
export function makeEvent<Type extends string, Target, More extends object = object>(
  type: Type,
  target: Target,
  more?: More,
  cancelable = false,
): Event<Type, Target> & More {
  let prevented = false;
  return {
    type,
    cancelable,
    target,
    isDefaultPrevented: () => prevented,
    preventDefault: () => {
      if (cancelable) prevented = true;
    },
    ...(more as More),
  };
}

export type ExceptionEvent = Event<'exception', object> & { code: number; message: string; title: string };

export type VideoDimensionsChangedEvent<Target> = Event<'videoDimensionsChanged', Target> & {
  oldValue: Dimensions;
  newValue: Dimensions;
};

export interface AudioInputDevice {
  deviceId: string | null | undefined;
  label: string | null;
}

type Property<Name, Value> = { changedProperty: Name; oldValue: Value; newValue: Value };

export interface SessionEvents {
  archiveStarted: Event<'archiveStarted', Session> & { id: string; name: string };
  archiveStopped: Event<'archiveStopped', Session> & { id: string; name: string };
  connectionCreated: Event<'connectionCreated', Session> & { connection: Connection };
  connectionDestroyed: Event<'connectionDestroyed', Session> & { connection: Connection; reason: string };
  sessionConnected: Event<'sessionConnected', Session>;
  sessionDisconnected: Event<'sessionDisconnected', Session> & { reason: string };
  sessionReconnected: Event<'sessionReconnected', Session>;
  sessionReconnecting: Event<'sessionReconnecting', Session>;
  signal: Event<'signal', Session> & { type?: string; data?: string; from: Connection | null };
  /** A signal of one type, such as `signal:chat`. */
  [name: `signal:${string}`]: Event<`signal:${string}`, Session> & {
    type?: string;
    data?: string;
    from: Connection | null;
  };
  streamCreated: Event<'streamCreated', Session> & { stream: Stream };
  streamDestroyed: Event<'streamDestroyed', Session> & { stream: Stream; reason: string };
  streamPropertyChanged: Event<'streamPropertyChanged', Session> & { stream: Stream } & (
      | Property<'hasAudio', boolean>
      | Property<'hasCaptions', boolean>
      | Property<'hasVideo', boolean>
      | Property<'videoDimensions', Dimensions>
    );
  muteForced: Event<'muteForced', Session>;
  /** Not OpenTok's: what became of a leg of this client, with the suite that each end saw. */
  'cloister:leg': Event<'cloister:leg', Session> & { leg: SecurityLeg };
  /** Not OpenTok's: the loudest streams, loudest first, in dBov (0 loudest, -127 silence). */
  'cloister:speakers': Event<'cloister:speakers', Session> & { levels: { streamId: string; level: number }[] };
}

/**
 * One leg of this client: a stream on its way to or from the server, or in a relayed session from its publisher to one
 * subscriber, and its encryption as each end saw it.
 */
export interface SecurityLeg {
  readonly streamId: string;
  readonly direction: Direction;
  readonly state: 'allowed' | 'refused';
  /** Whose leg it is: this client's, or where it publishes in a relayed session, its subscriber's. */
  readonly connectionId: string;
  /** Whose word it is: the server's, or that of the two clients between whom it runs. */
  readonly observedBy: 'server' | 'clients';
  /** In a relayed session, the publisher at the other end; otherwise null. */
  readonly peerConnectionId: string | null;
  /** null in a relayed session, where the server sees nothing. */
  readonly suiteSeenByServer: Suite | null;
  /** What getStats of the browser whose leg it is said; null until it said something. */
  readonly suiteReportedByClient: Suite | null;
  /** What that of `peerConnectionId` said. */
  readonly suiteReportedByPeer: Suite | null;
  /** In a relayed session whose frames are encrypted: sixty digits that both ends see alike where nobody between them swapped keys. */
  readonly securityCode: string | null;
  /** Frame encryption inside SRTP; null where there is none. */
  readonly frameLayer: FrameLayer | null;
}

export interface PublisherEvents {
  accessAllowed: Event<'accessAllowed', Publisher>;
  accessDenied: Event<'accessDenied', Publisher>;
  accessDialogClosed: Event<'accessDialogClosed', Publisher>;
  accessDialogOpened: Event<'accessDialogOpened', Publisher>;
  audioInputDeviceChanged: Event<'audioInputDeviceChanged', Publisher> & { device: AudioInputDevice };
  audioLevelUpdated: Event<'audioLevelUpdated', Publisher> & { audioLevel: number };
  destroyed: Event<'destroyed', Publisher>;
  mediaStopped: Event<'mediaStopped', Publisher> & { track: MediaStreamTrack | undefined };
  mediaStreamAvailable: Event<'mediaStreamAvailable', Publisher> & { mediaStream: MediaStream };
  streamCreated: Event<'streamCreated', Publisher> & { stream: Stream };
  streamDestroyed: Event<'streamDestroyed', Publisher> & { stream: Stream; reason: string };
  videoDimensionsChanged: VideoDimensionsChangedEvent<Publisher>;
  videoElementCreated: Event<'videoElementCreated', Publisher> & { element: HTMLVideoElement | HTMLObjectElement };
  videoEnabled: Event<'videoEnabled', Publisher> & { reason: 'quality' };
  videoDisabled: Event<'videoDisabled', Publisher> & { reason: 'quality' };
  videoDisableWarning: Event<'videoDisableWarning', Publisher>;
  videoDisableWarningLifted: Event<'videoDisableWarningLifted', Publisher>;
  videoQualityChanged: Event<'videoQualityChanged', Publisher> & {
    reason: VideoQualityReason;
    statsContainer: PublisherStatContainer;
  };
  networkConditionChanged: Event<'networkConditionChanged', Publisher> & {
    reason: 'networkConditionChanged';
    statsContainer: PublisherStatContainer;
  };
  muteForced: Event<'muteForced', Publisher>;
}

export interface SubscriberEvents {
  audioBlocked: Event<'audioBlocked', Subscriber>;
  audioLevelUpdated: Event<'audioLevelUpdated', Subscriber> & { audioLevel: number };
  audioUnblocked: Event<'audioUnblocked', Subscriber>;
  connected: Event<'connected', Subscriber>;
  destroyed: Event<'destroyed', Subscriber> & { reason: string };
  /** The publisher has another encryption secret: nothing of the stream is seen or heard. */
  encryptionSecretMismatch: Event<'encryptionSecretMismatch', Subscriber>;
  /** It has the same again. */
  encryptionSecretMatch: Event<'encryptionSecretMatch', Subscriber>;
  disconnected: Event<'disconnected', Subscriber>;
  mediaStreamAvailable: Event<'mediaStreamAvailable', Subscriber> & { mediaStream: MediaStream };
  videoDimensionsChanged: VideoDimensionsChangedEvent<Subscriber>;
  videoDisabled: Event<'videoDisabled', Subscriber> & { reason: string };
  videoDisableWarning: Event<'videoDisableWarning', Subscriber>;
  videoDisableWarningLifted: Event<'videoDisableWarningLifted', Subscriber>;
  videoElementCreated: Event<'videoElementCreated', Subscriber> & { element: HTMLVideoElement | HTMLObjectElement };
  videoEnabled: Event<'videoEnabled', Subscriber> & { reason: string };
  videoQualityChanged: Event<'videoQualityChanged', Subscriber> & {
    reason: VideoQualityReason;
    stats: SubscriberStats;
  };
  networkConditionChanged: Event<'networkConditionChanged', Subscriber> & {
    reason: 'networkConditionChanged';
    stats: SubscriberStats;
  };
}
