/** docs/reference/licences.md: what is shipped or installed with the platform, and under which licence. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ffmpegLicence } from './ffmpeg-licence.ts';
import { type Generator, table } from './page.ts';

const root = path.resolve(import.meta.dirname, '../..');

/** Licences under which anything may be used here. */
export const FREE_LICENCES = [
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Bitstream-Vera',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  'MIT-0',
  'MPL-2.0',
  'OFL-1.1',
  'PostgreSQL',
  'Python-2.0',
  'Unlicense',
  'Zlib',
];

/** node-av and its packages with the binary for each system say MIT, which is true of the wrapper only. */
const HOLDS_FFMPEG = /^(node-av|@seydx\/node-av-.+)$/;

/** Packages whose package.json names none, or points elsewhere; each has a LICENSE that was read. */
const READ_LICENCES: Readonly<Record<string, string>> = {
  '@shinyoshiaki/jspack': 'BSD-3-Clause',
  'dejavu-fonts-ttf': 'Bitstream-Vera',
};

/** What the media worker links when it is built here; Debian's packages. */
const WORKER_LIBRARIES = [
  ['mediasoup-worker', 'ISC'],
  ['libwebrtc (parts, inside mediasoup)', 'BSD-3-Clause'],
  ['Abseil', 'Apache-2.0'],
  ['FlatBuffers', 'Apache-2.0'],
  ['libsrtp', 'BSD-3-Clause'],
  ['libuv', 'MIT'],
  ['OpenSSL', 'Apache-2.0'],
  ['usrsctp', 'BSD-3-Clause'],
];

interface Locked {
  readonly version: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly link?: boolean;
}

/** A package that the platform needs in order to run. */
export interface Licensed {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
}

/** package.json of an installed package; an optional one for another system is not installed. */
function licenceInside(place: string): string | undefined {
  try {
    const { license, licenses } = JSON.parse(readFileSync(path.join(root, place, 'package.json'), 'utf8'));
    return license?.type ?? license ?? licenses?.map((each: { type: string }) => each.type).join(' OR ');
  } catch {
    return undefined;
  }
}

/** Everything in package-lock.json that is not for development only, by name and version. */
export function productionPackages(): Licensed[] {
  const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8'));
  const found = new Map<string, Licensed>();
  const ffmpeg = ffmpegLicence();
  for (const [place, entry] of Object.entries<Locked>(lock.packages)) {
    const name = place.split('node_modules/').at(-1) as string;
    if (!place.includes('node_modules/') || entry.link || entry.dev || entry.devOptional) continue;
    const licence =
      (HOLDS_FFMPEG.test(name) ? ffmpeg : undefined) ??
      READ_LICENCES[name] ??
      entry.license ??
      licenceInside(place) ??
      'unknown';
    found.set(`${name}@${entry.version}`, { name, version: entry.version, licence });
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Whether a licence expression leaves a choice that is free here. */
export function isFree(expression: string): boolean {
  const words = expression.replaceAll(/[()]/g, '');
  return words
    .split(' OR ')
    .some((choice) => choice.split(' AND ').every((each) => FREE_LICENCES.includes(each.trim())));
}

export const licences: Generator = {
  file: 'docs/reference/licences.md',
  generate: () => {
    const packages = productionPackages();
    return [
      '# Licences',
      '',
      'Cloister is under Apache-2.0 (see LICENSE). It installs the following npm packages.',
      '',
      table(
        ['Package', 'Version', 'Licence'],
        packages.map(({ name, version, licence }) => [name, version, licence]),
      ),
      '',
      '## The media worker',
      '',
      'It is a program of its own, either prebuilt by mediasoup or built on your machine, and links these:',
      '',
      table(['Library', 'Licence'], WORKER_LIBRARIES),
    ].join('\n');
  },
};
