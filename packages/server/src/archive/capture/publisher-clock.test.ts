import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import { Least, Offset } from './publisher-clock.ts';

test('the least of a span is known at any time, and no more is kept than came in the span', () => {
  const least = new Least(100);
  for (let at = 0; at < 100_000; at += 10) least.observe(at, at);
  assert.equal(least.kept, 11);
  assert.equal(least.at(99_990), 99_890);
  assert.equal(least.at(100_050), 99_950);
  assert.equal(least.at(200_000), null);
});

test('the fastest packet counts for archiveClockWindowSeconds, and no longer', () => {
  const windowMs = limits.archiveClockWindowSeconds * 1000;
  const seen = (after: number) => {
    const offset = new Offset();
    offset.observe(0, 0);
    for (let at = 100; at < windowMs; at += 100) offset.observe(at, at - 50);
    offset.observe(windowMs + after, windowMs + after - 50);
    return offset.value as number;
  };
  assert.equal(seen(0), 0);
  assert.ok(seen(1) > 0);
});

test('a tie that is off by archiveClockJumpMs is followed slowly; by more, at once', () => {
  const jump = limits.archiveClockJumpMs;
  const after = (by: number) => {
    const offset = new Offset();
    offset.observe(1000, 1000);
    offset.observe(2000, 2000 + by);
    return offset.value as number;
  };
  assert.equal(after(jump), -limits.archiveClockSlewPpm / 1000);
  assert.equal(after(jump + 1), -(jump + 1));
});

test('a clock that was set back is believed when all that came for archiveClockLateMs was too late', () => {
  const offset = new Offset();
  for (let at = 0; at <= 20_000; at += 100) offset.observe(at, at);
  const late = limits.archiveClockLateMs;
  assert.equal(offset.observe(20_100, 20_100 - 60_000), false);
  offset.observe(20_300, 20_300 - 60_020);
  assert.equal(offset.observe(20_100 + late - 1, 20_099 + late - 60_010), false);
  assert.equal(offset.value, 0);
  assert.equal(offset.observe(20_100 + late, 20_100 + late - 60_030), true);
  assert.equal(offset.value, 60_000);
  // A publisher that slept for longer than the window: nothing of before counts.
  offset.observe(200_000, 100_000);
  assert.equal(offset.value, 100_000);
});

test('packets that a network held up and then gave out at once are late, and nothing more', () => {
  const offset = new Offset();
  for (let at = 0; at <= 20_000; at += 20) offset.observe(at, at - 10);
  for (let theirs = 20_020; theirs <= 23_000; theirs += 20) offset.observe(23_010, theirs);
  offset.observe(23_030, 23_020);
  assert.equal(offset.value, 10);
});

test('a way that became longer is followed, and back at once for archiveClockWindowSeconds', () => {
  const windowMs = limits.archiveClockWindowSeconds * 1000;
  const seen = (after: number) => {
    const offset = new Offset();
    for (let at = 0; at <= 20_000; at += 100) offset.observe(at, at - 10);
    for (let at = 20_100; at <= 20_100 + limits.archiveClockLateMs; at += 100) offset.observe(at, at - 700);
    assert.equal(offset.value, 700);
    const at = 20_100 + limits.archiveClockLateMs + after;
    offset.observe(at, at - 300);
    return offset.value as number;
  };
  assert.equal(seen(windowMs - 1), 300);
  assert.ok(seen(windowMs) > 600);
});
