import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LayerClock } from './layer-clock.ts';
import type { SenderReport } from './track.ts';

const report = (ssrc: number, rtpTs: number): SenderReport => ({
  kind: 'video',
  ssrc,
  ntpSec: 4_000_000_000,
  ntpFrac: 0,
  rtpTs,
  packetCount: 1,
  octetCount: 1,
});

/** Sends a key frame through, which begins a layer. */
function begin(clock: LayerClock, layer: number, ssrc: number, cameIn: number, goesOut: number): number | undefined {
  clock.keyFrame({ ssrc, rtpTs: cameIn });
  clock.layersChanged(layer);
  return clock.packet(goesOut)?.rtpTs;
}

test('reports of the layer that is sent are moved as its packets are, those of others are kept', () => {
  const clock = new LayerClock([]);
  assert.equal(begin(clock, 0, 1, 5000, 5000), undefined);
  assert.equal(clock.senderReport(report(1, 8000))?.rtpTs, 8000);
  assert.equal(clock.senderReport(report(3, 90_100)), null);
  // A later key frame of the same layer and packets of it change nothing.
  clock.keyFrame({ ssrc: 3, rtpTs: 93_000 });
  assert.equal(clock.packet(9000), null);
  assert.equal(clock.senderReport(report(1, 11_000))?.rtpTs, 11_000);
  // The kept report comes with the first packet of its layer.
  assert.equal(begin(clock, 2, 3, 96_000, 14_000), 8100);
  assert.equal(clock.senderReport(report(3, 99_000))?.rtpTs, 17_000);
  assert.equal(clock.senderReport(report(1, 14_000)), null);
});

test('what is added at a switch to keep timestamps growing is in the report too', () => {
  const clock = new LayerClock([report(2, 1000)]);
  assert.equal(begin(clock, 1, 2, 4000, 4000 + 2970), 1000 + 2970);
});

test('a change of temporal layers alone changes nothing', () => {
  const clock = new LayerClock([]);
  begin(clock, 1, 2, 4000, 4000);
  clock.keyFrame({ ssrc: 1, rtpTs: 70 });
  clock.layersChanged(1);
  assert.equal(clock.packet(7000), null);
  assert.equal(clock.senderReport(report(2, 7000))?.rtpTs, 7000);
});

test('while no layer is sent nothing is reported, and afterwards it is decided anew', () => {
  const clock = new LayerClock([]);
  begin(clock, 1, 2, 4000, 4000);
  clock.layersChanged(null);
  assert.equal(clock.senderReport(report(2, 5000)), null);
  assert.equal(begin(clock, 1, 2, 9000, 8900), 4900);
});

test('timestamps run through their end on either side', () => {
  const clock = new LayerClock([]);
  begin(clock, 0, 1, 0xffff_ff00, 0x100);
  assert.equal(clock.senderReport(report(1, 0x80))?.rtpTs, 0x280);
  const other = new LayerClock([]);
  begin(other, 0, 1, 0x100, 0xffff_ff00);
  assert.equal(other.senderReport(report(1, 0x80))?.rtpTs, 0xffff_fe80);
});
