/**
 * `cloister witness`: a small program that a customer runs. It looks at a log again and again, signs its checkpoint when the
 * log goes on from the one signed before, and sends it the signature. It ends as soon as the log does not go on, and keeps
 * both checkpoints, which prove that.
 */
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { asPlatformError, PlatformError } from '@cloister/protocol';
import {
  cosigned,
  type NoteKey,
  nextCheckpoint,
  printNoteKey,
  type ReadFile,
  type WitnessKey,
  witnessKey,
} from '../audit/index.ts';
import { replaceFile } from '../lib/index.ts';
import { ask, type Fetch, logOver, logUrl, readNoteKeys } from './audit-source.ts';
import { badRequest } from './bad-request.ts';

export interface WitnessWords {
  readonly url: string;
  /** Keys of the log. */
  readonly keys: readonly string[];
  /** A folder of its own: its key and what it signed last. */
  readonly folder: string;
  /** Of its key, such as clinic.example/witness; needed for the first time. */
  readonly name: string | undefined;
  readonly everyMs: number;
  /** Looks once and ends. */
  readonly once: boolean;
}

interface WitnessDeps {
  readonly fetch: Fetch;
  /** Milliseconds since 1970. */
  now(): number;
  /** One line for whoever runs it. */
  say(line: string): void;
}

interface Witness {
  readonly url: URL;
  readonly read: ReadFile;
  readonly keys: readonly NoteKey[];
  readonly own: WitnessKey;
  /** What it signed last. */
  readonly state: string;
}

/** @throws PlatformError `AuditForked`, and with `once` whatever went wrong; `BadRequest` */
export async function witnessCommand(words: WitnessWords, deps: WitnessDeps): Promise<void> {
  const url = logUrl(words.url);
  const own = await ownKey(words);
  deps.say(`witness ${printNoteKey(own.key)}`);
  if (words.keys.length === 0) badRequest('--key is needed: the keys of the log, from /cloister/v1/audit/keys');
  const keys = await readNoteKeys(words.keys, deps.fetch);
  const witness = { url, read: logOver(url, deps.fetch), keys, own, state: `${words.folder}/checkpoint` };
  for (;;) {
    try {
      await look(witness, deps);
    } catch (error) {
      const { code, message } = asPlatformError(error);
      // A log that cannot be reached is looked for again; one that lies is not.
      if (words.once || code !== 'DestinationFailed') throw error;
      deps.say(message);
    }
    if (words.once) return;
    await pause(words.everyMs);
  }
}

async function ownKey({ folder, name }: WitnessWords): Promise<WitnessKey> {
  const file = `${folder}/witness-key.json`;
  if (existsSync(file)) {
    const { name: own, secret } = JSON.parse(readFileSync(file, 'utf8')) as { name: string; secret: string };
    return witnessKey(own, secret);
  }
  try {
    const made = witnessKey(name ?? badRequest('--name is needed the first time, such as clinic.example/witness'));
    await replaceFile(file, JSON.stringify({ name: made.key.name, secret: made.secret }));
    return made;
  } catch (cause) {
    if (cause instanceof RangeError) badRequest(`--name: ${cause.message}`, cause);
    const { code } = cause as NodeJS.ErrnoException;
    throw cause instanceof PlatformError
      ? cause
      : new PlatformError('BadRequest', { why: `${file}: ${code}` }, { cause });
  }
}

async function look(witness: Witness, deps: WitnessDeps): Promise<void> {
  const { read, keys, own, state } = witness;
  const before = existsSync(state) ? readFileSync(state, 'utf8') : null;
  // What it is shown is kept where it has to be proven: asked a second time, the log may say something else.
  let shown = '';
  const kept: ReadFile = async (path) => {
    const bytes = await read(path);
    if (path === 'checkpoint') shown = bytes?.toString() ?? '';
    return bytes;
  };
  try {
    const now = await nextCheckpoint(kept, keys, before);
    const note = cosigned(now, own, Math.floor(deps.now() / 1000));
    // Before anybody has it: what was signed is never forgotten.
    await replaceFile(state, note);
    deps.say(`signed ${now.size} entries of ${now.origin}`);
    await send(witness, note, deps);
  } catch (error) {
    if (asPlatformError(error).code === 'AuditForked') await replaceFile(`${state}.refused`, shown);
    throw error;
  }
}

async function send({ url }: Witness, note: string, { fetch, say }: WitnessDeps): Promise<void> {
  const headers = { 'content-type': 'text/plain' };
  const answer = await ask(fetch, new URL('cosignatures', url), { method: 'POST', headers, body: note });
  if (answer.status === 200) return;
  const { message } = (await answer.json().catch(() => ({}))) as { message?: string };
  say(`the log did not take the signature: ${message ?? answer.status}`);
}
