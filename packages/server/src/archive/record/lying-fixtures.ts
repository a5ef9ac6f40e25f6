/** Programs in the place of a recorder: what the server makes of one that hangs, floods or lies. They are not shut in. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const here = import.meta.dirname;

/** What every program has: `say` reports, `give` gives cipher text, `packets` counts packets by lane. */
const head = `
import { createReadStream, writeSync } from 'node:fs';
import { bytesFrames, FrameReader, jsonFrame } from ${JSON.stringify(path.join(here, 'messages.ts'))};
import { createArchiveSealerWith } from ${JSON.stringify(path.join(here, '../seal/sealed-archive.ts'))};
const say = (report) => writeSync(4, jsonFrame(report));
const give = (bytes) => { for (const frame of bytesFrames(bytes)) writeSync(4, frame); };
const digest = (bytes = 0, sha256 = '') => ({ bytes, sha256 });
const packets = {};
const told = [];
`;

const tail = `
const reader = new FrameReader();
for await (const chunk of createReadStream('', { fd: 3 })) {
  for (const frame of reader.read(chunk)) {
    if (frame.kind === 'packet') packets[frame.lane] = (packets[frame.lane] ?? 0) + 1;
    if (frame.kind !== 'json') continue;
    told.push(frame.value);
    await on[frame.value.type]?.(frame.value);
  }
}`;

/** Writes programs to a folder of its own. */
export class Programs {
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'cloister-programs-'));
  #count = 0;

  /** @param on source of an object: what to do with an order of each type. @returns the program's file */
  write(on: string): string {
    this.#count += 1;
    const file = path.join(this.#folder, `${this.#count}.ts`);
    writeFileSync(file, `${head}const on = ${on};${tail}`);
    return file;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A recorder that opens, answers, and says at its end what it was told, in what it failed of. */
export const listening = (words: string) => `{
  open: () => say({ type: 'opened', password: '' }),
  advance: () => say({ type: 'advanced' }),
  stop: () => say({ type: 'failed', cause: 'recorder', why: JSON.stringify(${words}) }),
}`;
