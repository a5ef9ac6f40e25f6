/** The playground with a secret: three windows of Chromium, one of them with the wrong one. */
import { enterNetwork } from '../rig/network.ts';

enterNetwork(import.meta.filename);

import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { Page } from 'puppeteer-core';
import { launchBrowser, type TestBrowser } from '../rig/browser.ts';
import { Visitor } from '../rig/playground.ts';
import { Received } from '../rig/received.ts';
import { type Server, startServer } from '../rig/server.ts';
import { eventually } from '../rig/wait.ts';

const WRONG = 'what mallory has guessed';
const NEXT = 'what was agreed on by phone';

const received = new Received();
let server: Server;
let browser: TestBrowser;
let ana: Visitor;
let ben: Visitor;
let mallory: Visitor;
/** As the page made it. */
let secret: string;
/** The link of the session that it is for, with it. */
let invitation: string;

before(async () => {
  [server, browser] = await Promise.all([
    startServer({ mediaWorkers: 1, preload: received.preload }),
    launchBrowser('chromium'),
  ]);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Opens the playground with a clipboard that the test can read. */
function open(url: string): Promise<Visitor> {
  return Visitor.open(browser, url, (page) =>
    page.evaluateOnNewDocument(() => {
      const clipboard = { writeText: async (text: string) => Object.assign(window, { copied: text }) };
      Object.defineProperty(navigator, 'clipboard', { value: clipboard });
    }),
  );
}

/** What a button that copies has copied. */
async function copied(visitor: Visitor, button: string): Promise<string> {
  await visitor.press(button);
  return visitor.page.evaluate(() => (window as unknown as { copied: string }).copied);
}

/** Frames of others that the page has decoded, and whether any of their pictures is in sight. */
function seen(page: Page): Promise<{ frames: number; shown: number }> {
  return page.evaluate(() => {
    const videos = [...document.querySelectorAll<HTMLVideoElement>('.tile[data-own="false"] video')];
    const frames = videos.map((video) => video.getVideoPlaybackQuality().totalVideoFrames);
    const shown = document.querySelectorAll('.tile[data-own="false"] .video-slot[data-hidden="false"]').length;
    return { frames: frames.reduce((sum, each) => sum + each, 0), shown };
  });
}

async function assertSealed(visitor: Visitor, legs: number): Promise<void> {
  await visitor.says('Sealed with your secret');
  await eventually(
    'every leg to say that its frames are sealed',
    () => visitor.page.$$eval('.leg[data-open="true"]', (all) => all.map((leg) => leg.textContent ?? '')),
    (all) => all.length === legs && all.every((leg) => leg.includes('AES_256_GCM_SHA512_128')),
  );
}

test('an end-to-end encrypted session is not begun without a secret, and one can be made', async () => {
  ana = await open(server.url);
  await ana.choose('A new one, end-to-end encrypted');
  await ana.ready();
  await ana.fill('Your name', 'Ana');
  await ana.press('Join');
  await ana.assertClean('the join page that asks for a secret');
  assert.equal(await ana.focused(), 'Encryption secret');
  await ana.fill('Encryption secret', 'short');
  await ana.press('Join');
  await ana.says('A secret has 8 to 256 characters.');
  assert.doesNotMatch(received.text(), /POST \/cloister\/v1\/playground\/sessions/);
  await ana.press('Make a secret');
  assert.ok(!(await ana.page.content()).includes('A secret has 8'), 'what was wrong before is not said of the new one');
  secret = await ana.page.$eval('.input-secret', (input) => (input as HTMLInputElement).value);
  assert.match(secret, /^(\w{5}-){4}\w{5}$/);
  await ana.press('Join');
  await ana.inCall();
});

test('the link carries the secret in its fragment, and two who have it see each other', async () => {
  assert.ok(!ana.page.url().includes(secret), 'the address bar has no secret');
  invitation = await copied(ana, 'Copy link with secret');
  const { search, hash } = new URL(invitation);
  assert.equal(hash, `#secret=${secret}`);
  assert.match(search, /^\?session=[\w~-]+$/);
  ben = await open(invitation);
  await ben.says('You have it already');
  await ben.assertClean('the join page with the secret of a link');
  assert.ok(!ben.page.url().includes('#'), 'the address bar has no secret');
  assert.ok(!(await ben.page.content()).includes(secret), 'the page does not show what came with a link');
  await ben.join('Ben');
  await Promise.all([ana.sees('Ben'), ben.sees('Ana')]);
  await ana.page.locator('#open-security').click();
  await assertSealed(ana, 4);
  await ana.assertClean('the panel of a sealed session');
});

test('who has another secret is told so in plain words, and sees nothing', async () => {
  const bare = await copied(ana, 'Copy link without secret');
  assert.equal(new URL(bare).hash, '');
  mallory = await open(bare);
  await mallory.says('Everybody in the session needs the same.');
  assert.ok(!(await mallory.page.content()).includes('Make a secret'), 'the others have one already');
  await mallory.fill('Encryption secret', WRONG);
  await mallory.join('Mallory');
  await mallory.says('Ana and 1 more have another secret than you.');
  await ana.says('Mallory has another secret than you.');
  await mallory.says('Another secret: no picture and no sound');
  await mallory.says('Encryption: Secrets differ');
  // The two who have the same still see each other; it is the secret that keeps the third from it.
  await Promise.all([ana.sees('Ben'), ben.sees('Ana')]);
  assert.deepEqual(await seen(mallory.page), { frames: 0, shown: 0 });
  await mallory.assertClean('a call with another secret');
  await mallory.press('What to do');
  await mallory.says('Compare the secrets, by a way that you trust');
  await mallory.assertClean('the panel with another secret');
});

test('with the right secret everybody sees everybody, and the notice is gone', async () => {
  await mallory.fill('New secret', secret);
  await mallory.press('Change secret');
  await Promise.all([mallory.sees('Ana'), mallory.sees('Ben'), ana.sees('Mallory'), ben.sees('Mallory')]);
  for (const each of [ana, ben, mallory]) {
    await each.page.waitForFunction(() => !document.body.textContent.includes('another secret'));
  }
  await assertSealed(mallory, 9);
});

test('the secret is not kept: who loads the page again is asked for it', async () => {
  const kept = await ben.page.evaluate(async () => {
    const databases = await indexedDB.databases();
    return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, history.state, databases]);
  });
  assert.ok(!kept.includes(secret), kept);
  await ben.page.reload();
  await ben.says('Everybody in the session needs the same.');
  await ben.ready();
  await ben.press('Join');
  assert.equal(await ben.focused(), 'Encryption secret');
  await Promise.all([ana, ben, mallory].map((each) => each.close()));
});

test('in a relayed session a secret is a choice, and who lacks it is told how to go on', async () => {
  ana = await open(server.url);
  await ana.choose('A new one, relayed');
  await ana.fill('Encryption secret (optional)', NEXT);
  await ana.join('Ana');
  const link = await copied(ana, 'Copy link with secret');
  ben = await open(new URL('#', link).href);
  await ben.says('Encryption secret (optional)');
  await ben.join('Ben');
  await ben.says('Mostly they have a secret and you have none: ask for it, leave the call, and join again with it.');
  await ana.says('Ben has another secret than you.');
  assert.deepEqual(await seen(ben.page), { frames: 0, shown: 0 });
  await ben.page.locator('#open-security').click();
  await ben.says('Sealed without a secret');
  await ben.assertClean('a relayed call without the secret');
  await ben.close();
  ben = await open(link);
  await ben.join('Ben');
  await Promise.all([ana.sees('Ben'), ben.sees('Ana')]);
  await ben.page.locator('#open-security').click();
  await assertSealed(ben, 2);
  await Promise.all([ana, ben].map((each) => each.close()));
});

/** Opens the playground to paste what names a session. */
async function openToPaste(): Promise<Visitor> {
  const visitor = await open(server.url);
  await visitor.choose('One that exists');
  await visitor.ready();
  return visitor;
}

test('a pasted text that names no session is refused at its field, and nothing of it is sent', async () => {
  ana = await openToPaste();
  await ana.fill('Your name', 'Ana');
  const asked = () => received.text().match(/playground\/session\?/g)?.length;
  const before = asked();
  for (const text of [
    `video.example.org/playground#secret=${secret}`,
    `Join: https://video.example.org/playground?session=abc#secret=${secret}`,
    `<https://video.example.org/playground?session=#secret=${secret}>`,
    `#secret=${secret}`,
  ]) {
    await ana.fill('Session id or link', text);
    await ana.page.keyboard.press('Enter');
    await ana.says('There is neither a session id in it nor the link of a session.');
  }
  await ana.assertClean('the join page with a text that names no session');
  assert.equal(asked(), before);
  await ana.close();
});

test('a link that is pasted without its scheme, in angle brackets or in a sentence brings its secret along', async () => {
  const bare = invitation.replace(/^https?:\/\//, '');
  [ana, ben, mallory] = await Promise.all([openToPaste(), openToPaste(), openToPaste()]);
  for (const [visitor, name, text] of [
    [ana, 'Ana', bare],
    [ben, 'Ben', `<${invitation}>`],
    [mallory, 'Mallory', `Join: ${invitation}, at noon.`],
  ] as const) {
    await visitor.fill('Session id or link', text);
    await visitor.join(name);
  }
  await Promise.all([ana.sees('Ben'), ana.sees('Mallory'), ben.sees('Ana'), mallory.sees('Ana')]);
  await Promise.all([ana, ben, mallory].map((each) => each.close()));
});

test('a secret for a session whose frames are not sealed is refused before joining, and can be left out', async () => {
  ana = await open(server.url);
  const link = await ana.join('Ana');
  ben = await open(`${link}#secret=${encodeURIComponent(NEXT)}`);
  await ben.ready();
  await ben.fill('Your name', 'Ben');
  await ben.press('Join');
  await ben.says('A secret protects nothing here');
  await ben.press('Remove it');
  await ben.press('Join');
  await ben.inCall();
  await ben.sees('Ana');
  await Promise.all([ana, ben].map((each) => each.close()));
});

test('the server received none of the secrets, in no form, logged none and stored none', async () => {
  const all = received.text();
  // What is sure to have been sent, by each way.
  for (const sent of [
    /POST \/cloister\/v1\/join /,
    /body .*"name":"Mallory"/,
    /message .*"hello"/,
    /message .*"nonce"/,
  ]) {
    assert.match(all, sent);
  }
  const stored = globSync('**/*', { cwd: server.dataDir, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(path.join(entry.parentPath, entry.name), 'latin1'));
  assert.ok(stored.length > 10);
  for (const each of [secret, WRONG, NEXT]) {
    const forms = [each, encodeURIComponent(each), each.replaceAll(' ', '+'), Buffer.from(each).toString('base64')];
    for (const form of forms) {
      assert.ok(!all.includes(form), `${form} was received`);
      assert.ok(!server.logs().includes(form), `${form} was logged`);
      assert.ok(!stored.some((file) => file.includes(form)), `${form} was stored`);
    }
  }
});
