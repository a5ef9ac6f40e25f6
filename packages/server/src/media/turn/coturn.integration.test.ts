/** How the process is waited for, started again and ended, with programs that behave badly, and time that a test moves. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { limits } from '@cloister/protocol';
import { freePorts } from '../../../../../tests/rig/ports.ts';
import { eventually, Feed } from '../../../../../tests/rig/wait.ts';
import type { JournalFields } from '../../core/index.ts';
import { ManualClock } from '../../lib/index.ts';
import { Coturn } from './coturn.ts';

const root = mkdtempSync(path.join(tmpdir(), 'cloister-coturn-'));
after(() => rmSync(root, { recursive: true }));

interface Said extends JournalFields {
  readonly message: string;
}

/** Time passes at its usual pace while `work` is under way, so that a program that starts is asked again. */
async function passing<Result>(clock: ManualClock, work: Promise<Result>): Promise<Result> {
  const timer = setInterval(() => clock.advance(paceMs), paceMs);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}

const paceMs = 10;
let made = 0;

/** A coturn that runs `script` instead, with what it said in the log. */
async function coturnOf(script: string) {
  made += 1;
  const bin = path.join(root, `program-${made}`);
  writeFileSync(bin, `#!${process.execPath}\n${script}`);
  chmodSync(bin, 0o700);
  const clock = new ManualClock();
  const said = new Feed<Said>();
  const port = await freePorts(1);
  const coturn = new Coturn({
    bin,
    settings: {
      listen: ['127.0.0.1'],
      announced: [],
      media: [],
      clients: [],
      port,
      tls: null,
      relayPorts: { first: 41_000, last: 41_999 },
      loopback: true,
      secret: 'secret',
      folder: path.join(root, `folder-${made}`),
    },
    journal: { record: (_level, message, fields) => said.push({ message, ...fields }) },
    clock,
  });
  return { coturn, clock, said, port };
}

/** Answers every datagram at the port of its configuration, and does as told on SIGTERM. */
const answering = (onTerm: string) => `
const text = require('fs').readFileSync(process.argv[3], 'utf8');
process.on('SIGTERM', () => { ${onTerm} });
const socket = require('dgram').createSocket('udp4');
socket.on('message', (data, from) => socket.send(data, from.port, from.address));
socket.bind(Number(/^listening-port=(.+)$/m.exec(text)[1]), '127.0.0.1');
`;

test('it is waited for as long as turnStartSeconds, then ended', async () => {
  const { coturn, clock } = await coturnOf('setInterval(() => {}, 1000)');
  let result: string | null | undefined;
  const starting = coturn.start().then((why) => {
    result = why;
  });
  const pid = await eventually(
    'its process',
    async () => coturn.pid,
    (each) => each !== null,
  );
  clock.advance(limits.turnStartSeconds * 1000 - 1);
  await new Promise(setImmediate);
  assert.equal(result, undefined);
  clock.advance(1);
  await starting;
  assert.equal(result, `no answer within ${limits.turnStartSeconds} s`);
  assert.throws(() => process.kill(Number(pid), 0), { code: 'ESRCH' });
  await coturn.close();
});

test('one that does not run is tried again after turnRestartMs, then twice as late, turnRestartSecondsMax at most', async () => {
  const { coturn, clock, said } = await coturnOf('process.exit(3)');
  assert.match(String(await coturn.start()), /it ended with 3/);
  const most = limits.turnRestartSecondsMax * 1000;
  const waits = [limits.turnRestartMs];
  while (waits.at(-1) !== most) waits.push(Math.min((waits.at(-1) ?? most) * 2, most));
  for (const [index, wait] of [...waits, most].entries()) {
    const line = await said.next('that it does not run', ({ message }) => /does not run/.test(message), {
      since: index,
    });
    assert.equal(line.delayMs, wait);
    clock.advance(wait - 1);
    assert.equal(said.items.length, index + 1);
    clock.advance(1);
  }
  await coturn.close();
});

test('one that ran longer than turnRestartSecondsMax is started again soon, one that did not waits longer', async () => {
  const { coturn, clock, said } = await coturnOf(answering('process.exit(0)'));
  assert.equal(await passing(clock, coturn.start()), null);
  const waits: (number | null | undefined)[] = [];
  for (const ranMs of [1000, 1000, limits.turnRestartSecondsMax * 1000 + 1]) {
    clock.advance(ranMs);
    const since = said.items.length;
    process.kill(Number(coturn.pid), 'SIGKILL');
    const lost = await said.next('its loss', ({ message }) => message === 'The TURN server was lost', { since });
    waits.push(lost.delayMs);
    clock.advance(Number(lost.delayMs) - 1);
    assert.equal(coturn.pid, null);
    clock.advance(1);
    const runs = said.next('that it runs', ({ message }) => message === 'The TURN server runs', { since });
    await passing(clock, runs);
  }
  assert.deepEqual(waits, [limits.turnRestartMs, limits.turnRestartMs * 2, limits.turnRestartMs]);
  await coturn.close();
});

test('one that does not hear that it is to end is killed after turnStopSeconds', async () => {
  const { coturn, clock } = await coturnOf(answering(''));
  assert.equal(await passing(clock, coturn.start()), null);
  const { pid } = coturn;
  let closed = false;
  const closing = coturn.close().then(() => {
    closed = true;
  });
  clock.advance(limits.turnStopSeconds * 1000 - 1);
  await new Promise(setImmediate);
  assert.equal(closed, false);
  process.kill(Number(pid), 0);
  clock.advance(1);
  await closing;
  assert.throws(() => process.kill(Number(pid), 0), { code: 'ESRCH' });
});
