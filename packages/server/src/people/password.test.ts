import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits, type PlatformError } from '@cloister/protocol';
import { Passwords } from './password.ts';

/** Two are worked on, the others wait. */
const atOnce = 2;

test('a hash is Argon2id with a salt of its own, and matches its password alone', async () => {
  const passwords = new Passwords();
  const [one, two] = await Promise.all([passwords.hash('grün und blau'), passwords.hash('grün und blau')]);
  assert.match(one, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
  assert.notEqual(one, two);
  // The same letters, composed and decomposed, as keyboards of different systems write them.
  assert.equal(await passwords.matches('gru\u0308n und blau', one), true);
  assert.equal(await passwords.matches('grün und rot', one), false);
  assert.equal(await passwords.matches('', null), false);
});

test('nobody is told by the time that there is no password: that is looked for as long', async () => {
  const passwords = new Passwords();
  const hash = await passwords.hash('five words that go nowhere');
  await passwords.matches('warm', null);
  const time = async (of: string | null) => {
    const began = process.cpuUsage();
    for (let run = 0; run < 10; run += 1) await passwords.matches('a guess', of);
    const { user, system } = process.cpuUsage(began);
    return user + system;
  };
  const [real, none] = [await time(hash), await time(null)];
  assert.ok(none > real / 2 && none < real * 2, `${none} µs for nobody, ${real} µs for somebody`);
});

test('as many wait as the limit says; one more is sent away, and the others are served', async () => {
  const passwords = new Passwords();
  const served = Array.from({ length: atOnce + limits.passwordHashesWaiting }, () => passwords.hash('x'.repeat(12)));
  await assert.rejects(passwords.hash('one too many'), ({ code }: PlatformError) => code === 'Overloaded');
  assert.equal(new Set(await Promise.all(served)).size, atOnce + limits.passwordHashesWaiting);
  await passwords.hash('room again');
});
