// Builds mediasoup's worker from the sources in its npm package against the system's own libraries.
// Nothing is downloaded: meson.build is read for its lists of sources, and everything that meson would have fetched
// (OpenSSL, libuv, libsrtp, usrsctp, Abseil, FlatBuffers) comes from Debian packages.
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What the build needs on Debian 12. */
export const BUILD_PACKAGES = [
  'flatbuffers-compiler',
  'g++',
  'libabsl-dev',
  'libflatbuffers-dev',
  'libsrtp2-dev',
  'libssl-dev',
  'libusrsctp-dev',
  'libuv1-dev',
  'pkg-config',
];

const LIBRARIES = [
  'absl_bad_optional_access',
  'absl_flat_hash_map',
  'absl_hash',
  'absl_raw_hash_set',
  'absl_strings',
  'libcrypto',
  'libsrtp2',
  'libssl',
  'libuv',
];

const HARDENING = ['-fPIE', '-fstack-protector-strong', '-D_FORTIFY_SOURCE=2'];
const HARDENED_LINK = ['-pie', '-Wl,-z,relro,-z,now', '-s'];

/**
 * The string literals of one list in a meson file, comments left out.
 * @param {string} text the meson file
 * @param {string} name the list's variable
 */
export function mesonList(text, name) {
  const start = text.search(new RegExp(`^${name} = \\[`, 'm'));
  const end = text.indexOf('\n]', start);
  if (start < 0 || end < 0) throw new Error(`meson.build has no list called ${name}: this recipe fits another version`);
  const lines = text.slice(start, end).split('\n');
  return lines.flatMap((line) => /^\s*'([^']+)',?\s*$/.exec(line)?.[1] ?? []);
}

/** The worker's C++ sources, relative to its folder. */
function sources(workerFolder) {
  const own = mesonList(readFileSync(path.join(workerFolder, 'meson.build'), 'utf8'), 'common_sources');
  const webrtc = mesonList(
    readFileSync(path.join(workerFolder, 'deps/libwebrtc/meson.build'), 'utf8'),
    'libwebrtc_sources',
  );
  return ['src/main.cpp', ...own, ...webrtc.map((file) => `deps/libwebrtc/${file}`)];
}

async function pkgConfig(flag) {
  const { stdout } = await run('pkg-config', [flag, ...LIBRARIES]);
  return stdout.trim().split(/\s+/).filter(Boolean);
}

async function generateMessages(workerFolder, outFolder) {
  const schemas = path.join(workerFolder, 'fbs');
  const files = readdirSync(schemas).filter((name) => name.endsWith('.fbs'));
  const style = [
    '--cpp',
    '--scoped-enums',
    '--reflect-names',
    '--cpp-field-case-style',
    'lower',
    '--filename-suffix',
    '',
  ];
  const target = path.join(outFolder, 'FBS');
  mkdirSync(target, { recursive: true });
  await run('flatc', [...style, '-o', target, ...files.map((name) => path.join(schemas, name))]);
}

/** Compiles every source, one compiler a core; the first error stops the rest. */
async function compileAll(workerFolder, objects, flags, progress) {
  const waiting = [...objects];
  let done = 0;
  const compiler = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      mkdirSync(path.dirname(next.object), { recursive: true });
      try {
        await run('g++', [...flags, '-c', path.join(workerFolder, next.source), '-o', next.object], {
          maxBuffer: 1 << 26,
        });
      } catch (error) {
        waiting.length = 0;
        throw new Error(`g++ could not compile ${next.source}:\n${String(error.stderr).slice(0, 4000)}`, {
          cause: error,
        });
      }
      done += 1;
      progress(done, objects.length);
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: availableParallelism() }, compiler));
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed) throw failed.reason;
}

/**
 * Builds the worker.
 * @param {{ workerFolder: string, outFolder: string, progress: (done: number, all: number) => void }} options
 * @returns {Promise<string>} the path of the binary, inside `outFolder`
 */
export async function buildWorker({ workerFolder, outFolder, progress }) {
  const messages = path.join(outFolder, 'messages');
  await generateMessages(workerFolder, messages);
  const webrtc = path.join(workerFolder, 'deps/libwebrtc');
  const include = [
    path.join(workerFolder, 'include'),
    messages,
    path.join(webrtc, 'libwebrtc'),
    webrtc,
    '/usr/include/srtp2',
  ];
  const little = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
  const define = [
    'NDEBUG',
    'MS_EXECUTABLE',
    little ? 'MS_LITTLE_ENDIAN' : 'MS_BIG_ENDIAN',
    'FLATBUFFERS_LOCALE_INDEPENDENT=1',
  ];
  const flags = [
    '-std=c++20',
    '-O3',
    '-w',
    ...HARDENING,
    ...define.map((name) => `-D${name}`),
    '-include',
    fileURLToPath(new URL('compat.hpp', import.meta.url)),
    ...include.map((folder) => `-I${folder}`),
    ...(await pkgConfig('--cflags')),
  ];
  const objects = sources(workerFolder).map((source) => ({
    source,
    object: path.join(outFolder, 'objects', `${source}.o`),
  }));
  await compileAll(workerFolder, objects, flags, progress);
  const binary = path.join(outFolder, 'mediasoup-worker');
  const libraries = ['-lusrsctp', '-lflatbuffers', ...(await pkgConfig('--libs')), '-lpthread', '-ldl'];
  await run('g++', [...HARDENED_LINK, '-o', binary, ...objects.map((each) => each.object), ...libraries]);
  return binary;
}
