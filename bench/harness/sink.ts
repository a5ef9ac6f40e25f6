/** Takes packets in a thread of its own, so that who sends them is not held up, and counts them. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

const RECEIVE_BUFFER_BYTES = 8_000_000;

export interface Sink {
  readonly port: number;
  /** Bytes of UDP payload that came so far. */
  bytes(): Promise<number>;
  close(): Promise<unknown>;
}

/** Opens one on loopback. */
export async function openSink(): Promise<Sink> {
  const worker = new Worker(new URL(import.meta.url));
  const [port] = (await once(worker, 'message')) as [number];
  return {
    port,
    async bytes() {
      const told = once(worker, 'message');
      worker.postMessage(null);
      return ((await told) as [number])[0];
    },
    close: () => worker.terminate(),
  };
}

async function serve(): Promise<void> {
  let bytes = 0;
  const socket = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER_BYTES });
  socket.on('message', (message) => {
    bytes += message.length;
  });
  await once(socket.bind(0, '127.0.0.1'), 'listening');
  parentPort?.on('message', () => parentPort?.postMessage(bytes));
  parentPort?.postMessage(socket.address().port);
}

if (!isMainThread) await serve();
