/**
 * Recordings of this node: each with a recorder of its own, fed by taps of its session's streams, its cipher text in a folder
 * of its own. A fault in one ends that one.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
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
  sealedContext,
} from '../core/index.ts';
import { type Clock, giveBack } from '../lib/index.ts';
import { parseStylesheet } from './layout/stylesheet.ts';
import { LiveRecording } from './live-recording.ts';
import { isDiskFull } from './record/failures.ts';
import type { Seal } from './record/messages.ts';
import type { SandboxTrial } from './record/sandbox.ts';
import { byPlatform, toPlatform, type UnwrapKey } from './seal/recipients.ts';
import { contentKeyBytes } from './seal/sealed-chunks.ts';
import { openSealedRanges } from './seal/sealed-ranges.ts';
import {
  type About,
  ArchiveFile,
  openStored,
  ownerOnly,
  readAbout,
  recover,
  removeStored,
  storedIn,
  writeEnd,
} from './store/archive-file.ts';
import { type KeptIndividual, openIndividual, settleIndividual } from './store/individual-archive.ts';
import { IndividualFiles } from './store/individual-files.ts';
import { type Facts, type Keeping, keepComposed, keepIndividual } from './store/keeping.ts';
import { OpenedDigest } from './store/opened-digest.ts';

export interface RecordingsDeps {
  readonly dataDir: string;
  readonly clock: Clock;
  /** Milliseconds of a clock that nobody sets. */
  readonly monotonic: () => number;
  readonly keys: Pick<Keys, 'seal' | 'open'>;
  readonly journal: Journal;
  readonly sandbox: Pick<SandboxTrial, 'forRecorder'>;
}

/** The folder of an archive. @throws PlatformError `ArchiveNotFound` for what is no id */
export function archiveFolder(dataDir: string, archiveId: string): string {
  if (!isArchiveId(archiveId)) throw new PlatformError('ArchiveNotFound', { archiveId });
  return path.join(archivesFolder(dataDir), archiveId);
}

const archivesFolder = (dataDir: string) => path.join(dataDir, 'archives');

/** The folder of a new archive. @throws what the disk says, `EEXIST` where there is one: it is not written over, nor removed */
async function newFolder(folder: string): Promise<void> {
  await mkdir(path.dirname(folder), { recursive: true, mode: ownerOnly.folder });
  await mkdir(folder, { mode: ownerOnly.folder });
}

export function openRecordings(deps: RecordingsDeps): Recordings {
  const folderOf = (archiveId: string) => archiveFolder(deps.dataDir, archiveId);
  /** What is being recorded. */
  const growing = new Map<string, Keeping>();

  const recordings: Recordings = {
    checkStylesheet: (stylesheet) => void parseStylesheet(stylesheet),

    async start(order, observer) {
      if (order.outputMode === 'individual' && order.certificate !== null) {
        throw new PlatformError('CertificateNeedsComposed');
      }
      const measure = async () => measured(await recordings.open(order.archiveId));
      return startRecording(deps, { order, observer, folder: folderOf(order.archiveId), measure, growing });
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
      if (about.format !== 'cloister') return openAsStored(folder, range);
      return openWithKey(folder, unwrapOf(deps.keys, archiveId, about.projectId), range);
    },

    settled: async (archiveId) =>
      growing.get(archiveId)?.settled ?? (await wholeBytes(recordings.open(archiveId, { start: 0, end: 0 }))),

    stored: async () => (await storedIn(archivesFolder(deps.dataDir))).filter(isArchiveId),

    remove: (archiveId) => removeStored(folderOf(archiveId)),
  };
  return recordings;
}

interface Start extends Pick<Kept, 'order' | 'folder' | 'measure'> {
  readonly observer: RecordingObserver;
  readonly growing: Map<string, Keeping>;
}

/** @throws what a disk, a key or the sandbox says; then nothing is left of it */
async function startRecording(
  deps: RecordingsDeps,
  { order, observer, folder, measure, growing }: Start,
): Promise<Recording> {
  const { archiveId } = order;
  const sandbox = await deps.sandbox.forRecorder();
  const seal = await sealOf(deps.keys, order);
  const about = aboutOf(order, seal);
  let keeping: Keeping | null = null;
  let made = false;
  try {
    await newFolder(folder);
    made = true;
    keeping = await keepingOf(deps, { order, about, folder, measure });
    growing.set(archiveId, keeping);
    const telling = tellingEnd(observer, () => growing.delete(archiveId));
    const noteEnd = (result: RecordingResult) => writeEnd(folder, about, result);
    return new LiveRecording({ ...deps, order, seal, keeping, sandbox, observer: telling, noteEnd });
  } catch (error) {
    growing.delete(archiveId);
    await keeping?.abandon().catch(() => {});
    if (made) await removeStored(folder);
    throw isDiskFull(error) ? new PlatformError('StorageFull', {}, { cause: error }) : error;
  }
}

type Opened = Pick<Awaited<ReturnType<Recordings['open']>>, 'stream' | 'sizeBytes'>;

/** Size and digest of what a download gives. */
async function digested({ stream, sizeBytes }: Opened): Promise<Facts> {
  const hash = createHash('sha256');
  for await (const part of stream) {
    hash.update(part);
    giveBack(part);
  }
  return { sizeBytes, sha256: hash.digest('base64') };
}

/** The same; null where nothing is in it, as in what was cut before its first chunk ended. */
export async function measured(opened: Opened): Promise<Facts | null> {
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
    dropped: (packets) => observer.dropped(packets),
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
  const context = sealedContext.archiveIndex(archiveId);
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

async function keepingOf(
  { keys, clock, monotonic }: RecordingsDeps,
  { order, about, folder, measure }: Kept,
): Promise<Keeping> {
  const { archiveId, projectId, sessionId, name, recipients: certificates } = order;
  if (order.outputMode === 'individual') {
    const kept = individualIn(keys, folder, archiveId, projectId);
    const index = { archiveId, projectId, sessionId, name, createdAt: clock.now(), certificates };
    const files = await IndividualFiles.create(folder, index, kept.index, monotonic);
    return keepIndividual(files, () => settleIndividual(kept), measure);
  }
  const file = await ArchiveFile.create(folder, about, monotonic);
  const opened = about.format === 'cloister' ? new OpenedDigest(unwrapOf(keys, archiveId, projectId)) : null;
  return keepComposed(file, opened, measure);
}

/** What is stored. Nothing is open before its first byte is asked for, nor when that never happens. */
async function openAsStored(folder: string, range?: { start: number; end: number }) {
  const { handle: first, sizeBytes } = await openStored(folder);
  await first.close();
  const stream = (async function* () {
    const { handle } = await openStored(folder);
    try {
      yield* handle.createReadStream({ ...range, autoClose: false }) as AsyncIterable<Uint8Array>;
    } finally {
      await handle.close();
    }
  })();
  return { stream, sizeBytes };
}

/** The clear bytes of a file in our own format; as with what is stored, neither file nor key is held before the first is asked for. */
async function openWithKey(folder: string, unwrap: UnwrapKey, range?: { start: number; end: number }) {
  const first = await openSealed(folder, unwrap);
  const { bytes } = await first.reader.extent().finally(first.close);
  const [start, end] = [range?.start ?? 0, Math.min((range?.end ?? bytes - 1) + 1, bytes)];
  const stream = (async function* () {
    const { reader, close } = await openSealed(folder, unwrap);
    try {
      yield* reader.parts(start, end - start);
    } finally {
      await close();
    }
  })();
  return { stream, sizeBytes: bytes };
}

/** @throws PlatformError `ArchiveCut` where not even its head is there */
async function openSealed(folder: string, unwrap: UnwrapKey) {
  const { handle } = await openStored(folder);
  const ranges = {
    size: async () => (await handle.stat()).size,
    read: async (offset: number, length: number) => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, offset);
      return buffer.subarray(0, bytesRead);
    },
  };
  try {
    const reader = await openSealedRanges(ranges, unwrap);
    const close = async () => {
      reader.close();
      await handle.close();
    };
    return { reader, close };
  } catch (error) {
    await handle.close();
    throw error;
  }
}
