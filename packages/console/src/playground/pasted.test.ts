import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressWith } from './address.ts';
import { pastedFault, readPasted } from './pasted.ts';
import { invitation } from './secret.ts';

const sessionId = '2_MX4xMDAwMDF-fjE3MDAwMDAwMDAwMDB-YWJj';
const link = addressWith('https://video.example/playground', sessionId);
const without = { sessionId, secret: '' };

test('an id and a link stand for their session, as they are and in the midst of a text', () => {
  for (const text of [
    sessionId,
    ` ${sessionId} `,
    `<${sessionId}>`,
    `${sessionId}==`,
    link,
    `<${link}>`,
    `(${link})`,
    `Join: ${link}`,
    `Room #4 is ${link}, at noon.`,
    `Come to “${link}”!`,
    link.replace('https://', ''),
    link.replace('video.example', 'localhost:8080'),
    link.replace('https://video.example', '[2001:db8::1]:8443'),
  ]) {
    assert.deepEqual(
      readPasted(text),
      { ...without, sessionId: text.includes('==') ? `${sessionId}==` : sessionId },
      text,
    );
    assert.equal(pastedFault(text), null);
  }
});

test('the secret is taken out of a link wherever it stands, whatever is in it', () => {
  for (const secret of [
    'abcde-fghjk-mnpqr',
    'what both know',
    'a+b&secret=c#d%20',
    '密码 ñ 🔑🔑🔑',
    'ends with a dot.',
  ]) {
    const whole = invitation(link, secret);
    const bare = whole.replace('https://', '');
    for (const text of [whole, bare, `<${whole}>`, ` ${bare}\t`])
      assert.deepEqual(readPasted(text), { sessionId, secret });
  }
  const secret = 'what both know';
  const whole = invitation(link, secret);
  for (const text of [`Join: ${whole}`, `Join (${whole}).`, `"${whole}", please`, `${whole} and bring cake`])
    assert.deepEqual(readPasted(text), { sessionId, secret }, text);
  assert.deepEqual(readPasted(`${sessionId}#secret=what+both+know`), { sessionId, secret });
});

test('what names no session is said to be wrong, and nothing of it is taken for an id', () => {
  for (const text of [
    '',
    '  ',
    'https://video.example/playground',
    'https://video.example/playground?session=abc#secret=what+both+know',
    `https://video.example/playground?session=${encodeURIComponent(`${sessionId}#secret=what+both+know`)}`,
    `https://video.example/playground#session=${sessionId}`,
    `#secret=a?session=${sessionId}`,
    `https://video.example/playground#secret=what both know ?session=${sessionId}`,
    `https://away.example/?to=${encodeURIComponent(`${link}#secret=abc`)} ${link}`,
    `the session ${sessionId}`,
    `3${sessionId.slice(1)}`,
    '2_short',
  ]) {
    assert.equal(readPasted(text), null, text);
    assert.match(pastedFault(text) ?? '', /neither a session id/);
  }
});

/** Signs that mean something in a link, or around one, more often than others. */
const some = fc.array(
  fc.oneof(
    fc.constantFrom(...'#?&=%<>"(). ', '%23', '%3D', 'session=', '?session=', 'secret=', '#secret=', link, sessionId),
    fc.string({ unit: 'grapheme', maxLength: 4 }),
  ),
  { maxLength: 8 },
);
const texts = some.map((parts) => parts.join(''));
/** Secrets, that look like a session or its link too. */
const secrets = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 8, maxLength: 40 }),
  fc.stringMatching(/^[12]_[A-Za-z0-9_-]{16,40}$/),
  fc.tuple(fc.string(), fc.stringMatching(/^[12]_[A-Za-z0-9_-]{16,40}$/)).map(([a, b]) => `${a} x?session=${b}`),
);
const written = [
  (secret: string) => secret,
  encodeURIComponent,
  (s: string) => `${new URLSearchParams({ s })}`.slice(2),
];

test('property: whatever stands around a secret, what is asked of the server has nothing of it', () => {
  fc.assert(
    fc.property(
      texts,
      texts,
      secrets,
      fc.constantFrom(...written),
      fc.boolean(),
      (before, after, secret, write, apart) => {
        const part = write(secret);
        const asked = readPasted(`${before}#secret=${part}${apart ? ' ' : ''}${after}`)?.sessionId;
        if (asked === undefined) return;
        // What is asked stood before the secret began, and not behind it.
        assert.ok(before.includes(asked.replace(/=*$/, '')), `${asked} is of the secret`);
        assert.ok(!asked.includes(part) || before.includes(part), `${asked} has the secret in it`);
      },
    ),
    { numRuns: 5000 },
  );
});
