/** The door of the archives: how they are recorded, laid out, sealed and opened. Clear bytes are in memory only. */
export { sealedEnding } from './individual-index.ts';
export { type Placement, placeStreams, type Rectangle } from './layout.ts';
export {
  type Expected,
  expectedBy,
  requireExpected,
  requireSize,
  type VerifiedManifest,
  verifyManifest,
} from './manifest.ts';
export { restoreHead } from './matroska-head.ts';
export { type OpenedArchive, type OpenedFiles, type OpenWith, openAnyArchive, openArchive } from './open.ts';
export { openOpenTokArchive } from './opentok-open.ts';
export { createOpenTokSealer, type OpenTokSealer, partBytes } from './opentok-seal.ts';
export { type LayoutStream, mixedVoices, type VoiceStream } from './priority.ts';
export { byPlatform, byPrivateKey, toCertificates, toPlatform, type UnwrapKey, type WrapKey } from './recipients.ts';
export { archiveFolder, openRecordings, type RecordingsDeps } from './recordings.ts';
export { archivesOf, type ResealDeps, resealArchives } from './reseal-archives.ts';
export { memoryIsLimited, type SandboxPolicy, SandboxTrial } from './sandbox.ts';
export { createArchiveSealer, createArchiveSealerWith, openSealedArchive } from './sealed-archive.ts';
export { type Extent, openSealedRanges, type Ranges, type SealedReader } from './sealed-ranges.ts';
export type { OpenedEntry } from './sealed-zip.ts';
export type { Random, Sealer } from './sealer.ts';
export { parseStylesheet } from './stylesheet.ts';
