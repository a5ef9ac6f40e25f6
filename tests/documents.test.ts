/** What the documents point to is there: links between pages, and files that they name. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { allFiles, root } from './tidy/source.ts';

const pages = allFiles.filter((file) => file.endsWith('.md'));
const server = 'packages/server/src';

function missing(page: string, wanted: (text: string) => Iterable<[string, readonly string[]]>): string[] {
  const text = readFileSync(path.join(root, page), 'utf8');
  return [...wanted(text)]
    .filter(([, places]) => !places.some((place) => existsSync(path.join(root, place))))
    .map(([name]) => `${page}: ${name} is not there`);
}

function* links(page: string, text: string): Iterable<[string, readonly string[]]> {
  for (const [, target = ''] of text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
    if (!/^[a-z]+:/.test(target)) yield [target, [path.join(path.dirname(page), target)]];
  }
}

/** In backticks: a path of the repository, or `folder/file.ts` of the server. */
function* files(text: string): Iterable<[string, readonly string[]]> {
  for (const [, name = ''] of text.matchAll(/`([\w.-]+(?:\/[\w.-]+)+\.(?:ts|mjs|md|json))`/g)) {
    if (!name.startsWith('data/')) yield [name, [name, path.join(server, name)]];
  }
}

test('every link of a page leads to a file or folder', () => {
  const found = pages.flatMap((page) => missing(page, (text) => links(page, text)));
  assert.equal(found.length, 0, `\n${found.join('\n')}`);
});

test('every file that a page names is there', () => {
  const found = pages.flatMap((page) => missing(page, files));
  assert.equal(found.length, 0, `\n${found.join('\n')}`);
});
