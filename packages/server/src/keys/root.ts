/** The root: 32 random bytes in a file outside the data folder, so that a copy of the folder opens nothing. */
import { randomBytes } from 'node:crypto';
import { constants, link, mkdir, open, realpath, rm } from 'node:fs/promises';
import path from 'node:path';
import { PlatformError } from '@cloister/protocol/errors';
import { keyBytes } from './wrap.ts';

const groupAndOthers = 0o077;
const others = 0o007;
/** systemd hands credentials over in a folder of the unit's own, and shows their access list as group bits. */
const systemdName = 'cloister-root-key';
/** A key as text is at most 64 hexadecimal digits and a line end. */
const fileBytes = 256;

function unavailable(why: string, cause?: unknown): PlatformError {
  return new PlatformError('KeyUnavailable', { key: 'root', why }, { cause });
}

/** The bytes themselves, or their base64 or hexadecimal text as `openssl rand` writes it. */
function decode(content: Buffer): Buffer | null {
  if (content.length === keyBytes) return content;
  const text = content.toString('latin1').trim();
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex');
  return /^[A-Za-z0-9+/_-]{43}=?$/.test(text) ? Buffer.from(text, 'base64') : null;
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  await handle.sync();
  await handle.close();
}

/** Writes a new key in full before it has its name; a process that was quicker wins. */
async function make(file: string): Promise<void> {
  const folder = path.dirname(file);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}.${randomBytes(6).toString('hex')}`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(`${randomBytes(keyBytes).toString('base64')}\n`);
    await handle.sync();
    await link(draft, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  } finally {
    await handle.close();
    await rm(draft, { force: true });
  }
  await syncFolder(folder);
}

async function read(file: string): Promise<Buffer | null> {
  const handle = await open(file, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw unavailable(`${file}: ${error.code ?? 'unreadable'}`, error);
  });
  if (!handle) return null;
  try {
    const { mode, size } = await handle.stat();
    const refused = path.basename(file) === systemdName ? others : groupAndOthers;
    if ((mode & refused) !== 0) throw unavailable(`others may read ${file}; run: chmod 600 ${file}`);
    const key = size <= fileBytes ? decode(await handle.readFile()) : null;
    if (!key) throw unavailable(`${file} does not hold ${keyBytes} bytes`);
    return key;
  } finally {
    await handle.close();
  }
}

/**
 * The root key, 32 bytes. `create` makes the file (mode 0600) when it is missing; production does not pass it, since a
 * new root beside an old database would only hide that the old one is lost.
 * @param options `outside`: a folder that the file may not lie in, the data folder
 * @throws PlatformError `KeyUnavailable` when the file is missing, readable by others, inside the data folder or no key
 */
export async function loadRoot(file: string, options: { create: boolean; outside?: string }): Promise<Buffer> {
  if (options.outside !== undefined) await refuseInside(file, options.outside);
  const found = await read(file);
  if (found) return found;
  if (!options.create) throw unavailable(`${file} does not exist`);
  try {
    await make(file);
  } catch (error) {
    throw unavailable(`${file} could not be made: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}`, error);
  }
  const made = await read(file);
  if (!made) throw unavailable(`${file} vanished`);
  return made;
}

async function refuseInside(file: string, folder: string): Promise<void> {
  const real = async (name: string): Promise<string> => realpath(name).catch(() => path.resolve(name));
  const inside = path.relative(await real(folder), path.join(await real(path.dirname(file)), path.basename(file)));
  if (!inside.startsWith('..') && !path.isAbsolute(inside)) {
    throw unavailable(`${file} lies in the data folder; a copy of the folder would then open itself`);
  }
}
