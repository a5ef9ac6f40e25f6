/**
 * A double of a server that speaks S3, for what Swift cannot do: encryption that it confirms or does not, and regions. It
 * checks the signature (AWS Signature Version 4) and the digests of each request by itself, and notes what it was asked.
 */
import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { certificateFor } from './certificate.ts';
import { atEnd } from './cleanup.ts';

export interface Asked {
  /** Such as `POST uploads`, `PUT part 1`, `POST complete`, `DELETE upload`, `HEAD`, `PUT`. */
  readonly call: string;
  /** Of the object, with its bucket. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();

export const s3Error = (status: number, code: string, more = ''): Answer => ({
  status,
  body: `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>no</Message>${more}</Error>`,
});

/** The call of a request, as `Asked` has it. */
function callOf(method: string, query: URLSearchParams): string {
  if (query.has('uploads')) return 'POST uploads';
  if (query.has('partNumber')) return `PUT part ${query.get('partNumber')}`;
  if (query.has('uploadId')) return method === 'POST' ? 'POST complete' : 'DELETE upload';
  return method;
}

export class S3Double {
  readonly asked: Asked[] = [];
  readonly port: number;
  /** What it answers instead of the usual. */
  answer: (call: string, asked: Asked) => Answer | null = () => null;
  /** The region that requests have to be signed for. */
  region = 'us-east-1';
  readonly accessKey = 'AKIADOUBLE';
  readonly secretKey = 'double/secret+key';
  /** The file of what those who speak to it over TLS must trust; null: it takes no TLS. */
  readonly certificate: string | null;
  readonly #server: Server;

  /** @param secure over TLS */
  static async start({ secure = false } = {}): Promise<S3Double> {
    const files = secure ? certificateFor('127.0.0.1') : null;
    const server: Server = files
      ? createSecureServer({ key: readFileSync(files.key), cert: readFileSync(files.certificate) })
      : createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new S3Double(server, files?.certificate ?? null);
  }

  private constructor(server: Server, certificate: string | null) {
    this.#server = server;
    this.certificate = certificate;
    this.port = (server.address() as AddressInfo).port;
    server.unref();
    atEnd(() => server.closeAllConnections());
    server.on('request', async (request, response) => {
      const { status = 200, headers = {}, body = '' } = await this.#take(request);
      response.writeHead(status, headers).end(request.method === 'HEAD' ? '' : body);
    });
  }

  get endpoint(): string {
    return `${this.certificate === null ? 'http' : 'https'}://127.0.0.1:${this.port}`;
  }

  /** The object of whose path this is a part, made of what was sent for it; null before it was made. */
  object(name: string): Buffer | null {
    const of = this.asked.filter(({ path }) => path.includes(name));
    if (!of.some(({ call }) => call === 'POST complete')) return null;
    const parts = new Map<number, Buffer>();
    for (const { call, body } of of) if (call.startsWith('PUT part ')) parts.set(Number(call.slice(9)), body);
    return Buffer.concat([...parts].sort(([one], [other]) => one - other).map(([, body]) => body));
  }

  calls(): string[] {
    return this.asked.map(({ call }) => call);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #take(request: IncomingMessage): Promise<Answer> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = Buffer.concat(parts);
    const url = new URL(request.url ?? '/', this.endpoint);
    const call = callOf(request.method ?? '', url.searchParams);
    const asked = { call, path: url.pathname, headers: request.headers, body };
    const wrong = this.#wrong(request, url, body);
    if (wrong) return wrong;
    this.asked.push(asked);
    return this.answer(asked.call, asked) ?? usual(asked);
  }

  /** What is wrong with a request that nobody should have to look at. */
  #wrong({ method, headers }: IncomingMessage, url: URL, body: Buffer): Answer | null {
    const form =
      /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;
    const [, key, day, region, signed, signature] = form.exec(headers.authorization ?? '') ?? [];
    if (key !== this.accessKey) return s3Error(403, 'InvalidAccessKeyId');
    if (region !== this.region) {
      return s3Error(400, 'AuthorizationHeaderMalformed', `<Region>${this.region}</Region>`);
    }
    const digest = String(headers['x-amz-content-sha256']);
    if (digest !== sha256(body)) return s3Error(400, 'XAmzContentSHA256Mismatch');
    const md5 = headers['content-md5'];
    if (md5 && md5 !== createHash('md5').update(body).digest('base64')) return s3Error(400, 'BadDigest');
    const names = (signed ?? '').split(';');
    if (!names.includes('host') || Object.keys(headers).some((name) => /^x-amz-/.test(name) && !names.includes(name))) {
      return s3Error(403, 'AccessDenied');
    }
    const canonical = [
      method,
      url.pathname,
      [...url.search.slice(1).split('&')].sort().join('&'),
      ...names.map((name) => `${name}:${String(headers[name]).trim()}`),
      '',
      signed,
      digest,
    ].join('\n');
    const scope = `${day}/${region}/s3/aws4_request`;
    const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, sha256(canonical)].join('\n');
    const keyOf = [day, region, 's3', 'aws4_request'].reduce<string | Buffer>(
      (secret, word) => hmac(secret, String(word)),
      `AWS4${this.secretKey}`,
    );
    return hmac(keyOf, text).toString('hex') === signature ? null : s3Error(403, 'SignatureDoesNotMatch');
  }
}

/** What a server answers that does what it is asked, and confirms the encryption. */
export function usual({ call, headers, body }: Asked): Answer {
  const confirmed = Object.fromEntries(
    Object.entries(headers).filter(([name]) => name.startsWith('x-amz-server-side-encryption')),
  ) as Record<string, string>;
  if (call === 'POST uploads') {
    const result = '<InitiateMultipartUploadResult><UploadId>upload+1/=</UploadId></InitiateMultipartUploadResult>';
    return { headers: confirmed, body: result };
  }
  if (call.startsWith('PUT')) return { headers: { etag: `"${createHash('md5').update(body).digest('hex')}"` } };
  if (call === 'POST complete') {
    return { body: '<CompleteMultipartUploadResult><ETag>"whole"</ETag></CompleteMultipartUploadResult>' };
  }
  return call === 'DELETE upload' ? { status: 204 } : s3Error(404, 'NoSuchKey');
}
