/** Layouts of ZIP files, held against independent readers: `unzip`, and the `zipfile` of Python. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { randomFrom, seed } from '../seal/archive-fixtures.ts';
import { ZipLayout } from './zip.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cloister-zip-'));
after(() => rmSync(folder, { recursive: true }));

const at = Date.UTC(2026, 10, 28, 14, 30, 58);

interface Member {
  readonly name: string;
  readonly data: Buffer;
}

function layoutOf(members: readonly Member[]): ZipLayout {
  return new ZipLayout(
    members.map(({ name, data }) => ({ name, bytes: data.length, crc32: crc32(data) })),
    at,
  );
}

function read(layout: ZipLayout, members: readonly Member[], start: number, end: number): Buffer {
  const parts = [...layout.parts(start, end)].map((part) =>
    'bytes' in part
      ? part.bytes
      : (members[part.member] as Member).data.subarray(part.offset, part.offset + part.length),
  );
  return Buffer.concat(parts);
}

function run(program: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { maxBuffer: 2 ** 28 });
  assert.equal(status, 0, `${program}: ${stderr}${stdout}`);
  return stdout.toString();
}

/** What Python's `zipfile` finds: of each member name, size, CRC-32 and time. */
function listed(file: string): { name: string; size: number; crc: number; time: number[] }[] {
  const program = `
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z:
    print(json.dumps([{"name": i.filename, "size": i.file_size, "crc": i.CRC, "time": i.date_time} for i in z.infolist()]))`;
  return JSON.parse(run('python3', ['-c', program, file]));
}

test('unzip takes it apart: names, bytes and times are those that were put in', () => {
  const random = randomFrom('zip');
  const members = [
    { name: '7d1c.json', data: Buffer.from('{"files":[]}') },
    { name: 'stream-ü.webm', data: random(300_000) },
    { name: 'empty.mkv', data: Buffer.alloc(0) },
  ];
  const layout = layoutOf(members);
  const file = path.join(folder, 'whole.zip');
  writeFileSync(file, read(layout, members, 0, layout.bytes));
  run('unzip', ['-q', '-t', file]);
  const out = path.join(folder, 'out');
  run('unzip', ['-q', file, '-d', out]);
  for (const { name, data } of members) assert.deepEqual(readFileSync(path.join(out, name)), data, name);
  assert.deepEqual(
    listed(file),
    members.map(({ name, data }) => ({ name, size: data.length, crc: crc32(data), time: [2026, 11, 28, 14, 30, 58] })),
  );
  const mode = spawnSync('stat', ['-c', '%a %Y', path.join(out, 'empty.mkv')])
    .stdout.toString()
    .trim();
  assert.equal(mode, `600 ${at / 1000}`);
});

test('property: any range is that part of the whole, and the whole opens', () => {
  const member = fc.record({
    name: fc.uuid().map((id) => `${id}.webm`),
    data: fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
  });
  const members = fc.uniqueArray(member, { maxLength: 8, selector: ({ name }) => name });
  let round = 0;
  fc.assert(
    fc.property(members, fc.nat(), fc.nat(), (given, a, b) => {
      const layout = layoutOf(given);
      const whole = read(layout, given, 0, layout.bytes);
      assert.equal(whole.length, layout.bytes);
      const [start, end] = [a % (whole.length + 1), b % (whole.length + 1)].sort((x, y) => x - y) as [number, number];
      assert.deepEqual(read(layout, given, start, end), whole.subarray(start, end));
      round += 1;
      if (round % 25 !== 0) return;
      const file = path.join(folder, 'some.zip');
      writeFileSync(file, whole);
      assert.deepEqual(
        listed(file).map(({ name, crc }) => ({ name, crc })),
        given.map(({ name, data }) => ({ name, crc: crc32(data) })),
      );
    }),
    { seed },
  );
});

const last = Buffer.from('the last member, past six gigabytes');

/** A file with members of so many zeros, which are holes of it, and a last one with bytes. @returns its members */
async function writeLarge(file: string, sizes: readonly number[]) {
  const members = [
    // Sums of the large ones are not looked at.
    ...sizes.map((bytes, index) => ({ name: `${index}.mkv`, bytes, crc32: index })),
    { name: 'last.webm', bytes: last.length, crc32: crc32(last) },
  ];
  const layout = new ZipLayout(members, at);
  const handle = await open(file, 'w');
  let place = 0;
  for (const part of layout.parts(0, layout.bytes)) {
    const bytes = 'bytes' in part ? part.bytes : part.member === sizes.length ? last : null;
    if (bytes) await handle.write(bytes, 0, bytes.length, place);
    place += bytes?.length ?? (part as { length: number }).length;
  }
  await handle.close();
  assert.equal(place, layout.bytes);
  return members;
}

test('past 4 GiB, of a member and of the whole, other readers find everything by ZIP64', async () => {
  const file = path.join(folder, 'large.zip');
  const members = await writeLarge(file, [2 ** 32 - 2, 2_500_000_000, 2 ** 32]);
  const found = () => listed(file).map(({ name, size, crc }) => ({ name, bytes: size, crc32: crc }));
  assert.deepEqual(found(), members);
  assert.equal(run('unzip', ['-p', file, 'last.webm']), last.toString());
  const lines = run('unzip', ['-lv', file]);
  for (const { name, bytes } of members) assert.match(lines, new RegExp(`${bytes}\\s+Stored\\s.*${name}`));
  // The largest number of 32 bits stands for a larger one. (`unzip` 6.0 takes this one size for damage.)
  assert.deepEqual(await writeLarge(file, [2 ** 32 - 1]), found());
});

test('more members than 16 bits count are found by ZIP64', () => {
  const members = Array.from({ length: 65_536 }, (_, index) => ({ name: `${index}`, data: Buffer.alloc(0) }));
  const layout = layoutOf(members);
  const file = path.join(folder, 'many.zip');
  writeFileSync(file, read(layout, members, 0, layout.bytes));
  assert.equal(listed(file).length, 65_536);
});
