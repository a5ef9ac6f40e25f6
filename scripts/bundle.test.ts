/** The client's bundles are the same bytes wherever, whenever and under whatever settings they are built. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { clientIntegrity } from '@cloister/protocol/client-integrity';

const run = promisify(execFile);
const root = path.resolve(import.meta.dirname, '..');
const folder = mkdtempSync(path.join(tmpdir(), 'cloister-bundle-'));
after(() => rmSync(folder, { recursive: true }));

/** Names of the packages that the client needs, and of those that they need. */
function needed(manifest: string, found = new Set<string>()): Set<string> {
  const { dependencies = {} } = JSON.parse(readFileSync(manifest, 'utf8')) as { dependencies?: object };
  for (const name of Object.keys(dependencies)) {
    if (found.has(name)) continue;
    found.add(name);
    const own = path.join(root, 'node_modules', name, 'package.json');
    if (existsSync(own)) needed(own, found);
  }
  return found;
}

/** A clone in another place: what is bundled is copied, the tools are links to those here. */
function cloneAt(place: string): void {
  for (const name of ['package.json', 'tsconfig.json', 'scripts/bundle.ts', 'packages/client', 'packages/protocol']) {
    cpSync(path.join(root, name), path.join(place, name), {
      recursive: true,
      filter: (source) => !/\/(dist[\w.]*|node_modules)$/.test(source),
    });
  }
  const copied = new Set(
    ['client', 'protocol'].flatMap((name) => [...needed(path.join(root, 'packages', name, 'package.json'))]),
  );
  const modules = path.join(place, 'node_modules');
  mkdirSync(path.join(modules, '@cloister'), { recursive: true });
  for (const name of ['client', 'protocol'])
    symlinkSync(path.join('../../packages', name), path.join(modules, '@cloister', name));
  for (const entry of readdirSync(path.join(root, 'node_modules'))) {
    if (entry === '@cloister') continue;
    const [from, to] = [path.join(root, 'node_modules', entry), path.join(modules, entry)];
    const whole = [...copied].some((name) => name === entry || name.startsWith(`${entry}/`));
    if (whole) cpSync(from, to, { recursive: true, verbatimSymlinks: true });
    else symlinkSync(from, to);
  }
}

/** Builds there, in a shell with this umask and these settings, on a day so far from now; → the bytes by file name. */
async function built(place: string, umask: string, env: Record<string, string>, days: number) {
  const clock = `data:text/javascript,{const N=Date.now,D=${days * 86_400_000};Date.now=()=>N()+D;
    globalThis.Date=class extends Date{constructor(...a){a.length?super(...a):super(Date.now())}}}`;
  const words = `umask ${umask} && exec "$0" --import="$1" scripts/bundle.ts client hash`;
  await run('sh', ['-c', words, process.execPath, clock], {
    cwd: place,
    env: { PATH: process.env.PATH, HOME: place, ...env },
  });
  const dist = path.join(place, 'packages/client/dist');
  return new Map(readdirSync(dist).map((name) => [name, readFileSync(path.join(dist, name))]));
}

test('two builds in different places, years, time zones and languages are the same, byte for byte', async () => {
  const [here, there] = ['a', 'far/away, in another place'].map((name) => path.join(folder, name)) as [string, string];
  for (const place of [here, there]) cloneAt(place);
  const [one, other] = await Promise.all([
    built(here, '022', { TZ: 'UTC', LANG: 'C', NODE_ENV: 'production' }, 0),
    built(
      there,
      '077',
      { TZ: 'Pacific/Auckland', LC_ALL: 'tr_TR.UTF-8', USER: 'eve', NODE_ENV: 'development', VITE_EVE: '1' },
      900,
    ),
  ]);
  const names = ['cloister-client.mjs', 'cloister-client.mjs.map', 'integrity.json', 'opentok.min.js'];
  assert.deepEqual([...one.keys()].sort(), ['.inputs', ...names, 'opentok.min.js.map']);
  assert.deepEqual([...other.keys()].sort(), [...one.keys()].sort());
  for (const [name, bytes] of one) assert.ok(other.get(name)?.equals(bytes), `${name} differs`);

  // No place is in them, and the maps lead nowhere beyond the clone.
  for (const [name, bytes] of one) assert.ok(!bytes.includes(folder) && !bytes.includes(root), name);
  const { sources } = JSON.parse(String(one.get('opentok.min.js.map'))) as { sources: string[] };
  assert.ok(
    sources.length > 50 && sources.every((source) => /^(\.\.\/){1,4}(src|protocol|node_modules)\//.test(source)),
  );
});

test('integrity.json has the hash of each file as Subresource Integrity writes it', () => {
  const dist = path.join(root, 'packages/client/dist');
  const { version, files } = clientIntegrity.parse(JSON.parse(readFileSync(path.join(dist, 'integrity.json'), 'utf8')));
  assert.equal(version, JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).version);
  assert.deepEqual(
    files.map(({ file }) => file),
    ['opentok.min.js', 'cloister-client.mjs'],
  );
  for (const { file, bytes, integrity } of files) {
    const content = readFileSync(path.join(dist, file));
    assert.equal(bytes, content.length);
    assert.equal(integrity, `sha384-${createHash('sha384').update(content).digest('base64')}`);
  }
});
