/** What most end-to-end tests stand on: a platform, a customer with a project, a Chromium and a page to open in it. */
import { after, before } from 'node:test';
import { type BrowserOptions, launchBrowser, type TestBrowser } from '../rig/browser.ts';
import { Participant, type Site, serveSite } from '../rig/page.ts';
import { Customer } from '../rig/sdk.ts';
import { type Server, type ServerOptions, startServer } from '../rig/server.ts';

/** Filled before the first test of the file. */
export interface Stage {
  server: Server;
  customer: Customer;
  browser: TestBrowser;
  site: Site;
  /** Opens a page of a participant in the Chromium. */
  open(): Promise<Participant>;
}

interface Setting {
  /** Asked for when the stage is set up, since some of it may need awaiting. */
  readonly options?: () => Promise<{ server?: ServerOptions; browser?: BrowserOptions }>;
  /** What the tests of the file need on the stage. Not a `before` of its own: those of a file run at the same time. */
  readonly ready?: () => Promise<void>;
}

/** Sets a stage up before the tests of this file and takes it away after them. */
export function useStage(setting: Setting = {}): Stage {
  const stage = { open: () => Participant.open(stage.browser, stage.site) } as Stage;
  before(async () => {
    const options = (await setting.options?.()) ?? {};
    stage.server = await startServer(options.server);
    stage.customer = new Customer(stage.server.credentials);
    stage.site = await serveSite(stage.server.url);
    stage.browser = await launchBrowser('chromium', options.browser);
    await setting.ready?.();
  });
  after(async () => {
    await stage.browser?.close();
    stage.site?.close();
    await stage.server?.stop();
  });
  return stage;
}
