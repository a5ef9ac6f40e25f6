/**
 * What runs inside a browser during a test: `window.rig`. Loaded as a plain script before the client SDK, with its types
 * taken off; so it imports types only.
 *
 * It uses the SDK as an application does, through `OT`, and looks at what came out with the browser's own means: the
 * picture by a canvas, the sound by Web Audio, the statistics at the peer connections themselves.
 */
import type * as Client from '@opentok/client';

/** OpenTok's, of `initSession` and `setIceConfig`. */
export type IceConfig = Parameters<Client.Session['setIceConfig']>[0];

type Detail = string | number | boolean | null | undefined | { [key: string]: Detail };

/** Something that the SDK told the application. */
export interface Happening {
  /** `session`, `publisher`, or the stream id of a subscriber. */
  readonly target: string;
  readonly type: string;
  /** Milliseconds since the page was loaded. */
  readonly at: number;
  readonly detail: Record<string, Detail>;
}

/** What the remote picture looks like. */
export interface Look {
  readonly width: number;
  readonly height: number;
  /** Mean red, green and blue, 0 to 255. */
  readonly colour: readonly [number, number, number];
  /** How much the picture's brightness varies over its area (standard deviation): 0 is one flat colour. */
  readonly contrast: number;
  /** Frames that differed from the one before. */
  readonly moved: number;
}

/** What the remote sound is like. */
export interface Sound {
  /** Loudest moment as a root mean square, 0 to 1. */
  readonly peak: number;
  /** Times in milliseconds since the page was loaded at which a sound began after silence. */
  readonly onsets: readonly number[];
}

const AUDIBLE = 0.01;
/** Of one line in the spectrum. */
const AUDIBLE_DECIBELS = -60;
const LISTEN_EVERY_MS = 20;
/** A beep's echo or a short dip is not a new beep. */
const ONSET_GAP_MS = 200;

const SESSION_EVENTS = [
  'archiveStarted',
  'archiveStopped',
  'connectionCreated',
  'connectionDestroyed',
  'muteForced',
  'sessionConnected',
  'sessionDisconnected',
  'sessionReconnected',
  'sessionReconnecting',
  'signal',
  'streamCreated',
  'streamDestroyed',
  'streamPropertyChanged',
];
const PUBLISHER_EVENTS = [
  'destroyed',
  'mediaStopped',
  'muteForced',
  'streamCreated',
  'streamDestroyed',
  'videoDisabled',
  'videoDisableWarning',
  'videoDisableWarningLifted',
  'videoEnabled',
];
const SUBSCRIBER_EVENTS = [
  'connected',
  'destroyed',
  'disconnected',
  'encryptionSecretMatch',
  'encryptionSecretMismatch',
  'videoDimensionsChanged',
  'videoDisabled',
  'videoDisableWarning',
  'videoDisableWarningLifted',
  'videoEnabled',
];

const peers: RTCPeerConnection[] = [];
const NativePeerConnection = window.RTCPeerConnection;
window.RTCPeerConnection = class extends NativePeerConnection {
  constructor(configuration?: RTCConfiguration) {
    super(configuration);
    peers.push(this);
  }
};

interface Emitter {
  on(name: string, handler: (event: Record<string, unknown>) => void): unknown;
}

const happenings: Happening[] = [];
const waiting = new Set<() => void>();

function happened(target: string, type: string, detail: Record<string, Detail>): void {
  happenings.push({ target, type, at: performance.now(), detail });
  for (const wake of [...waiting]) wake();
}

function identity(value: unknown): Detail {
  const named = value as { streamId?: string; connectionId?: string } | null | undefined;
  return named?.streamId ?? named?.connectionId ?? null;
}

function record(target: string, emitter: unknown, names: readonly string[]): void {
  for (const name of names) {
    (emitter as Emitter).on(name, (event) => {
      const detail: Record<string, Detail> = {};
      for (const key of ['reason', 'data', 'changedProperty', 'oldValue', 'newValue', 'active'] as const) {
        if (event[key] !== undefined) detail[key] = event[key] as Detail;
      }
      for (const key of ['stream', 'connection', 'from'] as const) {
        if (event[key] !== undefined) detail[key] = identity(event[key]);
      }
      // The type of a signal's event is `signal:` and the signal's own.
      if (name === 'signal') detail.signal = String(event.type ?? '').replace(/^signal:?/, '');
      happened(target, name, detail);
    });
  }
}

function failure(error: unknown): Error {
  const { name, message } = error as { name?: string; message?: string };
  return new Error(`${name}: ${message}`);
}

/** OpenTok's callback style as a promise; the error keeps its name in the message. */
function settled<T>(call: (done: (error?: unknown) => void) => T): Promise<T> {
  return new Promise((resolve, reject) => {
    const value = call((error) => {
      if (error) reject(failure(error));
      else queueMicrotask(() => resolve(value));
    });
  });
}

let session: Client.Session | null = null;
let publisher: Client.Publisher | null = null;
const streams = new Map<string, Client.Stream>();
const connections = new Map<string, Client.Connection>();
const subscribers = new Map<string, Client.Subscriber>();

function current(): Client.Session {
  if (!session) throw new Error('join first');
  return session;
}

function place(): HTMLElement {
  return document.body.appendChild(document.createElement('div'));
}

async function join(
  as: { apiKey: string; sessionId: string; token: string; encryptionSecret?: string; ipWhitelist?: boolean },
  subscribing: Client.SubscriberProperties | null,
  iceConfig: IceConfig | null,
): Promise<string> {
  const { apiKey, sessionId, token, ...options } = as;
  if (!session) window.OT.on('exception', ({ message }) => happened('OT', 'exception', { message }));
  const joined = window.OT.initSession(apiKey, sessionId, iceConfig ? { ...options, iceConfig } : options);
  session = joined;
  record('session', joined, SESSION_EVENTS);
  joined.on('connectionCreated', ({ connection }) => connections.set(connection.connectionId, connection));
  joined.on('streamCreated', ({ stream }) => {
    streams.set(stream.streamId, stream);
    if (subscribing) subscribe(stream.streamId, subscribing).catch(() => {});
  });
  await settled((done) => joined.connect(token, done));
  return joined.connection?.connectionId ?? '';
}

async function publish(properties: Client.PublisherProperties): Promise<string> {
  publisher = await settled<Client.Publisher>((done) => window.OT.initPublisher(place(), properties, done));
  record('publisher', publisher, PUBLISHER_EVENTS);
  const made = publisher;
  await settled((done) => current().publish(made, done));
  return made.stream?.streamId ?? '';
}

/** Subscribes; a failure is told as `subscribeFailed` as well. */
async function subscribe(streamId: string, properties: Client.SubscriberProperties): Promise<void> {
  const stream = streams.get(streamId);
  if (!stream) throw new Error(`the application was not told of stream ${streamId}`);
  try {
    await settled((done) => {
      const made = current().subscribe(stream, place(), properties, done) as Client.Subscriber;
      subscribers.set(streamId, made);
      record(streamId, made, SUBSCRIBER_EVENTS);
      return made;
    });
    happened(streamId, 'subscribed', {});
  } catch (error) {
    happened(streamId, 'subscribeFailed', { reason: (error as Error).message });
    throw error;
  }
}

/** The next happening of a kind from place `since` on. */
function waitFor(target: string, type: string, since: number, wanted: Record<string, Detail>): Promise<Happening> {
  return new Promise((resolve) => {
    let looked = since;
    const look = () => {
      while (looked < happenings.length) {
        const each = happenings[looked++] as Happening;
        if (each.target !== target || each.type !== type) continue;
        if (!Object.entries(wanted).every(([key, value]) => each.detail[key] === value)) continue;
        waiting.delete(look);
        return resolve(each);
      }
    };
    waiting.add(look);
    look();
  });
}

function elementOf(target: string): HTMLElement {
  const widget = target === 'publisher' ? publisher : subscribers.get(target);
  const element = widget?.element;
  if (!element) throw new Error(`there is no element of ${target}`);
  return element;
}

function videoOf(target: string): HTMLVideoElement {
  const video = elementOf(target).querySelector('video');
  if (!video) throw new Error(`there is no picture of ${target}`);
  return video;
}

function mediaOf(target: string): MediaStream {
  const media = [...elementOf(target).querySelectorAll<HTMLMediaElement>('video, audio')];
  const tracks = media.flatMap((each) => (each.srcObject instanceof MediaStream ? each.srcObject.getTracks() : []));
  return new MediaStream(tracks);
}

function nextFrame(video: HTMLVideoElement): Promise<void> {
  return new Promise((resolve) => video.requestVideoFrameCallback(() => resolve()));
}

/** The colour of a target as it is seen now, with or without a picture. */
function glance(target: string): readonly [number, number, number] {
  const drawing = new OffscreenCanvas(160, 120).getContext('2d');
  if (!drawing) throw new Error('no canvas');
  drawing.drawImage(videoOf(target), 0, 0, 160, 120);
  return measure(drawing.getImageData(0, 0, 160, 120).data).colour;
}

/** Looks at some frames of a picture, each at its coming. */
async function look(target: string, frames: number): Promise<Look> {
  const video = videoOf(target);
  const canvas = new OffscreenCanvas(160, 120);
  const drawing = canvas.getContext('2d', { willReadFrequently: true });
  if (!drawing) throw new Error('no canvas');
  let before: Uint8ClampedArray | null = null;
  let moved = 0;
  let last: Uint8ClampedArray = new Uint8ClampedArray();
  for (let count = 0; count < frames; count += 1) {
    await nextFrame(video);
    drawing.drawImage(video, 0, 0, canvas.width, canvas.height);
    last = drawing.getImageData(0, 0, canvas.width, canvas.height).data;
    const earlier = before;
    if (earlier?.some((value, index) => Math.abs(value - (last[index] ?? 0)) > 24)) moved += 1;
    before = last;
  }
  return { width: video.videoWidth, height: video.videoHeight, ...measure(last), moved };
}

function measure(pixels: Uint8ClampedArray): { colour: [number, number, number]; contrast: number } {
  const sums: [number, number, number] = [0, 0, 0];
  const count = pixels.length / 4;
  const brightness: number[] = [];
  for (let index = 0; index < pixels.length; index += 4) {
    const [red = 0, green = 0, blue = 0] = pixels.subarray(index, index + 3);
    sums[0] += red;
    sums[1] += green;
    sums[2] += blue;
    brightness.push(0.3 * red + 0.59 * green + 0.11 * blue);
  }
  const mean = brightness.reduce((sum, each) => sum + each, 0) / count;
  const variance = brightness.reduce((sum, each) => sum + (each - mean) ** 2, 0) / count;
  const colour: [number, number, number] = [sums[0] / count, sums[1] / count, sums[2] / count];
  return { colour, contrast: Math.sqrt(variance) };
}

let hearing: AudioContext | null = null;
const ears = new Map<string, { peak: number; onsets: number[]; stop(): void }>();

/** How to measure the loudness of a target's decoded sound, as a root mean square from 0 to 1. */
interface Meter {
  level(): Promise<number>;
  stop(): void;
}

/** By Web Audio, sample for sample. */
async function analyserMeter(target: string): Promise<Meter> {
  hearing ??= new AudioContext();
  await hearing.resume();
  const source = hearing.createMediaStreamSource(new MediaStream(mediaOf(target).getAudioTracks()));
  const analyser = new AnalyserNode(hearing, { fftSize: 1024 });
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  return {
    async level() {
      analyser.getFloatTimeDomainData(samples);
      return Math.sqrt(samples.reduce((sum, each) => sum + each * each, 0) / samples.length);
    },
    stop: () => source.disconnect(),
  };
}

/**
 * By the energy of what was decoded: Firefox runs no AudioContext on a machine without a sound card. Its level falls
 * slowly after a sound, so the silence between beeps may be too short to count them: wait for one onset only.
 */
function energyMeter(target: string): Meter {
  let energy = 0;
  let seconds = 0;
  return {
    async level() {
      const now = await inbound(target, 'audio');
      const [energyNow, secondsNow] = [Number(now.totalAudioEnergy ?? 0), Number(now.totalSamplesDuration ?? 0)];
      const passed = secondsNow - seconds;
      const level = passed > 0 && seconds > 0 ? Math.sqrt((energyNow - energy) / passed) : 0;
      [energy, seconds] = [energyNow, secondsNow];
      return level;
    },
    stop: () => {},
  };
}

/** Begins to listen to a target's sound. */
async function listen(target: string): Promise<void> {
  const meter = navigator.userAgent.includes('Firefox') ? energyMeter(target) : await analyserMeter(target);
  const ear = { peak: 0, onsets: [] as number[], stop: () => {} };
  let loudAt = Number.NEGATIVE_INFINITY;
  const timer = setInterval(async () => {
    const level = await meter.level();
    ear.peak = Math.max(ear.peak, level);
    if (level < AUDIBLE) return;
    const now = performance.now();
    if (now - loudAt > ONSET_GAP_MS) {
      ear.onsets.push(now);
      for (const wake of [...waiting]) wake();
    }
    loudAt = now;
  }, LISTEN_EVERY_MS);
  ear.stop = () => {
    clearInterval(timer);
    meter.stop();
  };
  ears.set(target, ear);
}

/** Waits until a target was heard `onsets` times since `listen`. */
function heard(target: string, onsets: number): Promise<void> {
  return new Promise((resolve) => {
    const count = () => {
      if ((ears.get(target)?.onsets.length ?? 0) < onsets) return;
      waiting.delete(count);
      resolve();
    };
    waiting.add(count);
    count();
  });
}

function stopListening(target: string): Sound {
  const ear = ears.get(target);
  if (!ear) throw new Error(`nobody listens to ${target}`);
  ear.stop();
  ears.delete(target);
  return { peak: ear.peak, onsets: ear.onsets };
}

/** When a target was seen and heard, in milliseconds since the page was loaded. */
export interface Followed {
  readonly seen: readonly number[];
  readonly heard: readonly number[];
  /** When it was asked. */
  readonly at: number;
}

const followed = new Map<string, { seen: number[]; heard: number[] }>();

/** Notes from now on each frame of a target as it is shown, and each moment at which its sound is heard. */
async function follow(target: string): Promise<void> {
  if (followed.has(target)) return;
  const noted = { seen: [] as number[], heard: [] as number[] };
  followed.set(target, noted);
  // The track is another one when the media was built anew.
  const track = () => mediaOf(target).getAudioTracks()[0];
  let heard = track();
  let meter = await analyserMeter(target);
  setInterval(async () => {
    if (track() !== heard) {
      heard = track();
      meter.stop();
      meter = await analyserMeter(target);
    }
    if ((await meter.level()) > AUDIBLE) noted.heard.push(performance.now());
  }, LISTEN_EVERY_MS);
  const video = videoOf(target);
  const note = () => {
    noted.seen.push(performance.now());
    video.requestVideoFrameCallback(note);
  };
  video.requestVideoFrameCallback(note);
}

function whenFollowed(target: string): Followed {
  const noted = followed.get(target);
  if (!noted) throw new Error(`nobody follows ${target}`);
  return { ...noted, at: performance.now() };
}

/** The page's own addresses in the candidate pairs that are in use, one for each transport. */
async function ownAddresses(): Promise<unknown[]> {
  const all = await reports();
  const chosen = all.flatMap((each) => (each.type === 'transport' ? [each.selectedCandidatePairId] : []));
  const pairs = chosen.map((id) => all.find((each) => each.id === id && each.type === 'candidate-pair'));
  return pairs.map((pair) => all.find((each) => each.id === pair?.localCandidateId)?.address);
}

/** The addresses at which the browser would be reached by a peer connection that is made now. */
async function knownAddresses(): Promise<string[]> {
  const peer = new NativePeerConnection();
  const found: string[] = [];
  const all = new Promise<string[]>((resolve) => {
    peer.onicecandidate = ({ candidate }) => {
      if (candidate) found.push(candidate.address ?? '');
      else resolve(found);
    };
  });
  peer.createDataChannel('any');
  await peer.setLocalDescription();
  return all.finally(() => peer.close());
}

/** The `a=fmtp` parameters of Opus in the descriptions of each open peer connection that carries some sound. */
function opusAgreed(): { local: string; remote: string }[] {
  const open = peers.filter((peer) => peer.connectionState !== 'closed');
  return open.flatMap(({ localDescription, remoteDescription }) => {
    const [local, remote] = [localDescription, remoteDescription].map((each) => opusOf(each?.sdp ?? ''));
    return local && remote ? [{ local, remote }] : [];
  });
}

function opusOf(sdp: string): string | undefined {
  const payload = /^a=rtpmap:(\d+) opus\//im.exec(sdp)?.[1];
  return payload && new RegExp(`^a=fmtp:${payload} (.*?)\\r?$`, 'm').exec(sdp)?.[1];
}

/** The strongest frequency in each channel of a target's sound that is loud, in hertz; 0 for a channel that is silent. */
async function pitches(target: string, channels: number): Promise<number[]> {
  hearing ??= new AudioContext();
  await hearing.resume();
  const context = hearing;
  const source = context.createMediaStreamSource(new MediaStream(mediaOf(target).getAudioTracks()));
  const splitter = source.connect(context.createChannelSplitter(channels));
  const ears = Array.from({ length: channels }, (_, index) => {
    const analyser = new AnalyserNode(context, { fftSize: 4096, smoothingTimeConstant: 0 });
    splitter.connect(analyser, index);
    return analyser;
  });
  // Loud for as long as the whole window, so that what is measured has no silence in it.
  const window = (ears[0] as AnalyserNode).fftSize / context.sampleRate;
  for (let since: number | null = null; since === null || context.currentTime - since < window; ) {
    await new Promise((resolve) => setTimeout(resolve, LISTEN_EVERY_MS));
    since = ears.some((ear) => strongest(ear) > 0) ? (since ?? context.currentTime) : null;
  }
  const found = ears.map(strongest);
  source.disconnect();
  return found;
}

function strongest(ear: AnalyserNode): number {
  const decibels = new Float32Array(ear.frequencyBinCount);
  ear.getFloatFrequencyData(decibels);
  const best = decibels.reduce((most, each, index) => (each > (decibels[most] ?? 0) ? index : most), 0);
  return (decibels[best] ?? Number.NEGATIVE_INFINITY) > AUDIBLE_DECIBELS
    ? (best * ear.context.sampleRate) / ear.fftSize
    : 0;
}

/** A track of the application's own: a tone in each channel, 0 hertz for silence. */
function toneTrack(...hertz: number[]): MediaStreamTrack {
  hearing ??= new AudioContext();
  const made = new MediaStreamAudioDestinationNode(hearing, { channelCount: hertz.length });
  const merger = hearing.createChannelMerger(hertz.length);
  merger.connect(made);
  for (const [index, frequency] of hertz.entries()) {
    const tone = new OscillatorNode(hearing, { frequency });
    const loudness = new GainNode(hearing, { gain: frequency > 0 ? 0.5 : 0 });
    tone.connect(loudness).connect(merger, 0, index);
    tone.start();
  }
  return made.stream.getAudioTracks()[0] as MediaStreamTrack;
}

type Stats = Record<string, unknown> & { type: string };

async function reports(): Promise<Stats[]> {
  const open = peers.filter((peer) => peer.connectionState !== 'closed');
  const all = await Promise.all(open.map((peer) => peer.getStats()));
  return all.flatMap((report) => [...report.values()] as Stats[]);
}

/** The browser's own statistics of one type, from every peer connection that is open. */
async function stats(type: string): Promise<Stats[]> {
  return (await reports()).filter((each) => each.type === type);
}

/** `inbound-rtp` of a target's track, with the codec's name and the suite of its transport. */
async function inbound(target: string, kind: 'audio' | 'video'): Promise<Stats> {
  const track = mediaOf(target)
    .getTracks()
    .find((each) => each.kind === kind && each.readyState === 'live');
  const receivers = peers.flatMap((peer) => peer.getReceivers());
  const receiver = receivers.find((each) => each.track === track);
  if (!receiver) throw new Error(`no receiver of ${kind} of ${target}`);
  const all = [...(await receiver.getStats()).values()] as Stats[];
  const own = all.find((each) => each.type === 'inbound-rtp');
  const codec = all.find((each) => each.id === own?.codecId);
  const transport = all.find((each) => each.type === 'transport');
  return { ...own, type: 'inbound-rtp', mimeType: codec?.mimeType, srtpCipher: transport?.srtpCipher };
}

/** The TURN credentials that the open transports would ask with now. */
function turnCredentials(): { username: string; credential: string }[] {
  const open = peers.filter((peer) => peer.connectionState !== 'closed');
  const servers = open.flatMap((peer) => peer.getConfiguration().iceServers ?? []);
  return servers.flatMap(({ username, credential }) => (username && credential ? [{ username, credential }] : []));
}

const rig = {
  happenings,
  join,
  publish,
  subscribe,
  waitFor,
  glance,
  look,
  mediaOf,
  listen,
  heard,
  stopListening,
  follow,
  whenFollowed,
  ownAddresses,
  knownAddresses,
  opusAgreed,
  pitches,
  toneTrack,
  stats,
  turnCredentials,
  inbound,
  settled,
  session: current,
  publisher: (): Client.Publisher => {
    if (!publisher) throw new Error('publish first');
    return publisher;
  },
  subscriber: (streamId: string): Client.Subscriber => {
    const found = subscribers.get(streamId);
    if (!found) throw new Error(`there is no subscriber of ${streamId}`);
    return found;
  },
  stream: (streamId: string): Client.Stream | undefined => streams.get(streamId),
  connection: (connectionId: string): Client.Connection | undefined => connections.get(connectionId),
};

/** `window.rig`. */
export type Rig = typeof rig;

declare global {
  interface Window {
    OT: typeof Client;
    rig: Rig;
  }
}

window.rig = rig;
