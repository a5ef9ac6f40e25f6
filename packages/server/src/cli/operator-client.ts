/**
 * Commands go through the running server: they speak HTTP over the operator's socket in its data folder. Who may open
 * that file is who may operate; nothing else is asked.
 */
import { type IncomingMessage, request } from 'node:http';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type ErrorBody, errorTable, PlatformError } from '@cloister/protocol';

/** One call to the running server. @throws PlatformError what the server refused, or `WrongState` when none runs. */
export async function callOperator(
  socketPath: string,
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<unknown> {
  const answer = await open(socketPath, method, path, body);
  const text = await textOf(answer);
  if ((answer.statusCode ?? 500) >= 400) throw refusalOf(text);
  return text === '' ? null : JSON.parse(text);
}

/** One call whose answer is written as it comes; `out` is ended unless it is standard output. @throws as `callOperator` */
export async function streamOperator(socketPath: string, path: string, body: unknown, out: Writable): Promise<void> {
  const answer = await open(socketPath, 'POST', path, body);
  if ((answer.statusCode ?? 500) >= 400) throw refusalOf(await textOf(answer));
  await pipeline(answer, out, { end: out !== process.stdout });
}

function refusalOf(text: string): PlatformError {
  const error = JSON.parse(text) as ErrorBody;
  return error.code in errorTable
    ? new PlatformError(error.code, error.details)
    : new PlatformError('Internal', {}, { cause: text });
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of answer) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

function open(socketPath: string, method: string, path: string, body: unknown): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const call = request({ socketPath, method, path, headers }, resolve);
    call.on('error', (cause: NodeJS.ErrnoException) => {
      const absent = cause.code === 'ENOENT' || cause.code === 'ECONNREFUSED';
      const why = absent ? `no server runs on this data folder (${socketPath})` : `${socketPath}: ${cause.code}`;
      reject(new PlatformError('WrongState', { why }, { cause }));
    });
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
