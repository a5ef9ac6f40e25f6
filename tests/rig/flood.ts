/**
 * A client of bad intent, in a process of its own: `node flood.ts PORT TICKETS`, where TICKETS is JSON of what it may join
 * with. It sends signs of life, signals, rubbish and REST calls as fast as the server takes them, from an address of its
 * own, comes back whenever it is sent away, and prints once a second how often what happened. It ends with its input.
 */
import { request } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { JoinAs } from './page.ts';

const ADDRESS = '127.0.0.66';
const AT_ONCE = 50;

const port = Number(process.argv[2]);
const tickets = JSON.parse(process.argv[3] ?? '[]') as JoinAs[];
const counts: Record<string, number> = {};
const count = (what: string): void => {
  counts[what] = (counts[what] ?? 0) + 1;
};

function post(path: string, body: object): Promise<{ status: number; body: { ticket?: string } }> {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body);
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const asked = request({ port, host: '127.0.0.1', localAddress: ADDRESS, method: 'POST', path, headers });
    asked.on('error', reject).on('response', async (response) => {
      let answer = '';
      for await (const part of response) answer += part;
      resolve({ status: response.statusCode ?? 0, body: JSON.parse(answer || '{}') });
    });
    asked.end(text);
  });
}

/** Joins and floods its socket until the server ends it. */
async function flood(as: JoinAs, frame: (id: number) => string): Promise<void> {
  const { status, body } = await post('/cloister/v1/join', as);
  count(`join ${status}`);
  if (!body.ticket) return;
  const socket = new WebSocket(`ws://127.0.0.1:${port}/cloister/v1/signalling`, { localAddress: ADDRESS });
  let told = '';
  const over = new Promise<void>((resolve) => {
    socket.on('error', () => resolve());
    socket.on('close', () => resolve());
    socket.on('message', (data) => {
      const { type, error } = JSON.parse(String(data));
      if (type === 'close') told = error?.code ?? 'closed';
    });
  });
  socket.on('open', async () => {
    socket.send(JSON.stringify({ type: 'hello', version: 1, ticket: body.ticket }));
    for (let id = 1; socket.readyState === socket.OPEN; id += 1) {
      socket.send(frame(id));
      if (id % AT_ONCE === 0) await turn();
    }
  });
  await over;
  count(told || 'cut');
}

const frames: ((id: number) => string)[] = [
  () => '{"type":"ping"}',
  (id) =>
    JSON.stringify({
      type: 'request',
      id,
      method: 'signal',
      data: { data: 'x'.repeat(1000), to: { kind: 'session' } },
    }),
  () => 'rubbish',
];

async function forEver(work: () => Promise<unknown>): Promise<void> {
  for (;;) {
    await work().catch(() => count('failed'));
    await turn();
  }
}

for (const [index, frame] of frames.entries()) void forEver(() => flood(tickets[index % tickets.length]!, frame));
for (let each = 0; each < 4; each += 1) {
  void forEver(async () => count(`REST ${(await post('/session/create', {})).status}`));
}
setInterval(() => console.log(JSON.stringify(counts)), 1000);
process.stdin.resume().on('end', () => process.exit());
