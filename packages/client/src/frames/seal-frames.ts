/** Frames of one sender sealed and opened: keys, counters and replay windows around the format. */
import { limits } from '@cloister/protocol/limits';
import { FrameBroken, type FrameCodec, frameLayouts } from './layout.ts';
import { ReplayWindow } from './replay.ts';
import { type Bytes, decodeHeader, FrameChanged, type FrameKey, HeaderInvalid, joined } from './sframe.ts';

/** Why a frame was dropped. What is dropped is neither sent nor shown. */
export type FrameFault =
  /** There is no key yet, or not the one that the frame names. */
  | 'no key'
  /** It was opened before, or is older than what could be told apart from that. */
  | 'replayed'
  /** It does not authenticate: changed on the way, or sealed with another key. */
  | 'changed'
  /** It is no sealed frame, or no frame of its codec. */
  | 'broken'
  /** The key has sealed as many frames as it may; another one is needed. */
  | 'exhausted';

/** A frame that must not go on. */
export class FrameDropped extends Error {
  override readonly name = 'FrameDropped';
  readonly fault: FrameFault;

  constructor(fault: FrameFault, message: string) {
    super(message);
    this.fault = fault;
  }
}

/** Throws what is known of a frame that could not be read as one that is dropped. */
function dropped(error: unknown): never {
  if (error instanceof FrameChanged) throw new FrameDropped('changed', error.message);
  if (error instanceof FrameBroken || error instanceof HeaderInvalid) throw new FrameDropped('broken', error.message);
  throw error;
}

/** What is authenticated beside a frame: its codec, so that a frame of sound is never one of pictures, and what of it is readable. */
function authentic(codec: FrameCodec, metadata: Bytes): Bytes {
  return joined(new TextEncoder().encode(codec), metadata);
}

/** Keys that seal already: each counts for one sealer alone. */
const taken = new WeakSet<FrameKey>();

/** Seals what one sender sends: all its tracks and layers count with the one counter of its key. */
export class FrameSealer {
  #key: FrameKey | null = null;
  #next = 0;
  #end = 0;

  /**
   * The key for all frames from now on.
   * @param frames how many it may seal
   * @throws RangeError for a key that any sealer was given before, or whose id is not above that of the key before: counters would
   * repeat; and for a number of frames that is none
   */
  use(key: FrameKey, frames: number = limits.framesPerKey): void {
    if (taken.has(key) || (this.#key && key.keyId <= this.#key.keyId))
      throw new RangeError('a key is given once, under an id of its own: its counters must not begin anew');
    if (!(Number.isSafeInteger(frames) && frames > 0 && frames <= limits.framesPerKey))
      throw new RangeError(`a key seals from 1 to ${limits.framesPerKey} frames, not ${frames}`);
    taken.add(key);
    this.#key = key;
    this.#next = 0;
    this.#end = frames;
  }

  /** Frames that the key may still seal. */
  get left(): number {
    return this.#end - this.#next;
  }

  /** @throws FrameDropped `no key`, `broken` or `exhausted`: then nothing may be sent in the frame's place */
  async seal(codec: FrameCodec, frame: Bytes): Promise<Bytes> {
    const key = this.#key;
    if (!key) throw new FrameDropped('no key', 'a frame was to be sent before there was a key for it');
    if (this.left <= 0)
      throw new FrameDropped('exhausted', `the key has sealed ${this.#next} frames; another one is needed`);
    const layout = frameLayouts[codec];
    try {
      const { metadata, rest } = layout.split(frame);
      const counter = this.#next;
      this.#next += 1;
      return layout.assemble(metadata, await key.seal(BigInt(counter), rest, authentic(codec, metadata)));
    } catch (error) {
      return dropped(error);
    }
  }
}

/** A key and what was opened with it. */
interface OpeningKey {
  readonly key: FrameKey;
  readonly windows: Map<number, ReplayWindow>;
  /** The highest counter of all SSRCs: they share it, so that what is a window behind it is old in each. */
  newest: number;
  stopped: boolean;
}

/** Opens what one sender sent. */
export class FrameOpener {
  readonly #keys = new Map<bigint, OpeningKey>();

  /**
   * A key whose frames are opened from now on; the latest few are kept, for frames that are still under way. One that was stopped
   * goes on as it is.
   * @throws RangeError for an id that there is: what was opened with it would open again
   */
  add(key: FrameKey): void {
    const kept = this.#keys.get(key.keyId);
    if (kept && !kept.stopped) throw new RangeError(`there is a key ${key.keyId}`);
    if (kept) kept.stopped = false;
    else this.#keys.set(key.keyId, { key, windows: new Map(), newest: -1, stopped: false });
    for (const oldest of this.#keys.keys()) {
      if (this.#keys.size <= limits.frameKeysKept) break;
      this.#keys.delete(oldest);
    }
  }

  /** Frames of this key do not open, until it is added again. What it opened stays known. */
  stop(keyId: bigint): void {
    const kept = this.#keys.get(keyId);
    if (kept) kept.stopped = true;
  }

  /**
   * @param ssrc of the packets that brought the frame; each has a replay window
   * @throws FrameDropped `no key`, `replayed`, `changed` or `broken`: then nothing may be shown in the frame's place
   */
  async open(codec: FrameCodec, ssrc: number, sealedFrame: Bytes): Promise<Bytes> {
    const layout = frameLayouts[codec];
    try {
      const { metadata, rest } = layout.take(sealedFrame);
      const header = decodeHeader(rest);
      const kept = this.#keys.get(header.keyId);
      if (!kept || kept.stopped) throw new FrameDropped('no key', `there is no key ${header.keyId} for a frame`);
      if (header.counter >= limits.framesPerKey)
        throw new FrameDropped('broken', `${header.counter} is no counter of a key`);
      const counter = Number(header.counter);
      refuseAgain(kept, ssrc, counter);
      const opened = await kept.key.open(header, rest, authentic(codec, metadata));
      // While it was opened the same frame may have been.
      refuseAgain(kept, ssrc, counter);
      const frame = layout.restore(metadata, opened);
      keep(kept, ssrc, counter);
      return frame;
    } catch (error) {
      return dropped(error);
    }
  }
}

/** The least counter that may still be opened, of whichever SSRC. */
const floorOf = ({ newest }: OpeningKey) => newest - limits.frameReplayWindow + 1;

function refuseAgain(kept: OpeningKey, ssrc: number, counter: number): void {
  const window = kept.windows.get(ssrc);
  if (counter < floorOf(kept) || (window && !window.allows(counter)))
    throw new FrameDropped('replayed', `frame ${counter} of ${ssrc} was opened before, or is too old`);
}

/** Notes that a frame was opened. Windows are of SSRCs that sent something authentic lately: whoever forges others fills no memory. */
function keep(kept: OpeningKey, ssrc: number, counter: number): void {
  kept.newest = Math.max(kept.newest, counter);
  let window = kept.windows.get(ssrc);
  if (!window) {
    for (const [old, { highest }] of kept.windows) if (highest < floorOf(kept)) kept.windows.delete(old);
    if (kept.windows.size >= limits.frameReplaySsrcs)
      throw new FrameDropped('replayed', `more than ${limits.frameReplaySsrcs} SSRCs use one key at a time`);
    window = new ReplayWindow();
    kept.windows.set(ssrc, window);
  }
  window.opened(counter);
}
