/**
 * What runs in a page whose picture and sound say who and when they are: `window.marked`. Loaded as a plain script with its
 * types taken off.
 *
 * The picture is of one colour with sixteen squares across its middle: who, when in frames, and a parity bit. The sound is a
 * tone for the first half of every second. Both are timed by one clock, that of the page's sound. On a busy machine that clock
 * stands still at times and a page is woken late, so it writes down when by the wall clock each picture was drawn and each
 * second of the sound began.
 */

/** As `tests/rig/marks.ts` reads it. */
export interface Marks {
  /** 0 to 15. */
  readonly who: number;
  readonly colour: readonly number[];
  readonly hertz: number;
  readonly width: number;
  readonly height: number;
  readonly frameRate: number;
}

/** What a page tells of itself, in milliseconds of the wall clock. */
export interface Told {
  /** By its number, when a frame was drawn; null: never. */
  readonly drawnMs: (number | null)[];
  /** By the tenth of a second of the sound, when its beginning would have been: the least of some looks, for its clock goes in steps. */
  readonly soundMs: (number | null)[];
}

/** Chromium's; not in the library of types. */
interface FrameGenerator {
  new (options: { kind: 'video' }): MediaStreamTrack & { readonly writable: WritableStream<VideoFrame> };
}

const ROWS = 2;
const COLUMNS = 8;
const WHEN_BITS = 11;
const LOUDNESS = 0.1;
const LOUD_SECONDS = 0.5;
const SECONDS_MOST = 300;
const LOOK_EVERY_MS = 3;

let sounding: AudioContext | null = null;
/** On the clock of the sound: when the first second begins. */
let beginning = 0;
let frame = 0;
const passing = new Set<() => void>();
const told: Told = { drawnMs: [], soundMs: [] };

function bitsOf({ who }: Marks, when: number): number[] {
  const value = (who << WHEN_BITS) | (when & (2 ** WHEN_BITS - 1));
  const bits = Array.from({ length: 15 }, (_, bit) => (value >> (14 - bit)) & 1);
  return [...bits, bits.reduce((parity, bit) => parity ^ bit, 1)];
}

function drawMarks(
  drawing: OffscreenCanvasRenderingContext2D | CanvasRenderingContext2D,
  marks: Marks,
  when: number,
): void {
  const { width, height, colour } = marks;
  const [across, down] = [width / COLUMNS, height / (ROWS * 2)];
  drawing.fillStyle = `rgb(${colour.join(' ')})`;
  drawing.fillRect(0, 0, width, height);
  for (const [index, bit] of bitsOf(marks, when).entries()) {
    drawing.fillStyle = bit ? '#fff' : '#000';
    drawing.fillRect((index % COLUMNS) * across, (1 + Math.floor(index / COLUMNS)) * down, across, down);
  }
}

/** A tone in every second's first half, from `beginning` on. */
function startSound(marks: Marks): MediaStreamTrack {
  const context = new AudioContext();
  sounding = context;
  const made = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
  const tone = new OscillatorNode(context, { frequency: marks.hertz });
  const gate = new GainNode(context, { gain: 0 });
  tone.connect(gate).connect(made);
  tone.start();
  beginning = Math.ceil(context.currentTime) + 1;
  for (let second = 0; second < SECONDS_MOST; second += 1) {
    gate.gain.setValueAtTime(LOUDNESS, beginning + second);
    gate.gain.setValueAtTime(0, beginning + second + LOUD_SECONDS);
  }
  return made.stream.getAudioTracks()[0] as MediaStreamTrack;
}

/** Frames, each drawn when it is its time. */
function startPicture(marks: Marks): MediaStreamTrack {
  const Generator = (window as unknown as { MediaStreamTrackGenerator: FrameGenerator }).MediaStreamTrackGenerator;
  const track = new Generator({ kind: 'video' });
  const writer = track.writable.getWriter();
  const canvas = new OffscreenCanvas(marks.width, marks.height);
  const drawing = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D;
  setInterval(() => {
    const now = Math.floor(tellSound() * marks.frameRate);
    if (now <= frame) return;
    frame = now;
    drawMarks(drawing, marks, frame);
    told.drawnMs[frame] = wallMs();
    writer.write(new VideoFrame(canvas, { timestamp: performance.now() * 1000 })).catch(() => {});
    for (const wake of [...passing]) wake();
  }, LOOK_EVERY_MS);
  return track;
}

const wallMs = () => performance.timeOrigin + performance.now();

/** @returns seconds of the sound since its beginning */
function tellSound(): number {
  const time = (sounding?.currentTime ?? 0) - beginning;
  const tenth = Math.floor(time * 10);
  if (tenth >= 0) told.soundMs[tenth] = Math.min(told.soundMs[tenth] ?? Infinity, wallMs() - time * 1000);
  return time;
}

/** Publishes the marks. @returns the stream's id */
function publishMarks(marks: Marks): Promise<string> {
  const [audioSource, videoSource] = [startSound(marks), startPicture(marks)];
  return window.rig.publish({ audioSource: audioSource as never, videoSource: videoSource as never, frameRate: 15 });
}

/** Shows the marks in the page itself, for a page that is shared. They stand still in time. */
function showMarks(marks: Marks): void {
  const canvas = Object.assign(document.createElement('canvas'), { width: marks.width, height: marks.height });
  document.body.style.margin = '0';
  document.body.replaceChildren(canvas);
  const drawing = canvas.getContext('2d') as CanvasRenderingContext2D;
  // A shared page that does not change is sent once; the last row of pixels changes.
  const draw = (count: number) => {
    drawMarks(drawing, marks, 0);
    drawing.fillStyle = count & 1 ? '#777' : '#888';
    drawing.fillRect(0, marks.height - 2, marks.width, 2);
    requestAnimationFrame(() => draw(count + 1));
  };
  draw(0);
}

/** Resolves after so many frames more. */
function passFrames(count: number): Promise<void> {
  const last = frame + count;
  return new Promise((resolve) => {
    const wake = () => {
      if (frame < last) return;
      passing.delete(wake);
      resolve();
    };
    passing.add(wake);
  });
}

/** Of all that was drawn and heard so far. What was passed over is null. */
const tell = (): Told => told;

const markedPage = { publishMarks, showMarks, passFrames, tell };

declare global {
  interface Window {
    marked: typeof markedPage;
  }
}

window.marked = markedPage;
