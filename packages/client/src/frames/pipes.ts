/**
 * The way of encoded frames through their keys, between an encoder and the packets or between the packets and a decoder. It runs
 * in the worker; what does not seal or open goes no further. Senders and openers are told apart by whom they are for.
 */
import { limits } from '@cloister/protocol/limits';
import { type FrameCodec, frameCodecs } from './layout.ts';
import { FrameDropped, FrameOpener, FrameSealer } from './seal-frames.ts';
import { type Bytes, FrameKey } from './sframe.ts';

/** What the page tells the worker. `who` is whose frames a key seals or opens. */
export type PipeOrder =
  | { readonly type: 'sealWith'; readonly who: string; readonly keyId: number; readonly baseKey: Bytes }
  | { readonly type: 'openWith'; readonly who: string; readonly keyId: number; readonly baseKey: Bytes }
  /** Frames of these keys do not open, until a key is given again. */
  | { readonly type: 'stopKeys'; readonly who: string; readonly keyIds: readonly number[] }
  /** Frames go through as they are, since the other end cannot seal; or nothing goes through until there are keys, as at the beginning. */
  | { readonly type: 'clear' | 'hold'; readonly who: string }
  /** All of somebody's keys. */
  | { readonly type: 'forget'; readonly who: string }
  /** One track's frames, where the browser has `createEncodedStreams` only. */
  | ({ readonly type: 'attach'; readonly readable: ReadableStream; readonly writable: WritableStream } & Piece);

/** One track on its way out (`seal`) or in (`open`). */
export interface Piece {
  readonly id: number;
  readonly side: 'seal' | 'open';
  readonly who: string;
  /** null: what each frame says of itself. */
  readonly codec: FrameCodec | null;
}

/** What the worker tells the page. */
export type PipeNews =
  /** It runs. */
  | { readonly type: 'ready' }
  /** Whether the frames of a track on its way in open; told when it changes. */
  | { readonly type: 'opens'; readonly id: number; readonly opens: boolean }
  /** The key that seals is used up soon; another is needed. */
  | { readonly type: 'worn'; readonly who: string };

/** An `RTCEncodedAudioFrame` or `RTCEncodedVideoFrame` (WebRTC Encoded Transform, 4.1 and 4.2), as far as it matters here. */
export interface EncodedFrame {
  data: ArrayBuffer;
  getMetadata(): { readonly synchronizationSource?: number; readonly mimeType?: string };
}

/** Where frames come from and go to, and how a sender is asked for a key frame. */
export interface PipeEnds {
  readonly readable: ReadableStream;
  readonly writable: WritableStream;
  sendKeyFrameRequest?(): Promise<unknown>;
}

/** Half of its frames are left to a key that is worn. */
const wornAt = Math.floor(limits.framesPerKey / 2);

export class Pipes {
  readonly #sealers = new Map<string, FrameSealer>();
  readonly #openers = new Map<string, FrameOpener>();
  readonly #worn = new Set<string>();
  readonly #clear = new Set<string>();
  /** By whose frames they open: how each forgets what became of the frames before. */
  readonly #openings = new Map<string, Set<() => void>>();
  readonly #tell: (news: PipeNews) => void;
  /** Keys are put in place in the order in which they were told. */
  #orders: Promise<void> = Promise.resolve();

  constructor(tell: (news: PipeNews) => void) {
    this.#tell = tell;
  }

  /** Carries out an order. Rejects with a RangeError for a key that was given before; the orders after it are carried out. */
  take(order: PipeOrder): Promise<void> {
    if (order.type === 'attach') {
      void this.run(order, order);
      return Promise.resolve();
    }
    const done = this.#orders.then(() => this.#carryOut(order));
    this.#orders = done.catch(() => undefined);
    return done;
  }

  /** Lets the frames of a track through, until they end. */
  async run({ id, side, who, codec }: Piece, ends: PipeEnds): Promise<void> {
    const through =
      side === 'seal' ? { transformer: this.#sealing(who, codec), again: null } : this.#opening(id, who, codec, ends);
    if (through.again) this.#openings.set(who, (this.#openings.get(who) ?? new Set()).add(through.again));
    // The browser ends the streams with the track; what that breaks off is nobody's fault.
    await ends.readable
      .pipeThrough(new TransformStream(through.transformer))
      .pipeTo(ends.writable)
      .catch(() => undefined);
    if (through.again) this.#openings.get(who)?.delete(through.again);
  }

  async #carryOut(order: Exclude<PipeOrder, { type: 'attach' }>): Promise<void> {
    const { who } = order;
    if (order.type === 'sealWith') {
      const key = await FrameKey.derive(order.baseKey, BigInt(order.keyId));
      this.#worn.delete(who);
      this.#sealer(who).use(key);
    } else if (order.type === 'openWith') {
      this.#opener(who).add(await FrameKey.derive(order.baseKey, BigInt(order.keyId)));
      // What failed before may have failed for want of it.
      for (const again of this.#openings.get(who) ?? []) again();
    } else if (order.type === 'stopKeys') {
      for (const keyId of order.keyIds) this.#opener(who).stop(BigInt(keyId));
    } else if (order.type === 'clear') {
      this.#clear.add(who);
    } else {
      // Whatever was agreed on before, nothing is now.
      this.#clear.delete(who);
      this.#worn.delete(who);
      this.#sealers.delete(who);
      this.#openers.delete(who);
    }
  }

  #sealing(who: string, codec: FrameCodec | null): Transformer<EncodedFrame, EncodedFrame> {
    return {
      transform: async (frame, controller) => {
        if (this.#clear.has(who)) return controller.enqueue(frame);
        const sealer = this.#sealer(who);
        try {
          frame.data = (await sealer.seal(codecOf(frame, codec), new Uint8Array(frame.data))).buffer;
        } catch (error) {
          if (error instanceof FrameDropped) return;
          throw error;
        }
        controller.enqueue(frame);
        if (sealer.left > wornAt || this.#worn.has(who)) return;
        this.#worn.add(who);
        this.#tell({ type: 'worn', who });
      },
    };
  }

  #opening(id: number, who: string, codec: FrameCodec | null, ends: PipeEnds) {
    let opens: boolean | null = null;
    let failed = 0;
    let missed = false;
    const now = (state: boolean) => {
      if (opens === state) return;
      opens = state;
      this.#tell({ type: 'opens', id, opens });
    };
    const transformer: Transformer<EncodedFrame, EncodedFrame> = {
      transform: async (frame, controller) => {
        if (this.#clear.has(who)) return controller.enqueue(frame);
        const ssrc = frame.getMetadata().synchronizationSource ?? 0;
        try {
          frame.data = (await this.#opener(who).open(codecOf(frame, codec), ssrc, new Uint8Array(frame.data))).buffer;
        } catch (error) {
          if (!(error instanceof FrameDropped)) throw error;
          missed = true;
          // A repetition says nothing of the key.
          if (error.fault !== 'replayed') failed += 1;
          if (failed >= limits.framesFailedInARow) now(false);
          return;
        }
        controller.enqueue(frame);
        // What was dropped is missing to the decoder, which would wait a while before it asks itself.
        if (missed && codec !== 'opus') void ends.sendKeyFrameRequest?.().catch(() => undefined);
        failed = 0;
        missed = false;
        now(true);
      },
    };
    const again = () => {
      opens = null;
      failed = 0;
    };
    return { transformer, again };
  }

  #sealer(who: string): FrameSealer {
    const known = this.#sealers.get(who) ?? new FrameSealer();
    this.#sealers.set(who, known);
    return known;
  }

  #opener(who: string): FrameOpener {
    const known = this.#openers.get(who) ?? new FrameOpener();
    this.#openers.set(who, known);
    return known;
  }
}

/** @throws FrameDropped `broken` for a frame that does not say of which codec it is, or of one whose frames cannot be sealed */
function codecOf(frame: EncodedFrame, known: FrameCodec | null): FrameCodec {
  const codec = known ?? frameCodecs[frame.getMetadata().mimeType?.toLowerCase() ?? ''];
  if (!codec) throw new FrameDropped('broken', 'a frame is of a codec whose frames cannot be sealed');
  return codec;
}
