// Debian's packages: which are missing, and installing them where this process may.
import { spawn, spawnSync } from 'node:child_process';

/** dpkg-query's own placeholders, not ours. */
const FORMAT = `\${Package} \${db:Status-Status}\n`;

/**
 * The packages of `names` that are not installed, or `undefined` on a system without dpkg.
 * @param {string[]} names
 */
export function missingPackages(names) {
  const asked = spawnSync('dpkg-query', ['-W', '-f', FORMAT, ...names], {
    encoding: 'utf8',
  });
  if (asked.error) return undefined;
  const installed = new Set(
    asked.stdout.split('\n').flatMap((line) => (line.endsWith(' installed') ? [line.split(' ')[0]] : [])),
  );
  return names.filter((name) => !installed.has(name));
}

function apt(args) {
  const env = {
    ...process.env,
    DEBIAN_FRONTEND: 'noninteractive',
    // A package brings programs that we start ourselves; its own service is not wanted.
    RUNLEVEL: '1',
  };
  return new Promise((resolve, reject) => {
    const child = spawn('apt-get', args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let complaint = '';
    child.stderr.on('data', (chunk) => {
      complaint = (complaint + chunk).slice(-4000);
    });
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`apt-get ${args[0]} failed:\n${complaint}`)),
    );
  });
}

/**
 * Sees to it that these packages are installed.
 * @param {string[]} names
 * @param {string} purpose completes "… is needed to"
 * @param {(line: string) => void} say
 * @throws when one is missing and this process is not root; the message holds the exact line to run
 */
export async function ensurePackages(names, purpose, say) {
  const missing = missingPackages(names);
  if (missing === undefined) {
    say(`this is not a Debian system: the counterparts of ${names.join(', ')} are needed to ${purpose}`);
    return;
  }
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0) {
    const line = `sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing.join(' ')}`;
    throw new Error(
      `Debian packages are needed to ${purpose}, and only root can install them. Run this, then start again:\n\n  ${line}\n`,
    );
  }
  say(`installing ${missing.length} Debian packages to ${purpose}: ${missing.join(' ')}`);
  const install = ['install', '-y', '--no-install-recommends', ...missing];
  await apt(['update']);
  await apt(install);
}
