/**
 * One track on its way into a recording: packets come in any order, pictures or pieces of sound go out when they are due. What
 * says when something was captured is heeded here: the packets' own capture times, sender reports, arrivals.
 */
import type { MediaKind } from '@cloister/protocol';
import { parseRtp } from '../../lib/index.ts';
import { type Depacketize, depacketizers } from './depacketize.ts';
import { captureTimeOf, type ExtensionIds, type Turn, turnOf } from './header-extensions.ts';
import { JitterBuffer, type Unit } from './jitter-buffer.ts';
import type { PublisherClock } from './publisher-clock.ts';
import { TrackClock } from './track-clock.ts';

/** A track as it is told: the payload type and the codec decide what is done with its packets. */
export interface LaneTrack {
  readonly mimeType: string;
  readonly clockRate: number;
  readonly payloadType: number;
  /** Header extensions that are read; absent: none. */
  readonly extensions?: ExtensionIds;
}

/** A picture, or a piece of sound, as its decoder takes it. */
export interface LaneUnit extends Pick<Unit, 'time' | 'data' | 'key'> {
  /** How a picture is to be turned. */
  readonly turn: Turn;
}

const noExtensions: ExtensionIds = { captureTime: null, orientation: null };

export class Lane {
  /** In lower case. */
  readonly mimeType: string;
  readonly #payloadType: number;
  readonly #extensions: ExtensionIds;
  readonly #clock: TrackClock;
  readonly #buffer: JitterBuffer;

  private constructor(kind: MediaKind, track: LaneTrack, depacketize: Depacketize | null, publisher: PublisherClock) {
    this.mimeType = track.mimeType.toLowerCase();
    this.#payloadType = track.payloadType;
    this.#extensions = track.extensions ?? noExtensions;
    this.#clock = new TrackClock(track.clockRate, publisher, kind);
    this.#buffer = new JitterBuffer(this.#clock, depacketize);
  }

  /**
   * @param publisher the tie to the publisher's clock, which all its tracks share
   * @returns null for a codec that no recording takes
   */
  static of(kind: MediaKind, track: LaneTrack, publisher: PublisherClock): Lane | null {
    const mimeType = track.mimeType.toLowerCase();
    const whole = mimeType === 'audio/opus' ? null : undefined;
    const depacketize = kind === 'audio' ? whole : depacketizers[mimeType];
    return depacketize === undefined ? null : new Lane(kind, track, depacketize, publisher);
  }

  /** Whether no picture can come out before a key frame does. */
  get needsKey(): boolean {
    return this.#buffer.needsKey;
  }

  /** @param at when it arrived, in milliseconds */
  packet(bytes: Buffer, at: number): void {
    const packet = parseRtp(bytes);
    if (!packet || packet.payloadType !== this.#payloadType) return;
    this.#buffer.push(packet, at);
    const captured = captureTimeOf(extension(packet.extensions, this.#extensions.captureTime));
    if (captured !== null) this.#clock.captured(captured, packet.timestamp);
  }

  senderReport(ntpMs: number, rtpTimestamp: number): void {
    this.#clock.report(ntpMs, rtpTimestamp);
  }

  /** Takes out what was captured until then, in order. */
  take(until: number): LaneUnit[] {
    return this.#buffer.take(until).map(({ time, data, key, extensions }) => {
      return { time, data, key, turn: turnOf(extension(extensions, this.#extensions.orientation)) };
    });
  }
}

function extension(extensions: ReadonlyMap<number, Buffer>, id: number | null): Buffer | undefined {
  return id === null ? undefined : extensions.get(id);
}
