/** When a page sees the first frame of what it subscribes to. */
import type { Page } from 'puppeteer-core';

/** In the page: → when the first frame of a subscribed picture was there to be shown, in milliseconds since 1970. */
export function firstFrame(page: Page): Promise<number> {
  return page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        const observer = new MutationObserver(() => {
          const video = document.querySelector('video');
          if (!video) return;
          observer.disconnect();
          video.requestVideoFrameCallback(() => resolve(performance.timeOrigin + performance.now()));
        });
        observer.observe(document.body, { childList: true, subtree: true });
      }),
  );
}
