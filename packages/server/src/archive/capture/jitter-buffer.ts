/**
 * Puts the packets of one track into order and its pictures together, and gives them out when they are due. Time comes in
 * as an argument: what is due is decided by when it was captured.
 */
import { limits } from '@cloister/protocol';
import type { RtpPacket } from '../../lib/index.ts';
import type { Depacketize } from './depacketize.ts';
import type { TrackClock } from './track-clock.ts';

/** A picture, or a piece of sound, as its decoder takes it. */
export interface Unit {
  /** When it was captured, in the recording's milliseconds. */
  readonly time: number;
  readonly data: Buffer;
  /** Whether it can be decoded without any other. */
  readonly key: boolean;
  /** The header extensions of its last packet. */
  readonly extensions: ReadonlyMap<number, Buffer>;
}

interface Held {
  readonly packet: RtpPacket;
  /** The timestamp without its wrap. */
  readonly timestamp: number;
}

/** Numbers between two runs of a publisher: more than come out of order. */
const gap = 1000;

export class JitterBuffer {
  readonly #clock: TrackClock;
  readonly #depacketize: Depacketize | null;
  /** By sequence number without its wrap. */
  readonly #held = new Map<number, Held>();
  #highest: number | null = null;
  /** Added to sequence numbers: a publisher that begins anew, lower, goes on behind what it sent before. */
  #shift = 0;
  /** Until when it was taken out. */
  #taken: number | null = null;
  #next: number | null = null;
  #needsKey: boolean;

  /** @param depacketize how pictures are put together; null where each packet stands alone, as with sound */
  constructor(clock: TrackClock, depacketize: Depacketize | null) {
    this.#clock = clock;
    this.#depacketize = depacketize;
    this.#needsKey = depacketize !== null;
  }

  /** Whether no picture can come out before a key frame does. */
  get needsKey(): boolean {
    return this.#needsKey;
  }

  /** @param at when it came, in the recording's milliseconds */
  push(packet: RtpPacket, at: number): void {
    const timestamp = this.#clock.packet(packet.timestamp, at);
    let sequence = this.#extend(packet.sequence) + this.#shift;
    this.#next ??= sequence;
    if (sequence < this.#next) {
      if (!this.#isNew(timestamp)) return;
      sequence = this.#beginAnew(packet.sequence);
    }
    this.#held.set(sequence, { packet, timestamp });
    if (this.#held.size > limits.archiveJitterPackets) this.#giveUp();
  }

  /**
   * Takes out what was captured until then, in order. What is missing while something later is due is lost; a picture
   * that refers to a lost one is not given out.
   */
  take(until: number): Unit[] {
    this.#taken = until;
    const due: Unit[] = [];
    while (this.#next !== null) {
      // Padding to measure the network with: it has a number, and nothing in it.
      if (this.#held.get(this.#next)?.packet.payload.length === 0) {
        this.#drop(1);
        continue;
      }
      const run = this.#run(this.#next);
      if (run.length === 0) {
        if (!this.#skipTo(until)) break;
        continue;
      }
      const [first] = run as [Held, ...Held[]];
      const time = this.#clock.time(first.timestamp);
      if (time === null) break;
      // What comes before what is due is due as well, though its clock should say otherwise since.
      const whole = this.#whole(run);
      if ((time > until || !whole) && !this.#anotherIsDue(this.#next + run.length, first.timestamp, until)) break;
      if (!whole) {
        this.#drop(run.length);
        this.#lose();
        continue;
      }
      this.#drop(run.length);
      const unit = this.#unit(run, Math.min(time, until));
      if (unit) due.push(unit);
    }
    return due;
  }

  #unit(run: readonly Held[], time: number): Unit | null {
    const { extensions } = (run.at(-1) as Held).packet;
    const payloads = run.map(({ packet }) => packet.payload).filter((payload) => payload.length > 0);
    if (!this.#depacketize) return { time, data: payloads[0] as Buffer, key: true, extensions };
    const picture = this.#depacketize(payloads);
    if (!picture) {
      this.#lose();
      return null;
    }
    if (picture.key) this.#needsKey = false;
    return this.#needsKey ? null : { time, ...picture, extensions };
  }

  /** The packets from this one on that are of one picture and follow each other. */
  #run(from: number): Held[] {
    const run: Held[] = [];
    for (let sequence = from; ; sequence += 1) {
      const held = this.#held.get(sequence);
      if (!held || (run[0] && run[0].timestamp !== held.timestamp)) return run;
      run.push(held);
      if (!this.#depacketize || held.packet.marker) return run;
    }
  }

  /** A picture ends with the marker, or where the next one begins. */
  #whole(run: readonly Held[]): boolean {
    if (!this.#depacketize || run.at(-1)?.packet.marker) return true;
    return this.#held.has((this.#next ?? 0) + run.length);
  }

  /** By number, not by timestamp: one that begins anew may have lower ones. */
  #anotherIsDue(from: number, than: number, until: number): boolean {
    for (const [sequence, { timestamp }] of this.#held) {
      if (sequence < from || timestamp === than) continue;
      if ((this.#clock.time(timestamp) ?? until + 1) <= until) return true;
    }
    return false;
  }

  /**
   * Whether a packet with a number that is over was captured after all that was taken out: what comes too late was not, since
   * something behind it was due by then.
   */
  #isNew(timestamp: number): boolean {
    const time = this.#clock.time(timestamp);
    return this.#taken !== null && time !== null && time > this.#taken;
  }

  /** Lets numbers go on behind the highest one from this one on, with a gap: what lies between is lost. */
  #beginAnew(sequence: number): number {
    const before = (this.#highest ?? 0) + this.#shift;
    this.#highest = sequence;
    this.#shift = before + gap - sequence;
    return sequence + this.#shift;
  }

  /** The next packet is missing: goes on behind the gap once that is due. @returns whether it went on */
  #skipTo(until: number): boolean {
    const next = Math.min(...this.#held.keys());
    const held = this.#held.get(next);
    if (!held || (this.#clock.time(held.timestamp) ?? until + 1) > until) return false;
    this.#next = next;
    this.#lose();
    return true;
  }

  #drop(count: number): void {
    const from = this.#next ?? 0;
    for (let sequence = from; sequence < from + count; sequence += 1) this.#held.delete(sequence);
    this.#next = from + count;
  }

  #lose(): void {
    if (this.#depacketize) this.#needsKey = true;
  }

  #giveUp(): void {
    this.#held.clear();
    this.#next = (this.#highest ?? 0) + this.#shift + 1;
    this.#lose();
  }

  #extend(sequence: number): number {
    if (this.#highest === null) {
      this.#highest = sequence;
      return sequence;
    }
    const step = ((sequence - this.#highest) << 16) >> 16;
    const extended = this.#highest + step;
    if (step > 0) this.#highest = extended;
    return extended;
  }
}
