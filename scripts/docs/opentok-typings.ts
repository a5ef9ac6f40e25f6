/**
 * Reads the published typings of @opentok/client (the declarations, never the code): which members there are, and the
 * same declarations with our classes in the place of theirs, for a comparison by the compiler.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

/** One member: `OT.initSession`, `Session.connect`, `Session event signal`, or a property of an options type. */
export interface Member {
  readonly owner: string;
  readonly kind: 'function' | 'type' | 'property' | 'event';
  readonly name: string;
}

const classes = ['Connection', 'Stream', 'Session', 'Publisher', 'Subscriber'];
const optionTypes = ['PublisherProperties', 'SubscriberProperties'];

/** The file that `@opentok/client` names as its types. */
export function typingsText(): string {
  const manifest = createRequire(import.meta.url).resolve('@opentok/client/package.json');
  const { types } = JSON.parse(readFileSync(manifest, 'utf8')) as { types: string };
  return readFileSync(path.join(path.dirname(manifest), types), 'utf8');
}

/** Lines of a declaration's body at its own depth, without those inside nested braces and parameter lists. */
function members(lines: readonly string[], start: number): string[] {
  const found: string[] = [];
  let depth = 0;
  for (const line of lines.slice(start)) {
    if (found.length > 0 && line.startsWith('  }')) break;
    if (depth === 1) found.push(line);
    depth += count(line, '{') + count(line, '(') - count(line, '}') - count(line, ')');
  }
  return found;
}

function count(line: string, brace: string): number {
  return line.split(brace).length - 1;
}

function named(body: readonly string[]): string[] {
  const names = body.map((line) => /^\s+(?:readonly )?(\w+)\??[:(<]/.exec(line)?.[1]);
  return [...new Set(names.filter((name) => name !== undefined))];
}

/** Every member of the typings, in their order. */
export function membersOf(text: string): Member[] {
  const lines = text.split('\n');
  const functions = [...text.matchAll(/^ {2}export function (\w+)/gm)].map(([, name]) => name as string);
  const found: Member[] = [...new Set(functions)].map((name) => ({ owner: 'OT', kind: 'function', name }));
  for (const owner of classes) {
    const start = lines.findIndex((line) => new RegExp(`^ {2}export class ${owner}\\b`).test(line));
    // A class with events has them first: `extends OTEventEmitter<{ … }> { … }`.
    const withEvents = lines[start]?.endsWith('<{') ?? false;
    const body = withEvents ? lines.findIndex((line, index) => index > start && line === '  }> {') : start;
    if (withEvents) for (const name of named(members(lines, start))) found.push({ owner, kind: 'event', name });
    const inside = members(['{', ...lines.slice(body + 1)], 0);
    for (const name of named(inside)) found.push({ owner, kind: 'property', name });
  }
  for (const owner of optionTypes) {
    const start = lines.findIndex((line) => line.startsWith(`  export type ${owner} =`));
    for (const name of named(members(lines, start))) found.push({ owner, kind: 'property', name });
  }
  const types = [...text.matchAll(/^ {2}(?:export )?(?:type|interface) (\w+)/gm)].map(([, name]) => name as string);
  for (const name of types) found.push({ owner: 'OT', kind: 'type', name });
  return found;
}

/**
 * The same declarations as a module in which `Session`, `Publisher`, … are ours; `ExpectedSession`, … and
 * `SessionEvents`, … say what the published typings promise of them. A program that compiles against the promise compiles against what keeps it.
 * @param ours path of our module, as an import has it
 */
export function expectedModule(text: string, ours: string): string {
  const inside = text.slice(text.indexOf('{') + 1, text.lastIndexOf('declare module')).trimEnd();
  const body = inside.slice(0, inside.lastIndexOf('}'));
  const renamed = body
    .replace(
      /export class (\w+) extends (\w+)<\{([\s\S]*?)\n {2}\}> \{/g,
      (_, name: string, emitter: string, events: string) =>
        `export interface ${name}Events {${events}\n}\nexport interface Expected${name} extends ${emitter}<${name}Events> {`,
    )
    .replace(/export class (\w+)/g, (_, name: string) => `export interface Expected${name}`)
    .replace(/(^|\n)(\s*)class (\w+)/g, '$1$2interface $3')
    // `MediaProcessorConnector` and the emitters are declared without `export`.
    .replace(/\n {2}type MediaProcessorConnector/, '\n  export type MediaProcessorConnector')
    .replace(/export function/g, 'export declare function')
    .replace(/export namespace/g, 'export declare namespace');
  return `import type { ${classes.join(', ')} } from '${ours}';\n${renamed}\n`;
}
