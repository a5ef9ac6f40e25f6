/**
 * The first start in development: an account on the enterprise plan, a project, and `dev-credentials.json` in the data
 * folder, readable by its owner only, so that an example or a test can begin at once. Production never comes here.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Core } from './core/index.ts';

export interface DevCredentials {
  readonly url: string;
  readonly accountKey: string;
  readonly accountSecret: string;
  readonly apiKey: string;
  readonly apiSecret: string;
}

const fileName = 'dev-credentials.json';

/**
 * Makes the first account and project where there are none, and keeps the file's `url` true.
 * @returns what the file holds, and whether it was made now; null when the file was taken away and the secrets with it.
 */
export async function devCredentials(
  core: Core,
  dataDir: string,
  url: string,
): Promise<{ made: boolean; credentials: DevCredentials } | null> {
  const file = path.join(dataDir, fileName);
  const known = await read(file);
  if (known) {
    const credentials = { ...known, url };
    if (known.url !== url) await write(file, credentials);
    return { made: false, credentials };
  }
  if ((await core.accounts.list()).length > 0) return null;
  const actor = { kind: 'operator', via: 'start' } as const;
  const { account, secret: accountSecret } = await core.accounts.create(actor, {
    name: 'Development',
    plan: 'enterprise',
  });
  const { project, secret: apiSecret } = await core.projects.create(actor, account.id, { name: 'First project' });
  const credentials = { url, accountKey: account.id, accountSecret, apiKey: project.id, apiSecret };
  await write(file, credentials);
  return { made: true, credentials };
}

async function read(file: string): Promise<DevCredentials | null> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as DevCredentials;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

async function write(file: string, credentials: DevCredentials): Promise<void> {
  const fresh = `${file}.new`;
  await writeFile(fresh, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600 });
  await rename(fresh, file);
}
