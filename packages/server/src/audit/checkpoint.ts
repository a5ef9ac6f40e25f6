/** Checkpoints as C2SP tlog-checkpoint has them: which log, how many entries, and the root over them, as a signed note. */
import { type Hash, hashBytes } from './merkle.ts';
import { type Note, type NoteKey, parseNote, type Signed, signersOf } from './note.ts';

export interface Checkpoint {
  /** The log's name, for ever. */
  readonly origin: string;
  readonly size: number;
  readonly root: Hash;
}

/** A checkpoint whose log's signature was checked. */
export interface SignedCheckpoint extends Checkpoint {
  readonly note: Note;
  /** The log's key first, then those witnesses that were asked for. */
  readonly signers: readonly Signed[];
}

/** The text that is signed. */
export function printCheckpoint({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${root.toString('base64')}\n`;
}

/** A checkpoint out of its text; lines after the third are allowed and passed over. Null for anything else. */
export function parseCheckpoint(text: string): Checkpoint | null {
  const [origin, sizeText, rootText, ...rest] = text.split('\n');
  if (!origin || !sizeText || !rootText || rest.at(-1) !== '') return null;
  if (rest.slice(0, -1).includes('') || !/^(0|[1-9]\d{0,15})$/.test(sizeText)) return null;
  const size = Number(sizeText);
  const root = Buffer.from(rootText, 'base64');
  if (!Number.isSafeInteger(size) || root.length !== hashBytes || root.toString('base64') !== rootText) return null;
  return { origin, size, root };
}

/** A checkpoint out of its note; null unless a key of the log, whose name is the origin, signed it. */
export function openCheckpoint(text: string, keys: readonly NoteKey[]): SignedCheckpoint | null {
  const note = parseNote(text);
  const checkpoint = note && parseCheckpoint(note.text);
  const signers = checkpoint && signersOf(note, keys);
  if (!signers) return null;
  const own = signers.filter(({ key }) => key.kind === 'note' && key.name === checkpoint.origin);
  if (own.length === 0) return null;
  return { ...checkpoint, note, signers: [...own, ...signers.filter((each) => !own.includes(each))] };
}
