/**
 * The address list by HTTP: for projects that are entitled to it, as JSON with a signature over its very bytes, as plain text
 * and as a file for nft; the public keys for everybody; and for operators what changes it.
 */
import { createHash, createPublicKey } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import {
  type Actor,
  type AddressVersion,
  addressComponents,
  addressLines,
  addressProtocols,
  type Core,
  listBytes,
  listNft,
  listText,
  openedFor,
  stateOf,
} from '../core/index.ts';
import { parsePortRange } from '../lib/index.ts';
import { parseBody } from './body.ts';
import type { RestAuth } from './projects.ts';

const actor: Actor = { kind: 'operator', via: 'cli' };
const plain = 'text/plain; charset=utf-8';
/** How long others may keep the public keys. The next one is published weeks before it signs. */
const keysSeconds = 300;

const token = z.string().max(64);
const versionWish = z.strictObject({ version: token.optional() });
const diffWish = z.strictObject({ from: token, to: token.optional() });
const acknowledgement = z.strictObject({ version: token });

/** Sends a body that a client may have already (RFC 9110, 8.8.3 and 13.1.2). */
function sendTagged(request: FastifyRequest, reply: FastifyReply, body: Buffer | string): FastifyReply {
  const tag = `"${createHash('sha256').update(body).digest('base64url')}"`;
  reply.header('etag', tag).header('cache-control', 'private, no-cache');
  const had = (request.headers['if-none-match'] ?? '').split(',').map((each) => each.trim().replace(/^W\//, ''));
  return had.includes(tag) || had.includes('*') ? reply.code(304).send() : reply.send(body);
}

/** Routes under `/ip-ranges`, and `/keys`, which asks for no credential. */
export function ipRangeRoutes(app: FastifyInstance, { core, auth }: { core: Core; auth: RestAuth }): void {
  const { addressLists: lists } = core;
  /** What a project asks for; kept as what it has had. */
  const fetched = async (request: FastifyRequest) => {
    const projectId = await auth.anyProject(request);
    const { version } = parseBody(versionWish, request.query);
    return { projectId, version: await lists.fetch(projectId, version ?? null) };
  };
  const opened = async (request: FastifyRequest) => {
    const { projectId, version } = await fetched(request);
    const { acknowledged } = await lists.receiptOf(projectId);
    return { version, blocks: openedFor(version, lists.now(), acknowledged) };
  };
  app.get('/ip-ranges', async (request, reply) => {
    const { version } = await fetched(request);
    return sendTagged(request, reply.type('application/json; charset=utf-8'), listBytes(version));
  });
  app.get('/ip-ranges.sig', async (request, reply) => {
    const { version } = await fetched(request);
    const { key, signature } = core.keys.signBytes('address-list', listBytes(version));
    reply.header('cloister-key-id', key.kid);
    return sendTagged(request, reply.type(plain), `${signature.toString('base64')}\n`);
  });
  app.get('/ip-ranges.txt', async (request, reply) => {
    const { blocks } = await opened(request);
    return sendTagged(request, reply.type(plain), listText(blocks));
  });
  app.get('/ip-ranges.nft', async (request, reply) => {
    const { version, blocks } = await opened(request);
    return sendTagged(request, reply.type(plain), listNft(version.token, blocks));
  });
  app.get('/ip-ranges/history', async (request, reply) => {
    await lists.requireEntitled(await auth.anyProject(request));
    reply.header('cache-control', 'private, no-cache');
    return { versions: (await lists.history()).map(versionLine) };
  });
  app.get('/ip-ranges/diff', async (request, reply) => {
    await lists.requireEntitled(await auth.anyProject(request));
    const { from, to } = parseBody(diffWish, request.query);
    reply.header('cache-control', 'private, no-cache');
    return lists.diff(from, to ?? null);
  });
  app.post('/ip-ranges/acknowledge', async (request) => {
    const projectId = await auth.anyProject(request);
    const { version } = parseBody(acknowledgement, request.body);
    return { acknowledged: (await lists.acknowledge(projectId, version)).token };
  });
  app.get('/keys', async (_request, reply) => {
    const keys = core.keys.keysInLife('address-list').map(({ key, state }) => {
      const pem = createPublicKey({ key: { ...key }, format: 'jwk' }).export({ format: 'pem', type: 'spki' });
      return `# address-list ${key.kid} ${state}\n${pem}`;
    });
    reply.header('cache-control', `max-age=${keysSeconds}`).header('access-control-allow-origin', '*');
    return reply.type('application/x-pem-file').send(keys.join(''));
  });
}

function versionLine({ token: version, createdAt, change, blockId }: Omit<AddressVersion, 'blocks'>) {
  return { version, createdAt: new Date(createdAt).toISOString(), change, blockId };
}

// ------------------------------------------------------------------------------------------------------- for operators

const moment = z.iso.datetime({ offset: true }).transform(Date.parse);
const ports = z.string().transform((text, context) => {
  const range = parsePortRange(text.includes('-') ? text : `${text}-${text}`);
  if (range) return range;
  context.addIssue({ code: 'custom', message: `${JSON.stringify(text)} is neither a port nor a range of ports` });
  return z.NEVER;
});
const blockWish = {
  prefix: z.string(),
  component: z.enum(addressComponents),
  zone: z.string().default('any'),
  line: z.enum(addressLines).default('enterprise'),
  ports: z.array(ports),
  protocols: z.array(z.enum(addressProtocols)),
  effectiveAt: moment.nullable().default(null),
};
const emergency = z.strictObject({ reason: z.string(), by: z.string() }).optional();
const announcement = z.strictObject({ ...blockWish, first: z.boolean().default(false), emergency });
const withdrawal = z.strictObject({ blockId: z.string(), at: moment.nullable().default(null), emergency });
const approval = z.strictObject({ proposalId: z.string(), by: z.string() });

/** The same for the operator, who sees both lines. */
export function operatorIpRanges(app: FastifyInstance, core: Core): void {
  const { addressLists: lists } = core;
  const done = ({ token: version, blockId, blocks }: AddressVersion) => {
    const { prefix, effectiveAt, withdrawnAt } = blocks.find(({ id }) => id === blockId)!;
    return { version, blockId, prefix, effectiveAt: timeOf(effectiveAt), withdrawnAt: timeOf(withdrawnAt) };
  };
  const waits = ({ id: proposalId, proposedBy, reason }: { id: string; proposedBy: string; reason: string }) => ({
    ...{ proposalId, proposedBy, reason },
    next: `somebody else: cloister ip-ranges approve ${proposalId} --by NAME`,
  });
  app.post('/ip-ranges/announce', async (request) => {
    const { first, emergency: sudden, ...wish } = parseBody(announcement, request.body);
    if (!sudden) return done(await lists.announce(actor, wish, { first }));
    return waits(await lists.propose(actor, { change: { kind: 'announce', ...wish }, ...sudden }));
  });
  app.post('/ip-ranges/withdraw', async (request) => {
    const { blockId, at, emergency: sudden } = parseBody(withdrawal, request.body);
    if (!sudden) return done(await lists.withdraw(actor, blockId, at));
    return waits(await lists.propose(actor, { change: { kind: 'withdraw', blockId, at }, ...sudden }));
  });
  app.post('/ip-ranges/approve', async (request) => {
    const { proposalId, by } = parseBody(approval, request.body);
    return done(await lists.approve(actor, proposalId, by));
  });
  app.get('/ip-ranges', async (request) => {
    const { version } = parseBody(versionWish, request.query);
    const list = version === undefined ? await lists.last() : await lists.version(version);
    const waiting = await lists.proposals();
    if (!list) return { version: null, blocks: [], proposals: waiting };
    const { token: name, createdAt, blocks } = list;
    const now = lists.now();
    const shown = blocks.map((block) => ({ ...block, state: stateOf(block, now) }));
    return { version: name, createdAt: timeOf(createdAt), blocks: shown, proposals: waiting };
  });
  app.get('/ip-ranges/history', async () => (await lists.history()).map(versionLine));
  app.get('/ip-ranges/diff', async (request) => {
    const { from, to } = parseBody(diffWish, request.query);
    return lists.diff(from, to ?? null);
  });
  app.get('/ip-ranges/behind', async () =>
    (await core.addressReminders.behind()).map(({ projectId: apiKey, accountId: accountKey, nextAt, ...rest }) => ({
      ...{ apiKey, accountKey, ...rest },
      nextAt: timeOf(nextAt),
    })),
  );
}

function timeOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
