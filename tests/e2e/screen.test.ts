/** A shared screen of small text: it can be read at the other side, at 1920x1080 and five frames a second, in 1 Mbit/s. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'puppeteer-core';
import { resizeWindow } from '../rig/browser.ts';
import { type Participant, pageScript } from '../rig/page.ts';
import type { Reading } from '../rig/text-page.ts';
import { eventually } from '../rig/wait.ts';
import { useStage } from './stage.ts';

const TITLE = 'A shared screen';
const SIZE = { width: 1920, height: 1080 };
const BPS = 1_000_000;
/** Of the characters. */
const READABLE = 0.99;
const script = pageScript('text-page.ts');

let shared: Page;
let presenter: Participant;
let watcher: Participant;
let streamId: string;

const stage = useStage({
  options: async () => ({ browser: { sharedTab: TITLE } }),
  ready: async () => {
    shared = await stage.browser.newPage();
    await resizeWindow(shared, SIZE.width, SIZE.height);
    await shared.setContent(`<title>${TITLE}</title><body></body>`);
    await shared.addScriptTag({ content: script });
    await show(1);
    [presenter, watcher] = await Promise.all([stage.open(), stage.open()]);
    const sessionId = await stage.customer.session();
    await presenter.join(stage.customer.ticket(sessionId), null);
    await watcher.join(stage.customer.ticket(sessionId));
    streamId = await presenter.publish({ videoSource: 'screen', audioSource: null });
    await presenter.page.evaluate(() => window.rig.publisher().setPreferredFrameRate(5));
    await watcher.subscribed(streamId);
    await watcher.page.evaluate(script);
  },
});

function show(page: number): Promise<void> {
  return shared.evaluate((which) => window.textPage.show(which), page);
}

/** Reads a page of text from the frame that the watcher sees now. */
function read(page: number, coarser = 1): Promise<Reading> {
  return watcher.page.evaluate(
    (stream, which, by) => {
      const video = window.rig.subscriber(stream).element?.querySelector('video');
      if (!video) throw new Error('there is no picture');
      return window.textPage.read(video, which, by);
    },
    streamId,
    page,
    coarser,
  );
}

function untilReadable(page: number): Promise<Reading> {
  return eventually(
    `page ${page} to be readable`,
    () => read(page),
    ({ right }) => right >= READABLE,
  );
}

interface Counted {
  readonly bytes: number;
  readonly frames: number;
  readonly ms: number;
}

async function counted(): Promise<Counted> {
  const video = await watcher.inbound(streamId, 'video');
  const bytes = Number(video.bytesReceived) + Number(video.headerBytesReceived);
  return { bytes, frames: Number(video.framesDecoded), ms: Number(video.timestamp) };
}

test('what is shown is what is read, and another page is not', async () => {
  assert.deepEqual(await shared.evaluate(() => window.textPage.readShown(1)), { ...SIZE, right: 1 });
  const { right } = await shared.evaluate(() => window.textPage.readShown(2));
  assert.ok(right < 0.1, `${right} of another page was read`);
});

test('page after page is readable, at 1920x1080 and five frames a second within 1 Mbit/s', async (t) => {
  await untilReadable(1);
  const before = await counted();
  const readings: Reading[] = [];
  for (const page of [2, 3, 4]) {
    await show(page);
    await watcher.look(streamId, 10);
    readings.push(await untilReadable(page));
  }
  const now = await counted();
  const seconds = (now.ms - before.ms) / 1000;
  const bps = Math.round(((now.bytes - before.bytes) * 8) / seconds);
  const rate = (now.frames - before.frames) / seconds;
  const right = readings.map((each) => `${(100 * each.right).toFixed(2)} %`).join(', ');
  t.diagnostic(`${right} of the characters; ${Math.round(bps / 1000)} kbit/s, ${rate.toFixed(1)} frames/s`);
  for (const { width, height } of readings) assert.deepEqual({ width, height }, SIZE);
  assert.ok(seconds > 4, `only ${seconds} s were measured`);
  assert.ok(bps <= BPS, `${bps} bit/s`);
  assert.ok(rate > 1 && rate < 6, `${rate} frames a second`);
});

test('the same picture is not readable when it was small in between', async () => {
  for (const coarser of [2, 3]) {
    const { right } = await read(4, coarser);
    assert.ok(right < READABLE / 2, `${right} is readable, ${coarser} times coarser`);
  }
});
