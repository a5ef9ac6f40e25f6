/**
 * The audit log by HTTP. What proves it is for everybody and has hashes alone: the checkpoint, the keys, tiles and bundles
 * (C2SP tlog-tiles), which never change and may be kept by any cache. What it says is for the account concerned.
 */
import { Readable } from 'node:stream';
import { limits, PlatformError } from '@cloister/protocol';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import type { Actor, AuditSearch } from '../core/index.ts';
import { parseBody } from './body.ts';
import type { RestAuth } from './projects.ts';

export type AuditForm = 'jsonl' | 'csv';

/** What of the audit log these routes need. */
export interface AuditDoor {
  /** For operators: which log, how long, and whether it is what was signed. */
  status(): { origin: string; size: number; state: string; why: string | null; checkpoint: string };
  /** A signed note. */
  checkpoint(): string;
  /** The log's public keys, as C2SP signed-note writes them. */
  keys(): string[];
  /** A tile or a bundle; null where there is none of this name. */
  file(path: string): Promise<Buffer | null>;
  search(search: AuditSearch, limit: number): Promise<readonly { index: number; content: unknown }[]>;
  /** The lines of an export. @param since an older checkpoint to be proven from */
  export(search: AuditSearch, form: AuditForm, since?: string): AsyncGenerator<string>;
  /** Takes a checkpoint that a witness signed. @throws PlatformError */
  cosign(note: string): Promise<{ witness: string; size: number }>;
  /** Goes on from what the database has, though it is not what was signed last. @throws PlatformError */
  repair(actor: Actor, reason: string): Promise<void>;
}

const moment = z.union([z.iso.datetime({ offset: true }).transform(Date.parse), z.coerce.number().int().nonnegative()]);
const index = z.coerce.number().int().nonnegative();

const wanted = {
  project: z.string().optional(),
  action: z.string().optional(),
  since: moment.optional(),
  until: moment.optional(),
  first: index.optional(),
  end: index.optional(),
};
const searchWish = z.strictObject({
  ...wanted,
  limit: z.coerce.number().int().min(1).max(limits.auditSearchEntries).default(100),
});
const exportWish = z.strictObject({
  ...wanted,
  format: z.enum(['jsonl', 'csv']).default('jsonl'),
  checkpoint: z.string().optional(),
});
const repairWish = z.strictObject({ reason: z.string().trim().min(1).max(limits.auditReasonChars) });
const operatorWish = exportWish.extend({ account: z.string().optional() });

function searchOf({ project, action, since, until, first, end }: z.output<typeof searchWish | typeof exportWish>) {
  return { projectId: project, action, since, until, first, end };
}

const plain = 'text/plain; charset=utf-8';
const forms = { jsonl: 'application/jsonl; charset=utf-8', csv: 'text/csv; charset=utf-8' } as const;

/** An export as it is made. What refuses it does so before the first byte. */
async function stream(reply: FastifyReply, form: AuditForm, lines: AsyncGenerator<string>): Promise<FastifyReply> {
  const first = await lines.next();
  async function* all(): AsyncGenerator<string> {
    if (first.done) return;
    yield first.value;
    yield* lines;
  }
  reply.header('cache-control', 'no-store').header('content-disposition', `attachment; filename="audit.${form}"`);
  return reply.type(forms[form]).send(Readable.from(all()));
}

/** Routes under `/audit`. */
export function auditRoutes(app: FastifyInstance, { audit, auth }: { audit: AuditDoor; auth: RestAuth }): void {
  // Notes come as plain text, and are small.
  app.get('/audit/checkpoint', async (_request, reply) =>
    reply.type(plain).header('cache-control', 'no-cache').send(audit.checkpoint()),
  );
  app.get('/audit/keys', async (_request, reply) =>
    reply
      .type(plain)
      .header('cache-control', 'no-cache')
      .send(`${audit.keys().join('\n')}\n`),
  );
  app.get<{ Params: { '*': string } }>('/audit/tile/*', async (request, reply) => {
    const path = `tile/${request.params['*']}`;
    const bytes = await audit.file(path);
    if (!bytes) throw new PlatformError('RouteNotFound', { path: `/cloister/v1/audit/${path}` });
    reply.header('cache-control', 'public, max-age=31536000, immutable');
    return reply.type('application/octet-stream').send(bytes);
  });
  app.post('/audit/cosignatures', async (request) => {
    if (typeof request.body !== 'string') {
      throw new PlatformError('BadRequest', { why: 'send the checkpoint that you signed as text/plain' });
    }
    return audit.cosign(request.body);
  });
  app.get('/audit/entries', async (request) => {
    const accountId = await auth.account(request);
    const { limit, ...wish } = parseBody(searchWish, request.query);
    return { entries: await audit.search({ ...searchOf({ ...wish, limit }), accountId }, limit) };
  });
  app.post('/audit/export', async (request, reply) => {
    const accountId = await auth.account(request);
    const wish = parseBody(exportWish, request.body);
    return stream(reply, wish.format, audit.export({ ...searchOf(wish), accountId }, wish.format, wish.checkpoint));
  });
}

/** The same for the operator, who sees the whole log. */
export function operatorAudit(app: FastifyInstance, { actor, audit }: { actor: Actor; audit: AuditDoor }): void {
  app.get('/audit', async () => audit.status());
  app.post('/audit/repair', async (request) => {
    await audit.repair(actor, parseBody(repairWish, request.body).reason);
    return audit.status();
  });
  app.post('/audit/export', async (request, reply) => {
    const { account, ...wish } = parseBody(operatorWish, request.body);
    const search = { ...searchOf(wish), accountId: account };
    return stream(reply, wish.format, audit.export(search, wish.format, wish.checkpoint));
  });
}
