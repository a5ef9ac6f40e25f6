/**
 * The frame layer of a page: one worker through which the frames of every track go. It is the page's side of `Pipes`; a track that
 * was put through it sends and shows nothing that is not sealed.
 */
import { OtError } from '../errors.ts';
import { log } from '../log.ts';
import { type FrameCodec, frameCodecs } from './layout.ts';
import type { Piece, PipeNews, PipeOrder } from './pipes.ts';
import type { Bytes } from './sframe.ts';

/** Puts keys in place. `who` is whose frames they seal or open. */
export interface FrameKeys {
  sealWith(who: string, keyId: number, baseKey: Bytes): void;
  openWith(who: string, keyId: number, baseKey: Bytes): void;
  /** Frames of these keys do not open, until a key is given again. */
  stopKeys(who: string, keyIds: readonly number[]): void;
  forget(who: string): void;
}

/** The worker's bundle, put in when the client is bundled. */
declare const __CLOISTER_FRAME_WORKER__: string;

/** Browsers without `RTCRtpScriptTransform`: Chromium before 141. */
interface EncodedStreams {
  createEncodedStreams?(): { readable: ReadableStream; writable: WritableStream };
}

type ScriptTransform = new (worker: Worker, options: Piece) => RTCRtpTransform;
type RTCRtpTransform = object;

/** Pages that are not secure have no WebCrypto. */
function canCompute(): boolean {
  return typeof Worker !== 'undefined' && globalThis.crypto?.subtle !== undefined;
}

function scriptTransform(): ScriptTransform | null {
  return (globalThis as { RTCRtpScriptTransform?: ScriptTransform }).RTCRtpScriptTransform ?? null;
}

function hasEncodedStreams(): boolean {
  const sender = (globalThis as { RTCRtpSender?: { prototype: EncodedStreams } }).RTCRtpSender;
  return sender !== undefined && 'createEncodedStreams' in sender.prototype;
}

export class FrameLayer implements FrameKeys {
  /** What peer connections are made with, so that frames can be taken out of them. */
  readonly rtcConfiguration: Partial<RTCConfiguration>;
  /** Resolves when the worker runs; rejects with an `OtError` where the page does not let it. */
  readonly ready: Promise<void>;
  readonly #worker: Worker;
  readonly #url: string;
  readonly #observer: { worn(who: string): void };
  readonly #opens = new Map<number, (opens: boolean) => void>();
  #pieces = 0;

  /** Whether this browser lets frames be sealed: by `RTCRtpScriptTransform` or, in older ones, `createEncodedStreams`. */
  static get supported(): boolean {
    return canCompute() && (scriptTransform() !== null || hasEncodedStreams());
  }

  /** Whether it can between two clients too, where a frame has to say itself of which codec it is. */
  static get supportedBetweenPeers(): boolean {
    return canCompute() && scriptTransform() !== null;
  }

  constructor(observer: { worn(who: string): void }) {
    this.#observer = observer;
    this.rtcConfiguration = scriptTransform() ? {} : ({ encodedInsertableStreams: true } as Partial<RTCConfiguration>);
    this.#url = URL.createObjectURL(new Blob([__CLOISTER_FRAME_WORKER__], { type: 'text/javascript' }));
    this.#worker = new Worker(this.#url, { name: 'Cloister frames' });
    this.ready = new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data }: MessageEvent<PipeNews>) =>
        data.type === 'ready' ? resolve() : this.#heard(data);
      this.#worker.onerror = ({ message }) => {
        log.error(`The worker that encrypts frames failed: ${message || 'it could not be started'}`);
        reject(
          new OtError(
            'OT_UNSUPPORTED_BROWSER',
            'The worker that encrypts frames could not be started; the policy of the page must allow worker-src blob:',
          ),
        );
      };
    });
    this.ready.catch(() => undefined);
  }

  sealWith(who: string, keyId: number, baseKey: Bytes): void {
    this.#order({ type: 'sealWith', who, keyId, baseKey });
  }

  openWith(who: string, keyId: number, baseKey: Bytes): void {
    this.#order({ type: 'openWith', who, keyId, baseKey });
  }

  stopKeys(who: string, keyIds: readonly number[]): void {
    this.#order({ type: 'stopKeys', who, keyIds });
  }

  forget(who: string): void {
    this.#order({ type: 'forget', who });
  }

  /** Frames of somebody go through as they are, until `hold`: it cannot seal, and that is allowed. Never where a session is end-to-end encrypted. */
  clear(who: string): void {
    this.#order({ type: 'clear', who });
  }

  /** Nothing of somebody goes through that is not sealed, as at the beginning. */
  hold(who: string): void {
    this.#order({ type: 'hold', who });
  }

  /**
   * Seals what a sender sends. Called before it sends anything.
   * @param mimeType null where it is not known yet: each frame says it, in browsers that are `supportedBetweenPeers`
   * @throws OtError `OT_UNSUPPORTED_BROWSER` for a codec whose frames cannot be sealed
   */
  seal(sender: RTCRtpSender, who: string, mimeType: string | null): void {
    this.#attach(sender, { side: 'seal', who, codec: codecOf(mimeType) });
  }

  /**
   * Opens what a receiver receives. Called before it receives anything.
   * @param opens is told when its frames open, and when they do not any more, until that is stopped
   * @returns how to stop being told
   * @throws OtError `OT_UNSUPPORTED_BROWSER` for a codec whose frames cannot be sealed
   */
  open(receiver: RTCRtpReceiver, who: string, mimeType: string | null, opens?: (opens: boolean) => void): () => void {
    // Of a codec whose frames cannot be sealed nothing opens.
    const codec = frameCodecs[mimeType?.toLowerCase() ?? ''] ?? null;
    const id = this.#attach(receiver, { side: 'open', who, codec });
    if (opens) this.#opens.set(id, opens);
    return () => this.#opens.delete(id);
  }

  close(): void {
    this.#worker.terminate();
    URL.revokeObjectURL(this.#url);
    this.#opens.clear();
  }

  #attach(end: RTCRtpSender | RTCRtpReceiver, piece: Omit<Piece, 'id'>): number {
    this.#pieces += 1;
    const whole = { ...piece, id: this.#pieces };
    const Transform = scriptTransform();
    if (Transform) {
      (end as { transform?: RTCRtpTransform }).transform = new Transform(this.#worker, whole);
      return whole.id;
    }
    const { readable, writable } = (end as EncodedStreams as Required<EncodedStreams>).createEncodedStreams();
    this.#order({ type: 'attach', readable, writable, ...whole }, [readable, writable]);
    return whole.id;
  }

  #order(order: PipeOrder, transfer: Transferable[] = []): void {
    this.#worker.postMessage(order, transfer);
  }

  #heard(news: Exclude<PipeNews, { type: 'ready' }>): void {
    if (news.type === 'opens') this.#opens.get(news.id)?.(news.opens);
    else this.#observer.worn(news.who);
  }
}

function codecOf(mimeType: string | null): FrameCodec | null {
  if (mimeType === null) return null;
  const codec = frameCodecs[mimeType.toLowerCase()];
  if (!codec) throw new OtError('OT_UNSUPPORTED_BROWSER', `Frames of ${mimeType} cannot be encrypted`);
  return codec;
}
