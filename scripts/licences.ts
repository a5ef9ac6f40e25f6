/** Writes docs/reference/licences.md and fails when a package has a licence that nobody has looked at: `npm run licences`. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { isFree, licences, productionPackages } from './docs/licences.ts';
import { pageOf } from './docs/page.ts';

const root = path.resolve(import.meta.dirname, '..');

/** Kept out of our own processes: the recorder's child process alone loads it. */
const APART = ['node-av'];

writeFileSync(path.join(root, licences.file), await pageOf(licences));
const packages = productionPackages();
const unseen = packages.filter(({ name, licence }) => !isFree(licence) && !APART.some((each) => name.includes(each)));
for (const { name, version, licence } of unseen)
  console.error(`${name} ${version}: ${licence} is not in FREE_LICENCES`);
console.log(`${packages.length} packages listed in ${licences.file}`);
process.exitCode = unseen.length > 0 ? 1 : 0;
