/** A person at the playground: works it by what is written on it, as people and screen readers do. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { KeyInput, Page } from 'puppeteer-core';
import type { TestBrowser } from './browser.ts';
import { within } from './wait.ts';

/** Long, for machines that do much else; nothing waits for it when all is well. */
const WAIT_MS = 60_000;
const TABS_MAX = 60;

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** A leg as the panel shows it. */
export interface ShownLeg {
  readonly way: string;
  readonly stream: string;
  /** '' in a leg between two browsers. */
  readonly server: string;
  /** What the sending browser says, in such a leg; otherwise ''. */
  readonly sender: string;
  readonly browser: string;
  readonly verdict: string;
}

/** A place on the page in CSS pixels. */
export interface Place {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export interface Look {
  readonly scheme?: 'light' | 'dark';
  readonly width?: number;
  readonly height?: number;
}

/** Light and dark, in a large window and on a phone. */
const looks: readonly Look[] = [
  { scheme: 'light' },
  { scheme: 'dark' },
  { scheme: 'light', width: 360, height: 740 },
  { scheme: 'dark', width: 360, height: 740 },
];

export class Visitor {
  readonly page: Page;

  /**
   * Opens the playground, or another page.
   * @param url of the server, the link of a session, or that of the other page
   * @param before runs in the page ahead of everything else
   */
  static async open(browser: TestBrowser, url: string, before?: (page: Page) => Promise<unknown>): Promise<Visitor> {
    const page = await browser.newPage();
    page.setDefaultTimeout(WAIT_MS);
    const visitor = new Visitor(page);
    await visitor.show({});
    await before?.(page);
    await page.goto(new URL(url).pathname === '/' ? new URL('/playground', url).href : url);
    return visitor;
  }

  private constructor(page: Page) {
    this.page = page;
  }

  /** Sets the window's size and the colours that the person prefers. */
  async show({ scheme = 'light', width = 1280, height = 800 }: Look): Promise<void> {
    await this.page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    await this.page.setViewport({ width, height });
  }

  /** Waits until the page says this, anywhere. */
  async says(text: string | RegExp): Promise<void> {
    const [source, flags] = text instanceof RegExp ? [text.source, text.flags] : [literally(text), ''];
    const said = this.page.waitForFunction(
      (pattern, how) => new RegExp(pattern, how).test(document.body.textContent),
      { polling: 100 },
      source,
      flags,
    );
    try {
      await said;
    } catch {
      throw new Error(`the page never said ${text}; it says:\n${await this.page.evaluate(pageText)}`);
    }
  }

  /** Presses the button that is called this. */
  async press(name: string): Promise<void> {
    await this.page.locator(`aria/${name}[role="button"]`).click();
  }

  async fill(label: string, text: string): Promise<void> {
    // As a person does it: what the field holds is marked, and typed over.
    await this.page.locator(`aria/${label}[role="textbox"]`).click();
    await this.page.keyboard.down('Control');
    await this.page.keyboard.press('a');
    await this.page.keyboard.up('Control');
    await this.page.keyboard.type(text);
  }

  /** Chooses one of a list that opens, by its name. */
  async select(label: string, option: string): Promise<void> {
    const field = `//*[contains(@class, "field")][*[text()=${JSON.stringify(label)}]]`;
    await this.page.locator(`::-p-xpath(${field}/button)`).click();
    await this.page.locator(`aria/${option}[role="option"]`).click();
    await this.page.waitForFunction(() => !document.querySelector('[role="listbox"]'));
  }

  /** Chooses one of a few, by its name. */
  async choose(name: string): Promise<void> {
    await this.page.locator(`.choice:has([data-choice=${JSON.stringify(name)}])`).click();
  }

  /** Waits for the own picture, gives a name and joins; → the link of the session. */
  async join(name: string, role?: 'Publisher' | 'Moderator' | 'Subscriber'): Promise<string> {
    if (role) await this.choose(role);
    if (role !== 'Subscriber') await this.ready();
    await this.fill('Your name', name);
    await this.press('Join');
    await this.inCall();
    return this.page.url();
  }

  /** The own camera and microphone run. */
  async ready(): Promise<void> {
    await this.page.waitForSelector('.preview-bar');
  }

  async inCall(): Promise<void> {
    try {
      await this.page.waitForSelector('aria/Call[role="toolbar"]');
    } catch {
      throw new Error(`the call did not begin; the page says:\n${await this.page.evaluate(pageText)}`);
    }
  }

  /** Waits until the tile of this name shows `frames` frames that differ from one another. */
  async sees(name: string, frames = 5): Promise<void> {
    const plate = `.tile:has(.plate-name[data-name=${JSON.stringify(name)}]) .video-slot[data-hidden="false"] video`;
    const video = await this.page.waitForSelector(plate);
    const moving = video!.evaluate(async (element, wanted) => {
      const picture = element as HTMLVideoElement;
      const canvas = new OffscreenCanvas(80, 60);
      const drawing = canvas.getContext('2d', { willReadFrequently: true })!;
      let before: Uint8ClampedArray | null = null;
      for (let moved = 0; moved < wanted; ) {
        await new Promise((resolve) => picture.requestVideoFrameCallback(resolve));
        drawing.drawImage(picture, 0, 0, canvas.width, canvas.height);
        const now = drawing.getImageData(0, 0, canvas.width, canvas.height).data;
        const earlier = before;
        if (earlier?.some((value, index) => Math.abs(value - (now[index] ?? 0)) > 24)) moved += 1;
        before = now;
      }
    }, frames);
    await within(WAIT_MS, `a moving picture of ${name}`, moving);
  }

  /** The legs in the panel, which must be open. */
  legs(): Promise<ShownLeg[]> {
    return this.page.evaluate(() => {
      const text = (element: Element, selector: string) => element.querySelector(selector)?.textContent?.trim() ?? '';
      return [...document.querySelectorAll('.leg[data-open="true"]')].map((leg) => ({
        way: text(leg, '.leg-way'),
        stream: text(leg, '.leg-stream'),
        server: text(leg, 'dd[data-end="server"]'),
        sender: text(leg, 'dd[data-end="sender"]'),
        browser: text(leg, 'dd[data-end="browser"]'),
        verdict: text(leg, '.leg-verdict'),
      }));
    });
  }

  /** Where the area for the tiles is, and where they are. */
  places(): Promise<{ area: Place; tiles: Place[] }> {
    return this.page.evaluate(() => {
      const place = (element: Element) => {
        const { left, top, width, height } = element.getBoundingClientRect();
        return { left, top, width, height };
      };
      const area = document.querySelector('.tiles');
      if (!area) throw new Error('there is no area for tiles');
      return { area: place(area), tiles: [...document.querySelectorAll('.tile')].map(place) };
    });
  }

  /** What axe finds wrong by WCAG 2.2 AA and its best practices: one line each. */
  async faults(): Promise<string[]> {
    await this.page.evaluate(axeSource);
    return this.page.evaluate(async () => {
      const { axe } = window as unknown as { axe: { run(): Promise<AxeResult> } };
      // A colour on its way to another is no colour to judge.
      const passing = document.getAnimations().filter((each) => each.effect?.getComputedTiming().endTime !== Infinity);
      await Promise.allSettled(passing.map((each) => each.finished));
      const { violations } = await axe.run();
      return violations.flatMap(({ id, nodes }) =>
        nodes.map((node) => `${id}: ${node.html.slice(0, 160)} ${node.failureSummary}`),
      );
    });
  }

  /** Axe finds nothing, and nothing is wider than the window, in every look. */
  async assertClean(where: string): Promise<void> {
    for (const look of looks) {
      await this.show(look);
      assert.deepEqual(await this.faults(), [], `${where}, ${JSON.stringify(look)}`);
      assert.equal(await this.overflows(), false, `${where} is too wide, ${JSON.stringify(look)}`);
    }
    await this.show({});
  }

  /** Whether something is wider than the window. */
  overflows(): Promise<boolean> {
    return this.page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
  }

  /** Presses the tab key until the element with this name has the focus. */
  async tabTo(name: string): Promise<void> {
    const passed: string[] = [];
    for (let count = 0; count < TABS_MAX; count += 1) {
      const focused = await this.focused();
      if (focused === name) return;
      passed.push(focused);
      await this.page.keyboard.press('Tab');
    }
    throw new Error(`the tab key never reached ${name}; it passed ${passed.join(', ')}`);
  }

  /** Presses an arrow key until the element with this name has the focus: within a toolbar or a group of choices. */
  async arrowTo(name: string, key: KeyInput = 'ArrowRight'): Promise<void> {
    for (let count = 0; count < TABS_MAX && (await this.focused()) !== name; count += 1) {
      await this.page.keyboard.press(key);
    }
    if ((await this.focused()) !== name) throw new Error(`${key} never reached ${name}`);
  }

  /** The accessible name of what has the focus, as the browser computes it. */
  async focused(): Promise<string> {
    const tree = await this.page.accessibility.snapshot({ interestingOnly: false });
    const search = (node: typeof tree): string | undefined => {
      if (!node) return undefined;
      for (const child of node.children ?? []) {
        const found = search(child);
        if (found !== undefined) return found;
      }
      return node.focused && node.role !== 'RootWebArea' ? (node.name ?? '') : undefined;
    };
    return search(tree) ?? '';
  }

  close(): Promise<void> {
    return this.page.close();
  }
}

interface AxeResult {
  violations: { id: string; nodes: { html: string; failureSummary: string }[] }[];
}

/** Runs in the page. */
function pageText(): string {
  return document.getElementById('root')?.textContent ?? '';
}

function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
