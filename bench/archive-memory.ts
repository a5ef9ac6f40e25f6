/** Memory of one recording over an hour: nine streams in a picture of 1280x720. */
import { setTimeout as delay } from 'node:timers/promises';
import { tempFolder } from '../tests/rig/cleanup.ts';
import { makeCamera, packetsOf } from './harness/camera.ts';
import { FedRecorder } from './harness/fed-recorder.ts';
import { figure, median, quick, type Result, say } from './harness/figure.ts';
import { cpuMicroseconds, residentKb } from './harness/processes.ts';

const STREAMS = 9;
const COLUMNS = 3;
const SOURCE = { width: 640, height: 480, frameRate: 15, bitsPerSecond: 500_000, seconds: 20 };
const SIZE = { width: 1280, height: 720 };
const MINUTE_MS = quick ? 1000 : 60_000;
const MINUTES = 60;
/** Until the heap and the library have taken what this load makes them take. */
const SETTLED_MINUTES = 10;
/** Samples of both ends of the hour are taken over so many minutes. */
const WINDOW_MINUTES = 10;
const SAMPLE_MS = quick ? 500 : 5000;
const MOST_MB = 300;
const FLAT_MB = 8;
const STOP_MS = 3000;

interface Sample {
  readonly minute: number;
  readonly mb: number;
}

const between = (samples: readonly Sample[], from: number, to: number) =>
  median(samples.filter(({ minute }) => minute >= from && minute < to).map(({ mb }) => mb));

async function watch(recorder: FedRecorder): Promise<Sample[]> {
  const samples: Sample[] = [];
  const { pids } = recorder;
  const began = performance.now();
  for (let said = 0; ; ) {
    const minute = (performance.now() - began) / MINUTE_MS;
    const mb = pids.reduce((sum, pid) => sum + residentKb(pid), 0) / 1024;
    samples.push({ minute, mb });
    if (minute >= said) {
      say(`minute ${said}: ${mb.toFixed(1)} MB, ${recorder.behindMs.toFixed(0)} ms behind`);
      said += quick ? 10 : 5;
    }
    if (minute >= MINUTES) return samples;
    await Promise.race([delay(SAMPLE_MS), recorder.failed()]);
  }
}

async function measure(): Promise<Result> {
  const folder = tempFolder('archive-memory');
  say(`making ${STREAMS} streams of ${SOURCE.seconds} s`);
  const files = Array.from({ length: STREAMS }, (_, index) => makeCamera(folder, index, SOURCE));
  const streams = await Promise.all(files.map(packetsOf));
  const roundMs = SOURCE.seconds * 1000;
  const recorder = await FedRecorder.open({ container: 'mp4', ...SIZE, streams, roundMs, columns: COLUMNS });
  const cpu = () => recorder.pids.reduce((sum, pid) => sum + cpuMicroseconds(pid), 0);
  const began = performance.now();
  recorder.begin();
  const samples = await watch(recorder);
  const seconds = (performance.now() - began) / 1000;
  const share = cpu() / 1e6 / seconds;
  const { sealedBytes, sealedMs, dropped } = recorder;
  const stopped = performance.now();
  // What an hour has shown is not lost where the end fails; the row then says that nothing was measured.
  const ended = await recorder.stop().catch((failure: Error) => failure);
  if (ended) say(ended.message);
  const stopMs = ended ? Number.NaN : performance.now() - stopped;

  const first = between(samples, SETTLED_MINUTES, SETTLED_MINUTES + WINDOW_MINUTES);
  const last = between(samples, MINUTES - WINDOW_MINUTES, Number.POSITIVE_INFINITY);
  const most = Math.max(...samples.map(({ mb }) => mb));
  const mb = (value: number) => `${value.toFixed(1)} MB`;
  return {
    rows: [
      {
        what: `memory of a recording at ${SIZE.width}x${SIZE.height} with ${STREAMS} streams, the most`,
        ours: mb(most),
        other: null,
        target: { text: `at most ${MOST_MB} MB`, measured: most, most: MOST_MB },
      },
      {
        what: 'the same, growth over the hour',
        ours: `${mb(last - first)} (from ${mb(first)} to ${mb(last)})`,
        other: null,
        target: { text: `flat: below ${FLAT_MB} MB`, measured: last - first, most: FLAT_MB },
      },
      {
        what: 'stop of the same until its last byte is sealed',
        ours: `${stopMs.toFixed(0)} ms`,
        other: null,
        target: { text: `at most ${STOP_MS / 1000} s for any length`, measured: stopMs, most: STOP_MS },
      },
    ],
    notes: [
      `Resident memory of the recorder's processes, its program's own pages and the sandbox included, sampled ${samples.length} times; growth is the median of the last ${WINDOW_MINUTES} minutes less that of minutes ${SETTLED_MINUTES} to ${SETTLED_MINUTES + WINDOW_MINUTES}. One run.`,
      `${STREAMS} streams of ${SOURCE.width}x${SOURCE.height} at ${SOURCE.frameRate} frames/s, VP8 and Opus, in real time for ${(seconds / 60).toFixed(1)} minutes; fragmented MP4, sealed in Cloister's own format.`,
      `It sealed ${(sealedMs / 60_000).toFixed(1)} minutes in ${(sealedBytes / 1e6).toFixed(0)} MB, took ${share.toFixed(2)} of a core, and ${dropped} packets were dropped since it did not keep up with a machine that had other work.`,
    ],
  };
}

await figure(measure);
