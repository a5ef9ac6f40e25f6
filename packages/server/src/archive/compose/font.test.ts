import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Font } from './font.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'cloister-font-'));
});
after(() => rm(folder, { recursive: true, force: true }));

const u16 = (...values: number[]) => Buffer.concat(values.map((each) => Buffer.of(each >> 8, each & 0xff)));
const u32 = (...values: number[]) => Buffer.concat(values.map((each) => u16(each >>> 16, each & 0xffff)));

/** A font of 1000 units: A is as wide as 600 of them, B and C as 700, an emoji as 1200. */
function made(changes: Readonly<Record<string, Buffer>> = {}): Font {
  const groups = [u32(0x41, 0x43, 1), u32(0x1f600, 0x1f600, 0)];
  const covered = Buffer.concat([u16(12, 0), u32(16 + 12 * groups.length, 0, groups.length), ...groups]);
  const tables: Readonly<Record<string, Buffer>> = {
    // Another table of the same characters comes first, which is passed over.
    cmap: Buffer.concat([u16(0, 2), u16(3, 1), u32(20), u16(3, 10), u32(24), u16(4, 4), covered]),
    head: Buffer.concat([Buffer.alloc(18), u16(1000), Buffer.alloc(34)]),
    hhea: Buffer.concat([Buffer.alloc(34), u16(3)]),
    hmtx: u16(1200, 0, 600, 0, 700, 0),
    ...changes,
  };
  const names = Object.keys(tables);
  const parts = [Buffer.concat([u32(0x10000), u16(names.length, 0, 0, 0)])];
  let at = 12 + 16 * names.length;
  for (const name of names) {
    const { length } = tables[name] as Buffer;
    parts.push(Buffer.from(name), u32(0, at, length));
    at += length;
  }
  const file = path.join(folder, 'made.ttf');
  writeFileSync(file, Buffer.concat([...parts, ...Object.values(tables)]));
  return new Font(file);
}

test('a font says which characters it has, and how wide they are; behind the last width all have that one', () => {
  const font = made();
  const characters = ['A', 'B', 'C', '\u{1f600}', '@', 'D'].map((each) => each.codePointAt(0) as number);
  assert.deepEqual(
    characters.map((each) => font.has(each)),
    [true, true, true, true, false, false],
  );
  assert.deepEqual(
    characters.map((each) => font.width(each)),
    [0.6, 0.7, 0.7, 1.2, 0, 0],
  );
});

test('what is missing, or has no table of all of Unicode, is said with the name of the file', () => {
  assert.throws(() => new Font(path.join(folder, 'none.ttf')), /none\.ttf/);
  assert.throws(() => made({ cmap: u16(0, 0) }), /made\.ttf.*Unicode/);
  writeFileSync(path.join(folder, 'empty.ttf'), Buffer.alloc(12));
  assert.throws(() => new Font(path.join(folder, 'empty.ttf')), /empty\.ttf.*cmap/);
});
