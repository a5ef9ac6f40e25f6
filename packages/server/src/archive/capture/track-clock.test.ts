import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import { randomOf } from '../../../../../tests/sample.ts';
import { PublisherClock } from './publisher-clock.ts';
import { TrackClock, Unwrapped } from './track-clock.ts';

const audioRate = 48_000;
const videoRate = 90_000;
/** How far sound and picture may be apart, or a track from where it belongs (issue 4). */
const inStepMs = 40;

test('a timestamp goes on past 32 bits, and one that is late counts back', () => {
  const unwrapped = new Unwrapped();
  const from = 0xffff_fff0;
  assert.deepEqual(
    [from, 0xffff_ffff, 0x10, 0xffff_fff8, 0x20].map((timestamp) => unwrapped.next(timestamp)),
    [from, 2 ** 32 - 1, 2 ** 32 + 0x10, 2 ** 32 - 8, 2 ** 32 + 0x20],
  );
  // Many times around.
  const around = new Unwrapped();
  for (let step = 0; step < 40; step += 1) {
    const timestamp = step * 0x2000_0000;
    assert.equal(around.next(timestamp % 2 ** 32), timestamp);
  }
});

test('a track is known from its first packet on, by when it came', () => {
  const clock = new TrackClock(videoRate, new PublisherClock(), 'video');
  assert.equal(clock.time(0), null);
  const timestamp = clock.packet(900, 5000);
  assert.equal(clock.time(timestamp), 5000);
  assert.equal(clock.time(timestamp + videoRate), 6000);
});

test('the packet that was under way for the shortest time says when the others were captured', () => {
  const clock = new TrackClock(videoRate, new PublisherClock(), 'video');
  clock.packet(0, 1000 + 80);
  const fastest = clock.packet(90 * 20, 1020 + 79);
  const slow = clock.packet(90 * 40, 1040 + 300);
  assert.equal(Math.round((clock.time(slow) as number) - (clock.time(fastest) as number)), 20);
  assert.ok(Math.abs((clock.time(slow) as number) - (1040 + 79)) < 1);
});

/** A publisher's sound and picture over some seconds, with what happens to its clock and to its timestamps. */
class Publisher {
  readonly shared = new PublisherClock();
  readonly sound = new TrackClock(1000, this.shared, 'audio');
  readonly picture = new TrackClock(1000, this.shared, 'video');
  /** Added to its clock, and to the timestamps of its sound. */
  clock = 1_700_000_000_000;
  stamps = 0;
  /** How far the times of the packets that came were from the truth at worst. */
  worst = { sound: 0, picture: 0 };

  /** Sound with a report at each fifth second, a picture with one at each second and a half. */
  run(fromMs: number, toMs: number, more: (ms: number) => void = () => {}): void {
    for (let ms = fromMs; ms < toMs; ms += 20) {
      more(ms);
      const sound = this.sound.packet(ms + this.stamps, ms + 10);
      const picture = this.picture.packet(ms, ms + 10);
      if (ms % 5000 === 0) this.sound.report(this.clock + ms, ms + this.stamps);
      if (ms % 1500 === 0) this.picture.report(this.clock + ms, ms);
      const off = (clock: TrackClock, unwrapped: number) => Math.abs((clock.time(unwrapped) as number) - ms - 10);
      this.worst.sound = Math.max(this.worst.sound, off(this.sound, sound));
      this.worst.picture = Math.max(this.worst.picture, off(this.picture, picture));
    }
  }
}

test('a publisher whose clock is set goes on as before, though its tracks learn of it at different times', () => {
  for (const by of [-60_000, -600, 600, 60_000]) {
    const publisher = new Publisher();
    publisher.run(0, 21_000);
    publisher.clock += by;
    publisher.run(21_000, 60_000);
    // Once more, and with another track that knows nothing of what was before.
    publisher.clock += by;
    publisher.run(60_000, 80_000);
    const late = new TrackClock(1000, publisher.shared, 'video');
    late.packet(5, 80_010);
    late.report(publisher.clock + 80_000, 5);
    assert.ok(Math.abs((late.time(5) as number) - 80_010) < 1, `set by ${by}`);
    assert.deepEqual(publisher.worst, { sound: 0, picture: 0 }, `set by ${by}`);
  }
});

test('timestamps that begin anew are believed within archiveClockLateMs, and the other track is not touched', () => {
  for (const by of [-1_000_000, -700, 700, 1_000_000]) {
    const publisher = new Publisher();
    publisher.run(0, 21_000);
    publisher.stamps += by;
    publisher.run(21_000, 21_040 + limits.archiveClockLateMs);
    publisher.worst.sound = 0;
    publisher.run(21_040 + limits.archiveClockLateMs, 60_000);
    assert.deepEqual(publisher.worst, { sound: 0, picture: 0 }, `moved by ${by}`);
  }
});

test('capture times are preferred to reports, for archiveClockWindowSeconds after the last one', () => {
  const windowMs = limits.archiveClockWindowSeconds * 1000;
  const shared = new PublisherClock();
  const [clock, other] = [new TrackClock(1000, shared, 'audio'), new TrackClock(1000, shared, 'video')];
  // Reports that are wrong by 200 ms, and another track that says how the publisher's clock is.
  const run = (from: number, to: number, captured: boolean) => {
    for (let ms = from; ms <= to; ms += 20) {
      other.packet(ms, ms + 10);
      if (ms % 1000 === 0) other.report(5_000_000 + ms, ms);
      clock.packet(ms, ms + 90);
      if (captured) clock.captured(5_000_000 + ms, ms);
      clock.report(5_000_200 + ms, ms);
    }
  };
  run(0, 20_000, true);
  assert.equal(Math.round(clock.time(20_000) as number), 20_010);
  run(20_020, 20_000 + windowMs, false);
  assert.equal(Math.round(clock.time(20_000 + windowMs) as number), 20_010 + windowMs);
  run(20_020 + windowMs, 20_040 + windowMs, false);
  assert.ok((clock.time(20_040 + windowMs) as number) > 20_200 + windowMs);
});

/** Network delays of a packet: ten milliseconds at least, mostly little more, sometimes much. */
function delays(name: string): () => number {
  const random = randomOf(name);
  return () => 10 + random() * 5 + (random() < 0.1 ? random() * 60 : 0);
}

interface Sending {
  readonly clock: TrackClock;
  readonly rate: number;
  readonly everyMs: number;
  readonly first: number;
}

test('sender reports put sound and picture on one line, whatever their packets have been through', () => {
  const shared = new PublisherClock();
  const delay = delays('reports');
  const audio: Sending = {
    clock: new TrackClock(audioRate, shared, 'audio'),
    rate: audioRate,
    everyMs: 20,
    first: 4_294_900_000,
  };
  // A camera whose packets take longer, since they are large.
  const video: Sending = {
    clock: new TrackClock(videoRate, shared, 'video'),
    rate: videoRate,
    everyMs: 33,
    first: 123_456,
  };
  const timestampAt = ({ rate, first }: Sending, ms: number) => Math.round(first + (ms * rate) / 1000) % 2 ** 32;
  const events: { at: number; happen: () => void }[] = [];
  for (const track of [audio, video]) {
    const more = track === video ? 35 : 0;
    for (let ms = 0; ms < 30_000; ms += track.everyMs) {
      const at = ms + delay() + more;
      events.push({ at, happen: () => void track.clock.packet(timestampAt(track, ms), at) });
    }
    for (let ms = 1000; ms < 30_000; ms += 5000) {
      const at = ms + delay();
      events.push({ at, happen: () => track.clock.report(1_700_000_000_000 + ms, timestampAt(track, ms)) });
    }
  }
  for (const { happen } of events.sort((a, b) => a.at - b.at)) happen();
  const [sound, picture] = [audio, video].map((track) => track.clock.time(track.first + 29 * track.rate) as number) as [
    number,
    number,
  ];
  assert.ok(Math.abs(sound - picture) < 1, `${sound} and ${picture}`);
  assert.ok(Math.abs(sound - (29_000 + 10)) < 5, `${sound}`);
});

/** Sound at each 20 ms that is under way for `soundMs`, and pictures at each 40 ms; both with reports. */
class Slipping {
  readonly shared = new PublisherClock();
  readonly sound = new TrackClock(1000, this.shared, 'audio');
  readonly picture = new TrackClock(1000, this.shared, 'video');
  /** By how much the timestamps of the sound are behind. */
  behind = 0;
  /** By how much later than it was taken sound is said to have been, in its next reports. */
  readonly noise: number[] = [];
  /** Milliseconds under way, more than usual: ten, and for pictures 35, since they are larger. */
  more = { sound: 0, picture: 0 };
  heard = true;
  at = 0;

  run(untilMs: number): void {
    for (; this.at < untilMs; this.at += 20) {
      const ms = this.at;
      if (this.heard) this.sound.packet(ms - this.behind, ms + 10 + this.more.sound);
      if (this.heard && ms % 5000 === 0)
        this.sound.report(7_000_000 + ms + (this.noise.shift() ?? 0), ms - this.behind);
      if (ms % 40 === 0) this.picture.packet(ms, ms + 35 + this.more.picture);
      if (ms % 1000 === 0) this.picture.report(7_000_000 + ms, ms);
    }
  }

  /** From now on; its timestamps go on as if it had been off for 300 ms less. */
  mute(untilMs: number): void {
    this.heard = false;
    this.run(untilMs);
    this.heard = true;
    this.behind = 300;
  }

  /** Milliseconds by which sound is placed later than the pictures that were taken with it. */
  get late(): number {
    const [sound, picture] = [this.sound.time(this.at - this.behind), this.picture.time(this.at)];
    return Math.round((sound as number) - (picture as number));
  }
}

test('of archiveClockReports reports of sound the earliest counts: a busy publisher says late when sound was taken', () => {
  const track = new Slipping();
  track.noise.push(0, 0, 30, 58);
  track.run(19_000);
  assert.equal(track.late, 0);
  // Nothing earlier came since: it was so.
  track.noise.push(...Array<number>(limits.archiveClockReports).fill(58));
  track.run(19_000 + limits.archiveClockReports * 5000);
  assert.equal(track.late, 58);
  // And earlier again: at once.
  track.run(track.at + 5000);
  assert.equal(track.late, 0);
});

test('a report of sound that is later by more than archiveClockReportMs is believed', () => {
  const late = (by: number) => {
    const track = new Slipping();
    track.noise.push(0, 0, by);
    track.run(11_000);
    return track.late;
  };
  assert.equal(late(limits.archiveClockReportMs), 0);
  assert.equal(late(limits.archiveClockReportMs + 1), limits.archiveClockReportMs + 1);
});

test('sound that is out of place by no more than archiveClockStepMs moves at archiveClockSlewPpm; by more, at once', () => {
  const after = (by: number) => {
    const track = new Slipping();
    track.noise.push(by, by, by, by);
    track.run(19_000);
    assert.equal(track.late, by);
    // The report that is right comes at the next second.
    track.run(24_020);
    return track.late;
  };
  const { archiveClockStepMs: step, archiveClockSlewPpm: slew } = limits;
  assert.equal(after(step), Math.round(step - (4000 * slew) / 1_000_000));
  assert.equal(after(step + 1), 0);
});

test('sound that was off and falls behind by 300 ms is in its place again before it is composed, and before a report', () => {
  const track = new Slipping();
  track.run(12_000);
  track.mute(15_500);
  track.run(15_520);
  assert.equal(track.late, 0);
  // The reports that come know of it as well.
  track.run(41_000);
  assert.equal(track.late, 0);
  // Samples that were lost without a gap: within archiveDelayMs.
  track.behind += 100;
  track.run(track.at + limits.archiveDelayMs);
  assert.ok(track.late < -90);
  track.run(track.at + 40);
  assert.equal(track.late, 0);
  track.run(60_000);
  assert.equal(track.late, 0);
});

test('sound that falls behind by no more than archiveClockSlipMs is the network, and waits for reports', () => {
  const moved = (by: number) => {
    const track = new Slipping();
    track.run(12_000);
    track.behind = by;
    track.run(14_900);
    return track.late + by;
  };
  assert.equal(moved(limits.archiveClockSlipMs), 0);
  assert.ok(moved(limits.archiveClockSlipMs + 1) >= 2);
});

test('a report that knows of a slip already counts it once', () => {
  for (const by of [80, 300]) {
    const track = new Slipping();
    // The report of the second 15 comes before the slip could be seen.
    track.run(14_800);
    track.behind = by;
    for (let until = 15_020; until < 40_000; until += 20) {
      track.run(until);
      assert.equal(track.late, 0, `${by} ms, at ${until}`);
    }
  }
});

test('what a report has confirmed is not taken back when pictures are slow or the network clears', () => {
  const track = new Slipping();
  track.run(12_000);
  track.mute(15_500);
  track.run(21_000);
  for (const more of [
    { sound: 0, picture: 400 },
    { sound: 200, picture: 200 },
    { sound: 0, picture: 0 },
  ]) {
    track.more = more;
    for (const end = track.at + 3000; track.at < end; ) {
      track.run(track.at + 20);
      assert.equal(track.late, 0, `${JSON.stringify(more)} at ${track.at}`);
    }
  }
});

test('after minutes without sound and with a quartz that is off, a slip is known to a few milliseconds', () => {
  for (const ppm of [-200, 200]) {
    const shared = new PublisherClock();
    const [sound, picture] = [new TrackClock(1000, shared, 'audio'), new TrackClock(1000, shared, 'video')];
    let theirs = 0;
    let behind = 0;
    const run = (fromMs: number, untilMs: number, heard: boolean) => {
      for (let ms = fromMs; ms < untilMs; ms += 20) {
        theirs = ms * (1 + ppm / 1_000_000);
        if (heard) sound.packet(theirs - behind, ms + 10);
        if (heard && ms === 5000) sound.report(7_000_000 + theirs, theirs);
        if (ms % 40 === 0) picture.packet(theirs, ms + 12);
        if (ms % 1000 === 0) picture.report(7_000_000 + theirs, theirs);
      }
    };
    run(0, 12_000, true);
    behind = 300;
    run(12_000, 612_000, false);
    run(612_000, 613_000, true);
    const late = (sound.time(theirs - behind) as number) - (picture.time(theirs) as number);
    assert.ok(Math.abs(late) < 5, `${late} ms with ${ppm} ppm`);
  }
});

test('a packet that waits is placed by a report that came after it', () => {
  const shared = new PublisherClock();
  const [sound, picture] = [new TrackClock(1000, shared, 'audio'), new TrackClock(1000, shared, 'video')];
  for (let ms = 0; ms < 5000; ms += 20) {
    if (ms % 1000 === 0) sound.report(7_000_000 + ms, ms);
    sound.packet(ms, ms + 10);
  }
  const waiting = picture.packet(5000, 5150);
  assert.equal(picture.time(waiting), 5150);
  picture.report(7_005_000, 5000);
  assert.equal(Math.round(picture.time(waiting) as number), 5010);
});

test('a network that holds up all packets, or pictures alone, moves no sound', () => {
  for (const more of [
    { sound: 200, picture: 200 },
    { sound: 0, picture: 400 },
    { sound: 10, picture: 0 },
  ]) {
    // Whichever came last before it was held up.
    for (let phase = 0; phase < 100; phase += 20) {
      const track = new Slipping();
      track.run(12_000 + phase);
      track.more = more;
      for (const end of [14_500, 30_000]) {
        while (track.at < end) {
          track.run(track.at + 20);
          assert.equal(track.late, 0, `${JSON.stringify(more)} at ${track.at}`);
        }
        track.more = { sound: 0, picture: 0 };
      }
    }
  }
});

const settleMs = limits.archiveDelayMs + 500;

/**
 * Two hours of a publisher whose quartz is off, looked at from the moment on at which something is composed.
 * @returns in milliseconds: how far its times were from the truth at worst; the fastest move, in millionths
 */
function twoHours(ppm: number, withReports: boolean): { worst: number; fastest: number } {
  const clock = new TrackClock(audioRate, new PublisherClock(), 'audio');
  const delay = delays(`drift ${ppm}`);
  let [worst, fastest] = [0, 0];
  let before: { at: number; offset: number } | null = null;
  // As close as they come until something is composed of them, then one of five.
  for (let ms = 0; ms < 2 * 3600 * 1000; ms += ms < settleMs ? 20 : 100) {
    const theirs = ms * (1 + ppm / 1_000_000);
    const timestamp = Math.round((theirs * audioRate) / 1000) % 2 ** 32;
    if (withReports && ms % 5000 === 0) clock.report(1_700_000_000_000 + theirs, timestamp);
    // In order, as they are when they are this far apart.
    const at = ms + delay();
    const unwrapped = clock.packet(timestamp, at);
    const time = clock.time(unwrapped) as number;
    if (ms < settleMs) continue;
    worst = Math.max(worst, Math.abs(time - (ms + 10)));
    const offset = time - (unwrapped * 1000) / audioRate;
    if (before) fastest = Math.max(fastest, (Math.abs(offset - before.offset) / (at - before.at)) * 1_000_000);
    before = { at, offset };
  }
  return { worst, fastest };
}

test('over two hours a quartz that is off by 200 ppm is followed, no faster than archiveClockSlewPpm', () => {
  for (const ppm of [-200, 0, 200]) {
    for (const withReports of [false, true]) {
      const { worst, fastest } = twoHours(ppm, withReports);
      assert.ok(worst <= inStepMs, `${worst} ms off with ${ppm} ppm`);
      // The value of a report is whole samples: what that rounds may add.
      const rounded = withReports ? (1000 / audioRate / 39) * 1_000_000 : 0.01;
      assert.ok(fastest <= limits.archiveClockSlewPpm + rounded, `${fastest} ppm at once, drift ${ppm} ppm`);
    }
  }
});
