/** Bodies of our own API, checked by their schema. */
import { PlatformError } from '@cloister/protocol';
import type { z } from 'zod';

/** A body → what its schema makes of it. @throws PlatformError `BadRequest` that names the first wrong field. */
export function parseBody<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const parsed = schema.safeParse(body ?? {});
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new PlatformError('BadRequest', { why: `${issue.path.join('.') || 'body'}: ${issue.message}` });
}
