// Builds the client script alone, for those who serve it themselves or compare it: `npm run client`.
//
// Runs on any Node from 20 on and with nothing installed. Needs neither the media worker nor a server.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureBundles } from './prepare/bundles.mjs';
import { ensurePackagesInstalled } from './prepare/packages.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const say = (line) => process.stderr.write(`[client] ${line}\n`);

try {
  await ensurePackagesInstalled(root, say);
  await ensureBundles(root, say, ['client']);
  const dist = path.join(root, 'packages/client/dist');
  const { version, files } = JSON.parse(readFileSync(path.join(dist, 'integrity.json'), 'utf8'));
  console.log(`Cloister ${version}, in ${dist}`);
  for (const { file, bytes, integrity } of files) console.log(`${integrity}  ${file}  ${bytes} bytes`);
} catch (error) {
  process.stderr.write(`\n${error.message}\n`);
  process.exitCode = 1;
}
