/** How a stylesheet is refused: with the place in it, and the construct as it is written there. */
import { PlatformError } from '@cloister/protocol';
import { type CssNode, type CssNodePlain, generate } from 'css-tree';

const QUOTED_CHARS = 40;

/** Where something is written: both count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** @returns the error to throw */
export function refusal({ line, column }: Place, why: string): PlatformError {
  return new PlatformError('StylesheetInvalid', { line, column, why });
}

/** @returns the error to throw for a node of the tree, which was parsed with positions */
export function refusalOf(node: CssNodePlain, why: string): PlatformError {
  return refusal(node.loc?.start ?? { line: 1, column: 1 }, why);
}

/** What somebody wrote, short enough for a sentence and without control characters. */
export function quoted(text: string): string {
  const plain = text.replace(/[\p{C}\s]+/gu, ' ').trim();
  return plain.length > QUOTED_CHARS ? `"${plain.slice(0, QUOTED_CHARS)}…"` : `"${plain}"`;
}

/** A node as it could be written, for a message. */
export function written(node: CssNodePlain): string {
  // The generator only walks over children, be they in a list or in an array.
  return quoted(generate(node as unknown as CssNode));
}
