/** Finds the test files and sorts them into those that may run side by side and those that may not. */
import { globSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');

const UNIT = ['packages/*/src/**/*.test.{ts,tsx}', 'scripts/**/*.test.ts', 'bench/**/*.test.ts'];
const CROSS_CUTTING = ['tests/**/*.test.ts'];
const END_TO_END = `tests${path.sep}e2e${path.sep}`;
/** Tests that start databases, media workers or servers, and so take seconds. */
const INTEGRATION = '.integration.test.ts';

/** Test files, relative to the repository. */
export interface Chosen {
  readonly plain: readonly string[];
  readonly endToEnd: readonly string[];
}

/**
 * @param choice `unitOnly` leaves tests/e2e and integration tests out; `only` keeps the files in these folders or with these names
 */
export function chooseFiles(choice: { unitOnly: boolean; only: readonly string[] }): Chosen {
  const found = globSync([...UNIT, ...CROSS_CUTTING], { cwd: root }).sort();
  const wanted = choice.only.map((each) => path.relative(root, path.resolve(each)));
  const kept = found.filter(
    (file) => wanted.length === 0 || wanted.some((each) => file === each || file.startsWith(each + path.sep)),
  );
  return {
    plain: kept.filter((file) => !file.startsWith(END_TO_END) && !(choice.unitOnly && file.endsWith(INTEGRATION))),
    endToEnd: choice.unitOnly ? [] : kept.filter((file) => file.startsWith(END_TO_END)),
  };
}

/** The family of a file for the summary: a package, a folder of the server, or a folder of tests. */
export function familyOf(file: string): string {
  const parts = file.split(path.sep);
  if (parts[0] === 'packages') {
    const inner = parts[1] === 'server' && parts.length > 4 ? `/${parts[3]}` : '';
    return `${parts[1]}${inner}`;
  }
  return parts[0] === 'tests' && parts[1] === 'e2e'
    ? `end to end: ${path.basename(file, '.test.ts')}`
    : (parts[0] as string);
}
