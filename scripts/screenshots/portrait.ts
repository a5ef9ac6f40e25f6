/** Drawn people for the cameras of the screenshots, as SVG: nobody's face, and the same every time. */

export interface Portrait {
  readonly wall: readonly [string, string];
  readonly skin: string;
  readonly shade: string;
  readonly hair: string;
  readonly lips: string;
  readonly longHair: boolean;
  readonly coat: string;
  readonly shirt: string;
  /** What stands behind. */
  readonly room: 'window' | 'shelves' | 'plant';
}

export const WIDTH = 640;
export const HEIGHT = 480;

/** The person at a moment of the loop, from 0 to 1. */
export function portraitSvg(person: Portrait, moment: number): string {
  const wave = (times: number) => Math.sin(moment * times * 2 * Math.PI);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 640 480">
${definitions(person)}
<rect width="640" height="480" fill="url(#wall)"/>
<g filter="url(#blur)">${rooms[person.room]()}</g>
<g transform="translate(${wave(1) * 5} ${wave(2) * 2.5 - 6})">
  ${person.longHair ? fill(LONG_HAIR, person.hair) : ''}
  ${body(person)}
  <g transform="rotate(${wave(1) * 1.3} 320 380)">${face(person, moment)}</g>
</g>
<rect width="640" height="480" fill="url(#light)"/>
</svg>`;
}

function definitions({ wall, skin, shade }: Portrait): string {
  const stop = (at: number, colour: string, opacity = 1) =>
    `<stop offset="${at}" stop-color="${colour}" stop-opacity="${opacity}"/>`;
  return `<defs>
<linearGradient id="wall" x2="1" y2="1">${stop(0, wall[0])}${stop(1, wall[1])}</linearGradient>
<linearGradient id="skin">${stop(0.45, skin)}${stop(1, shade)}</linearGradient>
<radialGradient id="light" gradientUnits="userSpaceOnUse" cx="320" cy="260" fx="230" fy="120" r="520">
${stop(0, '#fffaee', 0.2)}${stop(1, '#0a1214', 0.3)}</radialGradient>
<filter id="blur" x="-20%" y="-20%" width="140%" height="140%"><feGaussianBlur stdDeviation="7"/></filter>
</defs>`;
}

const fill = (path: string, colour: string, more = '') => `<path d="${path}" fill="${colour}" ${more}/>`;

const box = (x: number, y: number, width: number, height: number, colour: string) =>
  `<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="${colour}"/>`;

const ellipse = (x: number, y: number, width: number, height: number, colour: string, more = '') =>
  `<ellipse cx="${x}" cy="${y}" rx="${width}" ry="${height}" fill="${colour}" ${more}/>`;

const stroke = (path: string, colour: string, width: number) =>
  `<path d="${path}" fill="none" stroke="${colour}" stroke-width="${width}" stroke-linecap="round"/>`;

const BOOKS = ['#8a4b3a', '#39594e', '#c0a36a', '#54657a'] as const;

const rooms: Readonly<Record<Portrait['room'], () => string>> = {
  window: () =>
    box(392, 20, 210, 270, '#f4f1e6') +
    box(402, 30, 92, 120, '#cfe0e6') +
    box(500, 30, 92, 120, '#d9e6e8') +
    box(402, 158, 92, 122, '#b9cfc9') +
    box(500, 158, 92, 122, '#c3d6cd'),
  shelves: () =>
    [70, 180, 290]
      .map((y, row) => {
        const books = Array.from({ length: 8 }, (_, book) => {
          const tall = 52 + ((book * 37 + row * 23) % 34);
          return box(28 + book * 22, y - tall, 17, tall, BOOKS[(book + row) % BOOKS.length] as string);
        });
        return box(20, y, 190, 10, '#7d6a55') + books.join('');
      })
      .join(''),
  plant: () =>
    box(500, 330, 84, 150, '#b77b58') +
    Array.from({ length: 9 }, (_, leaf) =>
      ellipse(542, 225, 19, 100, leaf % 2 ? '#3d6a50' : '#52825f', `transform="rotate(${(leaf - 4) * 18} 542 330)"`),
    ).join(''),
};

const LONG_HAIR = 'M222 250C206 130 434 130 418 250C424 330 434 400 412 430H228C206 400 216 330 222 250Z';
const FRINGE = {
  long: 'M236 262C220 140 410 128 406 262C404 226 376 208 340 198C300 226 250 214 236 262Z',
  short: 'M234 244C216 138 424 130 406 244C402 222 396 206 380 198C340 210 290 206 258 194C244 206 238 224 234 244Z',
};

function body({ shade, coat, shirt }: Portrait): string {
  return (
    fill('M282 330H358V410H282Z', shade) +
    fill('M80 520C88 408 176 394 276 376L320 420L364 376C464 394 552 408 560 520Z', coat) +
    fill('M276 376L320 424L364 376L350 520H290Z', shirt) +
    fill('M276 374L252 400L306 470L320 424Z', '#ffffff', 'fill-opacity="0.16"') +
    fill('M364 374L388 400L334 470L320 424Z', '#000000', 'fill-opacity="0.12"')
  );
}

function face({ shade, hair, lips, longHair }: Portrait, moment: number): string {
  const wave = (times: number) => Math.sin(moment * times * 2 * Math.PI);
  const open = moment > 0.46 && moment < 0.51 ? 0.15 : 1;
  const eyes = [287, 353].map(
    (x) =>
      ellipse(x, 258, 11, 7.5 * open, '#fbf7f2') +
      ellipse(x + wave(1) * 1.5, 258, 6, 6.5 * open, '#2a211c') +
      stroke(`M${x - 15} 240Q${x} 232 ${x + 15} 239`, hair, 5.5),
  );
  return (
    ellipse(238, 268, 15, 24, shade) +
    ellipse(402, 268, 15, 24, shade) +
    fill('M240 236C240 160 400 160 400 236C402 300 372 362 320 362C268 362 238 300 240 236Z', 'url(#skin)') +
    eyes.join('') +
    stroke('M322 262Q330 290 316 293', shade, 4.5) +
    fill(`M292 315Q320 ${338 + wave(3) * 3} 350 314Q320 ${324 + wave(3)} 292 315Z`, lips) +
    fill(longHair ? FRINGE.long : FRINGE.short, hair)
  );
}
