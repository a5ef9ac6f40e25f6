import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { linesOf, logIn, logOver, logUrl, readNoteKeys } from './audit-source.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cloister-audit-source-'));
after(() => rmSync(folder, { recursive: true }));
const key = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const never = (async () => assert.fail('nothing is to be fetched')) as unknown as typeof fetch;
const bad = (message: RegExp) => ({ code: 'BadRequest', message });

/** Answers by turns with these. */
function answering(...answers: Response[]): typeof fetch {
  return async () => answers.shift() ?? assert.fail('asked too often');
}

test('a log is at an https address, or on this machine', () => {
  assert.equal(logUrl('https://a.example/cloister/v1/audit').href, 'https://a.example/cloister/v1/audit/');
  assert.equal(logUrl('http://127.0.0.1:8080/x/').host, '127.0.0.1:8080');
  assert.equal(logUrl('http://[::1]/x').host, '[::1]');
  for (const wrong of ['http://a.example/', 'ftp://a.example/', 'audit']) {
    assert.throws(() => logUrl(wrong), { code: 'BadRequest' });
  }
});

test('a file of a log is there, is not, or comes later when the log asks for patience', async () => {
  const url = logUrl('https://a.example/audit');
  const busy = () => new Response('', { status: 429, headers: { 'retry-after': '0' } });
  assert.equal((await logOver(url, answering(busy(), busy(), new Response('yes')))('checkpoint'))?.toString(), 'yes');
  assert.equal(await logOver(url, answering(new Response('', { status: 404 })))('tile/0/000'), null);
  const failed = { code: 'DestinationFailed' };
  await assert.rejects(async () => logOver(url, answering(new Response('', { status: 500 })))('checkpoint'), failed);
  const large = new Response('', { headers: { 'content-length': String(18 * 1024 * 1024) } });
  await assert.rejects(async () => logOver(url, answering(large))('checkpoint'), failed);
  const away = (async () => Promise.reject(new TypeError('fetch failed'))) as unknown as typeof fetch;
  await assert.rejects(async () => logOver(url, away)('checkpoint'), failed);
  assert.equal(await logIn(folder)('tile/0/000'), null);
});

test('keys come as they are, from a file with one a line, or from an address; what is no key is refused', async () => {
  const file = path.join(folder, 'keys');
  writeFileSync(file, `${key}\r\n\n${key}\n`);
  const names = async (source: string, ask = never) => (await readNoteKeys([source], ask)).map(({ name }) => name);
  assert.deepEqual(await names(key), ['PeterNeumann']);
  assert.deepEqual(await names(file), ['PeterNeumann', 'PeterNeumann']);
  assert.deepEqual(await names('https://a.example/keys', answering(new Response(`${key}\n`))), ['PeterNeumann']);
  writeFileSync(file, `${key}\n${key.slice(0, -1)}\n`);
  await assert.rejects(names(file), bad(/a line that is no key/));
  await assert.rejects(names(path.join(folder, 'none')), bad(/ENOENT/));
});

test('lines are lines, whatever ends them, and a file that is not there says so', async () => {
  const file = path.join(folder, 'lines');
  const long = 'x'.repeat(3 * 1024 * 1024);
  writeFileSync(file, `one\r\n\n${long}é\nlast`);
  const lines = [];
  for await (const line of linesOf(file)) lines.push(line);
  assert.deepEqual(lines, ['one', '', `${long}é`, 'last']);
  await assert.rejects(linesOf(path.join(folder, 'none')).next(), bad(/ENOENT/));
});
