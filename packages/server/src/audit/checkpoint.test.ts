import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { test } from 'node:test';
import { openCheckpoint, parseCheckpoint, printCheckpoint } from './checkpoint.ts';
import { type NoteKey, noteKey, printNote } from './note.ts';

/** The example of C2SP tlog-checkpoint. */
const example = 'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n';
const origin = 'example.com/behind-the-sofa';

function newKey(name: string): { key: NoteKey; secret: KeyObject } {
  const pair = generateKeyPairSync('ed25519');
  const bytes = pair.publicKey.export({ format: 'der', type: 'spki' }).subarray(12);
  return { key: noteKey(name, 'note', bytes), secret: pair.privateKey };
}

test('the example of the specification is read, and written as it is', () => {
  const checkpoint = parseCheckpoint(example)!;
  assert.equal(checkpoint.origin, origin);
  assert.equal(checkpoint.size, 20_852_163);
  assert.equal(printCheckpoint(checkpoint), example);
  assert.deepEqual(parseCheckpoint(`${example}an extension\n`), checkpoint);
});

test('what is no checkpoint is not read as one', () => {
  const wrong = [
    '',
    example.slice(0, -1),
    `\n${example}`,
    `${example}\n`,
    `${example}extension`,
    example.replace('20852163', '020852163'),
    example.replace('20852163', '-1'),
    example.replace('20852163', '9007199254740993'),
    example.replace('q2I=', 'q2I'),
    example.replace('q2I=', 'q2J='),
    example.replace('CsUY', ''),
  ];
  for (const text of wrong) assert.equal(parseCheckpoint(text), null, text);
  assert.equal(parseCheckpoint(example.replace('20852163', '0'))?.size, 0);
});

test('a checkpoint counts only with the signature of its own log', () => {
  const log = newKey(origin);
  const stranger = newKey(origin);
  const other = newKey('example.com/another');
  const by = (text: string, ...signers: { key: NoteKey; secret: KeyObject }[]) => {
    const signatures = signers.map(({ key: { name, id }, secret }) => ({
      name,
      id,
      bytes: sign(null, Buffer.from(text), secret),
    }));
    return printNote({ text, signatures });
  };
  assert.equal(openCheckpoint(by(example, log), [log.key])?.size, 20_852_163);
  assert.equal(openCheckpoint(by(example, stranger), [log.key]), null);
  assert.equal(openCheckpoint(by(example, other), [other.key]), null);
  assert.equal(openCheckpoint(by('text\n', log), [log.key]), null);
  assert.equal(openCheckpoint(example, [log.key]), null);
});
