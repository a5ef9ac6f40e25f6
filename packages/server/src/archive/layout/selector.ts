/** The selectors of a custom layout (OpenTok's subset): how they are read, and which streams they mean. */
import { limits } from '@cloister/protocol/limits';
import { type Combinator, type CssNodePlain, ident, type PseudoClassSelector, type SelectorPlain } from 'css-tree';
import { quoted, refusalOf, written } from './css-refusal.ts';

/** The n-th of the streams, for every n = a·k + b with k from 0; counted from the first or from the last. */
interface Nth {
  readonly a: number;
  readonly b: number;
  readonly fromLast: boolean;
}

/** What one stream must be: all of it. */
interface Compound {
  readonly classes: readonly string[];
  readonly places: readonly Nth[];
  /** How it stands to the stream that the compound before it means; undefined for the first. */
  readonly after?: '+' | '~';
}

export interface Selector {
  /** From left to right. */
  readonly compounds: readonly Compound[];
  /** CSS's specificity without ids: classes and pseudo-classes count a thousandfold against types. */
  readonly specificity: number;
}

const CLASS_WEIGHT = 1000;
const CONTAINERS = ['archive', 'broadcast'];
const PLACES: Readonly<Record<string, Nth>> = {
  'first-child': { a: 0, b: 1, fromLast: false },
  'last-child': { a: 0, b: 1, fromLast: true },
};
const NTH = /^nth-(last-)?child$/;

/** @throws StylesheetInvalid for what is outside the subset */
export function readSelector(node: SelectorPlain): Selector {
  if (node.children.length > limits.selectorParts) {
    throw refusalOf(node, `the selector has more than ${limits.selectorParts} parts`);
  }
  const compounds: Compound[] = [];
  let specificity = 0;
  let parts: CssNodePlain[] = [];
  let after: Compound['after'];
  const close = (end: CssNodePlain) => {
    if (parts.length === 0) throw refusalOf(end, 'a selector is missing beside a combinator');
    compounds.push(readCompound(parts, after));
    for (const part of parts) specificity += part.type === 'TypeSelector' ? 1 : CLASS_WEIGHT;
    parts = [];
  };
  for (const [index, part] of node.children.entries()) {
    if (part.type === 'Combinator') {
      close(part);
      // The combinator that is a space has no place of its own.
      after = combinatorOf(part, part.loc ? part : (node.children[index + 1] ?? node));
    } else parts.push(part);
  }
  close(node);
  return { compounds, specificity };
}

function combinatorOf(node: Combinator, place: CssNodePlain): '+' | '~' {
  const { name } = node;
  if (name === '+' || name === '~') return name;
  const what = name === ' ' ? 'the descendant combinator' : `the combinator ${quoted(name)}`;
  throw refusalOf(place, `${what} is not supported; + and ~ are`);
}

function readCompound(parts: readonly CssNodePlain[], after: Compound['after']): Compound {
  const classes: string[] = [];
  const places: Nth[] = [];
  for (const part of parts) {
    if (part.type === 'TypeSelector') requireStream(part);
    else if (part.type === 'ClassSelector') classes.push(ident.decode(part.name));
    else if (part.type === 'PseudoClassSelector') places.push(readPlace(part as unknown as PseudoClassSelector));
    else throw refusalOf(part, `${nameOf(part)} ${written(part)} is not supported in a selector`);
  }
  return { classes, places, ...(after && { after }) };
}

function nameOf(node: CssNodePlain): string {
  const names: Readonly<Record<string, string>> = {
    IdSelector: 'the id',
    AttributeSelector: 'the attribute',
    PseudoElementSelector: 'the pseudo-element',
    NestingSelector: 'the nesting',
  };
  return names[node.type] ?? 'the part';
}

function requireStream(node: CssNodePlain & { name: string }): void {
  const name = ident.decode(node.name).toLowerCase();
  if (name === 'stream') return;
  if (CONTAINERS.includes(name)) {
    throw refusalOf(node, `the rules of the container are fixed, so ${name} cannot be selected`);
  }
  throw refusalOf(node, `the type ${quoted(node.name)} is not supported; stream is the only one`);
}

function readPlace(node: PseudoClassSelector): Nth {
  const name = node.name.toLowerCase();
  const children = node.children as unknown as CssNodePlain[] | null;
  const fixed = Object.hasOwn(PLACES, name) ? PLACES[name] : undefined;
  if (fixed && children === null) return fixed;
  const match = NTH.exec(name);
  const argument = children?.[0];
  if (match && argument?.type === 'Nth') return { ...readNth(argument), fromLast: match[1] !== undefined };
  throw refusalOf(
    node as unknown as CssNodePlain,
    `the pseudo-class ${quoted(`:${name}`)} is not supported so; :first-child, :last-child, :nth-child(an+b) and :nth-last-child(an+b) are`,
  );
}

/** The whole grammar of CSS Syntax 3, section 6: `odd`, `even`, `3`, `2n`, `-n+3`. */
function readNth(node: CssNodePlain & { type: 'Nth' }): { a: number; b: number } {
  if (node.selector !== null) throw refusalOf(node, '"of" is not supported in a pseudo-class');
  const { nth } = node;
  if (nth.type === 'Identifier') return { a: 2, b: nth.name.toLowerCase() === 'odd' ? 1 : 0 };
  return { a: Number(nth.a ?? 0), b: Number(nth.b ?? 0) };
}

/**
 * Which of the streams a selector means. One pass from left to right over the streams for each compound, so nothing is
 * tried twice however many `~` there are.
 * @param classes of each stream, in the order of the streams
 */
export function matching(selector: Selector, classes: readonly ReadonlySet<string>[]): boolean[] {
  let meant: boolean[] = classes.map(() => true);
  for (const compound of selector.compounds) {
    const reached = reach(meant, compound.after);
    meant = classes.map((own, index) => (reached[index] as boolean) && fits(compound, own, index, classes.length));
  }
  return meant;
}

function reach(from: readonly boolean[], how: Compound['after']): readonly boolean[] {
  if (how === undefined) return from;
  if (how === '+') return from.map((_, index) => from[index - 1] ?? false);
  const first = from.indexOf(true);
  return from.map((_, index) => first >= 0 && index > first);
}

function fits({ classes, places }: Compound, own: ReadonlySet<string>, index: number, count: number): boolean {
  return (
    classes.every((name) => own.has(name)) &&
    places.every(({ a, b, fromLast }) => {
      const distance = (fromLast ? count - index : index + 1) - b;
      return a === 0 ? distance === 0 : distance / a >= 0 && Number.isInteger(distance / a);
    })
  );
}
