/** The door of the archives: how they are sealed and opened. Clear bytes are in memory only, and keys for one file only. */
export { type Certificate, readCertificate, type SealFormat } from './certificate.ts';
export { type OpenedArchive, type OpenWith, openArchive } from './open.ts';
export { openOpenTokArchive } from './opentok-open.ts';
export { createOpenTokSealer, type OpenTokSealer, partBytes } from './opentok-seal.ts';
export { byPlatform, byPrivateKey, toCertificates, toPlatform, type UnwrapKey, type WrapKey } from './recipients.ts';
export { createArchiveSealer, openSealedArchive } from './sealed-archive.ts';
export { type Extent, openSealedRanges, type Ranges, type SealedReader } from './sealed-ranges.ts';
export type { Random, Sealer } from './sealer.ts';
/** The door of archives. */
export { type Placement, placeStreams, type Rectangle } from './layout.ts';
export { type LayoutStream, mixedVoices, type VoiceStream } from './priority.ts';
export { parseStylesheet } from './stylesheet.ts';
