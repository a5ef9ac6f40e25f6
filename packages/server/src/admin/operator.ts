/** What the operator may do, over a socket in the data folder that only its owner can open. The CLI is its client. */
import { chmodSync, rmSync } from 'node:fs';
import { mediaPolicy, PlatformError } from '@cloister/protocol';
import fastify, { type FastifyInstance } from 'fastify';
import { z } from 'zod';
import {
  type Actor,
  type Core,
  type CurrentAccount,
  type Event,
  features,
  type Journal,
  type KeyRow,
  type Rotation,
  roles,
} from '../core/index.ts';
import { sealingView, sealingWish } from './archives.ts';
import { type AuditDoor, operatorAudit } from './audit.ts';
import { parseBody } from './body.ts';
import { answerErrors } from './errors.ts';
import { operatorIpRanges } from './ip-ranges.ts';
import { operatorPeople } from './operator-people.ts';
import { inspect } from './projects.ts';
import { operatorTerms } from './terms.ts';
import { operatorUsage, type UsageDoor } from './usage.ts';

const actor: Actor = { kind: 'operator', via: 'cli', network: 'loopback' };

const projectWish = z.strictObject({
  name: z.string().default(''),
  plan: z.string().optional(),
  accountKey: z.string().optional(),
});
const accountWish = z.strictObject({
  name: z.string().default(''),
  plan: z.string(),
  addOns: z.array(z.enum(features)).default([]),
});
const projectChange = z.strictObject({
  status: z.enum(['ACTIVE', 'SUSPENDED']).optional(),
  policy: mediaPolicy.optional(),
});
const rotationWish = z.strictObject({
  graceSeconds: z.number().int().positive().optional(),
  compromised: z.boolean().default(false),
});
const tokenWish = z.strictObject({
  sessionId: z.string(),
  role: z.enum(roles).default('publisher'),
  data: z.string().default(''),
  seconds: z.number().int().positive().default(3600),
});

interface ChangedKey {
  readonly purpose: string;
  readonly keyId: string;
}

/** What the operator does with keys; `keys/` fills it. */
export interface KeyAdmin {
  list(): KeyFactsView[];
  /** @param eventOf the event of the change, written with it */
  rotate(purpose: string, eventOf: (change: ChangedKey) => Event): Promise<ChangedKey>;
  compromise(keyId: string, eventOf: (change: ChangedKey) => Event): Promise<ChangedKey>;
  /**
   * Seals what is stored with older keys of a data key's purpose anew.
   * @param keyId the one that leaked
   */
  reseal(purpose: string, keyId: string): Promise<Resealed>;
}
/** What was sealed anew, and what that does not mend: whoever has an older copy reads it with the key that leaked. */
export interface Resealed {
  /** Values; 0 for a signing key. */
  readonly resealed: number;
  /** Secrets that were under it, and how new ones are set. */
  readonly replace: readonly { readonly secret: string; readonly how: string }[];
  /** Archives with us that it opens, whoever has their files. */
  readonly archives: readonly { readonly archiveId: string }[];
}
type KeyFactsView = Pick<KeyRow, 'id' | 'purpose' | 'createdAt' | 'retiredAt' | 'compromisedAt'>;

export interface OperatorDeps {
  readonly core: Core;
  readonly journal: Journal;
  readonly keys: KeyAdmin;
  readonly audit: AuditDoor;
  /** Where clients reach the server; null before it listens. */
  url(): string | null;
  readonly usage?: UsageDoor;
  makeToken(token: {
    apiKey: string;
    secret: string;
    sessionId: string;
    role: string;
    data: string;
    expiresAt: number;
  }): string;
}

/** Opens the socket. @returns how to close it. */
export async function openOperatorSocket(socket: string, deps: OperatorDeps): Promise<() => Promise<void>> {
  rmSync(socket, { force: true });
  const app = fastify({ logger: false, forceCloseConnections: true, routerOptions: { maxParamLength: 512 } });
  answerErrors(app, deps.journal);
  accounts(app, deps);
  operatorTerms(app, deps);
  projects(app, deps);
  sealings(app, deps);
  secrets(app, deps);
  keys(app, deps);
  operatorAudit(app, { actor, audit: deps.audit });
  operatorIpRanges(app, deps.core);
  operatorPeople(app, deps);
  if (deps.usage) operatorUsage(app, deps.usage);
  await app.listen({ path: socket });
  chmodSync(socket, 0o600);
  return () => app.close();
}

function shown({ id, name, plan, addOns }: CurrentAccount) {
  return { accountKey: id, name, plan, addOns };
}

/** @throws PlatformError `AccountNotFound` */
async function accountOf(core: Core, accountKey: string): Promise<CurrentAccount> {
  const account = (await core.accounts.list()).find(({ id }) => id === accountKey);
  if (!account) throw new PlatformError('AccountNotFound', { accountKey });
  return account;
}

function accounts(app: FastifyInstance, { core }: OperatorDeps): void {
  app.get('/accounts', async () => (await core.accounts.list()).map(shown));
  app.post('/accounts', async (request) => {
    const { account, secret } = await core.accounts.create(actor, parseBody(accountWish, request.body));
    return { ...shown(account), accountSecret: secret };
  });
}

/** The account that a new project goes to: the one that is named, or the first. Null where there is none yet. */
async function ownerOf(core: Core, { accountKey, plan }: z.output<typeof projectWish>): Promise<CurrentAccount | null> {
  const owner = accountKey === undefined ? (await core.accounts.list())[0] : await accountOf(core, accountKey);
  if (owner && plan !== undefined) {
    throw new PlatformError('BadRequest', {
      why: `plan is for the first account alone, and account ${owner.id} is there with the plan ${owner.plan}; change it with cloister account plan, or make another with cloister account create`,
    });
  }
  return owner ?? null;
}

function projects(app: FastifyInstance, { core }: OperatorDeps): void {
  app.get('/projects', async () => {
    const accounts = await core.accounts.list();
    const lists = await Promise.all(accounts.map((account) => core.projects.list(account.id)));
    return lists.flat().map(({ id, accountId, name, status, policy, zone }) => ({
      apiKey: id,
      accountKey: accountId,
      name,
      status,
      policy,
      zone,
    }));
  });
  app.post('/projects', async (request) => {
    const wish = parseBody(projectWish, request.body);
    const { name, plan = 'enterprise' } = wish;
    const owner = await ownerOf(core, wish);
    const made = owner ? null : await core.accounts.create(actor, { name: 'First account', plan });
    const { project, ...secrets } = await core.projects.create(actor, (owner ?? made!.account).id, { name });
    const { secret, signatureSecret } = secrets;
    const answer = { apiKey: project.id, apiSecret: secret, signatureSecret, accountKey: project.accountId };
    return made ? { ...answer, accountSecret: made.secret } : answer;
  });
  app.post<{ Params: { apiKey: string } }>('/projects/:apiKey', async (request) => {
    const { apiKey } = request.params;
    const { status, policy } = parseBody(projectChange, request.body);
    if (status) await core.projects.setStatus(actor, apiKey, status);
    if (policy) await core.projects.setPolicy(actor, apiKey, policy);
    const project = await core.projects.get(apiKey);
    return { apiKey, status: project.status, policy: project.policy };
  });
  app.get<{ Params: { apiKey: string; sessionId: string } }>('/projects/:apiKey/sessions/:sessionId', async (request) =>
    inspect(core, request.params.apiKey, request.params.sessionId),
  );
}

function sealings(app: FastifyInstance, { core }: OperatorDeps): void {
  const route = '/projects/:apiKey/archive-sealing';
  app.get<{ Params: { apiKey: string } }>(route, async (request) => {
    const { id } = await core.projects.get(request.params.apiKey);
    return sealingView(await core.sealings.get(id));
  });
  app.put<{ Params: { apiKey: string } }>(route, async (request) => {
    const wish = parseBody(sealingWish, request.body);
    return sealingView(await core.sealings.put(actor, request.params.apiKey, wish));
  });
  app.delete<{ Params: { apiKey: string } }>(route, async (request) => {
    const { id } = await core.projects.get(request.params.apiKey);
    await core.sealings.remove(actor, id);
    return { apiKey: id, removed: true };
  });
}

function secrets(app: FastifyInstance, { core, makeToken }: OperatorDeps): void {
  app.post<{ Params: { apiKey: string } }>('/projects/:apiKey/secret', async (request) => {
    const { graceSeconds, compromised } = parseBody(rotationWish, request.body);
    const rotation: Rotation = compromised
      ? { how: 'compromised' }
      : graceSeconds === undefined
        ? { how: 'at once' }
        : { how: 'grace', seconds: graceSeconds };
    return {
      apiKey: request.params.apiKey,
      apiSecret: await core.projects.rotateSecret(actor, request.params.apiKey, rotation),
    };
  });
  app.get<{ Params: { apiKey: string } }>('/projects/:apiKey/signature-secret', async (request) => {
    const { apiKey } = request.params;
    return { apiKey, signatureSecret: await core.accesses.showSignatureSecret(actor, apiKey) };
  });
  app.post<{ Params: { apiKey: string } }>('/projects/:apiKey/signature-secret', async (request) => {
    const { apiKey } = request.params;
    return { apiKey, signatureSecret: await core.projects.rotateSignatureSecret(actor, apiKey) };
  });
  app.post<{ Params: { apiKey: string } }>('/projects/:apiKey/tokens', async (request) => {
    const { apiKey } = request.params;
    const { sessionId, role, data, seconds } = parseBody(tokenWish, request.body);
    await core.sessions.get(apiKey, sessionId);
    const [secret] = await core.projects.secretsOf(apiKey);
    const expiresAt = Math.floor(core.clock.now() / 1000) + seconds;
    return { token: makeToken({ apiKey, secret: secret!.secret, sessionId, role, data, expiresAt }) };
  });
}

function keys(app: FastifyInstance, { core, keys: ring }: OperatorDeps): void {
  const stamped = (type: 'key.rotated' | 'key.compromised', { purpose, keyId }: ChangedKey) =>
    core.recorder.stamp(actor, { type, projectId: null, purpose, keyId });
  app.get('/keys', async () =>
    ring.list().map(({ id, purpose, createdAt, retiredAt, compromisedAt }) => ({
      id,
      purpose,
      createdAt,
      retiredAt,
      compromisedAt,
    })),
  );
  app.post('/keys/rotate', async (request) => {
    const { purpose } = parseBody(z.strictObject({ purpose: z.string() }), request.body);
    const { keyId } = await ring.rotate(purpose, (change) => stamped('key.rotated', change));
    return { purpose, keyId };
  });
  app.post('/keys/compromise', async (request) => {
    const { keyId } = parseBody(z.strictObject({ keyId: z.string() }), request.body);
    const { purpose } = await ring.compromise(keyId, (change) => stamped('key.compromised', change));
    return { purpose, keyId, ...(await ring.reseal(purpose, keyId)) };
  });
}
