/** A real server that speaks S3: OpenStack Swift of Debian, with its S3 layer, on loopback and in a temporary folder. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import {
  AbortMultipartUploadCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { ownChild, tempFolder } from './cleanup.ts';
import { freePorts } from './ports.ts';
import { Feed, within } from './wait.ts';

const START_MS = 60_000;
/** The proxy and its three stores. */
const PORTS = 4;
const OWNER = { accessKeyId: 'test:owner', secretAccessKey: 'owning' };

export class Swift {
  readonly region = 'eu-test-1';
  /** As a project's storage names it. */
  readonly owner = { accessKey: OWNER.accessKeyId, secretKey: OWNER.secretAccessKey };
  readonly guest = { accessKey: 'test:guest', secretKey: 'visiting' };
  readonly #folder = tempFolder('swift');
  readonly #port: number;
  #child: ChildProcess | null = null;

  static async start(): Promise<Swift> {
    const swift = new Swift(await freePorts(PORTS));
    await swift.start();
    return swift;
  }

  private constructor(port: number) {
    this.#port = port;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Starts it again with what it had stored; nothing happens while it runs. */
  async start(): Promise<void> {
    if (this.#child) return;
    // Debian's, which has Debian's packages.
    const program = path.join(import.meta.dirname, 'swift-server.py');
    const child = spawn('/usr/bin/python3', [program, this.#folder, String(this.#port), this.region], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    ownChild(child);
    const lines = new Feed<string>();
    const said: string[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
    createInterface({ input: child.stderr }).on('line', (line) => said.push(line));
    const died = once(child, 'exit').then(([code, signal]) => {
      throw new Error(`Swift ended with ${code ?? signal}:\n${said.slice(-20).join('\n')}`);
    });
    died.catch(() => {});
    const ready = lines.next('Swift to be ready', (line) => line === 'ready', { ms: START_MS });
    await Promise.race([ready, died]);
    this.#child = child;
  }

  /** As a crash does. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (!child) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await within(START_MS, 'Swift to be gone', exited);
  }

  client(): S3Client {
    return new S3Client({
      region: this.region,
      endpoint: this.endpoint,
      forcePathStyle: true,
      credentials: OWNER,
      maxAttempts: 1,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    });
  }

  async createBucket(bucket: string): Promise<void> {
    await this.client().send(new CreateBucketCommand({ Bucket: bucket }));
  }

  /** Takes a bucket away with what was uploaded to it and is no object yet. */
  async deleteBucket(bucket: string): Promise<void> {
    const client = this.client();
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
    for (const { Key, UploadId } of Uploads) {
      await client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }));
    }
    await client.send(new DeleteBucketCommand({ Bucket: bucket }));
  }

  /** Keys of objects that were begun and neither made nor taken back. */
  async unfinished(bucket: string): Promise<string[]> {
    const { Uploads = [] } = await this.client().send(new ListMultipartUploadsCommand({ Bucket: bucket }));
    return Uploads.map(({ Key }) => Key ?? '');
  }

  async object(bucket: string, key: string): Promise<Buffer> {
    const { Body } = await this.client().send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  }
}
