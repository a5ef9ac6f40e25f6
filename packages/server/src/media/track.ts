/** One published track: its producer in the publisher's router, and the pipes that carry it to other routers. */
import type { MediaKind, RtpParameters } from '@cloister/protocol';
import type { Producer, RtpStreamRecvStats } from 'mediasoup/types';
import type { Clock } from '../lib/index.ts';
import { codecOf } from './codecs.ts';
import { Gate } from './gate.ts';
import { type Ladder, ladderOf } from './layers.ts';
import type { PipedProducer } from './pipe.ts';
import type { RoomRouter } from './room-router.ts';

/** A publisher's own sender report (RFC 3550, 6.4.1), as its worker received it. */
export interface SenderReport {
  readonly kind: MediaKind;
  readonly ssrc: number;
  readonly ntpSec: number;
  readonly ntpFrac: number;
  readonly rtpTs: number;
  readonly packetCount: number;
  readonly octetCount: number;
}

/** A key frame as it came in: its layer, by the publisher's SSRC, and its timestamp as the publisher sent it. */
export interface KeyFrame {
  readonly ssrc: number;
  readonly rtpTs: number;
}

/** Who follows the publisher's clock. */
export interface TrackListener {
  senderReport(report: SenderReport): void;
  /** Told of simulcast pictures alone, before the packet goes on to any consumer. */
  keyFrame(frame: KeyFrame): void;
}

interface Branch {
  readonly piped: Promise<PipedProducer>;
  /** Set once the pipe is there. */
  gate: Gate | null;
  wanted: boolean;
}

/** How many of a track's subscribers each router has that want it now. */
export type Demand = ReadonlyMap<RoomRouter, number>;

export interface TrackParts {
  readonly producer: Producer;
  readonly router: RoomRouter;
  readonly rtpParameters: RtpParameters;
  readonly dimensions: { width: number; height: number };
  readonly frameRate: number;
  readonly audioFallback: boolean;
  readonly muted: boolean;
  readonly clock: Clock;
}

/** What mediasoup tells of a key frame, as far as it is used. */
interface KeyFrameInfo {
  readonly rtpPacket: { readonly ssrc: number; readonly timestamp: number };
}

export class Track {
  readonly producer: Producer;
  readonly router: RoomRouter;
  readonly ladder: Ladder;
  readonly audioFallback: boolean;
  /** Its mime type, such as `video/VP8`. */
  readonly codec: string;
  muted: boolean;
  readonly #gate: Gate;
  readonly #clock: Clock;
  readonly #branches = new Map<RoomRouter, Branch>();
  readonly #reports = new Map<number, SenderReport>();
  readonly #listeners = new Set<TrackListener>();
  #need = { bps: 0, atMs: Number.NEGATIVE_INFINITY };

  constructor(parts: TrackParts) {
    this.producer = parts.producer;
    this.router = parts.router;
    this.muted = parts.muted;
    this.audioFallback = parts.audioFallback;
    this.codec = codecOf(parts.rtpParameters);
    this.ladder = ladderOf(parts.rtpParameters.encodings ?? [], parts.dimensions, parts.frameRate);
    this.#clock = parts.clock;
    this.#gate = new Gate(parts.producer, false);
    parts.producer.on('trace', ({ type, info }) => {
      if (type === 'sr') this.#onReport({ ...(info as unknown as Omit<SenderReport, 'kind'>), kind: this.kind });
      else if (type === 'keyframe') this.#onKeyFrame(info as unknown as KeyFrameInfo);
    });
  }

  get kind(): MediaKind {
    return this.producer.kind;
  }

  get closed(): boolean {
    return this.producer.closed;
  }

  /** The last sender report of each of the publisher's encodings. */
  get senderReports(): SenderReport[] {
    return [...this.#reports.values()];
  }

  /** Listens to the publisher's clock; resolves when everything that happens from then on is told. */
  async listen(listener: TrackListener): Promise<void> {
    this.#listeners.add(listener);
    if (this.producer.type === 'simulcast') await this.producer.enableTraceEvent(['sr', 'keyframe']);
  }

  unlisten(listener: TrackListener): void {
    this.#listeners.delete(listener);
  }

  #onReport(report: SenderReport): void {
    this.#reports.set(report.ssrc, report);
    for (const listener of this.#listeners) listener.senderReport(report);
  }

  #onKeyFrame({ rtpPacket: { ssrc, timestamp } }: KeyFrameInfo): void {
    for (const listener of this.#listeners) listener.keyFrame({ ssrc, rtpTs: timestamp });
  }

  /** Makes the track reach a router, through a pipe where that is not its own. Idempotent. */
  async reach(router: RoomRouter): Promise<void> {
    if (router === this.router) return;
    const there = this.#branches.get(router);
    if (there) {
      const { producer } = await there.piped;
      if (!producer.closed) return;
      if (this.#branches.get(router) !== there) return this.reach(router);
    }
    const branch: Branch = { piped: this.#branchTo(router), gate: null, wanted: false };
    this.#branches.set(router, branch);
    try {
      const { gate } = await branch.piped;
      branch.gate = gate;
      await gate.set(branch.wanted);
    } catch (error) {
      if (this.#branches.get(router) === branch) this.#branches.delete(router);
      throw error;
    }
  }

  async #branchTo(router: RoomRouter): Promise<PipedProducer> {
    const pipe = await this.router.pipeTo(router);
    const piped = await pipe.carry(this.producer);
    const release = this.router.worker.load.add(1);
    piped.producer.observer.once('close', release);
    if (piped.producer.closed) release();
    return piped;
  }

  /** Lets packets flow where they are wanted and may, and nowhere else. Resolves when the worker has done so. */
  async flow(allowed: boolean, demand: Demand): Promise<void> {
    const changes = [...this.#branches].map(([router, branch]) => {
      branch.wanted = (demand.get(router) ?? 0) > 0;
      return branch.gate?.set(branch.wanted);
    });
    changes.push(this.#gate.set(allowed && !this.muted && demand.size > 0));
    await Promise.all(changes);
  }

  /** Whether packets go through the pipe to a router. For the inspector and tests. */
  flowsTo(router: RoomRouter): boolean {
    return this.#branches.get(router)?.gate?.open ?? false;
  }

  /** Bits a second that the lowest layer of this track takes; measured anew when older than `maxAgeMs`. */
  async needBps(maxAgeMs: number): Promise<number> {
    const now = this.#clock.now();
    if (now - this.#need.atMs < maxAgeMs || this.closed) return this.#need.bps;
    this.#need = { ...this.#need, atMs: now };
    const stats = await this.producer.getStats().catch(() => []);
    const bps = lowestBitrate(stats, this.producer.rtpParameters.encodings?.[0]?.rid, this.ladder.sizes.length);
    if (bps > 0) this.#need = { bps, atMs: now };
    return this.#need.bps;
  }

  close(): void {
    this.producer.close();
    this.#branches.clear();
  }
}

/** The bitrate of the lowest spatial layer with all its temporal ones: of simulcast the first stream, of SVC a part of the one. */
function lowestBitrate(stats: readonly RtpStreamRecvStats[], lowestRid: string | undefined, spatial: number): number {
  if (stats.length === 0) return 0;
  if (stats.length > 1) {
    const lowest = stats.find(({ rid }) => rid !== undefined && rid === lowestRid);
    return lowest?.bitrate ?? Math.min(...stats.map(({ bitrate }) => bitrate));
  }
  const only = stats[0] as RtpStreamRecvStats;
  if (spatial === 1) return only.bitrate;
  const layers = Object.entries(only.bitrateByLayer as Record<string, number>).filter(([name]) =>
    name.startsWith('0.'),
  );
  return Math.max(0, ...layers.map(([, bitrate]) => bitrate)) || only.bitrate;
}
