/** What a generated page of the documentation is, and how its tables are written. */

/** One page that is made from code. */
export interface Generator {
  /** Where it is kept, relative to the repository. */
  readonly file: string;
  /** Its content, without the note on top. */
  readonly generate: () => string | Promise<string>;
}

const NOTE = '<!-- Made from code by `npm run docs`. Do not edit. -->';

/** A Markdown table. Cells may hold any text: what Markdown would read as a border is escaped. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** The whole file. */
export async function pageOf(generator: Generator): Promise<string> {
  return `${NOTE}\n\n${(await generator.generate()).trimEnd()}\n`;
}
