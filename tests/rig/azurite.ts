/** Azurite, Microsoft's own emulator of Azure Blob, over TLS on loopback, in a temporary folder and without its telemetry. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { command, ownChild, tempFolder } from './cleanup.ts';
import { freePorts } from './ports.ts';
import { Feed } from './wait.ts';

const PROGRAM = path.resolve(import.meta.dirname, '../../node_modules/azurite/dist/src/blob/main.js');
const START_MS = 60_000;

export interface Azurite {
  readonly accountName: string;
  readonly accountKey: string;
  /** What follows the name of the account in the name of the host, with the port. */
  readonly domain: string;
  /** The certificate that clients must trust, in PEM. */
  readonly certificate: string;
  stop(): void;
}

export async function startAzurite(): Promise<Azurite> {
  const folder = tempFolder('azurite');
  const port = await freePorts(1);
  const accountName = 'devstoreaccount1';
  const accountKey = Buffer.from('a key of this test, and of nothing else').toString('base64');
  const [key, cert] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')];
  const host = `${accountName}.blob.localhost`;
  const subject = ['-subj', '/CN=Cloister test', '-addext', `subjectAltName=DNS:${host}`];
  const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert];
  command('openssl', 'req', '-x509', '-days', '2', ...subject, ...made);
  const place = [
    '--blobHost',
    '127.0.0.1',
    '--blobPort',
    String(port),
    '--location',
    folder,
    '--cert',
    cert,
    '--key',
    key,
  ];
  const words = [PROGRAM, ...place, '--disableTelemetry', '--skipApiVersionCheck', '--silent'];
  const child: ChildProcess = spawn(process.execPath, words, {
    env: { ...process.env, AZURITE_ACCOUNTS: `${accountName}:${accountKey}` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  ownChild(child);
  const lines = new Feed<string>();
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) createInterface({ input: stream }).on('line', (line) => lines.push(line));
  }
  const end = new Promise<never>((_, reject) => {
    child.once('exit', () => reject(new Error(`Azurite did not start:\n${lines.items.join('\n')}`)));
  });
  end.catch(() => {});
  const ready = lines.next('Azurite to listen', (line) => /successfully (listen|start)/i.test(line), { ms: START_MS });
  await Promise.race([ready, end]);
  const certificate = readFileSync(cert, 'utf8');
  return { accountName, accountKey, domain: `blob.localhost:${port}`, certificate, stop: () => void child.kill() };
}
