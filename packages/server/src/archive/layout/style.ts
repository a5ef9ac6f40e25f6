/** The properties of a stream in a custom layout, their values, and how a declaration is read (OpenTok's subset of CSS). */
import { limits } from '@cloister/protocol/limits';
import type { CssNodePlain, DeclarationPlain } from 'css-tree';
import { nearestName } from '../../lib/index.ts';
import { quoted, refusalOf, written } from './css-refusal.ts';

/** A length in pixels or in percent of the container. */
export type Length = { readonly px: number } | { readonly percent: number };

/** What the cascade gives one stream. */
export interface Style {
  readonly display: 'block' | 'inline' | 'inline-block';
  readonly position: 'static' | 'relative' | 'absolute';
  readonly float: 'none' | 'left' | 'right';
  readonly clear: 'none' | 'left' | 'right' | 'both';
  readonly overflow: 'visible' | 'hidden';
  readonly objectFit: 'contain' | 'cover';
  readonly zIndex: 'auto' | number;
  readonly width: Length | 'auto';
  readonly height: Length | 'auto';
  readonly minWidth: Length;
  readonly minHeight: Length;
  readonly maxWidth: Length | 'none';
  readonly maxHeight: Length | 'none';
  readonly left: Length | 'auto';
  readonly right: Length | 'auto';
  readonly top: Length | 'auto';
  readonly bottom: Length | 'auto';
  readonly marginTop: Length | 'auto';
  readonly marginRight: Length | 'auto';
  readonly marginBottom: Length | 'auto';
  readonly marginLeft: Length | 'auto';
}

const ZERO: Length = { px: 0 };

/** A stream of which no rule speaks: OpenTok's base rules, and object-fit contain. */
export const baseStyle: Style = {
  display: 'block',
  position: 'static',
  float: 'none',
  clear: 'none',
  overflow: 'visible',
  objectFit: 'contain',
  zIndex: 'auto',
  width: 'auto',
  height: 'auto',
  minWidth: ZERO,
  minHeight: ZERO,
  maxWidth: 'none',
  maxHeight: 'none',
  left: 'auto',
  right: 'auto',
  top: 'auto',
  bottom: 'auto',
  marginTop: ZERO,
  marginRight: ZERO,
  marginBottom: ZERO,
  marginLeft: ZERO,
};

/** What a property takes: words, a length with or without a sign, or a whole number from 0. */
interface Grammar {
  readonly member: keyof Style;
  readonly words: readonly string[];
  readonly number?: 'length' | 'length from 0' | 'count';
}

const size = (member: keyof Style, ...words: string[]): Grammar => ({ member, words, number: 'length from 0' });
const offset = (member: keyof Style): Grammar => ({ member, words: ['auto'], number: 'length' });

const GRAMMARS: ReadonlyMap<string, Grammar> = new Map<string, Grammar>([
  ['width', size('width', 'auto')],
  ['height', size('height', 'auto')],
  ['min-width', size('minWidth')],
  ['min-height', size('minHeight')],
  ['max-width', size('maxWidth', 'none')],
  ['max-height', size('maxHeight', 'none')],
  ['left', offset('left')],
  ['right', offset('right')],
  ['top', offset('top')],
  ['bottom', offset('bottom')],
  ['margin-top', offset('marginTop')],
  ['margin-right', offset('marginRight')],
  ['margin-bottom', offset('marginBottom')],
  ['margin-left', offset('marginLeft')],
  ['z-index', { member: 'zIndex', words: ['auto'], number: 'count' }],
  ['position', { member: 'position', words: ['static', 'relative', 'absolute'] }],
  ['display', { member: 'display', words: ['inline', 'block', 'inline-block'] }],
  ['float', { member: 'float', words: ['none', 'left', 'right'] }],
  ['clear', { member: 'clear', words: ['none', 'left', 'right', 'both'] }],
  ['object-fit', { member: 'objectFit', words: ['contain', 'cover'] }],
  ['overflow', { member: 'overflow', words: ['visible', 'hidden'] }],
]);

const MARGINS = ['marginTop', 'marginRight', 'marginBottom', 'marginLeft'] as const;
/** Which of one to four values of `margin` each side takes: top, right, bottom, left. */
const MARGIN_VALUES = [
  [0, 0, 0, 0],
  [0, 1, 0, 1],
  [0, 1, 2, 1],
  [0, 1, 2, 3],
] as const;

/** The names of all properties, for the documentation and for near misses. */
export const propertyNames: readonly string[] = [...GRAMMARS.keys(), 'margin'];

const NAME_CHARS = 40;

/**
 * Reads one declaration.
 * @returns the members of the style that it sets
 * @throws StylesheetInvalid for a property or a value outside the subset
 */
export function readDeclaration(node: DeclarationPlain): Partial<Style> {
  const name = node.property.toLowerCase();
  const grammar = name === 'margin' ? offset('marginTop') : GRAMMARS.get(name);
  if (!grammar) throw refusalOf(node, unknownProperty(name));
  if (node.important) throw refusalOf(node, '!important is not supported');
  if (node.value.type !== 'Value') throw refusalOf(node.value, `the value of ${name} was not understood`);
  const values = node.value.children;
  if (values.length === 0) throw refusalOf(node, `${name} has no value`);
  if (name === 'margin') return readMargin(node, values, grammar);
  if (values.length > 1) throw refusalOf(values[1] as CssNodePlain, `${name} takes one value`);
  return { [grammar.member]: readValue(name, values[0] as CssNodePlain, grammar) };
}

function unknownProperty(name: string): string {
  const meant = name.length <= NAME_CHARS ? nearestName(name, propertyNames) : undefined;
  return `the property ${quoted(name)} is not supported${meant ? `; ${meant} is` : ''}`;
}

function readMargin(node: CssNodePlain, values: readonly CssNodePlain[], grammar: Grammar): Partial<Style> {
  const sides = MARGIN_VALUES[values.length - 1];
  if (!sides) throw refusalOf(node, 'margin takes one to four values');
  const read = values.map((value) => readValue('margin', value, grammar));
  return Object.fromEntries(MARGINS.map((member, side) => [member, read[sides[side] as number]]));
}

function readValue(name: string, node: CssNodePlain, { words, number }: Grammar): string | number | Length {
  if (node.type === 'Identifier') {
    const word = node.name.toLowerCase();
    if (words.includes(word)) return word;
  }
  const value = number === 'count' ? countOf(node) : number && lengthOf(node);
  if (value === undefined)
    throw refusalOf(node, `${name} cannot be ${written(node)}; it takes ${taken(words, number)}`);
  const size = typeof value === 'number' ? value : 'px' in value ? value.px : value.percent;
  if (number === 'length from 0' && size < 0) throw refusalOf(node, `${name} cannot be negative`);
  if (Math.abs(size) > limits.stylesheetNumber) {
    throw refusalOf(node, `${name} goes to ${limits.stylesheetNumber} at most`);
  }
  return value;
}

function taken(words: readonly string[], number: Grammar['number']): string {
  const kinds = { length: ['px', '%'], 'length from 0': ['px', '%'], count: ['a whole number from 0'] };
  return [...(number ? kinds[number] : []), ...words].join(', ');
}

function countOf(node: CssNodePlain): number | undefined {
  return node.type === 'Number' && /^\+?\d+$/.test(node.value) ? Number(node.value) : undefined;
}

function lengthOf(node: CssNodePlain): Length | undefined {
  if (node.type === 'Percentage') return { percent: Number(node.value) };
  if (node.type === 'Dimension' && node.unit.toLowerCase() === 'px') return { px: Number(node.value) };
  return node.type === 'Number' && Number(node.value) === 0 ? ZERO : undefined;
}
