import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { randomFrom } from '../seal/archive-fixtures.ts';
import { headInVoid, restoreHead } from './matroska-head.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cloister-head-'));
after(() => rmSync(folder, { recursive: true }));

const ebml = Buffer.from([0x1a, 0x45, 0xdf, 0xa3]);
const headOf = (bytes: number, name: string) => Buffer.concat([ebml, randomFrom(name)(bytes - ebml.length)]);

async function restored(file: Buffer): Promise<Buffer> {
  const name = path.join(folder, 'file');
  writeFileSync(name, file);
  const handle = await open(name, 'r+');
  await restoreHead(handle);
  await handle.close();
  return readFileSync(name);
}

test('the last head takes the place of the first, and nothing else of the file changes', async () => {
  for (const bytes of [4, 400, 0xffff]) {
    const [first, last] = [headOf(bytes, 'first'), headOf(bytes, 'last')];
    const body = randomFrom('body')(200_000);
    const file = Buffer.concat([first, body, headInVoid(last)]);
    assert.deepEqual(await restored(file), Buffer.concat([last, body]));
  }
});

test('a head that is longer than its length can say is left out', () => {
  assert.equal(headInVoid(headOf(0x10000, 'long')).length, 0);
});

test('a file that ends otherwise stays as it is', async () => {
  const head = headOf(400, 'head');
  const body = randomFrom('body')(3000);
  const whole = Buffer.concat([head, body, headInVoid(head)]);
  const files = [
    Buffer.alloc(0),
    Buffer.from('LASTHEAD'),
    body,
    Buffer.concat([head, body]),
    // Cut, and continued.
    whole.subarray(0, -1),
    Buffer.concat([whole, Buffer.of(0)]),
    // The words of another kind of file, a head that is longer than the file before it, and another length of the element.
    Buffer.concat([body, headInVoid(randomFrom('other')(400))]),
    Buffer.concat([body.subarray(0, 399), headInVoid(head)]),
    Buffer.concat([head, body, headInVoid(head).fill(0, 7, 8)]),
  ];
  for (const [index, file] of files.entries()) assert.deepEqual(await restored(Buffer.from(file)), file, `${index}`);
});
