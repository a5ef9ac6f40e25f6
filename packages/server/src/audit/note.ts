/**
 * Signed notes as C2SP signed-note has them: text, an empty line, and one line for each signature. Two kinds of
 * signature: Ed25519 over the text (0x01), and the cosignature of a witness (0x04, C2SP tlog-cosignature), which has the
 * time in it.
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { sha256 } from './merkle.ts';

/** What a key signs, and the byte that says so. */
export const signatureKinds = { note: 0x01, cosignature: 0x04 } as const;
export type SignatureKind = keyof typeof signatureKinds;

/** A public key with the name of who has it: a "vkey". */
export interface NoteKey {
  readonly name: string;
  readonly kind: SignatureKind;
  /** Eight hexadecimal digits: the first 4 bytes of SHA-256(name || 0x0A || kind || public key). */
  readonly id: string;
  /** Ed25519, 32 bytes. */
  readonly bytes: Buffer;
}

export interface NoteSignature {
  readonly name: string;
  readonly id: string;
  readonly bytes: Buffer;
}

export interface Note {
  /** Ends with a newline. */
  readonly text: string;
  /** Not checked. */
  readonly signatures: readonly NoteSignature[];
}

/** A signature that was checked; `at`, seconds since 1970, where it is a cosignature. */
export interface Signed {
  readonly key: NoteKey;
  readonly at: number | null;
}

/** More of them is no note: as Go's implementation, so that no reader is made to work without end. */
export const noteSignatures = 100;
const keyBytes = 32;
const signatureBytes = 64;
const idBytes = 4;
const timeBytes = 8;
// RFC 8410, section 7: SubjectPublicKeyInfo around 32 bytes.
const spki = Buffer.from('302a300506032b6570032100', 'hex');

/** Not empty, no space of Unicode, no plus. */
function isName(name: string): boolean {
  return name !== '' && !/[\s+]/u.test(name) && !hasControls(name);
}

/** ASCII control characters other than newline. */
function hasControls(text: string): boolean {
  return [...text].some((each) => each < ' ' && each !== '\n');
}

function bytesOf(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : null;
}

/** @throws RangeError for a name that no key can have */
export function noteKey(name: string, kind: SignatureKind, bytes: Uint8Array): NoteKey {
  if (!isName(name)) throw new RangeError(`${JSON.stringify(name)} cannot be the name of a key`);
  if (bytes.length !== keyBytes) throw new RangeError('an Ed25519 public key has 32 bytes');
  const named = Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(signatureKinds[kind]), bytes]);
  return { name, kind, id: sha256(named).toString('hex', 0, idBytes), bytes: Buffer.from(bytes) };
}

/** `name+id+base64(kind || public key)`. */
export function printNoteKey({ name, kind, id, bytes }: NoteKey): string {
  return `${name}+${id}+${Buffer.concat([Buffer.of(signatureKinds[kind]), bytes]).toString('base64')}`;
}

/** A key as `printNoteKey` writes it; null for anything else. */
export function parseNoteKey(text: string): NoteKey | null {
  const match = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(text);
  const bytes = match && bytesOf(match[3]!);
  if (!bytes || bytes.length !== keyBytes + 1 || !isName(match[1]!)) return null;
  const kind = (Object.keys(signatureKinds) as SignatureKind[]).find((each) => signatureKinds[each] === bytes[0]);
  if (!kind) return null;
  const key = noteKey(match[1]!, kind, bytes.subarray(1));
  return key.id === match[2] ? key : null;
}

const signatureLine = /^— (\S+) ([A-Za-z0-9+/=]+)$/u;

/** Text and signatures of a note; null where it is not well-formed. Signatures of kinds that are not known here are kept. */
export function parseNote(note: string): Note | null {
  const end = note.lastIndexOf('\n\n');
  if (end < 0 || hasControls(note) || !note.isWellFormed() || !note.endsWith('\n')) return null;
  const lines = note.slice(end + 2, -1).split('\n');
  if (lines.length > noteSignatures) return null;
  const signatures: NoteSignature[] = [];
  for (const line of lines) {
    const match = signatureLine.exec(line);
    const bytes = match && bytesOf(match[2]!);
    if (!bytes || bytes.length <= idBytes || !isName(match[1]!)) return null;
    signatures.push({ name: match[1]!, id: bytes.toString('hex', 0, idBytes), bytes: bytes.subarray(idBytes) });
  }
  return { text: note.slice(0, end + 1), signatures };
}

/** The line of a signature, with its newline. */
export function printSignature({ name, id, bytes }: NoteSignature): string {
  return `— ${name} ${Buffer.concat([Buffer.from(id, 'hex'), bytes]).toString('base64')}\n`;
}

/** @throws RangeError for a text that cannot be signed, since it would read as something else */
export function printNote({ text, signatures }: Note): string {
  const note = `${text}\n${signatures.map(printSignature).join('')}`;
  if (!text.endsWith('\n') || parseNote(note)?.text !== text) throw new RangeError('this text cannot be a note');
  return note;
}

/** What a witness signs: the time, then the whole text (C2SP tlog-cosignature). @param at seconds since 1970 */
export function cosignedMessage(text: string, at: number): Buffer {
  return Buffer.from(`cosignature/v1\ntime ${at}\n${text}`);
}

/** The bytes of a cosignature: the time, big-endian, then the Ed25519 signature. */
export function cosignatureBytes(at: number, signature: Uint8Array): Buffer {
  const time = Buffer.alloc(timeBytes);
  time.writeBigUInt64BE(BigInt(at));
  return Buffer.concat([time, signature]);
}

/** Whether a signature is the key's over this text; null where it is not. */
export function checkSignature(key: NoteKey, text: string, bytes: Uint8Array): Signed | null {
  const view = Buffer.from(bytes);
  const open: KeyObject = createPublicKey({ key: Buffer.concat([spki, key.bytes]), format: 'der', type: 'spki' });
  if (key.kind === 'note') {
    return view.length === signatureBytes && verify(null, Buffer.from(text), open, view) ? { key, at: null } : null;
  }
  if (view.length !== timeBytes + signatureBytes) return null;
  const at = Number(view.readBigUInt64BE());
  const good = Number.isSafeInteger(at) && verify(null, cosignedMessage(text, at), open, view.subarray(timeBytes));
  return good ? { key, at } : null;
}

/**
 * The signatures of a note by the given keys. Those by others are passed over. Null where one by a given key is not
 * good: such a note is not to be believed in any part.
 */
export function signersOf(note: Note, keys: readonly NoteKey[]): Signed[] | null {
  const found: Signed[] = [];
  for (const { name, id, bytes } of note.signatures) {
    const key = keys.find((each) => each.name === name && each.id === id);
    if (!key || found.some((each) => each.key === key)) continue;
    const signed = checkSignature(key, note.text, bytes);
    if (!signed) return null;
    found.push(signed);
  }
  return found;
}
