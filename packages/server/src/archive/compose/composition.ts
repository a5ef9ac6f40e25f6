/**
 * A composed recording as it happens: packets of many streams in, one picture and one sound out. It has no clock: packets
 * come with the time at which they arrived, and `advance` says how far time has come. What is composed is what was captured
 * `archiveDelayMs` ago, so that what was late is there and every stream is at the same moment.
 */

import type { MediaKind } from '@cloister/protocol';
import { limits } from '@cloister/protocol';
import { Lane, type LaneTrack } from '../capture/lane.ts';
import { PublisherClock } from '../capture/publisher-clock.ts';
import { type Box, black, Canvas, type Fit, tile } from './canvas.ts';
import { Lettering, Nameplate } from './nameplate.ts';
import { audioFrame, audioRate, type Output } from './output.ts';
import { Picture } from './picture.ts';
import { Voice } from './voice.ts';

/** A stream as the layout sees it. */
export interface ComposedStream {
  readonly streamId: string;
  /** Written where it has no picture. */
  readonly name: string;
  readonly hasVideo: boolean;
}

/** Where a stream's picture is, in the order of drawing. */
export interface Placed extends Box {
  readonly streamId: string;
  readonly fit: Fit;
}

export interface CompositionOptions<Stream extends ComposedStream> {
  readonly width: number;
  readonly height: number;
  readonly frameRate: number;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  readonly output: Output;
  /** The layout: which of the streams are shown, and where. */
  readonly arrange: (streams: readonly Stream[]) => readonly Placed[];
  readonly askKeyFrame: (streamId: string) => void;
  /** A stream's picture is larger than what is decoded, and is left out from now on; once each time that it begins. */
  readonly tooLarge: (streamId: string) => void;
}

interface Source<Stream> {
  stream: Stream;
  readonly publisher: PublisherClock;
  readonly lanes: Map<MediaKind, Lane>;
  picture: Picture | null;
  voice: Voice | null;
  readonly nameplate: Nameplate | null;
  askedAt: number;
}

export class Composition<Stream extends ComposedStream> {
  readonly #options: CompositionOptions<Stream>;
  readonly #canvas: Canvas | null;
  readonly #lettering: Lettering | null;
  readonly #sources = new Map<string, Source<Stream>>();
  readonly #left = new Float32Array(audioFrame);
  readonly #right = new Float32Array(audioFrame);
  #placed: readonly Placed[] = [];
  #arranged = false;
  /** When the recording's first picture is, in the time of arrivals. */
  #origin: number | null = null;
  #pictures = 0;
  #sounds = 0;

  /** @throws Error where the library lacks what is needed */
  constructor(options: CompositionOptions<Stream>) {
    this.#options = options;
    this.#lettering = options.hasVideo ? new Lettering() : null;
    this.#canvas = options.hasVideo ? new Canvas(options.width, options.height) : null;
  }

  /** Whole milliseconds of output so far. */
  get durationMs(): number {
    const { frameRate, hasVideo } = this.#options;
    const seconds = hasVideo ? this.#pictures / frameRate : (this.#sounds * audioFrame) / audioRate;
    return Math.round(seconds * 1000);
  }

  add(stream: Stream): void {
    if (this.#sources.has(stream.streamId)) {
      this.change(stream);
      return;
    }
    const publisher = new PublisherClock();
    const lanes = new Map<MediaKind, Lane>();
    const nameplate = this.#lettering && new Nameplate(this.#lettering);
    this.#sources.set(stream.streamId, { stream, publisher, lanes, picture: null, voice: null, nameplate, askedAt: 0 });
    this.#arranged = false;
  }

  change(stream: Stream): void {
    const source = this.#sources.get(stream.streamId);
    if (!source) return;
    source.stream = stream;
    if (!stream.hasVideo) source.picture?.hide();
    this.#arranged = false;
  }

  remove(streamId: string): void {
    const source = this.#sources.get(streamId);
    if (!source) return;
    this.#sources.delete(streamId);
    source.picture?.close();
    source.voice?.close();
    this.#arranged = false;
  }

  /** The layout changed. */
  rearrange(): void {
    this.#arranged = false;
  }

  /** A track begins, or another takes its place. */
  track(streamId: string, kind: MediaKind, track: LaneTrack): void {
    const source = this.#sources.get(streamId);
    const wanted = kind === 'video' ? this.#options.hasVideo : this.#options.hasAudio;
    if (!source || !wanted) return;
    const lane = Lane.of(kind, track, source.publisher);
    if (!lane) {
      source.lanes.delete(kind);
      return;
    }
    source.lanes.set(kind, lane);
    if (kind === 'audio') {
      source.voice ??= new Voice();
      return;
    }
    source.picture ??= new Picture();
    source.picture.useCodec(lane.mimeType);
  }

  trackEnded(streamId: string, kind: MediaKind): void {
    this.#sources.get(streamId)?.lanes.delete(kind);
  }

  /** @param at when it arrived, in milliseconds */
  packet(streamId: string, kind: MediaKind, bytes: Buffer, at: number): void {
    this.#sources.get(streamId)?.lanes.get(kind)?.packet(bytes, at);
  }

  senderReport(streamId: string, kind: MediaKind, ntpMs: number, rtpTimestamp: number): void {
    this.#sources.get(streamId)?.lanes.get(kind)?.senderReport(ntpMs, rtpTimestamp);
  }

  /** Composes all that is due at `now`, which ascends. @throws Error when the encoder fails */
  advance(now: number): void {
    this.#origin ??= now - limits.archiveDelayMs;
    const until = now - limits.archiveDelayMs;
    for (;;) {
      const picture = this.#options.hasVideo ? this.#origin + (this.#pictures * 1000) / this.#options.frameRate : null;
      const sound = this.#options.hasAudio ? this.#origin + this.#soundEndMs() : null;
      if (picture !== null && picture <= until && (sound === null || picture <= sound)) this.#composePicture(picture);
      else if (sound !== null && sound <= until) this.#composeSound(sound);
      else return;
    }
  }

  /** Time that is not recorded: while nobody publishes. What comes next follows what came before. @param ms its length */
  skip(ms: number): void {
    if (this.#origin !== null) this.#origin += ms;
  }

  close(): void {
    for (const streamId of [...this.#sources.keys()]) this.remove(streamId);
    this.#canvas?.free();
  }

  #soundEndMs(): number {
    return ((this.#sounds + 1) * audioFrame * 1000) / audioRate;
  }

  #composePicture(time: number): void {
    const canvas = this.#canvas as Canvas;
    const fresh = new Set<string>();
    for (const [streamId, source] of this.#sources) {
      if (this.#decode(source, time)) fresh.add(streamId);
    }
    if (!this.#arranged) this.#arrange(canvas);
    else this.#draw(canvas, fresh);
    this.#options.output.picture(canvas.frame, this.#pictures);
    this.#pictures += 1;
  }

  /** @returns whether the stream has a new picture at this time */
  #decode(source: Source<Stream>, time: number): boolean {
    const lane = source.lanes.get('video');
    if (!lane || !source.picture) return false;
    let fresh = false;
    let broken = false;
    const { shown, tooLarge } = source.picture;
    for (const { data, turn } of lane.take(time)) {
      const decoded = source.picture.decode(data, turn);
      if (decoded === null) broken = true;
      else fresh ||= decoded;
    }
    if (source.picture.tooLarge && !tooLarge) {
      // Another key frame of it would be as large: what was shown goes, a smaller one is shown when it comes.
      this.#arranged = false;
      this.#options.tooLarge(source.stream.streamId);
    }
    const lacking = lane.needsKey || (broken && !source.picture.tooLarge);
    if (lacking && time - source.askedAt >= limits.archiveKeyFrameMs) {
      source.askedAt = time;
      this.#options.askKeyFrame(source.stream.streamId);
    }
    if (!source.stream.hasVideo) {
      // What was under way when it was muted must not be there when it is unmuted.
      source.picture.hide();
      return false;
    }
    // Its first picture: what was a tile is one no more.
    if (fresh && !shown) this.#arranged = false;
    return fresh;
  }

  #arrange(canvas: Canvas): void {
    this.#arranged = true;
    this.#placed = this.#options.arrange([...this.#sources.values()].map(({ stream }) => stream));
    canvas.fill({ x: 0, y: 0, width: canvas.width, height: canvas.height }, black);
    for (const placed of this.#placed) this.#drawOne(canvas, placed);
  }

  /** Draws what is new, and what lies above it. */
  #draw(canvas: Canvas, fresh: ReadonlySet<string>): void {
    const drawn: Placed[] = [];
    for (const placed of this.#placed) {
      const covered = drawn.some((below) => overlap(below, placed));
      if (!fresh.has(placed.streamId) && !covered) continue;
      // Beside its picture there is now what was drawn below.
      if (covered) canvas.fill(placed, black);
      this.#drawOne(canvas, placed);
      drawn.push(placed);
    }
  }

  #drawOne(canvas: Canvas, placed: Placed): void {
    const source = this.#sources.get(placed.streamId);
    if (source?.stream.hasVideo && source.picture?.shown) {
      if (source.picture.draw(canvas, placed, placed.fit)) return;
    }
    if (source?.nameplate) source.nameplate.draw(canvas, placed, source.stream.name);
    else canvas.fill(placed, tile);
  }

  #composeSound(end: number): void {
    const origin = this.#origin as number;
    const from = this.#sounds * audioFrame;
    this.#left.fill(0);
    this.#right.fill(0);
    for (const { lanes, voice } of this.#sources.values()) {
      const lane = lanes.get('audio');
      if (!voice) continue;
      for (const { time, data } of lane?.take(end) ?? []) {
        voice.hear(data, ((time - origin) * audioRate) / 1000);
      }
      voice.ring.mixInto(this.#left, this.#right, from);
    }
    limit(this.#left);
    limit(this.#right);
    this.#options.output.sound(this.#left, this.#right);
    this.#sounds += 1;
  }
}

function overlap(a: Box, b: Box): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

/** Many voices at once may be louder than full: bent, not cut. */
function limit(samples: Float32Array): void {
  const knee = 0.8;
  for (let index = 0; index < samples.length; index += 1) {
    const sample = samples[index] as number;
    const over = Math.abs(sample) - knee;
    if (over > 0) samples[index] = Math.sign(sample) * (knee + (1 - knee) * Math.tanh(over / (1 - knee)));
  }
}
