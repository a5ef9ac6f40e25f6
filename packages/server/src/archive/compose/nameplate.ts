/**
 * The tile of a stream that has no picture: its name in the middle, in one line that is cut where it is too long. The name is
 * a stranger's. It is bounded before anything is done with it, written once for each size of the tile, and copied from then on.
 *
 * The library's own filter writes it, which shapes Arabic and turns what is read from right to left; it knows one font at a time, so
 * a name is cut into runs of one font each.
 */
import { fileURLToPath } from 'node:url';
import { limits } from '@cloister/protocol';
import { FFmpegError, Filter, type FilterContext, FilterGraph, Frame } from 'node-av';
import { AV_BUFFERSRC_FLAG_KEEP_REF, AV_PIX_FMT_YUV420P } from 'node-av/constants';
import { type Box, Canvas, tile } from './canvas.ts';
import { Font } from './font.ts';

/** What a reader sees as one character. */
interface Letter {
  readonly text: string;
  readonly font: Font;
  /** Of the font's size. */
  readonly width: number;
}

/** Letters of one font that follow each other. */
interface Run {
  readonly font: Font;
  readonly text: string;
  readonly width: number;
}

/** A name as it is written: brightness, row by row. */
interface Line {
  readonly width: number;
  readonly height: number;
  readonly luma: Buffer;
}

/** The font's size in a tile, and the least that can still be read. */
const [tallest, ofHeight, ofWidth, smallest] = [60, 1 / 8, 1 / 10, 9];
/** Of the font's size: a line with its accents, and where in it letters stand. */
const [lineHeight, baseline] = [1.7, 1.25];
/** Of the font's size: what stays free at each end. */
const margin = 0.5;

/** In place of what no font has. */
const unknownLetter = '\u25a1';
const ellipsis = '\u2026';
const ink = 'white@0.9';

const segmenter = new Intl.Segmenter('und', { granularity: 'grapheme' });
const rightToLeft = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;
const looksLikeEmoji = /\p{Emoji_Presentation}|\ufe0f/u;
/** Joiners and selectors say how others look; no font needs to have them. */
const withoutShape = /\p{Default_Ignorable_Code_Point}/u;
/** Control characters, turns of direction and what is not assigned; joiners have a use. */
const unprintable = /(?!\u200c|\u200d)\p{C}/gu;

/** The letters that names are written with. */
export class Lettering {
  readonly #plain = new Font(fontFile('dejavu-fonts-ttf/ttf/DejaVuSans.ttf'));
  readonly #emoji = new Font(fontFile('@expo-google-fonts/noto-emoji/400Regular/NotoEmoji_400Regular.ttf'));

  /** Tries itself out, so that a recording does not begin without. @throws Error where it cannot write */
  constructor() {
    written(runsOf(this.#letters('A \u{1f600}')), smallest);
  }

  /** @returns null where there is nothing to write, or no room. @throws Error where the library cannot write it */
  line(name: string, box: Pick<Box, 'width' | 'height'>): Line | null {
    const size = Math.floor(Math.min(tallest, box.height * ofHeight, box.width * ofWidth));
    if (size < smallest) return null;
    const letters = this.#fitting(this.#letters(name), box.width / size - 2 * margin);
    return letters.length === 0 ? null : written(runsOf(letters), size);
  }

  #letters(name: string): Letter[] {
    const clean = name.slice(0, limits.nameChars).normalize('NFC').replaceAll(/\s+/g, ' ').replaceAll(unprintable, '');
    const segments = [...segmenter.segment(clean.trim())];
    return segments.map(({ segment }) => this.#letter(segment)).filter((letter) => letter !== null);
  }

  /** @returns null for what has no shape */
  #letter(text: string): Letter | null {
    const shapes = [...text].filter((each) => !withoutShape.test(each)).map((each) => each.codePointAt(0) as number);
    const [first] = shapes;
    if (first === undefined) return null;
    const fonts = looksLikeEmoji.test(text) ? [this.#emoji, this.#plain] : [this.#plain, this.#emoji];
    const whole = fonts.find((font) => shapes.every((each) => font.has(each)));
    // Accents lie above their letter, and what is joined becomes one sign.
    if (whole) return { text, font: whole, width: Math.max(...shapes.map((each) => whole.width(each))) };
    const font = fonts.find((each) => each.has(first));
    return font ? { text: String.fromCodePoint(first), font, width: font.width(first) } : this.#sign(unknownLetter);
  }

  #sign(text: string): Letter {
    return { text, font: this.#plain, width: this.#plain.width(text.codePointAt(0) as number) };
  }

  /** @param most of the font's size */
  #fitting(letters: readonly Letter[], most: number): readonly Letter[] {
    if (widthOf(letters) <= most) return letters;
    const end = this.#sign(ellipsis);
    const kept: Letter[] = [];
    for (const letter of letters) {
      if (widthOf(kept) + letter.width + end.width > most) break;
      kept.push(letter);
    }
    while (kept.at(-1)?.text === ' ') kept.pop();
    return kept.length === 0 ? [] : [...kept, end];
  }
}

/** One stream's tile; keeps the line for the name and size that it had last. */
export class Nameplate {
  readonly #lettering: Lettering;
  #line: Line | null = null;
  #for = '';

  constructor(lettering: Lettering) {
    this.#lettering = lettering;
  }

  draw(canvas: Canvas, box: Box, name: string): void {
    canvas.fill(box, tile);
    const line = this.#lineOf(name, box);
    if (!line) return;
    const x = box.x + Math.floor((box.width - line.width) / 2);
    const y = box.y + Math.floor((box.height - line.height) / 2);
    const { frame } = canvas;
    const [plane, stride] = [frame.data?.[0] as Buffer, frame.linesize[0] as number];
    for (let row = 0; row < line.height; row += 1) {
      line.luma.copy(plane, (y + row) * stride + x, row * line.width, (row + 1) * line.width);
    }
  }

  #lineOf(name: string, { width, height }: Box): Line | null {
    const wanted = `${width}x${height} ${name}`;
    if (wanted !== this.#for) {
      this.#for = wanted;
      this.#line = this.#written(name, { width, height });
    }
    return this.#line;
  }

  /** A name that the library should not take is no reason to end a recording: that tile stays plain. */
  #written(name: string, size: Pick<Box, 'width' | 'height'>): Line | null {
    try {
      return this.#lettering.line(name, size);
    } catch {
      return null;
    }
  }
}

function fontFile(name: string): string {
  return fileURLToPath(import.meta.resolve(name));
}

function widthOf(letters: readonly Letter[]): number {
  return letters.reduce((sum, { width }) => sum + width, 0);
}

/** From left to right; where the name is read the other way, its runs are in that order too. */
function runsOf(letters: readonly Letter[]): Run[] {
  const runs: Run[] = [];
  for (const { font, text, width } of letters) {
    const last = runs.at(-1);
    if (last?.font === font) runs[runs.length - 1] = { font, text: last.text + text, width: last.width + width };
    else runs.push({ font, text, width });
  }
  const first = letters.find(({ text }) => /\p{L}/u.test(text));
  if (!first || !rightToLeft.test(first.text)) return runs;
  // The filter writes each run as if it stood in a line from left to right: a space at its end is on the wrong side there.
  return runs.reverse().map((run) => ({ ...run, text: run.text.replace(/^(.*) $/u, ' $1') }));
}

const even = (value: number) => 2 * Math.ceil(value / 2);

/** Writes the runs beside each other on a tile of just their size. @throws Error with what the library refused */
function written(runs: readonly Run[], size: number): Line {
  const width = even((runs.reduce((sum, run) => sum + run.width, 0) + 2 * margin) * size);
  const height = even(lineHeight * size);
  const paper = new Canvas(width, height);
  const graph = new FilterGraph();
  const frame = new Frame();
  try {
    paper.fill({ x: 0, y: 0, width, height }, tile);
    graph.alloc();
    graph.nbThreads = 1;
    const source = filterOf(graph, 'buffer', { width, height, pix_fmt: AV_PIX_FMT_YUV420P, time_base: '1/1' });
    let [last, x] = [source, margin * size];
    for (const { text, font, width } of runs) {
      const place = { x: Math.round(x), y: Math.round(baseline * size), y_align: 'baseline', fontsize: size };
      const writer = filterOf(graph, 'drawtext', {
        fontfile: font.file,
        text,
        expansion: 'none',
        fontcolor: ink,
        ...place,
      });
      check(last.link(0, writer, 0), 'a link');
      [last, x] = [writer, x + width * size];
    }
    const sink = filterOf(graph, 'buffersink', {});
    check(last.link(0, sink, 0), 'a link');
    check(graph.configSync(), 'the filters');
    frame.alloc();
    check(source.buffersrcAddFrameSync(paper.frame, AV_BUFFERSRC_FLAG_KEEP_REF), 'the tile');
    check(sink.buffersinkGetFrameSync(frame), 'the text');
    return { width, height, luma: lumaOf(frame) };
  } finally {
    frame.free();
    graph.free();
    paper.free();
  }
}

/** The options are given as they are: nothing of a name is ever parsed. */
function filterOf(graph: FilterGraph, name: string, options: Readonly<Record<string, string | number>>): FilterContext {
  const filter = Filter.getByName(name);
  const context = filter && graph.allocFilter(filter, `${name}${graph.nbFilters}`);
  if (!context) throw new Error(`the library has no filter ${name}`);
  for (const [option, value] of Object.entries(options))
    check(context.setOption(option, `${value}`), `${name} ${option}`);
  check(context.initStr(null), name);
  return context;
}

function check(code: number, what: string): void {
  if (code < 0) throw new Error(`writing a name: ${what}: ${FFmpegError.strerror(code)}`);
}

function lumaOf({ data, linesize, width, height }: Frame): Buffer {
  const [plane, stride] = [data?.[0] as Buffer, linesize[0] as number];
  const rows = Array.from({ length: height }, (_, row) => plane.subarray(row * stride, row * stride + width));
  return Buffer.concat(rows);
}
