/**
 * A publisher and a subscriber in a Chromium each, with a cable between them that can be made slow: what the tests of the
 * fall-back to audio stand on. Their files call `enterNetwork` first.
 */
import { after, before } from 'node:test';
import type { PublisherProperties } from '@opentok/client';
import { launchBrowser, type TestBrowser } from '../rig/browser.ts';
import { type FarSide, nearAddress, openFarSide } from '../rig/network.ts';
import { Participant, type Site, serveSite } from '../rig/page.ts';
import { Customer } from '../rig/sdk.ts';
import { type Server, startServer } from '../rig/server.ts';

const FRAMES = 30;

/** Filled before the first test of the file. */
export interface SlowLine {
  far: FarSide;
  publisher: Participant;
  subscriber: Participant;
  streamId: string;
  /** Another call in the place of the one there is, over a line that is not slow. */
  call(mediaMode: 'routed' | 'relayed'): Promise<void>;
}

/** @param away who is at the far side, the server being at the near one; the other is beside the server */
export function useSlowLine(away: 'publisher' | 'subscriber', properties: PublisherProperties = {}): SlowLine {
  const line = {} as SlowLine;
  let server: Server | undefined;
  let site: Site | undefined;
  let browsers: TestBrowser[] = [];
  before(async () => {
    server = await startServer({ lan: true });
    const customer = new Customer(server.credentials);
    site = await serveSite(server.url, nearAddress);
    line.far = await openFarSide();
    const secureOrigins = [site.origin];
    const near = await launchBrowser('chromium', { secureOrigins });
    const far = await launchBrowser('chromium', { secureOrigins, executable: line.far.launcher('/usr/bin/chromium') });
    browsers = [near, far];
    const at = site;
    line.call = async (mediaMode) => {
      await Promise.all([line.publisher, line.subscriber].map((each) => each?.close()));
      line.publisher = await Participant.open(away === 'publisher' ? far : near, at);
      line.subscriber = await Participant.open(away === 'subscriber' ? far : near, at);
      const sessionId = await customer.session({ mediaMode });
      await line.publisher.join(customer.ticket(sessionId), null);
      await line.subscriber.join(customer.ticket(sessionId));
      line.streamId = await line.publisher.publish({ resolution: '640x480', frameRate: 30, ...properties });
      await line.subscriber.subscribed(line.streamId);
    };
    await line.call('routed');
  });
  after(async () => {
    await Promise.all(browsers.map((browser) => browser.close()));
    line.far?.close();
    site?.close();
    await server?.stop();
  });
  return line;
}

/** Waits until the call is in full swing: the picture takes more than this. */
export async function pictureTakes({ subscriber, streamId }: SlowLine, moreThanKbps: number): Promise<void> {
  const bytes = async () => Number((await subscriber.inbound(streamId, 'video')).bytesReceived ?? 0);
  for (let before = await bytes(), kbps = 0; kbps < moreThanKbps; ) {
    const began = performance.now();
    await subscriber.look(streamId, FRAMES);
    const now = await bytes();
    kbps = ((now - before) * 8) / (performance.now() - began);
    before = now;
  }
}

/** Begins to listen to the pretended microphone; → how to stop, with the milliseconds between its beeps. */
export async function beeps({ subscriber, streamId }: SlowLine): Promise<() => Promise<number[]>> {
  await subscriber.page.evaluate((id) => window.rig.listen(id), streamId);
  const began = await subscriber.page.evaluate(() => performance.now());
  return async () => {
    const { onsets } = await subscriber.page.evaluate((id) => window.rig.stopListening(id), streamId);
    const ended = await subscriber.page.evaluate(() => performance.now());
    return [...onsets, ended].map((at, index) => Math.round(at - (onsets[index - 1] ?? began)));
  };
}
