import assert from 'node:assert/strict';
import { createPrivateKey, sign } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  cosignatureBytes,
  cosignedMessage,
  noteKey,
  noteSignatures,
  parseNote,
  parseNoteKey,
  printNote,
  printNoteKey,
  signersOf,
} from './note.ts';

/** Of golang.org/x/mod/sumdb/note, note_test.go. */
const vkey = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const skey = 'AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz';
const text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const note = `${text}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`;

const peter = parseNoteKey(vkey)!;
const secret = createPrivateKey({
  key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.from(skey, 'base64').subarray(1)]),
  format: 'der',
  type: 'pkcs8',
});
const signed = (body: string) => ({
  text: body,
  signatures: [{ name: peter.name, id: peter.id, bytes: sign(null, Buffer.from(body), secret) }],
});

test('the published key is read and written, and none of its parts is a key', () => {
  assert.deepEqual(
    { name: peter.name, kind: peter.kind, id: peter.id },
    { name: 'PeterNeumann', kind: 'note', id: 'c74f20a3' },
  );
  assert.equal(printNoteKey(peter), vkey);
  for (let start = 0; start < vkey.length; start += 1) {
    for (let end = start; end <= vkey.length; end += 1) {
      if (start > 0 || end < vkey.length) assert.equal(parseNoteKey(vkey.slice(start, end)), null);
    }
  }
  assert.equal(parseNoteKey(vkey.replace('c74f20a3', 'c74f20a4')), null);
  assert.equal(
    parseNoteKey('PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'),
    null,
    'an unknown kind',
  );
  for (const name of ['', 'a b', 'a+b', 'a\nb', 'a\u00a0b'])
    assert.throws(() => noteKey(name, 'note', peter.bytes), RangeError);
  assert.throws(() => noteKey('a', 'note', peter.bytes.subarray(1)), RangeError);
});

test('the published note is signed by its key, and written anew it is the same', () => {
  const parsed = parseNote(note)!;
  assert.equal(parsed.text, text);
  assert.deepEqual(signersOf(parsed, [peter]), [{ key: peter, at: null }]);
  assert.equal(printNote(signed(text)), note);
});

test('a note that was changed anywhere is not believed', () => {
  const property = fc.property(fc.nat(note.length - 1), fc.constantFrom('A', '0', '\n', ' ', '—'), (at, letter) => {
    if (note[at] === letter) return;
    const changed = parseNote(note.slice(0, at) + letter + note.slice(at + 1));
    const signers = changed && signersOf(changed, [peter]);
    assert.ok(!signers || signers.length === 0);
  });
  fc.assert(property, { numRuns: 1000 });
});

test('one bad signature of a known key makes the whole note worth nothing; those of others are passed over', () => {
  const good = signed(text).signatures[0]!;
  const other = { name: 'Somebody', id: '01020304', bytes: Buffer.alloc(64, 1) };
  const read = (signatures: (typeof good)[]) => signersOf(parseNote(printNote({ text, signatures }))!, [peter]);
  assert.deepEqual(
    read([other, good])?.map(({ key }) => key.name),
    ['PeterNeumann'],
  );
  assert.deepEqual(read([other]), []);
  assert.deepEqual(read([good, good])?.length, 1);
  const second = noteKey('PeterNeumann', 'note', Buffer.alloc(32, 7));
  const bad = { ...good, bytes: Buffer.alloc(64, 1) };
  assert.equal(read([bad]), null);
  const both = parseNote(
    printNote({ text, signatures: [good, { name: second.name, id: second.id, bytes: bad.bytes }] }),
  )!;
  assert.equal(signersOf(both, [peter, second]), null);
});

test('what is no note is not read as one', () => {
  const line = note.slice(text.length + 1);
  const wrong = [
    '',
    text,
    `${text}\n`,
    note.slice(0, -1),
    note.replace('\n\n', '\n'),
    note.replace('— ', '- '),
    note.replace('problem,', 'problem,\r'),
    note.replace('problem,', 'problem,\t'),
    note.replace('problem,', 'problem\ud800'),
    `${note}trailing`,
    note.replace('=\n', '\n'),
    `${text}\n— PeterNeumann x08gow==\n`,
    `${text}\n${line.repeat(noteSignatures + 1)}`,
  ];
  for (const each of wrong) assert.equal(parseNote(each), null, each);
  assert.equal(parseNote(`${text}\n${line.repeat(noteSignatures)}`)?.signatures.length, noteSignatures);
});

test('a text that would read as something else is not signed', () => {
  for (const wrong of ['no newline', 'a\u0000\n', '']) assert.throws(() => printNote(signed(wrong)), RangeError);
  // An empty line in the text is no end of it: the last one is.
  const inner = 'a\n\n— b c\n';
  assert.equal(parseNote(printNote(signed(inner)))?.text, inner);
});

test('a cosignature is over the time and the text, and is worth nothing with another time', () => {
  const witness = noteKey('witness.example/w', 'cosignature', peter.bytes);
  assert.equal(parseNoteKey(printNoteKey(witness))?.kind, 'cosignature');
  assert.notEqual(witness.id, noteKey('witness.example/w', 'note', peter.bytes).id);
  assert.equal(cosignedMessage('o\n1\nr\n', 1_679_315_147).toString(), 'cosignature/v1\ntime 1679315147\no\n1\nr\n');
  const bytes = (at: number, claimed = at) => cosignatureBytes(claimed, sign(null, cosignedMessage(text, at), secret));
  const read = (signature: Buffer) =>
    signersOf(parseNote(printNote({ text, signatures: [{ name: witness.name, id: witness.id, bytes: signature }] }))!, [
      witness,
    ]);
  assert.deepEqual(read(bytes(1_679_315_147)), [{ key: witness, at: 1_679_315_147 }]);
  assert.equal(read(bytes(1_679_315_147, 1_679_315_148)), null);
  assert.equal(read(bytes(1).subarray(1)), null);
  assert.equal(read(Buffer.concat([Buffer.alloc(8), sign(null, Buffer.from(text), secret)])), null);
});
