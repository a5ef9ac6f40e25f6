/** Usage by HTTP: an account sees its projects, the operator all. */
import { PlatformError } from '@cloister/protocol';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import type { UsageSearch } from '../core/index.ts';
import { parseBody } from './body.ts';
import type { RestAuth } from './projects.ts';

/** What of usage these routes need. */
export interface UsageDoor {
  export(search: UsageSearch, form: 'csv' | 'json'): Promise<string>;
}

const day = z.iso.date({ error: 'expected a day such as 2027-01-31' }).optional();
const wanted = {
  from: day,
  until: day,
  project: z.string().optional(),
  format: z.enum(['csv', 'json']).default('json'),
};
const accountWish = z.strictObject(wanted);
const operatorWish = z.strictObject({ ...wanted, account: z.string().optional() });

const forms = { json: 'application/json; charset=utf-8', csv: 'text/csv; charset=utf-8; header=present' } as const;

/** Route `GET /usage`. */
export function usageRoutes(app: FastifyInstance, { usage, auth }: { usage: UsageDoor; auth: RestAuth }): void {
  app.get('/usage', async (request, reply) => {
    const accountId = await auth.account(request);
    const wish = parseBody(accountWish, request.query);
    return answer(reply, wish.format, await usage.export({ ...searchOf(wish), accountId }, wish.format));
  });
}

/** The same for the operator. */
export function operatorUsage(app: FastifyInstance, usage: UsageDoor): void {
  app.post('/usage/export', async (request, reply) => {
    const wish = parseBody(operatorWish, request.body);
    const search = { ...searchOf(wish), accountId: wish.account };
    return answer(reply, wish.format, await usage.export(search, wish.format));
  });
}

function searchOf({ from, until, project }: z.output<typeof accountWish>): UsageSearch {
  if (from !== undefined && until !== undefined && from > until) {
    throw new PlatformError('BadRequest', { why: `until: ${until} is before ${from}` });
  }
  return { from, until, projectId: project };
}

function answer(reply: FastifyReply, format: 'csv' | 'json', text: string): FastifyReply {
  reply.header('cache-control', 'no-store').header('content-disposition', `attachment; filename="usage.${format}"`);
  return reply.type(forms[format]).send(text);
}
