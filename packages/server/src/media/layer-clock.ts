/**
 * The publisher's clock for packets of a simulcast consumer. Each simulcast layer counts its timestamps from a start of its
 * own, and mediasoup (`SimulcastConsumer`) moves them all onto those of one layer, the reference, by sender reports. Which
 * layer that is it does not say: it is the first one aimed at, it becomes another while it has no sender report, and a
 * switch may add up to 75 ms to keep timestamps growing. So nothing is guessed here: every switch begins with a key frame
 * whose timestamp is known from both sides, as it came in and as it went out, and the difference holds until the next
 * switch. Reports of the layer that is sent are moved by it; those of other layers are kept.
 *
 * The worker tells in this order, on one channel: the key frame as it came in, the change of layers, the packet.
 */
import type { KeyFrame, SenderReport } from './track.ts';

export class LayerClock {
  readonly #reports = new Map<number, SenderReport>();
  #layer: number | null = null;
  #newest: KeyFrame | null = null;
  /** The key frame that began the layer, until its packet has gone out. */
  #switch: KeyFrame | null = null;
  /** The layer that is sent, by the publisher's SSRC, and what its timestamps have lost on the way. */
  #sent: { readonly ssrc: number; readonly lost: number } | null = null;

  /** @param reports what the publisher has reported so far */
  constructor(reports: readonly SenderReport[]) {
    for (const report of reports) this.#reports.set(report.ssrc, report);
  }

  /** A key frame came in, on any layer. */
  keyFrame(frame: KeyFrame): void {
    this.#newest = frame;
  }

  /** @param spatial the layer that is sent from here on; null for none */
  layersChanged(spatial: number | null): void {
    if (spatial === this.#layer) return;
    this.#layer = spatial;
    this.#sent = null;
    this.#switch = spatial === null ? null : this.#newest;
  }

  /**
   * A packet goes out, under this timestamp.
   * @returns the newest report of a layer that just began.
   */
  packet(rtpTs: number): SenderReport | null {
    if (!this.#switch) return null;
    const { ssrc, rtpTs: before } = this.#switch;
    this.#switch = null;
    this.#sent = { ssrc, lost: (before - rtpTs) >>> 0 };
    const report = this.#reports.get(ssrc);
    return report ? this.#moved(report) : null;
  }

  /** @returns the report in timestamps of the packets that go out; null when it is not theirs. */
  senderReport(report: SenderReport): SenderReport | null {
    this.#reports.set(report.ssrc, report);
    return this.#moved(report);
  }

  #moved(report: SenderReport): SenderReport | null {
    if (report.ssrc !== this.#sent?.ssrc) return null;
    return { ...report, rtpTs: (report.rtpTs - this.#sent.lost) >>> 0 };
  }
}
