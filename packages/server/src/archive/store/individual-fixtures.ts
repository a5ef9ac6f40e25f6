/** What tests of individual archives share: two publishers, recordings in a folder of the test, `unzip`, and a recorder to kill. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { watch as watchFolder } from 'node:fs/promises';
import path from 'node:path';
import type { Recording, RecordingOrder, Recordings } from '../../core/index.ts';
import { type DecodedRecording, hertzOf, isColour } from '../compose/codec-fixtures.ts';
import type { Publishing } from '../record/recorder-fixtures.ts';
import { FixtureTap, order, readFrom, recordingsIn, stream, type Watched, watch } from '../recordings-fixtures.ts';

export const red: Publishing = { width: 320, height: 240, frameRate: 15, colour: () => [81, 90, 240], tone: () => 500 };
export const blue: Publishing = {
  width: 640,
  height: 480,
  frameRate: 15,
  colour: () => [41, 240, 110],
  tone: () => 1500,
};

export interface OpenTokManifest {
  readonly id: string;
  readonly name: string;
  readonly createdAt: number;
  readonly partnerId: number;
  readonly sessionId: string;
  readonly files: readonly {
    readonly filename: string;
    readonly size: number;
    readonly sealedSize?: number;
    readonly sealedSha256?: string;
    readonly startTimeOffset: number;
    readonly stopTimeOffset: number | null;
    readonly streamId: string;
    readonly videoType: string;
    readonly connectionData: string;
  }[];
}

/** A ZIP as it was downloaded, taken apart by `unzip`. */
export interface TakenApart {
  readonly zip: Buffer;
  readonly file: string;
  readonly names: readonly string[];
  readonly member: (name: string) => Buffer;
}

function unzip(args: readonly string[]): Buffer {
  const { status, stdout, stderr } = spawnSync('unzip', args, { maxBuffer: 2 ** 28 });
  assert.equal(status, 0, `${stderr}${stdout}`);
  return stdout;
}

/** What would be seen of a recording that was not sealed: of its containers, its codecs and its manifest. */
export const clearWords = ['matroska', 'V_VP8', 'A_OPUS', 'OpusHead', 'name=', 'the name of a visit', 'camera-'];

export function assertPublished({ pictures, sound }: DecodedRecording, { colour, tone }: Publishing): void {
  assert.ok(pictures.length >= 12, `${pictures.length} pictures`);
  for (const { at } of pictures) assert.ok(isColour(at(100, 100), colour(0)), `${at(100, 100)}`);
  const hertz = hertzOf(sound(300, 1200), 48_000);
  assert.ok(Math.abs(hertz - tone(0)) < 5, `${hertz} Hz`);
}

/** Processes that this one started. */
export function children(): number[] {
  const { stdout } = spawnSync('ps', ['-o', 'pid=,comm=', '--ppid', String(process.pid)]);
  const lines = stdout.toString().trim().split('\n');
  return lines.filter((line) => /bwrap|node/.test(line)).map((line) => Number.parseInt(line, 10));
}

/** Individual archives that are recorded and kept in one folder. */
export class IndividualRig {
  readonly dataDir: string;

  constructor(dataDir: string) {
    this.dataDir = dataDir;
  }

  /** Anew each time: nothing is held in memory. */
  recordings(): Recordings {
    return recordingsIn(this.dataDir);
  }

  stored(archiveId: string): string {
    return path.join(this.dataDir, 'archives', archiveId);
  }

  read(archiveId: string, range?: { start: number; end: number }): Promise<{ bytes: Buffer; size: number }> {
    return readFrom(this.recordings(), archiveId, range);
  }

  async takenApart(archiveId: string): Promise<TakenApart> {
    const { bytes: zip, size } = await this.read(archiveId);
    assert.equal(zip.length, size);
    const file = path.join(this.dataDir, `${archiveId}.zip`);
    writeFileSync(file, zip);
    // Every CRC-32 is right.
    unzip(['-q', '-t', file]);
    const names = unzip(['-Z1', file]).toString().trim().split('\n');
    return { zip, file, names, member: (name) => unzip(['-p', file, name]) };
  }

  /** Records all streams at once until they were played. */
  async recorded(
    archiveId: string,
    streams: Readonly<Record<string, Publishing>>,
    { ms = 1500, more = {} }: { ms?: number; more?: Partial<RecordingOrder> } = {},
  ): Promise<{ recording: Recording; watched: Watched; played: () => Promise<unknown> }> {
    // Made beforehand: encoding takes a while, in which nothing would be sent.
    const taps = Object.entries(streams).map(([streamId, publishing]) => new FixtureTap(streamId, publishing, ms));
    const watched = watch();
    const wish = order(archiveId, { outputMode: 'individual', ...more });
    const recording = await this.recordings().start(wish, watched);
    for (const tap of taps) {
      const { streamId } = tap;
      recording.add({ ...stream, streamId, connectionData: `name=${streamId}` }, tap);
    }
    return { recording, watched, played: () => Promise.all(taps.map((tap) => tap.played.promise)) };
  }

  /** What lies on the disk is cipher text. */
  assertSealed(archiveId: string): void {
    const names = readdirSync(this.stored(archiveId));
    assert.ok(names.length >= 3, names.join(' '));
    for (const name of names) {
      const bytes = readFileSync(path.join(this.stored(archiveId), name));
      for (const word of clearWords) assert.equal(bytes.includes(word), false, `${word} in ${name}`);
    }
  }

  /** Resolves when so many files have so many bytes of cipher text on the disk. */
  async untilSealed(archiveId: string, files: number, bytes: number): Promise<void> {
    const folder = this.stored(archiveId);
    const there = () => {
      const spools = readdirSync(folder).filter((name) => name.startsWith('stream-'));
      return spools.filter((name) => statSync(path.join(folder, name)).size >= bytes).length >= files;
    };
    for await (const _ of watchFolder(folder, { signal: AbortSignal.timeout(60_000) })) if (there()) return;
  }
}
