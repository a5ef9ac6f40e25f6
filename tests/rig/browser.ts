/** Debian's Chromium and Firefox with a camera and a microphone that are not there. */
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { atEnd, tempFolder } from './cleanup.ts';
import { within } from './wait.ts';

export type BrowserName = 'chromium' | 'firefox';

export interface BrowserOptions {
  /** A program to start instead, such as a far side's launcher. */
  readonly executable?: string;
  /** Played as the camera (Chromium): a .y4m or .mjpeg file. */
  readonly videoFile?: string;
  /** Played as the microphone (Chromium): a .wav file. */
  readonly audioFile?: string;
  /** The tab that is shared when a page asks for a screen, by its title; then there is no pretended camera (Chromium). */
  readonly sharedTab?: string;
  /** Plain-HTTP origins that count as secure; in Firefox with all of their host. */
  readonly secureOrigins?: readonly string[];
  /** Holds back the timers of pages in the background, as browsers do for people, and soon as far as it ever goes (Chromium). */
  readonly throttled?: boolean;
  readonly args?: readonly string[];
  /** Gets the folder of the new profile before the browser starts. */
  readonly prepare?: (profile: string) => void;
  readonly env?: Readonly<Record<string, string>>;
  /** Settings of Firefox, beside those that every test has. */
  readonly prefs?: Readonly<Record<string, boolean | number | string>>;
}

/** Makes the window of a page so large that the page itself has this size. For browsers that share a tab. */
export async function resizeWindow(page: Page, width: number, height: number): Promise<void> {
  const session = await page.createCDPSession();
  const { windowId } = await session.send('Browser.getWindowForTarget');
  const frame = await page.evaluate(() => ({ width: outerWidth - innerWidth, height: outerHeight - innerHeight }));
  const bounds = { width: width + frame.width, height: height + frame.height };
  await session.send('Browser.setWindowBounds', { windowId, bounds });
  await page.waitForFunction((...size) => innerWidth === size[0] && innerHeight === size[1], {}, width, height);
}

/** A browser with a profile of its own. */
export interface TestBrowser {
  readonly name: BrowserName;
  readonly version: string;
  /** Errors that its pages wrote to the console or threw. */
  readonly errors: readonly string[];
  /** A page in a context of its own: no cookies, no storage of others. */
  newPage(): Promise<Page>;
  close(): Promise<void>;
}

const EXECUTABLE = { chromium: '/usr/bin/chromium', firefox: '/usr/bin/firefox-esr' } as const;
const CLOSE_MS = 10_000;

const CHROMIUM_ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
  '--autoplay-policy=no-user-gesture-required',
];

/** Several pages of one browser are in a call at the same time: none of them is in the background. */
const UNTHROTTLED = [
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
];
/** Chains of timers of a hidden page come to one wake-up a minute after a second, not after five minutes. */
const THROTTLED = ['--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/1'];

const PRETENDED_DEVICES = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];

const FIREFOX_PREFS = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.autoplay.default': 0,
  'media.autoplay.blocking_policy': 0,
  'media.autoplay.block-webaudio': false,
  'media.peerconnection.ice.obfuscate_host_addresses': false,
  'media.gmp-manager.url': '',
  'media.gmp-provider.enabled': false,
  'app.update.enabled': false,
  'browser.safebrowsing.update.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'toolkit.telemetry.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': '',
};

/** On a screen that is large enough: Chromium shares nothing larger than that. */
function sharing(title: string): string[] {
  return [`--auto-select-tab-capture-source-by-title=${title}`, '--screen-info={2560x1440}'];
}

function launchArgs(name: BrowserName, options: BrowserOptions): string[] {
  if (name === 'firefox') return [...(options.args ?? [])];
  return [
    ...CHROMIUM_ARGS,
    ...(options.throttled ? THROTTLED : UNTHROTTLED),
    ...(options.sharedTab ? sharing(options.sharedTab) : PRETENDED_DEVICES),
    ...(options.videoFile ? [`--use-file-for-fake-video-capture=${options.videoFile}`] : []),
    ...(options.audioFile ? [`--use-file-for-fake-audio-capture=${options.audioFile}`] : []),
    ...(options.secureOrigins?.length
      ? [`--unsafely-treat-insecure-origin-as-secure=${options.secureOrigins.join(',')}`]
      : []),
    ...(options.args ?? []),
  ];
}

function secureHosts({ secureOrigins }: BrowserOptions): Record<string, string> {
  if (!secureOrigins) return {};
  return { 'dom.securecontext.allowlist': secureOrigins.map((origin) => new URL(origin).hostname).join() };
}

/** Starts a browser. It ends with the test process at the latest. */
export async function launchBrowser(name: BrowserName, options: BrowserOptions = {}): Promise<TestBrowser> {
  const userDataDir = tempFolder(name);
  options.prepare?.(userDataDir);
  const browser = await puppeteer.launch({
    browser: name === 'firefox' ? 'firefox' : 'chrome',
    executablePath: options.executable ?? EXECUTABLE[name],
    headless: true,
    acceptInsecureCerts: true,
    // Chromium is driven through file descriptors, which lead into any namespace; Firefox by WebDriver BiDi.
    pipe: name === 'chromium',
    userDataDir,
    args: launchArgs(name, options),
    env: { ...process.env, MOZ_DISABLE_CONTENT_SANDBOX: '1', HOME: tempFolder(`${name}-home`), ...options.env },
    ...(name === 'firefox'
      ? { extraPrefsFirefox: { ...FIREFOX_PREFS, ...secureHosts(options), ...options.prefs } }
      : {}),
    // What is shared has the size of its window, not of a pretended one.
    ...(options.sharedTab ? { defaultViewport: null } : {}),
    // Puppeteer switches throttling off by itself.
    ...(options.throttled ? { ignoreDefaultArgs: UNTHROTTLED } : {}),
    protocolTimeout: 60_000,
  });
  const child = browser.process();
  const forget = atEnd(() => killGroup(child?.pid));
  const errors: string[] = [];
  return {
    name,
    version: await browser.version(),
    errors,
    newPage: () => newPage(browser, errors),
    async close() {
      await within(CLOSE_MS, `${name} to close`, browser.close()).catch(() => {});
      forget();
    },
  };
}

/**
 * What Firefox says of a socket that was given up while it opened. A client in doubt of its line opens a second one, and
 * takes whichever answers first.
 */
function isRival(complaint: string): boolean {
  return /^Error: (Firefox can’t establish a connection to the server at|The connection to) wss?:\S+\/signalling\b/.test(
    complaint,
  );
}

async function newPage(browser: Browser, errors: string[]): Promise<Page> {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  page.on('pageerror', (error) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (!isRival(text)) errors.push(text);
  });
  page.on('console', (message) => {
    if (message.type() === 'error' && !isRival(message.text())) errors.push(message.text());
  });
  return page;
}

/** Puppeteer makes the browser the leader of a process group, in which its renderers are too. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}
