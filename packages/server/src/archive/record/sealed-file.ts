/**
 * A file of an individual recording, in the recorder: what the container gives is sealed before anything else is done with it.
 * Its last head comes behind it. The server puts that in front when it opens the file; one that only the owners of certificates
 * open has it in an element that every player passes over, so that it is a whole file as it is.
 */
import { crc32 } from 'node:zlib';
import { joinedCrc32 } from '../seal/crc32.ts';
import type { Sealer } from '../seal/sealer.ts';
import { headInVoid } from '../separate/matroska-head.ts';
import { type FileUnit, Remuxer } from '../separate/remuxer.ts';
import type { FileTracks, SeparateFile } from '../separate/separation.ts';
import type { EndedFile, SeparateSeal } from './messages.ts';

export interface SealedFileTold {
  /** What may be stored, in order. */
  cipherText(bytes: Buffer): void;
  ended(facts: EndedFile): void;
}

export class SealedFile implements SeparateFile {
  readonly #remuxer: Remuxer;
  readonly #sealer: Sealer;
  readonly #told: SealedFileTold;
  readonly #last: (head: Buffer) => Buffer;
  #headBytes = 0;
  /** Of what follows the head. */
  #bodyBytes = 0;
  #bodyCrc = 0;

  constructor(tracks: FileTracks, sealer: Sealer, format: SeparateSeal['format'], told: SealedFileTold) {
    this.#sealer = sealer;
    this.#last = format === 'recipients' ? headInVoid : (head) => head;
    this.#told = told;
    const write = (clear: Buffer, ofHead: boolean) => this.#write(clear, ofHead);
    this.#remuxer = new Remuxer({ ...tracks, write });
  }

  write(unit: FileUnit): void {
    this.#remuxer.write(unit);
  }

  async drained(): Promise<void> {
    await this.#remuxer.drained();
  }

  async close(stopMs: number): Promise<void> {
    const head = await this.#remuxer.close();
    const bytes = this.#headBytes + this.#bodyBytes;
    const sum = joinedCrc32(crc32(head), this.#bodyCrc, this.#bodyBytes);
    this.#give(this.#sealer.write(this.#last(head)));
    this.#give(this.#sealer.end());
    this.#told.ended({ bytes, headBytes: this.#headBytes, crc32: sum, stopMs });
  }

  #write(clear: Buffer, ofHead: boolean): void {
    if (ofHead) this.#headBytes += clear.length;
    else {
      this.#bodyBytes += clear.length;
      this.#bodyCrc = crc32(clear, this.#bodyCrc);
    }
    this.#give(this.#sealer.write(clear));
    clear.fill(0);
  }

  #give(cipherText: Buffer): void {
    if (cipherText.length > 0) this.#told.cipherText(cipherText);
  }
}
