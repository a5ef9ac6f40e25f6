/**
 * The licence of the FFmpeg inside node-av. Its package.json speaks for the wrapper only; which parts of FFmpeg were
 * compiled in, and so which licence the binary has, is written into the binary as its configure line.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');

/** The configure line in a binary, or `undefined` when there is none. */
export function configureLine(binary: Buffer): string | undefined {
  const marker = binary.indexOf('--enable-gpl');
  const other = marker < 0 ? binary.indexOf('--enable-version3') : marker;
  if (other < 0) return undefined;
  let start = other;
  while (start > 0 && (binary[start - 1] as number) >= 0x20 && (binary[start - 1] as number) < 0x7f) start -= 1;
  const end = binary.indexOf(0, other);
  return binary.subarray(start, end < 0 ? undefined : end).toString('latin1');
}

/** The licence that a configure line makes, in FFmpeg's own terms. */
export function licenceOf(line: string): string {
  const has = (option: string) => line.includes(`--enable-${option}`);
  const version = has('version3') ? '3' : '2.1';
  const base = has('gpl') ? `GPL-${has('version3') ? '3.0' : '2.0'}-or-later` : `LGPL-${version}-or-later`;
  const parts = [
    has('nonfree') && 'nonfree',
    has('libfdk-aac') && 'fdk-aac (FDK-AAC)',
    has('libx264') && 'x264 (GPL-2.0-or-later)',
  ];
  const notes = parts.filter(Boolean);
  return notes.length > 0 ? `${base}, with ${notes.join(', ')}` : base;
}

/** The binaries of node-av's package for this system. */
function* binaries(): Generator<string> {
  const scope = path.join(root, 'node_modules/@seydx');
  if (!existsSync(scope)) return;
  for (const name of readdirSync(scope).filter((each) => each.startsWith('node-av-'))) {
    for (const file of readdirSync(path.join(scope, name), { recursive: true, encoding: 'utf8' })) {
      if (/\.(node|so)(\.\d+)*$/.test(file)) yield path.join(scope, name, file);
    }
  }
}

/** The licence of the installed FFmpeg; `undefined` when node-av is not installed. */
export function ffmpegLicence(): string | undefined {
  for (const file of binaries()) {
    const line = configureLine(readFileSync(file));
    if (line) return `MIT for the wrapper; the FFmpeg inside: ${licenceOf(line)}`;
  }
  return undefined;
}
