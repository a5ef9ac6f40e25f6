/**
 * The test vectors of docs/reference/sealed-archive.md. Keys and headers are kept, since RSA-OAEP is never twice the same;
 * all else is made anew from their seed, byte for byte. `node tests/vectors/sealed-archive.ts` writes the file.
 */
import { createPrivateKey, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createArchiveSealer, toCertificates, toPlatform } from '../../packages/server/src/archive/index.ts';
import { makeOwner, randomFrom } from '../../packages/server/src/archive/seal/archive-fixtures.ts';

/** An archive: what goes in and what comes out. */
interface Vector {
  readonly name: string;
  /** The content key, the salt and the prefix of the nonces come from here, in this order. */
  readonly seed: string;
  readonly contentKey: string;
  readonly chunkBytes: number;
  /** The header as it stands in the file. */
  readonly header: string;
  /** Hexadecimal. */
  readonly clear: string;
  /** Base64. */
  readonly file: string;
}

/** The file of one vector, spoilt: what it opens to, and what the reader says. */
interface Spoilt {
  readonly of: string;
  /** The file ends here, or one bit of the byte here is flipped. */
  readonly cutTo?: number;
  readonly flipAt?: number;
  /** How many of the clear bytes come out. */
  readonly opens: number;
  readonly says: 'cut' | 'changed' | 'wrong key';
}

/** The file of vectors. */
export interface Vectors {
  readonly note: string;
  /** Keys of tests, which guard nothing. The first opens all but the platform's own; the second those for two; the third none. */
  readonly privateKeys: readonly string[];
  readonly vectors: readonly Vector[];
  readonly spoilt: readonly Spoilt[];
}

/** Where it is kept. */
export const vectorsFile = path.join(import.meta.dirname, 'sealed-archive.json');

const CHUNK = 4096;
/** Clear bytes of a full first chunk. */
const FIRST = CHUNK - 40 - 16;
const LONG = FIRST + 2 * (CHUNK - 16) + 17;
const NOTE =
  'Bytes named "random" come from AES-256-CTR over zeros, its counter from 0, under the SHA-256 of the seed. Clear bytes are random under the name.';

const cases = [
  { name: 'empty', bytes: 0, to: 1 },
  { name: 'short', bytes: 20, to: 1 },
  { name: 'one full chunk', bytes: FIRST, to: 1 },
  { name: 'four chunks, two recipients', bytes: LONG, to: 2 },
  { name: "the platform's own", bytes: 20, to: 0 },
] as const;

type Kept = Pick<Vectors, 'privateKeys'> & { readonly headers: Readonly<Record<string, string>> };

async function build({ privateKeys, headers }: Kept): Promise<Vectors> {
  const vectors: Vector[] = [];
  for (const { name, bytes } of cases) {
    const seed = `sealed archive: ${name}`;
    const contentKey = randomFrom(seed)(32).toString('hex');
    const header = headers[name] as string;
    const sealer = await createArchiveSealer(async () => JSON.parse(header), randomFrom(seed), CHUNK);
    const clear = randomFrom(name)(bytes);
    const file = Buffer.concat([sealer.write(clear), sealer.end()]).toString('base64');
    vectors.push({ name, seed, contentKey, chunkBytes: CHUNK, header, clear: clear.toString('hex'), file });
  }
  const long = Buffer.from(vectors[3]?.file as string, 'base64');
  const stream = 14 + long.readUInt32BE(10);
  const of = 'four chunks, two recipients';
  const spoilt: Spoilt[] = [
    { of, cutTo: long.length - 1, opens: LONG - 17, says: 'cut' },
    { of, cutTo: stream + 2 * CHUNK, opens: FIRST + CHUNK - 16, says: 'cut' },
    { of, cutTo: stream + 2 * CHUNK - 1, opens: FIRST, says: 'cut' },
    { of, flipAt: stream + CHUNK, opens: FIRST, says: 'changed' },
    { of, flipAt: long.length - 9, opens: LONG - 17, says: 'changed' },
    { of, flipAt: stream + 1, opens: 0, says: 'changed' },
  ];
  return { note: NOTE, privateKeys, vectors, spoilt };
}

/** Keys and headers as they are in the file. */
function keep({ privateKeys, vectors }: Vectors): Kept {
  return { privateKeys, headers: Object.fromEntries(vectors.map(({ name, header }) => [name, header])) };
}

/** New keys and headers, for a first file. */
async function begin(): Promise<Kept> {
  const owners = [makeOwner(), makeOwner(), makeOwner()];
  const headers: Record<string, string> = {};
  for (const { name, to } of cases) {
    const contentKey = randomFrom(`sealed archive: ${name}`)(32);
    const certificates = owners.slice(0, to).map(({ certificate }) => certificate);
    const wrap = to === 0 ? toPlatform(() => randomBytes(60).toString('base64url')) : toCertificates(certificates);
    headers[name] = JSON.stringify(await wrap(contentKey));
  }
  const privateKeys = owners.map(({ privateKey }) => privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  return { privateKeys, headers };
}

/** The vectors as they are kept. */
export function readVectors(): Vectors {
  return JSON.parse(readFileSync(vectorsFile, 'utf8'));
}

/** The same, made anew. */
export async function remake(): Promise<Vectors> {
  const kept = keep(readVectors());
  for (const key of kept.privateKeys) createPrivateKey(key);
  return build(kept);
}

/** The bytes of a spoilt file. */
export function spoil(file: Buffer, { cutTo, flipAt }: Spoilt): Buffer {
  const bytes = Buffer.from(file.subarray(0, cutTo));
  if (flipAt !== undefined) bytes[flipAt] = (bytes[flipAt] as number) ^ 1;
  return bytes;
}

if (import.meta.main) {
  const made = existsSync(vectorsFile) ? await remake() : await build(await begin());
  writeFileSync(vectorsFile, `${JSON.stringify(made, null, 2)}\n`);
}
