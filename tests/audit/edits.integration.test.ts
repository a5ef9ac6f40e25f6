/** Exports, mirrors and witnesses against somebody who has the database: what was changed is found and named. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, test } from 'node:test';
import {
  cosigned,
  type ExportEntry,
  type ExportHead,
  filesOf,
  nextCheckpoint,
  noteKeysOf,
  openCheckpoint,
  parseNote,
  readExport,
  toCsv,
  toJsonLine,
  verifyExport,
  verifyMirror,
  witnessKey,
} from '../../packages/server/src/audit/index.ts';
import { type Sealed, sealedContext } from '../../packages/server/src/core/index.ts';
import { randomOf, times } from '../sample.ts';
import { type AuditRig, auditRig } from './audit-rig.ts';

const witness = witnessKey('clinic.example/witness');
let rig: AuditRig;
before(async () => {
  rig = await auditRig([witness.key]);
  await rig.acts(400, 'account-1');
  await rig.acts(200, 'account-2');
});
after(() => rig?.close());

type Line = ExportHead | ExportEntry;
const size = 601;

/** A file below the log's address, as the server gives it. */
const read = async (path: string) => (path === 'checkpoint' ? Buffer.from(rig.log.checkpoint) : rig.query.file(path));

function refusedFor(index: number, fault: string) {
  return (error: { code?: string; details?: { index?: number; fault?: string } }) => {
    assert.equal(error.code, 'AuditRefused');
    assert.deepEqual([error.details?.index, error.details?.fault], [index, fault]);
    return true;
  };
}

async function* textLines(text: string): AsyncGenerator<string> {
  yield* text.split(/\r?\n/).slice(0, -1);
}

test('a whole export proves every entry, as JSON and as CSV', async () => {
  const lines = await rig.lines();
  const verified = await rig.verify(lines);
  assert.deepEqual([verified.entries, verified.whole, verified.destroyed], [size, true, 0]);
  assert.equal(verified.rootAt(size)?.toString('hex'), rig.log.signed().root.toString('hex'));
  for (const print of [toJsonLine, toCsv]) {
    const text = lines.map(print).join('');
    const again = await verifyExport(readExport(textLines(text)), rig.log.keys);
    assert.equal(again.entries, size);
  }
  // No hash is said twice: about one an entry.
  const hashes = lines.reduce((sum, line) => sum + ('proof' in line ? line.proof!.length : 0), 0);
  assert.ok(hashes < size + 20, `${hashes} hashes`);
});

test("an account's export has its own entries and those about the log, and proves them alone", async () => {
  const lines = await rig.lines({ accountId: 'account-2' });
  const verified = await rig.verify(lines);
  assert.deepEqual([verified.entries, verified.whole], [201, false]);
  assert.doesNotMatch(lines.map(toJsonLine).join(''), /account-1/);
  assert.match(lines.map(toJsonLine).join(''), /account-2/);
});

test('an export of some places has those alone, and proves them', async () => {
  for (const [first, end] of [
    [0, 1],
    [7, 8],
    [255, 258],
    [20, 590],
    [600, 900],
    [900, 901],
  ] as const) {
    const lines = await rig.lines({ first, end });
    const expected = Array.from({ length: Math.max(0, Math.min(end, size) - first) }, (_, at) => first + at);
    assert.deepEqual(
      lines.slice(1).map((line) => (line as ExportEntry).index),
      expected,
    );
    assert.equal((await rig.verify(lines)).entries, expected.length);
  }
});

test('an export that was edited is refused, and the first entry concerned is named with what became of it', async () => {
  const lines = await rig.lines({ accountId: 'account-2' });
  const at = (line: number) => (lines[line] as ExportEntry).index;
  const edited = (edit: (copy: Line[]) => void) => {
    const copy = structuredClone(lines) as Line[];
    edit(copy);
    return rig.verify(copy);
  };
  const change = (line: number, fields: Partial<ExportEntry>) => (copy: Line[]) =>
    void Object.assign(copy[line]!, fields);
  const { content } = lines[20] as ExportEntry;
  await assert.rejects(
    edited(change(20, { content: content!.replace('growth', 'x').replace('plan', 'x') })),
    refusedFor(at(20), 'changed'),
  );
  await assert.rejects(edited(change(20, { content: null, salt: null })), refusedFor(at(20), 'removed'));
  await assert.rejects(edited(change(20, { mac: (lines[21] as ExportEntry).mac })), refusedFor(at(20), 'changed'));
  await assert.rejects(
    edited((copy) => copy.splice(20, 1)),
    refusedFor(at(20), 'removed'),
  );
  await assert.rejects(
    edited((copy) => copy.splice(-1, 1)),
    refusedFor(at(201), 'removed'),
  );
  await assert.rejects(
    edited((copy) => copy.splice(20, 0, copy.splice(21, 1)[0]!)),
    refusedFor(at(20), 'reordered'),
  );
  await assert.rejects(
    edited((copy) => copy.splice(20, 0, copy[30]!)),
    refusedFor(at(20), 'reordered'),
  );
  await assert.rejects(
    edited((copy) => copy.push(copy[20]!)),
    refusedFor(at(20), 'forged'),
  );
  await assert.rejects(
    edited((copy) => copy.splice(20, 0, { ...copy[20]!, index: 5 } as Line)),
    refusedFor(5, 'forged'),
  );
  // A forger who works out the new hash as well does not get it into the tree that was signed.
  const { salt, proof } = lines[20] as ExportEntry;
  const forged = content!.replace('"done"', '"failed"');
  const mac = createHmac('sha256', Buffer.from(salt!, 'base64')).update(forged).digest('base64');
  await assert.rejects(edited(change(20, { content: forged, mac })), refusedFor(at(20), 'changed'));
  await assert.rejects(edited(change(20, { proof: [...proof!, mac] })), refusedFor(at(20), 'changed'));
  await assert.rejects(edited(change(20, { proof: null })), refusedFor(at(20), 'changed'));
  const head = lines[0] as ExportHead;
  const heads: Partial<ExportHead>[] = [
    { head: head.head.replace('account-2', 'account-1') },
    { head: head.checkpoint },
    { checkpoint: head.checkpoint.replace('\n601\n', '\n600\n') },
  ];
  for (const fields of heads) {
    await assert.rejects(
      edited((copy) => void Object.assign(copy[0]!, fields)),
      { code: 'AuditRefused' },
    );
  }
  await assert.rejects(verifyExport(readExport(textLines(lines.map(toJsonLine).join(''))), [witness.key]), {
    code: 'AuditKeyUnknown',
  });
});

/** One edit of a row, as somebody makes who has the database, and how it is undone. */
interface Edit {
  readonly what: string;
  readonly sql: string;
  readonly params: readonly unknown[];
}

function letterChanged(text: string, at: number): string {
  const place = at % text.length;
  const letter = text[place] === 'A' ? 'B' : 'A';
  return text.slice(0, place) + letter + text.slice(place + 1);
}

/** Another outcome, sealed and hashed as the platform does it. */
function forgery(index: number, row: Record<string, unknown>): Edit {
  const context = sealedContext.auditEntry(index);
  const { content, salt } = JSON.parse(rig.keys.open(null, context, row.sealed as Sealed)) as Record<string, string>;
  const forged = content!.replace('"done"', '"failed"');
  const mac = createHmac('sha256', Buffer.from(salt!, 'base64')).update(forged).digest('base64');
  return {
    what: `entry ${index} forged`,
    sql: 'update audit_entries set sealed = $1, mac = $2 where index = $3',
    params: [rig.keys.seal(null, context, JSON.stringify({ content: forged, salt })), mac, index],
  };
}

async function randomEdit(random: () => number): Promise<Edit> {
  const whole = (below: number) => Math.floor(random() * below);
  const index = whole(size);
  const other = (index + 1 + whole(size - 1)) % size;
  const [row] = await rig.sql('select * from audit_entries where index = $1', [index]);
  const [tile] = await rig.sql('select * from audit_tiles offset $1 limit 1', [whole(4)]);
  const set = (column: string, value: unknown): Edit => ({
    what: `${column} of entry ${index}`,
    sql: `update audit_entries set ${column} = $1 where index = $2`,
    params: [value, index],
  });
  const edits: (() => Edit)[] = [
    // Somebody who has the platform's data key as well.
    () => forgery(index, row!),
    () => set('sealed', letterChanged(String(row!.sealed), whole(1e6))),
    () => set('sealed', null),
    () => set('mac', letterChanged(String(row!.mac).slice(0, 42), whole(42)) + String(row!.mac).slice(42)),
    () => set('at', Number(row!.at) + 1 + whole(1e6)),
    () => set('action', 'project.created'),
    () => set('account_id', 'account-9'),
    () => set('project_id', 'project-9'),
    () => set('event_id', `event-${whole(1e9)}`),
    () => ({ what: `entry ${index} gone`, sql: 'delete from audit_entries where index = $1', params: [index] }),
    () => ({
      what: `entry ${index} in the place of ${other}`,
      sql: `update audit_entries mine set sealed = o.sealed, mac = o.mac, at = o.at, action = o.action, account_id = o.account_id
        from audit_entries o where mine.index = $1 and o.index = $2`,
      params: [other, index],
    }),
    () => ({
      what: `tile ${tile!.level}/${tile!.index}`,
      sql: 'update audit_tiles set hashes = $3 where level = $1 and index = $2',
      params: [
        tile!.level,
        tile!.index,
        letterChanged(String(tile!.hashes).slice(0, -4), whole(1e6)) + String(tile!.hashes).slice(-4),
      ],
    }),
    () => ({
      what: `tile ${tile!.level}/${tile!.index} gone`,
      sql: 'delete from audit_tiles where level = $1 and index = $2',
      params: [tile!.level, tile!.index],
    }),
  ];
  return edits[whole(edits.length)]!();
}

/** Whether the export or the mirror shows that something is wrong. */
async function found(): Promise<boolean> {
  for (const check of [async () => rig.verify(await rig.lines()), () => verifyMirror(read, rig.log.keys)]) {
    try {
      await check();
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'AuditRefused');
      return true;
    }
  }
  return false;
}

test('random edits of rows and tiles are all found', { timeout: 600_000 }, async () => {
  const random = randomOf('audit edits');
  assert.equal(await found(), false, 'nothing was edited yet');
  for (const table of ['audit_entries', 'audit_tiles']) await rig.sql(`create table kept_${table} as table ${table}`);
  for (let round = 0; round < times(60, 1000); round += 1) {
    const { what, sql, params } = await randomEdit(random);
    await rig.sql(sql, params);
    assert.ok(await found(), `${what} was not found`);
    for (const table of ['audit_entries', 'audit_tiles']) {
      await rig.sql(`delete from ${table}`);
      await rig.sql(`insert into ${table} select * from kept_${table}`);
    }
  }
  assert.equal(await found(), false, 'all is as it was');
});

test('a mirror has every file of the log, and what is edited or missing in it is named', async () => {
  const files = new Map<string, Buffer>([['checkpoint', Buffer.from(rig.log.checkpoint)]]);
  for (const path of filesOf(size)) files.set(path, (await read(path))!);
  assert.equal(files.size, 1 + 3 + 3 + 1);
  const mirror = (changes: Record<string, Buffer | null>) =>
    verifyMirror(async (path) => (path in changes ? changes[path]! : (files.get(path) ?? null)), rig.log.keys);
  assert.equal((await mirror({})).checkpoint.size, size);
  const flipped = (path: string, at: number) => {
    const copy = Buffer.from(files.get(path)!);
    copy[at]! ^= 1;
    return { [path]: copy };
  };
  await assert.rejects(mirror(flipped('tile/0/001', 32 * 5)), {
    code: 'AuditRefused',
    message: /first entry concerned is 261/,
  });
  await assert.rejects(mirror(flipped('tile/entries/001', 34 * 5 + 9)), { message: /first entry concerned is 261/ });
  await assert.rejects(mirror(flipped('tile/1/000.p/2', 40)), { message: /first entry concerned is 256/ });
  await assert.rejects(mirror({ 'tile/0/000': null }), { message: /tile\/0\/000 is missing/ });
  await assert.rejects(mirror({ checkpoint: null }), { code: 'AuditRefused' });
});

test('destroyed content leaves a log that verifies, once the log says that it was destroyed', async () => {
  const before = 50;
  await rig.log.destroy(before, []);
  const verified = await rig.verify(await rig.lines());
  assert.deepEqual([verified.entries, verified.destroyed], [size + 1, before]);
  assert.equal((await rig.query.search({ first: size }, 1))[0]?.content?.action, 'audit.destroyed');
  assert.doesNotMatch((await rig.lines()).slice(1, before).map(toJsonLine).join(''), /account/);
  await rig.sql('update audit_entries set sealed = null where index = $1', [before + 3]);
  await assert.rejects(async () => rig.verify(await rig.lines()), refusedFor(before + 3, 'removed'));
});

test('a witness signs what goes on from what it signed, and each export carries it', async () => {
  const first = await nextCheckpoint(read, rig.log.keys, null);
  const note = cosigned(first, witness, 1_800_000_000);
  assert.deepEqual(await rig.query.cosign(note), { witness: 'clinic.example/witness', size: first.size });
  await rig.acts(300, 'account-2');
  const second = await nextCheckpoint(read, rig.log.keys, note);
  assert.equal(second.size, first.size + 300);
  const verified = await rig.verify(await rig.lines({ accountId: 'account-2' }));
  assert.deepEqual(
    verified.former.map((each) => [each.size, each.signers.at(-1)?.key.name, each.signers.at(-1)?.at]),
    [[first.size, 'clinic.example/witness', 1_800_000_000]],
  );
  // Only of a witness that is known, only of our own log, and never an older one in the place of a newer.
  const stranger = witnessKey('stranger.example/w');
  await assert.rejects(rig.query.cosign(cosigned(second, stranger, 1)), { code: 'WitnessUnknown' });
  await assert.rejects(rig.query.cosign('nothing\n'), { code: 'AuditRefused' });
  await rig.query.cosign(cosigned(second, witness, 1_800_000_060));
  await rig.query.cosign(note);
  const [kept] = await rig.store.audit.witnessed();
  assert.equal(openCheckpoint(kept!.checkpoint, rig.log.keys)?.size, second.size);
});

test('an older checkpoint is proven from, and a forged one is not', async () => {
  const older = rig.log.checkpoint;
  await rig.acts(10);
  const verified = await rig.verify(await rig.lines({ action: 'account.planChanged', first: 590 }, older));
  assert.equal(verified.former.at(-1)?.size, openCheckpoint(older, rig.log.keys)?.size);
  const forged = rig.log.sign(
    parseNote(older)!.text.replace(/\n[^\n]+\n$/, `\n${Buffer.alloc(32, 1).toString('base64')}\n`),
  );
  await assert.rejects(async () => rig.verify(await rig.lines({}, forged)), { code: 'AuditForked' });
  await assert.rejects(rig.lines({}, 'no checkpoint'), { code: 'AuditRefused' });
});

test('a witness refuses a fork, a log that became shorter, and one of another name', async () => {
  const last = rig.log.checkpoint;
  const tables = ['audit_log', 'audit_entries', 'audit_tiles'];
  for (const table of tables) {
    await rig.sql(`drop table if exists kept_${table}`);
    await rig.sql(`create table kept_${table} as table ${table}`);
  }
  const restore = async () => {
    for (const table of tables) {
      await rig.sql(`delete from ${table}`);
      await rig.sql(`insert into ${table} select * from kept_${table}`);
    }
    rig.outside = null;
    await rig.reopen();
  };
  await rig.acts(20);
  const shown = rig.log.checkpoint;
  // The platform goes back and tells somebody else another history: each of the two finds it.
  await restore();
  await assert.rejects(nextCheckpoint(read, rig.log.keys, shown), { code: 'AuditForked', message: /rolled back/ });
  assert.ok(await nextCheckpoint(read, rig.log.keys, last));
  await rig.acts(40);
  await assert.rejects(nextCheckpoint(read, rig.log.keys, shown), { code: 'AuditForked', message: /it is a fork/ });
  await assert.rejects(rig.query.cosign(cosigned(openCheckpoint(shown, rig.log.keys)!, witness, 1)), {
    code: 'AuditForked',
  });
  for (const table of tables) await rig.sql(`delete from ${table}`);
  rig.outside = null;
  await rig.reopen();
  const keys = [...rig.log.keys, ...openCheckpointKeys(shown)];
  await assert.rejects(nextCheckpoint(read, keys, shown), { code: 'AuditForked', message: /it was called/ });
});

/** The keys of the platform under the name of the log that a checkpoint is of. */
function openCheckpointKeys(note: string) {
  const origin = note.split('\n', 1)[0]!;
  return noteKeysOf(origin, rig.keys.publicKeys('audit'));
}
