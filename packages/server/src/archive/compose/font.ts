/**
 * What a TrueType font says of its characters: which it has, and how wide each is (OpenType, `cmap` and `hmtx`). For the
 * fonts that we install ourselves, not for those of strangers.
 */
import { readFileSync } from 'node:fs';

/** The format of a `cmap` table that has all of Unicode. */
const segmentedCoverage = 12;

export class Font {
  readonly file: string;
  /** The number of each character's glyph. */
  readonly #glyphs: ReadonlyMap<number, number>;
  readonly #widths: Buffer;
  readonly #widthCount: number;
  readonly #unitsPerEm: number;

  /** @throws Error when it cannot be read, or is no such font */
  constructor(file: string) {
    this.file = file;
    const bytes = readFileSync(file);
    const table = (tag: string) => {
      const found = tableOf(bytes, tag);
      if (!found) throw new Error(`${file} is no font with a table ${tag}`);
      return found;
    };
    this.#glyphs = glyphsOf(table('cmap'));
    this.#widths = table('hmtx');
    this.#widthCount = table('hhea').readUInt16BE(34);
    this.#unitsPerEm = table('head').readUInt16BE(18);
    if (this.#glyphs.size === 0) throw new Error(`${file} is no font with a table of all of Unicode`);
  }

  has(character: number): boolean {
    return this.#glyphs.has(character);
  }

  /** How far the pen goes on behind a character, of the font's size; 0 for one that it does not have. */
  width(character: number): number {
    const glyph = this.#glyphs.get(character);
    if (glyph === undefined) return 0;
    // Behind the last one of the table all are as wide.
    return this.#widths.readUInt16BE(4 * Math.min(glyph, this.#widthCount - 1)) / this.#unitsPerEm;
  }
}

function tableOf(font: Buffer, tag: string): Buffer | null {
  const count = font.readUInt16BE(4);
  for (let at = 12; at < 12 + 16 * count; at += 16) {
    if (font.toString('latin1', at, at + 4) !== tag) continue;
    const start = font.readUInt32BE(at + 8);
    return font.subarray(start, start + font.readUInt32BE(at + 12));
  }
  return null;
}

function glyphsOf(cmap: Buffer): Map<number, number> {
  const glyphs = new Map<number, number>();
  for (let index = 0; index < cmap.readUInt16BE(2); index += 1) {
    const table = cmap.readUInt32BE(8 + 8 * index);
    if (cmap.readUInt16BE(table) !== segmentedCoverage) continue;
    for (let group = 0; group < cmap.readUInt32BE(table + 12); group += 1) {
      const at = table + 16 + 12 * group;
      const [first, last, glyph] = [cmap.readUInt32BE(at), cmap.readUInt32BE(at + 4), cmap.readUInt32BE(at + 8)];
      for (let character = first; character <= last; character += 1) glyphs.set(character, glyph + character - first);
    }
  }
  return glyphs;
}
