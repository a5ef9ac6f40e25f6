/**
 * Takes the pictures of docs/start: `node scripts/screenshots.ts`. Three drawn people hold a real call on a platform of
 * their own. The pictures look best where the font Inter is installed (Debian: fonts-inter).
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { launchBrowser } from '../tests/rig/browser.ts';
import { type Look, Visitor } from '../tests/rig/playground.ts';
import { startServer } from '../tests/rig/server.ts';
import { giveCamera } from './screenshots/camera.ts';
import { people } from './screenshots/people.ts';
import { WIDTH } from './screenshots/portrait.ts';

const target = path.resolve(import.meta.dirname, '../docs/start/images');
const PHONE: Look = { width: 390, height: 800 };
const names = people.map(({ name }) => name);

mkdirSync(target, { recursive: true });
const server = await startServer({ mediaWorkers: 1, env: { CLOISTER_TURN: 'auto' } });
const browser = await launchBrowser('chromium');

function open(index: number, url: string): Promise<Visitor> {
  const portrait = people[index]?.portrait;
  if (!portrait) throw new Error(`there is no person ${index}`);
  return Visitor.open(browser, url, (page) => giveCamera(page, portrait));
}

/** Takes a picture once `cameras` are there, each in its best layer, and nothing moves but they. */
async function take(visitor: Visitor, name: string, cameras: number, look: Look): Promise<void> {
  await visitor.show(look);
  await visitor.page.bringToFront();
  await visitor.page.waitForFunction(
    (count, width) => {
      const videos = [...document.querySelectorAll('video')].filter((each) => !each.closest('[data-hidden="true"]'));
      const best = videos.every((video) => video.videoWidth >= width && video.readyState >= 2);
      return videos.length === count && best && document.getAnimations().length === 0;
    },
    { polling: 200 },
    cameras,
    WIDTH,
  );
  const picture = await visitor.page.screenshot();
  writeFileSync(path.join(target, `playground-${name}.png`), picture);
  console.log(`playground-${name}.png ${Math.round(picture.length / 1024)} kB`);
}

async function say(visitor: Visitor, text: string, others: readonly Visitor[]): Promise<void> {
  await visitor.fill('Message', text);
  await visitor.page.keyboard.press('Enter');
  for (const each of [visitor, ...others]) await each.says(text);
}

const amara = await open(0, server.url);
await amara.ready();
await amara.fill('Your name', names[0] as string);
await take(amara, 'join', 1, {});
const link = await amara.join(names[0] as string);
const jonas = await open(1, link);
await jonas.join(names[1] as string);
const lucia = await open(2, link);
await lucia.join(names[2] as string);

await amara.page.locator('#open-security').click();
await amara.says('All 9 legs have AES-256, and both ends agree.');
await amara.page.waitForFunction(() => !document.querySelector('.banner'));
await take(amara, 'call-light', 3, { scheme: 'light' });
await amara.press('Close Encryption');
await amara.page.evaluate(() => (document.activeElement as HTMLElement).blur());
await take(amara, 'phone', 3, { ...PHONE, scheme: 'light' });
await amara.show({});
for (const visitor of [amara, jonas]) await visitor.press('Chat');
await say(amara, 'Hello! Can you both see and hear me?', [jonas]);
await say(jonas, 'Yes, loud and clear.', [amara]);
await take(amara, 'call-dark', 3, { scheme: 'dark' });

await amara.show({ scheme: 'light' });
await amara.press('Archives');
await amara.press('Start recording');
await amara.says('Stop recording');
// Long enough to have a length.
await amara.page.waitForFunction(
  (from) => Date.now() - from > 12_000,
  { polling: 500 },
  await amara.page.evaluate(() => Date.now()),
);
await amara.press('Stop recording');
await amara.page.waitForSelector('.archive[data-status="available"]');
await amara.press('Start recording');
await amara.says('Stop recording');
await amara.page.waitForFunction(() => !document.querySelector('.banner'));
await amara.page.evaluate(() => (document.activeElement as HTMLElement).blur());
await take(amara, 'archives', 3, { scheme: 'light' });

for (const visitor of [amara, jonas, lucia]) await visitor.close();

/** Somebody with another secret, as one of the two who have the same sees it. */
const WRONG = 'what was agreed on last week';
const first = await open(0, server.url);
await first.choose('A new one, end-to-end encrypted');
await first.press('Make a secret');
const sealed = await first.join(names[0] as string);
await first.page.locator('#open-security').click();
await first.press('Show secret');
const secret = await first.page.$eval('.secret-value', (shown) => shown.textContent ?? '');
await first.press('Hide secret');
const second = await open(1, sealed);
await second.fill('Encryption secret', secret);
await second.join(names[1] as string);
const third = await open(2, sealed);
await third.fill('Encryption secret', WRONG);
await third.join(names[2] as string);
await first.says(`${names[2]} has another secret than you`);
await first.page.waitForFunction(() => !document.querySelector('[role="status"] .banner'));
await take(first, 'secret', 2, { scheme: 'light' });

await browser.close();
await server.stop();
