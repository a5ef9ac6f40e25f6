/** The files of this repository, read once, with their syntax trees. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseSync } from 'vite';

export const root = path.resolve(import.meta.dirname, '../..');

const SKIPPED_FOLDERS = new Set(['node_modules', 'dist', '.git', 'data', 'tmp']);

/** A node of the syntax tree: its kind, its place and whatever its kind has. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [member: string]: unknown;
}

export interface SourceFile {
  /** Relative to the repository, with slashes. */
  readonly path: string;
  readonly text: string;
  /** The package it belongs to, when it is in packages/X/src. */
  readonly package: string | undefined;
  /** Inside packages/server/src: the folder, or the file's name when it lies beside the folders. */
  readonly folder: string | undefined;
  readonly isTest: boolean;
}

function* walk(folder: string): Generator<string> {
  for (const entry of readdirSync(path.join(root, folder), { withFileTypes: true })) {
    if (SKIPPED_FOLDERS.has(entry.name) || /^dist\./.test(entry.name)) continue;
    const place = folder ? `${folder}/${entry.name}` : entry.name;
    if (entry.isDirectory()) yield* walk(place);
    else if (entry.isFile()) yield place;
  }
}

/** Every file of the repository, as paths relative to it. */
export const allFiles: readonly string[] = [...walk('')].sort();

function describe(file: string): SourceFile {
  const parts = file.split('/');
  const inPackage = parts[0] === 'packages' && parts[2] === 'src';
  return {
    path: file,
    text: readFileSync(path.join(root, file), 'utf8'),
    package: inPackage ? parts[1] : undefined,
    folder: inPackage && parts[1] === 'server' ? parts[3] : undefined,
    isTest: /\.(test|contract)\.tsx?$/.test(file) || parts[0] === 'tests' || /-fixtures?\.ts$/.test(file),
  };
}

/** Everything written by hand that runs. */
export const sources: readonly SourceFile[] = allFiles
  .filter((file) => /\.(ts|tsx|mjs)$/.test(file) && !file.endsWith('.d.mts') && !file.endsWith('.d.ts'))
  .map(describe);

const trees = new Map<string, Node>();

/** The syntax tree of a file. */
export function treeOf(file: SourceFile): Node {
  let tree = trees.get(file.path);
  if (!tree) {
    const parsed = parseSync(file.path, file.text);
    if (parsed.errors.length > 0) throw new Error(`${file.path} does not parse: ${parsed.errors[0]?.message}`);
    tree = parsed.program as unknown as Node;
    trees.set(file.path, tree);
  }
  return tree;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';
}

/** Every node below and including `node`. */
export function* nodes(node: Node): Generator<Node> {
  yield node;
  for (const member of Object.values(node)) {
    if (Array.isArray(member)) for (const each of member) if (isNode(each)) yield* nodes(each);
    if (isNode(member)) yield* nodes(member);
  }
}

/** The line of a place in the text, from 1. */
export function lineAt(file: SourceFile, offset: number): number {
  return file.text.slice(0, offset).split('\n').length;
}

/** `a.b` as text for a plain member expression; `undefined` for anything that is computed. */
export function memberName(node: unknown): string | undefined {
  if (!isNode(node) || node.type !== 'MemberExpression' || node.computed === true) return undefined;
  const object = node.object as Node;
  const property = node.property as Node;
  return object.type === 'Identifier' ? `${String(object.name)}.${String(property.name)}` : undefined;
}

/** An import of a file: what is named, and the repository path it means when it is relative. */
export interface Import {
  readonly name: string;
  readonly target: string | undefined;
  readonly line: number;
}

/** Every import, re-export and dynamic import with a fixed name. */
export function importsOf(file: SourceFile): Import[] {
  const found: Import[] = [];
  for (const node of nodes(treeOf(file))) {
    if (!/^(Import(Declaration|Expression)|Export(Named|All)Declaration)$/.test(node.type)) continue;
    const source = node.source as { value?: unknown } | null;
    if (typeof source?.value !== 'string') continue;
    const name = source.value.replace(/\?.*$/, '');
    const target = name.startsWith('.') ? path.posix.join(path.posix.dirname(file.path), name) : undefined;
    found.push({ name, target, line: lineAt(file, node.start) });
  }
  return found;
}
