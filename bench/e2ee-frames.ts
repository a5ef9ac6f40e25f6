/** What encrypting frames costs in the browser: time, CPU, bytes, and how much later the first picture comes. */
import { enterNetwork } from '../tests/rig/network.ts';

// Firefox meets nobody on loopback.
enterNetwork(import.meta.filename);

import { setTimeout as delay } from 'node:timers/promises';
import { type BrowserName, launchBrowser, type TestBrowser } from '../tests/rig/browser.ts';
import { frameSpy } from '../tests/rig/frame-spy.ts';
import { Participant, type Site, serveSite } from '../tests/rig/page.ts';
import { figure, medianOf, percentile, quick, type Result, type Row, repeat } from './harness/figure.ts';
import { firstFrame } from './harness/first-frame.ts';
import { Platform } from './harness/platform.ts';
import { processTree, threadMicroseconds } from './harness/processes.ts';

const SECRET = 'what all of us know';
const WINDOW_MS = quick ? 3000 : 15_000;
const WARM_MS = quick ? 1000 : 8000;
const CORE_SHARE = 5;
const FRAME_MS = 1;
const LATER_MS = 100;

/** Threads that seal and open frames: the worker, and those that WebCrypto computes on. */
const THREADS: Readonly<Record<BrowserName, readonly string[]>> = {
  chromium: ['DedicatedWorker', 'ThreadPoolForeg'],
  firefox: ['DOM Worker', 'StreamTrans', 'BgIOThreadPool', 'BackgroundThreadPool'],
};

interface Window {
  /** Of one core, in per cent. */
  readonly share: number;
  /** Of each frame, in milliseconds; nothing where frames are not encrypted. */
  readonly times: readonly number[];
  readonly added: readonly number[];
  readonly firstFrameMs: number;
}

/** CPU time of the threads that encrypt, of this browser. */
function spent(name: BrowserName): number {
  const names = THREADS[name];
  let sum = 0;
  for (const pid of processTree(process.pid))
    for (const [thread, microseconds] of threadMicroseconds(pid))
      if (names.some((each) => thread.startsWith(each.slice(0, 15)))) sum += microseconds;
  return sum;
}

/** One call of two pages: one publishes 1280x720 at 30 frames a second with sound, the other watches. */
async function callOf(platform: Platform, browser: TestBrowser, site: Site, e2ee: boolean): Promise<Window> {
  const session = await platform.customer.session({ mediaMode: 'routed', e2ee });
  const ticket = () => ({ ...platform.customer.ticket(session), ...(e2ee ? { encryptionSecret: SECRET } : {}) });
  const pages = await Promise.all(
    [1, 2].map(() => Participant.open(browser, site, e2ee ? frameSpy('time') : undefined)),
  );
  const [publisher, watching] = pages as [Participant, Participant];
  await publisher.join(ticket(), null);
  await watching.join(ticket());
  const seen = firstFrame(watching.page);
  const began = Date.now();
  // One layer: the figure is asked of one stream, and three would be three encoders.
  const streamId = await publisher.publish({ resolution: '1280x720', frameRate: 30, scalableVideo: false } as never);
  await watching.subscribed(streamId);
  const firstFrameMs = (await seen) - began;
  await delay(WARM_MS);
  const marks = await Promise.all(pages.map(({ page }) => page.evaluate(() => window.frameSpy?.length ?? 0)));
  const before = spent(browser.name);
  await delay(WINDOW_MS);
  const share = ((spent(browser.name) - before) / 1000 / WINDOW_MS) * 100;
  const frames = await Promise.all(
    pages.map(({ page }, index) => page.evaluate((mark) => window.frameSpy?.slice(mark) ?? [], marks[index] as number)),
  );
  await Promise.all(pages.map((each) => each.close()));
  return {
    share,
    firstFrameMs,
    times: frames.flat().map(({ ms }) => ms),
    added: (frames[0] ?? []).map(({ added }) => added),
  };
}

async function measureIn(platform: Platform, name: BrowserName): Promise<{ rows: Row[]; version: string }> {
  const site = await serveSite(platform.server.url);
  // Firefox tells scripts no time below a millisecond otherwise.
  const browser = await launchBrowser(name, { prefs: { 'privacy.reduceTimerPrecision': false } });
  await callOf(platform, browser, site, true);
  const taken = await repeat(`encrypting in ${name}`, async () => ({
    without: await callOf(platform, browser, site, false),
    with: await callOf(platform, browser, site, true),
  }));
  await browser.close();
  site.close();
  const title = name === 'chromium' ? 'Chromium' : 'Firefox';
  const both = (member: (window: Window) => number, unit: string) => ({
    ours: `${member(middle(taken.map((each) => each.with))).toFixed(1)} ${unit}`,
    other: `${member(middle(taken.map((each) => each.without))).toFixed(1)} ${unit}`,
  });
  function middle(windows: readonly Window[]): Window {
    return {
      share: medianOf(windows, ({ share }) => share),
      firstFrameMs: medianOf(windows, ({ firstFrameMs }) => firstFrameMs),
      times: [],
      added: [],
    };
  }
  const share = medianOf(taken, (each) => each.with.share - each.without.share);
  const slow = percentile(
    taken.flatMap((each) => each.with.times),
    0.99,
  );
  const added = taken.flatMap((each) => each.with.added);
  const later = medianOf(taken, (each) => each.with.firstFrameMs - each.without.firstFrameMs);
  const rows: Row[] = [
    {
      what: `${title}: CPU of the threads that encrypt, of one core, sender and receiver together`,
      ...both((window) => window.share, '%'),
      target: { text: `at most ${CORE_SHARE} % more for each`, measured: share / 2, most: CORE_SHARE },
    },
    {
      what: `${title}: time to seal or open a frame, 99th percentile`,
      ours: `${slow.toFixed(2)} ms`,
      other: null,
      target: { text: `at most ${FRAME_MS} ms`, measured: slow, most: FRAME_MS },
    },
    {
      what: `${title}: bytes added to a frame, median and most`,
      ours: `${percentile(added, 0.5)} and ${Math.max(...added)}`,
      other: null,
      target: null,
    },
    {
      what: `${title}: \`publish\` to the first decoded frame`,
      ...both((window) => window.firstFrameMs, 'ms'),
      target: { text: `at most ${LATER_MS} ms later`, measured: later, most: LATER_MS },
    },
  ];
  return { rows, version: browser.version };
}

async function measure(): Promise<Result> {
  const platform = await Platform.start({ lan: true });
  const chromium = await measureIn(platform, 'chromium');
  const firefox = await measureIn(platform, 'firefox');
  await platform.stop();
  return {
    rows: [...chromium.rows, ...firefox.rows],
    notes: [
      `${chromium.version} and ${firefox.version}, two pages on one machine; VP8 at 1280x720 and 30 frames a second in one layer, with Opus. The other side is the same call in a session that is not end-to-end encrypted.`,
      'CPU is that of the threads that encrypt (the worker and those on which WebCrypto computes), by the kernel’s books, less what the same threads take without encryption; it is halved, since both ends run in one browser. Times are from a frame’s coming into the worker to its going out, waiting for a core included.',
    ],
  };
}

await figure(measure);
