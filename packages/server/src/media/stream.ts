/**
 * A stream as it is published: its tracks, who subscribes to it or taps it, and what of it is wanted. It outlives its tracks: when
 * the publisher's worker is lost, the subscriptions wait for the tracks that take their place.
 */
import { limits, type MediaKind } from '@cloister/protocol';
import type { Consumer } from 'mediasoup/types';
import type { Cancel, Clock } from '../lib/index.ts';
import { codecForEverybody } from './codecs.ts';
import type { RoomRouter } from './room-router.ts';
import type { Demand, SenderReport, Track } from './track.ts';

/** What a stream needs to know of a subscription or a tap. */
export interface StreamUser {
  /** Where it takes the stream; null while it takes nothing. */
  readonly router: RoomRouter | null;
  readonly consumers: readonly Consumer[];
  /** Whether this kind would flow to the client now. */
  wants(kind: MediaKind): boolean;
  /** The spatial layer that it prefers of a track. */
  spatialLayer(track: Track): number;
  /** A new track; the older one of its kind, if there is one, ends right afterwards. */
  trackAdded(track: Track): void;
  /** The publisher mutes the track or unmutes it: told before it takes effect. */
  trackMuted?(track: Track): void;
  /** The stream is over. */
  streamClosed(): void;
}

export interface Wanted {
  readonly audio: boolean;
  readonly video: boolean;
  /** Highest spatial layer that anybody wants; -1 when nobody wants the picture. */
  readonly spatialMax: number;
}

/** What the publisher's side learns. */
export interface StreamTold {
  /** What is wanted: told at once when it becomes more, after `unwantedSeconds` when it becomes less. */
  wanted(wanted: Wanted): void;
  /** A subscriber cannot decode the picture, but could one of these, most wanted first. */
  codecWanted(mimeTypes: string[]): void;
  /** Packets that a consumer that is gone now had forwarded. */
  forwarded(packets: number): void;
}

export class PublishedStream {
  readonly id: string;
  readonly tracks = new Map<MediaKind, Track>();
  readonly users = new Set<StreamUser>();
  readonly told: StreamTold;
  readonly #clock: Clock;
  #allowed = false;
  #said: Wanted | null = null;
  #cancelTelling: Cancel | null = null;
  /** Codecs that some subscriber could not decode; none of them is asked for again. */
  readonly #givenUp = new Set<string>();
  /** What the publisher of the picture as it is now was asked for. */
  readonly #asked = new Set<string>();

  constructor(id: string, clock: Clock, told: StreamTold) {
    this.id = id;
    this.#clock = clock;
    this.told = told;
  }

  /** Takes a new track in, in the place of an older one of its kind, and tells everybody who subscribes. */
  add(track: Track): void {
    const before = this.tracks.get(track.kind);
    this.tracks.set(track.kind, track);
    if (track.kind === 'video') this.#asked.clear();
    for (const user of [...this.users]) user.trackAdded(track);
    before?.close();
  }

  /**
   * A subscriber cannot decode the picture: asks its publisher for one that it can. Each list is asked for once, none
   * with a codec that was given up before, and nobody is asked to leave the codec for everybody; so this comes to an end.
   * @param decodable what the subscriber could take
   */
  askForCodec(track: Track, decodable: readonly string[]): void {
    if (track.codec === codecForEverybody || this.tracks.get(track.kind) !== track) return;
    this.#givenUp.add(track.codec);
    const mimeTypes = decodable.filter((each) => !this.#givenUp.has(each));
    const list = mimeTypes.join();
    if (mimeTypes.length === 0 || this.#asked.has(list)) return;
    this.#asked.add(list);
    this.told.codecWanted(mimeTypes);
  }

  /** The leg over which the stream comes in is allowed. */
  async allow(): Promise<void> {
    this.#allowed = true;
    await this.refresh();
  }

  async mute(kind: MediaKind, muted: boolean): Promise<void> {
    const track = this.tracks.get(kind);
    if (!track) return;
    const changed = track.muted !== muted;
    track.muted = muted;
    if (changed) for (const user of this.users) user.trackMuted?.(track);
    await this.refresh();
  }

  /** Brings every producer and pipe in line with who wants what; resolves when the workers have followed. */
  async refresh(): Promise<void> {
    const flows = [...this.tracks.values()].map((track) => track.flow(this.#allowed, this.#demand(track.kind)));
    if (this.#allowed) this.#tellWanted();
    await Promise.all(flows);
  }

  get senderReports(): SenderReport[] {
    return [...this.tracks.values()].flatMap((track) => track.senderReports);
  }

  /** Ends the tracks; the stream waits for others, which must be allowed anew. */
  dropTracks(): void {
    this.#allowed = false;
    this.#said = null;
    this.#cancelTelling?.();
    this.#cancelTelling = null;
    for (const track of this.tracks.values()) track.close();
    this.tracks.clear();
  }

  /** Ends the stream with all that hangs on it. */
  close(): void {
    this.dropTracks();
    for (const user of [...this.users]) user.streamClosed();
    this.users.clear();
  }

  #demand(kind: MediaKind): Demand {
    const demand = new Map<RoomRouter, number>();
    for (const user of this.users) {
      const { router } = user;
      if (router && user.wants(kind)) demand.set(router, (demand.get(router) ?? 0) + 1);
    }
    return demand;
  }

  #wanted(): Wanted {
    const video = this.tracks.get('video');
    const wanted = { audio: false, video: false, spatialMax: -1 };
    for (const user of this.users) {
      wanted.audio ||= user.wants('audio');
      if (!video || !user.wants('video')) continue;
      wanted.video = true;
      wanted.spatialMax = Math.max(wanted.spatialMax, user.spatialLayer(video));
    }
    return wanted;
  }

  /** A publisher sends everything until it is told otherwise. */
  #everything(): Wanted {
    const video = this.tracks.get('video');
    return { audio: true, video: true, spatialMax: video ? video.ladder.sizes.length - 1 : 0 };
  }

  #tellWanted(): void {
    const now = this.#wanted();
    const told = this.#said ?? this.#everything();
    const more =
      (now.audio && !told.audio) || (now.video && !told.video) || (told.video && now.spatialMax > told.spatialMax);
    if (more) {
      this.#say(now);
      return;
    }
    const same = now.audio === told.audio && now.video === told.video && now.spatialMax === told.spatialMax;
    if (same) {
      this.#cancelTelling?.();
      this.#cancelTelling = null;
      return;
    }
    // Somebody who leaves is often followed by somebody who comes; an encoder is not worth starting again for that.
    this.#cancelTelling ??= this.#clock.after(limits.unwantedSeconds * 1000, () => this.#say(this.#wanted()));
  }

  #say(wanted: Wanted): void {
    this.#cancelTelling?.();
    this.#cancelTelling = null;
    this.#said = wanted;
    this.told.wanted(wanted);
  }
}
