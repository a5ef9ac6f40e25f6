import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { type Sealed, sealedContext } from '../core/index.ts';
import { archivesOf, resealArchives } from './reseal-archives.ts';
import { makeOwner } from './seal/archive-fixtures.ts';
import { toCertificates, toPlatform, type WrapKey } from './seal/recipients.ts';
import { createArchiveSealer } from './seal/sealed-archive.ts';
import { type About, writeAbout } from './store/archive-file.ts';
import { type ArchiveIndex, readIndex, spoolOf, writeIndex, writeMark } from './store/individual-index.ts';

const root = mkdtempSync(path.join(tmpdir(), 'cloister-reseal-'));
after(() => rmSync(root, { recursive: true }));
let dataDir: string;
let turn = 0;
beforeEach(() => {
  turn += 1;
  dataDir = path.join(root, String(turn));
  keys.current = 'leaked';
});

/** Keys of one project, by their names. */
const keys = {
  current: 'leaked',
  seal: (context: string, clear: string) =>
    `v1.${keys.current}.${Buffer.from(`${context}|${clear}`).toString('base64url')}`,
  open: (context: string, sealed: string) => {
    const [of, ...clear] = Buffer.from(sealed.split('.')[2]!, 'base64url').toString().split('|');
    assert.equal(of, context);
    return clear.join('|');
  },
  reseal: (_project: string | null, context: string, sealed: Sealed) =>
    (keyIdOf(sealed) === keys.current ? sealed : keys.seal(context, keys.open(context, sealed))) as Sealed,
};
const keyIdOf = (sealed: string) => sealed.split('.')[1] ?? null;

const recorded = new Set<string>();
const reseal = () =>
  resealArchives({ dataDir, keys, keyIdOf, isRecorded: async (id) => recorded.has(id) }, '7', 'leaked');

const byKey: WrapKey = toPlatform((clear) => JSON.stringify(keys.seal('content key', clear)));

async function folderOf(id: string, format: About['format'], projectId = '7'): Promise<string> {
  const folder = path.join(dataDir, 'archives', id);
  mkdirSync(folder, { recursive: true });
  await writeAbout(folder, { projectId, format });
  return folder;
}

async function sealedWith(wrap: WrapKey): Promise<Buffer> {
  const sealer = await createArchiveSealer(wrap);
  return Buffer.concat([sealer.write(randomBytes(100)), sealer.end()]);
}

async function composed(format: About['format'], wrap: WrapKey | null, projectId?: string): Promise<string> {
  const id = randomUUID();
  const folder = await folderOf(id, format, projectId);
  writeFileSync(path.join(folder, 'archive'), wrap ? await sealedWith(wrap) : randomBytes(64));
  return id;
}

const indexSeal = (id: string) => ({
  seal: (clear: string) => JSON.stringify(keys.seal(sealedContext.archiveIndex(id), clear)),
  open: (sealed: string) => keys.open(sealedContext.archiveIndex(id), JSON.parse(sealed)),
});

async function individual(): Promise<{ id: string; folder: string; index: ArchiveIndex }> {
  const id = randomUUID();
  const folder = await folderOf(id, 'individual');
  const index = {
    archiveId: id,
    projectId: '7',
    sessionId: 's',
    name: 'visit',
    createdAt: 1,
    certificates: [],
    files: [],
  };
  await writeIndex(folder, index, indexSeal(id));
  writeFileSync(spoolOf(folder, 0), await sealedWith(byKey));
  return { id, folder, index };
}

const keyOfIndex = (folder: string) => keyIdOf(JSON.parse(readFileSync(path.join(folder, 'index.json'), 'utf8')));

describe('after a data key has leaked', () => {
  it('the index of an individual archive is sealed anew, once, and opens; its content key is named', async () => {
    const { id, folder, index } = await individual();
    keys.current = 'next';
    assert.deepEqual(await reseal(), { resealed: 1, opened: [id] });
    assert.equal(keyOfIndex(folder), 'next');
    assert.deepEqual(await readIndex(folder, indexSeal(id)), index);
    assert.deepEqual(await reseal(), { resealed: 0, opened: [id] });
  });

  it('the index of one that is recorded, or was cut, is left to who writes it', async () => {
    const [now, cut] = [await individual(), await individual()];
    recorded.add(now.id);
    await writeMark(cut.folder, 100);
    keys.current = 'next';
    assert.equal((await reseal()).resealed, 0);
    assert.deepEqual([keyOfIndex(now.folder), keyOfIndex(cut.folder)], ['leaked', 'leaked']);
  });

  it('archives whose content key it opens are named: not those of a certificate, of another key or of another project', async () => {
    const toOwner = toCertificates([makeOwner().certificate]);
    const leaked = [await composed('cloister', byKey), await composed('cloister', byKey)];
    await composed('recipients', toOwner);
    await composed('opentok', null);
    await composed('cloister', byKey, '8');
    keys.current = 'next';
    const later = await composed('cloister', byKey);
    assert.deepEqual((await reseal()).opened, leaked.sort());
    assert.deepEqual(await archivesOf(dataDir, '8').then(({ length }) => length), 1);
    assert.ok((await archivesOf(dataDir, '7')).includes(later));
  });

  it('one that does not show yet what its content key is sealed with is named too', async () => {
    const begun = randomUUID();
    await folderOf(begun, 'cloister');
    const cut = randomUUID();
    writeFileSync(path.join(await folderOf(cut, 'cloister'), 'archive'), (await sealedWith(byKey)).subarray(0, 20));
    assert.deepEqual((await reseal()).opened, [begun, cut].sort());
  });

  it('without archives there is nothing to do', async () => {
    assert.deepEqual(await reseal(), { resealed: 0, opened: [] });
  });
});
