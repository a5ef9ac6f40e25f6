/** A way into a bucket whose end the test decides: the rules of uploads are tested with it. */
import type { PlatformError } from '@cloister/protocol';
import type {
  RecordingResult,
  ResumedUpload,
  UploadEnd,
  UploadOrder,
  Uploads,
} from '../../packages/server/src/core/index.ts';

/** Uploads that the test ends. */
export class UploadsDouble implements Uploads {
  readonly orders: UploadOrder[] = [];
  readonly results: RecordingResult[] = [];
  readonly abandoned: string[] = [];
  stopped = 0;
  room: PlatformError | null = null;
  end: () => Promise<UploadEnd> = async () => 'uploaded';
  /** Happens while an upload is given up; what it throws is what the disk says. */
  whileAbandoning: (id: string) => void = () => {};
  readonly #left = new Map<string, () => void>();
  resumed: ResumedUpload | null = null;

  requireRoom() {
    if (this.room) throw this.room;
  }
  async begin(order: UploadOrder) {
    this.orders.push(order);
  }
  async finish(id: string, result: RecordingResult) {
    this.results.push(result);
    const { promise: left, resolve } = Promise.withResolvers<UploadEnd>();
    this.#left.set(id, () => resolve('left'));
    return Promise.race([this.end(), left]);
  }
  async resume(_id: string, whole?: RecordingResult) {
    if (whole) this.results.push(whole);
    return this.resumed;
  }
  async abandon(id: string) {
    this.whileAbandoning(id);
    this.abandoned.push(id);
    this.#left.get(id)?.();
  }
  stop() {
    this.stopped += 1;
  }
}
