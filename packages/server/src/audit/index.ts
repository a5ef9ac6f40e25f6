/** The door of the audit log: follows the outbox into a tree, signs what it has, proves it, and checks proofs. */
export { type Checkpoint, openCheckpoint, parseCheckpoint, type SignedCheckpoint } from './checkpoint.ts';
export { type AuditContent, parseContent } from './entry.ts';
export { noteKeysOf } from './examine.ts';
export { type ExportEntry, type ExportHead, readExport, toCsv, toJsonLine } from './export.ts';
export { AuditLog, type AuditLogDeps, type AuditState, type Outside } from './log.ts';
export { filesOf, type ReadFile, verifyMirror } from './mirror.ts';
export { type NoteKey, parseNote, parseNoteKey, printNoteKey } from './note.ts';
export { otlpSender } from './otlp.ts';
export { Outlet, type Send } from './outlet.ts';
export { fileOutside } from './outside.ts';
export { AuditQuery, type Found } from './query.ts';
export { Retention } from './retention.ts';
export { syslogSender } from './syslog.ts';
export { type Fault, type VerifiedExport, verifyCheckpoint, verifyExport } from './verify.ts';
export { cosigned, nextCheckpoint, type WitnessKey, witnessKey } from './witness.ts';
