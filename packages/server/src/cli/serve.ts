/** `cloister serve`: reads the settings, starts the platform, says where it is, and stops it in order. */
import { asPlatformError } from '@cloister/protocol';
import { type Config, loadConfig } from '../config.ts';
import { switchOffCoreDumps } from '../lib/index.ts';
import { createLogger } from '../log/index.ts';
import { type Platform, startPlatform } from '../main.ts';
import { warningsFor } from './known-bad.ts';
import { type Lan, prepareLan } from './lan.ts';
import { say } from './terminal.ts';

/**
 * Starts the server with these options and lets it run until a signal stops it. With `--json` standard output has one
 * line, once calls can be made: an object for programs. @throws PlatformError
 */
export async function serve(argv: readonly string[]): Promise<void> {
  const began = performance.now();
  const json = argv.includes('--json');
  const tell = json ? () => {} : say;
  const config = loadConfig(
    undefined,
    argv.filter((word) => word !== '--json'),
  );
  // Before there is anything to be found in one: workers and recorders inherit it.
  const dumpsOff = await switchOffCoreDumps(process.pid);
  const lan = config.lan ? await prepareLan({ dataDir: config.dataDir }) : undefined;
  const platform = await startPlatform(config, {
    journal: createLogger(process.stderr, { level: config.logLevel }),
    progress: (step) => tell(`  ${step}`),
    lan,
  });
  // Before it says that it is ready: whoever reads that may stop it at once.
  stopOnSignals(platform, config, tell);
  const ms = Math.round(performance.now() - began);
  if (json) say(JSON.stringify(readyLine(platform, config, { ms, lan, dumpsOff })));
  else {
    announce(platform, config, { ms, dumpsOff });
    if (lan) await announceLan(lan, new URL(platform.url).port);
  }
}

const notShutIn = {
  require: 'recorders cannot be shut in: archives are refused until bubblewrap is installed and may make namespaces',
  prefer: 'recorders are not shut in: one that a stranger takes over reaches files and the network; install bubblewrap',
};

interface Started {
  readonly ms: number;
  /** Whether a crash leaves no copy of the memory, which has media and keys in it. */
  readonly dumpsOff: boolean;
  readonly lan?: Lan;
}

function warningsOf({ media, recorders }: Platform, { recorderSandbox }: Config, dumpsOff: boolean): string[] {
  const { node, openssl } = process.versions;
  return [
    ...warningsFor('Node', node),
    ...warningsFor('OpenSSL', openssl),
    ...warningsFor('OpenSSL', media.versions.openssl),
    ...(media.reportsSuites ? [] : ['the media worker does not report SRTP suites; require-aes256 is refused']),
    ...(recorders.shutIn ? [] : [notShutIn[recorderSandbox]]),
    ...(recorders.memoryLimited ? [] : ['the kernel does not bound the memory of recorders; install prlimit']),
    ...(dumpsOff ? [] : ['core dumps are not off: a crash may write clear media and keys to a disk; install prlimit']),
  ];
}

/** What people are told, for programs. The secret is in it when people are shown it too: at the start that made it. */
function readyLine(platform: Platform, config: Config, { ms, lan, dumpsOff }: Started): Record<string, unknown> {
  const { url, media, dev } = platform;
  return {
    url,
    playground: `${url}/playground`,
    mode: config.mode,
    startedInMs: ms,
    versions: {
      node: process.versions.node,
      openssl: process.versions.openssl,
      mediaWorker: media.versions.worker,
      mediaOpenssl: media.versions.openssl,
    },
    warnings: warningsOf(platform, config, dumpsOff),
    apiKey: dev?.credentials.apiKey ?? null,
    ...(dev?.made ? { apiSecret: dev.credentials.apiSecret } : {}),
    ...(lan ? { addresses: lan.addresses, code: lan.code } : {}),
  };
}

function announce(platform: Platform, config: Config, { ms, dumpsOff }: Started): void {
  const { url, media, dev } = platform;
  const { node, openssl } = process.versions;
  const { worker, openssl: workerOpenssl } = media.versions;
  say(`Cloister is ready at ${url} after ${ms} ms (${config.mode})`);
  say(`  Node ${node} with OpenSSL ${openssl}, media worker ${worker} with ${workerOpenssl}`);
  for (const warning of warningsOf(platform, config, dumpsOff)) say(`  WARNING: ${warning}`);
  say(`  playground  ${url}/playground`);
  if (!dev) return;
  say(`  project     ${dev.credentials.apiKey}`);
  say(`  secret      ${dev.made ? dev.credentials.apiSecret : 'in dev-credentials.json'}`);
}

async function announceLan(lan: Lan, port: string): Promise<void> {
  for (const address of lan.addresses)
    say(`  on this network  https://${address.includes(':') ? `[${address}]` : address}:${port}/playground`);
  say(`  code        ${lan.code}   (each device is asked for it once)`);
  say('  The certificate is of an authority made here; a device that does not trust it warns first.');
  if (lan.addresses[0]) say(await lan.qrText(`https://${lan.addresses[0]}:${port}/playground`));
}

function stopOnSignals(platform: Platform, config: Config, tell: (line: string) => void): void {
  let stopping = false;
  const stop = () => {
    if (stopping) return;
    stopping = true;
    tell('stopping: saying goodbye to clients, then closing');
    setTimeout(() => process.exit(1), config.stopWithin).unref();
    platform.close().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`${asPlatformError(error).message}\n`);
        process.exit(1);
      },
    );
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
}
