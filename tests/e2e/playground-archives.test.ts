/** Archives at the playground: a moderator records, everybody knows of it, and what was recorded is played or opened. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { launchBrowser, type TestBrowser } from '../rig/browser.ts';
import { tempFolder } from '../rig/cleanup.ts';
import { Visitor } from '../rig/playground.ts';
import { Customer } from '../rig/sdk.ts';
import { type Server, startServer } from '../rig/server.ts';
import { eventually } from '../rig/wait.ts';
import { sample } from '../sample.ts';
import { customerKey, sealTo, storeNowhere } from './archives.ts';
import { run } from './recorded.ts';

let server: Server;
let browser: TestBrowser;
let customer: Customer;
let ana: Visitor;
let ben: Visitor;

before(async () => {
  [server, browser] = await Promise.all([startServer({ mediaWorkers: 1 }), launchBrowser('chromium')]);
  customer = new Customer(server.credentials);
  ana = await Visitor.open(browser, server.url);
  const link = await ana.join('Ana');
  ben = await Visitor.open(browser, link);
  await ben.join('Ben');
  await ana.sees('Ben', 1);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

interface Archive {
  readonly id: string;
  readonly status: string;
  readonly resolution: string;
}

/** The newest archive, as OpenTok's API tells of it. */
async function newest(): Promise<Archive> {
  const list = `/v2/project/${server.credentials.apiKey}/archive`;
  const { items } = (await customer.rest('GET', list, 'project')) as { items: Archive[] };
  return items[0] as Archive;
}

const recorded = (visitor: Visitor) => visitor.page.waitForSelector('[role="status"][data-recorded="true"]');
const notRecorded = (visitor: Visitor) => visitor.page.waitForSelector('[role="status"][data-recorded="false"]');

/** Some seconds of pictures, or more on a machine that draws fewer. */
async function goOn(visitor: Visitor, frames = 180): Promise<void> {
  await visitor.page.evaluate(
    (count) =>
      new Promise<void>((resolve) => {
        const draw = (left: number) => (left === 0 ? resolve() : requestAnimationFrame(() => draw(left - 1)));
        draw(count);
      }),
    frames,
  );
}

/** Where the newest archive is in the panel, once it can be had. */
async function ready(visitor: Visitor): Promise<string> {
  const row = `.archive[data-archive="${(await newest()).id}"]`;
  await visitor.page.waitForSelector(`${row}[data-status="available"]`);
  return row;
}

test('who is no moderator has no archives to open', async () => {
  assert.equal(await ana.page.$$eval('#open-archives', (buttons) => buttons.length), 1);
  assert.equal(await ben.page.$$eval('#open-archives', (buttons) => buttons.length), 0);
});

test('a moderator starts by keyboard alone, and everybody sees that they are recorded', async () => {
  await ana.page.locator('#open-archives').click();
  await ana.says('Sealed with the project’s key.');
  await ana.assertClean('the panel before a recording');
  await ana.tabTo('Start recording');
  await ana.page.keyboard.press('Enter');
  for (const visitor of [ana, ben]) {
    await recorded(visitor);
    await visitor.says('This call is being recorded: Recording');
  }
  // What had the focus has made way for what is next.
  await ana.says('Stop recording');
  assert.match(await ana.focused(), /Layout|Stop recording/);
  await ana.assertClean('the panel while it records');
  await ben.assertClean('a call that is recorded');
});

test('who comes later sees it too', async () => {
  const cleo = await Visitor.open(browser, ana.page.url());
  await cleo.join('Cleo', 'Subscriber');
  await recorded(cleo);
  await cleo.close();
});

test('the layout changes while it records', async () => {
  const { id, status, resolution } = await newest();
  assert.deepEqual([status, resolution], ['started', '640x480']);
  await ana.select('Layout', 'Horizontal presentation');
  const layout = `/v2/project/${server.credentials.apiKey}/archive/${id}/layout`;
  await eventually(
    'the layout is another one',
    () => customer.rest('GET', layout, 'project'),
    (answer) => (answer as { type: string }).type === 'horizontalPresentation',
  );
  await ana.says('Horizontal presentation');
});

test('it stops, everybody is told, and the recording plays in the panel', async () => {
  await goOn(ana);
  await ana.press('Stop recording');
  for (const visitor of [ana, ben]) {
    await visitor.says('The recording has ended.');
    await notRecorded(visitor);
  }
  const row = await ready(ana);
  assert.match(await ana.page.$eval(row, (element) => element.textContent), /\d:\d\d · [\d.]+ [kM]B · 640 × 480/);
  await ana.page.locator(`${row} [aria-label^="Play"]`).click();
  const video = await ana.page.waitForSelector('video.archive-player');
  const shown = await video!.evaluate(async (element) => {
    const player = element as HTMLVideoElement;
    for (let frames = 0; frames < 10; frames += 1) {
      await new Promise((resolve) => player.requestVideoFrameCallback(resolve));
    }
    // Near its end, which is another range of the file; nobody has a picture in its first ones.
    const seconds = player.duration;
    player.pause();
    player.currentTime = seconds - 0.5;
    await new Promise((resolve) => player.addEventListener('seeked', resolve, { once: true }));
    const canvas = new OffscreenCanvas(8, 8);
    const drawing = canvas.getContext('2d')!;
    drawing.drawImage(player, 0, 0, 8, 8);
    const [red = 0, green = 0, blue = 0] = drawing.getImageData(3, 3, 1, 1).data;
    return {
      width: player.videoWidth,
      height: player.videoHeight,
      seconds,
      colour: [red, green, blue],
    };
  });
  assert.deepEqual([shown.width, shown.height], [640, 480]);
  assert.ok(shown.seconds > 2, `${shown.seconds} s`);
  // The camera that Chromium pretends is green.
  const [red, green, blue] = shown.colour as [number, number, number];
  assert.ok(green > red + 40 && green > blue + 40, `${shown.colour}`);
  await ana.assertClean('an archive that plays');
});

/** Downloads an archive of the panel. @param file in a folder of its own, by the name that the archive has */
async function download(row: string, file: string): Promise<void> {
  const session = await ana.page.createCDPSession();
  await session.send('Browser.setDownloadBehavior', {
    behavior: 'allow',
    downloadPath: path.dirname(file),
    browserContextId: ana.page.browserContext().id,
  });
  await ana.page.locator(`${row} [aria-label^="Download"]`).click();
  await eventually(
    'the download',
    () => stat(file).catch(() => null),
    (found) => found !== null && found.size > 10_000,
    60_000,
  );
}

/** H.264 and AAC in MPEG-TS, upright, of some seconds. */
function assertRecording(file: string): void {
  const shown = ['-show_entries', 'stream=codec_name,width,height:format=format_name,duration', '-of', 'json'];
  const { streams, format } = JSON.parse(run('ffprobe', ['-v', 'error', ...shown, file]).toString());
  const video = streams.find((each: { codec_name: string }) => each.codec_name === 'h264');
  assert.deepEqual([video?.width, video?.height, format.format_name], [480, 640, 'mpegts']);
  assert.ok(streams.some((each: { codec_name: string }) => each.codec_name === 'aac'));
  assert.ok(Number(format.duration) > 2, format.duration);
}

async function opensByCommand(): Promise<void> {
  const folder = tempFolder('download');
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = path.join(folder, 'key.pem');
  writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const words = ['req', '-new', '-x509', '-days', '2', '-key', key, '-subj', '/CN=customer'];
  await sealTo(customer, run('openssl', words, folder).toString());
  await ana.says('Sealed to the project’s certificate');
  await ana.select('Resolution', '480 × 640');
  await ana.press('Start recording');
  await recorded(ben);
  await goOn(ana);
  await ana.press('Stop recording');
  await notRecorded(ben);
  const row = await ready(ana);
  assert.equal((await newest()).resolution, '480x640');

  await download(row, path.join(folder, 'archive.ts'));
  await ana.page.locator(`${row} .earlier-button`).click();
  await ana.says('With Cloister’s command');
  await ana.assertClean('the commands that open an archive');

  const permissions = ['clipboard-read', 'clipboard-sanitized-write', 'camera', 'microphone'] as const;
  await ana.page.browserContext().overridePermissions(server.url, [...permissions]);
  await ana.page.bringToFront();
  const copied = async (what: string) => {
    await ana.press(`Copy ${what}`);
    await ana.says(`The ${what} is copied`);
    return ana.page.evaluate(() => navigator.clipboard.readText());
  };
  const program = path.resolve(import.meta.dirname, '../../packages/server/src/cli/main.ts');
  const command = (await copied('command')).replace('npx cloister', `'${process.execPath}' '${program}'`);
  const commands = await copied('openssl commands');
  const cleared = path.join(folder, 'archive-clear.ts');
  run('bash', ['-ec', command], folder);
  const opened = await readFile(cleared);
  assertRecording(cleared);
  run('bash', ['-ec', commands], folder);
  assert.deepEqual(await readFile(cleared), opened);
}

async function namesCertificates(): Promise<void> {
  const certificates = [customerKey().certificate, customerKey().certificate];
  const sealing = `/cloister/v1/projects/${server.credentials.apiKey}/archive-sealing`;
  await customer.rest('PUT', sealing, 'account', { format: 'cloister', certificates });
  await ana.says('Sealed to 2 certificates of the project');
  await ana.says('As it is sealed it goes to the project’s bucket of S3.');
  const named = await ana.page.$$eval('.archive-seal code', (codes) => codes.map(({ title }) => title));
  const fingerprint = (pem: string) => new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase();
  assert.deepEqual(named, certificates.map(fingerprint));
  await ana.assertClean('an archive to several certificates');
  await customer.rest('DELETE', sealing, 'account');
}

async function keepsWhatFailed(): Promise<void> {
  await storeNowhere(customer, { fallback: 'none', certificate: null });
  await ana.says('Sealed with the project’s key while it is here. It does not stay: this server opens it and sends it');
  await ana.assertClean('an archive to a bucket');
  await ana.press('Start recording');
  await recorded(ben);
  await goOn(ana);
  await ana.press('Stop recording');
  const row = `.archive[data-archive="${(await newest()).id}"]`;
  await ana.page.waitForSelector(`${row}[data-status="failed"]`);
  await ana.says(/Failed: the upload failed: .*What was kept: \d:\d\d/);
  await ana.assertClean('an archive that failed');
  const folder = tempFolder('failed');
  const file = path.join(folder, 'archive.mp4');
  await download(row, file);
  assert.match(
    run('ffprobe', ['-v', 'error', '-show_entries', 'stream=codec_name', file]).toString(),
    /h264[\s\S]*aac/,
  );
}

/** One is enough of a sample: each records, ends and looks at an archive of its own. */
const ways = [
  [
    {
      name: 'what is sealed to a certificate is downloaded, and each of the copied commands opens it',
      shown: opensByCommand,
    },
    { name: 'several certificates are all named', shown: namesCertificates },
  ],
  [
    {
      name: 'a bucket is said to get what this server opens; what it does not take is kept, and can be downloaded',
      shown: keepsWhatFailed,
    },
  ],
];
for (const { name, shown } of sample('archives of the playground', ways, 1).flat()) test(name, shown);

test('no page complained', () => {
  assert.deepEqual(browser.errors, []);
});
