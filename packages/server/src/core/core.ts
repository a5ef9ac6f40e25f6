/** The use cases, put together over their ports. */
import type { Clock, Ids } from '../lib/index.ts';
import { Accesses } from './accesses.ts';
import { Accounts } from './account.ts';
import { AddressCheck } from './address-hold.ts';
import { AddressLists } from './address-list.ts';
import { AddressReminders } from './address-reminders.ts';
import { ApiKeys } from './api-key.ts';
import { ArchiveLinks } from './archive-links.ts';
import { type ArchiveTimes, openTokTimes } from './archive-times.ts';
import { Archives } from './archives.ts';
import { Callbacks } from './callback.ts';
import { Calls, type Site } from './calls.ts';
import type { Credentials } from './credentials.ts';
import { Enrolments } from './enrolment.ts';
import { type FeatureUses, featureUses } from './feature-use.ts';
import type { Foundation } from './foundation.ts';
import { LogIns } from './log-in.ts';
import type { MediaPlane } from './media-plane.ts';
import { People } from './person.ts';
import { PersonSessions } from './person-session.ts';
import type { PlanBook } from './plan-book.ts';
import type { Audit, Egress, Journal, Keys, Store } from './ports.ts';
import { Projects } from './project.ts';
import { Recorder } from './recorder.ts';
import type { Recordings, Uploads } from './recordings.ts';
import { Sealings } from './sealing.ts';
import { Sessions } from './session.ts';
import { Storages } from './storage.ts';
import { SupportGrants } from './support-grant.ts';

export interface CorePorts {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly store: Store;
  readonly keys: Keys;
  readonly media: MediaPlane;
  readonly egress: Egress;
  readonly journal: Journal;
  readonly audit: Audit;
  readonly site: Site;
  /** Whether an address list may hold addresses that are not public. */
  readonly anyAddress?: boolean;
  /** What people log in with. */
  readonly credentials: Credentials;
  /** Without one nothing is archived. */
  readonly recordings?: Recordings;
  /** Without one archives stay with this server. */
  readonly uploads?: Uploads;
  /** OpenTok's, where none are given. */
  readonly archiveTimes?: ArchiveTimes;
  /** The first table of plans, where none is given. */
  readonly plans?: PlanBook;
  /** What uses a feature, beside what `core` itself knows. */
  readonly featureUses?: FeatureUses;
}

/** The use cases about people. */
export interface PeopleCore {
  readonly people: People;
  readonly personSessions: PersonSessions;
  readonly enrolments: Enrolments;
  readonly logIns: LogIns;
  readonly apiKeys: ApiKeys;
  readonly supportGrants: SupportGrants;
}

export interface Core extends Foundation, PeopleCore {
  readonly accesses: Accesses;
  readonly accounts: Accounts;
  readonly projects: Projects;
  readonly sessions: Sessions;
  readonly calls: Calls;
  readonly addressLists: AddressLists;
  readonly addressCheck: AddressCheck;
  readonly addressReminders: AddressReminders;
  readonly callbacks: Callbacks;
  readonly archives: Archives;
  readonly archiveLinks: ArchiveLinks;
  readonly storages: Storages;
  readonly sealings: Sealings;
}

/** Builds the use cases. Nothing runs until one is called. */
export function createCore(ports: CorePorts): Core {
  const { clock, ids, store, keys, journal, audit } = ports;
  const foundation: Foundation = {
    clock,
    ids,
    store,
    keys,
    journal,
    recorder: new Recorder({ clock, ids, store, journal, audit }),
  };
  const uses = featureUses(store, ports.featureUses);
  const accounts = new Accounts(foundation, { uses, plans: ports.plans });
  const projects = new Projects(foundation, accounts, () => ports.media.reportsSuites);
  const accesses = new Accesses(foundation, { accounts, projects });
  const sessions = new Sessions(foundation, projects);
  const addressLists = new AddressLists(foundation, { accounts, projects, anyAddress: ports.anyAddress ?? false });
  const addressCheck = new AddressCheck(addressLists, ports.site.addresses ?? null);
  const addressReminders = new AddressReminders(foundation, { lists: addressLists, accounts });
  const addresses = { addressLists, addressCheck, addressReminders };
  const calls = new Calls(foundation, { projects, sessions, media: ports.media, site: ports.site, ...addresses });
  const callbacks = new Callbacks(foundation, ports.egress);
  const storages = new Storages(foundation, { accounts, projects, egress: ports.egress });
  const sealings = new Sealings(foundation, { accounts, projects });
  const { recordings = null, uploads = null, archiveTimes: times = openTokTimes } = ports;
  const parts = { projects, sessions, calls, storages, sealings, recordings, uploads, times };
  const archives = new Archives(foundation, parts);
  const archiveLinks = new ArchiveLinks(foundation, { archives, projects, recordings, linkMs: times.linkMs });
  return {
    ...foundation,
    ...createPeople(foundation, accounts, ports.credentials),
    ...addresses,
    accesses,
    accounts,
    projects,
    sessions,
    calls,
    callbacks,
    archives,
    archiveLinks,
    storages,
    sealings,
  };
}

function createPeople(foundation: Foundation, accounts: Accounts, credentials: Credentials): PeopleCore {
  const people = new People(foundation, accounts);
  const personSessions = new PersonSessions(foundation, people);
  const logIns = new LogIns(foundation, { people, sessions: personSessions, credentials });
  return {
    people,
    personSessions,
    enrolments: new Enrolments(foundation, { people, logIns, credentials }),
    logIns,
    apiKeys: new ApiKeys(foundation, people),
    supportGrants: new SupportGrants(foundation, people),
  };
}
