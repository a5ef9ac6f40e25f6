/**
 * OpenTok's subset of CSS for custom layouts: a stylesheet is parsed, checked, and applied to the streams. What is outside
 * the subset is refused and never ignored: a recording that looks wrong cannot be made again.
 */
import { PlatformError } from '@cloister/protocol';
import { limits } from '@cloister/protocol/limits';
import { type CssNodePlain, parse, type RulePlain, tokenize, tokenTypes, toPlainObject } from 'css-tree';
import { requireShortStylesheet } from '../../core/index.ts';
import { refusal, refusalOf, written } from './css-refusal.ts';
import { matching, readSelector, type Selector } from './selector.ts';
import { baseStyle, readDeclaration, type Style } from './style.ts';

/** One selector with its declarations. */
interface Rule {
  readonly selector: Selector;
  readonly style: Partial<Style>;
}

/** A checked stylesheet, weakest rule first. */
export interface Stylesheet {
  readonly rules: readonly Rule[];
}

/**
 * Parses a stylesheet of the subset.
 * @param text CSS of at most `stylesheetBytes`
 * @throws StylesheetTooLarge past a limit; StylesheetInvalid with line, column and construct for anything outside the subset
 */
export function parseStylesheet(text: string): Stylesheet {
  requireShortStylesheet(text);
  requireSimple(text);
  const tree = parse(text, {
    positions: true,
    onParseError: (error) => {
      const { line, column, message } = error as SyntaxError & { line: number; column: number };
      throw refusal({ line, column }, `it was not understood: ${message}`);
    },
  });
  const rules: Rule[] = [];
  let declarations = 0;
  for (const node of childrenOf(toPlainObject(tree))) {
    const { selectors, style, count } = readRule(node);
    declarations += count;
    requireAtMost('stylesheetDeclarations', declarations, 'declarations');
    requireAtMost('stylesheetSelectors', rules.length + selectors.length, 'selectors');
    for (const selector of selectors) rules.push({ selector, style });
  }
  // The sort is stable: of two with one specificity the later one is the stronger.
  return { rules: rules.sort((a, b) => a.selector.specificity - b.selector.specificity) };
}

/** The style of each stream, by the cascade. @param streams in the order of the virtual DOM */
export function stylesOf(
  { rules }: Stylesheet,
  streams: readonly { readonly layoutClasses: readonly string[] }[],
): Style[] {
  const classes = streams.map((stream) => new Set(stream.layoutClasses));
  const styles: Style[] = streams.map(() => baseStyle);
  for (const { selector, style } of rules) {
    matching(selector, classes).forEach((meant, index) => {
      if (meant) styles[index] = { ...(styles[index] as Style), ...style };
    });
  }
  return styles;
}

function requireAtMost(name: 'stylesheetDeclarations' | 'stylesheetSelectors', count: number, unit: string): void {
  const limit = limits[name];
  if (count > limit) throw new PlatformError('StylesheetTooLarge', { limit, unit });
}

const OPENING: readonly number[] = [
  tokenTypes.Function,
  tokenTypes.LeftParenthesis,
  tokenTypes.LeftSquareBracket,
  tokenTypes.LeftCurlyBracket,
];
const CLOSING: readonly number[] = [
  tokenTypes.RightParenthesis,
  tokenTypes.RightSquareBracket,
  tokenTypes.RightCurlyBracket,
];

/** Counts brackets before the parser meets them: it descends by recursion, and every rule has one selector at least. */
function requireSimple(text: string): void {
  let depth = 0;
  let blocks = 0;
  tokenize(text, (type, start) => {
    if (type === tokenTypes.LeftCurlyBracket) blocks += 1;
    requireAtMost('stylesheetSelectors', blocks, 'selectors');
    if (OPENING.includes(type)) depth += 1;
    else if (CLOSING.includes(type)) depth = Math.max(0, depth - 1);
    if (depth > limits.stylesheetNesting) {
      throw refusal(placeOf(text, start), `brackets are nested more than ${limits.stylesheetNesting} deep`);
    }
  });
}

function placeOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset).split(/\r\n|[\n\r\f]/);
  return { line: before.length, column: (before.at(-1) as string).length + 1 };
}

function childrenOf(node: CssNodePlain): readonly CssNodePlain[] {
  if (node.type !== 'StyleSheet' && node.type !== 'Block') throw refusalOf(node, 'a rule was expected');
  return node.children.filter((child) => child.type !== 'Comment' && child.type !== 'WhiteSpace');
}

function readRule(node: CssNodePlain): { selectors: Selector[]; style: Partial<Style>; count: number } {
  if (node.type === 'Atrule') throw refusalOf(node, `at-rules such as ${written(node)} are not supported`);
  if (node.type !== 'Rule') throw refusalOf(node, `${written(node)} is not a rule`);
  const declared = childrenOf(node.block).map((child) => {
    if (child.type === 'Declaration') return readDeclaration(child);
    throw refusalOf(child, child.type === 'Rule' ? 'rules within rules are not supported' : notDeclared(child));
  });
  return { selectors: readPrelude(node), style: Object.assign({}, ...declared), count: declared.length };
}

function notDeclared(node: CssNodePlain): string {
  return `${written(node)} is not a declaration`;
}

function readPrelude({ prelude }: RulePlain): Selector[] {
  if (prelude.type !== 'SelectorList') throw refusalOf(prelude, 'the selector was not understood');
  return prelude.children.map((child) => {
    if (child.type !== 'Selector') throw refusalOf(child, `${written(child)} is not a selector`);
    return readSelector(child);
  });
}
