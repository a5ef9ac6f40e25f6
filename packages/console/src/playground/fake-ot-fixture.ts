/** An `OT` without browser and server: a test makes things happen and looks at what was asked. */
import type {
  Ot,
  OtConnection,
  OtDevice,
  OtError,
  OtPublisher,
  OtPublisherProperties,
  OtSession,
  OtStream,
} from './ot.ts';

type Handler = (event: never) => void;

class FakeEmitter {
  #handlers = new Map<string, Handler[]>();

  on(name: string, handler: Handler): this {
    this.#handlers.set(name, [...(this.#handlers.get(name) ?? []), handler]);
    return this;
  }

  emit(name: string, event: object = {}): void {
    for (const handler of this.#handlers.get(name) ?? []) handler(event as never);
  }
}

export class FakePublisher extends FakeEmitter {
  readonly properties: OtPublisherProperties;
  stream: OtStream | undefined;
  audio = true;
  video = true;
  destroyed = false;

  constructor(properties: OtPublisherProperties) {
    super();
    this.properties = properties;
  }

  publishAudio(value: boolean): void {
    this.audio = value;
  }

  publishVideo(value: boolean): void {
    this.video = value;
  }

  async setAudioSource(): Promise<void> {}

  async setVideoSource(): Promise<void> {
    throw Object.assign(new Error('in use'), { name: 'OT_HARDWARE_UNAVAILABLE' });
  }

  getAudioSource(): null {
    return null;
  }

  getVideoSource(): { deviceId: string } {
    return { deviceId: 'camera-1' };
  }

  destroy(): void {
    this.destroyed = true;
  }
}

export function fakeConnection(connectionId: string, name: string): OtConnection {
  return { connectionId, data: JSON.stringify({ name }) };
}

export function fakeStream(streamId: string, connection: OtConnection, change: Partial<OtStream> = {}): OtStream {
  const videoDimensions = { width: 640, height: 480 };
  return {
    streamId,
    connection,
    name: '',
    videoType: 'camera',
    hasAudio: true,
    hasVideo: true,
    videoDimensions,
    ...change,
  };
}

export class FakeSession extends FakeEmitter {
  connection: OtConnection | undefined = fakeConnection('me', 'Ana');
  capabilities = { publish: 1, forceDisconnect: 1, forceMute: 1 };
  /** What was asked of it, in order. */
  readonly asked: unknown[][] = [];
  readonly subscribers = new Map<string, FakeEmitter>();
  connectError: OtError | undefined;
  publishError: OtError | undefined;
  subscribeError: OtError | undefined;
  signalError: OtError | undefined;
  secretError: OtError | undefined;

  connect(_token: string, done: (error?: OtError) => void): void {
    queueMicrotask(() => done(this.connectError));
  }

  async disconnect(): Promise<void> {
    this.asked.push(['disconnect']);
  }

  publish(publisher: FakePublisher, done: (error?: OtError) => void): void {
    const kind = publisher.properties.videoSource === 'screen' ? 'screen' : 'camera';
    if (!this.publishError)
      publisher.stream = fakeStream(`own-${kind}`, this.connection as OtConnection, { videoType: kind });
    queueMicrotask(() => done(this.publishError));
  }

  unpublish(publisher: FakePublisher): void {
    this.asked.push(['unpublish', publisher.stream?.streamId]);
  }

  subscribe(stream: OtStream, _target: undefined, _how: object, done: (error?: OtError) => void): FakeEmitter {
    const subscriber = new FakeEmitter();
    this.subscribers.set(stream.streamId, subscriber);
    queueMicrotask(() => done(this.subscribeError));
    return subscriber;
  }

  async signal(signal: object): Promise<void> {
    if (this.signalError) throw this.signalError;
    this.asked.push(['signal', signal]);
  }

  async forceMuteStream(stream: OtStream): Promise<void> {
    this.asked.push(['mute', stream.streamId]);
  }

  async forceMuteAll(excluded: OtStream[]): Promise<void> {
    this.asked.push(['muteAll', excluded.map((stream) => stream.streamId)]);
  }

  async setEncryptionSecret(secret: string): Promise<void> {
    if (this.secretError) throw this.secretError;
    this.asked.push(['secret', secret]);
  }

  async forceDisconnect(connection: OtConnection): Promise<void> {
    this.asked.push(['forceDisconnect', connection.connectionId]);
  }
}

export class FakeOt {
  devices: OtDevice[] = [
    { kind: 'audioInput', deviceId: 'microphone-1', label: 'Desk' },
    { kind: 'videoInput', deviceId: 'camera-1', label: 'Lid' },
  ];
  session = new FakeSession();
  readonly publishers: FakePublisher[] = [];
  captureError: OtError | undefined;
  /** What the session was made with. */
  sessionOptions: { encryptionSecret?: string } | undefined;

  /** As the code under test takes it. */
  get ot(): Ot {
    return this as unknown as Ot;
  }

  checkSystemRequirements(): number {
    return 1;
  }

  async getDevices(): Promise<OtDevice[]> {
    return this.devices;
  }

  async unblockAudio(): Promise<void> {}

  initSession(_apiKey: string, _sessionId: string, options: { encryptionSecret?: string }): OtSession {
    this.sessionOptions = options;
    return this.session as unknown as OtSession;
  }

  initPublisher(_target: undefined, properties: OtPublisherProperties, done: (error?: OtError) => void): OtPublisher {
    const publisher = new FakePublisher(properties);
    this.publishers.push(publisher);
    queueMicrotask(() => done(this.captureError));
    return publisher as unknown as OtPublisher;
  }
}
