/** How many recordings one core carries in real time: real recorders, all of them held to the same core. */
import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { limits } from '@cloister/protocol';
import { tempFolder } from '../tests/rig/cleanup.ts';
import { type CameraPacket, makeCamera, packetsOf } from './harness/camera.ts';
import { FedRecorder } from './harness/fed-recorder.ts';
import { figure, medianOf, percentile, quick, type Result, type Row, repeat, say } from './harness/figure.ts';
import { cpuMicroseconds } from './harness/processes.ts';

const STREAMS = 4;
const SOURCE = { width: 640, height: 480, frameRate: 30, bitsPerSecond: 1_000_000, seconds: 20 };
const LOADS = [
  { recordings: 3, width: 640, height: 480 },
  { recordings: 2, width: 1280, height: 720 },
] as const;
const WARM_MS = quick ? 2000 : 5000;
const WINDOW_MS = quick ? 4000 : 20_000;
const SAMPLE_MS = 100;
/** The last one: interrupts are more often on the first. */
const CORE = cpus().length - 1;

type Load = (typeof LOADS)[number];

interface Carried {
  /** Seconds of CPU that all of them take for each second that they record. */
  readonly cost: number;
  /** By how much the slowest was late, 99 times in 100, in milliseconds. */
  readonly behindMs: number;
  readonly dropped: number;
}

const cpuOf = (pids: readonly number[]) => pids.reduce((sum, pid) => sum + cpuMicroseconds(pid), 0);

/** Holds a recorder to the core: threads that it has and, since they inherit it, those that it makes. */
function hold(recorder: FedRecorder): void {
  for (const pid of recorder.pids) execFileSync('taskset', ['-acp', `${CORE}`, `${pid}`], { stdio: 'ignore' });
}

async function carry({ recordings, width, height }: Load, streams: readonly CameraPacket[][]): Promise<Carried> {
  const options = { container: 'mpegts', width, height, streams, roundMs: SOURCE.seconds * 1000, columns: 2 } as const;
  const recorders: FedRecorder[] = [];
  for (let count = 0; count < recordings; count += 1) recorders.push(await FedRecorder.open(options));
  for (const recorder of recorders) {
    hold(recorder);
    recorder.begin();
  }
  await delay(WARM_MS);
  const read = () => recorders.map(({ pids, sealedMs }) => ({ cpu: cpuOf(pids), sealedMs }));
  const [began, before] = [performance.now(), read()];
  const late: number[] = [];
  while (performance.now() - began < WINDOW_MS) {
    await delay(SAMPLE_MS);
    late.push(Math.max(...recorders.map(({ behindMs }) => behindMs)));
  }
  const cost = read().reduce((sum, { cpu, sealedMs }, index) => {
    const then = before[index] as (typeof before)[number];
    return sum + (cpu - then.cpu) / 1000 / (sealedMs - then.sealedMs);
  }, 0);
  const dropped = recorders.reduce((sum, recorder) => sum + recorder.dropped, 0);
  for (const recorder of recorders) recorder.kill();
  return { cost, behindMs: percentile(late, 0.99), dropped };
}

async function measure(): Promise<Result> {
  const folder = tempFolder('archive-core');
  say(`making ${STREAMS} streams of ${SOURCE.seconds} s`);
  const files = Array.from({ length: STREAMS }, (_, index) => makeCamera(folder, index, SOURCE));
  const streams = await Promise.all(files.map(packetsOf));
  const taken = await repeat('archive-core', async () => {
    const each: Carried[] = [];
    for (const load of LOADS) each.push(await carry(load, streams));
    return each;
  });
  const of = (index: number, what: keyof Carried) => medianOf(taken, (run) => run[index]?.[what] as number);
  return {
    rows: LOADS.flatMap(({ recordings, width, height }, index): Row[] => {
      const [cost, behind] = [of(index, 'cost'), of(index, 'behindMs')];
      const most = limits.archiveDelayMs;
      return [
        {
          what: `${recordings} recordings at ${width}x${height} on one core: CPU for a second`,
          ours: `${cost.toFixed(2)} s`,
          other: null,
          target: { text: 'at most 1 s', measured: cost, most: 1 },
        },
        {
          what: 'the same: how late they are',
          ours: `p99 ${behind.toFixed(0)} ms`,
          other: null,
          target: { text: `in real time: at most ${most} ms`, measured: behind, most },
        },
      ];
    }),
    notes: [
      `Recorders as they always run, each in a sandbox of its own, all of their threads held to core ${CORE} (\`taskset\`); each with ${STREAMS} streams of ${SOURCE.width}x${SOURCE.height} at ${SOURCE.frameRate} frames/s, VP8 and Opus, in real time for ${WINDOW_MS / 1000} s; MPEG-TS in OpenTok's format.`,
      `Late is how much later than its due time a picture is sealed and with the server, by the slowest of them, other work of the machine included, which may have the core as well; ${taken.map((run) => run.map(({ dropped }) => dropped).join(' and ')).join(', ')} packets were dropped.`,
    ],
  };
}

await figure(measure);
