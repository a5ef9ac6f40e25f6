/**
 * All that a platform receives from clients: the address, head and body of each request and each message on a WebSocket, written
 * down in its own process as they come out of HTTP and WebSocket.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { tempFolder } from './cleanup.ts';

const server = path.resolve(import.meta.dirname, '../../packages/server/package.json');

export class Received {
  /** The module to be loaded before the program: `startServer({ preload })`. */
  readonly preload: string;
  readonly #log: string;

  constructor() {
    const folder = tempFolder('received');
    this.#log = path.join(folder, 'log');
    this.preload = path.join(folder, 'preload.mjs');
    writeFileSync(this.#log, '');
    writeFileSync(this.preload, preloadOf(this.#log));
  }

  /** Everything so far, one request, piece of a body or message after the other. */
  text(): string {
    return readFileSync(this.#log, 'utf8');
  }
}

function preloadOf(log: string): string {
  return `import { appendFileSync } from 'node:fs';
import { Server } from 'node:http';
import { createRequire } from 'node:module';
const { WebSocket } = createRequire(${JSON.stringify(server)})('ws');
const note = (...parts) => appendFileSync(${JSON.stringify(log)}, parts.join(' ') + '\\n');

/** Calls see with each event before those who listen. */
function watch(emitter, see) {
  const { emit } = emitter;
  emitter.emit = function (...event) {
    see.apply(this, event);
    return emit.apply(this, event);
  };
}

watch(Server.prototype, (event, request) => {
  if (event !== 'request' && event !== 'upgrade') return;
  note(request.method, request.url, JSON.stringify(request.rawHeaders));
  watch(request, (what, chunk) => what === 'data' && note('body', chunk));
});
watch(WebSocket.prototype, (event, data) => event === 'message' && note('message', data));
`;
}
