/** Somebody floods the platform; a call of somebody else goes on as before. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { ownChild } from '../rig/cleanup.ts';
import type { Participant } from '../rig/page.ts';
import { Feed } from '../rig/wait.ts';
import { full } from '../sample.ts';
import { startCall } from './calls.ts';
import { useStage } from './stage.ts';

const FRAMES = 90;
const ROUNDS = 20;
/** What a call may notice on two cores that also run both browsers; a sample runs on whatever machine there is. */
const SHARE_OF_FRAMES = full ? 0.8 : 0.5;
const SIGNAL_MS = full ? 500 : 2000;
const REST_MS = full ? 500 : 2000;

const stage = useStage({
  ready: async () => {
    [ana, ben] = await Promise.all([stage.open(), stage.open()]);
    const call = await startCall(stage.customer, ana, ben);
    sessionId = call.sessionId;
    [streamId = ''] = call.streams;
  },
});
let ana: Participant;
let ben: Participant;
let sessionId: string;
let streamId: string;

interface Service {
  readonly framesPerSecond: number;
  /** The slowest of some, in milliseconds. */
  readonly signalMs: number;
  readonly restMs: number;
}

/** How the platform serves the call now. */
async function service(): Promise<Service> {
  const began = performance.now();
  const looked = ben.look(streamId, FRAMES).then(() => performance.now() - began);
  const slowest = { signal: 0, rest: 0 };
  for (let round = 0; round < ROUNDS; round += 1) {
    const signalled = performance.now();
    const data = `${began} ${round}`;
    await ana.page.evaluate(
      (text) => window.rig.settled((done) => window.rig.session().signal({ type: 'x', data: text }, done)),
      data,
    );
    await ben.event('session', 'signal', { data });
    slowest.signal = Math.max(slowest.signal, performance.now() - signalled);
    const asked = performance.now();
    await stage.customer.rest(
      'GET',
      `/v2/project/${stage.customer.credentials.apiKey}/session/${sessionId}/stream`,
      'project',
    );
    slowest.rest = Math.max(slowest.rest, performance.now() - asked);
  }
  return { framesPerSecond: (FRAMES * 1000) / (await looked), signalMs: slowest.signal, restMs: slowest.rest };
}

test('a flood by one client is refused, and slows no call of another', async (t) => {
  const before = await service();

  const other = await stage.customer.session();
  const tickets = ['a', 'b', 'c'].map((data) => stage.customer.ticket(other, 'publisher', data));
  const port = new URL(stage.server.url).port;
  const program = path.join(import.meta.dirname, '../rig/flood.ts');
  const flood = spawn(process.execPath, [program, port, JSON.stringify(tickets)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  ownChild(flood);
  const reports = new Feed<Record<string, number>>();
  createInterface({ input: flood.stdout }).on('line', (line) => reports.push(JSON.parse(line)));
  await reports.next(
    'refusals of the flood',
    (counts) => (counts.RateLimited ?? 0) > 0 && (counts.FrameInvalid ?? 0) > 0,
  );
  const during = await service();
  const last = reports.items.at(-1);
  flood.stdin.end();

  const said = ({ framesPerSecond, signalMs, restMs }: Service) =>
    `${framesPerSecond.toFixed(1)} frames a second, a signal ${signalMs.toFixed(0)} ms, a REST call ${restMs.toFixed(0)} ms`;
  t.diagnostic(`before: ${said(before)}; during: ${said(during)}`);
  t.diagnostic(`the flood: ${JSON.stringify(last)}`);
  assert.ok(during.framesPerSecond > SHARE_OF_FRAMES * before.framesPerSecond, said(during));
  assert.ok(during.signalMs < SIGNAL_MS, said(during));
  assert.ok(during.restMs < REST_MS, said(during));
  const happenings = await ben.happenings();
  assert.ok(!happenings.some(({ type }) => type === 'sessionReconnecting' || type === 'sessionDisconnected'));
});
