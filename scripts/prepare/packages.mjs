// The npm packages: installed exactly as package-lock.json says, and only when they are not.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { cacheFolder, workerLocation } from '../media-worker/location.mjs';
import { withLock } from './lock.mjs';

function read(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * Whether what is installed is what the lock asks for. npm writes what it installed into a lock of its own, at the
 * very end, so an interrupted install is noticed too.
 * @param {{ packages: Record<string, any> } | undefined} wanted package-lock.json
 * @param {{ packages: Record<string, any> } | undefined} installed node_modules/.package-lock.json
 */
export function upToDate(wanted, installed) {
  if (!wanted || !installed) return false;
  for (const [place, entry] of Object.entries(wanted.packages)) {
    if (!place.includes('node_modules/')) continue;
    const found = installed.packages[place];
    if (!found && entry.optional) continue;
    if (!found || found.version !== entry.version || found.integrity !== entry.integrity) return false;
  }
  return Object.keys(installed.packages).every(
    (place) => place in wanted.packages || installed.packages[place].extraneous,
  );
}

/** `npm ci` removes the node under node_modules that may run us, so npm gets the one that the person installed. */
function pathOfTheMachine(root) {
  const inside = path.join(root, 'node_modules');
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  return folders.filter((folder) => !folder.startsWith(inside)).join(path.delimiter);
}

function npmCi(root) {
  const env = {
    ...process.env,
    PATH: pathOfTheMachine(root),
    // Two packages' install steps would reach for the internet; with these set they do nothing.
    SKIP_FFMPEG: 'true',
    MEDIASOUP_WORKER_BIN: workerLocation(process.env).path,
  };
  // What npm tells its children about the script that runs us would make the new npm act for that script.
  for (const name of Object.keys(env))
    if (/^npm_(lifecycle|package|command|execpath|node_execpath)/.test(name)) delete env[name];
  return new Promise((resolve, reject) => {
    const npm = spawn('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: root,
      env,
      stdio: ['ignore', 2, 2],
    });
    npm.once('error', reject);
    npm.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`npm ci failed with code ${code}; its words are above`)),
    );
  });
}

/**
 * Installs the npm packages if they are missing or not those of package-lock.json.
 * @param {string} root the repository
 * @param {(line: string) => void} say
 */
export async function ensurePackagesInstalled(root, say) {
  const check = () =>
    upToDate(read(path.join(root, 'package-lock.json')), read(path.join(root, 'node_modules/.package-lock.json')));
  if (check()) return;
  const id = createHash('sha256').update(root).digest('hex').slice(0, 12);
  await withLock(path.join(cacheFolder(process.env), `install-${id}.lock`), say, async () => {
    if (check()) return;
    say('installing the npm packages (npm ci)');
    const started = Date.now();
    await npmCi(root);
    say(`npm packages installed in ${Math.round((Date.now() - started) / 1000)} s`);
  });
}
