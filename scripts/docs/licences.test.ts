import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configureLine, licenceOf } from './ffmpeg-licence.ts';
import { isFree, productionPackages } from './licences.ts';

test('a choice of licences is free when one of them is', () => {
  assert.equal(isFree('MIT'), true);
  assert.equal(isFree('(MIT OR GPL-3.0)'), true);
  assert.equal(isFree('MIT AND Zlib'), true);
  assert.equal(isFree('MIT AND GPL-3.0'), false);
  assert.equal(isFree('unknown'), false);
});

test('every package that is needed to run has a licence that was looked at', () => {
  const wrong = productionPackages().filter(({ name, licence }) => !isFree(licence) && !name.includes('node-av'));
  assert.deepEqual(wrong, []);
});

test('development packages are not listed', () => {
  const names = productionPackages().map((each) => each.name);
  assert.ok(names.includes('mediasoup'));
  assert.ok(!names.includes('@opentok/client'));
});

test("FFmpeg's licence is read from the configure line in the binary", () => {
  const line = '--prefix=/x --enable-gpl --enable-version3 --enable-libfdk-aac --enable-libx264';
  const binary = Buffer.concat([Buffer.from([0, 1, 2, 0]), Buffer.from(line), Buffer.from([0, 7])]);
  assert.equal(configureLine(binary), line);
  assert.match(licenceOf(line), /^GPL-3\.0-or-later, with fdk-aac/);
  assert.equal(licenceOf('--enable-shared'), 'LGPL-2.1-or-later');
  assert.equal(configureLine(Buffer.from('nothing here')), undefined);
});
