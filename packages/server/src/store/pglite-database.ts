/** PGlite as a `Database`: the side of the event loop. The other side is `pglite-worker.ts`. */
import { Worker } from 'node:worker_threads';
import { PlatformError } from '@cloister/protocol/errors';
import { limits } from '@cloister/protocol/limits';
import type { Journal } from '../core/index.ts';
import {
  type Conversation,
  type Database,
  type EngineError,
  failure,
  type Outcome,
  type Statement,
} from './database.ts';
import type { Request, Response, WorkerOptions } from './pglite-worker.ts';

interface Waiting {
  resolve(response: Response): void;
  reject(error: PlatformError): void;
}

type Question = Request extends infer Each ? (Each extends Request ? Omit<Each, 'id'> : never) : never;

/** One thread with its requests. It ends once and is then replaced by another. */
class Thread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly ready: Promise<unknown>;
  readonly ended: Promise<string>;
  #lastId = 0;
  #over = false;

  constructor(options: WorkerOptions, onTrouble: (error: EngineError) => void) {
    this.#worker = new Worker(new URL('./pglite-worker.ts', import.meta.url), { workerData: options });
    this.ready = new Promise((resolve, reject) => this.#waiting.set(0, { resolve, reject }));
    this.#worker.on('message', (response: Response) => {
      const waiting = this.#waiting.get(response.id);
      this.#waiting.delete(response.id);
      if (response.id === -1 && response.kind === 'error') onTrouble(response.error);
      if (response.kind === 'error') waiting?.reject(failure(response.error));
      else waiting?.resolve(response);
    });
    let cause = '';
    this.#worker.on('error', (error) => {
      cause = error instanceof Error ? error.message : String(error);
    });
    this.ended = new Promise((resolve) => this.#worker.on('exit', () => resolve(this.#end(cause))));
  }

  #end(cause: string): string {
    this.#over = true;
    for (const { reject } of this.#waiting.values()) reject(gone(cause));
    this.#waiting.clear();
    return cause;
  }

  async ask(question: Question): Promise<Response> {
    if (this.#over) throw gone('');
    return new Promise((resolve, reject) => {
      this.#lastId += 1;
      this.#waiting.set(this.#lastId, { resolve, reject });
      this.#worker.postMessage({ ...question, id: this.#lastId } as Request);
    });
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}

function gone(cause: string): PlatformError {
  return failure({ message: cause, sqlState: 'the database thread ended', constraint: '' });
}

export class PgliteDatabase implements Database, Conversation {
  readonly #options: WorkerOptions;
  readonly #journal: Journal;
  #thread: Thread | null = null;
  #closed = false;

  /** @param logBytes see `limits.embeddedLogBytes` */
  constructor(folder: string, journal: Journal, logBytes: number = limits.embeddedLogBytes) {
    this.#options = { folder, logBytes };
    this.#journal = journal;
  }

  async read(sql: string, params: readonly unknown[]): Promise<unknown[][]> {
    const response = await this.#ask({ kind: 'read', sql, params });
    return response.kind === 'rows' ? response.rows : [];
  }

  query(sql: string, params: readonly unknown[]): Promise<unknown[][]> {
    return this.read(sql, params);
  }

  async run(sql: string): Promise<void> {
    await this.#ask({ kind: 'run', sql });
  }

  async write(statements: readonly Statement[]): Promise<Outcome> {
    const response = await this.#ask({ kind: 'write', statements });
    return response.kind === 'outcome' ? response.outcome : { kind: 'unmet' };
  }

  /** Its thread does one thing after the other. */
  writeBeside(statements: readonly Statement[]): Promise<Outcome> {
    return this.write(statements);
  }

  /** The folder is locked: there are no others. */
  onOthers(): void {}

  /** Nor is there anybody who could hold it. */
  async lease(): Promise<void> {}

  async close(): Promise<void> {
    this.#closed = true;
    const thread = this.#thread;
    if (!thread) return;
    await thread.ask({ kind: 'close' }).catch(() => undefined);
    await thread.stop();
  }

  /** Ends the thread as a crash would; the next request starts another. */
  async crash(): Promise<void> {
    await this.#thread?.stop();
    await this.#thread?.ended;
  }

  async #ask(question: Question): Promise<Response> {
    if (this.#closed) throw new PlatformError('Stopping');
    this.#thread ??= this.#start();
    const thread = this.#thread;
    await thread.ready;
    return thread.ask(question);
  }

  #start(): Thread {
    const thread = new Thread(this.#options, ({ message }) => {
      this.#journal.record('warn', 'the embedded database could not be tidied up', { error: message });
    });
    thread.ended.then((cause) => {
      if (this.#thread === thread) this.#thread = null;
      if (this.#closed) return;
      this.#journal.record('error', 'the thread of the embedded database ended; the next request starts another', {
        error: cause,
      });
    });
    return thread;
  }
}
