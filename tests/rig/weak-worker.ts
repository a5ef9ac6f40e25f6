/**
 * A media worker that names a 128-bit suite while the test says so. It is the real one; only its line about the suite of
 * a handshake is changed on the way to the server, which so sees what it would see of a weak client.
 *
 * Run as a program it stands between the worker and the server: `node weak-worker.ts FLAG`.
 */
import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { workerLocation } from '../../scripts/media-worker/location.mjs';
import { tempFolder } from './cleanup.ts';

const STRONG = 'crypto suite: SRTP_AEAD_AES_256_GCM';
/** As long as the strong one, so that no length in the message changes. */
const WEAK = 'crypto suite: SRTP_AEAD_AES_128_GCM';

export interface WeakWorker {
  /** For the server: CLOISTER_MEDIA_WORKER_BIN. */
  readonly bin: string;
  /** Whether clients whose handshake ends from now on are seen as weak. */
  set weak(value: boolean);
}

/** Writes a program that the server can start as its media worker. */
export function weakWorker(): WeakWorker {
  const folder = tempFolder('worker');
  const bin = path.join(folder, 'mediasoup-worker');
  const flag = path.join(folder, 'weak');
  const real = workerLocation(process.env).path;
  const pipe = path.join(folder, 'to-server-$$');
  const lines = [
    '#!/bin/sh',
    // The server knows the worker by its process id, so that is the one that goes on under it; it writes to descriptor 4.
    `mkfifo ${pipe}`,
    `${process.execPath} ${import.meta.filename} ${flag} <${pipe} >&4 3<&- 4>&- &`,
    `exec ${real} "$@" 4>${pipe}`,
  ];
  writeFileSync(bin, `${lines.join('\n')}\n`);
  chmodSync(bin, 0o755);
  return {
    bin,
    set weak(value: boolean) {
      if (value) writeFileSync(flag, '');
      else rmSync(flag, { force: true });
    },
  };
}

/** What the worker writes to the server: messages, each after its length in four bytes. */
function* messagesOf(waiting: { bytes: Buffer }): Generator<Buffer> {
  while (waiting.bytes.length >= 4) {
    const end = 4 + waiting.bytes.readUInt32LE(0);
    if (waiting.bytes.length < end) return;
    yield waiting.bytes.subarray(0, end);
    waiting.bytes = waiting.bytes.subarray(end);
  }
}

/** From standard input to standard output, until the worker ends. */
function pass(flag: string): void {
  const waiting = { bytes: Buffer.alloc(0) };
  process.stdin.on('data', (chunk: Buffer) => {
    waiting.bytes = Buffer.concat([waiting.bytes, chunk]);
    for (const message of messagesOf(waiting)) {
      const at = existsSync(flag) ? message.indexOf(STRONG) : -1;
      if (at >= 0) message.write(WEAK, at);
      process.stdout.write(message);
    }
  });
  process.stdout.on('error', () => process.exit());
}

const [, program, flag] = process.argv;
if (program === import.meta.filename && flag) pass(flag);
