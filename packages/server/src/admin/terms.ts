/** Plans and the terms of accounts: for the operator over the socket, for an account under `/cloister/v1/account`. */
import { PlatformError } from '@cloister/protocol';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import {
  type Actor,
  type Core,
  entitled,
  features,
  offerOf,
  type PlanTable,
  type TermsChange,
  type TermsPreview,
} from '../core/index.ts';
import type { Origins } from './actor.ts';
import { parseBody } from './body.ts';
import { actorOf } from './principal.ts';
import type { RestAuth } from './projects.ts';

const operator: Actor = { kind: 'operator', via: 'cli' };

const feature = z.enum(features);
/** A day means its beginning in UTC. */
const moment = z.union([z.iso.date(), z.iso.datetime({ offset: true })], {
  error: 'expected a day such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z',
});
const from = moment.transform((text) => Date.parse(text)).optional();
const addOnWish = { buy: z.array(feature).optional(), drop: z.array(feature).optional(), from };
const termsWish = { ...addOnWish, plan: z.string().optional(), addOns: z.array(feature).optional() };
const order = { version: z.number().int().positive().optional(), force: z.boolean().optional() };

const accountWish = z.strictObject(addOnWish);
const operatorWish = z.strictObject(termsWish);
const operatorOrder = z.strictObject({ ...termsWish, ...order });
const planOrder = z.strictObject({ plan: z.string(), addOns: z.array(feature).default([]), from, ...order });

type OfAccount = { Params: { accountKey: string } };

/** Routes of the operator's socket. */
export function operatorTerms(app: FastifyInstance, { core }: { core: Core }): void {
  app.get('/plans', async () => core.accounts.plans.versions.map((table) => tableView(table, core)));
  app.get<OfAccount>('/accounts/:accountKey/terms', async ({ params }) =>
    termsView(core, await known(core, params.accountKey)),
  );
  app.post<OfAccount>('/accounts/:accountKey/terms/preview', async ({ params, body }) => {
    const id = await known(core, params.accountKey);
    return previewView(await core.accounts.preview(operator, id, parseBody(operatorWish, body)));
  });
  app.post<OfAccount>('/accounts/:accountKey/terms', async ({ params, body }) => {
    const id = await known(core, params.accountKey);
    return changed(core, operator, id, parseBody(operatorOrder, body));
  });
  app.post<OfAccount>('/accounts/:accountKey/plan', async ({ params, body }) => {
    const id = await known(core, params.accountKey);
    return changed(core, operator, id, parseBody(planOrder, body));
  });
}

/** Routes under `/account`, with the credential of the account. */
export function termsRoutes(app: FastifyInstance, deps: Origins & { core: Core; auth: RestAuth }): void {
  const { core, auth } = deps;
  app.get('/account/terms', async (request, reply) => {
    const view = await termsView(core, await auth.account(request));
    return tagged(reply, view.version).send(view);
  });
  app.post('/account/terms/preview', async (request, reply) => {
    const id = await auth.account(request);
    const preview = await core.accounts.preview(actorOf(deps, request, id), id, parseBody(accountWish, request.body));
    return tagged(reply, preview.version).send(previewView(preview));
  });
  app.post('/account/terms', async (request, reply) => {
    const id = await auth.account(request);
    const wish = parseBody(accountWish, request.body);
    const made = await changed(core, actorOf(deps, request, id), id, {
      ...wish,
      version: versionOf(request.headers['if-match']),
    });
    return tagged(reply, made.version).send(made);
  });
}

function tagged(reply: FastifyReply, version: number): FastifyReply {
  return reply.header('etag', `"${version}"`).header('cache-control', 'no-store');
}

/** The version in an If-Match of one entity tag (RFC 9110, section 13.1.1); undefined where any will do. @throws PlatformError `BadRequest` */
function versionOf(header: string | undefined): number | undefined {
  if (header === undefined || header.trim() === '*') return undefined;
  const [, version] = /^\s*"(\d{1,9})"\s*$/.exec(header) ?? [];
  if (version !== undefined) return Number(version);
  throw new PlatformError('BadRequest', { why: 'If-Match: expected the ETag of the terms, such as "3", or *' });
}

/** @throws PlatformError `AccountNotFound` */
async function known(core: Core, accountKey: string): Promise<string> {
  try {
    return (await core.accounts.get(accountKey)).id;
  } catch (error) {
    if (error instanceof PlatformError && error.code === 'IssuerNotFound') {
      throw new PlatformError('AccountNotFound', { accountKey });
    }
    throw error;
  }
}

async function changed(core: Core, actor: Actor, id: string, wish: Parameters<Core['accounts']['changePlan']>[2]) {
  const { effectiveAt, after, won, lost, uses } = previewView(await core.accounts.changePlan(actor, id, wish));
  const { name, version } = await core.accounts.get(id);
  return { accountKey: id, name, version, effectiveAt, ...after, won, lost, uses };
}

const iso = (time: number) => new Date(time).toISOString();

function previewView({ version, effectiveAt, before, after, won, lost, uses }: TermsPreview) {
  const dated = ({ feature: name, at }: TermsPreview['won'][number]) => ({ feature: name, at: iso(at) });
  return {
    version,
    effectiveAt: iso(effectiveAt),
    before,
    after,
    won: won.map(dated),
    lost: lost.map(dated),
    uses: uses.map(({ feature: name, projectId, what }) => ({ feature: name, apiKey: projectId, what })),
  };
}

function changeView(
  { version, effectiveAt, decidedAt, by, plan, addOns, buy, drop, forced }: TermsChange,
  now: number,
) {
  const state = effectiveAt > now ? 'waits' : 'holds';
  return { version, state, from: iso(effectiveAt), decided: iso(decidedAt), by, plan, addOns, buy, drop, forced };
}

async function termsView(core: Core, id: string) {
  const { account, changes, ends } = await core.accounts.history(id);
  const { name, plan, addOns, version, table } = account;
  const now = core.clock.now();
  return {
    accountKey: id,
    name,
    plan,
    addOns,
    version,
    planVersion: table.version,
    features: features.map((each) => ({
      feature: each,
      offer: offerOf(account, each),
      entitled: entitled(account, each),
    })),
    changes: changes.map((each) => changeView(each, now)),
    /** What uses a feature that is lost at a time to come. */
    ends: ends.map(({ feature: lost, at, projectId, what }) => ({
      feature: lost,
      at: iso(at),
      apiKey: projectId,
      what,
    })),
  };
}

function tableView(table: PlanTable, core: Core) {
  const { version, effectiveAt, plans } = table;
  const now = core.clock.now();
  const holds = core.accounts.plans.at(now) === table;
  return {
    version,
    state: holds ? 'holds' : effectiveAt > now ? 'waits' : 'has held',
    effective: iso(effectiveAt),
    plans,
    features: Object.fromEntries(features.map((each) => [each, table.features[each]])),
  };
}
