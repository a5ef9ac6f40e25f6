/**
 * What the playground uses of OpenTok's global `OT`, and no more. The script is the one that customers load, so this
 * page shows what they get; the names below are checked against the SDK's own types in `ot-script.ts`.
 */
import type { OTError, SecurityLeg } from '@cloister/client';

export interface OtError {
  readonly name: string;
  readonly message: string;
  /** What OpenTok's name does not tell. */
  readonly detail?: OTError['detail'];
}

export interface OtConnection {
  readonly connectionId: string;
  readonly data: string;
}

export interface OtStream {
  readonly streamId: string;
  readonly connection: OtConnection;
  readonly name: string;
  readonly videoType: 'camera' | 'screen' | 'custom' | undefined;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  readonly videoDimensions: { width: number; height: number };
}

interface Emitter<Events> {
  on<Name extends keyof Events>(name: Name, handler: (event: Events[Name]) => void): unknown;
}

export interface OtPublisher
  extends Emitter<{
    videoElementCreated: { element: HTMLElement };
    audioLevelUpdated: { audioLevel: number };
    videoDimensionsChanged: { newValue: { width: number; height: number } };
    mediaStopped: { track: MediaStreamTrack | undefined };
    streamDestroyed: { reason: string; preventDefault(): void };
    muteForced: object;
    accessDialogOpened: object;
  }> {
  readonly stream?: OtStream | undefined;
  publishAudio(value: boolean): unknown;
  publishVideo(value: boolean): unknown;
  setAudioSource(deviceId: string): Promise<unknown>;
  setVideoSource(deviceId: string): Promise<unknown>;
  getAudioSource(): MediaStreamTrack | null | undefined;
  getVideoSource(): { deviceId: string | null };
  destroy(): unknown;
}

export interface OtSubscriber
  extends Emitter<{
    videoElementCreated: { element: HTMLElement };
    videoDimensionsChanged: { newValue: { width: number; height: number } };
    videoDisabled: { reason: string };
    videoEnabled: { reason: string };
    disconnected: object;
    connected: object;
    destroyed: { reason: string };
    audioBlocked: object;
    audioUnblocked: object;
    encryptionSecretMismatch: object;
    encryptionSecretMatch: object;
  }> {
  readonly stream?: OtStream | undefined;
}

export interface OtSession
  extends Emitter<{
    connectionCreated: { connection: OtConnection };
    connectionDestroyed: { connection: OtConnection };
    streamCreated: { stream: OtStream };
    streamDestroyed: { stream: OtStream };
    streamPropertyChanged: { stream: OtStream };
    sessionReconnecting: object;
    sessionReconnected: object;
    sessionDisconnected: { reason: string };
    archiveStarted: { id: string };
    archiveStopped: { id: string };
    signal: { type?: string; data?: string; from: OtConnection | null };
    'cloister:leg': { leg: SecurityLeg };
    'cloister:speakers': { levels: { streamId: string; level: number }[] };
  }> {
  readonly connection?: OtConnection | undefined;
  readonly capabilities: { readonly publish: number; readonly forceDisconnect: number; readonly forceMute: number };
  connect(token: string, done: (error?: OtError) => void): unknown;
  disconnect(): Promise<void>;
  publish(publisher: OtPublisher, done: (error?: OtError) => void): unknown;
  unpublish(publisher: OtPublisher): void;
  subscribe(
    stream: OtStream,
    target: undefined,
    properties: { insertDefaultUI: false },
    done: (error?: OtError) => void,
  ): OtSubscriber;
  signal(signal: { type: string; data: string }): Promise<void>;
  forceMuteStream(stream: OtStream): Promise<void>;
  forceMuteAll(excluded?: OtStream[]): Promise<void>;
  forceDisconnect(connection: OtConnection): Promise<void>;
  setEncryptionSecret(secret: string): Promise<void>;
}

export interface OtDevice {
  readonly kind: 'audioInput' | 'videoInput';
  readonly deviceId: string;
  readonly label: string;
}

/** Settings of a publisher that the playground makes. */
export interface OtPublisherProperties {
  insertDefaultUI: false;
  audioSource?: string | null;
  videoSource?: string | null;
  publishAudio?: boolean;
  publishVideo?: boolean;
  resolution?: '1280x720' | '640x480';
  videoContentHint?: 'text';
}

export interface Ot {
  checkSystemRequirements(): number;
  checkScreenSharingCapability(): Promise<{ supported: boolean }>;
  getDevices(): Promise<OtDevice[]>;
  unblockAudio(): Promise<unknown>;
  initSession(apiKey: string, sessionId: string, options: { encryptionSecret?: string }): OtSession;
  initPublisher(target: undefined, properties: OtPublisherProperties, done: (error?: OtError) => void): OtPublisher;
}
