/** The code as text: sizes, words and calls that are not wanted, and what to write instead. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { limitTable } from '@cloister/protocol/limits';
import {
  allFiles,
  lineAt,
  memberName,
  type Node,
  nodes,
  root,
  type SourceFile,
  sources,
  treeOf,
} from './tidy/source.ts';
import { UNTESTED_LIMITS } from './tidy/untested-limits.ts';

const FILE_LINES_MAX = 600;
const FUNCTION_LINES_MAX = 70;

/** Files and functions that are still too long, with their length. Entries are only ever removed or lowered. */
const LONG_FILES: Readonly<Record<string, number>> = {};
const LONG_FUNCTIONS: Readonly<Record<string, number>> = {};

function none(found: string[]): void {
  if (found.length > 0) assert.fail(`\n${found.join('\n')}`);
}

/** Compares what is too long with the list: nothing new, nothing that has shrunk without the list following. */
function ratchet(
  actual: ReadonlyMap<string, number>,
  allowed: Readonly<Record<string, number>>,
  max: number,
): string[] {
  const found: string[] = [];
  for (const [name, lines] of actual) {
    if (lines > (allowed[name] ?? max)) found.push(`${name} has ${lines} lines; ${allowed[name] ?? max} are allowed`);
  }
  for (const [name, lines] of Object.entries(allowed)) {
    const now = actual.get(name) ?? 0;
    if (now <= max) found.push(`${name} is short enough now: remove it from the list`);
    else if (now < lines) found.push(`${name} has shrunk: lower its entry to ${now}`);
  }
  return found;
}

test('no file is longer than 600 lines', () => {
  const long = new Map<string, number>();
  for (const file of sources) {
    const lines = file.text.split('\n').length - 1;
    if (lines > FILE_LINES_MAX) long.set(file.path, lines);
  }
  none(ratchet(long, LONG_FILES, FILE_LINES_MAX));
});

function nameOf(node: Node, parent: Node | undefined): string {
  const own = (node.id as Node | null)?.name;
  const outer = (parent?.id as Node | null)?.name ?? (parent?.key as Node | null)?.name;
  return String(own ?? outer ?? 'anonymous');
}

/** What `describe` is given only groups tests; each of those is a function of its own. */
function isGroup(parent: Node | undefined): boolean {
  return parent?.type === 'CallExpression' && ['describe', 'suite'].includes(String((parent.callee as Node).name));
}

/** Functions with their parent, which often has their name. */
function* functions(node: Node, parent?: Node): Generator<{ node: Node; name: string }> {
  if (/^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type) && !isGroup(parent)) {
    yield { node, name: nameOf(node, parent) };
  }
  for (const member of Object.values(node)) {
    for (const child of Array.isArray(member) ? member : [member]) {
      if (typeof child?.type === 'string') yield* functions(child as Node, node);
    }
  }
}

test('no function is longer than 70 lines', () => {
  const long = new Map<string, number>();
  for (const file of sources) {
    for (const { node, name } of functions(treeOf(file))) {
      const lines = lineAt(file, node.end) - lineAt(file, node.start) + 1;
      if (lines > FUNCTION_LINES_MAX) long.set(`${file.path} ${name}`, lines);
    }
  }
  none(ratchet(long, LONG_FUNCTIONS, FUNCTION_LINES_MAX));
});

/** Calls that a folder may not make, each with what to use. */
const CLOCK = 'take the clock as a dependency (lib/clock.ts)';
const BANNED_CALLS: Readonly<Record<string, string>> = {
  'Date.now': CLOCK,
  'performance.now': CLOCK,
  'process.hrtime': CLOCK,
  'Math.random': 'take the ids as a dependency (lib/ids.ts)',
  setTimeout: CLOCK,
  setInterval: CLOCK,
  setImmediate: CLOCK,
  queueMicrotask: CLOCK,
};
const WITHOUT_CLOCK = ['core', 'zones'];

function bannedCall(node: Node): string | undefined {
  if (node.type === 'NewExpression') {
    const bare = (node.callee as Node).name === 'Date' && (node.arguments as unknown[]).length === 0;
    return bare ? `new Date() without a time: ${CLOCK}` : undefined;
  }
  if (node.type !== 'CallExpression') return undefined;
  const callee = node.callee as Node;
  const name = callee.type === 'Identifier' ? String(callee.name) : memberName(callee);
  const instead = name && BANNED_CALLS[name];
  return instead ? `${name}: ${instead}` : undefined;
}

function findings(files: readonly SourceFile[], wrong: (node: Node, file: SourceFile) => string | undefined): string[] {
  return files.flatMap((file) =>
    [...nodes(treeOf(file))].flatMap((node) => {
      const why = wrong(node, file);
      return why ? [`${file.path}:${lineAt(file, node.start)} ${why}`] : [];
    }),
  );
}

const shipped = sources.filter((file) => file.package !== undefined && !file.isTest);

test('core and zones have no clock, no timer and no chance of their own', () => {
  none(
    findings(
      shipped.filter((file) => WITHOUT_CLOCK.includes(file.folder ?? '')),
      bannedCall,
    ),
  );
});

test('only config.ts reads the environment', () => {
  const others = shipped.filter((file) => file.path !== 'packages/server/src/config.ts');
  none(
    findings(others, (node) =>
      memberName(node) === 'process.env' ? 'process.env: add a setting to config-schema.ts' : undefined,
    ),
  );
});

test('the server writes to the console in its commands and main.ts only', () => {
  const quiet = shipped.filter((file) => file.package === 'server' && !['cli', 'main.ts'].includes(file.folder ?? ''));
  none(
    findings(quiet, (node) =>
      memberName(node)?.startsWith('console.') ? 'console: declare the event in log' : undefined,
    ),
  );
});

test('no test is left out', () => {
  const runners = ['test', 'it', 'describe', 'suite'];
  none(
    findings(
      sources.filter((file) => file.isTest),
      (node) => {
        if (node.type !== 'CallExpression') return undefined;
        const [runner, way] = memberName(node.callee)?.split('.') ?? [String((node.callee as Node).name)];
        if (way && (runners.includes(runner as string) || runner === 't') && ['only', 'skip', 'todo'].includes(way)) {
          return `${runner}.${way}: run it or remove it`;
        }
        if (!runners.includes(runner as string)) return undefined;
        const options = (node.arguments as Node[]).find((each) => each.type === 'ObjectExpression');
        const names = ((options?.properties ?? []) as Node[]).map((each) => (each.key as Node | undefined)?.name);
        const left = names.find((name) => ['only', 'skip', 'todo'].includes(String(name)));
        return left ? `{ ${left} }: run it or remove it` : undefined;
      },
    ),
  );
});

test('nothing is left to be done in a comment, and no check is switched off', () => {
  // Put together here, so that this file does not find itself.
  const words = [`TO${'DO'}`, `FIX${'ME'}`, `X${'XX'}`, `@ts-${'ignore'}`, `@ts-${'nocheck'}`];
  const pattern = new RegExp(`(^|[^A-Za-z])(${words.join('|')})\\b`);
  none(
    sources.flatMap((file) =>
      file.text
        .split('\n')
        .flatMap((line, index) => (pattern.test(line) ? [`${file.path}:${index + 1} ${line.trim()}`] : [])),
    ),
  );
});

test('folders and files are named after their subject, in kebab-case', () => {
  const vague = /^(shared|common|utils|types)$/;
  none(
    allFiles.flatMap((file) => {
      const parts = file.split('/');
      const name = path.basename(file).split('.')[0] as string;
      if (parts.slice(0, -1).some((part) => vague.test(part))) return [`${file}: name the subject`];
      const written = /\.(ts|tsx|mjs)$/.test(file);
      return written && !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name) ? [`${file}: kebab-case`] : [];
    }),
  );
});

test('package-lock.json names no place to download from', () => {
  const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8'));
  none(
    Object.entries<{ resolved?: string }>(lock.packages).flatMap(([place, entry]) =>
      entry.resolved?.includes('://') ? [`${place}: ${entry.resolved}`] : [],
    ),
  );
});

test('every version in a package.json is exact, and all packages have one version', () => {
  const version = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).version;
  const manifests = allFiles.filter((file) => /^(packages\/[^/]+\/)?package\.json$/.test(file));
  none(
    manifests.flatMap((file) => {
      const manifest = JSON.parse(readFileSync(path.join(root, file), 'utf8'));
      const wanted = Object.entries<string>({ ...manifest.dependencies, ...manifest.devDependencies });
      const loose = wanted.filter(([, range]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(range));
      const found = loose.map(([name, range]) => `${file}: ${name} ${range} is not one version`);
      return manifest.version === version ? found : [...found, `${file}: version ${manifest.version}, not ${version}`];
    }),
  );
});

test('the changelog has one heading a version, the newest on top, in known sections', () => {
  const file = path.join(root, 'CHANGELOG.md');
  if (!existsSync(file)) return;
  const version = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).version;
  const lines = readFileSync(file, 'utf8').split('\n');
  const headings = lines.filter((line) => line.startsWith('## '));
  assert.equal(lines[0], '# Changelog');
  assert.ok(headings.length > 0, 'there is no version in it');
  for (const heading of headings) assert.match(heading, /^## (Unreleased|\d+\.\d+\.\d+ \(\d{4}-\d{2}-\d{2}\))$/);
  const top = headings[0] === '## Unreleased' ? headings[1] : headings[0];
  if (top) assert.ok(top.startsWith(`## ${version} `), `the newest version in it is not ${version}`);
  const sections = lines.filter((line) => line.startsWith('### '));
  for (const section of sections)
    assert.match(section, /^### (Security|Added|Changed|Fixed|Removed|Compatibility|Upgrading)$/);
});

test('every limit is in the reference', () => {
  const reference = readFileSync(path.join(root, 'docs/reference/limits.md'), 'utf8');
  none(
    Object.keys(limitTable).flatMap((name) => (reference.includes(`\`${name}\``) ? [] : [`${name}: run npm run docs`])),
  );
});

test('every limit is named by a test, at its bound and past it, or says why it cannot be', () => {
  const tests = sources.filter(
    ({ path: file }) => /\.(test|contract)\.tsx?$/.test(file) && file !== 'tests/tidy.test.ts',
  );
  none(
    Object.keys(limitTable).flatMap((name) => {
      const tested = tests.some(({ text }) => new RegExp(`\\b${name}\\b`).test(text));
      const excused = Object.hasOwn(UNTESTED_LIMITS, name);
      if (tested === excused)
        return [`${name}: ${tested ? 'remove it from tests/tidy/untested-limits.ts' : 'no test names it'}`];
      return [];
    }),
  );
});
