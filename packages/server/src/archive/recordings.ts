/**
 * Recordings of this node: each with a recorder of its own, fed by taps of its session's streams, its cipher text in a folder
 * of its own. A fault in one ends that one.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { PlatformError } from '@cloister/protocol';
import type { Journal, Keys, Recording, RecordingObserver, RecordingOrder, Recordings } from '../core/index.ts';
import type { Clock } from '../lib/index.ts';
import { ArchiveFile, openStored, readAbout, recover, removeStored } from './archive-file.ts';
import { LiveRecording } from './live-recording.ts';
import type { Seal } from './messages.ts';
import { byPlatform, toPlatform, type UnwrapKey } from './recipients.ts';
import { sandboxOf } from './sandbox.ts';
import { contentKeyBytes } from './sealed-chunks.ts';
import { openSealedRanges } from './sealed-ranges.ts';
import { parseStylesheet } from './stylesheet.ts';

export interface RecordingsDeps {
  readonly dataDir: string;
  readonly clock: Clock;
  /** Milliseconds of a clock that nobody sets. */
  readonly monotonic: () => number;
  readonly keys: Pick<Keys, 'seal' | 'open'>;
  readonly journal: Journal;
}

const idPattern = /^[0-9a-f-]{36}$/;
const readBytes = 256 * 1024;

export function openRecordings(deps: RecordingsDeps): Recordings {
  const root = path.join(deps.dataDir, 'archives');
  const folderOf = (archiveId: string) => {
    if (!idPattern.test(archiveId)) throw new PlatformError('ArchiveNotFound', { archiveId });
    return path.join(root, archiveId);
  };
  const contextOf = (archiveId: string) => `archive ${archiveId} content key`;

  const sealOf = async ({ projectId, archiveId, certificate }: RecordingOrder): Promise<Seal> => {
    if (certificate !== null) return { format: 'opentok', certificate };
    const contentKey = randomBytes(contentKeyBytes);
    const wrap = toPlatform((clear) => JSON.stringify(deps.keys.seal(projectId, contextOf(archiveId), clear)));
    const header = await wrap(contentKey);
    return { format: 'cloister', contentKey: contentKey.toString('base64'), header };
  };

  const recordings: Recordings = {
    checkStylesheet: (stylesheet) => void parseStylesheet(stylesheet),

    async start(order: RecordingOrder, observer: RecordingObserver): Promise<Recording> {
      if (order.outputMode === 'individual') {
        throw new PlatformError('NotBuilt', { feature: 'archives with each stream in a file of its own' });
      }
      const sandbox = await sandboxOf(process.execPath);
      const seal = await sealOf(order);
      const file = await ArchiveFile.create(folderOf(order.archiveId), {
        projectId: order.projectId,
        format: seal.format,
      });
      return new LiveRecording({
        order,
        seal,
        file,
        sandbox,
        observer,
        measure: async () => measured(await recordings.open(order.archiveId)),
        ...deps,
      });
    },

    async recover(archiveId) {
      const found = await recover(folderOf(archiveId));
      const clear = found && (await measured(await recordings.open(archiveId)));
      return clear && { ...found, ...clear };
    },

    async open(archiveId, range) {
      const folder = folderOf(archiveId);
      const about = await readAbout(folder);
      if (!about) throw new PlatformError('ArchiveNotFound', { archiveId });
      const { handle, sizeBytes } = await openStored(folder);
      if (about.format === 'opentok') {
        const stream = handle.createReadStream(range && { start: range.start, end: range.end });
        return { stream, sizeBytes };
      }
      const unwrap = byPlatform((sealed) => deps.keys.open(about.projectId, contextOf(archiveId), JSON.parse(sealed)));
      try {
        return await openWithKey(handle, unwrap, range);
      } catch (error) {
        await handle.close();
        throw error;
      }
    },

    remove: (archiveId) => removeStored(folderOf(archiveId)),
  };
  return recordings;
}

/** Size and digest of what a download gives; null where nothing is in it, as in what was cut before its first chunk ended. */
async function measured({ stream, sizeBytes }: { stream: AsyncIterable<Uint8Array>; sizeBytes: number }) {
  const hash = createHash('sha256');
  for await (const part of stream) hash.update(part);
  return sizeBytes === 0 ? null : { sizeBytes, sha256: hash.digest('base64') };
}

/** The clear bytes of a file in our own format; the handle is closed when they are read to their end, or no longer. */
async function openWithKey(handle: FileHandle, unwrap: UnwrapKey, range?: { start: number; end: number }) {
  const ranges = {
    size: async () => (await handle.stat()).size,
    read: async (offset: number, length: number) => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, offset);
      return buffer.subarray(0, bytesRead);
    },
  };
  const reader = await openSealedRanges(ranges, unwrap);
  const { bytes } = await reader.extent();
  const [start, end] = [range?.start ?? 0, Math.min((range?.end ?? bytes - 1) + 1, bytes)];
  const stream = (async function* () {
    try {
      for (let at = start; at < end; at += readBytes) yield await reader.read(at, Math.min(readBytes, end - at));
    } finally {
      reader.close();
      await handle.close();
    }
  })();
  return { stream, sizeBytes: bytes };
}
