/** What tests of recordings need of the rest: orders, streams, keys, somebody who listens, and a tap that plays a publisher. */
import type {
  RecordedStream,
  RecordingObserver,
  RecordingOrder,
  RecordingResult,
  Recordings,
  StreamTap,
  TapSink,
} from '../core/index.ts';
import { systemClock } from '../lib/index.ts';
import {
  audioPayloadType,
  type Publishing,
  publish,
  reports,
  type Sent,
  videoPayloadType,
} from './record/recorder-fixtures.ts';
import { SandboxTrial } from './record/sandbox.ts';
import { openRecordings } from './recordings.ts';

/** Text under a key of the test, as the project's data key would have it: nothing of it is in what it gives. */
export const sealed = new Map<string, string>();
export const keys = {
  seal: (_project: string | null, context: string, clear: string) => {
    const id = `${context} ${sealed.size}`;
    sealed.set(id, clear);
    return { id } as never;
  },
  open: (_project: string | null, _context: string, value: unknown) =>
    sealed.get((value as { id: string }).id) as string,
};

/** Recordings in a folder of the test. Whatever is kept there, another one opens: nothing is held in memory but the keys. */
export function recordingsIn(dataDir: string, sandbox = new SandboxTrial('require', { record() {} })) {
  return openRecordings({
    sandbox,
    dataDir,
    clock: systemClock,
    monotonic: () => performance.now(),
    keys,
    journal: { record() {} },
  });
}

export const order = (archiveId: string, more: Partial<RecordingOrder> = {}): RecordingOrder => ({
  archiveId,
  projectId: '1',
  sessionId: 'session',
  name: 'the name of a visit',
  outputMode: 'composed',
  hasAudio: true,
  hasVideo: true,
  width: 640,
  height: 480,
  maxBitrateBps: null,
  quantizationParameter: null,
  layout: { type: 'bestFit' },
  certificate: null,
  recipients: [],
  ...more,
});

/** What a download gives, and the size of the whole. */
export async function readFrom(
  recordings: Pick<Recordings, 'open'>,
  archiveId: string,
  range?: { start: number; end: number },
): Promise<{ bytes: Buffer; size: number }> {
  const { stream: bytes, sizeBytes } = await recordings.open(archiveId, range);
  const parts: Uint8Array[] = [];
  for await (const part of bytes) parts.push(part);
  return { bytes: Buffer.concat(parts), size: sizeBytes };
}

export const stream: RecordedStream = {
  streamId: 'camera',
  connectionId: 'connection',
  connectionData: 'name=somebody',
  name: '',
  videoType: 'camera',
  layoutClasses: [],
  addedAt: 1,
  hasAudio: true,
  hasVideo: true,
  takesAudio: true,
  takesVideo: true,
};

export interface Watched extends RecordingObserver {
  readonly over: Promise<{ result: RecordingResult | null; why: string | null }>;
  readonly begun: Promise<void>;
}

export function watch(): Watched {
  const over = Promise.withResolvers<{ result: RecordingResult | null; why: string | null }>();
  const begun = Promise.withResolvers<void>();
  return {
    over: over.promise,
    begun: begun.promise,
    began: () => begun.resolve(),
    dropped: () => {},
    ended: (result) => over.resolve({ result, why: null }),
    failed: (why, result) => over.resolve({ result, why }),
  };
}

const usual: Publishing = { width: 320, height: 240, frameRate: 15, colour: () => [81, 90, 240], tone: () => 700 };

/** A tap that plays a published second and a half in its own time, and says when it has. */
export class FixtureTap implements StreamTap {
  readonly streamId: string;
  readonly played = Promise.withResolvers<void>();
  closed = false;
  /** What it was told last of the size at which it is shown. */
  shown: { readonly width: number; readonly height: number } | null | undefined;
  readonly #sent: readonly Sent[];

  constructor(streamId = 'camera', publishing: Publishing = usual, ms = 1500) {
    this.streamId = streamId;
    this.#sent = publish(publishing, ms);
  }

  async start(sink: TapSink): Promise<void> {
    const track = { ssrc: 1, fmtp: {}, headerExtensions: [] };
    sink.track('video', {
      ...track,
      mimeType: 'video/VP8',
      payloadType: videoPayloadType,
      clockRate: 90_000,
      channels: null,
    });
    sink.track('audio', {
      ...track,
      mimeType: 'audio/opus',
      payloadType: audioPayloadType,
      clockRate: 48_000,
      channels: 2,
    });
    for (const kind of ['audio', 'video'] as const) {
      sink.senderReport(kind, { ntpMs: reports.ntpMs, rtpTimestamp: reports[kind] });
    }
    const beganAt = performance.now();
    const step = (index: number): void => {
      const next = this.#sent[index];
      if (!next || this.closed) this.played.resolve();
      else if (performance.now() - beganAt < next.at) setTimeout(step, 5, index);
      else {
        sink.packet(next.kind, next.packet);
        step(index + 1);
      }
    };
    step(0);
  }
  show(size: { readonly width: number; readonly height: number } | null): void {
    this.shown = size;
  }
  requestKeyFrame(): void {}
  close(): void {
    this.closed = true;
  }
}
