/**
 * Recordings of this node: each with a recorder of its own, fed by taps of its session's streams, its cipher text in a folder
 * of its own. A fault in one ends that one.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { PlatformError } from '@cloister/protocol';
import {
  isArchiveId,
  type Journal,
  type Keys,
  type Recording,
  type RecordingObserver,
  type RecordingOrder,
  type RecordingResult,
  type Recordings,
} from '../core/index.ts';
import type { Clock } from '../lib/index.ts';
import {
  type About,
  ArchiveFile,
  openStored,
  readAbout,
  recover,
  removeStored,
  storedIn,
  writeEnd,
} from './archive-file.ts';
import { type KeptIndividual, openIndividual, readBytes, settleIndividual } from './individual-archive.ts';
import { IndividualFiles } from './individual-files.ts';
import { type Facts, type Keeping, keepComposed, keepIndividual } from './keeping.ts';
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

/** The folder of an archive. @throws PlatformError `ArchiveNotFound` for what is no id */
export function archiveFolder(dataDir: string, archiveId: string): string {
  if (!isArchiveId(archiveId)) throw new PlatformError('ArchiveNotFound', { archiveId });
  return path.join(archivesFolder(dataDir), archiveId);
}

const archivesFolder = (dataDir: string) => path.join(dataDir, 'archives');

export function openRecordings(deps: RecordingsDeps): Recordings {
  const folderOf = (archiveId: string) => archiveFolder(deps.dataDir, archiveId);
  /** What is being recorded. */
  const growing = new Map<string, Keeping>();

  const recordings: Recordings = {
    checkStylesheet: (stylesheet) => void parseStylesheet(stylesheet),

    async start(order: RecordingOrder, observer: RecordingObserver): Promise<Recording> {
      if (order.outputMode === 'individual' && (order.certificate !== null || order.recipients.length > 0)) {
        throw new PlatformError('CertificateNeedsComposed');
      }
      const sandbox = await sandboxOf(process.execPath);
      const seal = await sealOf(deps.keys, order);
      const measure = async () => measured(await recordings.open(order.archiveId));
      const folder = folderOf(order.archiveId);
      const about = aboutOf(order, seal);
      const keeping = await keepingOf(deps, { order, about, folder, measure });
      const noteEnd = (result: RecordingResult) => writeEnd(folder, about, result);
      growing.set(order.archiveId, keeping);
      const telling = tellingEnd(observer, () => growing.delete(order.archiveId));
      return new LiveRecording({ order, seal, keeping, sandbox, observer: telling, noteEnd, ...deps });
    },

    async recover(archiveId) {
      const folder = folderOf(archiveId);
      const about = await readAbout(folder);
      const digest = () => intact(async () => digested(await recordings.open(archiveId)));
      if (about?.ended && isSame(about.ended, await digest())) return { ...about.ended, whole: true };
      const found =
        about?.format === 'individual'
          ? await settleIndividual(individualIn(deps.keys, folder, archiveId, about.projectId))
          : await recover(folder);
      // A download gives what is stored: that was measured when it was brought to its end.
      if (found && 'sha256' in found && about?.format !== 'cloister') return { ...found, whole: false };
      const clear = found && (await digest());
      return clear && clear.sizeBytes > 0 ? { ...found, ...clear, whole: false } : null;
    },

    async open(archiveId, range) {
      const folder = folderOf(archiveId);
      const about = await readAbout(folder);
      if (!about) throw new PlatformError('ArchiveNotFound', { archiveId });
      if (about.format === 'individual') {
        return openIndividual(individualIn(deps.keys, folder, archiveId, about.projectId), range);
      }
      const { handle, sizeBytes } = await openStored(folder);
      if (about.format !== 'cloister') {
        const stream = handle.createReadStream(range && { start: range.start, end: range.end });
        return { stream, sizeBytes };
      }
      try {
        return await openWithKey(handle, unwrapOf(deps.keys, archiveId, about.projectId), range);
      } catch (error) {
        await handle.close();
        throw error;
      }
    },

    settled: async (archiveId) =>
      growing.get(archiveId)?.settled ?? (await wholeBytes(recordings.open(archiveId, { start: 0, end: 0 }))),

    stored: async () => (await storedIn(archivesFolder(deps.dataDir))).filter(isArchiveId),

    remove: (archiveId) => removeStored(folderOf(archiveId)),
  };
  return recordings;
}

type Opened = Awaited<ReturnType<Recordings['open']>>;

/** Size and digest of what a download gives. */
async function digested({ stream, sizeBytes }: Opened): Promise<Facts> {
  const hash = createHash('sha256');
  for await (const part of stream) hash.update(part);
  return { sizeBytes, sha256: hash.digest('base64') };
}

/** The same; null where nothing is in it, as in what was cut before its first chunk ended. */
async function measured(opened: Opened): Promise<Facts | null> {
  const facts = await digested(opened);
  return facts.sizeBytes === 0 ? null : facts;
}

/** What is read of a file; null where it is not as it was sealed, or has not even a head. */
async function intact<Result>(read: () => Promise<Result>): Promise<Result | null> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof PlatformError && (error.code === 'ArchiveCut' || error.code === 'ArchiveChanged')) return null;
    throw error;
  }
}

function isSame(one: Facts, other: Facts | null): boolean {
  return one.sizeBytes === other?.sizeBytes && one.sha256 === other.sha256;
}

/** The same observer; the end is told to another one first. */
function tellingEnd(observer: RecordingObserver, over: () => void): RecordingObserver {
  return {
    began: (at) => observer.began(at),
    ended: (result) => {
      over();
      observer.ended(result);
    },
    failed: (why, kept) => {
      over();
      observer.failed(why, kept);
    },
  };
}

/** What there is of a file, of one in our own format in whole chunks, which never change. */
async function wholeBytes(opened: ReturnType<Recordings['open']>): Promise<number> {
  try {
    const { stream, sizeBytes } = await opened;
    for await (const part of stream) part.fill(0);
    return sizeBytes;
  } catch (error) {
    if (error instanceof PlatformError && error.code === 'ArchiveCut') return 0; // Its header is not there yet.
    throw error;
  }
}

type DataKeys = RecordingsDeps['keys'];

const contextOf = (archiveId: string) => `archive ${archiveId} content key`;

/** How an archive is sealed: to its certificate, or under a new content key that the project's data key seals. */
async function sealOf(keys: DataKeys, order: RecordingOrder): Promise<Seal> {
  const { projectId, archiveId, certificate, recipients } = order;
  if (recipients.length > 0) return { format: 'recipients', certificates: recipients };
  if (certificate !== null) return { format: 'opentok', certificate };
  const contentKey = randomBytes(contentKeyBytes);
  const wrap = toPlatform((clear) => JSON.stringify(keys.seal(projectId, contextOf(archiveId), clear)));
  const header = await wrap(contentKey);
  return { format: 'cloister', contentKey: contentKey.toString('base64'), header };
}

function unwrapOf(keys: DataKeys, archiveId: string, projectId: string): UnwrapKey {
  return byPlatform((sealed) => keys.open(projectId, contextOf(archiveId), JSON.parse(sealed)));
}

/** An individual archive, and what opens it. */
function individualIn(keys: DataKeys, folder: string, archiveId: string, projectId: string): KeptIndividual {
  const context = `archive ${archiveId} index`;
  const seal = (clear: string) => JSON.stringify(keys.seal(projectId, context, clear));
  const open = (sealed: string) => keys.open(projectId, context, JSON.parse(sealed));
  return { folder, index: { seal, open }, unwrap: unwrapOf(keys, archiveId, projectId) };
}

function aboutOf({ projectId, outputMode }: RecordingOrder, { format }: Seal): About {
  return { projectId, format: outputMode === 'individual' ? 'individual' : format };
}

interface Kept {
  readonly order: RecordingOrder;
  readonly about: About;
  readonly folder: string;
  /** Reads a download to its end. */
  readonly measure: () => Promise<Facts | null>;
}

async function keepingOf({ keys, clock }: RecordingsDeps, { order, about, folder, measure }: Kept): Promise<Keeping> {
  const { archiveId, projectId, sessionId, name } = order;
  if (order.outputMode === 'individual') {
    const kept = individualIn(keys, folder, archiveId, projectId);
    const index = { archiveId, projectId, sessionId, name, createdAt: clock.now() };
    const files = await IndividualFiles.create(folder, index, kept.index);
    return keepIndividual(files, () => settleIndividual(kept), measure);
  }
  const file = await ArchiveFile.create(folder, about);
  return keepComposed(file, about.format !== 'cloister', measure);
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
