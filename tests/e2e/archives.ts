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
import type { Participant } from '../rig/page.ts';
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

const UPLOAD_MS = 90_000;

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
  /** Waits until one that was stopped is in the storage of the project. */
  uploaded(id: string): Promise<Archive>;
  /** Stops it, and waits until it is available. */
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
  const ended = async (id: string, status: string, ms?: number) => {
    const over = (archive: Archive) => archive.status !== 'started' && archive.status !== 'stopped';
    const archive = await eventually(`archive ${id} to be ${status}`, () => get(id), over, ms);
    assert.equal(archive.status, status, archive.reason);
    return archive;
  };
  const available = (id: string) => ended(id, 'available');
  return {
    start: promisify(calls.startArchive.bind(calls)) as ArchiveCalls['start'],
    stop,
    available,
    uploaded: (id) => ended(id, 'uploaded', UPLOAD_MS),
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
  await storeIn(customer, { accessKey: 'a', secretKey: 's', endpoint }, words);
}

/** Archives from now on go to a bucket of S3. @param config of it, beside its name. @param more of the storage */
export async function storeIn(
  customer: Customer,
  config: object,
  more: { readonly fallback: 'none' | 'opentok'; readonly certificate?: string | null },
): Promise<void> {
  const body = { type: 's3', config: { bucket: 'visits-of-a-clinic', ...config }, ...more };
  await customer.rest('PUT', `/v2/project/${customer.credentials.apiKey}/archive/storage`, 'project', body);
}

/** Publishes noise: a picture that no encoder makes small, so that there are parts to upload within seconds. */
export async function publishNoise(participant: Participant): Promise<void> {
  await participant.page.evaluate(() => {
    const [width, height] = [640, 480];
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const context = canvas.getContext('2d') as CanvasRenderingContext2D;
    const picture = context.createImageData(width, height);
    const pixels = new Uint32Array(picture.data.buffer);
    let state = 1;
    const draw = () => {
      for (let at = 0; at < pixels.length; at += 1) {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
        pixels[at] = state | 0xff000000;
      }
      context.putImageData(picture, 0, 0);
    };
    // Ten pictures a second are enough of it, and leave the machine to the others.
    setInterval(draw, 100);
    const [videoSource] = canvas.captureStream(10).getVideoTracks();
    return window.rig.publish({
      videoSource: videoSource as never,
      audioSource: window.rig.toneTrack(500) as never,
    });
  });
}

/** How many pictures are in a file that ffmpeg reads. */
export function picturesIn(file: string): number {
  const words = ['-v', 'error', '-count_frames', '-select_streams', 'v', '-show_entries', 'stream=nb_read_frames'];
  return Number(command('ffprobe', ...words, '-of', 'csv=p=0', file).split('\n')[0]);
}
