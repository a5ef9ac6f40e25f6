import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { limits } from '@cloister/protocol';
import fc from 'fast-check';
import { seed } from '../seal/archive-fixtures.ts';
import type { Depacketize } from './depacketize.ts';
import { JitterBuffer } from './jitter-buffer.ts';
import { PublisherClock } from './publisher-clock.ts';
import { TrackClock } from './track-clock.ts';

/** Pictures of text: one that begins with K is a key frame, with P none; what begins otherwise is no beginning. */
const textual: Depacketize = (payloads) => {
  if (payloads.some((payload) => payload.length === 0)) return null;
  const data = Buffer.concat(payloads);
  const first = data.toString()[0];
  return first === 'K' || first === 'P' ? { data, key: first === 'K' } : null;
};

/** A track whose timestamps are milliseconds; a packet comes when it was captured, if nothing else is said. */
class Track {
  readonly buffer: JitterBuffer;

  constructor(depacketize: Depacketize | null = textual) {
    this.buffer = new JitterBuffer(
      new TrackClock(1000, new PublisherClock(), depacketize ? 'video' : 'audio'),
      depacketize,
    );
  }

  push(sequence: number, ms: number, text: string, { marker = true, at = ms } = {}): void {
    const extensions = new Map([[1, Buffer.from(`of ${sequence & 0xffff}`)]]);
    const head = { payloadType: 96, ssrc: 1, sequence: sequence & 0xffff, timestamp: ms % 2 ** 32 };
    this.buffer.push({ ...head, marker, payload: Buffer.from(text), extensions }, at);
  }

  take(until: number): string[] {
    return this.buffer.take(until).map(({ time, data }) => `${data} ${time}`);
  }
}

const part = { marker: false };

describe('order', () => {
  test('packets of a picture come out in order, together, when the picture is due and not before', () => {
    const track = new Track();
    track.push(1, 0, 'K', part);
    track.push(4, 33, 'P1');
    track.push(3, 0, 'c', { at: 34 });
    track.push(2, 0, 'b', { marker: false, at: 35 });
    assert.deepEqual(track.take(-1), []);
    const [first] = track.buffer.take(32);
    assert.equal(first?.data.toString(), 'Kbc');
    assert.equal(first?.extensions.get(1)?.toString(), 'of 3');
    assert.deepEqual(track.take(33), ['P1 33']);
    assert.deepEqual(track.take(1000), []);
  });

  test('sequence numbers and timestamps wrap, also where packets are out of order', () => {
    const track = new Track();
    const from = 2 ** 32 - 20;
    track.push(0xfffe, from, 'K', { at: 0 });
    track.push(0x10001, from + 30, 'P3', { at: 30 });
    track.push(0xffff, from + 10, 'P1', { at: 30 });
    track.push(0x10000, from + 20, 'P2', { at: 30 });
    assert.deepEqual(track.take(30), ['K 0', 'P1 10', 'P2 20', 'P3 30']);
  });

  test('a picture without a marker ends where the next one begins', () => {
    const track = new Track();
    track.push(1, 0, 'K', part);
    track.push(2, 0, 'b', part);
    assert.deepEqual(track.take(10), []);
    track.push(3, 10, 'P1', part);
    assert.deepEqual(track.take(10), ['Kb 0']);
  });

  test('padding alone has no place in a picture and leaves no hole', () => {
    for (const depacketize of [textual, null]) {
      const track = new Track(depacketize);
      track.push(1, 0, 'K');
      track.push(2, 0, '', part);
      track.push(3, 0, '', part);
      track.push(4, 10, 'P1');
      assert.deepEqual(track.take(10), ['K 0', 'P1 10']);
    }
    const track = new Track();
    track.push(1, 0, 'K', part);
    track.push(2, 0, '', part);
    track.push(3, 0, 'b');
    assert.deepEqual(track.take(10), ['Kb 0']);
  });
});

describe('loss', () => {
  test('a picture that is missing is waited for until what follows is due; then a key frame is needed', () => {
    const track = new Track();
    assert.equal(track.buffer.needsKey, true);
    track.push(1, 0, 'K');
    track.push(3, 20, 'P2');
    track.push(4, 30, 'P3');
    assert.deepEqual(track.take(19), ['K 0']);
    assert.equal(track.buffer.needsKey, false);
    assert.deepEqual(track.take(30), []);
    assert.equal(track.buffer.needsKey, true);
    track.push(5, 40, 'K4');
    track.push(6, 50, 'P5');
    assert.deepEqual(track.take(50), ['K4 40', 'P5 50']);
    assert.equal(track.buffer.needsKey, false);
  });

  test('of a picture that is missing in part nothing comes out', () => {
    for (const missing of [2, 3, 4]) {
      const track = new Track();
      track.push(1, 0, 'K');
      for (const sequence of [2, 3, 4]) {
        const text = sequence === 2 ? 'P1' : 'b';
        if (sequence !== missing) track.push(sequence, 10, text, { marker: sequence === 4 });
      }
      track.push(5, 20, 'P2');
      track.push(6, 30, 'K3');
      assert.deepEqual(track.take(19), ['K 0'], `without ${missing}`);
      assert.deepEqual(track.take(30), ['K3 30'], `without ${missing}`);
    }
  });

  test('a packet that comes late and still in time is no loss; one that comes too late is none any more', () => {
    const track = new Track();
    track.push(1, 0, 'K');
    track.push(3, 20, 'P2');
    assert.deepEqual(track.take(10), ['K 0']);
    track.push(2, 10, 'P1', { at: 30 });
    assert.deepEqual(track.take(20), ['P1 10', 'P2 20']);
    track.push(5, 40, 'K4');
    assert.deepEqual(track.take(40), ['K4 40']);
    track.push(4, 30, 'P3', { at: 50 });
    assert.deepEqual(track.take(50), []);
  });

  test('sound goes on behind a gap', () => {
    const track = new Track(null);
    track.push(1, 0, 'a', part);
    track.push(3, 40, 'c', part);
    assert.equal(track.buffer.needsKey, false);
    assert.deepEqual(track.take(39), ['a 0']);
    assert.deepEqual(track.take(40), ['c 40']);
    assert.equal(track.buffer.needsKey, false);
  });

  test('what comes twice comes out once', () => {
    for (const depacketize of [textual, null]) {
      const track = new Track(depacketize);
      track.push(1, 0, 'K');
      track.push(2, 10, 'P1');
      track.push(2, 10, 'P1', { at: 11 });
      assert.deepEqual(track.take(10), ['K 0', 'P1 10']);
      track.push(2, 10, 'P1', { at: 12 });
      assert.deepEqual(track.take(20), []);
    }
  });

  test('what cannot be put together is lost like what did not come', () => {
    const track = new Track();
    track.push(1, 0, 'K');
    track.push(2, 10, 'x');
    track.push(3, 20, 'P2');
    track.push(4, 30, 'K3');
    assert.deepEqual(track.take(30), ['K 0', 'K3 30']);
  });
});

describe('a publisher that begins anew with lower numbers', () => {
  test('with timestamps that go on it is heard at once, behind what it had sent before', () => {
    const track = new Track(null);
    for (let index = 0; index < 30; index += 1) track.push(5000 + index, index * 20, `a${index}`);
    assert.equal(track.take(400).length, 21);
    for (let index = 30; index < 60; index += 1) track.push(100 + index, index * 20, `b${index}`);
    const rest = track.take(2000);
    assert.deepEqual([rest[0], rest[8], rest[9], rest.length], ['a21 420', 'a29 580', 'b30 600', 39]);
  });

  test('with lower timestamps it is heard as soon as they are believed', () => {
    const track = new Track(null);
    for (let index = 0; index < 500; index += 1)
      track.push(5000 + index, 1_000_000 + index * 20, 'a', { at: index * 20 });
    track.take(9500);
    const heard: number[] = [];
    for (let index = 0; index < 200; index += 1) {
      const at = 10_000 + index * 20;
      track.push(10 + index, index * 20, `${index}`, { at });
      for (const unit of track.take(at - 500)) if (!unit.startsWith('a')) heard.push(Number(unit.split(' ')[0]));
    }
    const lost = limits.archiveClockLateMs / 20;
    assert.ok((heard[0] as number) <= lost + 1, `the first one is ${heard[0]}`);
    assert.deepEqual(
      heard,
      heard.map((_, index) => (heard[0] as number) + index),
    );
    assert.ok((heard.at(-1) as number) >= 174);
  });

  test('what it had sent before is not held up by timestamps that are believed now', () => {
    const track = new Track(null);
    for (let index = 0; index < 500; index += 1)
      track.push(5000 + index, 1_000_000 + index * 20, 'a', { at: index * 20 });
    track.take(9900);
    for (let index = 0; index < 100; index += 1) track.push(10 + index, index * 20, 'b', { at: 10_000 + index * 20 });
    assert.equal(
      track.take(12_000).join(' ').replace(/ \d+/g, ''),
      'aaaa'.split('').concat(Array(75).fill('b')).join(' '),
    );
  });

  test('a picture needs a key frame then, and one that was cut does not hold it up', () => {
    const track = new Track();
    track.push(5000, 0, 'K0');
    track.push(5001, 10, 'P1', part);
    assert.deepEqual(track.take(5), ['K0 0']);
    track.push(7, 20, 'P2');
    track.push(8, 30, 'K3');
    assert.deepEqual(track.take(30), ['K3 30']);
  });

  test('numbers wrap as ever, and it may begin anew again', () => {
    const track = new Track(null);
    let [ms, from] = [0, 0xfff0];
    for (let round = 0; round < 5; round += 1) {
      const sent: string[] = [];
      for (let index = 0; index < 40; index += 1, ms += 20) {
        track.push(from + index, ms, `${round}`);
        sent.push(`${round} ${ms}`);
      }
      assert.deepEqual(track.take(ms - 1), sent);
      from = (from + 0xe000) & 0xffff;
    }
  });
});

test('archiveJitterPackets wait for one that is missing; with one more all of them are given up', () => {
  for (const depacketize of [textual, null]) {
    const track = new Track(depacketize);
    const most = limits.archiveJitterPackets;
    track.push(0, 0, 'K');
    assert.deepEqual(track.take(0), ['K 0']);
    for (let index = 0; index < most; index += 1) track.push(2 + index, 10, 'b', { marker: false, at: 10 });
    track.push(1, 10, 'P', { marker: false, at: 10 });
    assert.deepEqual(track.take(10), [], 'the one that was missing was one too many');
    track.push(2 + most, 20, 'P2');
    track.push(3 + most, 30, 'K3');
    assert.deepEqual(track.take(30), depacketize ? ['K3 30'] : ['P2 20', 'K3 30']);
  }
  const track = new Track();
  track.push(0, 0, 'K');
  assert.deepEqual(track.take(0), ['K 0']);
  const most = limits.archiveJitterPackets;
  for (let sequence = 2; sequence <= most; sequence += 1) track.push(sequence, 10, 'b', { marker: sequence === most });
  track.push(1, 10, 'P', part);
  track.push(1, 10, 'P', part);
  assert.deepEqual(
    track.buffer.take(10).map(({ data }) => data.length),
    [most],
  );
});

const sentPicture = fc.record({
  key: fc.boolean(),
  marker: fc.boolean(),
  packets: fc.array(fc.record({ lost: fc.boolean(), twice: fc.boolean(), delay: fc.nat(400) }), {
    minLength: 1,
    maxLength: 3,
  }),
});

test('property: through any loss, order and doubling, whole pictures come out, each after what it refers to', () => {
  fc.assert(
    fc.property(fc.array(sentPicture, { maxLength: 30 }), fc.nat(0xffff), fc.boolean(), (pictures, from, calm) => {
      const track = new Track();
      const arrivals: { at: number; happen: () => void }[] = [];
      const expected: string[] = [];
      let sequence = from;
      let needsKey = false;
      const send = (name: string, ms: number, { marker, packets }: Omit<(typeof pictures)[0], 'key'>) => {
        for (const [index, { delay, lost, twice }] of packets.entries()) {
          const own = sequence++;
          if (lost && !calm) continue;
          const text = index === 0 ? name : `+${index}`;
          const last = marker && index === packets.length - 1;
          const at = ms + delay;
          arrivals.push({ at, happen: () => track.push(own, ms, text, { marker: last, at }) });
          if (twice)
            arrivals.push({ at: at + 50, happen: () => track.push(own, ms, text, { marker: last, at: at + 50 }) });
        }
      };
      const steady = { lost: false, twice: false, delay: 0 };
      send('K first', 0, { marker: true, packets: [steady] });
      expected.push('K first');
      for (const [index, picture] of pictures.entries()) {
        const name = `${picture.key ? 'K' : 'P'}${index}`;
        send(name, 33 * (index + 1), picture);
        if (!calm && picture.packets.some(({ lost }) => lost)) needsKey = true;
        else if (picture.key) needsKey = false;
        if (needsKey) continue;
        expected.push([name, ...picture.packets.slice(1).map((_, part) => `+${part + 1}`)].join(''));
      }
      send('K last', 33 * (pictures.length + 1), { marker: true, packets: [steady] });
      expected.push('K last');
      arrivals.sort((a, b) => a.at - b.at);
      const shown: string[] = [];
      for (const { at, happen } of arrivals) {
        happen();
        for (const { data } of track.buffer.take(at - 500)) shown.push(data.toString());
      }
      for (const { data } of track.buffer.take(1_000_000)) shown.push(data.toString());
      // What is lost behind a packet without marker may have been of the same picture or not.
      const told = pictures.every(
        ({ marker, packets }, index) =>
          calm || marker || !(packets.at(-1)?.lost || pictures[index + 1]?.packets[0]?.lost),
      );
      if (told) assert.deepEqual(shown, expected);
      else assert.equal(shown.at(-1), 'K last');
    }),
    { seed, numRuns: 300 },
  );
});
