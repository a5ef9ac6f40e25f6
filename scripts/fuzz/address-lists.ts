/**
 * What reads address lists: prefixes that an operator types, lists that a customer's command is given, and the list that a page
 * holds to. Each ends in a prefix that is public and canonical, in a verdict, or in a refusal with its own name.
 */
import assert from 'node:assert/strict';
import { asPlatformError, type ClientAddressList } from '@cloister/protocol';
import fc from 'fast-check';
import { AddressHold } from '../../packages/client/src/address-hold.ts';
import { OtError } from '../../packages/client/src/errors.ts';
import { classesOf } from '../../packages/server/src/access/index.ts';
import { addressesOf, readList } from '../../packages/server/src/cli/ip-ranges-check.ts';
import { readListedPrefix } from '../../packages/server/src/core/index.ts';
import { damaged, oddText, oddValue, Tally } from './opentok.ts';

export const name = 'address lists';

const refusals = new Set([
  'AddressPrefixMalformed',
  'AddressPrefixHostBits',
  'AddressPrefixMapped',
  'AddressPrefixTooLarge',
  'AddressPrefixNotPublic',
]);

const bits = fc.oneof(fc.nat(33), fc.nat(129), fc.integer()).map(String);
const address = fc.oneof(
  fc.ipV4(),
  fc.ipV4Extended(),
  fc.ipV6(),
  // Aligned ones, so that many are prefixes.
  fc.tuple(fc.nat(255), fc.nat(255)).map(([a, b]) => `${a}.${b}.0.0`),
  fc.tuple(fc.nat(65_535), fc.nat(65_535)).map(([a, b]) => `${a.toString(16)}:${b.toString(16)}::`),
  fc.constantFrom('::ffff:185.1.2.0', '64:ff9b::b901:200', 'fe80::1%eth0', '192.0.2.0', '2001:db8::'),
);
const prefix = fc.tuple(address, bits).map((parts) => parts.join('/'));
const anyPrefix = fc.oneof(
  { weight: 6, arbitrary: prefix },
  { weight: 2, arbitrary: damaged(prefix) },
  { weight: 1, arbitrary: oddText },
);

function readPrefix(text: string): string {
  try {
    const { text: read } = readListedPrefix(text, { anyAddress: false });
    assert.equal(read, text, 'a prefix is taken in its one form');
    // Another reader of address classes, of the way out, agrees.
    const [first = ''] = addressesOf(text);
    assert.deepEqual(classesOf(first), ['public'], text);
    return 'prefix read';
  } catch (error) {
    const { code } = asPlatformError(error);
    if (error instanceof assert.AssertionError || !refusals.has(code)) throw error;
    return code;
  }
}

const list = fc.oneof(
  fc.json(),
  oddText,
  fc
    .record({ version: oddValue, prefixes: fc.array(oddValue), emergencies: fc.array(oddValue) })
    .map((fields) => JSON.stringify({ type: 'cloister-ip-ranges', ...fields })),
);

function readRubbish(text: string): string {
  try {
    readList(text);
    return 'list read';
  } catch (error) {
    if (asPlatformError(error).code !== 'BadRequest') throw error;
    return 'list refused';
  }
}

const held = fc.record({
  version: oddText,
  blocks: fc.array(
    fc.record({
      prefix: anyPrefix,
      component: fc.constantFrom('api', 'media', 'turn', 'log'),
      ports: fc.array(fc.record({ first: fc.integer(), last: fc.integer() }), { maxLength: 2 }),
      protocols: fc.subarray(['udp', 'tcp']),
    }),
    { maxLength: 3 },
  ),
  names: fc.dictionary(oddText, fc.array(fc.oneof(address, oddText), { maxLength: 2 }), { maxKeys: 3 }),
});
const server = fc.oneof(
  oddText,
  fc
    .tuple(fc.constantFrom('stun', 'turn', 'turns', 'http'), fc.oneof(address, oddText), bits)
    .map(([scheme, host, port]) => `${scheme}:${host.includes(':') ? `[${host}]` : host}:${port}`),
);

function holds(given: ClientAddressList, url: string, host: string): string {
  const hold = new AddressHold(given);
  const tries = [
    () => hold.requireServers([{ urls: [url] }]),
    () => hold.requireOffer({ iceCandidates: [{ address: host, port: 443, protocol: 'udp' }] }),
  ];
  for (const each of tries) {
    try {
      each();
      return 'in the list';
    } catch (error) {
      if (!(error instanceof OtError) || error.name !== 'OT_ADDRESS_NOT_LISTED') throw error;
    }
  }
  return 'held back';
}

/**
 * @param seed of the generator
 * @param cases how many
 * @returns how many ended in which way
 * @throws for one that ends in no way that has a name
 */
export function run(seed: number, cases: number): Record<string, number> {
  const tally = new Tally();
  const one = fc.tuple(anyPrefix, list, held, server, fc.oneof(address, oddText));
  fc.assert(
    fc.property(one, ([text, rubbish, given, url, host]) => {
      tally.add(readPrefix(text));
      tally.add(readRubbish(rubbish));
      tally.add(holds(given as ClientAddressList, url, host));
    }),
    { seed, numRuns: cases },
  );
  return tally.counts;
}
