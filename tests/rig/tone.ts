/** A tone for clients in Node. One timer feeds all that sound at the same time. */
import wrtc from '@roamhq/wrtc';
import { atEnd } from './cleanup.ts';

const SAMPLE_RATE = 48_000;
const FRAME_MS = 10;
const FRAME_SAMPLES = (SAMPLE_RATE * FRAME_MS) / 1000;
const HERTZ = 500;
const AMPLITUDE = 8000;

const sources = new Set<InstanceType<typeof wrtc.nonstandard.RTCAudioSource>>();
// Five whole waves fit into a frame, so that one frame after another is a tone without a click.
const frame = Int16Array.from({ length: FRAME_SAMPLES }, (_, index) =>
  Math.round(AMPLITUDE * Math.sin((2 * Math.PI * HERTZ * index) / SAMPLE_RATE)),
);
let due = 0;
let timer: NodeJS.Timeout | null = null;

function tick(): void {
  for (; due <= performance.now(); due += FRAME_MS) {
    for (const source of sources) {
      source.onData({
        samples: frame,
        sampleRate: SAMPLE_RATE,
        bitsPerSample: 16,
        channelCount: 1,
        numberOfFrames: FRAME_SAMPLES,
      });
    }
  }
}

/** A track that sounds until it is stopped. */
export function startTone(): MediaStreamTrack {
  const source = new wrtc.nonstandard.RTCAudioSource();
  sources.add(source);
  if (!timer) {
    due = performance.now();
    timer = setInterval(tick, FRAME_MS);
    timer.unref();
    atEnd(() => timer && clearInterval(timer));
  }
  return source.createTrack();
}
