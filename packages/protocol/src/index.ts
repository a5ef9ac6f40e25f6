/** What client, server and console agree on. Values are also reachable one subject at a time: `@cloister/protocol/limits`. */
export * from './errors.ts';
export * from './limits.ts';
export * from './peers.ts';
export type * from './playground.ts';
export * from './security.ts';
export * from './signalling.ts';
export * from './suites.ts';
