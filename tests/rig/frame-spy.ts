/** Looks into the client's frame layer: what goes into its worker and comes out of it, or frames left as they are. */

/**
 * A page's script, to be run before the SDK is loaded.
 *
 * `record`: `window.frameSpy` has the bytes of frames before and after they were sealed. Frames of one track are in their order.
 * `time`: it has how long each frame took in milliseconds, and how many bytes it grew by.
 * `count`: it has an entry for each frame that went no further, with nothing in it.
 * `blind`: frames go through as they are, so that a receiver shows what it makes of sealed ones.
 */
export function frameSpy(how: 'record' | 'time' | 'count' | 'blind'): string {
  return `(${inPage})(${JSON.stringify(how)}, ${JSON.stringify(`(${inWorker})`)});`;
}

/** One frame; what was not asked for is empty. */
export interface SpiedFrame {
  /** Of its codec, as the browser says it: `video/VP8`; '' where it does not. */
  readonly mimeType: string;
  /** In base64. */
  readonly before: string;
  readonly after: string;
  readonly ms: number;
  readonly added: number;
}

declare global {
  interface Window {
    frameSpy: SpiedFrame[];
  }
}

// Both run elsewhere: nothing outside them is there.

function inPage(how: string, worker: string): void {
  const frames: SpiedFrame[] = [];
  Object.assign(window, { frameSpy: frames });
  const Native = Blob;
  // The worker's script is the one that the client makes of a Blob.
  window.Blob = class extends Native {
    constructor(parts?: BlobPart[], options?: BlobPropertyBag) {
      const isWorker = options?.type === 'text/javascript';
      super(isWorker ? [`${worker}(${JSON.stringify(how)});`, ...(parts ?? [])] : parts, options);
    }
  };
  new BroadcastChannel('frame spy').onmessage = ({ data }) => frames.push(data as SpiedFrame);
}

function inWorker(how: string): void {
  const Native = TransformStream;
  const channel = new BroadcastChannel('frame spy');
  const text = (bytes: ArrayBuffer) =>
    btoa(Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join(''));
  type Frame = { data: ArrayBuffer; getMetadata(): { mimeType?: string } };
  globalThis.TransformStream = class extends Native<Frame, Frame> {
    constructor(transformer?: Transformer<Frame, Frame>) {
      if (how === 'blind') super();
      else
        super({
          async transform(frame, controller) {
            const before = how === 'record' ? text(frame.data) : '';
            const { byteLength } = frame.data;
            const { mimeType = '' } = frame.getMetadata();
            const began = performance.now();
            let went = false;
            await transformer?.transform?.(frame, {
              enqueue(made: Frame) {
                went = true;
                const ms = performance.now() - began;
                const added = made.data.byteLength - byteLength;
                if (how === 'record') channel.postMessage({ mimeType, before, after: text(made.data), ms, added });
                if (how === 'time') channel.postMessage({ mimeType, before, after: '', ms, added });
                controller.enqueue(made);
              },
            } as TransformStreamDefaultController<Frame>);
            if (how === 'count' && !went) channel.postMessage({ mimeType, before: '', after: '', ms: 0, added: 0 });
          },
        });
    }
  } as unknown as typeof TransformStream;
}
