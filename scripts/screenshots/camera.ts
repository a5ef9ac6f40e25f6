/** Gives a page a drawn person for its camera, and names to its devices as real ones have them. */
import type { Page } from 'puppeteer-core';
import { HEIGHT, type Portrait, portraitSvg, WIDTH } from './portrait.ts';

const FRAMES = 12;
/** Slow, so that three cameras leave the machine time for the rest. */
const FRAMES_PER_SECOND = 5;

/** To be called before the page loads. */
export async function giveCamera(page: Page, portrait: Portrait): Promise<void> {
  const frames = Array.from({ length: FRAMES }, (_, frame) => portraitSvg(portrait, frame / FRAMES));
  await page.evaluateOnNewDocument(replaceCamera, frames, WIDTH, HEIGHT, FRAMES_PER_SECOND);
  await page.evaluateOnNewDocument(nameDevices);
}

/** Runs in the page: what `getUserMedia` gives has the drawing for its picture. */
function replaceCamera(frames: string[], width: number, height: number, framesPerSecond: number): void {
  const devices = navigator.mediaDevices;
  const open = devices.getUserMedia.bind(devices);
  const draw = async (canvas: HTMLCanvasElement) => {
    const pictures = await Promise.all(
      frames.map(async (svg) => {
        const image = new Image();
        image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
        await image.decode();
        return createImageBitmap(image);
      }),
    );
    const context = canvas.getContext('2d') as CanvasRenderingContext2D;
    let next = 0;
    const show = () => context.drawImage(pictures[next++ % pictures.length] as ImageBitmap, 0, 0);
    show();
    setInterval(show, 1000 / framesPerSecond);
  };
  devices.getUserMedia = async (constraints) => {
    const media = await open(constraints);
    const [camera] = media.getVideoTracks();
    if (!camera) return media;
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    await draw(canvas);
    const [track] = canvas.captureStream(framesPerSecond).getVideoTracks();
    const settings = { ...camera.getSettings(), width, height };
    camera.stop();
    return new MediaStream([
      ...media.getAudioTracks(),
      Object.assign(track as MediaStreamTrack, { getSettings: () => settings }),
    ]);
  };
}

/** Runs in the page. */
function nameDevices(): void {
  const names: Record<string, string> = { videoinput: 'HD camera', audioinput: 'Desk microphone' };
  Object.defineProperty(InputDeviceInfo.prototype, 'label', {
    get(this: InputDeviceInfo) {
      return names[this.kind] ?? '';
    },
  });
}
