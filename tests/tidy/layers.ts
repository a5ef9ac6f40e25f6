/** Who may import whom. The table of the architecture as data; docs/internals has the reasons. */

/** Folders of packages/server/src and the other folders that each may import, through their doors. */
export const SERVER_LAYERS: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  log: ['lib'],
  core: ['lib'],
  opentok: ['core', 'lib'],
  signalling: ['core', 'lib'],
  media: ['core', 'lib'],
  archive: ['core', 'lib'],
  zones: ['core', 'lib'],
  access: ['core', 'lib'],
  keys: ['core', 'lib'],
  people: ['core', 'lib'],
  usage: ['core', 'lib'],
  audit: ['core', 'lib'],
  evidence: ['core', 'lib', 'audit', 'zones', 'archive'],
  storage: ['core', 'lib'],
  store: ['core', 'lib'],
  admin: ['core', 'lib'],
};

/**
 * Rooms of a folder of the server, from the inside outward: each may import those before it. Files beside them may import all, and
 * none of them imports those.
 */
export const ROOMS: Readonly<Record<string, readonly string[]>> = {
  archive: ['capture', 'layout', 'compose', 'separate', 'seal', 'record', 'store'],
};

/** Folders that may go through every door. */
export const EVERY_DOOR = ['cli'];

/** Files beside the folders. Only main.ts knows every folder; the settings know `lib` alone. */
export const ROOT_FILES: Readonly<Record<string, readonly string[] | 'every door'>> = {
  'main.ts': 'every door',
  'config.ts': ['lib'],
  'config-schema.ts': ['lib'],
  'config-media.ts': ['lib'],
  'config-rules.ts': ['lib'],
  'http.ts': ['access', 'core', 'signalling', 'lib'],
  'first-start.ts': ['core'],
  'open-audit.ts': ['access', 'admin', 'audit', 'core', 'lib'],
  'open-outlets.ts': ['access', 'audit', 'core', 'lib'],
  'open-addresses.ts': ['core', 'lib'],
  'operator-socket.ts': [],
  'plans-file.ts': ['core', 'lib'],
};

/** Server folders that know nothing of the protocol package. */
export const WITHOUT_PROTOCOL = ['lib'];

/** The packages of this repository that each may import. */
export const PACKAGE_LAYERS: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  server: ['protocol'],
  client: ['protocol'],
  console: ['protocol', 'client'],
};

/** The one file outside the packages that the server imports: the rule that says where the media worker is. */
export const OUTSIDE_FILES: Readonly<Record<string, readonly string[]>> = {
  'packages/server/src/config.ts': ['scripts/media-worker/location.mjs'],
};

/** Foreign worlds, each with the only server folder that knows it. */
export const OWNERS: Readonly<Record<string, string>> = {
  mediasoup: 'media',
  'node-av': 'archive',
  '@aws-sdk/client-s3': 'storage',
  '@azure/storage-blob': 'storage',
  'drizzle-orm': 'store',
  pg: 'store',
  '@electric-sql/pglite': 'store',
};

/** `core` has no sockets, no disk and no process of its own. */
export const NOT_IN_CORE =
  /^node:(fs|net|http|https|http2|tls|dgram|dns|child_process|worker_threads|cluster|os|process|timers)(\/|$)/;
