/** A recorder that records nothing and notes what it was asked: the rules of archives are tested with it. */
import { createHash } from 'node:crypto';
import { PlatformError } from '@cloister/protocol';
import type {
  RecordedStream,
  RecordingObserver,
  RecordingOrder,
  RecordingResult,
  Recordings,
} from '../../packages/server/src/core/index.ts';

/** One recording of the double. */
export interface DoubleRecording {
  readonly order: RecordingOrder;
  readonly observer: RecordingObserver;
  /** What it was asked, in order. */
  readonly asked: string[];
  /** Streams that are in it now, as they were last described. */
  readonly streams: Map<string, RecordedStream>;
}

export class RecordingsDouble implements Recordings {
  /** By the id of the archive, in the order of their start. */
  readonly all = new Map<string, DoubleRecording>();
  readonly files = new Map<string, Uint8Array>();
  /** Recordings that had come to their own end when their server was killed. */
  readonly whole = new Map<string, RecordingResult>();
  readonly removed: string[] = [];
  /** What the next recorders are shut in with. */
  sandbox: 'bubblewrap' | 'none' = 'bubblewrap';
  /** Whether a recording that is stopped has its file at once. */
  endsAtOnce = true;
  /** Happens while a recorder starts; what it throws refuses the start. */
  whileStarting: (order: RecordingOrder, observer: RecordingObserver) => void | Promise<void> = () => {};

  /** Happens while a stream is added; what it throws is what its tap is refused with. */
  whileAdding: (stream: RecordedStream) => void | Promise<void> = () => {};
  /** Happens before a file is removed; what it throws keeps it. */
  whileRemoving: (archiveId: string) => void | Promise<void> = () => {};
  /** Happens while what a killed run left is read. */
  whileRecovering: (archiveId: string) => void | Promise<void> = () => {};

  /** The last one that was started. */
  get last(): DoubleRecording {
    return [...this.all.values()].at(-1)!;
  }

  checkStylesheet() {}

  async start(order: RecordingOrder, observer: RecordingObserver) {
    const recording: DoubleRecording = { order, observer, asked: [], streams: new Map() };
    this.all.set(order.archiveId, recording);
    await this.whileStarting(order, observer);
    const { asked, streams } = recording;
    return {
      sandbox: this.sandbox,
      add: async (stream: RecordedStream) => {
        asked.push('add');
        const adding = this.whileAdding(stream);
        if (adding) await adding;
        streams.set(stream.streamId, stream);
      },
      change(stream: RecordedStream) {
        asked.push('change');
        streams.set(stream.streamId, stream);
      },
      remove(streamId: string) {
        asked.push('remove');
        streams.delete(streamId);
      },
      layout: ({ type }: { type: string }) => void asked.push(`layout ${type}`),
      stop: () => {
        asked.push('stop');
        if (this.endsAtOnce) observer.ended(this.file(order.archiveId));
      },
    };
  }

  /** Makes a file for an archive and says what is in it. */
  file(archiveId: string, bytes: Uint8Array = Buffer.from(`archive ${archiveId}`)): RecordingResult {
    this.files.set(archiveId, bytes);
    const password = this.all.get(archiveId)?.order.certificate ? 'd3JhcHBlZA==' : '';
    const sha256 = createHash('sha256').update(bytes).digest('base64');
    return { sizeBytes: bytes.length, durationMs: 66_400, sha256, password };
  }

  async recover(archiveId: string) {
    await this.whileRecovering(archiveId);
    const ended = this.whole.get(archiveId);
    if (ended) return { ...ended, whole: true };
    return this.all.has(archiveId) ? { ...this.file(archiveId, Buffer.from('cut')), whole: false } : null;
  }

  async open(archiveId: string, range?: { start: number; end: number }) {
    const bytes = this.files.get(archiveId);
    if (!bytes) throw new PlatformError('ArchiveNotFound', { archiveId });
    const part = range ? bytes.subarray(range.start, range.end + 1) : bytes;
    async function* stream() {
      yield part;
    }
    return { stream: stream(), sizeBytes: bytes.length };
  }

  async settled(archiveId: string) {
    return this.files.get(archiveId)?.length ?? 0;
  }

  async stored() {
    return [...this.files.keys()];
  }

  async remove(archiveId: string) {
    await this.whileRemoving(archiveId);
    this.removed.push(archiveId);
    this.files.delete(archiveId);
  }
}
