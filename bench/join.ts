/** How long joining and publishing take, with the client SDK in Chromium on loopback. */
import type { Page } from 'puppeteer-core';
import { launchBrowser } from '../tests/rig/browser.ts';
import { type JoinAs, serveSite } from '../tests/rig/page.ts';
import { within } from '../tests/rig/wait.ts';
import { figure, median, medianOf, quick, type Result, repeat } from './harness/figure.ts';
import { firstFrame } from './harness/first-frame.ts';
import { Platform } from './harness/platform.ts';

const ROUNDS = quick ? 2 : 3;
const CONNECT_MS = 150;
const FIRST_FRAME_MS = 700;
const STEP_MS = 20_000;

/** In the page: joins and subscribes to whatever appears; → milliseconds that `connect` took. */
function connect(page: Page, as: JoinAs): Promise<number> {
  const connecting = page.evaluate(
    ({ apiKey, sessionId, token }) =>
      new Promise<number>((resolve, reject) => {
        const session = window.OT.initSession(apiKey, sessionId);
        session.on('streamCreated', ({ stream }) => {
          session.subscribe(stream, document.body, { insertMode: 'append' });
        });
        Object.assign(window, { benchSession: session });
        const began = performance.now();
        session.connect(token, (error) => {
          if (error) reject(new Error(error.message));
          else resolve(performance.now() - began);
        });
      }),
    as,
  );
  return within(STEP_MS, 'to connect', connecting);
}

/** In the page: publishes camera and microphone, which are open already; → when `publish` was called. */
function publish(page: Page): Promise<number> {
  const publishing = page.evaluate(
    () =>
      new Promise<number>((resolve, reject) => {
        const { benchSession } = window as unknown as { benchSession: ReturnType<typeof window.OT.initSession> };
        const publisher = window.OT.initPublisher(document.body, { insertMode: 'append' }, (denied) => {
          if (denied) return reject(new Error(denied.message));
          const began = performance.timeOrigin + performance.now();
          benchSession.publish(publisher, (error) => (error ? reject(new Error(error.message)) : resolve(began)));
        });
      }),
  );
  return within(STEP_MS, 'to publish', publishing);
}

async function measure(): Promise<Result> {
  const platform = await Platform.start();
  const site = await serveSite(platform.server.url);
  const browser = await launchBrowser('chromium');
  const round = async () => {
    const session = await platform.customer.session();
    const [publisher, subscriber] = [await browser.newPage(), await browser.newPage()];
    await Promise.all([publisher.goto(site.origin), subscriber.goto(site.origin)]);
    const connects = [];
    for (const page of [publisher, subscriber]) connects.push(await connect(page, platform.customer.ticket(session)));
    const seen = firstFrame(subscriber);
    const began = await publish(publisher);
    const took = (await within(STEP_MS, 'the first frame', seen)) - began;
    await Promise.all([publisher.close(), subscriber.close()]);
    return { connect: median(connects), firstFrame: took };
  };
  await round();
  await platform.quiet();
  const taken = await repeat('joining', async () => {
    const rounds = [];
    for (let count = 0; count < ROUNDS; count += 1) rounds.push(await round());
    return {
      connect: medianOf(rounds, (each) => each.connect),
      firstFrame: medianOf(rounds, (each) => each.firstFrame),
    };
  });
  const { version } = browser;
  await browser.close();
  await platform.stop();
  return { rows: rowsOf(taken), notes: notesOf(version) };
}

function rowsOf(taken: readonly { connect: number; firstFrame: number }[]): Result['rows'] {
  const connected = medianOf(taken, (each) => each.connect);
  const frame = medianOf(taken, (each) => each.firstFrame);
  return [
    {
      what: '`session.connect()` to connected',
      ours: `${Math.round(connected)} ms`,
      other: null,
      target: { text: `at most ${CONNECT_MS} ms`, measured: connected, most: CONNECT_MS },
    },
    {
      what: '`session.publish()` to the first decoded frame at a subscriber',
      ours: `${Math.round(frame)} ms`,
      other: null,
      target: { text: `at most ${FIRST_FRAME_MS} ms`, measured: frame, most: FIRST_FRAME_MS },
    },
  ];
}

function notesOf(version: string): string[] {
  return [
    `${version} with the client SDK, two pages, server and browser on the same machine, ${ROUNDS} rounds a run, each in new pages and a new session.`,
    'The camera is open before `publish`, as OpenTok’s `initPublisher` does it; the subscriber subscribes when it is told of the stream. The frame counts when `requestVideoFrameCallback` gives it, which is after its decoding.',
  ];
}

await figure(measure);
