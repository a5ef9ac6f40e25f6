/** Projects. Their names are sealed with their own data key, so they go with it. */
import { PlatformError } from '@cloister/protocol/errors';
import { and, asc, eq, isNotNull } from 'drizzle-orm';
import { type Project, type ProjectSecret, type Store, sealedContext } from '../core/index.ts';
import { erased, storeEvent } from './personal.ts';
import {
  addressReceipts,
  addressReminders,
  archives,
  callbacks,
  deliveries,
  keyring,
  legs,
  outbox,
  present,
  projects,
  sealings,
  sessions,
  storages,
} from './schema.ts';
import { commit, type Parts, read, statement } from './tables.ts';

/** What goes with a project; what hangs on another first. */
const ofProject = [
  legs,
  present,
  deliveries,
  callbacks,
  archives,
  storages,
  sealings,
  addressReceipts,
  addressReminders,
  sessions,
] as const;

function notFound(projectId: string): PlatformError {
  return new PlatformError('ProjectNotFound', { projectId });
}

export function openProjects({ tables, writer, seals }: Parts): Store['projects'] {
  const toProject = ({ seq: _, name, secrets, ...rest }: typeof projects.$inferSelect): Project => ({
    ...rest,
    name: seals.open(rest.id, sealedContext.projectName(rest.id), name),
    secrets: JSON.parse(secrets) as ProjectSecret[],
  });
  return {
    async create(project, event) {
      const { id, accountId, name, status, secrets, signatureSecret, policy, zone, createdAt } = project;
      const sealed = {
        name: seals.seal(id, sealedContext.projectName(id), name),
        secrets: JSON.stringify(secrets),
        signatureSecret,
      };
      const insert = tables.insert(projects).values({ id, accountId, status, policy, zone, createdAt, ...sealed });
      const change = { statements: [statement(insert)], events: [storeEvent(seals, event)] };
      await commit(writer, change, new PlatformError('IssuerNotFound'));
    },

    async get(id) {
      const [row] = await read(tables.select().from(projects).where(eq(projects.id, id)));
      return row ? toProject(row) : null;
    },

    async list(accountId) {
      const rows = tables.select().from(projects).where(eq(projects.accountId, accountId)).orderBy(asc(projects.seq));
      return (await read(rows)).map(toProject);
    },

    async update(id, { name, status, secrets, signatureSecret, policy, zone }, event) {
      const change = {
        name: name === undefined ? undefined : seals.seal(id, sealedContext.projectName(id), name),
        secrets: secrets && JSON.stringify(secrets),
        status,
        signatureSecret,
        policy,
        zone,
      };
      const update = statement(tables.update(projects).set(change).where(eq(projects.id, id)), 1);
      await commit(writer, { statements: [update], events: [storeEvent(seals, event)] }, notFound(id));
    },

    // The data keys go in the same transaction, so no crash leaves a project without them. Events stay, for those who
    // count and audit; what was personal in them is gone with the key that opened it.
    async remove(id, event) {
      const statements = [
        ...ofProject.map((table) => statement(tables.delete(table).where(eq(table.projectId, id)))),
        statement(
          tables
            .update(outbox)
            .set({ personal: erased })
            .where(and(eq(outbox.projectId, id), isNotNull(outbox.personal))),
        ),
        statement(tables.delete(keyring).where(eq(keyring.purpose, `project:${id}`))),
        statement(tables.delete(projects).where(eq(projects.id, id)), 1),
      ];
      await commit(writer, { statements, events: [storeEvent(seals, event)] }, notFound(id));
    },
  };
}
