/**
 * Commands go through the running server: they speak HTTP over the operator's socket in its data folder. Who may open
 * that file is who may operate; nothing else is asked.
 */
import { request } from 'node:http';
import { type ErrorBody, errorTable, PlatformError } from '@cloister/protocol';

/** One call to the running server. @throws PlatformError what the server refused, or `WrongState` when none runs. */
export async function callOperator(
  socketPath: string,
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<unknown> {
  const { status, text } = await send(socketPath, method, path, body);
  const answer: unknown = text === '' ? null : JSON.parse(text);
  if (status < 400) return answer;
  const error = answer as ErrorBody;
  throw error.code in errorTable
    ? new PlatformError(error.code, error.details)
    : new PlatformError('Internal', {}, { cause: text });
}

function send(
  socketPath: string,
  method: string,
  path: string,
  body: unknown,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const call = request({ socketPath, method, path, headers }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 500, text: Buffer.concat(parts).toString() }));
      answer.on('error', reject);
    });
    call.on('error', (cause: NodeJS.ErrnoException) => {
      const absent = cause.code === 'ENOENT' || cause.code === 'ECONNREFUSED';
      const why = absent ? `no server runs on this data folder (${socketPath})` : `${socketPath}: ${cause.code}`;
      reject(new PlatformError('WrongState', { why }, { cause }));
    });
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
