/**
 * What runs in a page that is shared, and in one that watches it: `window.textPage`. Loaded as a plain script with its
 * types taken off.
 *
 * It draws pages of small text, and reads them again from a picture: each character is taken for the one whose own
 * drawing is nearest to it, pixel by pixel. So what is read wrong could not be told apart by an eye either.
 */
const WIDTH = 1920;
const HEIGHT = 1080;
const FONT = '13px monospace';
const CELL = { width: 9, height: 18 };
const COLUMNS = 100;
const LINES = 50;
const MARGIN = { left: 320, top: 90 };
const BASELINE = 13;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.,;:()+-=/';
const CARET_MS = 200;

/** The lines of a page; the same for the same number. */
function linesOf(page: number): string[] {
  let state = page * 2_654_435_761 + 1;
  const draw = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  return Array.from({ length: LINES }, () => {
    const length = 20 + draw(COLUMNS - 20);
    const letters = Array.from({ length }, () => (draw(6) === 0 ? ' ' : (ALPHABET[draw(ALPHABET.length)] as string)));
    return letters.join('').padEnd(COLUMNS);
  });
}

function canvasOf(width: number, height: number): OffscreenCanvasRenderingContext2D {
  const drawing = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (!drawing) throw new Error('no canvas');
  return drawing;
}

type Drawing = Pick<CanvasRenderingContext2D, 'fillStyle' | 'fillRect' | 'font' | 'fillText'>;

function write(drawing: Drawing, letter: string, column: number, line: number): void {
  const left = MARGIN.left + column * CELL.width;
  drawing.fillText(letter, left, MARGIN.top + line * CELL.height + BASELINE);
}

function drawPage(drawing: Drawing, page: number): void {
  drawing.fillStyle = '#fff';
  drawing.fillRect(0, 0, WIDTH, HEIGHT);
  // A bar and a column beside the text, as windows have them.
  drawing.fillStyle = page % 2 ? '#2b579a' : '#217346';
  drawing.fillRect(0, 0, WIDTH, 60);
  drawing.fillStyle = '#eceff4';
  drawing.fillRect(0, 60, 280, HEIGHT - 60);
  drawing.fillStyle = '#111';
  drawing.font = FONT;
  for (const [line, text] of linesOf(page).entries()) {
    for (const [column, letter] of [...text].entries()) write(drawing, letter, column, line);
  }
}

let shown: CanvasRenderingContext2D | null = null;

/** Shows a page of text over the whole window, with a caret that blinks beside it. */
function show(page: number): void {
  if (!shown) {
    const canvas = document.body.appendChild(document.createElement('canvas'));
    canvas.width = WIDTH;
    canvas.height = HEIGHT;
    document.body.style.margin = '0';
    document.body.style.overflow = 'hidden';
    const drawing = canvas.getContext('2d', { alpha: false });
    if (!drawing) throw new Error('no canvas');
    shown = drawing;
    let on = false;
    setInterval(() => {
      on = !on;
      drawing.fillStyle = on ? '#111' : '#eceff4';
      drawing.fillRect(100, 200, 2, 16);
    }, CARET_MS);
  }
  drawPage(shown, page);
}

/** The brightness of each pixel of a cell, less its mean. */
function cellOf({ data, width }: ImageData, column: number, line: number): Float32Array {
  const pixels = new Float32Array(CELL.width * CELL.height);
  let sum = 0;
  for (let y = 0; y < CELL.height; y += 1) {
    for (let x = 0; x < CELL.width; x += 1) {
      const row = MARGIN.top + line * CELL.height + y;
      const at = 4 * (row * width + MARGIN.left + column * CELL.width + x);
      const bright = 0.3 * (data[at] ?? 0) + 0.59 * (data[at + 1] ?? 0) + 0.11 * (data[at + 2] ?? 0);
      pixels[y * CELL.width + x] = bright;
      sum += bright;
    }
  }
  return pixels.map((bright) => bright - sum / pixels.length);
}

function distance(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, each, index) => sum + (each - (b[index] ?? 0)) ** 2, 0);
}

/** The drawing of each character by itself. */
function templates(): [string, Float32Array][] {
  const drawing = canvasOf(WIDTH, HEIGHT);
  return [...` ${ALPHABET}`].map((letter) => {
    drawing.fillStyle = '#fff';
    drawing.fillRect(0, 0, WIDTH, HEIGHT);
    drawing.fillStyle = '#111';
    drawing.font = FONT;
    write(drawing, letter, 0, 0);
    return [letter, cellOf(drawing.getImageData(0, 0, WIDTH, HEIGHT), 0, 0)];
  });
}

let known: [string, Float32Array][] | null = null;

/** What was read of a page. */
export interface Reading {
  readonly width: number;
  readonly height: number;
  /** Share of the characters that were read right; what is blank does not count. */
  readonly right: number;
}

/**
 * Reads a page of text from a picture.
 * @param coarser by how much the picture is made smaller before, and larger again
 */
function read(picture: HTMLVideoElement | HTMLCanvasElement, page: number, coarser = 1): Reading {
  known ??= templates();
  const letters = known;
  const [width, height] =
    picture instanceof HTMLVideoElement ? [picture.videoWidth, picture.videoHeight] : [WIDTH, HEIGHT];
  const drawing = canvasOf(WIDTH, HEIGHT);
  if (coarser === 1) drawing.drawImage(picture, 0, 0, WIDTH, HEIGHT);
  else {
    const small = canvasOf(WIDTH / coarser, HEIGHT / coarser);
    small.imageSmoothingQuality = 'high';
    small.drawImage(picture, 0, 0, WIDTH / coarser, HEIGHT / coarser);
    drawing.imageSmoothingQuality = 'high';
    drawing.drawImage(small.canvas, 0, 0, WIDTH, HEIGHT);
  }
  const image = drawing.getImageData(0, 0, WIDTH, HEIGHT);
  let right = 0;
  let count = 0;
  for (const [line, text] of linesOf(page).entries()) {
    for (const [column, letter] of [...text].entries()) {
      if (letter === ' ') continue;
      const seen = cellOf(image, column, line);
      const near = letters.map(([name, own]) => ({ name, far: distance(seen, own) }));
      const nearest = near.reduce((best, each) => (each.far < best.far ? each : best));
      count += 1;
      if (nearest.name === letter) right += 1;
    }
  }
  return { width, height, right: right / count };
}

/** Reads what this page itself shows. */
function readShown(page: number): Reading {
  if (!shown) throw new Error('nothing is shown');
  return read(shown.canvas, page);
}

const textPage = { show, read, readShown };

declare global {
  interface Window {
    textPage: typeof textPage;
  }
}

window.textPage = textPage;
