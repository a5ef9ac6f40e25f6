// Makes this clone ready to run: npm packages, media worker, browser bundles and, with --tests, what tests need.
//
// Runs before `npm start`, `npm test` and the others, on any Node from 20 on and with nothing installed. When
// nothing is to be done it says nothing and takes a fraction of a second.
import { fileURLToPath } from 'node:url';
import { ensurePackages } from './prepare/apt.mjs';
import { ensureBundles } from './prepare/bundles.mjs';
import { ensureMediaWorker } from './prepare/media-worker.mjs';
import { ensurePackagesInstalled } from './prepare/packages.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Browsers, servers and independent programs that the tests drive; `ip` and `tc` come with iproute2. strace and tcpdump watch. */
const TEST_PACKAGES = [
  'bubblewrap',
  'chromium',
  'coturn',
  'libnss3-tools',
  'ffmpeg',
  'firefox-esr',
  'iproute2',
  'nftables',
  'openssl',
  'postgresql',
  'python3-cryptography',
  'python3-swift',
  'rsyslog',
  'rsyslog-gnutls',
  'strace',
  'tcpdump',
  'unzip',
  'xxd',
];
/** The peer, and what drops packets on the way. */
const BENCH_PACKAGES = ['iptables', 'janus'];

const started = Date.now();
/** Progress goes to standard error, so that a command's own output stays clean. */
function say(line) {
  const seconds = Math.round((Date.now() - started) / 1000);
  process.stderr.write(`[prepare ${String(seconds).padStart(3)} s] ${line}\n`);
}

try {
  await ensurePackagesInstalled(root, say);
  await ensureMediaWorker(say);
  await ensureBundles(root, say);
  if (process.argv.includes('--tests')) await ensurePackages(TEST_PACKAGES, 'run the tests', say);
  if (process.argv.includes('--bench'))
    await ensurePackages([...TEST_PACKAGES, ...BENCH_PACKAGES], 'run the bench', say);
} catch (error) {
  process.stderr.write(`\n${error.message}\n`);
  process.exitCode = 1;
}
