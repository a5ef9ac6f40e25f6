/** What tests of whole archives do: OpenTok's calls as promises, a certificate of the customer's, the opened file. */
import assert from 'node:assert/strict';
import {
  constants,
  createDecipheriv,
  createHash,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
} from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { command, tempFolder } from '../rig/cleanup.ts';
import { S3Double } from '../rig/s3-double.ts';
import type { Customer } from '../rig/sdk.ts';
import { eventually } from '../rig/wait.ts';

export interface Archive {
  readonly id: string;
  readonly status: string;
  readonly reason: string;
  readonly url: string | null;
  readonly password: string;
  readonly sha256sum: string;
  readonly size: number;
}

type Done = (error: Error | null, archive: Archive) => void;
type Told = (error: Error | null) => void;

/** The archive calls of the SDK. */
interface ArchiveSdk {
  startArchive(sessionId: string, options: object, done: Done): void;
  stopArchive(id: string, done: Done): void;
  getArchive(id: string, done: Done): void;
  addArchiveStream(id: string, streamId: string, options: object, done: Told): void;
  removeArchiveStream(id: string, streamId: string, done: Told): void;
  setArchiveLayout(id: string, type: string, stylesheet: string | null, share: string | null, done: Told): void;
  setStreamClassLists(sessionId: string, lists: object, done: Told): void;
}

/** The same, to be awaited. */
export interface ArchiveCalls {
  start(sessionId: string, options: object): Promise<Archive>;
  stop(id: string): Promise<Archive>;
  /** Waits until one that was stopped can be downloaded. */
  available(id: string): Promise<Archive>;
  /** Both. */
  finish(id: string): Promise<Archive>;
  addStream(id: string, streamId: string, options: object): Promise<void>;
  removeStream(id: string, streamId: string): Promise<void>;
  layout(id: string, type: string, extra?: { stylesheet?: string; screenshareType?: string }): Promise<void>;
  classes(sessionId: string, classes: Readonly<Record<string, readonly string[]>>): Promise<void>;
}

export function archiveCalls({ sdk }: Customer): ArchiveCalls {
  const calls = sdk as unknown as ArchiveSdk;
  const get = promisify(calls.getArchive.bind(calls)) as (id: string) => Promise<Archive>;
  const stop = promisify(calls.stopArchive.bind(calls)) as ArchiveCalls['stop'];
  const layout = promisify(calls.setArchiveLayout.bind(calls)) as (...words: unknown[]) => Promise<void>;
  const classes = promisify(calls.setStreamClassLists.bind(calls)) as (id: string, lists: object) => Promise<void>;
  const available = async (id: string) => {
    const over = ({ status }: Archive) => status !== 'started' && status !== 'stopped';
    const archive = await eventually(`archive ${id} to be available`, () => get(id), over);
    assert.equal(archive.status, 'available', archive.reason);
    return archive;
  };
  return {
    start: promisify(calls.startArchive.bind(calls)) as ArchiveCalls['start'],
    stop,
    available,
    async finish(id) {
      await stop(id);
      return available(id);
    },
    addStream: promisify(calls.addArchiveStream.bind(calls)) as ArchiveCalls['addStream'],
    removeStream: promisify(calls.removeArchiveStream.bind(calls)) as ArchiveCalls['removeStream'],
    layout: (id, type, { stylesheet, screenshareType } = {}) =>
      layout(id, type, stylesheet ?? null, screenshareType ?? null),
    classes: (sessionId, lists) =>
      classes(
        sessionId,
        Object.entries(lists).map(([id, layoutClassList]) => ({ id, layoutClassList })),
      ),
  };
}

/** Downloads a whole archive and holds it against what the API says of it. */
export async function download({ url, size, sha256sum }: Archive): Promise<Buffer> {
  const answer = await fetch(url as string);
  assert.equal(answer.status, 200);
  const bytes = Buffer.from(await answer.arrayBuffer());
  assert.equal(bytes.length, size);
  assert.equal(createHash('sha256').update(bytes).digest('base64'), sha256sum);
  return bytes;
}

/** A certificate of the customer's, and what its private key opens. */
export interface CustomerKey {
  /** PEM. */
  readonly certificate: string;
  readonly privateKey: KeyObject;
  /** @param sealed in OpenTok's format */
  open(sealed: Buffer, password: string): Buffer;
}

export function customerKey(): CustomerKey {
  const folder = tempFolder('key');
  const [key, certificate] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')];
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  command('openssl', 'req', '-new', '-x509', '-days', '2', '-key', key, '-subj', '/CN=customer', '-out', certificate);
  return {
    certificate: readFileSync(certificate, 'utf8'),
    privateKey,
    open(sealed, password) {
      const secret = Buffer.from(password, 'base64');
      const blob = privateDecrypt({ key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING }, secret);
      const opener = createDecipheriv('aes-256-cbc', blob.subarray(3, 35), blob.subarray(35, 51));
      return Buffer.concat([opener.update(sealed), opener.final()]);
    },
  };
}

/** Archives from now on are sealed to this certificate, and kept with the platform. */
export function sealTo(customer: Customer, certificate: string): Promise<void> {
  return storeNowhere(customer, { fallback: 'opentok', certificate });
}

/** Archives from now on go to a bucket that takes none of them: it is a double that knows no key. */
export async function storeNowhere(
  customer: Customer,
  words: { readonly fallback: 'opentok' | 'none'; readonly certificate: string | null },
): Promise<void> {
  const { endpoint } = await S3Double.start();
  await customer.rest('PUT', `/v2/project/${customer.credentials.apiKey}/archive/storage`, 'project', {
    type: 's3',
    config: { accessKey: 'a', secretKey: 's', bucket: 'visits-of-a-clinic', endpoint },
    ...words,
  });
}
