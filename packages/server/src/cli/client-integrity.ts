/** `cloister client integrity`: the hashes of the client script that this installation hands out. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type ClientIntegrity, clientIntegrity, scriptElement } from '@cloister/protocol/client-integrity';
import { badRequest } from './bad-request.ts';

const built = path.resolve(import.meta.dirname, '../../../client/dist/integrity.json');

/** Where a page finds the script, when neither an option nor the settings say it. */
const SOMEWHERE = 'https://your-host';

/**
 * @param url of the platform, or of what serves a copy of the script at the same path
 * @returns the hashes, and the element that a page loads the script with
 * @throws PlatformError `BadRequest` where the client was not built yet, or `url` is no address
 */
export function clientIntegrityCommand(
  { url = SOMEWHERE }: { readonly url?: string | undefined },
  file = built,
): ClientIntegrity & { readonly script: string } {
  const base =
    URL.canParse(url) && /^https?:$/.test(new URL(url).protocol) ? new URL(url).href.replace(/\/+$/, '') : '';
  if (!base) badRequest(`--url is an address such as ${SOMEWHERE}`);
  const { version, files } = clientIntegrity.parse(JSON.parse(read(file)));
  const [script] = files;
  return { version, files, script: scriptElement(`${base}/v2/js/${script!.file}`, script!.integrity) };
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    return badRequest(`the client script was not built yet (${code}); npm start or npm run client builds it`, cause);
  }
}
