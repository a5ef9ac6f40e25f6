/**
 * Loaded into the server by the bench, ahead of the server's own code (`--import`): tells over a socket in the file system
 * how long the event loop was held up, and what is in memory after a garbage collection. The server knows nothing of it.
 */
import { createServer } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

/** How often the delay is sampled; each sample holds this time as well, which is taken off. */
const RESOLUTION_MS = 2;

function open(socket: string): void {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const ms = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS);
  const server = createServer((request, response) => {
    let answer: object = {};
    if (request.url === '/delay') {
      answer = { p50: ms(delays.percentile(50)), p99: ms(delays.percentile(99)), max: ms(delays.max) };
      delays.reset();
    } else {
      // Finalizers of the first round free what the second collects.
      collect();
      collect();
      answer = process.memoryUsage();
    }
    response.end(JSON.stringify(answer));
  });
  server.listen(socket);
  server.unref();
}

const place = process.env.BENCH_PROBE;
if (isMainThread && place) open(place);
