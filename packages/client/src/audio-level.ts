/** How loud something is, from 0 (silence) to 1 (full scale), measured a few times a second while somebody wants to know. */
const intervalMs = 50;
let context: AudioContext | null = null;

/** Measures a local track while `wanted` says so; calls `heard` until the answer is called. */
export function measureTrack(
  track: MediaStreamTrack,
  wanted: () => boolean,
  heard: (level: number) => void,
): () => void {
  context ??= new AudioContext();
  if (context.state === 'suspended') context.resume().catch(() => undefined);
  const source = context.createMediaStreamSource(new MediaStream([track]));
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024;
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    if (!wanted()) return;
    analyser.getFloatTimeDomainData(samples);
    heard(rootMeanSquare(samples));
  }, intervalMs);
  return () => {
    clearInterval(timer);
    source.disconnect();
  };
}

/** Measures what arrives, as the browser's own receiver has it. */
export function measureReceiver(
  receiver: () => RTCRtpReceiver | undefined,
  wanted: () => boolean,
  heard: (level: number) => void,
): () => void {
  const timer = setInterval(() => {
    if (!wanted()) return;
    const [newest] = receiver()?.getSynchronizationSources() ?? [];
    heard(
      newest && performance.timeOrigin + performance.now() - newest.timestamp < 1000 ? (newest.audioLevel ?? 0) : 0,
    );
  }, intervalMs);
  return () => clearInterval(timer);
}

function rootMeanSquare(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.min(1, Math.sqrt(sum / samples.length));
}
