/** The browser's statistics in OpenTok's shapes. */
export type VideoQualityReason =
  | 'none'
  | 'bandwidth'
  | 'cpu'
  | 'other'
  | 'resolutionChange'
  | 'codecChange'
  | 'videoInterruption';
export type NetworkConditionReason = 'none' | 'unknown' | 'bandwidth' | 'packetLoss';
export type NetworkCondition = 'unknown' | 'critical' | 'warning' | 'fair' | 'good' | 'excellent';
export type NetworkDegradationSource = 'none' | 'bothOrUnclear' | 'local' | 'remote';

export interface IncomingTrackStats {
  bytesReceived: number;
  packetsLost: number;
  packetsReceived: number;
}

export interface OutgoingTrackStats {
  bytesSent: number;
  packetsLost: number;
  packetsSent: number;
}

export interface TransportStats {
  connectionEstimatedBandwidth: number;
  networkCondition: NetworkCondition;
  networkConditionReason: NetworkConditionReason;
}

export type SubscriberVideoStats = IncomingTrackStats & {
  codec: string;
  width: number;
  height: number;
  bitrate: number;
  totalBitrate: number;
  frameRate: number;
  decodedFrameRate: number;
  pauseCount?: number;
  totalPausesDuration?: number;
  freezeCount?: number;
  totalFreezesDuration?: number;
};

export interface SenderStats {
  connectionMaxAllocatedBitrate: number;
  connectionEstimatedBandwidth: number;
}

export interface SubscriberMediaLink {
  transport: TransportStats;
  remotePublisherTransport: TransportStats;
  networkDegradationSource: NetworkDegradationSource;
}

export interface SubscriberStats {
  audio: IncomingTrackStats;
  video: SubscriberVideoStats;
  mediaLink: SubscriberMediaLink;
  /** Not offered: the server does not pass a publisher's estimate on. */
  senderStats?: SenderStats;
  /** Milliseconds since 1970. */
  timestamp: number;
}

export interface VideoLayerStats {
  codec: string;
  width: number;
  height: number;
  encodedFrameRate: number;
  bitrate: number;
  totalBitrate: number;
  scalabilityMode?: string;
  qualityLimitationReason?: VideoQualityReason;
}

export type PublisherVideoStats = OutgoingTrackStats & { frameRate: number; layers?: VideoLayerStats[] };

export interface PublisherMediaLink {
  transport: TransportStats;
}

export interface PublisherStats {
  audio: OutgoingTrackStats;
  video: PublisherVideoStats;
  mediaLink: PublisherMediaLink;
  timestamp: number;
  transportStats: TransportStats;
}

export interface PublisherStatContainer {
  subscriberId?: string;
  connectionId?: string;
  stats: PublisherStats;
}
export type PublisherStatsArr = PublisherStatContainer[];

export interface PublisherRtcStatsReportContainer {
  subscriberId?: string;
  connectionId?: string;
  rtcStatsReport: RTCStatsReport;
}
export type PublisherRtcStatsReportArr = PublisherRtcStatsReportContainer[];

/** One entry of a report; browsers differ in what they leave out. */
type Entry = {
  readonly id: string;
  readonly type: string;
  readonly kind?: string;
  readonly timestamp: number;
} & Readonly<Record<string, unknown>>;

function number(entry: Entry | undefined, name: string): number {
  const value = entry?.[name];
  return typeof value === 'number' ? value : 0;
}

function text(entry: Entry | undefined, name: string): string {
  const value = entry?.[name];
  return typeof value === 'string' ? value : '';
}

function entries(report: RTCStatsReport | null, type: string, kind?: string): Entry[] {
  const all = [...((report?.values() ?? []) as Iterable<Entry>)];
  return all.filter((entry) => entry.type === type && (kind === undefined || entry.kind === kind));
}

function sum(list: readonly Entry[], name: string): number {
  return list.reduce((total, entry) => total + number(entry, name), 0);
}

function codecOf(report: RTCStatsReport | null, entry: Entry): string {
  const codec = entries(report, 'codec').find((each) => each.id === entry.codecId);
  return text(codec, 'mimeType').replace(/^(audio|video)\//, '');
}

/** Remembers the last report, so that rates are over the time between two. */
export class Rates {
  readonly #last = new Map<string, { value: number; at: number }>();

  /** Change a second of a counter since it was asked last; 0 at first. `at` in milliseconds. */
  of(name: string, value: number, at: number): number {
    const last = this.#last.get(name);
    if (!last || at - last.at >= 200) this.#last.set(name, { value, at });
    if (!last || at <= last.at) return 0;
    return Math.max(0, ((value - last.value) * 1000) / (at - last.at));
  }
}

/** The pair of candidates in use, for estimates of bandwidth and round-trip time. */
function activePair(report: RTCStatsReport | null): Entry | undefined {
  const pairs = entries(report, 'candidate-pair');
  const chosen = text(entries(report, 'transport')[0], 'selectedCandidatePairId');
  return pairs.find((pair) => pair.id === chosen) ?? pairs.find((pair) => pair.nominated === true);
}

/** What the sender's congestion control believes it may send, in bits a second; null where the browser does not say. */
export function outgoingEstimate(report: RTCStatsReport | null): number | null {
  const value = activePair(report)?.availableOutgoingBitrate;
  return typeof value === 'number' ? value : null;
}

/** Bits a second that a sender's picture is given, where the network is what limits it; null where it is not, or nobody says. */
export function starvedPicture(report: RTCStatsReport | null): number | null {
  const layers = entries(report, 'outbound-rtp', 'video');
  const told = layers.filter(({ targetBitrate }) => typeof targetBitrate === 'number');
  const limited = layers.some((layer) => text(layer, 'qualityLimitationReason') === 'bandwidth');
  return limited && told.length > 0 ? sum(told, 'targetBitrate') : null;
}

/** The part of the sent packets that the server misses, by its last report; 0 to 1. */
export function outgoingLoss(report: RTCStatsReport | null, kind: 'audio' | 'video'): number {
  return Math.max(0, ...entries(report, 'remote-inbound-rtp', kind).map((entry) => number(entry, 'fractionLost')));
}

function conditionOf(estimate: number | null, loss: number): TransportStats {
  const connectionEstimatedBandwidth = estimate ?? -1;
  const grade = (condition: NetworkCondition, reason: NetworkConditionReason): TransportStats => ({
    connectionEstimatedBandwidth,
    networkCondition: condition,
    networkConditionReason: reason,
  });
  if (loss > 0.2) return grade('critical', 'packetLoss');
  if (estimate !== null && estimate < 100_000) return grade('critical', 'bandwidth');
  if (loss > 0.08) return grade('warning', 'packetLoss');
  if (estimate !== null && estimate < 250_000) return grade('warning', 'bandwidth');
  if (loss > 0.03) return grade('fair', 'packetLoss');
  if (estimate === null) return grade('unknown', 'unknown');
  if (estimate < 600_000) return grade('fair', 'bandwidth');
  return grade(estimate < 1_500_000 ? 'good' : 'excellent', 'none');
}

/** A publisher's numbers from the reports of its two senders. */
export function publisherStats(
  reports: { audio: RTCStatsReport | null; video: RTCStatsReport | null },
  rates: Rates,
  now: number,
): PublisherStats {
  const track = (report: RTCStatsReport | null, kind: 'audio' | 'video'): OutgoingTrackStats => {
    const sent = entries(report, 'outbound-rtp', kind);
    return {
      bytesSent: sum(sent, 'bytesSent'),
      packetsSent: sum(sent, 'packetsSent'),
      packetsLost: sum(entries(report, 'remote-inbound-rtp', kind), 'packetsLost'),
    };
  };
  const layers = entries(reports.video, 'outbound-rtp', 'video')
    .map((entry) => layerStats(reports.video, entry, rates))
    .sort((a, b) => a.width - b.width);
  const estimate = outgoingEstimate(reports.video ?? reports.audio);
  const loss = Math.max(outgoingLoss(reports.video, 'video'), outgoingLoss(reports.audio, 'audio'));
  const transport = conditionOf(estimate, loss);
  return {
    audio: track(reports.audio, 'audio'),
    video: {
      ...track(reports.video, 'video'),
      frameRate: Math.max(0, ...layers.map((layer) => layer.encodedFrameRate)),
      layers,
    },
    mediaLink: { transport },
    timestamp: now,
    transportStats: transport,
  };
}

function layerStats(report: RTCStatsReport | null, entry: Entry, rates: Rates): VideoLayerStats {
  const bytes = number(entry, 'bytesSent');
  const all = bytes + number(entry, 'headerBytesSent');
  const reason = text(entry, 'qualityLimitationReason');
  return {
    codec: codecOf(report, entry),
    width: number(entry, 'frameWidth'),
    height: number(entry, 'frameHeight'),
    encodedFrameRate: number(entry, 'framesPerSecond'),
    bitrate: rates.of(`${entry.id} bytes`, bytes, entry.timestamp) * 8,
    totalBitrate: rates.of(`${entry.id} all`, all, entry.timestamp) * 8,
    ...(text(entry, 'scalabilityMode') ? { scalabilityMode: text(entry, 'scalabilityMode') } : {}),
    ...(isReason(reason) ? { qualityLimitationReason: reason } : {}),
  };
}

function isReason(reason: string): reason is VideoQualityReason {
  return ['none', 'bandwidth', 'cpu', 'other'].includes(reason);
}

/** A subscriber's numbers from the reports of its two receivers. */
export function subscriberStats(
  reports: { audio: RTCStatsReport | null; video: RTCStatsReport | null },
  rates: Rates,
  now: number,
): SubscriberStats {
  const track = (entry: Entry | undefined): IncomingTrackStats => ({
    bytesReceived: number(entry, 'bytesReceived'),
    packetsLost: Math.max(0, number(entry, 'packetsLost')),
    packetsReceived: number(entry, 'packetsReceived'),
  });
  const audio = entries(reports.audio, 'inbound-rtp', 'audio')[0];
  const video = entries(reports.video, 'inbound-rtp', 'video')[0];
  const at = video?.timestamp ?? now;
  const incoming = track(video);
  const lost = rates.of('lost', incoming.packetsLost + track(audio).packetsLost, at);
  const got = rates.of('got', incoming.packetsReceived + track(audio).packetsReceived, at);
  const transport = conditionOf(null, lost + got > 0 ? lost / (lost + got) : 0);
  return {
    audio: track(audio),
    video: {
      ...incoming,
      codec: video ? codecOf(reports.video, video) : '',
      width: number(video, 'frameWidth'),
      height: number(video, 'frameHeight'),
      bitrate: rates.of('bytes', incoming.bytesReceived, at) * 8,
      totalBitrate: rates.of('all', incoming.bytesReceived + number(video, 'headerBytesReceived'), at) * 8,
      frameRate: number(video, 'framesPerSecond'),
      decodedFrameRate: rates.of('decoded', number(video, 'framesDecoded'), at),
      pauseCount: number(video, 'pauseCount'),
      totalPausesDuration: number(video, 'totalPausesDuration'),
      freezeCount: number(video, 'freezeCount'),
      totalFreezesDuration: number(video, 'totalFreezesDuration'),
    },
    mediaLink: {
      transport,
      remotePublisherTransport: conditionOf(null, 0),
      networkDegradationSource: transport.networkCondition === 'unknown' ? 'none' : 'bothOrUnclear',
    },
    timestamp: now,
  };
}

/** Several reports as one map, as `getRtcStatsReport` of a subscriber gives it. */
export function mergeReports(reports: readonly (RTCStatsReport | null)[]): Map<string, Record<string, unknown>> {
  const merged = new Map<string, Record<string, unknown>>();
  for (const report of reports) for (const [id, entry] of report?.entries() ?? []) merged.set(id, entry);
  return merged;
}
