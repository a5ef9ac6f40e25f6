/** People, as the operator sees to them over the socket: the first owner of each account, and the operator's own staff. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Actor, Core } from '../core/index.ts';
import { parseBody } from './body.ts';
import { invitationView, personWish, roleWish } from './people.ts';

const actor: Actor = { kind: 'operator', via: 'cli' };
/** Of an account; without one it is the operator's own staff. */
const house = z.object({ account: z.string().optional() });

interface Params {
  personId: string;
}

/** Routes under `/people` of the operator's socket. */
export function operatorPeople(app: FastifyInstance, { core, url }: { core: Core; url(): string | null }): void {
  const base = () => url() ?? '';
  const houseOf = ({ query }: { query: unknown }) => parseBody(house, query).account ?? null;
  app.get('/people', async (request) => core.people.list(houseOf(request)));
  app.post('/people', async (request) => {
    const { password: passwordAllowed, ...wish } = parseBody(personWish, request.body);
    const invitation = await core.people.invite(actor, { ...wish, accountId: houseOf(request), passwordAllowed });
    return invitationView(core, invitation, base());
  });
  app.post<{ Params: Params }>('/people/:personId/role', async (request) => {
    const { personId } = request.params;
    const { role } = parseBody(roleWish, request.body);
    await core.people.setRole(actor, await accountOf(core, personId), personId, role);
    return { personId, role };
  });
  app.delete<{ Params: Params }>('/people/:personId', async ({ params: { personId } }) => {
    await core.people.remove(actor, await accountOf(core, personId), personId);
    return { personId, removed: true };
  });
  app.post<{ Params: Params }>('/people/:personId/unlock', async ({ params: { personId } }) => {
    await core.people.unlock(actor, await accountOf(core, personId), personId);
    return { personId, unlocked: true };
  });
  app.post<{ Params: Params }>('/people/:personId/recover', async ({ params: { personId } }) =>
    invitationView(core, await core.people.recover(actor, await accountOf(core, personId), personId), base()),
  );
}

/** The operator names people by their id alone. Of nobody, `PersonNotFound` comes from the rules. */
async function accountOf(core: Core, personId: string): Promise<string | null> {
  return (await core.store.people.get(personId))?.accountId ?? null;
}
