/** What the audit log costs and how fast it proves: entries a second on PostgreSQL, one proof, a whole log verified offline. */
import { execFile } from 'node:child_process';
import { createWriteStream, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { printNoteKey, toJsonLine } from '../packages/server/src/audit/index.ts';
import type { Event } from '../packages/server/src/core/index.ts';
import { systemIds } from '../packages/server/src/lib/index.ts';
import { type AuditRig, auditRig } from '../tests/audit/audit-rig.ts';
import { tempFolder } from '../tests/rig/cleanup.ts';
import { figure, median, percentile, quick, type Result, say } from './harness/figure.ts';

const ENTRIES = quick ? 20_000 : 1_000_000;
const FED_AT_ONCE = 10_000;
const ANSWERS = quick ? 500 : 5000;
const PROOFS = quick ? 50 : 500;
const VERIFIED = quick ? 1 : 3;

const run = promisify(execFile);
const program = path.resolve(import.meta.dirname, '../packages/server/src/cli/main.ts');
const folder = tempFolder('trust-audit');

function act(): Event {
  const stamp = { id: systemIds.uuid(), at: Date.now(), actor: { kind: 'account', accountId: 'a' } as const };
  return { ...stamp, type: 'account.planChanged', projectId: null, accountId: 'a', plan: 'growth', addOns: [] };
}

/** Fills the log. → entries a second, each over what was fed at once */
async function filled(rig: AuditRig): Promise<number[]> {
  const rates: number[] = [];
  for (let done = 0; done < ENTRIES; done += FED_AT_ONCE) {
    for (let first = 0; first < FED_AT_ONCE; first += 1000) {
      await rig.store.outbox.append(Array.from({ length: 1000 }, act));
    }
    const began = performance.now();
    await rig.log.follow();
    rates.push((FED_AT_ONCE * 1000) / (performance.now() - began));
    if (done % 100_000 === 0) say(`${done} entries`);
  }
  return rates;
}

/** How long changes take, one after the other, in milliseconds: while the log follows them, or without. */
async function answers(rig: AuditRig, follows: boolean): Promise<number[]> {
  const took: number[] = [];
  let following: Promise<void> = Promise.resolve();
  for (let count = 0; count < ANSWERS; count += 1) {
    const began = performance.now();
    await rig.store.outbox.append([act()]);
    took.push(performance.now() - began);
    if (follows && count % 20 === 0) following = following.then(() => rig.log.follow());
  }
  await following;
  await rig.log.follow();
  return took;
}

/** One entry of the whole log with its proof, as an export of its own: milliseconds. */
async function proofs(rig: AuditRig): Promise<number[]> {
  const took: number[] = [];
  for (let count = 0; count < PROOFS; count += 1) {
    const first = systemIds.integer(0, ENTRIES);
    const began = performance.now();
    await rig.lines({ first, end: first + 1 });
    took.push(performance.now() - began);
  }
  return took;
}

async function verified(rig: AuditRig): Promise<{ seconds: number[]; megabytes: number; exportSeconds: number }> {
  const [file, keys] = [path.join(folder, 'all.jsonl'), path.join(folder, 'keys')];
  writeFileSync(keys, rig.log.keys.map(printNoteKey).join('\n'));
  const began = performance.now();
  async function* text(): AsyncGenerator<string> {
    for await (const line of rig.query.export({})) yield toJsonLine(line);
  }
  await pipeline(Readable.from(text()), createWriteStream(file));
  const exportSeconds = (performance.now() - began) / 1000;
  const seconds: number[] = [];
  for (let count = 0; count < VERIFIED; count += 1) {
    const start = performance.now();
    await run(process.execPath, [program, 'audit', 'verify', file, '--key', keys]);
    seconds.push((performance.now() - start) / 1000);
  }
  return { seconds, megabytes: statSync(file).size / 1e6, exportSeconds };
}

async function measure(): Promise<Result> {
  const rig = await auditRig();
  const rates = await filled(rig);
  const plain = await answers(rig, false);
  const followed = await answers(rig, true);
  const took = await proofs(rig);
  const { seconds, megabytes, exportSeconds } = await verified(rig);
  await rig.close();
  const rate = median(rates);
  const delayed = percentile(followed, 0.99) - percentile(plain, 0.99);
  const proof = median(took);
  const offline = median(seconds);
  const count = ENTRIES.toLocaleString('en');
  return {
    rows: [
      {
        what: 'acts from the outbox into the tree, signed',
        ours: `${Math.round(rate)} a second`,
        other: null,
        target: { text: '5,000 a second', measured: rate, least: 5000 },
      },
      {
        what: 'what the log adds to a change, 99th percentile',
        ours: `${delayed.toFixed(2)} ms`,
        other: `${percentile(plain, 0.99).toFixed(2)} ms without it`,
        target: { text: 'at most 3 ms', measured: delayed, most: 3 },
      },
      {
        what: `one entry of ${count} with its proof`,
        ours: `${proof.toFixed(2)} ms`,
        other: null,
        target: { text: 'at most 5 ms', measured: proof, most: 5 },
      },
      {
        what: `${count} entries verified offline by the command`,
        ours: `${offline.toFixed(1)} s`,
        other: null,
        target: { text: 'at most 20 s', measured: offline, most: 20 },
      },
    ],
    notes: [
      `PostgreSQL on the same machine. The export of ${count} entries has ${megabytes.toFixed(0)} MB and took ${exportSeconds.toFixed(1)} s.`,
      'A change is one event, one after the other; the proof is an export of one entry with its signed head.',
    ],
  };
}

await figure(measure);
