/** A page of somebody's application: loads the client SDK from the platform, and is driven by a test. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type * as Client from '@opentok/client';
import type { Page } from 'puppeteer-core';
import type { TestBrowser } from './browser.ts';
import type { Happening, IceConfig, Look, Sound } from './in-page.ts';
import { within } from './wait.ts';

const WAIT_MS = 40_000;
const LOADS = 3;

/** Where the application's page is served: an origin of its own, not the platform's. */
export interface Site {
  /** `http://127.0.0.1:PORT`, or with another address where it was asked for. */
  readonly origin: string;
  close(): void;
}

/** A script of this folder for a page: its types taken off. */
export function pageScript(name: string): string {
  return stripTypeScriptTypes(readFileSync(path.join(import.meta.dirname, name), 'utf8'));
}

/** What an application with a strict policy allows, as docs/guides/moving-from-opentok.md says it. */
function strictPolicy(serverUrl: string): string {
  return [
    "default-src 'none'",
    `script-src 'self' ${serverUrl}`,
    "style-src 'self'",
    'img-src data:',
    `connect-src ${serverUrl} ${serverUrl.replace(/^http/, 'ws')}`,
    'worker-src blob:',
  ].join('; ');
}

/**
 * Serves the page that loads the SDK from `serverUrl`.
 * @param address to listen on; only loopback, or an address of the test's own namespace
 */
export async function serveSite(serverUrl: string, address = '127.0.0.1'): Promise<Site> {
  const inPage = pageScript('in-page.ts');
  const html = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A call</title>
<link rel="icon" href="data:,"><script src="/in-page.js"></script><script src="${serverUrl}/v2/js/opentok.min.js"></script>
</head><body></body></html>`;
  const policy = strictPolicy(serverUrl);
  const server = createServer((request, response) => {
    const script = request.url === '/in-page.js';
    response.writeHead(200, {
      'content-type': script ? 'text/javascript' : 'text/html',
      'content-security-policy': policy,
    });
    response.end(script ? inPage : html);
  });
  await once(server.listen(0, address), 'listening');
  server.unref();
  const { port } = server.address() as AddressInfo;
  const close = () => {
    server.close();
    // Of a browser whose line went before it did, connections are never told that they are over.
    server.closeAllConnections();
  };
  return { origin: `http://${address}:${port}`, close };
}

export interface JoinAs {
  readonly apiKey: string;
  readonly sessionId: string;
  readonly token: string;
  /** Of an end-to-end encrypted session. */
  readonly encryptionSecret?: string;
  /** Holds the page to the platform's address list. */
  readonly ipWhitelist?: boolean;
}

/** One end of a pair of candidates. */
export interface Way {
  /** `host`, `srflx`, `prflx` or `relay`. */
  readonly type: string;
  /** How the browser reaches its relay, or sends without one: `udp`, `tcp` or `tls`. */
  readonly protocol: string;
  readonly port: number;
}

/** One participant's page. */
export class Participant {
  readonly page: Page;
  connectionId = '';

  /**
   * Opens the page in a browser. Chromium drops what it loads when an interface of the machine appears, which tests with
   * network namespaces make happen; a person would load the page again.
   * @param script run before any of the page's own
   */
  static async open(browser: TestBrowser, site: Site, script?: string): Promise<Participant> {
    const page = await browser.newPage();
    if (script) await page.evaluateOnNewDocument(script);
    for (let loads = 0; loads < LOADS; loads += 1) {
      await page.goto(site.origin);
      if (await page.evaluate(() => 'rig' in window && 'OT' in window)) return new Participant(page);
    }
    throw new Error(`${site.origin} did not load its scripts in ${LOADS} tries`);
  }

  private constructor(page: Page) {
    this.page = page;
  }

  /**
   * Joins a session.
   * @param subscribing how to subscribe to every stream that appears; null: to none
   * @param iceConfig what `initSession` is given
   */
  async join(
    as: JoinAs,
    subscribing: Client.SubscriberProperties | null = {},
    iceConfig: IceConfig | null = null,
  ): Promise<string> {
    const joined = this.page.evaluate((...args) => window.rig.join(...args), as, subscribing, iceConfig);
    this.connectionId = await within(WAIT_MS, 'to join', joined);
    return this.connectionId;
  }

  /** Publishes the fake camera and microphone; → the stream's id. @throws `OT_…: message` */
  publish(properties: Client.PublisherProperties = {}): Promise<string> {
    return within(
      WAIT_MS,
      'to publish',
      this.page.evaluate((how) => window.rig.publish(how), properties),
    );
  }

  /** @throws `OT_…: message` */
  subscribe(streamId: string, properties: Client.SubscriberProperties = {}): Promise<void> {
    const subscribed = this.page.evaluate((id, how) => window.rig.subscribe(id, how), streamId, properties);
    return within(WAIT_MS, 'to subscribe', subscribed);
  }

  /** How many things the SDK has told so far; the `since` of what comes next. */
  mark(): Promise<number> {
    return this.page.evaluate(() => window.rig.happenings.length);
  }

  happenings(): Promise<Happening[]> {
    return this.page.evaluate(() => window.rig.happenings);
  }

  /**
   * Waits for an event.
   * @param target `session`, `publisher`, the stream id of a subscriber, or `OT`, which tells `exception` with its `message`
   * @param wanted details that must be as given
   */
  async event(
    target: string,
    type: string,
    { since = 0, ms = WAIT_MS, ...wanted }: { since?: number; ms?: number; [detail: string]: unknown } = {},
  ): Promise<Happening> {
    const come = this.page.evaluate(
      (...[where, what, from, details]) => window.rig.waitFor(where, what, from, details as Record<string, string>),
      target,
      type,
      since,
      wanted,
    );
    try {
      return await within(ms, `${type} of ${target}`, come);
    } catch (error) {
      const told = (await this.happenings()).map(
        (each) => `${each.target} ${each.type} ${JSON.stringify(each.detail)}`,
      );
      throw new Error(`${(error as Error).message}; so far:\n${told.join('\n')}`);
    }
  }

  /** Waits until a subscription stands. */
  async subscribed(streamId: string): Promise<void> {
    await this.event(streamId, 'subscribed');
  }

  /** Looks at the picture of `publisher` or of a subscribed stream. */
  look(target: string, frames = 15): Promise<Look> {
    const seen = this.page.evaluate((what, count) => window.rig.look(what, count), target, frames);
    return within(WAIT_MS, `${frames} frames of ${target}`, seen);
  }

  /** The colour of `publisher` or of a subscribed stream as it is seen now, also where there is no picture. */
  glance(target: string): Promise<readonly [number, number, number]> {
    return this.page.evaluate((what) => window.rig.glance(what), target);
  }

  /** Listens until a sound has begun `onsets` times. */
  async hear(target: string, onsets = 2): Promise<Sound> {
    await within(
      WAIT_MS,
      `to listen to ${target}`,
      this.page.evaluate((what) => window.rig.listen(what), target),
    );
    const beeps = this.page.evaluate((what, count) => window.rig.heard(what, count), target, onsets);
    await within(WAIT_MS, `${onsets} sounds of ${target}`, beeps);
    return this.page.evaluate((what) => window.rig.stopListening(what), target);
  }

  /** The browser's statistics of one type. */
  stats(type: string): Promise<Record<string, unknown>[]> {
    return this.page.evaluate((what) => window.rig.stats(what), type);
  }

  /** How the media of each open transport goes: the browser's end of the pair of candidates that is in use. */
  async ways(): Promise<Way[]> {
    const asked = ['transport', 'candidate-pair', 'local-candidate'].map((type) => this.stats(type));
    const [transports = [], pairs = [], candidates = []] = await Promise.all(asked);
    return transports.flatMap(({ selectedCandidatePairId }) => {
      const pair = pairs.find(({ id }) => id === selectedCandidatePairId);
      const local = candidates.find(({ id }) => id === pair?.localCandidateId);
      const { candidateType: type, relayProtocol, protocol, port } = local ?? {};
      return local ? [{ type: String(type), protocol: String(relayProtocol ?? protocol), port: Number(port) }] : [];
    });
  }

  /** What the browser counts of a subscribed track, with `mimeType` and `srtpCipher`. */
  inbound(streamId: string, kind: 'audio' | 'video'): Promise<Record<string, unknown>> {
    return this.page.evaluate((...args) => window.rig.inbound(...args), streamId, kind);
  }

  close(): Promise<void> {
    return this.page.close();
  }
}
