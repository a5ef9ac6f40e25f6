/** Finds the test files and sorts them into those that may run side by side and those that may not. */
import { globSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');

const UNIT = ['packages/*/src/**/*.test.{ts,tsx}', 'scripts/**/*.test.ts', 'bench/**/*.test.ts'];
const CROSS_CUTTING = ['tests/**/*.test.ts'];
const END_TO_END = `tests${path.sep}e2e${path.sep}`;
/** Tests that start databases, media workers or servers, and so take seconds. */
const INTEGRATION = '.integration.test.ts';

/** End-to-end tests that compare times, rates or pictures of a live call: another one beside them would be measured too. */
const ALONE = [
  'archive-room',
  'background',
  'capacity',
  'fallback',
  'flood',
  'network-change',
  'publisher-fallback',
  'reconnect',
  'relayed-network',
  'screen',
  'simulcast',
  'turn-network',
  'worker-loss',
];

/**
 * End-to-end tests that look at one part of the product from several sides. A plain run of everything takes so many of
 * each, drawn by the seed; a full run, and one that names files, takes all.
 */
const DRAWN: readonly { readonly of: readonly string[]; readonly take: number }[] = [
  { of: ['archive-individual', 'archive-individual-sealed', 'archive-own-format', 'archive-script'], take: 2 },
  { of: ['archive-clear-bytes', 'archive-kill', 'archive-storage-kill'], take: 1 },
  { of: ['relayed-network', 'turn-network'], take: 1 },
  { of: ['capacity', 'screen', 'simulcast'], take: 2 },
  { of: ['end-to-end-codecs', 'end-to-end-sealed', 'relayed-packets', 'relayed-swapped'], take: 2 },
  { of: ['playground-access', 'playground-archives', 'playground-secret', 'playground-states'], take: 2 },
  { of: ['audit', 'audit-receivers', 'usage'], take: 1 },
  { of: ['address-list', 'people'], take: 1 },
  { of: ['devices', 'moderation', 'publisher-options', 'races'], take: 2 },
];

/** Test files, relative to the repository. */
export interface Chosen {
  readonly plain: readonly string[];
  /** End-to-end tests that do not mind another beside them. */
  readonly endToEnd: readonly string[];
  /** Those that have the machine to themselves. */
  readonly alone: readonly string[];
  /** Names of end-to-end tests that this sample leaves to other seeds. */
  readonly undrawn: readonly string[];
}

/** The name of an end-to-end test, without its folder. */
function nameOf(file: string): string {
  return path.basename(file, '.test.ts');
}

/** What a sample leaves out, by the rank that `random` gives each. */
function undrawnBy(random: () => number): string[] {
  return DRAWN.flatMap(({ of, take }) => {
    const ranked = of.map((name) => ({ name, rank: random() })).sort((one, other) => one.rank - other.rank);
    return ranked.slice(take).map(({ name }) => name);
  });
}

/**
 * @param choice `unitOnly` leaves tests/e2e and integration tests out; `only` keeps the files in these folders or with these
 *   names; `random` gives numbers from 0 up to 1 by which a sample is drawn, null for none
 */
export function chooseFiles(choice: {
  unitOnly: boolean;
  only: readonly string[];
  random: (() => number) | null;
}): Chosen {
  const found = globSync([...UNIT, ...CROSS_CUTTING], { cwd: root }).sort();
  const named = [...ALONE, ...DRAWN.flatMap(({ of }) => of)];
  const gone = named.find((name) => !found.some((file) => file.startsWith(END_TO_END) && nameOf(file) === name));
  if (gone) throw new Error(`scripts/test/files.ts names ${gone}, which is no end-to-end test any more`);
  const wanted = choice.only.map((each) => path.relative(root, path.resolve(each)));
  const kept = found.filter(
    (file) => wanted.length === 0 || wanted.some((each) => file === each || file.startsWith(each + path.sep)),
  );
  const undrawn = choice.random && wanted.length === 0 && !choice.unitOnly ? undrawnBy(choice.random) : [];
  const drawn = kept.filter((file) => file.startsWith(END_TO_END) && !undrawn.includes(nameOf(file)));
  const endToEnd = choice.unitOnly ? [] : drawn;
  return {
    plain: kept.filter((file) => !file.startsWith(END_TO_END) && !(choice.unitOnly && file.endsWith(INTEGRATION))),
    endToEnd: endToEnd.filter((file) => !ALONE.includes(nameOf(file))),
    alone: endToEnd.filter((file) => ALONE.includes(nameOf(file))),
    undrawn,
  };
}

/** The family of a file for the summary: a package, a folder of the server, or a folder of tests. */
export function familyOf(file: string): string {
  const parts = file.split(path.sep);
  if (parts[0] === 'packages') {
    const inner = parts[1] === 'server' && parts.length > 4 ? `/${parts[3]}` : '';
    return `${parts[1]}${inner}`;
  }
  return parts[0] === 'tests' && parts[1] === 'e2e' ? `end to end: ${nameOf(file)}` : (parts[0] as string);
}
