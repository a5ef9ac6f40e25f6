/** The forms in which customers get the list. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import type { AddressBlock } from './address-block.ts';
import { listNft, listText, mergePorts } from './address-document.ts';

const port = (first: number, last = first) => ({ first, last });
function block(prefix: string, wish: Partial<AddressBlock> = {}): AddressBlock {
  return {
    ...{
      id: prefix,
      prefix,
      component: 'media',
      zone: 'eu',
      line: 'enterprise',
      ports: [port(443)],
      protocols: ['tcp'],
    },
    ...{ announcedAt: 0, announcedIn: 1, effectiveAt: 0, emergency: null },
    ...{ withdrawalAnnouncedAt: null, withdrawalIn: null, withdrawnAt: null, withdrawalEmergency: null },
    ...wish,
  };
}

const blocks = [
  block('185.1.2.0/24', { protocols: ['udp', 'tcp'], ports: [port(443), port(40_000, 40_100)] }),
  // The same prefix with ports that meet those: a set of nft takes no interval twice.
  block('185.1.2.0/24', {
    component: 'turn',
    protocols: ['udp'],
    ports: [port(443), port(3478), port(40_100, 40_200)],
  }),
  block('2a00:1450:4001::/48', { ports: [port(1, 65_535)] }),
];

test('ports that overlap or touch are one range', () => {
  assert.deepEqual(mergePorts([port(5, 9), port(1, 4), port(9, 12), port(14)]), [port(1, 12), port(14)]);
  assert.deepEqual(mergePorts([port(1, 100), port(5, 9)]), [port(1, 100)]);
});

test('the plain text has each prefix once', () => {
  assert.equal(listText(blocks), '185.1.2.0/24\n2a00:1450:4001::/48\n');
  assert.equal(listText([]), '');
});

/** What nft makes of a file in a network namespace of its own, as JSON. */
function loaded(...files: string[]): {
  nftables: Record<string, { name?: string; elem?: unknown[]; expr?: unknown[] }>[];
} {
  const again = files.map((_, index) => `printf '%s' "$FILE${index}" | nft -f -`).join(' && ');
  const own = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const env = {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    ...Object.fromEntries(files.map((text, n) => [`FILE${n}`, text])),
  };
  const script = `${again} && nft -j list ruleset`;
  return JSON.parse(execFileSync('unshare', ['--net', ...own, 'sh', '-c', script], { env, encoding: 'utf8' }));
}

test('nft loads the file, and once more after a change, and then has the new list alone', () => {
  const first = loaded(listNft('1-a', blocks)).nftables;
  const set = (found: typeof first, name: string) => found.find(({ set }) => set?.name === name)?.set?.elem ?? [];
  assert.equal(set(first, 'allowed4').length, 2 + 3);
  assert.equal(set(first, 'allowed6').length, 1);
  assert.equal(first.filter(({ rule }) => rule).length, 3);
  const second = loaded(listNft('1-a', blocks), listNft('2-b', [block('185.9.9.0/24')])).nftables;
  assert.match(JSON.stringify(set(second, 'allowed4')), /185\.9\.9\.0/);
  assert.equal(set(second, 'allowed4').length, 1);
  assert.equal(set(second, 'allowed6').length, 0);
  assert.equal(second.filter(({ rule }) => rule).length, 3);
  assert.equal(loaded(listNft('3-c', [])).nftables.filter(({ set }) => set).length, 2, 'an empty list loads too');
});

test('nft refuses the file where one prefix in it is damaged, so that the test before is one', () => {
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
  const input = listNft('1-a', [block('185.1.2.0/240')]);
  const own = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const { status } = spawnSync('unshare', ['--net', ...own, 'nft', '-c', '-f', '-'], { env, input });
  assert.notEqual(status, 0);
});
