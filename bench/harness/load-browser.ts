/** Chromium as the clients of a load: one page that publishes, one that receives, both with `load-page.ts`. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { Page } from 'puppeteer-core';
import { build, type Rollup } from 'vite';
import { launchBrowser, type TestBrowser } from '../../tests/rig/browser.ts';
import { within } from '../../tests/rig/wait.ts';
import type { Counts, Picture, Place } from './load-page.ts';

const STEP_MS = 60_000;

/** Bundles the page's script; → its text. */
async function script(): Promise<string> {
  const built = (await build({
    configFile: false,
    logLevel: 'warn',
    define: { 'process.env.NODE_ENV': '"production"' },
    build: {
      write: false,
      lib: { entry: path.join(import.meta.dirname, 'load-page.ts'), name: 'loadPage', formats: ['iife'] },
    },
  })) as Rollup.RollupOutput[];
  return built.flatMap(({ output }) => output.flatMap((each) => ('code' in each ? [each.code] : []))).join('\n');
}

/** Serves the page on loopback; → its origin. */
async function serve(code: string): Promise<string> {
  const html = '<!doctype html><title>load</title><link rel="icon" href="data:,"><script src="/load.js"></script>';
  const server = createServer((request, response) => {
    const asked = request.url === '/load.js';
    response.writeHead(200, { 'content-type': asked ? 'text/javascript' : 'text/html' }).end(asked ? code : html);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  server.unref();
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A page of members. */
export class LoadPage {
  readonly #page: Page;

  constructor(page: Page) {
    this.#page = page;
  }

  join(place: Place): Promise<number> {
    return this.#do(
      'to join',
      this.#page.evaluate((where) => window.load.join(where), place),
    );
  }

  publish(member: number, picture: Picture): Promise<string> {
    return this.#do(
      'to publish',
      this.#page.evaluate((...args) => window.load.publish(...args), member, picture),
    );
  }

  subscribe(member: number, streams: string[]): Promise<void> {
    return this.#do(
      'to subscribe',
      this.#page.evaluate((...args) => window.load.subscribe(...args), member, streams),
    );
  }

  counts(): Promise<Counts> {
    return this.#do(
      'the counters',
      this.#page.evaluate(() => window.load.counts()),
    );
  }

  close(): Promise<void> {
    return this.#page.close();
  }

  #do<T>(what: string, promise: Promise<T>): Promise<T> {
    return within(STEP_MS, what, promise);
  }
}

export class LoadBrowser {
  readonly version: string;
  readonly #browser: TestBrowser;
  readonly #origin: string;

  static async start(): Promise<LoadBrowser> {
    const origin = await serve(await script());
    const args = ['--allow-loopback-in-peer-connection', '--disable-features=WebRtcHideLocalIpsWithMdns'];
    return new LoadBrowser(await launchBrowser('chromium', { args }), origin);
  }

  private constructor(browser: TestBrowser, origin: string) {
    this.#browser = browser;
    this.#origin = origin;
    this.version = browser.version;
  }

  /** Opens a page in a process of its own. */
  async page(): Promise<LoadPage> {
    const page = await this.#browser.newPage();
    await page.goto(this.#origin);
    return new LoadPage(page);
  }

  /** What its pages complained about. */
  get errors(): readonly string[] {
    return this.#browser.errors;
  }

  close(): Promise<void> {
    return this.#browser.close();
  }
}
