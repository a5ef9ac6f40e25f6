/**
 * What runs in Chromium to load a server: `window.load`. The same for both sides: the same picture, the same peer
 * connections of the browser, the same encoder settings, the same counters; only the signalling differs.
 */
import { type Joined, joinJanus } from './load-janus.ts';
import { joinOurs } from './load-ours.ts';

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly frameRate: number;
  readonly bitrate: number;
}

/** Where to join. */
export type Place =
  | {
      readonly kind: 'ours';
      readonly url: string;
      readonly apiKey: string;
      readonly sessionId: string;
      readonly token: string;
    }
  | { readonly kind: 'janus'; readonly url: string; readonly room: number };

/** What the browser counted so far, over all peer connections. */
export interface Counts {
  readonly sentPackets: number;
  readonly receivedPackets: number;
  readonly receivedBytes: number;
  readonly lostPackets: number;
  readonly decodedFrames: number;
  /** SRTP suites by the browser's own word, each with how many transports have it. */
  readonly suites: Record<string, number>;
}

const peers: RTCPeerConnection[] = [];
const NativePeerConnection = window.RTCPeerConnection;
window.RTCPeerConnection = class extends NativePeerConnection {
  constructor(configuration?: RTCConfiguration) {
    super(configuration);
    peers.push(this);
  }
};

const members: Joined[] = [];
let camera: MediaStreamTrack | null = null;

/** A picture of noise: it takes all the bits that the encoder may have, so the bitrate is what was set. */
function noise({ width, height, frameRate }: Picture): MediaStreamTrack {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const drawing = canvas.getContext('2d');
  if (!drawing) throw new Error('no canvas');
  const frames = Array.from({ length: 8 }, () => {
    const frame = drawing.createImageData(width, height);
    const values = new Uint32Array(frame.data.buffer);
    for (let index = 0; index < values.length; index += 1) values[index] = 0xff000000 | (Math.random() * 0xffffff);
    return frame;
  });
  let count = 0;
  setInterval(() => drawing.putImageData(frames[count++ % frames.length] as ImageData, 0, 0), 1000 / frameRate);
  const [track] = canvas.captureStream(frameRate).getVideoTracks();
  if (!track) throw new Error('the canvas gives no picture');
  return track;
}

/** Joins; → the member's number in this page. */
async function join(place: Place): Promise<number> {
  members.push(place.kind === 'ours' ? await joinOurs(place) : await joinJanus(place));
  return members.length - 1;
}

/** Publishes a picture; → what others subscribe by. */
async function publish(member: number, picture: Picture): Promise<string> {
  camera ??= noise(picture);
  const { bitrate, frameRate } = picture;
  return memberOf(member).publish(camera.clone(), { maxBitrate: bitrate, maxFramerate: frameRate });
}

function subscribe(member: number, streams: string[]): Promise<void> {
  return memberOf(member).subscribe(streams);
}

function memberOf(member: number): Joined {
  const found = members[member];
  if (!found) throw new Error(`there is no member ${member}`);
  return found;
}

async function counts(): Promise<Counts> {
  const totals = { sentPackets: 0, receivedPackets: 0, receivedBytes: 0, lostPackets: 0, decodedFrames: 0 };
  const suites: Record<string, number> = {};
  const open = peers.filter((peer) => peer.connectionState === 'connected');
  for (const report of await Promise.all(open.map((peer) => peer.getStats()))) {
    for (const each of report.values()) {
      if (each.type === 'outbound-rtp') totals.sentPackets += each.packetsSent;
      if (each.type === 'transport' && each.srtpCipher) suites[each.srtpCipher] = (suites[each.srtpCipher] ?? 0) + 1;
      // Padding with which mediasoup probes the line (SSRC 1234) is nobody's stream, and its numbers have gaps.
      if (each.type !== 'inbound-rtp' || each.ssrc === 1234) continue;
      totals.receivedPackets += each.packetsReceived;
      totals.receivedBytes += each.bytesReceived + each.headerBytesReceived;
      totals.lostPackets += each.packetsLost;
      totals.decodedFrames += each.framesDecoded;
    }
  }
  return { ...totals, suites };
}

const load = { join, publish, subscribe, counts };

declare global {
  interface Window {
    load: typeof load;
  }
}

window.load = load;
