/**
 * Seals what is stored anew, for a data key that has leaked: once it has run, nothing in the database opens with the old
 * one. It goes through each column that holds sealed values, a page at a time, and writes a value only where it still is
 * what was read. Another round follows until one finds nothing, since a change may have been under way with the old key.
 */
import { limits } from '@cloister/protocol/limits';
import { type ProjectSecret, type Sealed, sealedContext } from '../core/index.ts';
import type { Database, Statement } from './database.ts';
import { erased } from './personal.ts';
import { commit, type Parts } from './tables.ts';

type Reseal = (context: string, sealed: Sealed) => Sealed;

/** A column with sealed values. Every column of the schema with such values has its line; the contract of stores counts them. */
interface Place {
  readonly table: string;
  readonly column: string;
  /** The column of the project; null for what belongs to none. */
  readonly project: string | null;
  /** The column to go by, which is unique, and the one whose value is the row's identity in its context. */
  readonly order: string;
  readonly id: string;
  /** The whole value of the column, with what it holds sealed anew. */
  anew(reseal: Reseal, id: string, value: string): string;
}

const one =
  (context: (id: string) => string): Place['anew'] =>
  (reseal, id, value) =>
    reseal(context(id), value as Sealed);

const own = { order: 'id', id: 'id' } as const;
const ofProject = { ...own, project: 'project_id' } as const;
const itself = { ...own, project: 'id' } as const;

const places: readonly Place[] = [
  { table: 'accounts', column: 'name', project: null, ...own, anew: one(sealedContext.accountName) },
  { table: 'accounts', column: 'secret', project: null, ...own, anew: one(sealedContext.accountSecret) },
  { table: 'projects', column: 'name', ...itself, anew: one(sealedContext.projectName) },
  { table: 'projects', column: 'signature_secret', ...itself, anew: one(sealedContext.signatureSecret) },
  { table: 'projects', column: 'secrets', ...itself, anew: secretsAnew },
  { table: 'sessions', column: 'archive_name', ...ofProject, anew: one(sealedContext.archiveName) },
  { table: 'archives', column: 'name', ...ofProject, anew: one(sealedContext.archive) },
  {
    table: 'storages',
    column: 'target',
    project: 'project_id',
    order: 'project_id',
    id: 'project_id',
    anew: one(sealedContext.storageTarget),
  },
  { table: 'callbacks', column: 'url', ...ofProject, anew: one(sealedContext.callbackUrl) },
  { table: 'deliveries', column: 'url', ...ofProject, anew: one(sealedContext.deliveryUrl) },
  { table: 'deliveries', column: 'body', ...ofProject, anew: one(sealedContext.deliveryBody) },
  { table: 'outbox', column: 'personal', project: 'project_id', order: 'position', id: 'id', anew: personalAnew },
  {
    table: 'audit_entries',
    column: 'sealed',
    project: null,
    order: 'index',
    id: 'index',
    anew: one(sealedContext.auditEntry),
  },
  { table: 'people_pepper', column: 'sealed', project: null, order: 'one', id: 'one', anew: one(sealedContext.pepper) },
  { table: 'people', column: 'personal', project: null, ...own, anew: one(sealedContext.personal) },
  { table: 'people', column: 'secrets', project: null, ...own, anew: one(sealedContext.personSecrets) },
  { table: 'log_ins', column: 'address', project: null, ...own, anew: one(sealedContext.logInAddress) },
  { table: 'api_keys', column: 'label', project: null, ...own, anew: one(sealedContext.apiKeyLabel) },
  {
    table: 'last_settings',
    column: 'settings',
    project: null,
    order: 'one',
    id: 'one',
    anew: one(sealedContext.settings),
  },
  {
    table: 'present',
    column: 'personal',
    project: 'project_id',
    order: 'event_id',
    id: 'event_id',
    anew: personalAnew,
  },
];

function secretsAnew(reseal: Reseal, _id: string, value: string): string {
  const secrets = JSON.parse(value) as ProjectSecret[];
  return JSON.stringify(
    secrets.map((each) => ({ ...each, sealed: reseal(sealedContext.projectSecret(each.id), each.sealed) })),
  );
}

function personalAnew(reseal: Reseal, id: string, value: string): string {
  return value === erased ? value : reseal(sealedContext.event(id), value as Sealed);
}

/** @returns `OpenedStore.reseal` on one database */
export function openReseal(
  database: Database,
  { writer, seals }: Parts,
): (projectId: string | null) => Promise<number> {
  return async (projectId) => {
    const reseal: Reseal = (context, sealed) => seals.reseal(projectId, context, sealed);
    const concerned = places.filter(({ project }) => (project === null) === (projectId === null));
    let all = 0;
    for (;;) {
      let changed = 0;
      for (const place of concerned) changed += await column(place, projectId, reseal);
      if (changed === 0) return all;
      all += changed;
    }
  };

  /** One column from its first row to its last; → values sealed anew. */
  async function column(place: Place, projectId: string | null, reseal: Reseal): Promise<number> {
    let changed = 0;
    for (let after: unknown = null; ; ) {
      const rows = await database.read(...page(place, projectId, after));
      const statements = rows.flatMap(([order, id, value]) => {
        const anew = place.anew(reseal, String(id), String(value));
        return anew === value ? [] : [exchange(place, order, String(value), anew)];
      });
      if (statements.length > 0) await commit(writer, { statements });
      changed += statements.length;
      if (rows.length < limits.resealRows) return changed;
      after = rows.at(-1)?.[0];
    }
  }
}

function page(place: Place, projectId: string | null, after: unknown): [string, unknown[]] {
  const { table, column, project, order, id } = place;
  const params: unknown[] = [limits.resealRows];
  const conditions = [`${column} is not null`];
  if (project !== null) conditions.push(`${project} = $${params.push(projectId)}`);
  if (after !== null) conditions.push(`${order} > $${params.push(after)}`);
  const where = conditions.join(' and ');
  return [`select ${order}, ${id}, ${column} from ${table} where ${where} order by ${order} limit $1`, params];
}

function exchange({ table, column, order }: Place, key: unknown, before: string, after: string): Statement {
  return {
    sql: `update ${table} set ${column} = $1 where ${order} = $2 and ${column} = $3`,
    params: [after, key, before],
  };
}
