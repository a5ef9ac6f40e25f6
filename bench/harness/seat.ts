/** A client without media: joins over HTTP and WebSocket, says that it lives, and counts what it is told. */
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { type JoinAnswer, type RequestName, signallingVersion } from '@cloister/protocol';
import { WebSocket } from 'ws';
import type { JoinAs } from '../../tests/rig/page.ts';

const ACK_EVERY = 32;
const agent = new Agent({ keepAlive: true });

interface Answer {
  readonly id: number;
  readonly error?: { code: string; message: string };
}

export class Seat {
  /** Events that came so far. */
  told = 0;
  readonly #socket: WebSocket;
  readonly #heartbeat: NodeJS.Timeout;
  readonly #answers = new Map<number, (answer: Answer) => void>();
  #lastRequest = 0;
  #lastSeq = 0;
  #awaited: { readonly told: number; readonly come: () => void } | null = null;

  /** @param localAddress address on loopback that the client has */
  static async join(port: number, as: JoinAs, localAddress: string): Promise<Seat> {
    const { ticket } = await admitted(port, as, localAddress);
    const socket = new WebSocket(`ws://127.0.0.1:${port}/cloister/v1/signalling`, {
      localAddress,
      perMessageDeflate: false,
    });
    await once(socket, 'open');
    socket.send(JSON.stringify({ type: 'hello', version: signallingVersion, ticket }));
    const [first] = await once(socket, 'message');
    const welcome = JSON.parse(String(first));
    if (welcome.type !== 'welcome') throw new Error(`instead of a welcome: ${String(first)}`);
    return new Seat(socket, welcome.heartbeatSeconds);
  }

  private constructor(socket: WebSocket, heartbeatSeconds: number) {
    this.#socket = socket;
    this.#heartbeat = setInterval(() => socket.send('{"type":"ping"}'), heartbeatSeconds * 1000);
    socket.on('message', (data) => this.#frame(String(data)));
    socket.on('close', () => clearInterval(this.#heartbeat));
  }

  /** @throws with the server's code when it refuses */
  async request(method: RequestName, data: object): Promise<void> {
    const id = ++this.#lastRequest;
    const answered = new Promise<Answer>((resolve) => this.#answers.set(id, resolve));
    this.#socket.send(JSON.stringify({ type: 'request', id, method, data }));
    const { error } = await answered;
    if (error) throw new Error(`${method}: ${error.code}: ${error.message}`);
  }

  /** Resolves when this many events have come, since the beginning. */
  async hears(told: number): Promise<void> {
    if (this.told >= told) return;
    await new Promise<void>((come) => {
      this.#awaited = { told, come };
    });
  }

  /** Leaves in order; resolves when the server has closed the socket. */
  async leave(): Promise<void> {
    const closed = once(this.#socket, 'close');
    this.#socket.send(JSON.stringify({ type: 'request', id: ++this.#lastRequest, method: 'disconnect', data: {} }));
    await closed;
  }

  #frame(text: string): void {
    // Most of a load is events: they are counted and not read, since client and server share the machine's cores.
    if (text.startsWith('{"type":"event"')) {
      this.told += 1;
      this.#lastSeq += 1;
      if (this.told === this.#awaited?.told) this.#awaited.come();
      if (this.#lastSeq % ACK_EVERY === 0) {
        this.#socket.send(`{"type":"ack","seq":${this.#lastSeq},"answered":${this.#lastRequest - this.#answers.size}}`);
      }
      return;
    }
    const frame = JSON.parse(text) as Answer & { type: string };
    if (frame.type !== 'answer') return;
    this.#answers.get(frame.id)?.(frame);
    this.#answers.delete(frame.id);
  }
}

function admitted(port: number, as: JoinAs, localAddress: string): Promise<JoinAnswer> {
  const body = JSON.stringify(as);
  const headers = { 'content-type': 'application/json', 'content-length': body.length };
  const options = { port, host: '127.0.0.1', localAddress, agent, method: 'POST', path: '/cloister/v1/join', headers };
  return new Promise((resolve, reject) => {
    const asking = request(options, async (response) => {
      let text = '';
      for await (const part of response) text += part;
      if (response.statusCode === 200) resolve(JSON.parse(text));
      else reject(new Error(`join answered ${response.statusCode}: ${text}`));
    });
    asking.on('error', reject).end(body);
  });
}

/** Does something for each item, `width` at a time. */
export async function inParallel<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index] as T, index);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return results;
}
