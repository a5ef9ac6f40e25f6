/**
 * A process that makes changes is killed at random points. Each time the log opens, an export and a mirror of it verify, and it
 * holds every change that was acknowledged. Real servers are killed in tests/e2e/audit.test.ts; this one is small, so that
 * many points are tried.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  AuditLog,
  AuditQuery,
  fileOutside,
  filesOf,
  parseCheckpoint,
  parseContent,
  printNoteKey,
  readExport,
  toJsonLine,
  verifyExport,
} from '../../packages/server/src/audit/index.ts';
import { verifyAuditCommand } from '../../packages/server/src/cli/audit-verify.ts';
import { openKeys } from '../../packages/server/src/keys/index.ts';
import { systemClock as clock, systemIds as ids } from '../../packages/server/src/lib/index.ts';
import { openPostgresStore } from '../../packages/server/src/store/index.ts';
import { ownChild, tempFolder } from '../rig/cleanup.ts';
import { type Postgres, startPostgres } from '../rig/postgres.ts';
import { Feed } from '../rig/wait.ts';
import { randomOf, times } from '../sample.ts';

const ROUNDS = times(4, 180);
/** After so many changes at most it is killed, and up to so much later, in milliseconds: a step of the log takes less. */
const CHANGES = 100;
const LATER_MS = 100;

const program = path.join(import.meta.dirname, 'changes.ts');
const folder = tempFolder('audit-kill');
const file = (name: string) => path.join(folder, name);
let postgres: Postgres;

before(async () => {
  postgres = await startPostgres();
});
after(() => postgres?.stop());

function startChanges(): { child: ChildProcess; lines: Feed<string> } {
  const child = spawn(process.execPath, [program, postgres.url, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  ownChild(child);
  const lines = new Feed<string>();
  createInterface({ input: child.stdout! }).on('line', (line) => lines.push(line));
  return { child, lines };
}

/** What the log says once it is opened anew, exported, mirrored and verified. @param kept the note outside the database */
async function verified(kept: string): Promise<Set<string>> {
  const journal = { record() {} };
  const store = await openPostgresStore({ url: postgres.url, clock, journal });
  try {
    const keys = await openKeys({ root: Buffer.alloc(32, 1), keyring: store.keyring, clock, ids });
    store.useKeys(keys);
    const log = await AuditLog.open({
      store,
      keys,
      outside: fileOutside(file('audit-checkpoint')),
      clock,
      ids,
      journal,
    });
    assert.equal(log.state, 'ok', log.why ?? '');
    await log.follow();
    const query = new AuditQuery({ log, store: store.audit, keys, witnesses: [], now: () => clock.now() });
    let text = '';
    for await (const line of query.export({})) text += toJsonLine(line);
    writeFileSync(file('all.jsonl'), text);
    writeFileSync(file('keys'), log.keys.map(printNoteKey).join('\n'));
    rmSync(file('mirror'), { recursive: true, force: true });
    for (const name of ['checkpoint', ...filesOf(log.size)]) {
      const bytes = name === 'checkpoint' ? Buffer.from(log.checkpoint) : await query.file(name);
      mkdirSync(path.dirname(file(`mirror/${name}`)), { recursive: true });
      writeFileSync(file(`mirror/${name}`), bytes!);
    }
    const words = { files: [file('all.jsonl'), file('mirror')], keys: [file('keys')] };
    const { size } = await verifyAuditCommand(words, () => assert.fail('it asks no server'));
    assert.equal(size, log.size);
    const lines = text.trimEnd().split('\n');
    const shown = await verifyExport(readExport(each(lines)), log.keys);
    // What was signed last before the kill is the beginning of this log, whoever's key has leaked since.
    const before = parseCheckpoint(kept.slice(0, kept.indexOf('\n\n') + 1))!;
    assert.ok(shown.rootAt(before.size)?.equals(before.root), `${before.size} entries were signed`);
    const contents = lines.slice(1).map((line) => parseContent(JSON.parse(line).content)!);
    assert.equal(contents.filter(({ action }) => action === 'audit.gap').length, 0);
    const said = new Set(contents.map(({ eventId }) => eventId));
    assert.equal(said.size, contents.length, 'an event is in the log twice');
    return said;
  } finally {
    await store.close();
  }
}

async function* each(lines: readonly string[]): AsyncGenerator<string> {
  yield* lines;
}

test('killed at random points, the log verifies each time and holds every change that was acknowledged', {
  timeout: 3_000_000,
}, async () => {
  const random = randomOf('small audit kill');
  const acknowledged: string[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const { child, lines } = startChanges();
    const state = await lines.next('the log to open', () => true);
    assert.match(state, /^ok /);
    const most = 2 + Math.floor(random() * CHANGES);
    await lines.next(`${most} lines`, () => lines.items.length >= most);
    await delay(random() * LATER_MS);
    child.kill('SIGKILL');
    await once(child.stdout!, 'close');
    const [, ...ids] = lines.items;
    acknowledged.push(...ids.filter((id) => id.length === 36));
    const said = await verified(readFileSync(file('audit-checkpoint'), 'utf8'));
    assert.deepEqual(
      acknowledged.filter((id) => !said.has(id)),
      [],
      `round ${round}`,
    );
  }
  assert.ok(acknowledged.length > ROUNDS);
});
