/** The way out as the libraries of storages get it: each request goes through the platform's egress, and nothing else does. */
import { limits } from '@cloister/protocol';
import { isLoopback } from '../lib/index.ts';
import { UploadFault } from './fault.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD';

/** The egress, as far as a storage needs it. */
export interface Wire {
  /** @throws PlatformError `DestinationRefused`, `DestinationFailed` */
  request(call: {
    readonly url: string;
    readonly method: Method;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: string | Uint8Array;
    readonly timeoutMs: number;
    readonly answerBytes: number;
    readonly signal?: AbortSignal;
  }): Promise<{ readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: Buffer }>;
}

const methods: readonly string[] = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD'];

/** One request of a library. @throws UploadFault, PlatformError as the egress does */
export function sendOver(
  wire: Wire,
  call: { url: string; method: string; headers: Readonly<Record<string, string>>; body?: unknown },
  signal: AbortSignal,
) {
  const { url, method, headers, body } = call;
  if (!methods.includes(method)) throw new UploadFault('refused', 'a method that is not used here');
  return wire.request({
    url,
    method: method as Method,
    headers,
    ...(body !== undefined && body !== null && { body: bytesOf(body) }),
    timeoutMs: limits.uploadRequestSeconds * 1000,
    answerBytes: limits.uploadAnswerBytes,
    signal,
  });
}

function bytesOf(body: unknown): string | Uint8Array {
  if (typeof body === 'string' || body instanceof Uint8Array) return body;
  throw new UploadFault('refused', 'a body that is neither text nor bytes');
}

/**
 * An archive may be clear where it has no certificate: it goes over TLS, or stays on this machine.
 * @throws UploadFault `forbidden`
 */
export function requirePrivate(url: string): void {
  const { protocol, hostname } = new URL(url);
  if (protocol === 'https:' || isLoopback(hostname.replace(/^\[|\]$/g, ''))) return;
  throw new UploadFault('forbidden', 'it is not https');
}
