// The browser bundles: built when the files that go into them have changed.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { withLock } from './lock.mjs';

/** What is bundled. `entry` is looked for, so that a package without pages is left alone. */
const BUNDLES = [
  { name: 'client', entry: 'packages/client/src/global.ts', inputs: ['packages/client', 'packages/protocol'] },
  {
    name: 'console',
    entry: 'packages/console/index.html',
    inputs: ['packages/console', 'packages/client', 'packages/protocol'],
  },
];

const COMMON_INPUTS = ['package-lock.json', 'tsconfig.json', 'scripts/bundle.ts'];
const NOT_INPUT = new Set(['dist', 'node_modules']);

function* files(place) {
  const entries = readdirSync(place, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    if (NOT_INPUT.has(entry.name) || entry.name.startsWith('dist.') || /\.test\.tsx?$/.test(entry.name)) continue;
    const full = path.join(place, entry.name);
    if (entry.isDirectory()) yield* files(full);
    else if (entry.isFile()) yield full;
  }
}

/** A hash over the names and contents of everything that goes into a bundle. */
export function inputsHash(root, inputs) {
  const hash = createHash('sha256');
  for (const input of inputs) {
    const place = path.join(root, input);
    const found = COMMON_INPUTS.includes(input) ? [place] : [...files(place)];
    for (const file of found) {
      const content = readFileSync(file);
      hash.update(`${path.relative(root, file)} ${content.length}\n`).update(content);
    }
  }
  return hash.digest('hex');
}

function stampOf(root, name) {
  const file = path.join(root, 'packages', name, 'dist', '.inputs');
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

function build(root, name, hash) {
  const node = path.join(root, 'node_modules/.bin/node');
  return new Promise((resolve, reject) => {
    const child = spawn(node, ['scripts/bundle.ts', name, hash], { cwd: root, stdio: ['ignore', 2, 2] });
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`The ${name} could not be bundled; the cause is above.`)),
    );
  });
}

/**
 * Builds each bundle whose inputs changed.
 * @param {string} root the repository
 * @param {(line: string) => void} say
 * @param {readonly string[]} names of the bundles that are wanted
 */
export async function ensureBundles(root, say, names = BUNDLES.map(({ name }) => name)) {
  for (const { name, entry, inputs } of BUNDLES) {
    if (!names.includes(name) || !existsSync(path.join(root, entry))) continue;
    const current = () => inputsHash(root, [...COMMON_INPUTS, ...inputs]);
    if (stampOf(root, name) === current()) continue;
    await withLock(path.join(root, 'packages', name, 'dist.lock'), say, async () => {
      const hash = current();
      if (stampOf(root, name) === hash) return;
      const started = Date.now();
      await build(root, name, hash);
      say(`${name}: bundled in ${((Date.now() - started) / 1000).toFixed(1)} s`);
    });
  }
}
