/**
 * End-to-end encryption of one connection: its keys and the frame layer, put together, and which streams cannot be understood
 * since their publisher has another secret.
 */
import type { EventData } from '@cloister/protocol';
import type { Clock } from './clock.ts';
import { OtError } from './errors.ts';
import { EndToEnd, self } from './frames/end-to-end.ts';
import { FrameLayer } from './frames/frame-layer.ts';
import { isSecret } from './frames/secret.ts';
import { log } from './log.ts';
import type { MediaFrames } from './media.ts';
import type { Wire } from './wire.ts';

/** @throws OtError `OT_INVALID_ENCRYPTION_SECRET` for what is no secret */
export function checkSecret(secret: unknown): asserts secret is string {
  if (!isSecret(secret))
    throw new OtError('OT_INVALID_ENCRYPTION_SECRET', 'The encryption secret must be text of 8 to 256 characters');
}

export interface EncryptionDeps {
  readonly sessionId: string;
  readonly connectionId: string;
  readonly secret: string;
  readonly wire: Pick<Wire, 'request'>;
  readonly clock: Clock;
  /** Whose a stream is; null when it is gone. */
  publisherOf(streamId: string): string | null;
  /** The frames of a stream can be understood, or cannot. */
  changed(streamId: string, understood: boolean): void;
}

/** Whose frames never open: it has no key, as no connection has this id. */
const nobody = '';

/** What is known of one stream that is received. */
interface Incoming {
  readonly connectionId: string;
  /** Whether the frames of each of its tracks open; by the kind of the track. */
  readonly opens: Map<string, boolean>;
  /** Ends what is told of them. */
  readonly stops: Map<string, () => void>;
  understood: boolean;
}

export class Encryption implements MediaFrames {
  readonly #deps: EncryptionDeps;
  readonly #layer: FrameLayer;
  readonly #keys: EndToEnd;
  readonly #matches = new Map<string, boolean>();
  readonly #incoming = new Map<string, Incoming>();
  #begun: Promise<void> | null = null;

  /** @throws OtError `OT_UNSUPPORTED_BROWSER` where the browser cannot encrypt frames */
  constructor(deps: EncryptionDeps) {
    if (!FrameLayer.supported)
      throw new OtError('OT_UNSUPPORTED_BROWSER', 'This browser cannot encrypt frames, as this session asks for');
    this.#deps = deps;
    this.#layer = new FrameLayer({
      worn: () => void this.#keys.renew().catch((error: unknown) => log.error('No new key for frames', error)),
    });
    const { sessionId, secret, clock, wire } = deps;
    this.#keys = new EndToEnd({
      sessionId,
      secret,
      clock,
      keys: this.#layer,
      announce: (key) => wire.request('announceFrameKey', key),
      matches: (connectionId, matches) => this.#judged(connectionId, matches),
    });
  }

  /** Resolves when the frame layer runs and the server knows of this client's key: nothing is published or subscribed to before. */
  ready(): Promise<void> {
    this.#begun ??= this.#layer.ready.then(() => this.#keys.begin(this.#deps.connectionId));
    return this.#begun;
  }

  heard(told: EventData<'frameKeyAnnounced'>): void {
    this.#keys.heard(told).catch((error: unknown) => log.warn('The key of a publisher makes no sense', error));
  }

  left(connectionId: string): void {
    this.#matches.delete(connectionId);
    this.#keys.left(connectionId);
  }

  /** Another secret in a live session. @throws OtError `OT_INVALID_ENCRYPTION_SECRET`, or the server's refusal */
  async change(secret: string): Promise<void> {
    checkSecret(secret);
    await this.ready();
    await this.#keys.change(secret);
  }

  /** Whether the frames of a stream can be understood, as far as is known. */
  understands(streamId: string): boolean {
    const known = this.#incoming.get(streamId);
    const connectionId = known?.connectionId ?? this.#deps.publisherOf(streamId);
    if (connectionId && this.#matches.get(connectionId) === false) return false;
    return ![...(known?.opens.values() ?? [])].includes(false);
  }

  /** A stream is not received any more. */
  forget(streamId: string): void {
    for (const stop of this.#incoming.get(streamId)?.stops.values() ?? []) stop();
    this.#incoming.delete(streamId);
  }

  close(): void {
    this.#keys.close();
    this.#layer.close();
  }

  // ------------------------------------------------------------------------------------------------------------- media

  get rtcConfiguration(): Partial<RTCConfiguration> {
    return this.#layer.rtcConfiguration;
  }

  seal(sender: RTCRtpSender, mimeType: string): void {
    this.#layer.seal(sender, self, mimeType);
  }

  open(receiver: RTCRtpReceiver, mimeType: string, streamId: string): void {
    // Of a stream that has just ended nothing opens; an error here would end others that are received at the same time.
    const connectionId = this.#deps.publisherOf(streamId) ?? nobody;
    const known = this.#incoming.get(streamId) ?? {
      connectionId,
      opens: new Map(),
      stops: new Map(),
      understood: this.understands(streamId),
    };
    this.#incoming.set(streamId, known);
    const { kind } = receiver.track;
    known.opens.delete(kind);
    known.stops.get(kind)?.();
    const stop = this.#layer.open(receiver, connectionId, mimeType, (opens) => {
      known.opens.set(kind, opens);
      this.#review(streamId);
    });
    known.stops.set(kind, stop);
  }

  #judged(connectionId: string, matches: boolean): void {
    this.#matches.set(connectionId, matches);
    for (const [streamId, known] of this.#incoming) {
      if (known.connectionId !== connectionId) continue;
      // What did not open before may open now; a track that does not is told of again.
      if (matches) known.opens.clear();
      this.#review(streamId);
    }
  }

  #review(streamId: string): void {
    const known = this.#incoming.get(streamId);
    const understood = this.understands(streamId);
    if (!known || known.understood === understood) return;
    known.understood = understood;
    this.#deps.changed(streamId, understood);
  }
}
