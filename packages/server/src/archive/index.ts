/** The door of the archives: how they are recorded, laid out, sealed and opened. Clear bytes are in memory only. */

export { type Placement, placeStreams, type Rectangle } from './layout/layout.ts';
export { type LayoutStream, mixedVoices, type VoiceStream } from './layout/priority.ts';
export { parseStylesheet } from './layout/stylesheet.ts';
export { type OpenedArchive, type OpenedFiles, type OpenWith, openAnyArchive, openArchive } from './open.ts';
export { memoryIsLimited, type SandboxPolicy, SandboxTrial } from './record/sandbox.ts';
export { archiveFolder, openRecordings, type RecordingsDeps } from './recordings.ts';
export { archivesOf, type ResealDeps, resealArchives } from './reseal-archives.ts';
export { type Expected, expectedBy, requireExpected, requireSize } from './seal/expected.ts';
export { openOpenTokArchive } from './seal/opentok-open.ts';
export { createOpenTokSealer, type OpenTokSealer, partBytes } from './seal/opentok-seal.ts';
export {
  byPlatform,
  byPrivateKey,
  toCertificates,
  toPlatform,
  type UnwrapKey,
  type WrapKey,
} from './seal/recipients.ts';
export { createArchiveSealer, createArchiveSealerWith, openSealedArchive } from './seal/sealed-archive.ts';
export { type Extent, openSealedRanges, type Ranges, type SealedReader } from './seal/sealed-ranges.ts';
export type { Random, Sealer } from './seal/sealer.ts';
export { restoreHead } from './separate/matroska-head.ts';
export { sealedEnding } from './store/individual-index.ts';
export type { OpenedEntry } from './store/sealed-zip.ts';
