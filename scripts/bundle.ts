/**
 * Builds one browser bundle: `node scripts/bundle.ts client|console HASH`.
 *
 * The bundle is made beside the old one and put in its place when it is whole, so a running server never serves half
 * of it. HASH is kept with it, so that the next start knows which inputs it was made from.
 *
 * The same sources and packages give the same bytes wherever and whenever they are built. With the client go the hashes
 * of its files, in `integrity.json`.
 */
import { createHash } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ClientIntegrity } from '@cloister/protocol/client-integrity';
import { build, type InlineConfig } from 'vite';

const root = path.resolve(import.meta.dirname, '..');
const version: string = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).version;

/** Browsers that WebRTC with AES-256 and insertable streams is asked of. */
const TARGET = ['chrome111', 'firefox115', 'safari16.4'];

// It decides which files of packages are bundled; where the build is started must not.
process.env.NODE_ENV = 'production';

const base: InlineConfig = {
  configFile: false,
  envDir: false,
  logLevel: 'warn',
  define: { 'process.env.NODE_ENV': '"production"' },
};

/** The worker that encrypts frames, as text: it stands inside the client, which then is one file under one hash. */
async function frameWorker(folder: string): Promise<string> {
  const entry = path.join(folder, 'src/frames/frame-worker.ts');
  const built = await build({
    ...base,
    root: folder,
    build: {
      write: false,
      target: TARGET,
      minify: true,
      lib: { entry, name: 'frames', formats: ['iife'], fileName: () => 'frame-worker.js' },
    },
  });
  const [output] = [built].flat();
  if (!output || !('output' in output)) throw new Error('the worker of frames was not bundled');
  return output.output[0].code;
}

const SCRIPT = 'opentok.min.js';
const MODULE = 'cloister-client.mjs';

/** The client as a script that defines the global `OT`, and as an ES module. */
async function clientConfigs(outDir: string): Promise<InlineConfig[]> {
  const folder = path.join(root, 'packages/client');
  const define = { ...base.define, __CLOISTER_FRAME_WORKER__: JSON.stringify(await frameWorker(folder)) };
  const shape = (entry: string, format: 'iife' | 'es', fileName: string, emptyOutDir: boolean): InlineConfig => ({
    ...base,
    define,
    root: folder,
    build: {
      outDir,
      emptyOutDir,
      target: TARGET,
      sourcemap: true,
      minify: true,
      lib: { entry: path.join(folder, entry), name: 'OT', formats: [format], fileName: () => fileName },
    },
  });
  return [shape('src/global.ts', 'iife', SCRIPT, true), shape('src/index.ts', 'es', MODULE, false)];
}

/** The pages; asset names carry a hash of their content, so they may be cached for ever. */
function consoleConfig(outDir: string): InlineConfig {
  const folder = path.join(root, 'packages/console');
  return {
    ...base,
    root: folder,
    configFile: path.join(folder, 'vite.config.ts'),
    build: { outDir, emptyOutDir: true, target: TARGET, sourcemap: true },
  };
}

/** The hashes of the client's files in a folder. */
function integrityOf(folder: string): ClientIntegrity {
  const files = [SCRIPT, MODULE].map((file) => {
    const content = readFileSync(path.join(folder, file));
    return {
      file,
      bytes: content.length,
      integrity: `sha384-${createHash('sha384').update(content).digest('base64')}`,
    };
  });
  return { version, files };
}

async function bundle(name: string, hash: string): Promise<void> {
  const target = path.join(root, 'packages', name, 'dist');
  const making = `${target}.${process.pid}`;
  const configs = name === 'client' ? await clientConfigs(making) : [consoleConfig(making)];
  try {
    for (const config of configs) await build(config);
    if (name === 'client')
      writeFileSync(path.join(making, 'integrity.json'), `${JSON.stringify(integrityOf(making), null, 2)}\n`);
    writeFileSync(path.join(making, '.inputs'), hash);
    rmSync(target, { recursive: true, force: true });
    renameSync(making, target);
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
}

const [name, hash] = process.argv.slice(2);
if ((name !== 'client' && name !== 'console') || !hash) {
  console.error('usage: node scripts/bundle.ts client|console HASH');
  process.exitCode = 2;
} else {
  await bundle(name, hash);
}
